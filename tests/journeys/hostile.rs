//! What a hostile or broken client can send, through the real doors: every answer is clear, nothing is lost, nothing
//! panics, and a good report still goes through afterwards.

mod bodies;
mod characters;
mod garbage;
mod keys;
mod once;

use serde_json::Value;
use tocsin_proto::intake::v1::{Report, Reporter, Subject};
use tocsin_tests::network::{open, text};
use tocsin_tests::program::fixture_json;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::ensure;
use tocsin_tests::{Outcome, Trouble};
use tonic::{Code, Response, Status};

/// The JSON door's answer: status, the problem's reason, the whole body.
struct Answer {
    status: u16,
    reason: String,
    body: String,
    fields: Vec<(String, String)>,
}

struct Attacker {
    stage: Stage,
    good: Value,
}

impl Attacker {
    async fn arrive() -> Outcome<Self> {
        let stage = Stage::raise(open(2, 2), "\n[telemetry]\nlevel = \"debug\"\n").await?;
        Ok(Self { stage, good: fixture_json("scenarios/workshop-detention.json")?["report"].clone() })
    }

    fn door(&self, path: &str) -> String {
        format!("http://{}{path}", self.stage.installation.doors.intake.http)
    }

    async fn post(&self, body: impl Into<reqwest::Body>, key: Option<&str>, media: &str) -> Outcome<Answer> {
        let mut request = self.stage.http.post(self.door("/v1/reports")).header("content-type", media).body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        read(request.send().await?).await
    }

    async fn report(&self, report: &Value) -> Outcome<Answer> {
        self.post(report.to_string(), Some(&fresh()), "application/json").await
    }

    /// The process lives, is ready, takes a good report to triage, and its log holds no panic.
    async fn survives(&mut self) -> Outcome<()> {
        ensure(self.stage.process.is_alive(), || "the process died".to_owned())?;
        for (name, door) in self.stage.installation.doors.all() {
            let ready = self.stage.http.get(format!("http://{}/readyz", door.http)).send().await?.status();
            ensure(ready.is_success(), || format!("{name} is not ready: {ready}"))?;
        }
        let accepted = self.stage.submit(&self.good).await?;
        self.stage.office(&accepted).await?;
        for log in std::fs::read_dir(self.stage.installation.logs())? {
            let told = std::fs::read_to_string(log?.path())?;
            let panic = told.lines().find(|line| line.contains("panicked") || line.contains("PANIC"));
            ensure(panic.is_none(), || format!("the log tells of a panic: {panic:?}"))?;
        }
        Ok(())
    }
}

async fn read(answer: reqwest::Response) -> Outcome<Answer> {
    let status = answer.status().as_u16();
    let body = answer.text().await?;
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    let fields = problem["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|one| (text(one, "field"), text(one, "detail"))).collect();
    Ok(Answer { status, reason: text(&problem, "reason"), body, fields })
}

fn fresh() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Sets what stands at a JSON pointer, making the objects on the way.
fn set(report: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = report.clone();
    let mut place = &mut changed;
    for part in pointer.split('/').skip(1) {
        place = match part.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[part],
        };
    }
    *place = value;
    changed
}

/// Whether a verb refused its input.
fn ensure_invalid<T>(answer: Result<Response<T>, Status>, what: &str) -> Outcome<()> {
    match answer {
        Err(status) if status.code() == Code::InvalidArgument => Ok(()),
        Err(status) => Err(Trouble::new(format!("{what}: {:?} {}", status.code(), status.message()))),
        Ok(_) => Err(Trouble::new(format!("{what} was taken"))),
    }
}

fn wire_report() -> Report {
    Report {
        reporter: Some(Reporter { relation: "colleague".into(), language: "en".into(), ..Default::default() }),
        country: "XA".into(),
        subject: Some(Subject { unit: "individual".into(), count: 1 }),
        kinds: vec!["threat_other".into()],
        phase: "during".into(),
        narrative: "Something happened.".into(),
        ..Report::default()
    }
}
