//! An alert as its readers see it: reviewed texts only, and none once it is withdrawn or its consent has expired.

use serde_json::{Value, json};
use tocsin_domain::codes::Translation;
use tocsin_platform::clock::from_ms;
use tocsin_proto::convert::{from_timestamp, timestamp};
use tocsin_proto::dispatch::v1::Alert;
use tocsin_proto::event::v1::AlertContent;

use crate::entity::alert;
use crate::store::alerts::is_over;

/// What a reader with access to the content sees now.
pub(crate) fn full(row: &alert::Model, content: &AlertContent, now_ms: i64) -> Alert {
    let mut alert = outline(row);
    alert.reference.clone_from(&content.reference);
    alert.track.clone_from(&content.track);
    if is_over(row, now_ms) {
        return alert;
    }
    alert.asks.clone_from(&content.asks);
    alert.demands.clone_from(&content.demands);
    alert.addressees.clone_from(&content.addressees);
    alert.source_language.clone_from(&content.source_language);
    let reviewed = content.texts.iter().filter(|text| text.translation == Translation::Reviewed.as_str());
    alert.texts = reviewed.cloned().collect();
    alert
}

/// What one sees who may not read content: ids, codes and times.
pub(crate) fn outline(row: &alert::Model) -> Alert {
    Alert {
        alert_id: row.alert_id.to_string(),
        revision: u32::try_from(row.content_revision.max(0)).unwrap_or(u32::MAX),
        short_code: row.short_code.clone(),
        tlp: row.tlp.clone(),
        priority: row.priority.clone(),
        released_at: Some(timestamp(from_ms(row.released_at_ms))),
        deadline: Some(timestamp(from_ms(row.deadline_at_ms))),
        drill: row.drill,
        state: row.state.clone(),
        withdrawn_reason: row.withdrawn_reason.clone(),
        ..Alert::default()
    }
}

/// The JSON form, with the names of the proto.
pub(crate) fn json(alert: &Alert) -> Value {
    let moment = |at: Option<&prost_types::Timestamp>| {
        from_timestamp(at).map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    };
    let addressees = alert
        .addressees
        .iter()
        .map(|addressee| json!({ "kind": addressee.kind, "name": addressee.name, "reply_days": addressee.reply_days }));
    let texts = alert.texts.iter().map(|text| {
        json!({
            "language": text.language,
            "headline": text.headline,
            "body": text.body,
            "translation": text.translation,
        })
    });
    json!({
        "alert_id": alert.alert_id,
        "reference": alert.reference,
        "revision": alert.revision,
        "short_code": alert.short_code,
        "track": alert.track,
        "tlp": alert.tlp,
        "priority": alert.priority,
        "asks": alert.asks,
        "demands": alert.demands,
        "addressees": addressees.collect::<Vec<_>>(),
        "texts": texts.collect::<Vec<_>>(),
        "source_language": alert.source_language,
        "released_at": moment(alert.released_at.as_ref()),
        "deadline": moment(alert.deadline.as_ref()),
        "drill": alert.drill,
        "state": alert.state,
        "withdrawn_reason": alert.withdrawn_reason,
    })
}
