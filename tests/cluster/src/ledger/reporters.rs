//! Reporters who never stop: some over HTTP, some over gRPC, each with an idempotency key that it keeps until it has an
//! answer, whichever process gives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_proto::intake::v1::{GetReportRequest, Report, ReportedActor, Reporter, Subject, SubmitReportRequest};
use tocsin_proto::triage::v1::GetCaseRequest;
use tocsin_tests::answers::{Answered, report_once};
use tocsin_tests::clients::bearing;
use tocsin_tests::walk::Accepted;
use tocsin_tests::{Outcome, Trouble};
use tokio::task::JoinHandle;
use tonic::Code;

use super::houses::{Attempt, Houses};

/// Keys of reports that go over gRPC begin with this: a key belongs to one body, and the two doors encode differently.
const GRPC: &str = "grpc-";
/// How long one report may be tried.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often a probe looks whether it has come through.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Whether workers go on.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    makers: Arc<AtomicBool>,
    everybody: Arc<AtomicBool>,
}

impl Stop {
    /// Tells those who make new work to end: reporters and offices.
    pub fn makers(&self) {
        self.makers.store(true, Ordering::Relaxed);
    }

    /// Tells everybody to end.
    pub fn now(&self) {
        self.makers();
        self.everybody.store(true, Ordering::Relaxed);
    }

    /// Whether those who make new work end.
    pub fn no_more_work(&self) -> bool {
        self.makers.load(Ordering::Relaxed)
    }

    /// Whether everybody ends.
    pub fn is_set(&self) -> bool {
        self.everybody.load(Ordering::Relaxed)
    }
}

/// Starts a reporter that pauses between two reports. It ends, once told, when it has no unanswered key.
pub fn start(number: usize, houses: &Houses, body: Value, pause: Duration, stop: Stop) -> JoinHandle<Outcome<()>> {
    let houses = houses.apart(number);
    let prefix = if number.is_multiple_of(2) { "http-" } else { GRPC };
    tokio::spawn(async move {
        for count in 0_u64.. {
            if stop.no_more_work() {
                return Ok(());
            }
            submit(&houses, &body, format!("{prefix}{number}-{count}-{}", uuid::Uuid::now_v7().simple())).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(())
    })
}

/// Submits a report with this key until it is answered.
pub async fn submit(houses: &Houses, body: &Value, key: String) -> Outcome<Accepted> {
    let started = Instant::now();
    loop {
        let answered = if key.starts_with(GRPC) {
            over_grpc(houses, &key).await?
        } else {
            report_once(&houses.http, &format!("https://{}/v1/reports", houses.doors().intake.http), body, &key).await
        };
        let accepted = match &answered {
            Answered::Accepted(accepted) => Some(Ok(accepted.clone())),
            Answered::Refused(answer) => Some(Err(Trouble::new(format!("a good report was refused: {answer}")))),
            Answered::Nothing => None,
        };
        let over_http = !key.starts_with(GRPC);
        houses.ledger.answered(key.clone(), answered);
        match accepted {
            Some(accepted) => return accepted,
            None if started.elapsed() > PATIENCE => {
                return Err(Trouble::new(format!("nobody took a report for {PATIENCE:?}")));
            }
            None if over_http => houses.turn().await,
            None => {}
        }
    }
}

async fn over_grpc(houses: &Houses, key: &str) -> Outcome<Answered> {
    let request = SubmitReportRequest { report: Some(report()), idempotency_key: key.to_owned() };
    let attempt =
        houses.attempt(|clients| async move { Ok(clients.intake.clone().submit_report(request).await) }).await?;
    Ok(match attempt {
        Attempt::Done(answer) => Answered::Accepted(Accepted { report_id: answer.report_id, receipt: answer.receipt }),
        Attempt::Away => Answered::Nothing,
        Attempt::Refused(status) if status.code() == Code::Aborted => {
            // Another attempt with this key is still being worked on.
            houses.turn().await;
            Answered::Nothing
        }
        Attempt::Refused(status) => Answered::Refused(format!("{:?}: {}", status.code(), status.message())),
    })
}

/// A report as a program sends it.
fn report() -> Report {
    Report {
        reporter: Some(Reporter { relation: "colleague".into(), language: "en".into(), ..Reporter::default() }),
        country: "XB".into(),
        place_type: "hotel".into(),
        subject: Some(Subject { unit: "individual".into(), count: 2 }),
        kinds: vec!["device_seized".into()],
        actors: vec![ReportedActor { code: "police".into(), degree: "carried_out".into() }],
        groups: vec!["digital_rights".into()],
        phase: "after".into(),
        narrative: "Two telephones were taken at the door of a hotel; nobody was hurt.".into(),
        ..Report::default()
    }
}

/// Sends one report through intake and the bus to triage and back to its reporter.
pub async fn probe(houses: &Houses, coordinator: &str, body: &Value, limit: Duration) -> Outcome<()> {
    let started = Instant::now();
    let accepted = submit(houses, body, format!("probe-{}", uuid::Uuid::now_v7().simple())).await?;
    while !has_come_through(houses, coordinator, &accepted).await? {
        if started.elapsed() > limit {
            return Err(Trouble::new(format!("a report did not come through within {limit:?}")));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

async fn has_come_through(houses: &Houses, coordinator: &str, accepted: &Accepted) -> Outcome<bool> {
    let case = houses
        .attempt(|clients| async move {
            let request = bearing(coordinator, GetCaseRequest { case: accepted.report_id.clone() })?;
            Ok(clients.cases.clone().get_case(request).await)
        })
        .await?;
    if !matches!(case, Attempt::Done(_)) {
        return Ok(false);
    }
    let own = houses
        .attempt(|clients| async move {
            let request = GetReportRequest { receipt: accepted.receipt.clone() };
            Ok(clients.intake.clone().get_report(request).await)
        })
        .await?;
    Ok(matches!(own, Attempt::Done(report) if !report.answers.is_empty()))
}
