//! `ListNotices`: the notices, the newest first; no address, no text, and for an operator nobody's id.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::notification::v1::{ListNoticesRequest, ListNoticesResponse};
use uuid::Uuid;

use super::wire;
use crate::entity::notice::{Column, Entity};
use crate::office::Office;
use crate::selection::{alert, channel, invalid};

/// `names` says whether the caller may see who is written to.
pub(super) async fn list_notices(
    office: &Office,
    request: ListNoticesRequest,
    names: bool,
) -> Result<ListNoticesResponse, Failure> {
    let size = u64::from(page_size(request.page_size));
    // Ids are drawn in the order of time, so the id is the position.
    let mut select = Entity::find().order_by_desc(Column::NoticeId).limit(size);
    if let Some(alert_id) = alert(office.database.reader(), &request.alert_id).await? {
        select = select.filter(Column::BulletinId.eq(alert_id));
    }
    if !request.state.is_empty() {
        let state: NoticeState = request.state.parse().map_err(|error| invalid("state", format!("{error}")))?;
        select = select.filter(Column::State.eq(state.as_str()));
    }
    if let Some(channel) = channel(&request.channel)? {
        select = select.filter(Column::Channel.eq(channel.as_str()));
    }
    if !request.lane.is_empty() {
        let lane = wire::lane_number(&request.lane);
        let lane = lane.ok_or_else(|| invalid("lane", "must be urgent, normal or bulk"))?;
        select = select.filter(Column::Lane.eq(lane));
    }
    let by_name = !request.contact_id.is_empty() || !request.organisation_id.is_empty();
    if by_name && !names {
        let says = "an operator sees nobody's id: list by alert, state, channel or lane";
        return Err(Failure::forbidden("NAMES_HIDDEN", says));
    }
    if !request.contact_id.is_empty() {
        select = select.filter(Column::ContactId.eq(request.contact_id));
    }
    if !request.organisation_id.is_empty() {
        select = select.filter(Column::OrganisationId.eq(request.organisation_id));
    }
    if let Some(before) = page_token::<Uuid>(&request.page_token)? {
        select = select.filter(Column::NoticeId.lt(before));
    }
    let rows = select.all(office.database.reader()).await?;
    let full = u64::try_from(rows.len()).unwrap_or(0) >= size;
    let next_page_token = rows.last().filter(|_| full).map(|row| row.notice_id.to_string()).unwrap_or_default();
    Ok(ListNoticesResponse { notices: rows.into_iter().map(|row| wire::notice(row, names)).collect(), next_page_token })
}
