//! What is urgent is the next to start, whatever waits: shown by the order in which attempts begin, not by a clock.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use sea_orm::{ConnectionTrait, Statement};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};
use super::leases::another_process;

/// Six of these eight are for what is not urgent.
const SLOTS: usize = 8;
const ORDINARY: usize = 6;

/// The order in which notices arrived, and the ways to answer them.
#[derive(Default)]
struct Arrivals {
    order: Vec<Uuid>,
    waiting: HashMap<usize, oneshot::Sender<()>>,
}

/// Hosts of one receiver that answers when it is told.
async fn hosts(count: usize) -> (Vec<SocketAddr>, Arc<Mutex<Arrivals>>) {
    let arrivals: Arc<Mutex<Arrivals>> = Arc::default();
    let mut addresses = Vec::new();
    for _ in 0..count {
        let kept = Arc::clone(&arrivals);
        let post = axum::routing::post(move |headers: HeaderMap| {
            let (sender, answered) = oneshot::channel();
            {
                let mut arrivals = kept.lock().unwrap();
                let number = arrivals.order.len();
                arrivals.order.push(headers["webhook-id"].to_str().unwrap().parse().unwrap());
                arrivals.waiting.insert(number, sender);
            }
            async move {
                answered.await.unwrap();
                StatusCode::NO_CONTENT
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", post)).await });
    }
    (addresses, arrivals)
}

/// Answers one after the other until `urgent` have started, and says how many others started before the last of them.
async fn others_before(arrivals: &Mutex<Arrivals>, urgent: &HashSet<Uuid>, from: usize) -> usize {
    loop {
        let arrived = arrivals.lock().unwrap().order.len();
        let started: Vec<Uuid> = arrivals.lock().unwrap().order[from..].to_vec();
        let last = started.iter().rposition(|id| urgent.contains(id));
        if started.iter().filter(|id| urgent.contains(id)).count() == urgent.len() {
            return last.unwrap() + 1 - urgent.len();
        }
        // One place becomes free, and whoever is next takes it.
        let free = {
            let mut arrivals = arrivals.lock().unwrap();
            let first = *arrivals.waiting.keys().min().unwrap();
            arrivals.waiting.remove(&first).unwrap()
        };
        free.send(()).unwrap();
        wait_until("the next one starts", PATIENCE, async || arrivals.lock().unwrap().order.len() > arrived).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_urgent_notice_is_the_next_to_start_behind_100_000_bulk_ones() {
    let (addresses, arrivals) = hosts(8).await;
    let harness = Harness::start_with(TestDatabase::sqlite(), &format!("slots = {SLOTS}\n# patient\n")).await;
    let contact = |organisation: &str, number: u32, host: SocketAddr| {
        contact_with_hook(organisation, number, "en", &["webhook"], format!("http://{host}/"))
    };
    let bulk: Vec<_> =
        (1..=500).zip(addresses[..4].iter().cycle()).map(|(number, host)| contact("org-1", number, *host)).collect();
    let urgent: Vec<_> =
        (1..=10).zip(addresses[4..].iter().cycle()).map(|(number, host)| contact("org-2", number, *host)).collect();
    harness.import([bulk.clone(), urgent.clone()].concat()).await.unwrap();
    harness.request(&Alert::new("p4", "AMBER"), &bulk).await;
    let arrived = || arrivals.lock().unwrap().order.len();
    wait_until("the bulk fills its places", PATIENCE, async || arrived() == ORDINARY).await;
    let other = another_process(&harness).await;
    multiply(&other, 200).await;

    // An alert that is handed over by the bus: it takes the two kept places, then each that becomes free.
    harness.request(&Alert::new("p1", "AMBER"), &urgent).await;
    harness.settled().await;
    let ids = ids_of(&other, "SELECT notice_id FROM notices WHERE organisation_id = 'org-2'").await;
    assert_eq!(ids.len(), 10);
    wait_until("two start at once", PATIENCE, async || arrived() == SLOTS).await;
    assert_eq!(others_before(&arrivals, &ids, ORDINARY).await, 0);

    // And those that are claimed from among the hundred thousand, the last in line.
    let chosen = "SELECT notice_id FROM notices WHERE lane = 2 AND lease_owner IS NULL AND state = 'queued' \
                  ORDER BY next_at_ms DESC LIMIT 10";
    let from = arrived();
    let ids = ids_of(&other, chosen).await;
    let named: Vec<String> = ids.iter().map(|id| format!("X'{}'", id.simple())).collect();
    let engine = &harness.running.office.engine;
    let room = engine.room(0);
    execute(&other, &format!("UPDATE notices SET lane = 0 WHERE notice_id IN ({})", named.join(", "))).await;
    engine.wake();
    wait_until("they are claimed and in line", PATIENCE, async || engine.room(0) + ids.len() <= room).await;
    assert_eq!(others_before(&arrivals, &ids, from).await, 0);
}

/// Makes a hundred thousand of five hundred: the same notices of further alerts, which became due one after the other.
async fn multiply(database: &tocsin_platform::database::Database, times: usize) {
    let numbers = format!(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {times}) "
    );
    let bulletins = format!(
        "{numbers} INSERT INTO bulletins (bulletin_id, revision, kind, short_code, priority, tlp, released_at_ms, \
         deadline_at_ms, expires_at_ms, drill, source_language, reviewed_languages, coordinator_id, coordinator_name, \
         created_at_ms) SELECT randomblob(16), 7, kind, short_code, priority, tlp, released_at_ms, deadline_at_ms, \
         expires_at_ms, drill, source_language, reviewed_languages, coordinator_id, coordinator_name, created_at_ms \
         FROM bulletins, numbers"
    );
    execute(database, &bulletins).await;
    let notices = "INSERT INTO notices (notice_id, batch_id, bulletin_id, revision, contact_id, organisation_id, channel, \
                   lane, destination, language, acknowledge_token, state, attempts, next_at_ms, version, changed_at_ms) \
                   SELECT randomblob(16), batch_id, bulletins.bulletin_id, 7, contact_id, organisation_id, channel, lane, \
                   destination, language, acknowledge_token, 'queued', 0, changed_at_ms + bulletins.rowid, 1, \
                   changed_at_ms FROM bulletins, notices WHERE bulletins.revision = 7";
    execute(database, notices).await;
    let count = ids_of(database, "SELECT notice_id FROM notices").await.len();
    assert!(count >= 100_000, "{count}");
}

async fn execute(database: &tocsin_platform::database::Database, sql: &str) {
    let transaction = database.begin().await.unwrap();
    transaction.execute_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn ids_of(database: &tocsin_platform::database::Database, sql: &str) -> HashSet<Uuid> {
    let rows = database.reader().query_all_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "notice_id").unwrap()).collect()
}
