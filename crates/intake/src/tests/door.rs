//! The good ways through both doors, and what happens while something is away.

use std::time::Duration;

use prost::Message;
use serde_json::json;
use tocsin_platform::failure::received;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::intake::v1::{AddMessageRequest, GetReportRequest, Report, Reporter, SubmitReportRequest};
use tonic::Code;

use super::harness::{Harness, scenario};

#[tokio::test]
async fn every_scenario_reaches_triage_as_it_was_sent() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        for name in ["workshop-detention", "dam-eviction", "lawyer-harassment"] {
            let sent = scenario(name);
            let accepted = harness.submit(&format!("key-of-{name}"), &sent).await;
            assert_eq!(accepted.status, 201, "{accepted:?}");
            let fields: Vec<_> = accepted.body.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["receipt", "received_at", "report_id"]);
            assert_eq!(accepted.body["receipt"].as_str().unwrap().split(' ').count(), 8);
            let id = accepted.body["report_id"].as_str().unwrap();
            wait_until("triage has it", Duration::from_secs(20), async || harness.has_heard(id)).await;
            let heard = harness.triage().heard.lock().unwrap();
            let (said, report) = heard.reports.last().unwrap();
            assert_eq!(report.narrative, sent["narrative"].as_str().unwrap());
            assert_eq!(json!(report.kinds), sent["kinds"]);
            let date = report.adversary_date.as_ref().map(|date| date.at.clone());
            assert_eq!(date.as_deref(), sent["adversary_date"]["at"].as_str());
            assert_eq!(said.receipt_key.as_ref().unwrap().key.len(), 1_216);
            let content = said.content.as_ref().unwrap();
            let narrative = report.narrative.as_bytes();
            assert!(!content.ciphertext.windows(16).any(|window| narrative.starts_with(window)));
        }
        harness.stop().await;
    }
}

#[tokio::test]
async fn the_grpc_door_speaks_the_same_verbs() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let mut client = harness.grpc().await;
        let request = SubmitReportRequest { report: Some(report()), idempotency_key: "grpc-key-1".to_owned() };
        let accepted = client.submit_report(request.clone()).await.unwrap().into_inner();
        assert_eq!(client.submit_report(request.clone()).await.unwrap().into_inner(), accepted);
        let receipt = accepted.receipt.clone();
        let message = AddMessageRequest {
            receipt: receipt.clone(),
            text: "More.".to_owned(),
            idempotency_key: "grpc-key-2".to_owned(),
        };
        let added = client.add_message(message).await.unwrap().into_inner();
        let own = client.get_report(GetReportRequest { receipt }).await.unwrap().into_inner();
        assert_eq!((own.report_id, own.received_at), (accepted.report_id, accepted.received_at));
        assert_eq!(own.messages[0].message_id, added.message_id);

        let other = SubmitReportRequest { report: Some(Report { phase: "after".to_owned(), ..report() }), ..request };
        let refused = received(&client.submit_report(other).await.unwrap_err());
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
        harness.stop().await;
    }
}

#[tokio::test]
async fn grpc_names_every_wrong_field() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut client = harness.grpc().await;
    let wrong = Report {
        kinds: vec!["arbitrary_detention".to_owned(), "killling".to_owned()],
        country: "xa".to_owned(),
        phase: String::new(),
        ..report()
    };
    let request = SubmitReportRequest { report: Some(wrong), idempotency_key: "grpc-key-3".to_owned() };
    let refused = received(&client.submit_report(request).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "REPORT_INVALID"));
    let fields: Vec<_> = refused.fields.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["report.country", "report.kinds[1]", "report.phase"]);
    assert!(refused.fields[1].description.contains("killing"));

    let missing = SubmitReportRequest { report: Some(report()), idempotency_key: String::new() };
    assert_eq!(received(&client.submit_report(missing).await.unwrap_err()).reason, "IDEMPOTENCY_KEY_MISSING");
    let empty = SubmitReportRequest { report: None, idempotency_key: "grpc-key-4".to_owned() };
    let fields = received(&client.submit_report(empty).await.unwrap_err()).fields.len();
    assert_eq!(fields, 6, "reporter, country, subject, kinds, phase and narrative");
    let long = Report { narrative: "é".repeat(40_000), ..report() };
    let long = SubmitReportRequest { report: Some(long), idempotency_key: "grpc-key-5".to_owned() };
    assert_eq!(received(&client.submit_report(long).await.unwrap_err()).reason, "TEXT_TOO_LONG");
    let many = Report { kinds: vec![String::new(); 100_000], ..report() };
    let many = SubmitReportRequest { report: Some(many), idempotency_key: "grpc-key-6".to_owned() };
    assert_eq!(received(&client.submit_report(many).await.unwrap_err()).reason, "REPORT_INVALID");
    for (receipt, code) in [("", Code::Unauthenticated), ("a b c d e f g h", Code::Unauthenticated)] {
        let refused = client.get_report(GetReportRequest { receipt: receipt.to_owned() }).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    assert_eq!(harness.heard_reports(), 0);
    harness.stop().await;
}

#[tokio::test]
async fn nothing_is_accepted_before_the_key_has_arrived() {
    for database in TestDatabase::both().await {
        let harness = Harness::start_without_key(database, "").await;
        let refused = harness.submit("early-key", &scenario("dam-eviction")).await;
        assert_eq!((refused.status, refused.reason()), (503, "SEALING_KEY_MISSING"));
        assert_eq!(refused.body["retryable"], true);
        harness.triage().say_key().await;
        let arrived = async || harness.triage().owed().await == 0;
        wait_until("the key has arrived", Duration::from_secs(20), arrived).await;
        assert_eq!(harness.submit("early-key", &scenario("dam-eviction")).await.status, 201);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let text = "[intake]\ntext_bytes_max = 99999999";
    let settings = tocsin_platform::config::Settings::from_text(text).unwrap();
    let error = crate::IntakeConfig::load(&settings).unwrap_err().to_string();
    assert!(error.contains("intake.text_bytes_max"), "{error}");
}

fn report() -> Report {
    Report {
        reporter: Some(Reporter { relation: "self".to_owned(), language: "en".to_owned(), ..Reporter::default() }),
        country: "XB".to_owned(),
        subject: Some(tocsin_proto::intake::v1::Subject { unit: "family".to_owned(), count: 0 }),
        kinds: vec!["unknown".to_owned()],
        phase: "before".to_owned(),
        narrative: "A car has stood before the house for three days.".to_owned(),
        ..Report::default()
    }
}

#[test]
fn the_smallest_report_is_valid() {
    assert!(tocsin_proto::convert::report_from_wire(&report()).is_ok());
    assert!(report().encoded_len() < 200);
}
