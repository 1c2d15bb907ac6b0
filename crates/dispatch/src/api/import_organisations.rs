//! `ImportOrganisations`: creates or replaces organisations as a set; the same import twice changes nothing.

use std::collections::{HashMap, HashSet};

use tocsin_domain::id::{ContactId, OrganisationId};
use tocsin_domain::role::Role;
use tocsin_platform::failure::{Failure, FieldViolation};
use tocsin_proto::dispatch::v1::{ImportOrganisationsRequest, ImportOrganisationsResponse};
use tonic::{Request, Status};

use crate::dispatch::Dispatch;
use crate::entity::organisation;
use crate::error::DispatchError;
use crate::network::Network;
use crate::register::Entry;
use crate::store;

/// More would hold the writer for too long; a larger network is imported in parts.
const ORGANISATIONS_MAX: usize = 5_000;
/// More faults than this help nobody.
const FAULTS_MAX: usize = 100;

pub(super) async fn handle(
    dispatch: &Dispatch,
    request: Request<ImportOrganisationsRequest>,
) -> Result<ImportOrganisationsResponse, Status> {
    dispatch.credentials.require(request.metadata(), &[Role::Administrator]).await?;
    let entries = decode(&request.into_inner())?;
    let transaction = dispatch.database.begin().await.map_err(Failure::from)?;
    // Counting the version first makes imports wait for each other, so that none decides on a register that changes.
    let feed = store::feed::next_network_version(&transaction).await.map_err(Failure::from)?;
    let network = dispatch.networks.at(&transaction, feed.network_version - 1).await.map_err(Failure::from)?;
    check_contacts(&entries, &network)?;
    let ids: Vec<&str> = entries.iter().map(|entry| entry.organisation.id.as_str()).collect();
    let known = store::organisations::with_ids(&transaction, &ids).await.map_err(Failure::from)?;
    let plan = plan(&entries, &known)?;
    if plan.rows.is_empty() {
        transaction.rollback().await.map_err(Failure::from)?;
        return Ok(plan.answer);
    }
    store::organisations::put(&transaction, plan.rows).await.map_err(Failure::from)?;
    tocsin_platform::database::commit(transaction, "dispatch.import_organisations").await.map_err(Failure::from)?;
    // Read it now, so that the next release need not.
    dispatch.networks.current(dispatch.database.reader()).await.map_err(Failure::from)?;
    Ok(plan.answer)
}

fn decode(request: &ImportOrganisationsRequest) -> Result<Vec<Entry>, Failure> {
    if request.organisations.len() > ORGANISATIONS_MAX {
        return Err(Failure::invalid("TOO_MANY", "too many organisations: import them in parts")
            .field("organisations", format!("at most {ORGANISATIONS_MAX} in one request")));
    }
    let mut entries = Vec::with_capacity(request.organisations.len());
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for (index, given) in request.organisations.iter().enumerate() {
        match Entry::decode(given, &format!("organisations[{index}].")) {
            Ok(entry) => entries.push(entry),
            Err(found) => faults.extend(found),
        }
        if !seen.insert(given.organisation_id.as_str()) {
            faults.push(FieldViolation {
                field: format!("organisations[{index}].organisation_id"),
                description: "this organisation stands twice in the request".to_owned(),
            });
        }
    }
    refuse(faults)?;
    Ok(entries)
}

fn refuse(mut faults: Vec<FieldViolation>) -> Result<(), Failure> {
    if faults.is_empty() {
        return Ok(());
    }
    let found = faults.len();
    faults.truncate(FAULTS_MAX);
    let message = format!("{found} fields are wrong; nothing was imported");
    Err(Failure::invalid("ORGANISATIONS_INVALID", message).fields(faults))
}

/// A contact belongs to one organisation, after this import as well.
fn check_contacts(entries: &[Entry], network: &Network) -> Result<(), Failure> {
    let replaced: HashSet<&OrganisationId> = entries.iter().map(|entry| &entry.organisation.id).collect();
    let mut owners: HashMap<&ContactId, &OrganisationId> = HashMap::new();
    let mut faults = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        for (place, contact) in entry.contacts.iter().enumerate() {
            let kept = network.owner(contact).filter(|owner| !replaced.contains(owner));
            if owners.insert(contact, &entry.organisation.id).or(kept).is_some() {
                faults.push(FieldViolation {
                    field: format!("organisations[{index}].contact_ids[{place}]"),
                    description: "this contact belongs to another organisation".to_owned(),
                });
            }
        }
    }
    refuse(faults)
}

struct Plan {
    rows: Vec<organisation::Model>,
    answer: ImportOrganisationsResponse,
}

fn plan(entries: &[Entry], known: &[organisation::Model]) -> Result<Plan, Failure> {
    let known: HashMap<&str, &organisation::Model> =
        known.iter().map(|row| (row.organisation_id.as_str(), row)).collect();
    let mut plan = Plan { rows: Vec::new(), answer: ImportOrganisationsResponse::default() };
    for entry in entries {
        let row = entry.to_row().map_err(DispatchError::from)?;
        match known.get(row.organisation_id.as_str()) {
            Some(same) if **same == row => plan.answer.unchanged += 1,
            Some(_) => {
                plan.answer.changed += 1;
                plan.rows.push(row);
            }
            None => {
                plan.answer.created += 1;
                plan.rows.push(row);
            }
        }
    }
    Ok(plan)
}
