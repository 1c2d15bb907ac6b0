//! Delivery receipts of SMS gateways, recorded in batches: in any order, any number of times, before the submit or after.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tocsin_domain::notice::{NoticeState, advance};
use tocsin_platform::clock::{from_ms, to_ms};
use tocsin_platform::database::agreed_now;
use tocsin_platform::fail_points::reach;
use tocsin_platform::failure::Failure;
use uuid::Uuid;

use crate::bulletin::Bulletin;
use crate::engine::needs_a_person;
use crate::entity::notice;
use crate::entity::sms::submission;
use crate::handover;
use crate::office::Office;
use crate::sizes::filled;
use crate::sms::MessageId;
use crate::sms::ledger::{self, Standing, Step, Usable};
use crate::store::{Change, update_notices};

/// The most receipts in one transaction.
pub(crate) const RECEIPTS_MAX: usize = 256;

/// Which message a receipt is about.
#[derive(Debug, Clone)]
pub(crate) enum About {
    /// The notice for which we gave out the address that was called.
    Notice(Uuid),
    /// The message that the gateway names.
    Message(MessageId),
}

/// A receipt that is authentic and understood.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) gateway: String,
    pub(crate) about: About,
    pub(crate) state: NoticeState,
}

/// How a receipt ended; an error is told in words, because it goes to several waiting requests.
pub(crate) type Recorded = Result<(), Failure>;

/// Records a batch of receipts in one transaction.
pub(crate) async fn record(office: Arc<Office>, receipts: Vec<Receipt>) -> Vec<Recorded> {
    reach("notification.receipts_taken");
    let outcome = record_all(&office, &receipts).await.map_err(Failure::from);
    if outcome.is_ok() {
        office.progress.wake();
        office.engine.wake();
    }
    vec![outcome; receipts.len()]
}

async fn record_all(office: &Office, receipts: &[Receipt]) -> Result<(), DbErr> {
    let transaction = office.database.begin().await?;
    let now_ms = to_ms(agreed_now(&transaction, &office.clock).await?);
    let mut news: HashMap<Uuid, Vec<(&str, NoticeState)>> = HashMap::new();
    for receipt in receipts {
        let gateway = receipt.gateway.as_str();
        let notice_id = match &receipt.about {
            About::Notice(id) => Some(*id),
            About::Message(id) => crate::sms::by_message(&transaction, gateway, id).await?,
        };
        match (&receipt.about, notice_id) {
            (_, Some(notice_id)) => news.entry(notice_id).or_default().push((gateway, receipt.state)),
            (About::Message(id), None) => {
                crate::sms::keep_early(&transaction, gateway, id, receipt.state, now_ms).await?;
            }
            (About::Notice(_), None) => {}
        }
    }
    let ids: Vec<Uuid> = news.keys().copied().collect();
    Reviewed::of(office, &transaction, &ids, now_ms).await?.settle(office, &transaction, &news, now_ms).await?;
    tocsin_platform::database::commit(transaction, "notification.record_receipts").await
}

/// Notices whose next step is to be found, with everything on which it depends.
pub(crate) struct Reviewed {
    rows: Vec<notice::Model>,
    submissions: std::collections::BTreeMap<Uuid, Vec<submission::Model>>,
    needed: std::collections::HashSet<Uuid>,
    gateways: Vec<Usable>,
    give_up: HashMap<Uuid, i64>,
}

impl Reviewed {
    /// Locks these notices.
    pub(crate) async fn of<C: ConnectionTrait>(
        office: &Office,
        connection: &C,
        ids: &[Uuid],
        now_ms: i64,
    ) -> Result<Self, DbErr> {
        let rows = notice::Entity::find()
            .filter(notice::Column::NoticeId.is_in(filled(ids.to_vec())))
            .order_by_asc(notice::Column::NoticeId)
            .lock_exclusive()
            .all(connection)
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.notice_id).collect();
        Ok(Self {
            submissions: crate::sms::lock(connection, &ids).await?,
            needed: crate::sms::is_needed(connection, &rows, now_ms).await?,
            gateways: crate::sms::paused(connection, office.gateways.all()).await?,
            give_up: crate::sms::give_up_times(connection, &ids).await?,
            rows,
        })
    }

    /// Applies news and writes what follows for each notice.
    pub(crate) async fn settle<C: ConnectionTrait>(
        mut self,
        office: &Office,
        connection: &C,
        news: &HashMap<Uuid, Vec<(&str, NoticeState)>>,
        now_ms: i64,
    ) -> Result<(), DbErr> {
        let (mut changes, mut steps, mut saved, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in std::mem::take(&mut self.rows) {
            let Some(bulletin) = office.bulletin(connection, row.bulletin_id, row.revision).await? else { continue };
            let Ok(current) = row.state.parse::<NoticeState>() else { continue };
            let known = self.submissions.entry(row.notice_id).or_default();
            let mut state = current;
            for (gateway, told) in news.get(&row.notice_id).into_iter().flatten() {
                state = advance(state, hear(known, row.notice_id, gateway, *told, now_ms));
            }
            saved.append(&mut known.clone());
            let give_up_at_ms = self.give_up.get(&row.notice_id).copied();
            let give_up_at_ms = give_up_at_ms.unwrap_or(now_ms + office.desk.patience.give_up_ms);
            let standing = Standing {
                state,
                urgent: row.lane == 0,
                withdrawn: !self.needed.contains(&row.notice_id),
                in_flight: row.lease_owner.is_some()
                    && row.next_at_ms.is_some_and(|at| at > now_ms)
                    && known.iter().any(ledger::is_open),
                give_up_at_ms,
                gateways: &self.gateways,
                submissions: known,
            };
            let step = ledger::next(&standing, office.desk.patience, now_ms);
            // A safety net while the engine has it: if the attempt is lost, somebody looks again.
            let look =
                if step == Step::SendNow { Step::LookAt(now_ms + office.desk.patience.attempt_ms) } else { step };
            steps.push((row.notice_id, look, give_up_at_ms));
            if let Some((change, by_hand)) = change(&row, current, state, step, &bulletin, now_ms) {
                if by_hand {
                    failed.push(bulletin);
                }
                changes.push(change);
            }
        }
        crate::sms::save(connection, &saved).await?;
        crate::sms::watch_for(connection, &steps, now_ms).await?;
        update_notices(connection, &changes).await?;
        handover::call_coordinators(office, connection, &failed, from_ms(now_ms)).await
    }
}

fn hear(
    known: &mut Vec<submission::Model>,
    notice_id: Uuid,
    gateway: &str,
    told: NoticeState,
    now_ms: i64,
) -> NoticeState {
    if let Some(row) = known.iter_mut().find(|row| row.gateway == gateway) {
        return ledger::hear(row, told, now_ms);
    }
    // It was sent before submissions were kept.
    let mut row = ledger::fresh(notice_id, gateway);
    let heard = ledger::hear(&mut row, told, now_ms);
    known.push(row);
    heard
}

/// What is written of a notice, and whether a person must be called; none when nothing changes. A change ends a lease
/// too: what is in flight ends by itself, and its end finds the stronger state.
fn change(
    row: &notice::Model,
    current: NoticeState,
    heard: NoticeState,
    step: Step,
    bulletin: &Arc<Bulletin>,
    now_ms: i64,
) -> Option<(Change, bool)> {
    let (state, reason) = match step {
        Step::End(end, reason) => (advance(heard, end), Some(reason)),
        _ => (heard, None),
    };
    if state == current && step != Step::SendNow {
        return None;
    }
    let name = handover::name_for(bulletin).filter(|_| needs_a_person(state) && row.handed_to.is_none());
    let by_hand = name.is_some();
    let is_news = state != current;
    let change = Change {
        notice_id: row.notice_id,
        state: state.as_str().to_owned(),
        reason: if is_news { reason.map(str::to_owned) } else { row.reason.clone() },
        attempts: row.attempts,
        next_at_ms: (step == Step::SendNow).then_some(now_ms),
        handed_to: row.handed_to.clone().or(name),
        provider_id: row.provider_id.clone(),
        version: row.version + i32::from(is_news),
        owed_since_ms: if is_news && bulletin.is_reported() { Some(now_ms) } else { row.owed_since_ms },
        changed_at_ms: if is_news { now_ms } else { row.changed_at_ms },
    };
    Some((change, by_hand))
}
