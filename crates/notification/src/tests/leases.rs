//! What leases, withdrawals and a backlog may and may not do to each other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait, Statement};
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::Database;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::from_timestamp;
use uuid::Uuid;

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};
use crate::entity::withdrawal;

/// A webhook's server that answers each request by its number from zero; none is silence.
pub(super) async fn receiver(answer: fn(usize) -> Option<StatusCode>) -> (SocketAddr, Arc<AtomicUsize>) {
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let post = axum::routing::post(move || {
        let answer = answer(counted.fetch_add(1, Ordering::SeqCst));
        async move {
            match answer {
                Some(status) => status,
                None => std::future::pending().await,
            }
        }
    });
    let router = axum::Router::new().route("/", post);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, arrived)
}

pub(super) async fn another_process(harness: &Harness) -> Database {
    Database::open(harness.database.settings(), Service::Notification).await.unwrap()
}

#[tokio::test]
async fn what_was_withdrawn_in_flight_is_not_sent_after_a_restart() {
    for database in TestDatabase::both().await {
        let (address, arrived) = receiver(|number| (number > 0).then_some(StatusCode::NO_CONTENT)).await;
        let harness = Harness::start(database).await;
        let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"))];
        harness.import(contacts.clone()).await.unwrap();
        let alert = Alert::new("p1", "AMBER");
        harness.request(&alert, &contacts).await;
        wait_until("the request has arrived", PATIENCE, async || arrived.load(Ordering::SeqCst) == 1).await;
        harness.withdraw(&alert, "", "stopped").await;
        harness.settled().await;
        let harness = harness.killed_and_started_again().await;
        // The lease is over, and the withdrawal too old to be looked for.
        harness.clock.advance(TimeDelta::minutes(10));
        harness.until(&["org-1-c1 webhook withdrawn"]).await;
        assert_eq!(harness.progress()[0].reason, "stopped");
        assert_eq!(arrived.load(Ordering::SeqCst), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_notice_in_flight_is_not_sent_again_when_its_lease_runs_out() {
    let (address, arrived) = receiver(|_| None).await;
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"))];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("the request has arrived", PATIENCE, async || arrived.load(Ordering::SeqCst) == 1).await;
    harness.clock.advance(TimeDelta::minutes(10));
    // Longer than the engine takes to look again, shorter than the attempt.
    tokio::time::sleep(Duration::from_millis(1_800)).await;
    assert_eq!(arrived.load(Ordering::SeqCst), 1);
    wait_until("the next attempt is made", PATIENCE, async || arrived.load(Ordering::SeqCst) == 2).await;
    harness.stop().await;
}

async fn locked(database: &Database, id: Uuid) -> DatabaseTransaction {
    let transaction = database.begin().await.unwrap();
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    let statement = Statement::from_sql_and_values(database.backend(), sql, [id.to_string().into()]);
    transaction.execute_raw(statement).await.unwrap();
    transaction
}

#[tokio::test]
async fn requests_and_withdrawals_of_one_alert_take_turns() {
    let harness = Harness::start(TestDatabase::postgres().await).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["webhook"])];
    harness.import(contacts.clone()).await.unwrap();
    let other = another_process(&harness).await;
    let alert = Alert::new("p1", "AMBER");
    let turn = locked(&other, alert.id).await;
    harness.request(&alert, &contacts).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(harness.states(), [""; 0], "a request waits for its turn");
    turn.rollback().await.unwrap();
    harness.until(&["org-1-c1 webhook delivered"]).await;
    let turn = locked(&other, alert.id).await;
    harness.withdraw(&alert, "", "stopped").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(harness.dispatch.owed().await, 1, "a withdrawal waits for its turn");
    turn.rollback().await.unwrap();
    harness.settled().await;
    harness.stop().await;
}

#[tokio::test]
async fn a_backlog_holds_up_neither_urgent_notices_nor_withdrawals() {
    let (hung, arrived) = receiver(|_| None).await;
    let (well, _) =
        receiver(|number| Some(if number == 0 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }))
            .await;
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let backlog: Vec<_> = (1..=3_500)
        .map(|number| contact_with_hook("org-1", number, "en", &["webhook"], format!("http://{hung}/")))
        .collect();
    let urgent = vec![contact_with_hook("org-2", 1, "en", &["webhook"], format!("http://{well}/"))];
    for chunk in backlog.chunks(1_000) {
        harness.import(chunk.to_vec()).await.unwrap();
    }
    harness.import(urgent.clone()).await.unwrap();
    let bulk = Alert::new("p4", "AMBER");
    for chunk in backlog.chunks(500) {
        harness.request(&bulk, chunk).await;
    }
    harness.settled().await;
    wait_until("the backlog hangs", PATIENCE, async || arrived.load(Ordering::SeqCst) >= 4).await;
    // It fails at first, and its retry has to be claimed.
    harness.request(&Alert::new("p1", "AMBER"), &urgent).await;
    let delivered = async || harness.states().iter().any(|state| state == "org-2-c1 webhook delivered");
    wait_until("the urgent notice is delivered", PATIENCE, delivered).await;
    let row = withdrawal::ActiveModel {
        bulletin_id: Set(bulk.id),
        organisation_id: Set(String::new()),
        revision: Set(0),
        reason: Set("stopped".to_owned()),
        recorded_at_ms: Set(harness.clock.now_ms()),
    };
    let transaction = another_process(&harness).await.begin().await.unwrap();
    withdrawal::Entity::insert(row).exec_without_returning(&transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let withdrawn = async || harness.states().iter().filter(|state| state.ends_with("withdrawn")).count() > 3_000;
    wait_until("another process's withdrawal is heard", PATIENCE, withdrawn).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_retry_waits_for_the_end_of_the_night() {
    let (address, _) = receiver(|_| Some(StatusCode::SERVICE_UNAVAILABLE)).await;
    let harness = Harness::start_with(TestDatabase::sqlite(), "retry.normal_seconds = [7200]").await;
    let minute = harness.clock.now().with_second(0).unwrap().with_nanosecond(0).unwrap();
    let (begins, ends) = (minute + TimeDelta::hours(1), minute + TimeDelta::hours(5));
    let mut sleeper = contact_with_hook("org-1", 1, "en", &["webhook"], format!("http://{address}/"));
    sleeper.time_zone = "UTC".to_owned();
    sleeper.quiet_hours = format!("{}-{}", begins.format("%H:%M"), ends.format("%H:%M"));
    harness.import(vec![sleeper.clone()]).await.unwrap();
    harness.request(&Alert::new("p3", "AMBER"), &[sleeper]).await;
    let tried = async || harness.progress().first().is_some_and(|notice| notice.reason == "http_503");
    wait_until("the first attempt has failed", PATIENCE, tried).await;
    let due: Option<DateTime<Utc>> = from_timestamp(harness.progress()[0].due_at.as_ref());
    assert_eq!(due.map(to_ms), Some(to_ms(ends)));
    harness.stop().await;
}
