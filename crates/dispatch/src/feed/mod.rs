//! The feed: every alert's newest change at one position, for readers that resume where they stopped.
//!
//! An alert stands in the feed once, at the position of its newest change, so a reader that was away sees the present
//! state and never a text that has been withdrawn meanwhile.

pub(crate) mod cursor;
pub(crate) mod subscription;
pub(crate) mod tail;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use sea_orm::DbErr;
use tocsin_domain::id::OrganisationId;
use tocsin_platform::database::Database;
use tocsin_proto::dispatch::v1::WatchAlertsResponse;
use uuid::Uuid;

use crate::dispatch::{Dispatch, Reader};
use crate::entity::alert;
use crate::error::DispatchError;
use crate::feed::cursor::Cursor;
use crate::store;
use crate::store::alerts::WITHDRAWN;
use crate::view;

/// Makes every cursor given out before expire. A database restored from a copy gives out positions again that readers have
/// already seen with other changes, so this belongs to each restore, before dispatch starts.
///
/// # Errors
///
/// When the database fails, or was never migrated.
pub async fn renew_feed_epoch(database: &Database) -> Result<(), DbErr> {
    let transaction = database.begin().await?;
    store::feed::put_epoch(&transaction, &cursor::new_epoch()).await?;
    tocsin_platform::database::commit(transaction, "dispatch.renew_feed").await
}

/// One change as it is sent, made once for all readers.
pub(crate) struct Entry {
    pub(crate) position: i64,
    pub(crate) message: WatchAlertsResponse,
    json: OnceLock<String>,
    /// When its texts may no longer be read, on this process's clock; empty when that is known of no moment.
    until_ms: Option<i64>,
    /// Who received the alert; empty when only one reader asked.
    readers: HashSet<OrganisationId>,
}

impl Entry {
    /// Whether this reader may see it.
    pub(crate) fn is_for(&self, reader: &Reader) -> bool {
        reader.organisation().is_none_or(|organisation| self.readers.contains(organisation))
    }

    /// Whether its texts may no longer be read. Then it is left out, because the alert's withdrawal follows.
    pub(crate) fn is_stale(&self, now_ms: i64) -> bool {
        self.until_ms.is_some_and(|until| until <= now_ms)
    }

    /// The alert as one line of JSON.
    pub(crate) fn json(&self) -> &str {
        self.json.get_or_init(|| {
            let alert = self.message.alert.as_ref().map(view::json).unwrap_or_default();
            serde_json::json!({ "change": self.message.change, "alert": alert }).to_string()
        })
    }
}

/// The changes after a position that one reader may see, at most `limit`.
pub(crate) async fn read_after(
    dispatch: &Dispatch,
    epoch: &str,
    position: i64,
    reader: &Reader,
    limit: u64,
) -> Result<Vec<Arc<Entry>>, DispatchError> {
    let rows = store::alerts::changed_after(dispatch.database.reader(), position, reader.organisation(), limit).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let now_ms = dispatch.agreed_now_ms().await?;
    rows.iter().map(|row| entry(dispatch, epoch, row, HashSet::new(), now_ms)).collect()
}

/// The changes after a position with everybody who may see them, at most `limit`.
async fn read_for_all(
    dispatch: &Dispatch,
    epoch: &str,
    position: i64,
    limit: u64,
) -> Result<Vec<Arc<Entry>>, DispatchError> {
    let rows = store::alerts::changed_after(dispatch.database.reader(), position, None, limit).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.alert_id).collect();
    let by_id: HashMap<Uuid, &alert::Model> = rows.iter().map(|row| (row.alert_id, row)).collect();
    let mut readers: HashMap<Uuid, HashSet<OrganisationId>> = HashMap::new();
    for recipient in store::recipients::of_alerts(dispatch.database.reader(), &ids).await? {
        let may_read = by_id.get(&recipient.alert_id).is_some_and(|row| store::alerts::may_read(row, &recipient));
        if let (true, Ok(organisation)) = (may_read, recipient.organisation_id.parse()) {
            readers.entry(recipient.alert_id).or_default().insert(organisation);
        }
    }
    let now_ms = dispatch.agreed_now_ms().await?;
    let mut readers_of = |row: &alert::Model| readers.remove(&row.alert_id).unwrap_or_default();
    rows.iter().map(|row| entry(dispatch, epoch, row, readers_of(row), now_ms)).collect()
}

fn entry(
    dispatch: &Dispatch,
    epoch: &str,
    row: &alert::Model,
    readers: HashSet<OrganisationId>,
    now_ms: i64,
) -> Result<Arc<Entry>, DispatchError> {
    let content = dispatch.contents.of(row)?.ok_or(DispatchError::NoAlert)?;
    let position = row.feed_position.unwrap_or_default();
    let message = WatchAlertsResponse {
        cursor: Cursor { epoch: epoch.to_owned(), position }.to_string(),
        change: row.feed_change.clone(),
        alert: Some(view::full(row, &content, now_ms)),
    };
    let until_ms = row.consent_expires_at_ms.filter(|_| row.state != WITHDRAWN);
    // Entries are looked at once for each reader, too often to ask for the agreed time again.
    let ahead_ms = dispatch.clock.now_ms().saturating_sub(now_ms);
    let until_ms = until_ms.map(|until| until.saturating_add(ahead_ms));
    Ok(Arc::new(Entry { position, message, json: OnceLock::new(), until_ms, readers }))
}
