//! What consumers, doors and workers share: the database, the secrets, the contacts, the channels.

use std::collections::HashSet;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use tocsin_domain::language::Language;
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::database::{Database, agreed_now};
use tocsin_platform::lifecycle::Waker;
use tocsin_platform::outbox::Outbox;
use uuid::Uuid;

use crate::bulletin::{Bulletin, Bulletins};
use crate::channel::{Gateways, Messengers, Smarthosts, Webhooks};
use crate::config::{GatewayConfig, GatewayKind, NotificationConfig};
use crate::contact::Directory;
use crate::engine::EngineHandle;
use crate::entity::{bulletin, notice};
use crate::gateways::Pauses;
use crate::secrets::LocalSecrets;
use crate::sizes::in_sizes;
use crate::sms::Desk;
use crate::store::serialise_bulletin;

/// The post office.
pub(crate) struct Office {
    pub(crate) config: NotificationConfig,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) outbox: Outbox,
    pub(crate) secrets: Arc<LocalSecrets>,
    pub(crate) directory: Directory,
    pub(crate) bulletins: Bulletins,
    pub(crate) smarthosts: Smarthosts,
    pub(crate) gateways: Gateways,
    pub(crate) desk: Desk,
    pub(crate) webhooks: Webhooks,
    pub(crate) messengers: Messengers,
    /// Which gateways people have paused.
    pub(crate) pauses: Pauses,
    pub(crate) engine: EngineHandle,
    /// Wakes whoever tells dispatch of changes.
    pub(crate) progress: Waker,
    /// Wakes whoever answers text messages and looks after receipts.
    pub(crate) answers: Waker,
    /// Where people sign in, without a slash at its end.
    pub(crate) public_url: String,
    /// Where gateways tell of deliveries, without a slash at its end.
    pub(crate) receipt_url: String,
    /// Where people unsubscribe, without a slash at its end.
    pub(crate) unsubscribe_url: String,
}

impl Office {
    /// The page on which one press acknowledges, in the reader's language; none without a token.
    pub(crate) fn acknowledge_url(&self, token: &str, reader: Language) -> Option<String> {
        (!token.is_empty()).then(|| format!("{}/acknowledge/{token}?lang={reader}", self.public_url))
    }

    /// Where a gateway tells what became of a notice; empty for one whose callbacks have one address for all messages.
    pub(crate) fn receipt_url(&self, gateway: &GatewayConfig, notice_id: Uuid) -> String {
        // `%d` is filled by Kannel with the type of the receipt; other gateways send a status of their own.
        let kind = match gateway.kind {
            GatewayKind::AfricasTalking => return String::new(),
            GatewayKind::Kannel => "type=%d&",
            GatewayKind::Twilio | GatewayKind::Vonage | GatewayKind::Generic => "",
        };
        let mac = self.secrets.receipt_mac(&gateway.name, notice_id);
        format!("{}/receipts/{}?{kind}id={notice_id}&mac={mac}", self.receipt_url, gateway.name)
    }

    /// A bulletin from memory, or from its row.
    pub(crate) async fn bulletin<C: ConnectionTrait>(
        &self,
        connection: &C,
        id: Uuid,
        revision: i32,
    ) -> Result<Option<Arc<Bulletin>>, DbErr> {
        if let Some(known) = self.bulletins.get(id, revision) {
            return Ok(Some(known));
        }
        let Some(row) = bulletin::Entity::find_by_id((id, revision)).one(connection).await? else { return Ok(None) };
        match Bulletin::from_row(row) {
            Ok(bulletin) => {
                let bulletin = Arc::new(bulletin);
                self.bulletins.keep(Arc::clone(&bulletin));
                Ok(Some(bulletin))
            }
            Err(error) => {
                tracing::error!(alert_id = %id, revision, reason = %error, "a bulletin cannot be read");
                Ok(None)
            }
        }
    }
}

/// Stores a bulletin. One that is known stays, but gets its texts back if they were deleted meanwhile.
pub(crate) async fn insert_bulletin<C: ConnectionTrait>(connection: &C, row: &bulletin::Model) -> Result<(), DbErr> {
    use bulletin::Column;
    let known = OnConflict::columns([Column::BulletinId, Column::Revision])
        .value(
            Column::SealedTexts,
            Expr::col((bulletin::Entity, Column::SealedTexts)).if_null(Expr::col(("excluded", Column::SealedTexts))),
        )
        .to_owned();
    let active = row.clone().into_active_model().reset_all();
    bulletin::Entity::insert(active).on_conflict(known).exec_without_returning(connection).await.map(|_| ())
}

/// Stores notices, set-based; those that exist stay as they are. Returns how many were new.
pub(crate) async fn insert_notices<C: ConnectionTrait>(connection: &C, rows: &[notice::Model]) -> Result<u64, DbErr> {
    use notice::Column;
    let mut inserted = 0;
    for chunk in in_sizes(rows) {
        let known = OnConflict::columns([Column::BulletinId, Column::Revision, Column::ContactId, Column::Channel])
            .do_nothing()
            .to_owned();
        let active = chunk.iter().map(|row| row.clone().into_active_model().reset_all());
        let outcome = notice::Entity::insert_many(active).on_conflict(known).exec_without_returning(connection).await?;
        inserted += outcome;
    }
    Ok(inserted)
}

/// Deletes the texts of bulletins of which no notice has a next step.
pub(crate) async fn delete_ended_texts(office: &Office) -> Result<(), DbErr> {
    use sea_orm::sea_query::Query;
    let before_ms = to_ms(agreed_now(office.database.reader(), &office.clock).await?) - TEXTS_GRACE_MS;
    let moving = Query::select()
        .expr(Expr::val(1))
        .from(notice::Entity)
        .and_where(
            Expr::col((notice::Entity, notice::Column::BulletinId))
                .equals((bulletin::Entity, bulletin::Column::BulletinId)),
        )
        .and_where(
            Expr::col((notice::Entity, notice::Column::Revision))
                .equals((bulletin::Entity, bulletin::Column::Revision)),
        )
        .and_where(Expr::col((notice::Entity, notice::Column::NextAtMs)).is_not_null())
        .to_owned();
    let ended = bulletin::Entity::find()
        .filter(bulletin::Column::SealedTexts.is_not_null())
        .filter(bulletin::Column::CreatedAtMs.lt(before_ms))
        .filter(Expr::exists(moving.clone()).not())
        .all(office.database.reader())
        .await?;
    for row in ended {
        let transaction = office.database.begin().await?;
        // A request for further notices of it waits, or was waited for and is seen.
        serialise_bulletin(&transaction, row.bulletin_id).await?;
        bulletin::Entity::update_many()
            .col_expr(bulletin::Column::SealedTexts, Expr::value(Option::<Vec<u8>>::None))
            .filter(bulletin::Column::BulletinId.eq(row.bulletin_id))
            .filter(bulletin::Column::Revision.eq(row.revision))
            .filter(Expr::exists(moving.clone()).not())
            .exec(&transaction)
            .await?;
        tocsin_platform::database::commit(transaction, "notification.delete_texts").await?;
    }
    forget_changed_texts(office).await
}

/// Forgets what memory holds otherwise than the table: texts that were deleted, by whichever process, or came back.
async fn forget_changed_texts(office: &Office) -> Result<(), DbErr> {
    let cached = office.bulletins.with_texts();
    if cached.is_empty() {
        return Ok(());
    }
    let stored: Vec<(Uuid, i32)> = bulletin::Entity::find()
        .select_only()
        .columns([bulletin::Column::BulletinId, bulletin::Column::Revision])
        .filter(bulletin::Column::BulletinId.is_in(cached.keys().map(|(id, _)| *id)))
        .filter(bulletin::Column::SealedTexts.is_not_null())
        .into_tuple()
        .all(office.database.reader())
        .await?;
    let stored: HashSet<(Uuid, i32)> = stored.into_iter().collect();
    for ((id, revision), has_texts) in cached {
        if has_texts != stored.contains(&(id, revision)) {
            office.bulletins.forget(id, revision);
        }
    }
    Ok(())
}

/// Batches of one alert follow each other within moments; texts are not deleted between them.
const TEXTS_GRACE_MS: i64 = 60_000;
