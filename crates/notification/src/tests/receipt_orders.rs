//! Whatever a gateway says, in whatever order and however often, and whenever the process dies: the end depends only on
//! what was said, no state regresses, and no notice is lost.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::EntityTrait;
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::database::Database;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_sinks::MailSink;
use tokio::sync::oneshot;

use super::harness::{Alert, Harness, PATIENCE};
use super::leases::another_process;
use crate::entity::notice;

/// What happens to a notice in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The gateway answers the attempt that is under way.
    Answer(Answer),
    /// A receipt of this type: 1 delivered, 2 failed, 4 buffered, 8 accepted, 16 rejected by the carrier.
    Receipt(&'static str),
    /// A receipt that means nothing.
    Malformed(&'static str),
    /// A receipt of somebody who was not given its address.
    Forged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Accepted,
    Queued,
    /// Two hundred, in words that we do not know.
    Unknown,
    Busy,
}

impl Answer {
    fn said(self) -> (StatusCode, &'static str) {
        match self {
            Self::Accepted => (StatusCode::ACCEPTED, "0: Accepted for delivery"),
            Self::Queued => (StatusCode::ACCEPTED, "3: Queued for later delivery"),
            Self::Unknown => (StatusCode::OK, "Sent."),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, ""),
        }
    }

    fn news(self) -> Option<NoticeState> {
        match self {
            Self::Accepted => Some(NoticeState::Accepted),
            Self::Queued | Self::Unknown => Some(NoticeState::HandedToGateway),
            Self::Busy => None,
        }
    }
}

fn news_of_receipt(kind: &str) -> NoticeState {
    match kind {
        "1" => NoticeState::Delivered,
        "4" => NoticeState::HandedToGateway,
        "8" => NoticeState::Accepted,
        _ => NoticeState::RejectedPermanent,
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let answer = prop::sample::select(vec![Answer::Accepted, Answer::Queued, Answer::Unknown, Answer::Busy]);
    let receipt = prop::sample::select(vec!["1", "1", "2", "4", "8", "16"]);
    let malformed = prop::sample::select(vec!["99", "%25d", "", "1x", "-1"]);
    prop_oneof![
        3 => answer.prop_map(Step::Answer),
        4 => receipt.prop_map(Step::Receipt),
        1 => malformed.prop_map(Step::Malformed),
        1 => Just(Step::Forged),
    ]
}

/// The same steps in two orders each, and after which of them the process dies.
#[derive(Debug, Clone)]
struct Story {
    scripts: Vec<Vec<Step>>,
    crashes: Vec<usize>,
}

const STEPS: usize = 5;

fn any_story() -> impl Strategy<Value = Story> {
    let script = prop::collection::vec(any_step(), STEPS);
    let both = script.prop_flat_map(|script| (Just(script.clone()), Just(script).prop_shuffle()));
    let crashes = prop::collection::vec(0..STEPS, 1..3);
    (prop::collection::vec(both, 12), crashes).prop_map(|(pairs, crashes)| Story {
        scripts: pairs.into_iter().flat_map(|(one, other)| [one, other]).collect(),
        crashes,
    })
}

/// An attempt that waits for its answer.
struct Arrival {
    receipt_url: String,
    answer: oneshot::Sender<Answer>,
}

type Arrivals = Arc<Mutex<HashMap<String, Vec<Arrival>>>>;

/// A gateway that answers when it is told, by telephone number.
async fn gateway() -> (SocketAddr, Arrivals) {
    let arrivals: Arrivals = Arc::default();
    let send = |State(arrivals): State<Arrivals>, Query(query): Query<HashMap<String, String>>| async move {
        let (answer, told) = oneshot::channel();
        let arrival = Arrival { receipt_url: query["dlr-url"].clone(), answer };
        arrivals.lock().unwrap().entry(query["to"].clone()).or_default().push(arrival);
        match told.await {
            Ok(answer) => answer.said(),
            Err(_) => std::future::pending().await,
        }
    };
    let router = axum::Router::new().route("/send", axum::routing::get(send)).with_state(Arc::clone(&arrivals));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, arrivals)
}

/// One notice as the test follows it.
struct Followed {
    contact_id: String,
    number: String,
    receipt_path: Option<String>,
    waiting: Option<oneshot::Sender<Answer>>,
    told: Vec<NoticeState>,
    strongest: NoticeState,
}

struct World {
    harness: Harness,
    database: Database,
    arrivals: Arrivals,
    client: reqwest::Client,
}

impl World {
    async fn row(&self, contact_id: &str) -> notice::Model {
        let rows = notice::Entity::find().all(self.database.reader()).await.unwrap();
        rows.into_iter().find(|row| row.contact_id == contact_id).unwrap()
    }

    /// Takes in the attempts that have arrived; the latest is the one that is under way.
    fn notice_arrivals(&self, followed: &mut Followed) {
        let arrived = self.arrivals.lock().unwrap().remove(&followed.number).unwrap_or_default();
        for arrival in arrived {
            let (door, path) = arrival.receipt_url.split_once("/receipts/").unwrap();
            // An attempt of a process that has died is nobody's any more; each process has a door of its own.
            if door != self.harness.http() {
                continue;
            }
            followed.receipt_path = Some(path.to_owned());
            followed.waiting = Some(arrival.answer);
        }
    }

    /// Waits for an attempt, if one will be made.
    async fn attempt(&self, followed: &mut Followed) -> Option<oneshot::Sender<Answer>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.notice_arrivals(followed);
            if let Some(waiting) = followed.waiting.take().filter(|waiting| !waiting.is_closed()) {
                return Some(waiting);
            }
            if self.row(&followed.contact_id).await.state != "queued" {
                return None;
            }
            assert!(tokio::time::Instant::now() < deadline, "{}: nothing is sent", followed.contact_id);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    async fn step(&self, followed: &mut Followed, step: Step) {
        match step {
            Step::Answer(answer) => {
                let Some(waiting) = self.attempt(followed).await else { return };
                let before = self.row(&followed.contact_id).await.attempts;
                if waiting.send(answer).is_err() {
                    return;
                }
                let recorded = async || self.row(&followed.contact_id).await.attempts > before;
                wait_until("the answer is recorded", PATIENCE, recorded).await;
                followed.told.extend(answer.news());
            }
            Step::Receipt(kind) => {
                if let Some(status) = self.say(followed, kind, true).await {
                    assert_eq!(status, 200);
                    followed.told.push(news_of_receipt(kind));
                }
            }
            Step::Malformed(kind) => assert!(matches!(self.say(followed, kind, true).await, None | Some(400))),
            Step::Forged => assert!(matches!(self.say(followed, "1", false).await, None | Some(404))),
        }
    }

    /// Gives a receipt; none while no attempt has told the address for it.
    async fn say(&self, followed: &mut Followed, kind: &str, authentic: bool) -> Option<u16> {
        if followed.receipt_path.is_none() {
            followed.waiting = self.attempt(followed).await;
        }
        let path = followed.receipt_path.as_ref()?.replace("%d", kind);
        let path = if authentic { path } else { path.replace("mac=", "mac=0") };
        let url = format!("{}/receipts/{path}", self.harness.http());
        Some(self.client.get(url).send().await.unwrap().status().as_u16())
    }

    /// Nothing has regressed, and what is queued has a next step.
    async fn check(&self, followed: &mut Followed) {
        let row = self.row(&followed.contact_id).await;
        let state: NoticeState = row.state.parse().unwrap();
        assert!(state >= followed.strongest, "{}: {} after {}", row.contact_id, state, followed.strongest);
        followed.strongest = state;
        assert!(state != NoticeState::Queued || row.next_at_ms.is_some(), "{} is lost", row.contact_id);
    }

    async fn settle(&self, followed: &mut Followed) {
        // What still moves is taken in the end.
        self.step(followed, Step::Answer(Answer::Accepted)).await;
        let expected = followed.told.iter().copied().fold(NoticeState::Queued, advance);
        let ended = async || self.row(&followed.contact_id).await.state == expected.as_str();
        let what = format!("{} ends as {expected} after {:?}", followed.contact_id, followed.told);
        wait_until(&what, PATIENCE, ended).await;
        let heard = || {
            let progress = self.harness.progress();
            progress.into_iter().find(|one| one.contact_id == followed.contact_id).map(|one| one.state)
        };
        let told = async || heard().as_deref() == Some(expected.as_str());
        wait_until("dispatch knows the same", PATIENCE, told).await;
    }
}

async fn play(story: Story) {
    let (address, arrivals) = gateway().await;
    let more = format!(
        "[notification.sms]\nin_flight_max = 100\nanswer_seconds = 25\n\
         [[only]]\nname = 'told'\nkind = 'kannel'\nusername = 'u'\nurl = 'http://{address}/send'\n\
         [notification.breaker]\nfailures_max = 1000\n\
         window_attempts_min = 1000\n[notification.retry]\nurgent_seconds = [0, 0, 0, 0, 0, 0, 0, 0]\n"
    );
    let mail = MailSink::start(std::time::Duration::ZERO).await.unwrap();
    let nowhere = mail.address();
    let harness = Harness::start_before(TestDatabase::sqlite(), &more, nowhere, mail).await;
    let contacts: Vec<_> =
        (1..).take(story.scripts.len()).map(|number| harness.contact("org-1", number, "en", &["sms"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.settled().await;
    let database = another_process(&harness).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut world = World { harness, database, arrivals, client };
    let follow = |contact: &tocsin_proto::notification::v1::Contact| Followed {
        contact_id: contact.contact_id.clone(),
        number: contact.phone.clone(),
        receipt_path: None,
        waiting: None,
        told: Vec::new(),
        strongest: NoticeState::Queued,
    };
    let mut followed: Vec<Followed> = contacts.iter().map(follow).collect();
    for number in 0..STEPS {
        for (one, script) in followed.iter_mut().zip(&story.scripts) {
            world.step(one, script[number]).await;
            world.check(one).await;
        }
        if story.crashes.contains(&number) {
            world.harness = world.harness.killed_and_started_again().await;
            for one in &mut followed {
                one.waiting = None;
                world.check(one).await;
            }
        }
    }
    for one in &mut followed {
        world.settle(one).await;
        world.check(one).await;
    }
}

#[test]
fn the_end_depends_only_on_what_was_said() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // A story takes seconds: the one that fails is told as it is.
    let mut runner =
        TestRunner::new(Config { cases: 6, failure_persistence: None, max_shrink_iters: 0, ..Config::default() });
    runner
        .run(&any_story(), |story| {
            runtime.block_on(play(story));
            Ok(())
        })
        .unwrap();
}
