//! `PreviewAudience`: whom an alert would reach, by the same rules as a release.

use tocsin_domain::audience::AudienceQuestion;
use tocsin_domain::codes::DefenderGroup;
use tocsin_domain::id::OrganisationId;
use tocsin_domain::role::Role;
use tocsin_platform::failure::{Failure, FieldViolation};
use tocsin_proto::dispatch::v1::{PreviewAudienceRequest, PreviewAudienceResponse};
use tonic::{Request, Status};

use crate::dispatch::Dispatch;

const NAMED_MAX: usize = 1_000;
const GROUPS_MAX: usize = 100;

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<PreviewAudienceRequest>,
) -> Result<PreviewAudienceResponse, Status> {
    dispatch.credentials.require(request.metadata(), &[Role::Coordinator, Role::Approver]).await?;
    let request = request.into_inner();
    let mut faults = Vec::new();
    let groups: Vec<DefenderGroup> = parse_all("groups", &request.groups, GROUPS_MAX, &mut faults);
    let named: Vec<OrganisationId> = parse_all("named_partners", &request.named_partners, NAMED_MAX, &mut faults);
    let track = parse("track", &request.track, &mut faults);
    let tlp = parse("tlp", &request.tlp, &mut faults);
    let priority = parse("priority", &request.priority, &mut faults);
    let country = parse("country", &request.country, &mut faults);
    let (true, Some(track), Some(tlp), Some(priority), Some(country)) =
        (faults.is_empty(), track, tlp, priority, country)
    else {
        let failure = Failure::invalid("AUDIENCE_INVALID", "the question cannot be read");
        return Err(failure.fields(faults).into());
    };
    let question = AudienceQuestion { track, tlp, priority, country, groups: &groups, named: &named };
    let network = dispatch.networks.current(dispatch.database.reader()).await.map_err(Failure::from)?;
    let audience = network.choose(&question);
    let contacts = audience.chosen.iter().filter_map(|id| network.entry(id)).flat_map(|entry| &entry.contacts);
    let contact_ids: Vec<String> = contacts.map(ToString::to_string).collect();
    Ok(PreviewAudienceResponse {
        organisation_ids: audience.chosen.iter().map(ToString::to_string).collect(),
        without_clearance: audience.without_clearance.iter().map(ToString::to_string).collect(),
        contacts: u32::try_from(contact_ids.len()).unwrap_or(u32::MAX),
        contact_ids,
    })
}

fn parse<T>(field: &str, given: &str, faults: &mut Vec<FieldViolation>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let note = |error: T::Err| {
        faults.push(FieldViolation { field: field.to_owned(), description: error.to_string() });
    };
    given.parse().map_err(note).ok()
}

fn parse_all<T>(field: &str, given: &[String], most: usize, faults: &mut Vec<FieldViolation>) -> Vec<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    if given.len() > most {
        let description = format!("at most {most} entries are allowed");
        faults.push(FieldViolation { field: field.to_owned(), description });
        return Vec::new();
    }
    let places = given.iter().enumerate();
    places.filter_map(|(index, text)| parse(&format!("{field}[{index}]"), text, faults)).collect()
}
