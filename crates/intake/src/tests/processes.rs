//! Two processes of intake over one database.

use std::time::Duration;

use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Harness, scenario};

/// How long triage may take to hear.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn one_key_at_two_processes_at_once_is_one_report() {
    let harness = Harness::start(TestDatabase::postgres().await).await;
    let other = harness.another().await;
    let report = scenario("dam-eviction");
    // It reads triage's key from the table, whichever process heard it.
    assert_eq!(harness.submit_at(&other, "at-the-other", &report).await.status, 201);
    for round in 0..20 {
        let key = format!("twice-at-once-{round}");
        let (one, two) = tokio::join!(harness.submit(&key, &report), harness.submit_at(&other, &key, &report));
        assert_eq!((one.status, two.status), (201, 201), "{one:?} {two:?}");
        assert_eq!(one.body, two.body, "one report, one receipt");
    }
    wait_until("triage has all", LIMIT, async || harness.heard_reports() >= 21).await;
    assert_eq!(harness.heard_reports(), 21);
    harness.stop().await;
}

#[tokio::test]
async fn groups_with_the_same_keys_never_wait_in_a_circle() {
    let harness = Harness::start(TestDatabase::postgres().await).await;
    let other = harness.another().await;
    let report = scenario("dam-eviction");
    // Several rounds: the processes meet at a group's keys in most of them, and at a single key in some.
    for round in 0..20 {
        let keys: Vec<String> = (0..40).map(|number| format!("crossed-key-{round}-{number}")).collect();
        let here = keys.iter().map(|key| harness.submit(key, &report));
        let there = keys.iter().rev().map(|key| harness.submit_at(&other, key, &report));
        let (here, there) = tokio::join!(futures::future::join_all(here), futures::future::join_all(there));
        for (one, two) in here.iter().zip(there.iter().rev()) {
            assert_eq!((one.status, two.status), (201, 201), "{one:?} {two:?}");
            assert_eq!(one.body, two.body);
        }
    }
    harness.stop().await;
}
