//! `PreviewRelease`: the same decision without effect, and what one recipient of each channel and language would read.

use tocsin_domain::alert::deadline;
use tocsin_domain::role::Action;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::PreviewNoticesRequest;
use tocsin_proto::triage::v1 as wire;
use tonic::Request;

use crate::decode;
use crate::desk::Desk;
use crate::error::TriageError;
use crate::gate::Gate;
use crate::peers;
use crate::store::trail;

/// Previews a release.
pub(super) async fn preview_release(
    desk: &Desk,
    request: Request<wire::PreviewReleaseRequest>,
) -> Result<wire::PreviewReleaseResponse, TriageError> {
    let principal = desk.credentials.require_action(request.metadata(), Action::PreviewRelease).await?;
    let (caller, _, request) = request.into_parts();
    let name = decode::case_name(&request.case)?;
    let gate = Gate::read(desk.database.reader(), &desk.vault, name).await?;
    let answer = desk.peers.audience(&caller, gate.audience_question()).await?;
    let audience = peers::audience(&answer)?;
    let question = notices_question(desk, &gate, answer.contact_ids)?;
    let notices = desk.peers.notices(&caller, question).await?;
    let now = desk.clock.now();
    let refusals = gate.decide(&audience, now).err().unwrap_or_default();

    let transaction = desk.database.begin().await?;
    let actor = principal.actor.as_str();
    trail::write(&transaction, &gate.case, actor, "release_previewed", "", now.timestamp_millis()).await?;
    tocsin_platform::database::commit(transaction, "triage.preview_release").await?;
    Ok(wire::PreviewReleaseResponse {
        refusals: refusals.iter().map(ToString::to_string).collect(),
        organisation_ids: answer.organisation_ids,
        contacts: answer.contacts,
        notices: notices
            .previews
            .into_iter()
            .map(|preview| wire::PreviewedNotice {
                channel: preview.channel,
                language: preview.language,
                subject: preview.subject,
                text: preview.text,
            })
            .collect(),
    })
}

/// Text goes along only where the label allows it in notices; above GREEN notification never holds any.
fn notices_question(desk: &Desk, gate: &Gate, contact_ids: Vec<String>) -> Result<PreviewNoticesRequest, TriageError> {
    let alert = &gate.alert;
    let priority = gate.priority()?;
    let date = gate.report.adversary_date.as_ref().map(|date| date.at);
    let deadline = deadline(desk.clock.now(), alert.sign_on_hours, date, priority, &desk.config.deadlines);
    let reviewed = alert.reviewed_languages();
    let texts = if alert.tlp.allows_text() {
        decode::draft::texts_to_wire(alert, |language| reviewed.contains(language))
    } else {
        Vec::new()
    };
    Ok(PreviewNoticesRequest {
        contact_ids,
        tlp: alert.tlp.to_string(),
        priority: priority.to_string(),
        deadline: Some(timestamp(deadline)),
        source_language: alert.source_language.to_string(),
        texts,
        drill: false,
    })
}
