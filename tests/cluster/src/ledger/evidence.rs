//! What became of the promises, learned through the product's own doors, its databases and the receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use tocsin_proto::dispatch::v1::{GetCoverageRequest, GetCoverageResponse, NoticeProgress};
use tocsin_proto::intake::v1::GetReportRequest;
use tocsin_proto::triage::v1::GetCaseRequest;
use tocsin_tests::arrivals::{Arrivals, arrivals};
use tocsin_tests::clients::bearing;
use tocsin_tests::installation::SERVICES;
use tocsin_tests::process::wait_until;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::walk::{Accepted, is_settled};
use tocsin_tests::{Outcome, Trouble};

use super::houses::Houses;

/// How many questions are asked at the same time.
const AT_ONCE: usize = 16;
/// How long one question may be asked again.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was found when everything had come to rest.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The report of each case, as often as it has one.
    pub cases: Vec<String>,
    /// How many reports intake holds.
    pub reports: i64,
    /// How many answers each reporter can read, by report.
    pub answers: BTreeMap<String, usize>,
    /// The notices of each alert.
    pub notices: BTreeMap<String, Vec<NoticeProgress>>,
    /// What triage knows of the responses: alert, organisation, response.
    pub responses: BTreeSet<(String, String, String)>,
    /// Events that a consumer has not settled.
    pub owed: i64,
    /// Events that could not be taken.
    pub dead_letters: i64,
    /// What arrived at the receivers.
    pub arrivals: Arrivals,
}

/// Where evidence is found.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Clients of both processes, and the ledger.
    pub houses: &'a Houses,
    /// The coordinator's key.
    pub coordinator: &'a str,
    /// The database.
    pub database: &'a PgPool,
    /// The world outside.
    pub receivers: &'a Receivers,
}

impl Scene<'_> {
    /// Waits until nothing is owed and no notice moves any more. What does not come to rest is found by the judge.
    pub async fn rest(&self, limit: Duration) -> Outcome<Duration> {
        let started = std::time::Instant::now();
        let alerts: Vec<String> = self.houses.ledger.with(|promises| promises.released.keys().cloned().collect());
        let mut open = alerts;
        let waited = wait_until("everything comes to rest", limit, async || {
            if self.count("outbox_owed").await? > 0 || !self.members_are_done() {
                return Ok(None);
            }
            let mut moving = Vec::new();
            for alert in std::mem::take(&mut open) {
                if !self.coverage(&alert).await?.is_some_and(|coverage| is_settled(&coverage)) {
                    moving.push(alert);
                }
            }
            open = moving;
            Ok(open.is_empty().then_some(()))
        });
        // Running out of time is no error here: the judge names each promise that was not kept.
        let _ = waited.await;
        Ok(started.elapsed())
    }

    /// Whether every member was shown every alert and has answered it.
    fn members_are_done(&self) -> bool {
        self.houses.ledger.with(|promises| {
            let answered = |alert: &str, by: &str| promises.responses.iter().any(|one| one.0 == alert && one.1 == by);
            promises.shown.iter().all(|(organisation, shown)| {
                promises.released.keys().all(|alert| shown.contains(alert) && answered(alert, organisation))
            })
        })
    }

    /// Collects everything.
    pub async fn collect(&self) -> Outcome<Evidence> {
        let (accepted, released) = self.houses.ledger.with(|promises| {
            let accepted: Vec<Accepted> = promises.answers.accepted.values().cloned().collect();
            (accepted, promises.released.clone())
        });
        let mut evidence = Evidence {
            cases: sqlx::query_scalar("SELECT report_id::text FROM triage.cases").fetch_all(self.database).await?,
            reports: sqlx::query_scalar("SELECT count(*) FROM intake.reports").fetch_one(self.database).await?,
            owed: self.count("outbox_owed").await?,
            dead_letters: self.count("dead_letters").await?,
            answers: futures::stream::iter(accepted)
                .map(|accepted| self.answers(accepted))
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?,
            ..Evidence::default()
        };
        for (alert, known) in released {
            evidence.responses.extend(self.responses(&known.case_id).await?);
            let coverage = self.coverage(&alert).await?;
            evidence.notices.insert(alert, coverage.map(|coverage| coverage.notices).unwrap_or_default());
        }
        evidence.arrivals = arrivals(self.receivers);
        Ok(evidence)
    }

    /// The rows of a table in the schemas of all four services.
    async fn count(&self, table: &str) -> Outcome<i64> {
        let mut sum = 0;
        for service in SERVICES {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM {service}.{table}"));
            let rows: i64 = sqlx::query_scalar(sql).fetch_one(self.database).await?;
            sum += rows;
        }
        Ok(sum)
    }

    async fn answers(&self, accepted: Accepted) -> Outcome<(String, usize)> {
        let receipt = accepted.receipt.as_str();
        let asked = self
            .houses
            .ask(PATIENCE, |clients| async move {
                let request = GetReportRequest { receipt: receipt.to_owned() };
                Ok(clients.intake.clone().get_report(request).await)
            })
            .await?;
        Ok((accepted.report_id, asked.map(|report| report.answers.len()).unwrap_or_default()))
    }

    async fn coverage(&self, alert: &str) -> Outcome<Option<GetCoverageResponse>> {
        let asked = self
            .houses
            .ask(PATIENCE, |clients| async move {
                let request = GetCoverageRequest { alert: alert.to_owned(), notices: true };
                Ok(clients.alerts.clone().get_coverage(bearing(self.coordinator, request)?).await)
            })
            .await?;
        Ok(asked.ok())
    }

    async fn responses(&self, case: &str) -> Outcome<Vec<(String, String, String)>> {
        let asked = self
            .houses
            .ask(PATIENCE, |clients| async move {
                let request = GetCaseRequest { case: case.to_owned() };
                Ok(clients.cases.clone().get_case(bearing(self.coordinator, request)?).await)
            })
            .await?;
        let found = asked.map_err(|status| Trouble::from(status).during("a released case cannot be read"))?;
        let responses = found.responses.into_iter();
        Ok(responses.map(|one| (one.alert_id, one.organisation_id, one.response)).collect())
    }
}
