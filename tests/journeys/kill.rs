//! `kill -9` of `tocsin up` at random moments during submits and fan-outs, again and again on the same folder: what was
//! answered with success is never lost, and each crash repeats at most one message to a recipient.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tocsin_tests::answers::{Answers, report_once};
use tocsin_tests::arrivals::{arrivals, recipient};
use tocsin_tests::network::open;
use tocsin_tests::process::wait_until;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Office, all_cases, coverage_when, is_settled};
use tocsin_tests::{Outcome, Trouble};

const ROUNDS: usize = 50;
/// Reporters that submit at the same time.
const REPORTERS: usize = 4;
/// A reporter's pause between two reports, so that the rounds stay short.
const PAUSE: Duration = Duration::from_millis(5);
/// The longest time from the release of a round to its kill.
const KILL_AFTER_MS_MAX: u64 = 500;
/// A notice that a killed process had claimed is free again after its lease of 30 s; then comes its next attempt.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);

/// Reporters who go on until told to stop.
struct Reporters {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Reporters {
    fn start(stage: &Stage, report: &Value, answers: &Arc<Mutex<Answers>>, round: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("http://{}/v1/reports", stage.installation.doors.intake.http);
        let tasks = (0..REPORTERS)
            .map(|number| {
                let (stop, answers, report) = (Arc::clone(&stop), Arc::clone(answers), report.clone());
                let (url, client) = (url.clone(), stage.http.clone());
                tokio::spawn(async move {
                    for count in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        let again = answers.lock().expect("no reporter panics").unanswered.pop_first();
                        let key = again.unwrap_or_else(|| format!("kill-{round}-{number}-{count}"));
                        let answered = report_once(&client, &url, &report, &key).await;
                        answers.lock().expect("no reporter panics").note(key, answered);
                        tokio::time::sleep(PAUSE).await;
                    }
                })
            })
            .collect();
        Self { stop, tasks }
    }

    async fn end(self) -> Outcome<()> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await?;
        }
        Ok(())
    }
}

/// An alert of one round.
struct Released {
    alert_id: String,
    short_code: String,
    /// In which life of the process it was released.
    life: usize,
}

/// The whole trial.
struct Trial {
    stage: Stage,
    scenario: Scenario,
    random: StdRng,
    answers: Arc<Mutex<Answers>>,
    /// When each life of the process after the first began.
    lives: Vec<Instant>,
    /// Cases that are approved; their release may or may not have been answered.
    approved: Vec<(String, usize)>,
}

impl Trial {
    /// Prepares a case up to its approvals, releases it while reporters submit, and kills at a random moment.
    async fn round(&mut self, round: usize) -> Outcome<()> {
        let accepted = self.stage.submit(self.scenario.report()).await?;
        let office = self.stage.office(&accepted).await?;
        office.prepare(&self.scenario).await?;
        office.draft_and_approve(self.scenario.draft()).await?;
        self.approved.push((accepted.report_id.clone(), round));
        let reporters = Reporters::start(&self.stage, self.scenario.report(), &self.answers, round);
        let kill_after = Duration::from_millis(self.random.random_range(0..KILL_AFTER_MS_MAX));
        let release = office.ask_release(false);
        // The answer may be cut off by the kill; what became of it is asked later.
        let _ = tokio::time::timeout(kill_after, async { (release.await, std::future::pending::<()>().await) }).await;
        self.stage.process.kill()?;
        reporters.end().await?;
        self.lives.push(Instant::now());
        self.stage.start_again().await
    }

    /// Releases what was not released before its kill, and names every alert.
    async fn released(&self) -> Outcome<Vec<Released>> {
        let mut all = Vec::new();
        for (report_id, life) in &self.approved {
            let office = Office::of(&self.stage.clients, &self.stage.cast, report_id).await?;
            let mut life = *life;
            if office.look().await?.alerts.is_empty() {
                let answer = office.ask_release(false).await?;
                ensure(answer.released, || format!("after the restart the gate refused: {:?}", answer.refusals))?;
                life = self.lives.len();
            }
            let alerts = office.look().await?.alerts;
            ensure_equal(alerts.len(), 1, "alerts of one approved draft")?;
            let alert = &alerts[0];
            all.push(Released { alert_id: alert.alert_id.clone(), short_code: alert.short_code.clone(), life });
        }
        Ok(all)
    }

    /// Every report answered 201 is a case, once.
    async fn check_reports(&self) -> Outcome<usize> {
        let expected: BTreeSet<String> = {
            let answers = self.answers.lock().expect("no reporter panics");
            ensure(answers.refused.is_empty(), || format!("good reports were refused: {:?}", answers.refused))?;
            ensure(answers.contradictions.is_empty(), || {
                format!("one key, two reports: {:?}", answers.contradictions)
            })?;
            answers.accepted.values().map(|accepted| accepted.report_id.clone()).collect()
        };
        let mut missing = 0;
        let waited = wait_until("every accepted report becomes a case", SETTLE_LIMIT, async || {
            let cases = all_cases(&self.stage.clients, &self.stage.cast.coordinator).await?;
            let found: BTreeSet<_> = cases.iter().map(|case| case.report_id.clone()).collect();
            ensure_equal(found.len(), cases.len(), "cases of different reports")?;
            missing = expected.difference(&found).count();
            Ok((missing == 0).then_some(()))
        });
        waited.await.map_err(|trouble| {
            trouble.during(&format!("{missing} of {} accepted reports are missing", expected.len()))
        })?;
        Ok(expected.len())
    }

    /// In which life of the process something arrived.
    fn life(&self, at: Instant) -> usize {
        self.lives.iter().filter(|begun| **begun <= at).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_by_kill_9() -> Outcome<()> {
    let rounds = from_environment("TOCSIN_KILL_ROUNDS").unwrap_or(ROUNDS as u64);
    let seed = from_environment("TOCSIN_KILL_SEED").unwrap_or_else(rand::random);
    println!("kill -9: {rounds} rounds, seed {seed} (TOCSIN_KILL_SEED={seed} repeats the moments)");
    let mut scenario = Scenario::for_today()?;
    scenario.0["report"]["country"] = json!("XB");
    let mut trial = Trial {
        stage: Stage::raise(open(14, 3), "\n[telemetry]\nlevel = \"warn\"\n").await?,
        scenario,
        random: StdRng::seed_from_u64(seed),
        answers: Arc::default(),
        lives: Vec::new(),
        approved: Vec::new(),
    };
    let started = Instant::now();
    for round in 0..usize::try_from(rounds)? {
        trial.round(round).await.map_err(|trouble| trouble.during(&format!("seed {seed}, round {round}")))?;
    }
    let killed_for = started.elapsed();
    check(&trial, killed_for).await.map_err(|trouble| trouble.during(&format!("seed {seed}")))
}

async fn check(trial: &Trial, killed_for: Duration) -> Outcome<()> {
    let started = Instant::now();
    let reports = trial.check_reports().await?;
    let alerts = trial.released().await?;
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for alert in &alerts {
        let coordinator = &trial.stage.cast.coordinator;
        let what = format!("the fan-out of the alert released in life {} settles", alert.life);
        let coverage =
            coverage_when(&trial.stage.clients, coordinator, &alert.alert_id, &what, SETTLE_LIMIT, is_settled).await?;
        for notice in &coverage.notices {
            *states.entry(notice.state.clone()).or_default() += 1;
        }
    }
    let undelivered: Vec<_> =
        states.keys().filter(|state| !matches!(state.as_str(), "accepted" | "delivered")).collect();
    ensure(undelivered.is_empty(), || format!("notices ended otherwise than delivered: {states:?}"))?;
    let arrivals = arrivals(&trial.stage.receivers);
    let recipients = expected_recipients(&trial.stage);
    let mut repeats = 0;
    for alert in &alerts {
        for recipient in &recipients {
            let arrived = arrivals.get(&(alert.short_code.clone(), recipient.clone())).ok_or_else(|| {
                Trouble::new(format!("the alert released in life {} never arrived at {recipient}", alert.life))
            })?;
            let lives: Vec<_> = arrived.iter().map(|at| trial.life(*at)).collect();
            let distinct: BTreeSet<_> = lives.iter().collect();
            ensure(distinct.len() == lives.len(), || {
                format!("{recipient} got one alert twice without a crash between: {lives:?}")
            })?;
            repeats += lives.len() - 1;
        }
    }
    println!(
        "kill -9 | rounds {} | reports {reports} | alerts {} | notices {} {states:?} | repeats {repeats} | rounds {:.0} s | settled in {:.0} s",
        trial.lives.len(),
        alerts.len(),
        alerts.len() * recipients.len(),
        killed_for.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    );
    Ok(())
}

fn expected_recipients(stage: &Stage) -> Vec<String> {
    let contacts = stage.network.contacts();
    contacts.iter().flat_map(|contact| contact.channels.iter().map(|channel| recipient(contact, channel))).collect()
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
