//! `WithdrawNotices`: what is still queued ends.

use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{WithdrawNoticesRequest, WithdrawNoticesResponse};

use crate::changes::{By, reason};
use crate::office::Office;
use crate::selection::Selection;
use crate::withdraw;

pub(super) async fn withdraw_notices(
    office: &Office,
    request: WithdrawNoticesRequest,
    actor: &str,
) -> Result<WithdrawNoticesResponse, Failure> {
    let selection = Selection::read(office, request.selection).await?;
    let reason = reason(&request.reason)?;
    let ended = if request.dry_run {
        withdraw::count(office, &selection).await?
    } else {
        withdraw::withdraw(office, &selection, &By { actor, reason: reason.as_str() }).await?
    };
    Ok(WithdrawNoticesResponse { withdrawn: ended.withdrawn, in_hand: ended.in_hand })
}
