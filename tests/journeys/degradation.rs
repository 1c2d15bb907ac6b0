//! Each dependency comes and goes in any order while a client retries: nothing that was acknowledged is lost, nobody
//! waits long for a refusal, and everything recovers without a restart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tocsin_platform::failure::received;
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_proto::dispatch::v1::ListAlertsRequest;
use tocsin_proto::intake::v1::GetReportRequest;
use tocsin_proto::notification::v1::ListNoticesRequest;
use tocsin_proto::triage::v1::ListCasesRequest;
use tocsin_tests::cast::Cast;
use tocsin_tests::clients::{Clients, bearing};
use tocsin_tests::installation::Installation;
use tocsin_tests::network::open;
use tocsin_tests::process::{Running, bootstrap_key, http, wait_until};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::{people, roster};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Accepted, Office, STEP_LIMIT, case_of, coverage_when, is_settled, submit};
use tocsin_tests::{Outcome, Trouble};
use tonic::{Code, Status};

use crate::canaries::Planter;

/// The longest that a caller may wait for a refusal.
const REFUSAL_LIMIT: Duration = Duration::from_secs(6);
/// How long everything may take to work again.
const RECOVERY_LIMIT: Duration = Duration::from_secs(45);

/// What comes and goes.
struct Dependencies {
    nats: NatsServer,
    database: PostgresServer,
}

/// A step of a sequence.
#[derive(Debug, Clone, Copy)]
enum Change {
    BusGoes,
    /// It loses its store, while it is away.
    BusIsWiped,
    BusComes,
    DatabaseGoes,
    DatabaseComes,
}

use Change::{BusComes, BusGoes, BusIsWiped, DatabaseComes, DatabaseGoes};

/// Every order in which both can be away together, and the broker losing its store on the way.
const SEQUENCES: [&[Change]; 4] = [
    &[BusGoes, DatabaseGoes, BusComes, DatabaseComes],
    &[DatabaseGoes, BusGoes, DatabaseComes, BusComes],
    &[BusGoes, DatabaseGoes, DatabaseComes, BusComes],
    &[DatabaseGoes, BusGoes, BusIsWiped, BusComes, DatabaseComes],
];

impl Dependencies {
    fn change(&mut self, change: Change) {
        match change {
            BusGoes => self.nats.stop(),
            BusIsWiped => self.nats.wipe(),
            BusComes => self.nats.start_again(),
            DatabaseGoes => self.database.stop(),
            DatabaseComes => self.database.start_again(),
        }
    }
}

/// A reporter who sends each report until it is accepted.
struct Reporter {
    stop: Arc<AtomicBool>,
    accepted: Arc<Mutex<Vec<Accepted>>>,
    task: tokio::task::JoinHandle<Outcome<()>>,
}

impl Reporter {
    fn start(installation: &Installation, report: &Value) -> Outcome<Self> {
        let (stop, accepted) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Accepted>>>::default());
        let url = format!("http://{}/v1/reports", installation.doors.intake.http);
        let (client, report) = (http()?, report.clone());
        let (stopped, kept) = (Arc::clone(&stop), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            for number in 0.. {
                let key = format!("steadfast-{number:06}");
                loop {
                    if stopped.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    let since = Instant::now();
                    let answer = client.post(&url).header("idempotency-key", &key).json(&report).send().await?;
                    match answer.status().as_u16() {
                        201 => {
                            let answer = answer.json().await?;
                            kept.lock().expect("nobody panics with it").push(answer);
                            break;
                        }
                        503 => check_refusal(answer, since.elapsed()).await?,
                        status => return Err(Trouble::new(format!("intake answered {status}"))),
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        });
        Ok(Self { stop, accepted, task })
    }

    fn count(&self) -> usize {
        self.accepted.lock().expect("nobody panics with it").len()
    }

    /// Waits until one more report is accepted.
    async fn goes_on(&self, limit: Duration) -> Outcome<()> {
        let before = self.count();
        wait_until("a report is accepted", limit, async || Ok((self.count() > before).then_some(()))).await
    }

    async fn end(self) -> Outcome<Vec<Accepted>> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(std::mem::take(&mut *self.accepted.lock().expect("nobody panics with it")))
    }
}

/// A refusal comes soon, says when to come again, and is a problem.
async fn check_refusal(answer: reqwest::Response, waited: Duration) -> Outcome<()> {
    ensure(waited < REFUSAL_LIMIT, || format!("a refusal took {waited:?}"))?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    ensure(header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), || {
        format!("no Retry-After: {:?}", answer.headers())
    })?;
    ensure_equal(header("content-type").as_deref(), Some("application/problem+json"), "the type of a refusal")?;
    let problem: Value = answer.json().await?;
    ensure_equal(&problem["retryable"], &Value::Bool(true), "whether to try again")
}

/// Every service refuses a verb soon and says when to come again.
async fn check_verbs_are_refused(clients: &Clients, cast: &Cast, receipt: &str) -> Outcome<()> {
    let (mut intake, mut cases) = (clients.intake.clone(), clients.cases.clone());
    let (mut alerts, mut notices) = (clients.alerts.clone(), clients.notices.clone());
    let key = &cast.coordinator;
    let report = GetReportRequest { receipt: receipt.to_owned() };
    refused("intake", async { intake.get_report(report).await.map(drop) }).await?;
    let request = bearing(key, ListCasesRequest::default())?;
    refused("triage", async { cases.list_cases(request).await.map(drop) }).await?;
    let request = bearing(key, ListAlertsRequest::default())?;
    refused("dispatch", async { alerts.list_alerts(request).await.map(drop) }).await?;
    let request = bearing(key, ListNoticesRequest::default())?;
    refused("notification", async { notices.list_notices(request).await.map(drop) }).await
}

async fn refused(service: &str, verb: impl Future<Output = Result<(), Status>>) -> Outcome<()> {
    let since = Instant::now();
    let Err(status) = verb.await else {
        return Err(Trouble::new(format!("{service} answered although its database is away")));
    };
    ensure_equal(status.code(), Code::Unavailable, &format!("{service} says {status:?}"))?;
    ensure(since.elapsed() < REFUSAL_LIMIT, || format!("{service} refused after {:?}", since.elapsed()))?;
    ensure(received(&status).retry_after.is_some(), || format!("{service} gives no RetryInfo: {status:?}"))
}

/// What the operator's routes say.
async fn check_operators_view(installation: &Installation, ready: bool) -> Outcome<()> {
    let client = http()?;
    for (service, door) in installation.doors.all() {
        let alive = client.get(format!("http://{}/livez", door.http)).send().await?.status();
        ensure_equal(alive.as_u16(), 200, &format!("the liveness of {service}"))?;
        let expected = if ready { 200 } else { 503 };
        wait_until(&format!("{service} is ready: {ready}"), RECOVERY_LIMIT, async || {
            let answer = client.get(format!("http://{}/readyz", door.http)).send().await?;
            Ok((answer.status().as_u16() == expected).then_some(()))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dependencies_come_and_go_in_any_order() -> Outcome<()> {
    let mut dependencies = Dependencies { nats: NatsServer::start(), database: PostgresServer::prepare().await };
    dependencies.database.start_again();
    let database = dependencies.database.create_database().await;
    let network = open(3, 2);
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let installation = Installation::distributed(&receivers, &database, &dependencies.nats.url(), &roster())?;
    let mut processes = Running::all(&installation).await?;
    let clients = Clients::of(&installation.doors)?;
    let cast = people(&clients, &bootstrap_key(&installation).await?, &network).await?;
    let mut planter = Planter::new("away");
    let scenario = planter.scenario("GREEN")?;
    let first = wait_until("a first report is taken", STEP_LIMIT, async || {
        submit(&http()?, &installation.doors, scenario.report()).await.map(Some)
    })
    .await?;
    case_of(&clients, &cast.coordinator, &first.report_id).await?;

    let reporter = Reporter::start(&installation, scenario.report())?;
    for sequence in SEQUENCES {
        let mut database_is_there = true;
        for change in sequence {
            dependencies.change(*change);
            database_is_there = match change {
                DatabaseGoes => false,
                DatabaseComes => true,
                BusGoes | BusIsWiped | BusComes => database_is_there,
            };
            let during = format!("{change:?} of {sequence:?}");
            let seen = async {
                check_operators_view(&installation, database_is_there).await?;
                if database_is_there {
                    // The bus may be away: what is accepted waits in the outbox.
                    reporter.goes_on(RECOVERY_LIMIT).await
                } else {
                    check_verbs_are_refused(&clients, &cast, &first.receipt).await
                }
            };
            seen.await.map_err(|trouble| trouble.during(&during))?;
        }
    }
    let accepted = reporter.end().await?;
    check_nothing_is_lost(&clients, &cast, &accepted).await?;
    check_an_alert_reaches_everybody(&clients, &cast, &scenario, &first, &receivers).await?;
    for (service, process) in &mut processes {
        ensure(process.is_alive(), || format!("{service} ended"))?;
    }
    Ok(())
}

async fn check_nothing_is_lost(clients: &Clients, cast: &Cast, accepted: &[Accepted]) -> Outcome<()> {
    ensure(accepted.len() > SEQUENCES.len(), || format!("only {} reports were accepted", accepted.len()))?;
    let mut ids: Vec<&str> = accepted.iter().map(|one| one.report_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    ensure_equal(ids.len(), accepted.len(), "different reports")?;
    for one in accepted {
        case_of(clients, &cast.coordinator, &one.report_id).await?;
    }
    Ok(())
}

async fn check_an_alert_reaches_everybody(
    clients: &Clients,
    cast: &Cast,
    scenario: &Scenario,
    first: &Accepted,
    receivers: &Receivers,
) -> Outcome<()> {
    let released = Office::of(clients, cast, &first.report_id).await?.release(scenario).await?;
    let what = "the fan-out settles";
    let coverage =
        coverage_when(clients, &cast.coordinator, &released.alert_id, what, RECOVERY_LIMIT, is_settled).await?;
    let arrived = |state: &str| matches!(state, "accepted" | "delivered");
    ensure(coverage.notices.iter().all(|notice| arrived(&notice.state)), || format!("{:?}", coverage.by_state))?;
    ensure(receivers.webhook.log().count() >= 6, || "webhooks are missing".to_owned())
}
