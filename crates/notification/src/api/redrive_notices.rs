//! `RedriveNotices`: what ended without having reached anybody is sent again.

use std::collections::HashMap;

use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{RedriveNoticesRequest, RedriveNoticesResponse};

use crate::changes::{By, reason};
use crate::office::Office;
use crate::redrive;
use crate::selection::Selection;

pub(super) async fn redrive_notices(
    office: &Office,
    request: RedriveNoticesRequest,
    actor: &str,
) -> Result<RedriveNoticesResponse, Failure> {
    let selection = Selection::read(office, request.selection).await?;
    let reason = reason(&request.reason)?;
    let redriven = if request.dry_run {
        redrive::count(office, &selection).await?
    } else {
        redrive::redrive(office, &selection, &By { actor, reason: reason.as_str() }).await?
    };
    let left_by_reason: HashMap<String, u64> =
        redriven.left.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
    Ok(RedriveNoticesResponse { notices_by_state: redriven.by_state.into_iter().collect(), left_by_reason })
}
