//! `ListNotices`: the notices, the newest first; no address, no text, and for an operator nobody's id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{ListNoticesRequest, ListNoticesResponse, Notice};
use uuid::Uuid;

use crate::entity::notice::{Column, Entity, Model};
use crate::office::Office;

/// The page size when none is asked for.
const PAGE_SIZE: u64 = 100;
/// The largest page.
const PAGE_SIZE_MAX: u64 = 1_000;

/// `names` says whether the caller may see who is written to.
pub(super) async fn list_notices(
    office: &Office,
    request: ListNoticesRequest,
    names: bool,
) -> Result<ListNoticesResponse, Failure> {
    let size = match u64::from(request.page_size) {
        0 => PAGE_SIZE,
        asked => asked.min(PAGE_SIZE_MAX),
    };
    // Ids are drawn in the order of time, so the id is the position.
    let mut select = Entity::find().order_by_desc(Column::NoticeId).limit(size + 1);
    if !request.alert_id.is_empty() {
        let alert_id = Uuid::try_parse(&request.alert_id)
            .map_err(|_| invalid("alert_id", "must be a UUID, or empty for every alert"))?;
        select = select.filter(Column::BulletinId.eq(alert_id));
    }
    if !request.state.is_empty() {
        let state: NoticeState = request.state.parse().map_err(|error| invalid("state", format!("{error}")))?;
        select = select.filter(Column::State.eq(state.as_str()));
    }
    if !request.page_token.is_empty() {
        let before = URL_SAFE_NO_PAD.decode(&request.page_token).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
        let before = before.ok_or_else(|| invalid("page_token", "use the next_page_token of the page before"))?;
        select = select.filter(Column::NoticeId.lt(before));
    }
    let mut rows = select.all(office.database.reader()).await?;
    let more = u64::try_from(rows.len()).unwrap_or(0) > size;
    if more {
        rows.pop();
    }
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| URL_SAFE_NO_PAD.encode(row.notice_id.as_bytes())).unwrap_or_default();
    Ok(ListNoticesResponse { notices: rows.into_iter().map(|row| shown(row, names)).collect(), next_page_token })
}

fn invalid(field: &str, description: impl Into<String>) -> Failure {
    Failure::invalid("INVALID_REQUEST", "the request cannot be read").field(field, description)
}

fn shown(row: Model, names: bool) -> Notice {
    Notice {
        notice_id: row.notice_id.to_string(),
        alert_id: row.bulletin_id.to_string(),
        revision: u32::try_from(row.revision).unwrap_or(0),
        contact_id: if names { row.contact_id } else { String::new() },
        channel: row.channel,
        state: row.state,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        reason: row.reason.unwrap_or_default(),
        due_at: row.next_at_ms.map(|at| timestamp(from_ms(at))),
    }
}
