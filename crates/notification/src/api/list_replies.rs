//! `ListReplies`: text messages to us that no rule understood, for the people who must read them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{ListRepliesRequest, ListRepliesResponse, Reply};
use uuid::Uuid;

use crate::entity::sms::incoming::{Column, Entity, Model};
use crate::office::Office;
use crate::sms::IncomingText;

pub(super) async fn list_replies(office: &Office, request: ListRepliesRequest) -> Result<ListRepliesResponse, Failure> {
    let size = u64::from(page_size(request.page_size));
    // Ids are drawn in the order of time, so the id is the position.
    let mut select = Entity::find().order_by_desc(Column::IncomingId).limit(size + 1);
    if let Some(before) = page_token::<Uuid>(&request.page_token)? {
        select = select.filter(Column::IncomingId.lt(before));
    }
    let mut rows = select.all(office.database.reader()).await?;
    let more = u64::try_from(rows.len()).unwrap_or(0) > size;
    if more {
        rows.pop();
    }
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| row.incoming_id.to_string()).unwrap_or_default();
    let replies = rows.into_iter().map(|row| shown(office, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(ListRepliesResponse { replies, next_page_token })
}

fn shown(office: &Office, row: Model) -> Result<Reply, Failure> {
    let text = IncomingText::open(office.secrets.contact_key(), row.incoming_id, &row.sealed);
    let text = text.map_err(|_| Failure::internal("REPLY_UNREADABLE"))?;
    Ok(Reply {
        reply_id: row.incoming_id.to_string(),
        contact_id: row.contact_id,
        gateway: row.gateway,
        received_at: Some(timestamp(from_ms(row.received_at_ms))),
        phone: text.phone,
        text: text.text,
    })
}
