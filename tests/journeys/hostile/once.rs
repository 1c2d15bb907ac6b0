//! Idempotency keys: wrong ones, repeated ones, and many at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use tocsin_proto::intake::v1::{Report, SubmitReportRequest};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

use super::{Attacker, ensure_invalid, fresh, set, wire_report};

#[tokio::test]
async fn an_idempotency_key_makes_one_report() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.to_string();
    let media = "application/json";
    for (key, status, reason) in [
        (None, 400, "IDEMPOTENCY_KEY_MISSING"),
        (Some("short"), 400, "IDEMPOTENCY_KEY_INVALID"),
        (Some(&*"k".repeat(129)), 400, "IDEMPOTENCY_KEY_INVALID"),
        (Some("with a space"), 400, "IDEMPOTENCY_KEY_INVALID"),
    ] {
        let answer = attacker.post(good.clone(), key, media).await?;
        ensure_equal((answer.status, answer.reason.as_str()), (status, reason), &format!("the key {key:?}"))?;
    }
    let key = fresh();
    let first = attacker.post(good.clone(), Some(&key), media).await?;
    ensure_equal(first.status, 201, "the first")?;
    let again = attacker.post(good.clone(), Some(&key), media).await?;
    ensure_equal((again.status, again.body), (201, first.body.clone()), "the same again")?;
    let other = set(&attacker.good, "/country", json!("XB")).to_string();
    let other = attacker.post(other, Some(&key), media).await?;
    ensure_equal((other.status, other.reason.as_str()), (422, "IDEMPOTENCY_KEY_REUSED"), "the same key, another body")?;
    concurrent(&attacker, &good).await?;
    over_grpc(&attacker, &first.body).await?;
    attacker.survives().await
}

async fn concurrent(attacker: &Attacker, good: &str) -> Outcome<()> {
    let key = fresh();
    let answers = join_all((0..24).map(|_| attacker.post(good.to_owned(), Some(&key), "application/json"))).await;
    let mut bodies = BTreeSet::new();
    for answer in answers {
        let answer = answer?;
        match answer.status {
            201 => drop(bodies.insert(answer.body)),
            409 => ensure_equal(answer.reason.as_str(), "IDEMPOTENCY_KEY_IN_PROGRESS", "while the first is worked on")?,
            status => return Err(Trouble::new(format!("{status}: {}", answer.body))),
        }
    }
    ensure_equal(bodies.len(), 1, "different answers to one key")
}

async fn over_grpc(attacker: &Attacker, stored: &str) -> Outcome<()> {
    let mut intake = attacker.stage.clients.intake.clone();
    for key in ["", "short", "line\r\nbreak", "with a space", "schlüssel-aus-worten", &"k".repeat(100_000)] {
        let request = SubmitReportRequest { report: Some(wire_report()), idempotency_key: key.to_owned() };
        ensure_invalid(intake.submit_report(request).await, &format!("the key {key:.20?}"))?;
    }
    let key = fresh();
    let request = SubmitReportRequest { report: Some(wire_report()), idempotency_key: key.clone() };
    let first = intake.submit_report(request.clone()).await?.into_inner();
    let again = intake.submit_report(request.clone()).await?.into_inner();
    ensure(first == again, || "the stored answer differs".to_owned())?;
    let other = Report { narrative: "Something else.".into(), ..wire_report() };
    let request = SubmitReportRequest { report: Some(other), idempotency_key: key };
    ensure_invalid(intake.submit_report(request).await, "the same key, another body")?;
    ensure(!stored.contains(&first.receipt), || "two reports share a receipt".to_owned())?;
    ensure_invalid(
        intake.submit_report(SubmitReportRequest { report: None, idempotency_key: fresh() }).await,
        "no report",
    )
}
