//! What people change by hand, kept with who and why.

use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use sea_orm::{QueryOrder, QuerySelect, sea_query::OnConflict};
use tocsin_domain::text::CodeText;
use tocsin_platform::failure::Failure;
use uuid::Uuid;

use crate::entity::people::{change, changed_notice};
use crate::office::Office;

/// Rows in one statement.
const ROWS_A_STATEMENT: usize = 1_000;

/// Who does something, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) actor: &'a str,
    /// A short word; empty where none is asked for.
    pub(crate) reason: &'a str,
}

/// Reads the reason of a request: a word that holds neither a name nor a number.
pub(crate) fn reason(given: &str) -> Result<CodeText, Failure> {
    given.parse().map_err(|error| {
        let says = format!("say why in a short word, as mail_server_mended: {error}");
        Failure::invalid("REASON_NEEDED", says.clone()).field("reason", says)
    })
}

/// Records a change that touches no notices.
pub(crate) async fn record<C: ConnectionTrait>(
    connection: &C,
    office: &Office,
    by: &By<'_>,
    kind: &'static str,
    subject: &str,
) -> Result<(), DbErr> {
    let row = blank(office, by, kind, subject);
    change::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(connection).await.map(|_| ())
}

/// A change that is about to be recorded.
pub(crate) fn blank(office: &Office, by: &By<'_>, kind: &'static str, subject: &str) -> change::Model {
    change::Model {
        change_id: Uuid::now_v7(),
        at_ms: office.clock.now_ms(),
        actor_id: by.actor.to_owned(),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        reason: by.reason.to_owned(),
        notices: 0,
    }
}

/// Records that a change touched these notices too; large ones are made in several transactions.
pub(crate) async fn add<C: ConnectionTrait>(
    connection: &C,
    row: &mut change::Model,
    notices: &[Uuid],
) -> Result<(), DbErr> {
    row.notices += i64::try_from(notices.len()).unwrap_or(0);
    let grown = OnConflict::column(change::Column::ChangeId).update_column(change::Column::Notices).to_owned();
    let active = row.clone().into_active_model().reset_all();
    change::Entity::insert(active).on_conflict(grown).exec_without_returning(connection).await?;
    for chunk in notices.chunks(ROWS_A_STATEMENT) {
        let change_id = row.change_id;
        let rows = chunk
            .iter()
            .map(|notice_id| changed_notice::Model { notice_id: *notice_id, change_id })
            .map(|touched| touched.into_active_model().reset_all());
        changed_notice::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// A page, the newest first; `before` is the last of the page before.
pub(crate) async fn list<C: ConnectionTrait>(
    connection: &C,
    before: Option<Uuid>,
    size: u64,
) -> Result<Vec<change::Model>, DbErr> {
    let mut select = change::Entity::find().order_by_desc(change::Column::ChangeId).limit(size);
    if let Some(before) = before {
        select = select.filter(change::Column::ChangeId.lt(before));
    }
    select.all(connection).await
}

/// What was done to one notice, the oldest first.
pub(crate) async fn of_notice<C: ConnectionTrait>(
    connection: &C,
    notice_id: Uuid,
) -> Result<Vec<change::Model>, DbErr> {
    let ids: Vec<Uuid> = changed_notice::Entity::find()
        .select_only()
        .column(changed_notice::Column::ChangeId)
        .filter(changed_notice::Column::NoticeId.eq(notice_id))
        .into_tuple()
        .all(connection)
        .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    change::Entity::find()
        .filter(change::Column::ChangeId.is_in(ids))
        .order_by_asc(change::Column::ChangeId)
        .all(connection)
        .await
}
