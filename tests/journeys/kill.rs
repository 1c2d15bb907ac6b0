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
use tocsin_proto::triage::v1::{ListCasesRequest, ListCasesResponse};
use tocsin_tests::clients::bearing;
use tocsin_tests::mail::header;
use tocsin_tests::network::open;
use tocsin_tests::process::wait_until;
use tocsin_tests::program::fixture_json;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Office, coverage_when, is_settled};
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

/// What the reporters were answered.
#[derive(Default)]
struct Answers {
    /// Idempotency key and report id.
    accepted: BTreeMap<String, String>,
    /// Keys whose answer never came; they are sent again.
    unanswered: BTreeSet<String>,
    /// Keys that were answered twice, with different ids.
    contradictions: Vec<String>,
    refused: Vec<String>,
}

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
                        report_once(&client, &url, &report, key, &answers).await;
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

async fn report_once(client: &reqwest::Client, url: &str, report: &Value, key: String, answers: &Mutex<Answers>) {
    let sent = client.post(url).header("idempotency-key", &key).json(report).send().await;
    let status = sent.as_ref().ok().map(reqwest::Response::status);
    let body: Option<Value> = match sent {
        Ok(answer) => answer.json().await.ok(),
        Err(_) => None,
    };
    let mut answers = answers.lock().expect("no reporter panics");
    match (status.map(|status| status.as_u16()), body) {
        (Some(201), Some(body)) => {
            let id = body["report_id"].as_str().unwrap_or_default().to_owned();
            if answers.accepted.get(&key).is_some_and(|earlier| *earlier != id) {
                answers.contradictions.push(key.clone());
            }
            answers.accepted.insert(key, id);
        }
        // Away, draining or cut off in the middle: nothing was promised.
        (None | Some(201 | 409 | 503), _) => {
            answers.unanswered.insert(key);
        }
        (Some(status), body) => answers.refused.push(format!("{status}: {}", body.unwrap_or_default())),
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
            answers.accepted.values().cloned().collect()
        };
        let mut missing = 0;
        let waited = wait_until("every accepted report becomes a case", SETTLE_LIMIT, async || {
            let cases = self.cases().await?;
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

    async fn cases(&self) -> Outcome<Vec<tocsin_proto::triage::v1::CaseSummary>> {
        let mut cases = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListCasesRequest { page_size: 200, page_token, state: String::new() };
            let request = bearing(&self.stage.cast.coordinator, request)?;
            let ListCasesResponse { cases: page, next_page_token } =
                self.stage.clients.cases.clone().list_cases(request).await?.into_inner();
            cases.extend(page);
            if next_page_token.is_empty() {
                return Ok(cases);
            }
            page_token = next_page_token;
        }
    }

    /// How often each message arrived: alert, recipient on a channel, and the life of the process that sent it.
    fn arrivals(&self) -> BTreeMap<(String, String), Vec<usize>> {
        let mut arrivals: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        let life = |at: Instant| self.lives.iter().filter(|begun| **begun <= at).count();
        let mut note = |code: Option<String>, recipient: String, at: Instant| {
            if let Some(code) = code {
                arrivals.entry((code, recipient)).or_default().push(life(at));
            }
        };
        for mail in self.stage.receivers.mail.log().all() {
            let subject = header(&mail.item.data, "subject").unwrap_or_default();
            note(short_code_in(&subject), format!("email {}", mail.item.to.join(",")), mail.at);
        }
        for sms in self.stage.receivers.sms.log().all() {
            note(short_code_in(&sms.item.text), format!("sms {}", sms.item.to), sms.at);
        }
        for hook in self.stage.receivers.webhook.log().all() {
            let body: Value = serde_json::from_slice(&hook.item.body).unwrap_or_default();
            let code = body["data"]["short_code"].as_str().map(str::to_owned);
            note(code, format!("webhook {}{}", hook.item.host, hook.item.path), hook.at);
        }
        arrivals
    }
}

/// A short code as `A7F3-K2C` in a text.
fn short_code_in(text: &str) -> Option<String> {
    let is_code = |word: &&str| {
        word.len() == 8
            && word.bytes().enumerate().all(|(index, byte)| {
                if index == 4 { byte == b'-' } else { byte.is_ascii_uppercase() || byte.is_ascii_digit() }
            })
    };
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .find(is_code)
        .map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_by_kill_9() -> Outcome<()> {
    let rounds = from_environment("TOCSIN_KILL_ROUNDS").unwrap_or(ROUNDS as u64);
    let seed = from_environment("TOCSIN_KILL_SEED").unwrap_or_else(rand::random);
    println!("kill -9: {rounds} rounds, seed {seed} (TOCSIN_KILL_SEED={seed} repeats the moments)");
    let mut scenario = fixture_json("scenarios/workshop-detention.json")?;
    scenario["report"]["country"] = json!("XB");
    // The journey runs on today's clock, on which the fixture's date has passed.
    scenario["report"]["adversary_date"] = Value::Null;
    let mut trial = Trial {
        stage: Stage::raise(open(14, 3), "\n[telemetry]\nlevel = \"warn\"\n").await?,
        scenario: Scenario(scenario),
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
    let arrivals = trial.arrivals();
    let recipients = expected_recipients(&trial.stage);
    let mut repeats = 0;
    for alert in &alerts {
        for recipient in &recipients {
            let lives = arrivals.get(&(alert.short_code.clone(), recipient.clone())).ok_or_else(|| {
                Trouble::new(format!("the alert released in life {} never arrived at {recipient}", alert.life))
            })?;
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
    stage
        .network
        .contacts()
        .into_iter()
        .flat_map(|contact| {
            let hook = contact.webhook.trim_start_matches("https://").to_owned();
            [format!("email {}", contact.email), format!("sms {}", contact.phone), format!("webhook {hook}")]
        })
        .collect()
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
