//! Events in: pages, requests for notices, withdrawals; one function an event.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use tocsin_domain::id::EventId;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::to_ms;
use tocsin_platform::consume::{Consume, ConsumeError, IncomingEvent};
use tocsin_platform::database::agreed_now;
use tocsin_platform::fail_points::reach;
use tocsin_platform::telemetry::metrics;
use tocsin_proto::catalogue::{NOTICES_REQUESTED, NOTICES_WITHDRAWN, PAGE_REQUESTED};
use tocsin_proto::event::v1::{NoticesRequested, NoticesWithdrawn, PageRequested};
use uuid::Uuid;

use crate::bulletin::Bulletin;
use crate::contact::Recipient;
use crate::decode::{decode_page, decode_request, fault, parse_id};
use crate::engine::{Lease, Ready, Withdrawn, needs_a_person};
use crate::entity::{bulletin, notice, withdrawal};
use crate::expand::{Asked, Expansion};
use crate::handover;
use crate::office::{Office, insert_bulletin, insert_notices};
use crate::report::first_report;
use crate::store::{owe_report, present, record_tombstone, serialise_bulletin, withdraw_notices};

/// The most events whose notices wait to be handed to the engine, more than all lanes take in one transaction each; what is
/// dropped is claimed when its lease ends.
const PENDING_MAX: usize = 256;
/// Notices of a superseded revision end with this reason.
const SUPERSEDED: &str = "superseded";

/// What is done once the transaction of an event has been committed.
enum AfterCommit {
    Start(Vec<Ready>),
    Withdraw(Withdrawn),
}

/// What waits for the commit of one event.
struct Pending {
    since: Instant,
    after: Vec<AfterCommit>,
}

/// What was written for a request.
struct Written {
    /// To be started after the commit.
    ready: Vec<Ready>,
    /// No notice of the request was known already.
    all_new: bool,
}

/// The effects of events on this service.
pub(crate) struct Handler {
    office: Arc<Office>,
    pending: Mutex<HashMap<EventId, Pending>>,
}

#[async_trait]
impl Consume for Handler {
    async fn consume(&self, transaction: &DatabaseTransaction, event: &IncomingEvent) -> Result<(), ConsumeError> {
        let after = match event.kind.name {
            name if name == NOTICES_REQUESTED.name => self.notices_requested(transaction, event).await?,
            name if name == NOTICES_WITHDRAWN.name => self.notices_withdrawn(transaction, event).await?,
            name if name == PAGE_REQUESTED.name => self.page_requested(transaction, event).await?,
            other => return Err(ConsumeError::Fault(format!("notification does not consume {other}"))),
        };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // A transaction that was rolled back says nothing; if another process took its events then, they never come back.
        let lease = Duration::from_secs(self.office.config.lease_seconds.into());
        pending.retain(|_, waiting| waiting.since.elapsed() < lease);
        if pending.len() >= PENDING_MAX {
            pending.clear();
        }
        pending.insert(event.id, Pending { since: Instant::now(), after });
        Ok(())
    }

    async fn committed(&self, event: &IncomingEvent) {
        // The notices are written under this process's lease, and nobody else looks at them until it ends.
        reach("notification.request_committed");
        let waiting = self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.id);
        for step in waiting.map(|waiting| waiting.after).unwrap_or_default() {
            match step {
                AfterCommit::Start(ready) => self.office.engine.start(ready),
                AfterCommit::Withdraw(withdrawn) => self.office.engine.withdraw(withdrawn),
            }
        }
        self.office.engine.wake();
        self.office.progress.wake();
    }
}

impl Handler {
    pub(crate) fn new(office: Arc<Office>) -> Self {
        Self { office, pending: Mutex::new(HashMap::new()) }
    }

    /// notices.requested: each contact becomes notices, all written at once; what is due starts without another query.
    async fn notices_requested(
        &self,
        transaction: &DatabaseTransaction,
        event: &IncomingEvent,
    ) -> Result<Vec<AfterCommit>, ConsumeError> {
        let message: NoticesRequested = event.message()?;
        let office = &self.office;
        let (mut row, batch_id, asked) = decode_request(message, office)?;
        serialise_bulletin(transaction, row.bulletin_id).await?;
        let lease = Lease::begin(office, transaction).await?;
        let now = lease.now;
        row.created_at_ms = to_ms(now);
        let bulletin = self.kept(row)?;
        let (withdrawn, superseded) = self.earlier_news(transaction, &bulletin, to_ms(now)).await?;
        let ids: Vec<String> = asked.iter().map(|one| one.contact_id.clone()).collect();
        let contacts = office.directory.load(transaction, &ids).await?;
        let expansion = Expansion {
            bulletin: &bulletin,
            batch_id: &batch_id,
            directory: &office.directory,
            contacts: &contacts,
            withdrawn: &withdrawn,
            next_channel_seconds: office.config.next_channel_seconds,
            now,
        };
        let mut notices = expansion.notices(&asked);
        let written = self.write(transaction, &bulletin, &mut notices, &contacts, &lease).await?;
        if written.all_new {
            let report = first_report(event.lane, &batch_id, &bulletin, &notices, now);
            office.outbox.record(transaction, &[report]).await?;
        }
        if notices.iter().any(|one| one.handed_to.is_some()) {
            handover::call_coordinators(office, transaction, std::slice::from_ref(&bulletin), now).await?;
        }
        let mut after = vec![AfterCommit::Start(written.ready)];
        after.extend(superseded.map(AfterCommit::Withdraw));
        Ok(after)
    }

    /// The bulletin from memory if it is known there, else from this row. One whose texts were deleted gets them back.
    fn kept(&self, row: bulletin::Model) -> Result<Arc<Bulletin>, ConsumeError> {
        let known = self.office.bulletins.get(row.bulletin_id, row.revision);
        if let Some(known) = known.filter(|known| known.row.sealed_texts.is_some() || row.sealed_texts.is_none()) {
            return Ok(known);
        }
        let bulletin = Bulletin::from_row(row).map_err(|error| ConsumeError::Fault(error.to_string()))?;
        let bulletin = Arc::new(bulletin);
        self.office.bulletins.keep(Arc::clone(&bulletin));
        Ok(bulletin)
    }

    /// Withdrawals that came first, and what a newer revision does to an older one.
    async fn earlier_news(
        &self,
        transaction: &DatabaseTransaction,
        bulletin: &Bulletin,
        now_ms: i64,
    ) -> Result<(HashMap<String, String>, Option<Withdrawn>), ConsumeError> {
        let (id, revision) = (bulletin.row.bulletin_id, bulletin.row.revision);
        let tombstones = withdrawal::Entity::find()
            .filter(withdrawal::Column::BulletinId.eq(id))
            .filter(withdrawal::Column::Revision.gte(revision))
            .all(transaction)
            .await?;
        let mut withdrawn: HashMap<String, String> =
            tombstones.into_iter().map(|row| (row.organisation_id, row.reason)).collect();
        let newest: Option<i32> = bulletin::Entity::find()
            .select_only()
            .column_as(bulletin::Column::Revision.max(), "newest")
            .filter(bulletin::Column::BulletinId.eq(id))
            .into_tuple::<Option<i32>>()
            .one(transaction)
            .await?
            .flatten();
        let older = Withdrawn {
            bulletin_id: id,
            revision: revision - 1,
            organisation_id: String::new(),
            reason: SUPERSEDED.to_owned(),
        };
        match newest {
            Some(newest) if newest > revision => {
                withdrawn.entry(String::new()).or_insert_with(|| SUPERSEDED.to_owned());
                Ok((withdrawn, None))
            }
            Some(newest) if newest < revision => {
                withdraw_notices(transaction, &older, now_ms).await?;
                Ok((withdrawn, Some(older)))
            }
            _ => Ok((withdrawn, None)),
        }
    }

    /// Writes bulletin and notices. What is new, due and fits into memory is written under our lease and returned.
    async fn write(
        &self,
        transaction: &DatabaseTransaction,
        bulletin: &Arc<Bulletin>,
        notices: &mut Vec<notice::Model>,
        contacts: &HashMap<String, Arc<Recipient>>,
        lease: &Lease,
    ) -> Result<Written, ConsumeError> {
        let office = &self.office;
        let now_ms = to_ms(lease.now);
        let lane = notices.first().map_or(0, |one| one.lane);
        let due = notices.iter_mut().filter(|one| one.next_at_ms.is_some_and(|at| at <= now_ms));
        let mut leased = HashSet::new();
        for one in due.take(self.room(lane)) {
            one.next_at_ms = Some(lease.ends_ms());
            one.lease_owner = Some(office.engine.owner);
            leased.insert(one.notice_id);
        }
        insert_bulletin(transaction, &bulletin.row).await?;
        let inserted = insert_notices(transaction, notices).await?;
        let all_new = usize::try_from(inserted) == Ok(notices.len());
        if !all_new {
            // Some were known already and go their own way. Dispatch, which may have been restored, is told of all again.
            owe_report(transaction, bulletin, now_ms).await?;
            let ids: Vec<Uuid> = notices.iter().map(|one| one.notice_id).collect();
            let new = present(transaction, &ids).await?;
            notices.retain(|one| new.contains(&one.notice_id));
        }
        count_ends(bulletin, notices);
        let ready = notices.iter().filter(|one| leased.contains(&one.notice_id)).map(|one| Ready {
            recipient: contacts.get(&one.contact_id).cloned(),
            notice: one.clone(),
            bulletin: Arc::clone(bulletin),
            lease_ends: lease.ends(),
        });
        Ok(Written { ready: ready.collect(), all_new })
    }

    /// How many more notices may be written under our lease: several events can share one transaction, and what they
    /// brought is handed to the engine only after its commit.
    fn room(&self, lane: i16) -> usize {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let brought = pending.values().flat_map(|waiting| &waiting.after).map(|step| match step {
            AfterCommit::Start(ready) => ready.len(),
            AfterCommit::Withdraw(_) => 0,
        });
        self.office.engine.room(lane).saturating_sub(brought.sum())
    }

    /// notices.withdrawn: what is queued ends, and a tombstone stays for what is requested later.
    async fn notices_withdrawn(
        &self,
        transaction: &DatabaseTransaction,
        event: &IncomingEvent,
    ) -> Result<Vec<AfterCommit>, ConsumeError> {
        let message: NoticesWithdrawn = event.message()?;
        let withdrawn = Withdrawn {
            bulletin_id: parse_id("alert_id", &message.alert_id)?,
            revision: i32::try_from(message.revision).map_err(|_| fault("revision"))?,
            organisation_id: message.organisation_id,
            reason: message.reason,
        };
        serialise_bulletin(transaction, withdrawn.bulletin_id).await?;
        let now_ms = to_ms(agreed_now(transaction, &self.office.clock).await?);
        record_tombstone(transaction, &withdrawn, now_ms).await?;
        withdraw_notices(transaction, &withdrawn, now_ms).await?;
        Ok(vec![AfterCommit::Withdraw(withdrawn)])
    }

    /// page.requested: staff are called on all their channels at once, with a pointer only.
    async fn page_requested(
        &self,
        transaction: &DatabaseTransaction,
        event: &IncomingEvent,
    ) -> Result<Vec<AfterCommit>, ConsumeError> {
        let message: PageRequested = event.message()?;
        let office = &self.office;
        let lease = Lease::begin(office, transaction).await?;
        let now = lease.now;
        let row = decode_page(&message, to_ms(now))?;
        let batch_id = row.bulletin_id.to_string();
        let bulletin = self.kept(row)?;
        let contacts = office.directory.load(transaction, &message.contact_ids).await?;
        let asked = message.contact_ids.into_iter().map(|contact_id| {
            if !contacts.contains_key(&contact_id) {
                tracing::warn!(reason = "unknown_contact", "a page names somebody who is not imported as staff");
            }
            Asked { contact_id, organisation_id: String::new(), acknowledge_token: String::new() }
        });
        let asked: Vec<Asked> = asked.collect();
        let expansion = Expansion {
            bulletin: &bulletin,
            batch_id: &batch_id,
            directory: &office.directory,
            contacts: &contacts,
            withdrawn: &HashMap::new(),
            next_channel_seconds: office.config.next_channel_seconds,
            now,
        };
        let mut notices = expansion.notices(&asked);
        let written = self.write(transaction, &bulletin, &mut notices, &contacts, &lease).await?;
        Ok(vec![AfterCommit::Start(written.ready)])
    }
}

/// Notices that end where they begin are counted here; the others when an attempt ends.
fn count_ends(bulletin: &Bulletin, notices: &[notice::Model]) {
    for one in notices.iter().filter(|one| one.next_at_ms.is_none()) {
        let labels = [one.channel.as_str(), one.state.as_str(), bulletin.facts.priority.as_str()];
        metrics().notices.with_label_values(&labels).inc();
        let state = one.state.parse().unwrap_or(NoticeState::Queued);
        if needs_a_person(state) {
            tracing::warn!(
                alert_id = %bulletin.row.bulletin_id,
                channel = one.channel.as_str(),
                state = one.state.as_str(),
                reason = one.reason.as_deref().unwrap_or_default(),
                "a contact cannot be reached and must be by hand"
            );
        }
    }
}
