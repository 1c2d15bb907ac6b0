//! Clients that ask until they are answered, as people and their programs do when a process dies under their hands.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::json;
use tocsin_tests::answers::{Answered, report_once};
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::{Clients, bearing};
use tocsin_tests::installation::Installation;
use tocsin_tests::process::http;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::trouble::ensure;
use tocsin_tests::walk::Accepted;
use tocsin_tests::{Outcome, Trouble};
use tonic::{Code, Request, Response, Status};

use super::ledger::Ledger;

/// How long a client asks: longer than all deaths of one walk take together.
pub(super) const PATIENCE: Duration = Duration::from_mins(4);
/// How long one answer is awaited.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The pause before the next try.
const PAUSE: Duration = Duration::from_millis(20);

/// Everybody who asks, and what they were answered.
pub(super) struct People<'a> {
    pub(super) installation: &'a Installation,
    pub(super) clients: Clients,
    pub(super) cast: Cast,
    /// A key of the first organisation.
    pub(super) delegate: String,
    /// A key with the role of an operator.
    pub(super) operator: String,
    pub(super) scenario: Scenario,
    pub(super) ledger: RefCell<Ledger>,
    http: reqwest::Client,
}

/// How a question that changes something was answered.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// With success.
    Given(T),
    /// An earlier try was cut off, and then it was refused: most likely it had happened. Whoever asked looks.
    Refused(Status),
}

/// The scenario of all walks: on today's clock, with texts that notification may hold.
pub(super) fn scenario() -> Outcome<Scenario> {
    let mut scenario = Scenario::for_today()?;
    scenario.0["report"]["country"] = json!("XB");
    scenario.0["alert"]["tlp"] = json!("GREEN");
    Ok(scenario)
}

impl<'a> People<'a> {
    pub(super) fn new(installation: &'a Installation, cast: Cast, delegate: String, operator: String) -> Outcome<Self> {
        Ok(Self {
            clients: Clients::of(&installation.doors)?,
            installation,
            cast,
            delegate,
            operator,
            scenario: scenario()?,
            ledger: RefCell::default(),
            http: http()?,
        })
    }

    /// Submits a report under one key until intake says 201, and notes it.
    pub(super) async fn report(&self) -> Outcome<Accepted> {
        let key = uuid::Uuid::now_v7().to_string();
        let url = format!("http://{}/v1/reports", self.installation.doors.intake.http);
        let started = Instant::now();
        loop {
            match report_once(&self.http, &url, self.scenario.report(), &key).await {
                Answered::Accepted(accepted) => {
                    self.ledger.borrow_mut().accepted(&key, &accepted.report_id, &accepted.receipt)?;
                    return Ok(accepted);
                }
                Answered::Nothing if started.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                other => return Err(Trouble::new(format!("a good report was answered: {other:?}"))),
            }
        }
    }
}

/// Asks with somebody's key, or with none for an empty one, until the answer is success or a refusal. A refusal counts
/// only after a try that was cut off; at the first try it is trouble.
pub(super) async fn ask<Q: Clone, A>(
    what: &str,
    secret: &str,
    request: Q,
    call: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
) -> Outcome<Answer<A>> {
    let started = Instant::now();
    let mut cut_off = false;
    loop {
        let request = if secret.is_empty() { Request::new(request.clone()) } else { bearing(secret, request.clone())? };
        let Ok(answer) = tokio::time::timeout(ANSWER_LIMIT, call(request)).await else {
            cut_off = true;
            ensure(started.elapsed() < PATIENCE, || format!("{what}: no answer"))?;
            continue;
        };
        match answer {
            Ok(answer) => return Ok(Answer::Given(answer.into_inner())),
            Err(status) if is_away(&status) => {
                ensure(started.elapsed() < PATIENCE, || format!("{what}: {status}"))?;
                cut_off = true;
                tokio::time::sleep(PAUSE).await;
            }
            Err(status) if cut_off => return Ok(Answer::Refused(status)),
            Err(status) => return Err(Trouble::from(status).during(what)),
        }
    }
}

/// The same for what can be asked again and again.
pub(super) async fn ask_again<Q: Clone, A>(
    what: &str,
    secret: &str,
    request: Q,
    call: impl AsyncFn(Request<Q>) -> Result<Response<A>, Status>,
) -> Outcome<A> {
    match ask(what, secret, request, call).await? {
        Answer::Given(answer) => Ok(answer),
        Answer::Refused(status) => Err(Trouble::from(status).during(what)),
    }
}

/// Whether nothing was decided: the process is away, or went away in the middle.
fn is_away(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal | Code::Aborted)
}
