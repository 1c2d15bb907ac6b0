//! One attempt by SMS: what is about to be sent is written first, and what became of it after, each in one transaction
//! for all attempts of the moment.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::database::{Database, agreed_now};
use tocsin_platform::fail_points::reach;
use tocsin_platform::group_commit::GroupCommit;
use tocsin_platform::lifecycle::Tasks;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout_at};
use tracing::warn;
use uuid::Uuid;

use super::book;
use super::ledger::{self, Choice, Patience, Standing, Usable};
use super::spend::Spent;
use super::{MessageId, pause, phone};
use crate::channel::{Attempted, Outcome, SmsMessage};
use crate::config::{GatewayConfig, NotificationConfig, SmsConfig};
use crate::contact::Recipient;
use crate::engine::Ready;
use crate::entity::notice;
use crate::entity::sms::{submission, suppression};
use crate::office::Office;
use crate::render::segments::segments;
use crate::render::sms;

/// Attempts in one transaction.
const BATCH_MAX: usize = 128;

/// How often the end of a send is tried to be written; with the pauses between, well within a lease.
const RECORD_TRIES_MAX: u32 = 10;
/// The pause after a transaction that failed.
const RECORD_PAUSE: Duration = Duration::from_millis(500);

/// How soon a notice whose attempt is being made is looked at again, in milliseconds.
const ATTEMPT_MS: i64 = 5_000;

/// Attempts that may be open for each request that may be in flight: while some are written before and after, others are
/// sent, and more of them are written together.
pub(crate) const OPEN_A_REQUEST: usize = 3;
/// Whoever waited longer for a request looks whether the notice was withdrawn meanwhile.
const TURN_LONG: Duration = Duration::from_millis(250);

/// What a desk needs of the service.
#[derive(Debug, Clone)]
struct Room {
    database: Database,
    clock: Clock,
    config: SmsConfig,
    patience: Patience,
    gateways: Arc<[GatewayConfig]>,
}

/// A send that is about to be made.
#[derive(Debug, Clone)]
struct Ask {
    notice: Arc<notice::Model>,
    state: NoticeState,
    phone_mac: String,
    range: i64,
    segments: i64,
}

/// A send that has ended.
#[derive(Debug, Clone)]
struct Ended {
    notice: Arc<notice::Model>,
    state: NoticeState,
    gateway: String,
    outcome: Outcome,
    /// After this the alert is no news any more, and nobody waits for receipts.
    expires_at_ms: i64,
}

/// By which gateway to send, or why not to.
type Reserved = Result<String, Outcome>;

/// The ways into both transactions.
#[derive(Debug, Clone)]
struct Ways {
    reserve: GroupCommit<Ask, Option<Reserved>>,
    record: GroupCommit<Ended, Option<Outcome>>,
}

/// Where attempts are written before and after.
#[derive(Debug)]
pub(crate) struct Desk {
    /// None when it is closed.
    ways: Mutex<Option<Ways>>,
    pub(crate) patience: Patience,
    /// The requests that may be in flight.
    requests: Semaphore,
}

impl Desk {
    pub(crate) fn open(
        config: &NotificationConfig,
        database: &Database,
        clock: &Clock,
        gateways: &[GatewayConfig],
        tasks: &mut Tasks,
    ) -> Self {
        let patience = Patience {
            receipt_ms: i64::from(config.sms.receipt_seconds) * 1_000,
            give_up_ms: i64::from(config.sms.receipt_hours_max) * 3_600_000,
            attempt_ms: ATTEMPT_MS,
        };
        let room = Arc::new(Room {
            database: database.clone(),
            clock: clock.clone(),
            config: config.sms.clone(),
            patience,
            gateways: gateways.into(),
        });
        let other = Arc::clone(&room);
        let reserve = GroupCommit::spawn("sms reservations", BATCH_MAX, tasks, move |asked: Vec<Ask>| {
            let room = Arc::clone(&room);
            async move {
                let answers = room.reserve(&asked).await;
                all_or_none(answers.map_err(|error| warn!(reason = %error, "sends could not be written")), asked.len())
            }
        });
        let record = GroupCommit::spawn("sms results", BATCH_MAX, tasks, move |ended: Vec<Ended>| {
            let room = Arc::clone(&other);
            async move {
                let answers = room.record(&ended).await;
                all_or_none(answers.map_err(|error| warn!(reason = %error, "sends could not be recorded")), ended.len())
            }
        });
        let requests = Semaphore::new(config.sms.in_flight_max);
        Self { ways: Mutex::new(Some(Ways { reserve, record })), patience, requests }
    }

    /// Ends its tasks, once what was handed in is written.
    pub(crate) fn close(&self) {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn ways(&self) -> Option<Ways> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn all_or_none<T>(answers: Result<Vec<T>, ()>, count: usize) -> Vec<Option<T>> {
    match answers {
        Ok(answers) => answers.into_iter().map(Some).collect(),
        Err(()) => std::iter::repeat_with(|| None).take(count).collect(),
    }
}

/// Makes one attempt.
pub(crate) async fn attempt(office: &Office, ready: &Ready, recipient: &Recipient) -> Attempted {
    let Some(to) = &recipient.phone else { return ledger::refused("no_address").into() };
    if !phone::is_allowed(to, &office.config.phone_prefixes) {
        return ledger::refused("number_not_allowed").into();
    }
    let text = sms::text(&ready.bulletin.facts, recipient.interface, &recipient.shared_word);
    let notice = Arc::new(ready.notice.clone());
    let state = notice.state.parse().unwrap_or(NoticeState::Queued);
    let ask = Ask {
        notice: Arc::clone(&notice),
        state,
        phone_mac: office.secrets.phone_mac(to),
        range: office.secrets.destination(&format!("range {}", phone::range_of(to, office.config.sms.range_digits))),
        segments: segments(&text).count.into(),
    };
    let Some(ways) = office.desk.ways() else { return Outcome::temporary("closing").into() };
    let name = match ways.reserve.submit(ask).await {
        Ok(Some(Ok(name))) => name,
        Ok(Some(Err(outcome))) => return outcome.into(),
        Ok(None) | Err(_) => return Outcome::temporary("database_away").into(),
    };
    let Some(gateway) = office.gateways.named(&name) else { return Outcome::temporary("no_gateway").into() };
    let id = notice.notice_id.to_string();
    let receipt_url = office.receipt_url(gateway, notice.notice_id);
    let message = SmsMessage { to, text: &text, id: &id, receipt_url: &receipt_url };
    let outcome = match turn(office, ready).await {
        Ok(_request) => office.gateways.send(gateway, &message).await,
        Err(outcome) => outcome,
    };
    reach("notification.sms_sent");
    let expires_at_ms = ready.bulletin.row.expires_at_ms;
    let ended = Ended { notice, state, gateway: name.clone(), outcome: outcome.clone(), expires_at_ms };
    for _ in 0..RECORD_TRIES_MAX {
        match ways.record.submit(ended.clone()).await {
            Ok(Some(outcome)) => return Attempted::by(&name, outcome),
            // Without this record nobody would look for its receipt, so a database that stumbles is given time.
            Ok(None) => sleep(RECORD_PAUSE).await,
            Err(_) => break,
        }
    }
    // It was sent: the notice says so, and the submission counts as one of which nobody knows.
    Attempted::by(&name, outcome)
}

/// Waits until a request may be made, or says why none is. Of one that could not end within its lease nobody would know
/// whether another process makes it too.
async fn turn<'a>(office: &'a Office, ready: &Ready) -> Result<SemaphorePermit<'a>, Outcome> {
    let came = Instant::now();
    let answer = Duration::from_secs(office.config.sms.answer_seconds.into());
    let latest = ready.lease_ends.checked_sub(answer).unwrap_or(came);
    let Ok(Ok(request)) = timeout_at(latest.into(), office.desk.requests.acquire()).await else {
        return Err(Outcome::Postponed { code: "gateway_busy", seconds: 1 });
    };
    if came.elapsed() < TURN_LONG {
        return Ok(request);
    }
    let row = notice::Entity::find_by_id(ready.notice.notice_id).one(office.database.reader()).await;
    if row.is_ok_and(|row| row.is_some_and(|row| row.withdrawn_reason.is_some())) {
        return Err(Outcome::Withheld { state: NoticeState::Withdrawn, reason: "withdrawn" });
    }
    Ok(request)
}

impl Room {
    /// Chooses a gateway for each and writes that it is being asked.
    async fn reserve(&self, asked: &[Ask]) -> Result<Vec<Reserved>, DbErr> {
        let transaction = self.database.begin().await?;
        let now_ms = to_ms(agreed_now(&transaction, &self.clock).await?);
        let usable = pause::paused(&transaction, &self.gateways).await?;
        let ids: Vec<Uuid> = asked.iter().map(|ask| ask.notice.notice_id).collect();
        let mut submissions = book::lock(&transaction, &ids).await?;
        let needed = self.needed(&transaction, asked, now_ms).await?;
        let suppressed = suppressed(&transaction, asked).await?;
        let ranges: BTreeSet<i64> = asked.iter().map(|ask| ask.range).collect();
        let ranges: Vec<i64> = ranges.into_iter().collect();
        let mut spent = Spent::lock(&transaction, &self.config, &ranges, now_ms).await?;
        let mut answers = Vec::with_capacity(asked.len());
        let mut begun = HashMap::new();
        for ask in asked {
            if suppressed.contains(&ask.phone_mac) {
                let state = NoticeState::SuppressedConsent;
                answers.push(Err(Outcome::Withheld { state, reason: "stopped_by_recipient" }));
                continue;
            }
            let known = submissions.entry(ask.notice.notice_id).or_default();
            let standing = standing(&ask.notice, ask.state, needed.contains(&ask.notice.notice_id), &usable, known);
            let answer = match ledger::choose(&standing, self.patience, now_ms) {
                Choice::Send(name) => self.pay(&mut spent, ask, name),
                other => Err(ledger::without_sending(&other, ask.state, known)),
            };
            if let Ok(name) = &answer {
                let mut row = take_submission(known, ask.notice.notice_id, name);
                ledger::begin(&mut row, now_ms);
                begun.insert((row.notice_id, row.gateway.clone()), row.clone());
                known.push(row);
            }
            answers.push(answer);
        }
        if let Some(cap) = spent.refused() {
            warn!(reason = cap.as_str(), "nothing more may be spent on SMS today: see notification.sms");
        }
        spent.save(&transaction).await?;
        book::save(&transaction, &begun.into_values().collect::<Vec<_>>()).await?;
        tocsin_platform::database::commit(transaction, "notification.reserve_sms").await?;
        Ok(answers)
    }

    fn pay(&self, spent: &mut Spent, ask: &Ask, name: String) -> Reserved {
        let price = self.gateways.iter().find(|gateway| gateway.name == name).map_or(1, |gateway| gateway.price);
        let paid = spent.spend(ask.range, ask.segments.saturating_mul(price.into()));
        paid.map(|()| name).map_err(|cap| Outcome::temporary(cap.as_str()))
    }

    /// Which notices are still needed; a first attempt was claimed a moment ago and is.
    async fn needed(
        &self,
        transaction: &DatabaseTransaction,
        asked: &[Ask],
        now_ms: i64,
    ) -> Result<HashSet<Uuid>, DbErr> {
        let (first, again): (Vec<_>, Vec<_>) = asked.iter().partition(|ask| ask.state == NoticeState::Queued);
        let again: Vec<notice::Model> = again.into_iter().map(|ask| (*ask.notice).clone()).collect();
        let mut needed =
            if again.is_empty() { HashSet::new() } else { book::is_needed(transaction, &again, now_ms).await? };
        needed.extend(first.into_iter().map(|ask| ask.notice.notice_id));
        Ok(needed)
    }

    /// Writes what became of sends; returns what it means for each notice.
    async fn record(&self, ended: &[Ended]) -> Result<Vec<Outcome>, DbErr> {
        let transaction = self.database.begin().await?;
        let now_ms = to_ms(agreed_now(&transaction, &self.clock).await?);
        let usable = pause::paused(&transaction, &self.gateways).await?;
        let ids: Vec<Uuid> = ended.iter().map(|one| one.notice.notice_id).collect();
        let mut submissions = book::lock(&transaction, &ids).await?;
        let told = ended.iter().filter_map(|one| match &one.outcome {
            Outcome::Taken { provider_id, .. } => provider_id.as_deref(),
            _ => None,
        });
        let asked = ended.iter().map(|one| one.gateway.as_str()).collect();
        let early = book::early_ids(&transaction, asked, told, &submissions).await?;
        let mut changed = HashMap::new();
        let (mut outcomes, mut steps) = (Vec::with_capacity(ended.len()), HashMap::new());
        for one in ended {
            let known = submissions.entry(one.notice.notice_id).or_default();
            let mut row = take_submission(known, one.notice.notice_id, &one.gateway);
            let news = self.settle(&transaction, one, &mut row, &early, now_ms).await?;
            known.push(row.clone());
            let state = advance(one.state, news.unwrap_or(one.state));
            let give_up_at_ms = one.expires_at_ms.min(now_ms + self.patience.give_up_ms);
            let standing = Standing { give_up_at_ms, ..standing(&one.notice, state, true, &usable, known) };
            let step = ledger::next(&standing, self.patience, now_ms);
            let goes_on = ledger::may_go_on(&standing);
            outcomes.push(ledger::outcome_of(&one.outcome, one.state, &row, news, step, goes_on));
            changed.insert((row.notice_id, row.gateway.clone()), row);
            let looked = (one.notice.notice_id, ledger::watched(step, now_ms), give_up_at_ms);
            steps.insert(one.notice.notice_id, looked);
        }
        book::save(&transaction, &changed.into_values().collect::<Vec<_>>()).await?;
        book::watch_for(&transaction, &steps.into_values().collect::<Vec<_>>(), now_ms).await?;
        tocsin_platform::database::commit(transaction, "notification.record_sms").await?;
        Ok(outcomes)
    }

    /// Applies the end of a send and the receipt that came before it; returns the state that they prove.
    async fn settle(
        &self,
        transaction: &DatabaseTransaction,
        one: &Ended,
        row: &mut submission::Model,
        early: &HashSet<String>,
        now_ms: i64,
    ) -> Result<Option<NoticeState>, DbErr> {
        ledger::end(row, &one.outcome, self.patience, now_ms);
        let mut news = match &one.outcome {
            Outcome::Taken { state, .. } => Some(*state),
            _ => None,
        };
        if let Some(id) = row.message_id.as_deref().and_then(MessageId::parse)
            && id.forms().iter().any(|form| early.contains(form))
            && let Some(early) = book::early(transaction, &one.gateway, &id).await?
        {
            let heard = ledger::hear(row, early, now_ms);
            news = Some(news.map_or(heard, |news| advance(news, heard)));
        }
        Ok(news)
    }
}

/// A notice whose attempt begins or has just ended, so that none is in flight.
fn standing<'a>(
    notice: &notice::Model,
    state: NoticeState,
    needed: bool,
    gateways: &'a [Usable],
    submissions: &'a [submission::Model],
) -> Standing<'a> {
    Standing {
        state,
        urgent: notice.lane == 0,
        withdrawn: !needed,
        in_flight: false,
        give_up_at_ms: i64::MAX,
        gateways,
        submissions,
    }
}

/// Takes the row of this gateway out, made if it is missing.
fn take_submission(known: &mut Vec<submission::Model>, notice_id: Uuid, gateway: &str) -> submission::Model {
    match known.iter().position(|row| row.gateway == gateway) {
        Some(place) => known.swap_remove(place),
        None => ledger::fresh(notice_id, gateway),
    }
}

async fn suppressed(transaction: &DatabaseTransaction, asked: &[Ask]) -> Result<HashSet<String>, DbErr> {
    let macs: BTreeSet<&str> = asked.iter().map(|ask| ask.phone_mac.as_str()).collect();
    let rows = suppression::Entity::find().filter(suppression::Column::PhoneMac.is_in(macs)).all(transaction).await?;
    Ok(rows.into_iter().map(|row| row.phone_mac).collect())
}
