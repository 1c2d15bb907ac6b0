//! `ListChanges`: what people changed by hand, who and why, the newest first.

use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::notification::v1::{ListChangesRequest, ListChangesResponse};

use super::wire;
use crate::changes;
use crate::office::Office;

/// `names` says whether the caller may see contacts and organisations.
pub(super) async fn list_changes(
    office: &Office,
    request: &ListChangesRequest,
    names: bool,
) -> Result<ListChangesResponse, Failure> {
    let size = u64::from(page_size(request.page_size));
    let before = page_token(&request.page_token)?;
    let rows = changes::list(office.database.reader(), before, size).await?;
    let full = u64::try_from(rows.len()).unwrap_or(0) >= size;
    let next_page_token = rows.last().filter(|_| full).map(|row| row.change_id.to_string()).unwrap_or_default();
    Ok(ListChangesResponse { changes: rows.into_iter().map(|row| wire::change(row, names)).collect(), next_page_token })
}
