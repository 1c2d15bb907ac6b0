//! Submit: decode, seal in memory, make it durable, and only then answer with the receipt.

use prost::Message;
use tocsin_domain::id::ReportId;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::{Failure, FieldViolation};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{self, Receipt};
use tocsin_proto::catalogue::{Lane, REPORT_RECEIVED};
use tocsin_proto::convert::{report_from_wire, timestamp};
use tocsin_proto::event::v1::ReportReceived;
use tocsin_proto::intake::v1::{Report, SubmitReportResponse};
use zeroize::Zeroizing;

use crate::accept::Write;
use crate::entity::report;
use crate::error::{sealing_failed, too_much_text, wrong_fields};
use crate::idempotency::{IdempotencyKey, Use};
use crate::intake::Intake;

/// The state of a report about which triage has not said anything yet.
const RECEIVED: &str = "received";

/// Accepts a report. `shape` holds the faults that the door found already; `prefix` stands before paths of fields.
pub(super) async fn submit(
    intake: &Intake,
    report: &Report,
    key: &IdempotencyKey,
    shape: Vec<FieldViolation>,
    prefix: &str,
) -> Result<SubmitReportResponse, Failure> {
    check(intake, report, shape, prefix)?;
    let content = Zeroizing::new(report.encode_to_vec());
    let slot = key.slot(&Use::SubmitReport, &content).map_err(|error| sealing_failed(&error))?;
    let _turn = intake.in_progress.enter(&slot)?;
    let triage_key = intake.triage_key.current().await?;

    let now = intake.clock.now();
    let report_id = ReportId::new(now);
    let failed = |error| sealing_failed(&error);
    let receipt = Receipt::generate().map_err(failed)?;
    let receipt_key = receipt.key_pair().map_err(failed)?.public().clone();
    let sealed = seal::seal(&triage_key, &format!("report:{report_id}"), &content).map_err(failed)?;

    let row = report::Model {
        report_id: report_id.as_uuid(),
        receipt_hash: receipt.hash().to_vec(),
        receipt_public_key: receipt_key.bytes.clone(),
        sealed: sealed.to_bytes(),
        received_at_ms: to_ms(now),
        state: RECEIVED.to_owned(),
        state_version: 0,
        message_count: 0,
    };
    let said = ReportReceived {
        report_id: report_id.to_string(),
        received_at: Some(timestamp(now)),
        content: Some(sealed.into()),
        receipt_key: Some((&receipt_key).into()),
    };
    // Until somebody has assessed it, a report runs in the urgent lane.
    let event = OutgoingEvent::new(&REPORT_RECEIVED, Lane::Urgent, report_id.to_string(), 1, &said, now);
    let answer = SubmitReportResponse {
        report_id: report_id.to_string(),
        receipt: receipt.phrase().to_string(),
        received_at: Some(timestamp(now)),
    };
    intake.accept(&slot, answer, Write::Report(row), event, now).await
}

/// Names every wrong field at once; one that the door could not even read is named once.
fn check(intake: &Intake, report: &Report, shape: Vec<FieldViolation>, prefix: &str) -> Result<(), Failure> {
    let text_bytes = text_bytes(report);
    if text_bytes > intake.config.text_bytes_max {
        return Err(too_much_text(text_bytes, intake.config.text_bytes_max));
    }
    let meaning = report_from_wire(report).err().unwrap_or_default();
    let unread: Vec<FieldViolation> = meaning
        .into_iter()
        .filter(|violation| !shape.iter().any(|known| concerns(&known.field, &violation.field)))
        .map(|violation| FieldViolation { field: violation.field, description: violation.description })
        .collect();
    if shape.is_empty() && unread.is_empty() {
        return Ok(());
    }
    Err(wrong_fields("REPORT_INVALID", prefix, shape.into_iter().chain(unread)))
}

/// Whether a fault found at `known` explains one at `field`: the same place, or one of the two inside the other.
fn concerns(known: &str, field: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    known == "body" || inside(known, field) || (!field.is_empty() && known.starts_with(&format!("{field}[")))
}

/// All text of a report, in bytes of UTF-8.
fn text_bytes(report: &Report) -> usize {
    let lists = [&report.kinds, &report.groups, &report.support_asked];
    let lines = [&report.submitted_at, &report.country, &report.place_type, &report.phase, &report.narrative];
    let reporter = report.reporter.iter().flat_map(|it| [&it.relation, &it.organisation_id, &it.language]);
    let subject = report.subject.iter().map(|it| &it.unit);
    let actors = report.actors.iter().flat_map(|it| [&it.code, &it.degree]);
    let date = report.adversary_date.iter().flat_map(|it| [&it.kind, &it.at]);
    let contact = report.safe_contact.iter().flat_map(|it| {
        let texts = [
            &it.hours,
            &it.time_zone,
            &it.language,
            &it.cover_text,
            &it.code_word_safe,
            &it.code_word_duress,
            &it.shared_with,
            &it.proxy,
            &it.expires_at,
            &it.address,
        ];
        texts.into_iter().chain(&it.allowed).chain(&it.forbidden)
    });
    let texts = lists.into_iter().flatten().chain(lines).chain(reporter).chain(subject).chain(actors);
    texts.chain(date).chain(contact).map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::concerns;

    #[test]
    fn one_fault_is_not_told_twice() {
        assert!(concerns("kinds", "kinds"));
        assert!(concerns("kinds[1]", "kinds[1]"));
        assert!(concerns("kinds[1]", "kinds"));
        assert!(concerns("safe_contact", "safe_contact.hours"));
        assert!(concerns("body", "narrative"));
        assert!(!concerns("kinds[1]", "kinds[11]"));
        assert!(!concerns("kinds", "kinds_of"));
        assert!(!concerns("safe_contact.hours", "safe_contact.time_zone"));
    }
}
