//! What a release that the gate lets through writes: the alert, its reference and short code, and the event whose content
//! only dispatch can open.

use chrono::{DateTime, Utc};
use prost::Message;
use sea_orm::DatabaseTransaction;
use tocsin_domain::alert::deadline;
use tocsin_domain::audience::Audience;
use tocsin_domain::case::{CaseAction, TrackAction};
use tocsin_domain::id::AlertId;
use tocsin_domain::reference::Reference;
use tocsin_domain::release::ReleasePlan;
use tocsin_platform::clock::to_ms;
use tocsin_platform::credentials::Principal;
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{self, PublicSealingKey};
use tocsin_proto::catalogue::ALERT_RELEASED;
use tocsin_proto::common::v1::Person;
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{AlertContent, AlertReleased, ConsentReliedOn};
use tocsin_proto::triage::v1 as wire;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::answers::{self, lane_of};
use crate::decode;
use crate::desk::Desk;
use crate::entity::alert::released;
use crate::error::TriageError;
use crate::gate::Gate;
use crate::sealed;
use crate::store::{alerts, trail};
use crate::withdrawal::released_version;

/// The decision that is being carried out.
pub(crate) struct Releasing<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) audience: &'a Audience,
    pub(crate) plan: &'a ReleasePlan,
    pub(crate) now: DateTime<Utc>,
}

/// What a release answers and says.
pub(crate) struct Released {
    pub(crate) response: wire::ReleaseAlertResponse,
    pub(crate) events: Vec<OutgoingEvent>,
}

/// Writes a release into the transaction. The events must be recorded in it too.
pub(crate) async fn release(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    gate: &mut Gate,
    releasing: &Releasing<'_>,
    dispatch_key: &PublicSealingKey,
) -> Result<Released, TriageError> {
    let now = releasing.now;
    let before = answers::state_for_reporter(&gate.case)?;
    gate.draft.act(TrackAction::Release)?;
    gate.case.act(CaseAction::Release)?;
    gate.case.take(&releasing.principal.actor, &releasing.principal.name);

    let reference = reference_of(desk, transaction, gate, now).await?;
    let alert = alert_row(desk, transaction, gate, &reference, now).await?;
    let relied = consents_relied_on(gate, releasing.plan)?;
    let consents = relied.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    alerts::add(transaction, alert.clone(), &consents).await?;
    gate.draft.save(transaction).await?;

    let content = content(gate, releasing, &reference);
    let consents = relied.into_iter().map(|(_, consent)| consent).collect();
    let mut events = vec![event(gate, &alert, consents, &content, dispatch_key, now)?];
    if answers::state_for_reporter(&gate.case)? != before {
        events.push(answers::tell(transaction, &mut gate.case, None, now).await?.1);
    }
    let detail = format!(
        "alert {}, version {}, {} organisations, approved by {}",
        alert.alert_id,
        gate.draft.version(),
        releasing.audience.chosen.len(),
        releasing.plan.approvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    );
    trail::write(transaction, &gate.case, releasing.principal.actor.as_str(), "released", &detail, to_ms(now)).await?;
    gate.case.save(transaction).await?;
    let response = wire::ReleaseAlertResponse {
        released: true,
        refusals: Vec::new(),
        alert_id: alert.alert_id.to_string(),
        reference: reference.to_string(),
        short_code: alert.short_code.clone(),
        released_at: Some(timestamp(now)),
        deadline: Some(timestamp(tocsin_platform::clock::from_ms(alert.deadline_at_ms))),
    };
    Ok(Released { response, events })
}

/// The case's own reference for its first alert; an alert of another track, or after a recall, gets the next one.
async fn reference_of(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    gate: &Gate,
    now: DateTime<Utc>,
) -> Result<Reference, TriageError> {
    if alerts::of_case(transaction, gate.case.id()).await?.is_empty() {
        return gate.case.facts.reference.parse().map_err(|_| TriageError::Foreign("the reference of a case"));
    }
    alerts::next_reference(transaction, &desk.vault, gate.report.country, now).await
}

async fn alert_row(
    desk: &Desk,
    transaction: &DatabaseTransaction,
    gate: &Gate,
    reference: &Reference,
    now: DateTime<Utc>,
) -> Result<released::Model, TriageError> {
    let case = &gate.case;
    let alert_id = AlertId::new(now).as_uuid();
    let priority = gate.priority()?;
    let date = gate.report.adversary_date.as_ref().map(|date| date.at);
    let deadline = deadline(now, gate.alert.sign_on_hours, date, priority, &desk.config.deadlines);
    let place = alerts::reference_place(case.id(), alert_id);
    Ok(released::Model {
        alert_id,
        case_id: case.id(),
        revision: 0,
        draft_version: gate.draft.row.version,
        short_code: alerts::free_short_code(transaction).await?.to_string(),
        state: alerts::RELEASED.to_owned(),
        priority: priority.to_string(),
        drill: gate.alert.drill,
        released_at_ms: to_ms(now),
        deadline_at_ms: to_ms(deadline),
        reference_hash: alerts::reference_hash(&desk.vault, reference),
        sealed: sealed::close_text(&case.key, &place, &reference.to_string())?,
    })
}

/// The records that the plan relies on, found by their version, which counts the records of the case.
fn consents_relied_on(gate: &Gate, plan: &ReleasePlan) -> Result<Vec<(Uuid, ConsentReliedOn)>, TriageError> {
    plan.consents
        .iter()
        .map(|relied| {
            let stored = gate.consents.iter().find(|consent| consent.version == relied.version);
            let foreign = TriageError::Foreign("the version of a consent record");
            let Some(stored) = stored else { return Err(foreign) };
            let Ok(id) = Uuid::try_parse(&stored.consent_id) else { return Err(foreign) };
            let consent = ConsentReliedOn {
                consent_id: stored.consent_id.clone(),
                version: relied.version,
                expires_at: relied.expires_at.map(timestamp),
            };
            Ok((id, consent))
        })
        .collect()
}

fn content(gate: &Gate, releasing: &Releasing<'_>, reference: &Reference) -> AlertContent {
    let alert = &gate.alert;
    AlertContent {
        reference: reference.to_string(),
        track: alert.track.to_string(),
        country: gate.report.country.to_string(),
        groups: gate.report.groups.iter().map(ToString::to_string).collect(),
        asks: alert.asks.iter().map(ToString::to_string).collect(),
        demands: alert.demands.iter().map(ToString::to_string).collect(),
        addressees: decode::draft::addressees_to_wire(alert),
        named_partners: alert.named_partners.iter().map(ToString::to_string).collect(),
        source_language: alert.source_language.to_string(),
        texts: decode::draft::texts_to_wire(alert, |language| releasing.plan.languages.contains(language)),
        organisation_ids: releasing.audience.chosen.iter().map(ToString::to_string).collect(),
    }
}

fn event(
    gate: &Gate,
    alert: &released::Model,
    consents: Vec<ConsentReliedOn>,
    content: &AlertContent,
    dispatch_key: &PublicSealingKey,
    now: DateTime<Utc>,
) -> Result<OutgoingEvent, TriageError> {
    let revision = u32::try_from(alert.revision).unwrap_or(0);
    let place = format!("alert:{}:{revision}", alert.alert_id);
    let sealed = seal::seal(dispatch_key, &place, &Zeroizing::new(content.encode_to_vec()))?;
    let message = AlertReleased {
        alert_id: alert.alert_id.to_string(),
        revision,
        short_code: alert.short_code.clone(),
        priority: alert.priority.clone(),
        tlp: gate.alert.tlp.to_string(),
        released_at: Some(timestamp(now)),
        deadline: Some(timestamp(tocsin_platform::clock::from_ms(alert.deadline_at_ms))),
        drill: alert.drill,
        consents,
        coordinator: Some(Person {
            actor_id: gate.case.row.coordinator.clone().unwrap_or_default(),
            name: gate.case.facts.coordinator_name.clone(),
        }),
        content: Some(sealed.into()),
    };
    let lane = lane_of(gate.priority()?);
    let version = released_version(alert.revision);
    Ok(OutgoingEvent::new(&ALERT_RELEASED, lane, message.alert_id.clone(), version, &message, now))
}
