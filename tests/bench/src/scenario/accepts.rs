//! S3: how many sealed reports a second are accepted durably, 64 in flight, over HTTP and over gRPC.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use tocsin_proto::intake::v1::SubmitReportRequest;
use tocsin_proto::intake::v1::intake_service_client::IntakeServiceClient;
use tocsin_tests::clients::channel;
use tonic::transport::Channel;

use crate::bell::Bell;
use crate::floor::{log, sqlite};
use crate::network::members;
use crate::statistics::{median, percentile};
use crate::table::{Better, Bound, Row};

const IN_FLIGHT: usize = 64;
/// Connections that the calls of gRPC share.
const GRPC_CONNECTIONS: usize = 4;
const TIME: Duration = Duration::from_secs(5);

/// What one door reached in one round.
pub(super) struct Reached {
    pub(super) per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

#[derive(Default)]
struct Rounds {
    http: Vec<f64>,
    http_p99: Vec<f64>,
    grpc: Vec<f64>,
    grpc_p99: Vec<f64>,
    commits: Vec<f64>,
    log: Vec<f64>,
    log_p99: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let report = crate::report::fixture()?;
    let mut all = Rounds::default();
    for round in 1..=rounds {
        eprintln!("S3 round {round} of {rounds}");
        all.commits.push(sqlite::commits_per_second(folder.path(), TIME).await?);
        let sealing = log::append(folder.path(), IN_FLIGHT, TIME).await?;
        eprintln!(
            "  sealing log: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
            sealing.per_second, sealing.p50_ms, sealing.p99_ms
        );
        all.log.push(sealing.per_second);
        all.log_p99.push(sealing.p99_ms);
        // A fresh installation for each door, so that neither pays for the cases of the other.
        let bell = Bell::hang(members(1, "email")).await?;
        let over_http = http(&bell, &report).await?;
        drop(bell);
        let bell = Bell::hang(members(1, "email")).await?;
        let over_grpc = grpc(&bell, &report).await?;
        for (door, reached) in [("HTTP", &over_http), ("gRPC", &over_grpc)] {
            eprintln!(
                "  {door}: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
                reached.per_second, reached.p50_ms, reached.p99_ms
            );
        }
        all.http.push(over_http.per_second);
        all.http_p99.push(over_http.p99_ms);
        all.grpc.push(over_grpc.per_second);
        all.grpc_p99.push(over_grpc.p99_ms);
    }
    Ok(rows(&all))
}

fn rows(all: &Rounds) -> Vec<Row> {
    let rate =
        |what: &str, figures: &[f64], against: &str, reference: &[f64], due: Option<f64>, goal: Option<f64>| Row {
            scenario: "S3",
            what: format!("durable accepts over {what}, 1/s"),
            figure: median(figures),
            against: against.to_owned(),
            reference: median(reference),
            better: Better::More,
            bound: Bound { due, goal },
        };
    let tail = |what: &str, figures: &[f64]| Row {
        scenario: "S3",
        what: format!("p99 over {what}, ms"),
        figure: median(figures),
        against: "group-commit log that seals, p99".to_owned(),
        reference: median(&all.log_p99),
        better: Better::Less,
        bound: Bound { due: None, goal: Some(2.0) },
    };
    let (commits, log) = ("one-row SQLite commits", "group-commit log that seals");
    vec![
        rate("HTTP", &all.http, commits, &all.commits, Some(0.5), None),
        rate("gRPC", &all.grpc, commits, &all.commits, Some(0.5), None),
        rate("HTTP", &all.http, log, &all.log, None, Some(0.6)),
        rate("gRPC", &all.grpc, log, &all.log, None, Some(0.6)),
        tail("HTTP", &all.http_p99),
        tail("gRPC", &all.grpc_p99),
    ]
}

pub(super) async fn http(bell: &Bell, report: &Value) -> Result<Reached> {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(IN_FLIGHT).build()?;
    let url = format!("http://{}/v1/reports", bell.installation.doors.intake.http);
    let body = bytes::Bytes::from(serde_json::to_vec(report)?);
    in_flight(|| {
        let (client, url, body) = (client.clone(), url.clone(), body.clone());
        async move {
            let request = client.post(url).header("content-type", "application/json").body(body);
            let answer = request.header("idempotency-key", uuid::Uuid::now_v7().to_string()).send().await?;
            anyhow::ensure!(answer.status() == reqwest::StatusCode::CREATED, "intake answered {}", answer.status());
            answer.bytes().await?;
            Ok(())
        }
    })
    .await
}

pub(super) async fn grpc(bell: &Bell, report: &Value) -> Result<Reached> {
    let door = bell.installation.doors.intake;
    let mut channels: Vec<Channel> = Vec::new();
    for _ in 0..GRPC_CONNECTIONS {
        channels.push(channel(door).map_err(|trouble| anyhow::anyhow!("{}", trouble.text()))?);
    }
    let message = crate::report::message(report);
    let next = std::sync::atomic::AtomicUsize::new(0);
    in_flight(|| {
        let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % GRPC_CONNECTIONS;
        let channel = channels.get(place).cloned();
        let request =
            SubmitReportRequest { report: Some(message.clone()), idempotency_key: uuid::Uuid::now_v7().to_string() };
        async move {
            let channel = channel.context("a connection")?;
            IntakeServiceClient::new(channel).submit_report(request).await?;
            Ok(())
        }
    })
    .await
}

/// Keeps `IN_FLIGHT` calls under way for the time of a round.
async fn in_flight<Call, Calling>(call: Call) -> Result<Reached>
where
    Call: Fn() -> Calling,
    Calling: Future<Output = Result<()>>,
{
    let started = Instant::now();
    let callers = (0..IN_FLIGHT).map(|_| async {
        let mut waits = Vec::new();
        while started.elapsed() < TIME {
            let sent = Instant::now();
            call().await?;
            waits.push(sent.elapsed().as_secs_f64() * 1000.0);
        }
        anyhow::Ok(waits)
    });
    let waits: Vec<f64> = futures::future::try_join_all(callers).await?.into_iter().flatten().collect();
    let elapsed = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let per_second = waits.len() as f64 / elapsed;
    Ok(Reached { per_second, p50_ms: percentile(&waits, 0.5), p99_ms: percentile(&waits, 0.99) })
}
