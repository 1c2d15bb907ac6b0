//! Withdrawals, tombstones, superseded revisions, expiry and quiet hours.

use tocsin_platform::testing::TestDatabase;

use super::harness::{Alert, Harness};

#[tokio::test]
async fn a_withdrawal_that_comes_first_leaves_a_tombstone() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts =
            vec![harness.contact("org-1", 1, "en", &["email"]), harness.contact("org-2", 2, "en", &["email"])];
        harness.import(contacts.clone()).await.unwrap();
        let alert = Alert::new("p1", "AMBER");
        harness.withdraw(&alert, "org-1", "acknowledged").await;
        harness.settled().await;
        harness.request(&alert, &contacts).await;
        harness.until(&["org-1-c1 none withdrawn", "org-2-c2 email accepted"]).await;
        let stopped = Alert::new("p1", "AMBER");
        harness.withdraw(&stopped, "", "stopped").await;
        harness.settled().await;
        harness.request(&stopped, &contacts[..1]).await;
        harness.until(&["org-1-c1 none withdrawn", "org-1-c1 none withdrawn", "org-2-c2 email accepted"]).await;
        assert_eq!(harness.mail.log().count(), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn quiet_hours_defer_and_a_stop_ends_what_waits() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let mut asleep = harness.contact("org-1", 1, "en", &["email", "sms"]);
        asleep.quiet_hours = "00:00-23:59".to_owned();
        asleep.urgent_overrides_quiet_hours = false;
        let contacts = vec![asleep];
        harness.import(contacts.clone()).await.unwrap();
        let alert = Alert::new("p1", "AMBER");
        harness.request(&alert, &contacts).await;
        harness.until(&["org-1-c1 email queued", "org-1-c1 sms queued"]).await;
        assert!(harness.progress().iter().all(|notice| notice.reason == "quiet_hours" && notice.due_at.is_some()));
        harness.withdraw(&alert, "", "stopped").await;
        harness.until(&["org-1-c1 email withdrawn", "org-1-c1 sms withdrawn"]).await;
        assert!(harness.progress().iter().all(|notice| notice.reason == "stopped"));
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_newer_revision_supersedes_what_is_queued_of_an_older_one() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut asleep = harness.contact("org-1", 1, "en", &["email"]);
    asleep.quiet_hours = "00:00-23:59".to_owned();
    let contacts = vec![asleep];
    harness.import(contacts.clone()).await.unwrap();
    let first = Alert::new("p3", "AMBER");
    let second = Alert { revision: 1, ..first.clone() };
    harness.request(&first, &contacts).await;
    harness.until(&["org-1-c1 email queued"]).await;
    harness.request(&second, &contacts).await;
    harness.until(&["org-1-c1 email queued", "org-1-c1 email withdrawn"]).await;
    harness.request(&Alert { revision: 0, ..first }, &contacts).await;
    harness.until(&["org-1-c1 email queued", "org-1-c1 email withdrawn", "org-1-c1 none withdrawn"]).await;
    assert_eq!(harness.mail.log().count(), 0);
    harness.stop().await;
}

#[tokio::test]
async fn nothing_starts_after_its_consent_or_its_time() {
    let harness = Harness::start_with(TestDatabase::sqlite(), "expire_after_hours = 0").await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert { consent_hours: Some(-1), ..Alert::new("p1", "AMBER") }, &contacts).await;
    harness.until(&["org-1-c1 email withdrawn"]).await;
    assert_eq!(harness.progress()[0].reason, "consent_expired");
    harness.request(&Alert { deadline_hours: -1, ..Alert::new("p1", "AMBER") }, &contacts).await;
    harness.until(&["org-1-c1 email expired", "org-1-c1 email withdrawn"]).await;
    let expired = harness.progress().into_iter().find(|notice| notice.state == "expired").unwrap();
    assert_eq!(expired.handed_to, "Coordinator One");
    assert_eq!(harness.mail.log().count(), 0);
    harness.stop().await;
}
