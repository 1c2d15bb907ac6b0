//! The same request again gets the same answer, another one under its key is refused, and triage hears it once.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Harness, scenario};

#[tokio::test]
async fn a_replay_gets_the_first_answer_exactly() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let report = scenario("workshop-detention");
        let first = harness.submit("replayed-key", &report).await;
        assert_eq!(first.status, 201);
        // Another order of fields and a null for what is left out are the same report.
        let mut turned = json!({ "narrative": report["narrative"], "kinds": report["kinds"] });
        for (name, value) in report.as_object().unwrap() {
            turned[name] = value.clone();
        }
        turned["safe_contact"]["proxy"] = json!(null);
        for again in [&report, &turned] {
            assert_eq!(harness.submit("replayed-key", again).await, first);
        }
        let other = harness.submit("another-key", &report).await;
        assert_eq!(other.status, 201);
        assert_ne!(other.body, first.body);
        wait_until("triage has both", Duration::from_secs(20), async || harness.heard_reports() >= 2).await;
        assert_eq!(harness.heard_reports(), 2);
        harness.stop().await;
    }
}

#[tokio::test]
async fn another_report_under_the_same_key_is_refused() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut report = scenario("workshop-detention");
    assert_eq!(harness.submit("reused-key", &report).await.status, 201);
    report["narrative"] = json!("Something else happened.");
    let refused = harness.submit("reused-key", &report).await;
    assert_eq!((refused.status, refused.reason()), (422, "IDEMPOTENCY_KEY_REUSED"));
    harness.stop().await;
}

#[tokio::test]
async fn many_copies_at_once_are_one_report() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let report = scenario("dam-eviction");
        let answers = join_all((0..24).map(|_| harness.submit("impatient-key", &report))).await;
        let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(!accepted.is_empty());
        assert!(accepted.windows(2).all(|pair| pair[0] == pair[1]));
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!((answer.status, answer.reason()), (409, "IDEMPOTENCY_KEY_IN_PROGRESS"));
            assert_eq!(answer.body["retryable"], true);
        }
        assert_eq!(&harness.submit("impatient-key", &report).await, accepted[0]);
        wait_until("triage has it", Duration::from_secs(20), async || harness.heard_reports() >= 1).await;
        assert_eq!(harness.heard_reports(), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_flood_is_slowed_and_nobody_is_refused() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let report = scenario("lawyer-harassment");
    let keys: Vec<String> = (0..300).map(|number| format!("flood-key-{number}")).collect();
    let answers = join_all(keys.iter().map(|key| harness.submit(key, &report))).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    wait_until("triage has all", Duration::from_mins(1), async || harness.heard_reports() >= 300).await;
    harness.stop().await;
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let report = scenario("workshop-detention");
        let first = harness.submit("surviving-key", &report).await;
        assert_eq!(first.status, 201);
        // The tasks end without any drain, and the bus, which has no store, is a new one.
        let harness = harness.killed_and_started_again().await;
        assert_eq!(harness.submit("surviving-key", &report).await, first);
        let receipt = first.body["receipt"].as_str().unwrap().to_owned();
        let own = harness.own_report(&receipt).await;
        assert_eq!((own.status, &own.body["report_id"]), (200, &first.body["report_id"]));
        let id = first.body["report_id"].as_str().unwrap();
        wait_until("triage has it", Duration::from_secs(20), async || harness.has_heard(id)).await;
        harness.stop().await;
    }
}
