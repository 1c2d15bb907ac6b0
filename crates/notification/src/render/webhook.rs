//! The JSON of a webhook. What is the same for everybody is built once for each language; each notice adds its own id
//! and link.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::probe::Probe;
use super::{BulletinKind, Facts, Reading};

/// The most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 20 * 1024;
/// Room for what each notice adds.
const OWN_BYTES: usize = 1024;

/// What all notices of a bulletin in one language share, as the inside of a JSON object.
#[derive(Debug, Clone)]
pub(crate) struct SharedBody {
    kind: &'static str,
    members: String,
}

/// Builds the shared part. The text is left out above GREEN, whatever the caller gives, and shortened where the body
/// would grow over its limit; `truncated` says so.
pub(crate) fn shared(facts: &Facts, alert_id: &str, revision: i32, text: Option<Reading<'_>>) -> SharedBody {
    let text = text.filter(|_| facts.tlp.allows_text() && facts.kind == BulletinKind::Alert);
    let mut members = Map::new();
    if facts.kind == BulletinKind::Alert {
        members.insert("alert_id".to_owned(), json!(alert_id));
        members.insert("revision".to_owned(), json!(revision));
    }
    if matches!(facts.kind, BulletinKind::Alert | BulletinKind::Handover) {
        members.insert("short_code".to_owned(), json!(facts.short_code));
    }
    members.insert("priority".to_owned(), json!(facts.priority.as_str()));
    members.insert("tlp".to_owned(), json!(facts.tlp.as_str()));
    members.insert("deadline".to_owned(), json!(facts.deadline.to_rfc3339_opts(SecondsFormat::Secs, false)));
    members.insert("drill".to_owned(), json!(facts.drill));
    if facts.drill {
        members.insert("notice".to_owned(), json!("[EXERCISE]"));
    }
    if let Some(text) = text {
        members.insert("reference".to_owned(), json!(text.reference));
        members.insert("language".to_owned(), json!(text.language));
        members.insert("headline".to_owned(), json!(text.headline));
        insert_text(&mut members, text.body);
    }
    let kind = match facts.kind {
        BulletinKind::Alert => "alert.released",
        BulletinKind::Page => "page.requested",
        BulletinKind::Handover => "notice.failed",
        // Never sent: it is what this channel is told to have ended.
        BulletinKind::WebhookGone => "webhook.gone",
    };
    SharedBody { kind, members: inside(&members) }
}

fn insert_text(members: &mut Map<String, Value>, text: &str) {
    let room = BODY_BYTES_MAX.saturating_sub(OWN_BYTES + inside(members).len());
    let mut kept = text;
    // What JSON escapes grows, so the length is measured as written.
    while json!(kept).to_string().len() > room {
        let half = kept.len().saturating_sub(kept.len() / 8 + 1);
        kept = kept.get(..kept.floor_char_boundary(half)).unwrap_or_default();
    }
    members.insert("text".to_owned(), json!(kept));
    if kept.len() < text.len() {
        members.insert("truncated".to_owned(), json!(true));
    }
}

/// The members without the braces around them.
fn inside(members: &Map<String, Value>) -> String {
    let object = Value::Object(members.clone()).to_string();
    object.get(1..object.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// The body of one notice.
pub(crate) fn body(shared: &SharedBody, notice_id: &str, acknowledge_url: Option<&str>, now: DateTime<Utc>) -> String {
    let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, false);
    let acknowledge = acknowledge_url.map(|url| format!(",\"acknowledge_url\":{}", json!(url))).unwrap_or_default();
    format!(
        "{{\"type\":\"{}\",\"timestamp\":\"{timestamp}\",\"data\":{{\"notice_id\":\"{notice_id}\"{acknowledge},{}}}}}",
        shared.kind, shared.members
    )
}

/// The body of a test delivery, which says nothing but that; with a code it proves who reads it.
pub(crate) fn test_body(id: &str, probe: Probe<'_>, now: DateTime<Utc>) -> String {
    let timestamp = now.to_rfc3339_opts(SecondsFormat::Millis, false);
    match probe {
        Probe::Test => json!({"type": "webhook.tested", "timestamp": timestamp, "data": {"test_id": id}}),
        Probe::Code(code) => {
            json!({"type": "webhook.verification", "timestamp": timestamp, "data": {"test_id": id, "code": code}})
        }
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use tocsin_domain::priority::Priority;
    use tocsin_domain::tlp::Tlp;

    use super::*;

    #[test]
    fn a_pointer_has_no_text_and_no_reference() {
        let body = parsed(Tlp::Amber, "a text");
        let mut names: Vec<_> = body["data"].as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "acknowledge_url",
            "alert_id",
            "deadline",
            "drill",
            "notice",
            "notice_id",
            "priority",
            "revision",
            "short_code",
            "tlp",
        ];
        assert_eq!(names, expected);
        assert_eq!(body["type"], "alert.released");
    }

    #[test]
    fn a_text_is_whole_or_says_that_it_is_not() {
        let body = parsed(Tlp::Green, "a \"text\"\n");
        assert_eq!((&body["data"]["text"], &body["data"]["truncated"]), (&json!("a \"text\"\n"), &Value::Null));
        assert_eq!(body["data"]["reference"], "XA-2026-0114");
        let long = "نص ".repeat(10_000);
        let body = parsed(Tlp::Clear, &long);
        assert_eq!(body["data"]["truncated"], true);
        assert!(body["data"]["text"].as_str().unwrap().len() > 15_000);
    }

    fn parsed(tlp: Tlp, text: &str) -> Value {
        let facts = Facts {
            kind: BulletinKind::Alert,
            short_code: "A7F3-K2C".to_owned(),
            priority: Priority::P1,
            tlp,
            deadline: "2026-07-12T06:00:00Z".parse().unwrap(),
            drill: true,
        };
        let reading = Reading { reference: "XA-2026-0114", language: "ar", headline: "h", body: text };
        let shared = shared(&facts, "a1", 0, Some(reading));
        let body = body(&shared, "n1", Some("https://tocsin.example/acknowledge/t"), facts.deadline);
        assert!(body.len() <= BODY_BYTES_MAX, "{}", body.len());
        serde_json::from_str(&body).unwrap()
    }
}
