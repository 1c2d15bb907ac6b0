//! Accepted means durable, as the kernel sees it: between reading a report and writing the 201, the database's log was
//! synced. `kill -9` cannot show that, because what was only written survives it; so strace watches the system calls.

mod trace;

use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::installation::Installation;
use tocsin_tests::network::open;
use tocsin_tests::process::{Running, http, wait_until};
use tocsin_tests::program::fixture_json;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::{Stage, roster};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{STEP_LIMIT, submit};
use tocsin_tests::{Outcome, Trouble};

use trace::{Call, Trace};

/// Reports whose acceptance is watched.
const REPORTS: usize = 20;

/// Submits reports one after the other while the processes are watched.
async fn watched(pids: &[u32], installation: &Installation) -> Outcome<Option<Vec<Call>>> {
    let Some(trace) = Trace::attach(pids, &installation.folder().join("trace")).await? else {
        eprintln!("processes may not be traced here: that a sync comes before each answer was not looked at");
        return Ok(None);
    };
    let scenario = fixture_json("scenarios/workshop-detention.json")?;
    let client = http()?;
    for _ in 0..REPORTS {
        submit(&client, &installation.doors, &scenario["report"]).await?;
    }
    trace.finish().await.map(Some)
}

/// Every answer was written after a sync that ended after its request had been read. `is_log` says of a file whether
/// it is the log that has to be synced.
fn check(calls: &[Call], is_log: impl Fn(&str) -> bool) -> Outcome<()> {
    let mut accepted = 0;
    let mut read_at = None;
    for (index, call) in calls.iter().enumerate() {
        if call.is_input() && call.text.contains("POST /v1/reports") {
            ensure(read_at.is_none(), || format!("a second request was read before the first was answered: {call:?}"))?;
            read_at = Some(index);
        } else if call.is_output() && call.text.contains("HTTP/1.1 201") {
            let from = read_at.take().ok_or_else(|| Trouble::new("an answer without a request"))?;
            let between = calls.get(from..index).unwrap_or_default();
            let synced = between.iter().any(|call| call.is_finished_sync() && is_log(&call.text));
            ensure(synced, || {
                let list: Vec<_> = between.iter().map(|call| format!("{call:?}")).collect();
                format!("answer {accepted} was written before its sync:\n{}", list.join("\n"))
            })?;
            accepted += 1;
        }
    }
    ensure_equal(accepted, REPORTS, "answers of 201 that the trace shows")
}

/// The check, which has eyes: without the syncs of that log it finds the first answer wanting.
fn check_with_eyes(calls: Vec<Call>, is_log: impl Fn(&str) -> bool + Copy) -> Outcome<()> {
    check(&calls, is_log)?;
    let without: Vec<Call> =
        calls.into_iter().filter(|call| !(call.is_finished_sync() && is_log(&call.text))).collect();
    ensure(check(&without, is_log).is_err(), || "answers without a sync were not noticed".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_syncs_its_log_before_each_answer() -> Outcome<()> {
    let stage = Stage::raise(open(1, 1), "").await?;
    let Some(calls) = watched(&[stage.process.pid()], &stage.installation).await? else { return Ok(()) };
    let is_log = |text: &str| text.contains("intake.sqlite-wal");
    check_with_eyes(calls, is_log)
}

/// The server and the processes that it has started; what it starts later, strace follows.
fn processes_of(server: &PostgresServer) -> Outcome<Vec<u32>> {
    let file = std::fs::read_to_string(server.folder().join("data/postmaster.pid"))?;
    let postmaster: u32 = file.lines().next().unwrap_or_default().trim().parse()?;
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
    let children = children.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    Ok([vec![postmaster], children].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_syncs_its_log_before_each_answer() -> Outcome<()> {
    let mut server = PostgresServer::prepare().await;
    // The servers of other tests need not survive a power cut.
    server.configure("fsync=on");
    server.start_again();
    let nats = NatsServer::start();
    let receivers = Receivers::start(Vec::new()).await?;
    let database = server.create_database().await;
    let installation = Installation::distributed(&receivers, &database, &nats.url(), &roster())?;
    let (mut triage, mut intake) = (Running::serve(&installation, "triage")?, Running::serve(&installation, "intake")?);
    triage.ready().await?;
    intake.ready().await?;
    let scenario = fixture_json("scenarios/workshop-detention.json")?;
    wait_until("a first report is taken", STEP_LIMIT, async || {
        submit(&http()?, &installation.doors, &scenario["report"]).await.map(Some)
    })
    .await?;
    // Nobody else shall commit meanwhile.
    triage.kill()?;
    let watched_pids = [vec![intake.pid()], processes_of(&server)?].concat();
    let Some(calls) = watched(&watched_pids, &installation).await? else { return Ok(()) };
    let is_log = |text: &str| text.contains("/pg_wal/");
    check_with_eyes(calls, is_log)
}
