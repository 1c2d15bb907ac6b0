//! `RespondToAlert`: records the answer of the caller's organisation.

use tocsin_domain::role::Role;
use tocsin_platform::credentials::Principal;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::dispatch::v1::{RespondToAlertRequest, RespondToAlertResponse};
use tonic::{Request, Status};

use crate::dispatch::{Dispatch, MEMBERS, organisation_of};
use crate::respond::respond;
use crate::response::Response;

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<RespondToAlertRequest>,
) -> Result<RespondToAlertResponse, Status> {
    let principal = dispatch.credentials.require(request.metadata(), &MEMBERS).await?;
    let organisation = organisation_of(&principal)?;
    let request = request.into_inner();
    let name = dispatch.alert_name(&request.alert)?;
    let given: Response = request.response.parse().map_err(|error: crate::response::UnknownResponse| {
        Failure::invalid("RESPONSE_UNKNOWN", "this answer is not known").field("response", error.to_string())
    })?;
    check_role(&principal, given)?;
    let recorded = respond(dispatch, &name, &organisation, given).await?;
    Ok(RespondToAlertResponse {
        organisation_id: organisation.to_string(),
        response: recorded.response.to_string(),
        at: Some(timestamp(recorded.at)),
    })
}

/// A delegate signs for a member, a partner's desk answers referrals; both acknowledge and decline.
fn check_role(principal: &Principal, given: Response) -> Result<(), Failure> {
    let needed = match given {
        Response::Signed => Role::SignatoryDelegate,
        Response::ReferralAccepted | Response::ReferralDeclined => Role::PartnerDesk,
        Response::Acknowledged | Response::Declined => return Ok(()),
    };
    if principal.has_any(&[needed]) {
        return Ok(());
    }
    Err(Failure::forbidden("ROLE_NEEDED", format!("the answer {given} needs the role {needed}")))
}
