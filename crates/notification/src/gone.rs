//! A webhook that answered 410 is used no further. Its member is told by its other channels, and the operator by the log.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::channel::Channel;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;
use tocsin_platform::clock::to_ms;

use crate::bulletin::Bulletin;
use crate::contact::Recipient;
use crate::entity::{bulletin, contact};
use crate::expand::{Asked, Expansion};
use crate::office::{Office, insert_bulletin, insert_notices};
use crate::render::BulletinKind;
use crate::secrets::derived_id;

/// How long the news about a webhook may still start.
const NEWS_OPEN: TimeDelta = TimeDelta::days(7);

/// Switches the webhooks of these contacts off, until their contacts are imported anew or take a test. Each is told once.
pub(crate) async fn switch_off<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    contact_ids: &[&str],
) -> Result<(), DbErr> {
    use contact::Column;
    if contact_ids.is_empty() {
        return Ok(());
    }
    let on = Column::ContactId.is_in(contact_ids.iter().copied()).and(Column::WebhookDisabled.eq(false));
    // Held, so that of two processes one tells.
    let ids: Vec<String> = contact::Entity::find()
        .select_only()
        .column(Column::ContactId)
        .filter(on)
        .order_by_asc(Column::ContactId)
        .lock_exclusive()
        .into_tuple()
        .all(connection)
        .await?;
    if ids.is_empty() {
        return Ok(());
    }
    contact::Entity::update_many()
        .col_expr(Column::WebhookDisabled, Expr::value(true))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::ContactId.is_in(ids.iter().map(String::as_str)))
        .exec(connection)
        .await?;
    tracing::warn!(
        count = ids.len(),
        "webhooks answered 410 and are used no further; their members are told by other channels. When one is back, \
         `tocsin contact test` brings it into use again"
    );
    for recipient in office.directory.read_anew(connection, &ids).await? {
        tell(office, connection, &recipient).await?;
    }
    Ok(())
}

async fn tell<C: ConnectionTrait>(
    office: &Office,
    connection: &C,
    recipient: &std::sync::Arc<Recipient>,
) -> Result<(), DbErr> {
    if recipient.channels.iter().all(|channel| *channel == Channel::Webhook) {
        // The notice that failed has gone into the hands of a person.
        return Ok(());
    }
    let (now, id) = (office.clock.now(), recipient.contact_id.clone());
    let row = bulletin::Model {
        bulletin_id: derived_id(&format!("webhook_gone:{id}:{}", recipient.version())),
        revision: 0,
        kind: BulletinKind::WebhookGone.as_str().to_owned(),
        short_code: String::new(),
        priority: Priority::P3.as_str().to_owned(),
        tlp: Tlp::Amber.as_str().to_owned(),
        released_at_ms: to_ms(now),
        deadline_at_ms: to_ms(now + NEWS_OPEN),
        expires_at_ms: to_ms(now + NEWS_OPEN),
        consent_expires_at_ms: None,
        drill: false,
        source_language: "en".to_owned(),
        reviewed_languages: String::new(),
        coordinator_id: String::new(),
        coordinator_name: String::new(),
        sealed_texts: None,
        created_at_ms: to_ms(now),
    };
    let batch_id = row.bulletin_id.to_string();
    let news = Bulletin::from_row(row.clone()).map_err(|error| DbErr::Custom(error.to_string()))?;
    let asked = Asked {
        contact_id: id.clone(),
        organisation_id: recipient.organisation_id.clone().unwrap_or_default(),
        acknowledge_token: String::new(),
    };
    let expansion = Expansion {
        bulletin: &news,
        batch_id: &batch_id,
        directory: &office.directory,
        contacts: &HashMap::from([(id, std::sync::Arc::clone(recipient))]),
        withdrawn: &HashMap::new(),
        next_channel_seconds: office.config.next_channel_seconds,
        now,
    };
    insert_bulletin(connection, &row).await?;
    insert_notices(connection, &expansion.notices(&[asked])).await.map(|_| ())
}
