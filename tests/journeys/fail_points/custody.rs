//! An event that cannot be taken, and a process that dies on the way of it into custody. Its five faults take 156 s, so
//! each place has an installation of its own, and all wait together.

use std::time::Duration;

use tocsin_tests::Outcome;
use tocsin_tests::installation::Installation;
use tocsin_tests::process::wait_until;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::trouble::ensure_equal;

use super::database::{Tables, blob};
use super::mortal::Mortal;
use super::places;

/// The delays between five faults, and a busy machine.
const FAULTS_LIMIT: Duration = Duration::from_mins(4);
/// How long a settlement may take.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
/// The event that cannot be read.
const EVENT: &str = "01900000-0000-7000-8000-00000000000c";
/// The commit after which the event is in custody.
const IN_CUSTODY: &str = "consume.bury.after";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_cannot_be_taken_is_owed_or_in_custody_wherever_a_process_dies() -> Outcome<()> {
    futures::future::try_join_all(places::CUSTODY.iter().map(|place| die_on_the_way(place))).await.map(|_| ())
}

async fn die_on_the_way(place: &str) -> Outcome<()> {
    let receivers = Receivers::start(Vec::new()).await?;
    let installation = Installation::embedded(&receivers, "\n[telemetry]\nlevel = \"warn\"\n")?;
    let tables = Tables::of(&installation);
    let mut process = Mortal::new(&installation, "up").with_limit(FAULTS_LIMIT);
    process.live().await?;
    process.kill()?;
    let said = format!(
        "INSERT INTO outbox (event_id, kind, lane, aggregate, version, at_ms, payload) \
         VALUES ({id}, 'report.received', 0, 'x', 1, 1, X'ff'); \
         INSERT INTO outbox_owed (event_id, consumer, lane, recorded_at_ms, generation) \
         VALUES ({id}, 'triage', 0, 1, 0)",
        id = blob(EVENT)
    );
    tables.must_change("intake", &said).await?;
    process.die_at(place).await?;
    let of_event = |table: &str| format!("SELECT count(*) FROM {table} WHERE event_id = {}", blob(EVENT));
    let buried = i64::from(place == IN_CUSTODY);
    let owed = tables.count("intake", &of_event("outbox_owed")).await?;
    ensure_equal(owed, 1, &format!("consumers to whom the event is owed after a death at {place}"))?;
    for table in ["dead_letters", "inbox"] {
        let count = tables.count("triage", &of_event(table)).await?;
        ensure_equal(count, buried, &format!("rows of the event in {table} after a death at {place}"))?;
    }
    process.live().await?;
    if place == IN_CUSTODY {
        wait_until("an event in custody is settled", SETTLE_LIMIT, async || {
            Ok((tables.count("intake", &of_event("outbox_owed")).await? == 0).then_some(()))
        })
        .await?;
    }
    let letters = tables.count("triage", &of_event("dead_letters")).await?;
    ensure_equal(letters, buried, &format!("dead letters in the life after a death at {place}"))
}
