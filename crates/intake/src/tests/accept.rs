//! Group commit on both databases: copies, contradictions, and a bad member that harms nobody else.

use std::sync::Arc;

use futures::future::join_all;
use sea_orm::{EntityTrait, PaginatorTrait};
use tocsin_domain::id::ReportId;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::database::Database;
use tocsin_platform::outbox::{Outbox, OutgoingEvent};
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::catalogue::{Lane, REPORT_RECEIVED, Service};
use tocsin_proto::event::v1::ReportReceived;
use uuid::Uuid;

use crate::accept::{Outcome, Submission, Write, accept};
use crate::app::forget_some;
use crate::entity::{idempotency, message, report};
use crate::migration::Migrator;
use crate::store;

#[tokio::test]
async fn a_group_keeps_copies_and_contradictions_apart() {
    for test in TestDatabase::both().await {
        let (database, outbox) = open(&test).await;
        let group =
            vec![submission(1, b"a", 1), submission(1, b"a", 2), submission(1, b"b", 3), submission(2, b"c", 4)];
        let expected =
            [Outcome::Accepted, Outcome::Replayed(b"answer to 1".to_vec()), Outcome::Mismatch, Outcome::Accepted];
        let outcomes: Vec<_> = accept(&database, &outbox, group).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(outcomes, expected);
        let again = accept(&database, &outbox, vec![submission(1, b"a", 5), submission(2, b"x", 6)]).await;
        let again: Vec<_> = again.into_iter().map(Result::unwrap).collect();
        assert_eq!(again, [Outcome::Replayed(b"answer to 1".to_vec()), Outcome::Mismatch]);
        assert_eq!(report::Entity::find().count(database.reader()).await.unwrap(), 2);
        assert_eq!(outbox.lag().await.unwrap().owed, 2);
    }
}

#[tokio::test]
async fn one_bad_member_harms_no_other() {
    for test in TestDatabase::both().await {
        let (database, outbox) = open(&test).await;
        // Two reports with one receipt cannot be: the second breaks the whole group at first.
        let group = vec![submission(1, b"a", 1), submission(2, b"b", 1), submission(3, b"c", 3)];
        let outcomes = accept(&database, &outbox, group).await;
        assert_eq!(outcomes[0], Ok(Outcome::Accepted));
        assert_eq!(outcomes[1].as_ref().unwrap_err().reason, "DATABASE_FAILED");
        assert_eq!(outcomes[2], Ok(Outcome::Accepted));
        assert_eq!(report::Entity::find().count(database.reader()).await.unwrap(), 2);
        assert_eq!(outbox.lag().await.unwrap().owed, 2);
        assert_eq!(idempotency::Entity::find().count(database.reader()).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn two_replicas_with_the_same_key_accept_one_report() {
    for test in TestDatabase::both().await {
        let (database, outbox) = open(&test).await;
        let (database, outbox) = (Arc::new(database), Arc::new(outbox));
        let replicas =
            (0_u8..8).map(|replica| {
                let (database, outbox) = (Arc::clone(&database), Arc::clone(&outbox));
                async move {
                    accept(&database, &outbox, vec![submission(1, b"a", 10 + replica)]).await.pop().unwrap().unwrap()
                }
            });
        let outcomes = join_all(replicas).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count(), 1);
        assert_eq!(report::Entity::find().count(database.reader()).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn messages_are_counted_on_their_report() {
    for test in TestDatabase::both().await {
        let (database, outbox) = open(&test).await;
        let first = submission(1, b"a", 1);
        let Write::Report(row) = &first.write else { panic!("a report") };
        let report_id = row.report_id;
        accept(&database, &outbox, vec![first]).await;
        let messages = (10_u8..13).map(|key| Submission { write: message(report_id), ..submission(key, b"m", key) });
        accept(&database, &outbox, messages.collect()).await;
        let stored = report::Entity::find_by_id(report_id).one(database.reader()).await.unwrap().unwrap();
        assert_eq!(stored.message_count, 3);
        assert_eq!(store::messages_of(database.reader(), report_id).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn idempotent_answers_are_forgotten_after_their_time() {
    for test in TestDatabase::both().await {
        let (database, outbox) = open(&test).await;
        accept(&database, &outbox, vec![submission(1, b"a", 1), submission(2, b"b", 2)]).await;
        assert_eq!(forget_some(&database, 1_001).await.unwrap(), 1);
        assert_eq!(forget_some(&database, 1_001).await.unwrap(), 0);
        let outcome = accept(&database, &outbox, vec![submission(1, b"other", 3)]).await.pop().unwrap();
        assert_eq!(outcome, Ok(Outcome::Accepted));
    }
}

async fn open(test: &TestDatabase) -> (Database, Outbox) {
    let database = test.open::<Migrator>(Service::Intake).await;
    let outbox = Outbox::new(Service::Intake, database.clone(), Bus::in_process(), Clock::system());
    (database, outbox)
}

/// A submission with the key `key`, made at `key` seconds, whose receipt is `receipt`.
fn submission(key: u8, body: &[u8], receipt: u8) -> Submission {
    let now = Clock::system().now();
    let report_id = ReportId::new(now);
    Submission {
        idempotency: idempotency::Model {
            key_hash: vec![key; 32],
            body_mac: body.to_vec(),
            answer_sealed: format!("answer to {key}").into_bytes(),
            created_at_ms: i64::from(key) * 1_000,
        },
        write: Write::Report(report::Model {
            report_id: report_id.as_uuid(),
            receipt_hash: vec![receipt; 32],
            receipt_public_key: vec![1; 1_216],
            sealed: vec![2; 3_000],
            received_at_ms: 1,
            state: "received".to_owned(),
            state_version: 0,
            message_count: 0,
        }),
        event: OutgoingEvent::new(
            &REPORT_RECEIVED,
            Lane::Urgent,
            report_id.to_string(),
            1,
            &ReportReceived { report_id: report_id.to_string(), ..ReportReceived::default() },
            now,
        ),
    }
}

fn message(report_id: Uuid) -> Write {
    let message_id = ReportId::new(Clock::system().now()).as_uuid();
    Write::Message(message::Model { message_id, report_id, received_at_ms: 5, sealed: vec![3; 100] })
}
