//! The proof at the end: what was answered with success is there, happened once, and nothing is owed any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tocsin_proto::dispatch::v1::{GetCoverageRequest, WatchAlertsRequest};
use tocsin_proto::intake::v1::GetReportRequest;
use tocsin_tests::arrivals::{arrivals, recipient};
use tocsin_tests::installation::SERVICES;
use tocsin_tests::network::Network;
use tocsin_tests::process::wait_until;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::pages_of_cases;
use tocsin_tests::{Outcome, Trouble};

use super::clients::{People, ask_again};
use super::database::Tables;
use super::start;

/// The channels of each contact of the network.
const CHANNELS: [&str; 3] = ["email", "sms", "webhook"];
/// How long everything may take to come to rest.
const REST_LIMIT: Duration = Duration::from_mins(1);

impl People<'_> {
    /// Case ids with the report of each, in order.
    pub(super) async fn cases(&self) -> Outcome<Vec<(String, String)>> {
        let call = async |request| self.clients.cases.clone().list_cases(request).await;
        let ask = async |request| ask_again("listing cases", &self.cast.coordinator, request, call).await;
        let cases = pages_of_cases(ask).await?;
        let mut cases: Vec<_> = cases.into_iter().map(|case| (case.case_id, case.report_id)).collect();
        cases.sort();
        Ok(cases)
    }

    /// Every accepted report is a case, once, and no report that nobody made is one.
    pub(super) async fn prove_reports(&self) -> Outcome<usize> {
        let accepted: BTreeSet<String> = self.ledger.borrow().reports.values().cloned().collect();
        for report in &accepted {
            self.case_of(report).await?;
        }
        let cases = self.cases().await?;
        let found: BTreeSet<String> = cases.iter().map(|(_, report)| report.clone()).collect();
        ensure_equal(found.len(), cases.len(), "cases of different reports")?;
        ensure_equal(found, accepted, "reports that are cases")?;
        Ok(cases.len())
    }

    /// What reporters and the network said to each other stands where it should: each message once.
    pub(super) async fn prove_talk(&self) -> Outcome<()> {
        let (messages, answers) = (self.ledger.borrow().messages.clone(), self.ledger.borrow().answers.clone());
        for (report, text) in messages {
            wait_until("a message reaches its case", REST_LIMIT, async || {
                let found = self.look(&report).await?.messages;
                let count = found.iter().filter(|message| message.text == text).count();
                ensure(count <= 1, || format!("one message stands {count} times in its case"))?;
                Ok((count == 1).then_some(()))
            })
            .await?;
        }
        for (report, text) in answers {
            let receipt = self.ledger.borrow().receipts.get(&report).cloned().unwrap_or_default();
            wait_until("an answer reaches its reporter", REST_LIMIT, async || {
                let request = GetReportRequest { receipt: receipt.clone() };
                let call = async |request| self.clients.intake.clone().get_report(request).await;
                let found = ask_again("reading answers", "", request, call).await?.answers;
                Ok(found.iter().any(|answer| answer.text == text).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Every alert reached everybody, at most once between two crashes; returns the repeats.
    pub(super) async fn prove_alerts(
        &self,
        receivers: &Receivers,
        network: &Network,
        lives: &[Instant],
    ) -> Outcome<usize> {
        let (mut repeats, arrivals) = (0, arrivals(receivers));
        let life = |at: &Instant| lives.iter().filter(|begun| *begun <= at).count();
        let contacts = network.contacts();
        let recipients = contacts.iter().flat_map(|contact| CHANNELS.map(|channel| recipient(contact, channel)));
        let recipients: Vec<String> = recipients.collect();
        let released = self.ledger.borrow().released.clone();
        for alert in &released {
            self.prove_answers(&alert.alert_id, &alert.case).await?;
            for recipient in &recipients {
                let moments = arrivals.get(&(alert.short_code.clone(), recipient.clone()));
                let moments = moments.ok_or_else(|| Trouble::new(format!("an alert never arrived at {recipient}")))?;
                let lives: BTreeSet<usize> = moments.iter().map(life).collect();
                ensure_equal(lives.len(), moments.len(), &format!("lives that sent one alert to {recipient}"))?;
                repeats += moments.len() - 1;
            }
        }
        let codes: BTreeSet<_> = arrivals.keys().map(|(code, _)| code.clone()).collect();
        let known: BTreeSet<_> = released.iter().map(|alert| alert.short_code.clone()).collect();
        let strangers: Vec<_> = codes.difference(&known).collect();
        // Pages carry the code of their case, not of an alert, and go to staff alone.
        for ((code, recipient), _) in arrivals.iter().filter(|((code, _), _)| strangers.contains(&code)) {
            ensure(recipient.contains("@staff.example"), || format!("{recipient} got {code}, which nobody released"))?;
        }
        self.prove_feed(&known).await?;
        Ok(repeats)
    }

    async fn prove_answers(&self, alert: &str, case: &str) -> Outcome<()> {
        let acknowledged = self.ledger.borrow().acknowledged.iter().any(|(one, _)| one == alert);
        let stopped = self.ledger.borrow().stopped.iter().any(|one| one == case);
        wait_until("coverage and case show what was answered", REST_LIMIT, async || {
            let request = GetCoverageRequest { alert: alert.to_owned(), notices: false };
            let call = async |request| self.clients.alerts.clone().get_coverage(request).await;
            let coverage = ask_again("reading coverage", &self.cast.coordinator, request, call).await?;
            let answered = coverage.organisations.iter().any(|one| one.response == "acknowledged");
            let ended = coverage.alert.is_some_and(|alert| alert.state == "withdrawn");
            let told = self.look(case).await?.responses.iter().filter(|one| one.response == "acknowledged").count();
            let as_answered = answered == acknowledged && told == usize::from(acknowledged) && (ended || !stopped);
            Ok(as_answered.then_some(()))
        })
        .await
    }

    /// A reader that begins at the beginning finds every alert once, in its last form.
    async fn prove_feed(&self, codes: &BTreeSet<String>) -> Outcome<()> {
        let call = async |request| self.clients.alerts.clone().watch_alerts(request).await;
        let mut feed =
            ask_again("watching", &self.delegate, WatchAlertsRequest { cursor: String::new() }, call).await?;
        let mut seen = BTreeMap::new();
        while seen.len() < codes.len() {
            let next = tokio::time::timeout(REST_LIMIT, feed.message()).await;
            let entry = next.map_err(|_| Trouble::new(format!("the feed ends after {} alerts", seen.len())))??;
            let alert = entry.and_then(|entry| entry.alert).ok_or_else(|| Trouble::new("the feed ended"))?;
            *seen.entry(alert.short_code).or_insert(0_usize) += 1;
        }
        ensure_equal(seen.keys().cloned().collect(), codes.clone(), "alerts in the feed")?;
        ensure(seen.values().all(|count| *count == 1), || format!("the feed repeats alerts: {seen:?}"))
    }

    /// Keys that were issued open doors, keys that were revoked open none.
    pub(super) async fn prove_keys(&self) -> Outcome<()> {
        let (keys, revoked) = (self.ledger.borrow().keys.clone(), self.ledger.borrow().revoked.clone());
        for secret in keys.iter().chain(&revoked) {
            let refused = start::is_refused(&self.clients, secret).await?;
            ensure_equal(refused, revoked.contains(secret), "whether a key is refused")?;
        }
        Ok(())
    }
}

/// In no outbox is anything owed, no event is in custody, no notice and no alarm is due.
pub(super) async fn prove_rest(tables: &Tables) -> Outcome<()> {
    for service in SERVICES {
        for (table, what) in [("outbox_owed", "owed"), ("dead_letters", "in custody")] {
            wait_until(&format!("nothing is {what} in {service}"), REST_LIMIT, async || {
                let count = tables.count(service, &format!("SELECT count(*) FROM {table}")).await?;
                Ok((count == 0).then_some(()))
            })
            .await?;
        }
    }
    let moving = "SELECT count(*) FROM notices WHERE next_at_ms IS NOT NULL";
    wait_until("no notice moves", REST_LIMIT, async || {
        Ok((tables.count("notification", moving).await? == 0).then_some(()))
    })
    .await
}
