//! The auditor over rows as they must never be, by its index, and what it tells outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use tocsin_domain::notice::NoticeState;
use tocsin_platform::database::Database;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::Service;

use super::harness::{Alert, Harness, PATIENCE};
use super::leases::another_process;
use crate::audit::{Found, audit, query};
use crate::entity::notice;
use crate::migration::{Migrator, UNEXPLAINED};

async fn execute(database: &Database, sql: &str) {
    let transaction = database.begin().await.unwrap();
    transaction.execute_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    transaction.commit().await.unwrap();
}

#[test]
fn its_condition_names_every_state_that_needs_no_explanation() {
    for state in NoticeState::ALL {
        let named = UNEXPLAINED.split("AND (channel").next().unwrap().contains(&format!("'{state}'"));
        assert_eq!(named, state.is_end() || state.is_reached(), "{state}");
    }
}

#[tokio::test]
async fn what_is_adrift_is_found_made_due_and_sent() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let mut asleep = harness.contact("org-1", 1, "en", &["email", "webhook"]);
        asleep.quiet_hours = "00:00-23:59".to_owned();
        asleep.urgent_overrides_quiet_hours = false;
        let contacts = vec![asleep, harness.contact("org-2", 2, "en", &["email", "sms", "webhook"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let ended = ["org-2-c2 email accepted", "org-2-c2 sms delivered", "org-2-c2 webhook delivered"];
        let waits = ["org-1-c1 email queued", "org-1-c1 webhook queued"];
        harness.until(&[&ended[..], &waits].concat()).await;
        let office = &harness.running.office;
        assert_eq!(audit(office).await.unwrap(), Found::default(), "all of these are explained");

        let other = another_process(&harness).await;
        execute(&other, "UPDATE notices SET next_at_ms = NULL WHERE state = 'queued' AND channel = 'webhook'").await;
        let found = audit(office).await.unwrap();
        assert_eq!(found, Found { unexplained: 1, made_due: 1, overdue: 0 });
        assert!(found.is_well());
        let sent = ["org-1-c1 email queued", "org-1-c1 webhook delivered"];
        harness.until(&[&ended[..], &sent].concat()).await;
        assert_eq!(audit(office).await.unwrap(), Found::default());

        // A state that nobody knows is told, and nothing is done about it.
        execute(&other, "UPDATE notices SET next_at_ms = NULL, state = 'lost' WHERE state = 'queued'").await;
        let found = audit(office).await.unwrap();
        assert_eq!((found, found.is_well()), (Found { unexplained: 1, made_due: 0, overdue: 0 }, false));
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_receipt_that_does_not_come_ends_the_waiting_and_a_late_one_still_counts() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["email", "sms"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        harness.until(&["org-1-c1 email accepted", "org-1-c1 sms delivered"]).await;
        let office = &harness.running.office;
        // As if the receipt had not come.
        let other = another_process(&harness).await;
        execute(&other, "UPDATE notices SET state = 'accepted' WHERE channel = 'sms'").await;
        harness.clock.advance(TimeDelta::hours(71));
        assert_eq!(audit(office).await.unwrap(), Found::default(), "it may still come");
        harness.clock.advance(TimeDelta::hours(2));
        assert_eq!(audit(office).await.unwrap(), Found { overdue: 1, ..Found::default() });
        harness.until(&["org-1-c1 email accepted", "org-1-c1 sms unknown_no_receipt"]).await;
        assert_eq!(audit(office).await.unwrap(), Found::default(), "e-mail gives no receipts");
        let sms = notice::Entity::find().filter(notice::Column::Channel.eq("sms"));
        let row = sms.one(other.reader()).await.unwrap().unwrap();
        assert_eq!(row.reason.as_deref(), Some("no_receipt"));
        harness.stop().await;
    }
}

#[tokio::test]
async fn both_databases_answer_by_the_indexes() {
    for database in TestDatabase::both().await {
        let opened = database.open::<Migrator>(Service::Notification).await;
        let is_sqlite = opened.backend() == sea_orm::DatabaseBackend::Sqlite;
        let numbers = if is_sqlite {
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 20000) "
        } else {
            "WITH numbers (number) AS (SELECT generate_series(1, 20000)) "
        };
        let id = if is_sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
        // Many have ended, and many e-mails were accepted: neither may cost anything.
        let sql = format!(
            "{numbers} INSERT INTO notices (notice_id, batch_id, bulletin_id, revision, contact_id, organisation_id, \
             channel, lane, destination, language, acknowledge_token, state, attempts, version, changed_at_ms) \
             SELECT {id}, 'b', {id}, 0, 'c' || number, '', CASE WHEN number % 100 = 0 THEN 'sms' ELSE 'email' END, 0, 1, \
             'en', '', CASE WHEN number % 2 = 0 THEN 'accepted' ELSE 'delivered' END, 1, 1, number FROM numbers"
        );
        execute(&opened, &sql).await;
        execute(&opened, "ANALYZE").await;
        let due = "SELECT notice_id FROM notices WHERE lane = 1 AND next_at_ms <= 5 ORDER BY next_at_ms LIMIT 256";
        let next =
            "SELECT next_at_ms FROM notices WHERE lane = 1 AND next_at_ms IS NOT NULL ORDER BY next_at_ms LIMIT 1";
        let owed = "SELECT notice_id FROM notices WHERE owed_since_ms IS NOT NULL ORDER BY owed_since_ms LIMIT 500";
        let asked = [
            (query::adrift_sql(), "notices_unexplained"),
            (query::overdue_sql().replace("$1", "100"), "notices_unexplained"),
            (due.to_owned(), "notices_due"),
            (next.to_owned(), "notices_due"),
            (owed.to_owned(), "notices_owed"),
        ];
        for (sql, index) in asked {
            let explain = if is_sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
            let statement = Statement::from_string(opened.backend(), format!("{explain} {sql}"));
            let rows = opened.reader().query_all_raw(statement).await.unwrap();
            let column = if is_sqlite { "detail" } else { "QUERY PLAN" };
            let plan: Vec<String> = rows.iter().map(|row| row.try_get("", column).unwrap()).collect();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{sql}\n{plan}");
            assert!(!plan.contains("Seq Scan") && !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        }
        assert_eq!(query::adrift(opened.reader()).await.unwrap(), []);
        assert_eq!(query::overdue(opened.reader(), 1_000).await.unwrap().len(), 10);
    }
}

#[tokio::test]
async fn the_dead_man_address_is_called_without_data_while_all_is_well() {
    let called: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&called);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = axum::routing::get(move |request: axum::extract::Request| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let length = axum::body::to_bytes(request.into_body(), 1_024).await.unwrap().len();
            assert_eq!(length, 0, "nothing is said");
            axum::http::StatusCode::OK
        }
    });
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/secret-word", heard)).await });
    let more = format!("auditor.ping_url = 'http://{address}/secret-word'");
    let harness = Harness::start_with(TestDatabase::sqlite(), &more).await;
    wait_until("it is called", PATIENCE, async || called.load(Ordering::SeqCst) == 1).await;
    harness.stop().await;
}
