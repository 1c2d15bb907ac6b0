//! `ListCases`: the newest first, without anything that was typed.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::case::CaseState;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::triage::v1 as wire;
use tonic::Request;
use uuid::Uuid;

use super::{onlookers, summary};
use crate::desk::Desk;
use crate::entity::case::file;
use crate::error::TriageError;
use crate::store::cases::OpenCase;
use crate::store::escalations;

/// Lists cases. A page token is the last case of the page before.
pub(super) async fn list_cases(
    desk: &Desk,
    request: Request<wire::ListCasesRequest>,
) -> Result<wire::ListCasesResponse, TriageError> {
    desk.credentials.require(request.metadata(), &onlookers()).await?;
    let request = request.into_inner();
    let size = page_size(request.page_size);
    let mut query = file::Entity::find().order_by_desc(file::Column::CaseId).limit(u64::from(size) + 1);
    if let Some(before) = page_token::<Uuid>(&request.page_token)? {
        query = query.filter(file::Column::CaseId.lt(before));
    }
    if request.state == summary::STOPPED {
        query = query.filter(file::Column::StoppedAtMs.is_not_null());
    } else if !request.state.is_empty() {
        let state: CaseState = request.state.parse().map_err(|error| state_unknown(&error))?;
        query = query.filter(file::Column::State.eq(state.as_str())).filter(file::Column::StoppedAtMs.is_null());
    }
    let mut rows = query.all(desk.database.reader()).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| row.case_id.to_string()).unwrap_or_default();
    Ok(wire::ListCasesResponse { cases: summaries(desk, rows).await?, next_page_token })
}

async fn summaries(desk: &Desk, rows: Vec<file::Model>) -> Result<Vec<wire::CaseSummary>, TriageError> {
    let mut keys = desk.vault.data_keys(rows.iter().map(|row| row.report_id).collect()).await?;
    let due = escalations::next_due(desk.database.reader(), rows.iter().map(|row| row.case_id).collect()).await?;
    let mut cases = Vec::with_capacity(rows.len());
    for row in rows {
        // A case whose key was destroyed has nothing left to show.
        if let Some(key) = keys.remove(&row.report_id) {
            let case = OpenCase::open(row, key)?;
            cases.push(summary::with(&case, due.get(&case.id()).copied()));
        }
    }
    Ok(cases)
}

fn state_unknown(error: &tocsin_domain::codes::UnknownCode) -> Failure {
    Failure::invalid("STATE_UNKNOWN", "the state is not known; correct it or leave it empty")
        .field("state", format!("{error}, or stopped"))
}
