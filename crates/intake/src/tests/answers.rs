//! What triage answers reaches whoever holds the receipt, and nobody else.

use std::time::Duration;

use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Harness, scenario};

#[tokio::test]
async fn answers_are_opened_with_the_receipt() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let accepted = harness.submit("answered-key", &scenario("workshop-detention")).await;
        let receipt = accepted.body["receipt"].as_str().unwrap().to_owned();
        let id = accepted.body["report_id"].as_str().unwrap().to_owned();
        wait_until("triage has it", Duration::from_secs(20), async || harness.has_heard(&id)).await;
        let before = harness.own_report(&receipt).await;
        assert_eq!((before.status, before.body["state"].as_str()), (200, Some("received")));
        assert_eq!(before.body["received_at"], accepted.body["received_at"]);

        // The newest comes first, one comes twice, and one only moves the state.
        harness.triage().answer(&id, 3, "verifying", None).await;
        harness.triage().answer(&id, 2, "acknowledged", Some(("answer-2", "We have read it.\nمرحبا"))).await;
        harness.triage().answer(&id, 2, "acknowledged", Some(("answer-2", "We have read it.\nمرحبا"))).await;
        harness.triage().answer(&id, 1, "received", Some(("answer-1", "We have received it."))).await;
        wait_until("all is settled", Duration::from_secs(20), async || harness.triage().owed().await == 0).await;

        let own = harness.own_report(&receipt).await;
        assert_eq!(own.body["state"], "verifying");
        let mut texts: Vec<_> =
            own.body["answers"].as_array().unwrap().iter().map(|answer| answer["text"].as_str().unwrap()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["We have read it.\nمرحبا", "We have received it."]);
        // Hyphens and capitals are as good as spaces.
        assert_eq!(harness.own_report(&receipt.replace(' ', "-").to_uppercase()).await, own);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_receipt_says_what_is_wrong_and_nothing_more() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let accepted = harness.submit("receipt-key", &scenario("workshop-detention")).await;
    let receipt = accepted.body["receipt"].as_str().unwrap();
    let other = tocsin_platform::seal::Receipt::generate().unwrap().phrase().to_string();
    let misspelt = format!("zzzzzz {}", receipt.split_once(' ').unwrap().1);
    for (words, status, reason, message) in [
        (other.as_str(), 404, "RECEIPT_UNKNOWN", "no report has this receipt"),
        (misspelt.as_str(), 401, "RECEIPT_WORD_UNKNOWN", "word 1 of the receipt is not in the list"),
        ("only three words", 401, "RECEIPT_INCOMPLETE", "this has 3"),
    ] {
        let answer = harness.own_report(words).await;
        assert_eq!((answer.status, answer.reason()), (status, reason));
        assert!(answer.body["detail"].as_str().unwrap().contains(message), "{answer:?}");
        assert!(!answer.body.to_string().contains("zzzz"), "the word itself is never repeated");
    }
    let missing = harness.get("/v1/reports/mine", &[]).await;
    assert_eq!((missing.status, missing.reason()), (401, "RECEIPT_MISSING"));
    let basic = harness.get("/v1/reports/mine", &[("authorization", "Basic eHg6eXk=")]).await;
    assert_eq!((basic.status, basic.reason()), (401, "RECEIPT_MISSING"));
    harness.stop().await;
}

#[tokio::test]
async fn a_message_reaches_triage_once() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let accepted = harness.submit("message-report", &scenario("dam-eviction")).await;
        let receipt = accepted.body["receipt"].as_str().unwrap().to_owned();
        let text = "They came back.\nThree cars this time.";
        let first = harness.add_message(&receipt, "message-key-1", text).await;
        assert_eq!(first.status, 201);
        assert_eq!(harness.add_message(&receipt, "message-key-1", text).await, first);
        let other = harness.add_message(&receipt, "message-key-1", "Something else.").await;
        assert_eq!((other.status, other.reason()), (422, "IDEMPOTENCY_KEY_REUSED"));
        for (text, status, reason) in [
            ("", 400, "MESSAGE_INVALID"),
            ("a\0b", 400, "MESSAGE_INVALID"),
            (&"x".repeat(65_537), 413, "TEXT_TOO_LONG"),
        ] {
            let refused = harness.add_message(&receipt, "message-key-2", text).await;
            assert_eq!((refused.status, refused.reason()), (status, reason));
        }
        wait_until("triage has it", Duration::from_secs(20), async || !harness.heard_messages().is_empty()).await;
        assert_eq!(harness.heard_messages(), [text]);
        let own = harness.own_report(&receipt).await;
        assert_eq!(own.body["messages"][0]["message_id"], first.body["message_id"]);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_report_takes_only_so_many_messages() {
    let harness = Harness::start_with(
        TestDatabase::sqlite(),
        "[intake]\nmessages_per_report_max = 2\nwrong_receipt_delay_ms = 1",
    )
    .await;
    let accepted = harness.submit("many-messages", &scenario("dam-eviction")).await;
    let receipt = accepted.body["receipt"].as_str().unwrap().to_owned();
    for (number, status) in [(1, 201), (2, 201), (3, 409)] {
        let answer = harness.add_message(&receipt, &format!("message-key-{number}"), "more").await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(harness.add_message(&receipt, "message-key-2", "more").await.status, 201, "a copy is still answered");
    harness.stop().await;
}
