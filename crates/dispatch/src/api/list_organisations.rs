//! `ListOrganisations`: the register, page by page, in the order of ids.

use tocsin_domain::id::OrganisationId;
use tocsin_domain::role::Role;
use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::{ListOrganisationsRequest, ListOrganisationsResponse};
use tonic::{Request, Status};

use super::page;
use crate::dispatch::Dispatch;
use crate::register::Entry;

const ROLES: [Role; 5] = [Role::Administrator, Role::Coordinator, Role::DutyOfficer, Role::Approver, Role::Auditor];

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<ListOrganisationsRequest>,
) -> Result<ListOrganisationsResponse, Status> {
    dispatch.credentials.require(request.metadata(), &ROLES).await?;
    let request = request.into_inner();
    let after: Option<OrganisationId> = page::token(&request.page_token)?;
    let size = page::size(request.page_size);
    let network = dispatch.networks.current(dispatch.database.reader()).await.map_err(Failure::from)?;
    let entries = network.entries();
    let start = after.map_or(0, |after| entries.partition_point(|entry| entry.organisation.id <= after));
    let page: Vec<_> = entries.iter().skip(start).take(size).collect();
    let more = start + page.len() < entries.len();
    let last = page.last().filter(|_| more);
    Ok(ListOrganisationsResponse {
        next_page_token: last.map(|entry| entry.organisation.id.to_string()).unwrap_or_default(),
        organisations: page.into_iter().map(Entry::to_wire).collect(),
    })
}
