//! `GetCoverage`: who has been reached, who answered, what is still undone.

use std::collections::HashMap;

use tocsin_domain::role::Role;
use tocsin_platform::credentials::Principal;
use tocsin_platform::failure::Failure;
use tocsin_proto::dispatch::v1::{
    ChannelCoverage, GetCoverageRequest, GetCoverageResponse, NoticeProgress, OrganisationCoverage,
};
use tonic::{Request, Status};

use crate::coverage::{Counts, OrganisationStand, count, stand_of};
use crate::dispatch::{Dispatch, STAFF, moment};
use crate::entity::{alert, notice_progress, recipient};
use crate::error::DispatchError;
use crate::network::Network;
use crate::store;
use crate::view;

const ROLES: [Role; 5] = [Role::Coordinator, Role::Approver, Role::DutyOfficer, Role::Operator, Role::Auditor];
/// Those who may know who the recipients are; an operator sees numbers only.
const KNOW_RECIPIENTS: [Role; 4] = [Role::Coordinator, Role::Approver, Role::DutyOfficer, Role::Auditor];

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<GetCoverageRequest>,
) -> Result<GetCoverageResponse, Status> {
    let principal = dispatch.credentials.require(request.metadata(), &ROLES).await?;
    let request = request.into_inner();
    let name = dispatch.alert_name(&request.alert)?;
    let reader = dispatch.database.reader();
    let row = store::alerts::find_named(reader, &name, None).await.map_err(Failure::from)?;
    let row = row.ok_or(DispatchError::NoAlert)?;
    let recipients = store::recipients::of_alerts(reader, &[row.alert_id]).await.map_err(Failure::from)?;
    let notices = store::progress::of_alert(reader, row.alert_id).await.map_err(Failure::from)?;
    let network = dispatch.networks.current(reader).await.map_err(Failure::from)?;
    let shown = seen_by(dispatch, &principal, &row).await?;
    let mut answer = answer(count(&notices), shown, &recipients);
    if principal.has_any(&KNOW_RECIPIENTS) {
        answer.organisations = organisations(&recipients, &notices, &network);
        if request.notices {
            answer.notices = notices.into_iter().map(notice).collect();
        }
    }
    Ok(answer)
}

/// Only staff who work with the texts see them.
async fn seen_by(
    dispatch: &Dispatch,
    principal: &Principal,
    row: &alert::Model,
) -> Result<tocsin_proto::dispatch::v1::Alert, DispatchError> {
    if !principal.has_any(&STAFF) {
        return Ok(view::outline(row));
    }
    let content = dispatch.contents.of(row)?.ok_or(DispatchError::NoAlert)?;
    Ok(view::full(row, &content, dispatch.agreed_now_ms().await?))
}

fn answer(
    counts: Counts,
    alert: tocsin_proto::dispatch::v1::Alert,
    recipients: &[recipient::Model],
) -> GetCoverageResponse {
    let channels = counts.by_state_of_channel.into_iter();
    GetCoverageResponse {
        alert: Some(alert),
        contacts: recipients.iter().map(|recipient| u32::try_from(recipient.contacts).unwrap_or(0)).sum(),
        notices_total: counts.notices,
        by_channel: counts.by_channel.into_iter().collect(),
        by_state: counts.by_state.into_iter().collect(),
        languages: counts.contacts_by_language.into_iter().collect(),
        channels: channels
            .map(|(channel, by_state)| ChannelCoverage { channel, by_state: by_state.into_iter().collect() })
            .collect(),
        contacts_planned: counts.contacts,
        ..GetCoverageResponse::default()
    }
}

fn organisations(
    recipients: &[recipient::Model],
    notices: &[notice_progress::Model],
    network: &Network,
) -> Vec<OrganisationCoverage> {
    let mut by_organisation: HashMap<&str, Vec<&notice_progress::Model>> = HashMap::new();
    for notice in notices {
        by_organisation.entry(notice.organisation_id.as_str()).or_default().push(notice);
    }
    let of_one = |recipient: &recipient::Model| {
        let notices = by_organisation.remove(recipient.organisation_id.as_str()).unwrap_or_default();
        let OrganisationStand { state, handed_to } = stand_of(recipient, &notices);
        let id = recipient.organisation_id.parse().ok();
        let entry = id.as_ref().and_then(|id| network.entry(id));
        OrganisationCoverage {
            organisation_id: recipient.organisation_id.clone(),
            name: entry.map(|entry| entry.name.clone()).unwrap_or_default(),
            contacts: u32::try_from(recipient.contacts).unwrap_or(0),
            state: state.to_string(),
            response: recipient.response.clone(),
            responded_at: recipient.responded_at_ms.map(moment),
            handed_to,
        }
    };
    recipients.iter().map(of_one).collect()
}

fn notice(row: notice_progress::Model) -> NoticeProgress {
    NoticeProgress {
        notice_id: row.notice_id.to_string(),
        contact_id: row.contact_id,
        organisation_id: row.organisation_id,
        channel: row.channel,
        state: row.state,
        language: row.language,
        reason: row.reason,
        at: Some(moment(row.at_ms)),
        handed_to: row.handed_to,
        due_at: row.due_at_ms.map(moment),
        version: u32::try_from(row.version).unwrap_or(u32::MAX),
    }
}
