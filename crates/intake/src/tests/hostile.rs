//! What a hostile or careless client may send, and exactly what it is told.

use std::fmt::Write;

use serde_json::{Value, json};
use tocsin_platform::testing::TestDatabase;

use super::harness::{Answer, Harness, scenario};

#[tokio::test]
async fn wrong_values_are_named_one_by_one() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut told = String::new();
    for (number, (title, change)) in changes().into_iter().enumerate() {
        let mut report = scenario("workshop-detention");
        change(&mut report);
        tell(&mut told, title, &harness.submit(&format!("hostile-{number}"), &report).await);
    }
    insta::assert_snapshot!("wrong_values", told);
    assert_eq!(harness.heard_reports(), 0);
    harness.stop().await;
}

#[tokio::test]
async fn wrong_bodies_and_headers_are_told_what_is_wrong() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let good = scenario("workshop-detention").to_string();
    let key = ("idempotency-key", "hostile-body");
    let mut told = String::new();
    for (title, headers, body) in [
        ("no key", vec![], good.clone().into_bytes()),
        ("short key", vec![("idempotency-key", "short")], good.clone().into_bytes()),
        ("key with a space", vec![("idempotency-key", "two words")], good.clone().into_bytes()),
        ("key not ASCII", vec![("idempotency-key", "clé-numéro")], good.clone().into_bytes()),
        ("form", vec![key, ("content-type", "application/x-www-form-urlencoded")], b"narrative=x".to_vec()),
        ("other charset", vec![key, ("content-type", "application/json; charset=latin1")], good.clone().into_bytes()),
        ("empty", vec![key], Vec::new()),
        ("not JSON", vec![key], b"narrative: help".to_vec()),
        ("cut off", vec![key], good.as_bytes()[..100].to_vec()),
        ("two bodies", vec![key], [good.as_bytes(), good.as_bytes()].concat()),
        ("bad UTF-8", vec![key], b"{\"narrative\": \"\xff\xfe\"}".to_vec()),
        ("lone surrogate", vec![key], b"{\"narrative\": \"\\ud800\"}".to_vec()),
        ("too deep", vec![key], format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes()),
        ("a field twice", vec![key], b"{\"narrative\": \"a\", \"narrative\": \"b\"}".to_vec()),
        ("endless number", vec![key], b"{\"subject\": {\"count\": 1e999}}".to_vec()),
        ("10 MiB", vec![key], vec![b' '; 10 * 1024 * 1024]),
        ("just over the limit", vec![key], vec![b' '; 262_145]),
        ("a list", vec![key], b"[]".to_vec()),
        ("null", vec![key], b"null".to_vec()),
    ] {
        tell(&mut told, title, &harness.post("/v1/reports", &headers, body).await);
    }
    insta::assert_snapshot!("wrong_bodies", told);
    assert_eq!(harness.post("/v1/reports", &[key], good).await.status, 201, "and a good one is still taken");
    harness.stop().await;
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
    let body = reqwest::Body::wrap_stream(futures::StreamExt::take(chunks, 8));
    let answer = harness.post("/v1/reports", &[("idempotency-key", "chunked-key")], body).await;
    assert_eq!((answer.status, answer.reason()), (413, "BODY_TOO_LARGE"));
    harness.stop().await;
}

type Change = fn(&mut Value);

fn changes() -> Vec<(&'static str, Change)> {
    vec![
        ("unknown field", |report| report["narative"] = json!("x")),
        ("unknown field deep down", |report| report["safe_contact"]["hour"] = json!("08:00-22:00")),
        ("unknown field in a list", |report| report["actors"][1]["degre"] = json!("suspected")),
        ("field with a line break", |report| report["kind\r\nSet-Cookie: x"] = json!(1)),
        ("unknown kind", |report| report["kinds"][1] = json!("arbitrary_detension")),
        ("kind with control characters", |report| report["kinds"][0] = json!("killing\r\nBcc: x\u{0}")),
        ("endless kind", |report| report["kinds"][0] = json!("k".repeat(9_000))),
        ("kinds not a list", |report| report["kinds"] = json!("killing")),
        ("no kinds", |report| report["kinds"] = json!([])),
        ("kinds left out", |report| drop(report.as_object_mut().unwrap().remove("kinds"))),
        ("kind a number", |report| report["kinds"] = json!(["killing", 7, null, {}])),
        ("too many kinds", |report| report["kinds"] = json!(vec!["killing"; 51])),
        ("unknown actor and degree", |report| report["actors"][0] = json!({"code": "polices", "degree": "did_it"})),
        ("actor not an object", |report| report["actors"] = json!(["police", null])),
        ("unknown group", |report| report["groups"][2] = json!("womens_rights")),
        ("unknown support", |report| report["support_asked"] = json!(["lawyer"])),
        ("unknown phase", |report| report["phase"] = json!("now")),
        ("phase null", |report| report["phase"] = json!(null)),
        ("country in small letters", |report| report["country"] = json!("xa")),
        ("country a list", |report| report["country"] = json!(["XA"])),
        ("place with spaces", |report| report["place_type"] = json!("a big hotel")),
        ("unknown relation", |report| report["reporter"]["relation"] = json!("friend")),
        ("no reporter", |report| report["reporter"] = json!(null)),
        ("organisation with a line break", |report| report["reporter"]["organisation_id"] = json!("org\n1")),
        ("language with a region", |report| report["reporter"]["language"] = json!("en-GB")),
        ("count negative", |report| report["subject"]["count"] = json!(-1)),
        ("count nought", |report| report["subject"]["count"] = json!(0)),
        ("count a fraction", |report| report["subject"]["count"] = json!(1.5)),
        ("count text", |report| report["subject"]["count"] = json!("ten")),
        ("count beyond 32 bits", |report| report["subject"]["count"] = json!(4_294_967_296_u64)),
        ("date without offset", |report| report["adversary_date"]["at"] = json!("2026-07-12T09:00:00")),
        ("date that is none", |report| report["adversary_date"]["at"] = json!("2026-02-30T09:00:00Z")),
        ("date of an unknown kind", |report| report["adversary_date"]["kind"] = json!("trial")),
        ("submitted_at with a line break", |report| report["submitted_at"] = json!("2026\r\nX: y")),
        ("hours that are none", |report| report["safe_contact"]["hours"] = json!("always")),
        ("unknown time zone", |report| report["safe_contact"]["time_zone"] = json!("Mars/Olympus")),
        ("address with CR LF", |report| report["safe_contact"]["address"] = json!("a@x.example\r\nBcc: b@x.example")),
        ("code word with NUL", |report| report["safe_contact"]["code_word_safe"] = json!("oli\u{0}ve")),
        ("one word for both", |report| report["safe_contact"]["code_word_duress"] = json!("olive")),
        ("expiry that is none", |report| report["safe_contact"]["expires_at"] = json!("tomorrow")),
        ("narrative empty", |report| report["narrative"] = json!(" \n ")),
        ("narrative with NUL", |report| report["narrative"] = json!("They came\u{0}")),
        ("narrative an object", |report| report["narrative"] = json!({"text": "They came"})),
        ("narrative too long", |report| report["narrative"] = json!("x".repeat(65_537))),
        ("many at once", |report| {
            report["kinds"] = json!(["killling", "torture", "slap"]);
            report["country"] = json!("France");
            report["safe_contact"] = json!({"hours": 8, "tme_zone": "UTC", "allowed": "signal"});
            report["narrative"] = json!(null);
        }),
    ]
}

/// Writes the status and the body without what differs in each run.
fn tell(told: &mut String, title: &str, answer: &Answer) {
    let body = &answer.body;
    assert_eq!(body["status"], answer.status, "{title}: {body}");
    assert!(!body.to_string().contains("digital safety"), "{title}: no words of the reporter are repeated");
    writeln!(told, "{title}: {} {}", answer.status, answer.reason()).unwrap();
    writeln!(told, "  {}", body["detail"].as_str().unwrap()).unwrap();
    for error in body["errors"].as_array().into_iter().flatten() {
        writeln!(told, "  - {}: {}", error["field"].as_str().unwrap(), error["detail"].as_str().unwrap()).unwrap();
    }
}
