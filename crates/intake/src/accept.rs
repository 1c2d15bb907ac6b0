//! Durable acceptance: many submissions that wait at the same moment share one transaction.
//!
//! A submission is answered only after the commit that holds its row, its idempotent answer and its event. A group that
//! fails for one bad member is tried again one by one, so that no submission harms another.

use std::collections::HashMap;

use sea_orm::{DbErr, SqlErr};
use tocsin_platform::database::{Database, is_busy_or_away};
use tocsin_platform::failure::Failure;
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_platform::telemetry::metrics;

use crate::entity::{idempotency, message, report};
use crate::store;

/// Everything that one accepted request writes.
pub(crate) struct Submission {
    /// The key's hash, the body's keyed hash and the encrypted answer.
    pub(crate) idempotency: idempotency::Model,
    /// The row of the request itself.
    pub(crate) write: Write,
    /// What triage will hear.
    pub(crate) event: OutgoingEvent,
}

/// The row of a request.
pub(crate) enum Write {
    /// A new report.
    Report(report::Model),
    /// A message to a report.
    Message(message::Model),
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is durable.
    Accepted,
    /// The same request was accepted before; this is its encrypted answer.
    Replayed(Vec<u8>),
    /// The key belongs to another body.
    Mismatch,
}

/// Writes a group and says what became of each member, in order.
pub(crate) async fn accept(
    database: &Database,
    outbox: &Outbox,
    group: Vec<Submission>,
) -> Vec<Result<Outcome, Failure>> {
    match accept_group(database, outbox, &group).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if is_busy_or_away(&error) => {
            let failure = Failure::from(error);
            group.iter().map(|_| Err(failure.clone())).collect()
        }
        Err(_) => accept_one_by_one(database, outbox, &group).await,
    }
}

async fn accept_one_by_one(
    database: &Database,
    outbox: &Outbox,
    group: &[Submission],
) -> Vec<Result<Outcome, Failure>> {
    let mut outcomes = Vec::with_capacity(group.len());
    for submission in group {
        let outcome = match accept_alone(database, outbox, submission).await {
            Ok(mut alone) => alone.pop().ok_or_else(|| Failure::internal("SUBMISSION_LOST")),
            Err(error) => Err(Failure::from(error)),
        };
        outcomes.push(outcome);
    }
    outcomes
}

/// Whoever meets a key that another process wrote after this one had looked waits until that process has committed, and
/// is refused by the table. The answer it should give is there then: it looks again.
async fn accept_alone(database: &Database, outbox: &Outbox, submission: &Submission) -> Result<Vec<Outcome>, DbErr> {
    let group = std::slice::from_ref(submission);
    match accept_group(database, outbox, group).await {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            accept_group(database, outbox, group).await
        }
        other => other,
    }
}

/// One transaction: load what is stored under these keys, decide, write what is new, commit.
async fn accept_group(database: &Database, outbox: &Outbox, group: &[Submission]) -> Result<Vec<Outcome>, DbErr> {
    let transaction = database.begin().await?;
    let stored = store::idempotent_answers(&transaction, group.iter().map(|member| &member.idempotency)).await?;
    let outcomes = decide(group, stored);
    let fresh: Vec<&Submission> = group
        .iter()
        .zip(&outcomes)
        .filter_map(|(member, outcome)| (*outcome == Outcome::Accepted).then_some(member))
        .collect();
    if fresh.is_empty() {
        transaction.rollback().await?;
        return Ok(outcomes);
    }
    store::insert_submissions(&transaction, &fresh).await?;
    let events: Vec<OutgoingEvent> = fresh.iter().map(|member| member.event.clone()).collect();
    outbox.record(&transaction, &events).await?;
    tocsin_platform::database::commit(transaction, "intake.accept").await?;
    outbox.wake();
    let reports = fresh.iter().filter(|member| matches!(member.write, Write::Report(_))).count();
    metrics().reports_accepted.inc_by(u64::try_from(reports).unwrap_or(u64::MAX));
    Ok(outcomes)
}

/// Which members are new, which are copies of what is stored or stands earlier in the group, and which contradict it.
fn decide(group: &[Submission], stored: Vec<idempotency::Model>) -> Vec<Outcome> {
    let mut known: HashMap<Vec<u8>, (Vec<u8>, Vec<u8>)> =
        stored.into_iter().map(|row| (row.key_hash, (row.body_mac, row.answer_sealed))).collect();
    group
        .iter()
        .map(|member| {
            let slot = &member.idempotency;
            match known.get(&slot.key_hash) {
                Some((body_mac, answer)) if *body_mac == slot.body_mac => Outcome::Replayed(answer.clone()),
                Some(_) => Outcome::Mismatch,
                None => {
                    known.insert(slot.key_hash.clone(), (slot.body_mac.clone(), slot.answer_sealed.clone()));
                    Outcome::Accepted
                }
            }
        })
        .collect()
}
