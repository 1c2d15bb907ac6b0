//! Bounces come back through the LMTP door: a notice ends and goes to a person, and an address that keeps bouncing is
//! left alone.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::super::harness::{Alert, Harness, PATIENCE};
use super::tools::{Dialogue, free_port, report};
use super::unsubscribe::{lift, suppressions};

fn settings(port: u16) -> String {
    format!("[notification.email.bounces]\nlisten = '127.0.0.1:{port}'\n")
}

/// Asks for an alert and returns the return path of the message that arrived.
async fn send(harness: &Harness, alert: &Alert, contacts: &[tocsin_proto::notification::v1::Contact]) -> String {
    let before = harness.mail.log().count();
    harness.request(alert, contacts).await;
    wait_until("it arrived", PATIENCE, async || harness.mail.log().count() > before).await;
    harness.mail.log().all()[before].item.from.clone()
}

#[tokio::test]
async fn two_hard_bounces_suppress_an_address_until_a_person_lifts_it() {
    for database in TestDatabase::both().await {
        let port = free_port();
        let harness = Harness::start_with(database, &settings(port)).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
        harness.import(contacts.clone()).await.unwrap();
        let mut door = Dialogue::open(port).await;
        assert_eq!(door.say("LHLO mail.example").await, "250 SIZE 524288");
        let mut states = Vec::new();
        for number in 0..2 {
            assert_eq!(suppressions(&harness, Role::Operator).await.len(), 0, "{number}");
            let path = send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
            // Twice the same report is one bounce; mail servers may change capitals.
            for path in [path.clone(), path.to_ascii_uppercase()] {
                assert_eq!(door.hand_in(&path, &report("failed", "5.1.1")).await, "250 2.0.0 taken");
            }
            states.push("org-1-c1 email rejected_permanent");
            harness.until(&states).await;
        }
        let failed = harness.progress().remove(0);
        assert_eq!((failed.reason.as_str(), failed.handed_to.as_str()), ("bounced_5.1.1", "Coordinator One"));
        let seen = suppressions(&harness, Role::Coordinator).await;
        assert_eq!((seen.len(), seen[0].kind.as_str(), seen[0].detail.as_str()), (1, "hard_bounces", "5.1.1"));
        // Urgent or not: there is nobody at this address.
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        states.push("org-1-c1 email rejected_permanent");
        harness.until(&states).await;
        assert!(harness.progress().iter().any(|one| one.reason == "address_suppressed"));
        assert_eq!(harness.mail.log().count(), 2);
        lift(&harness, "org-1-c1").await.unwrap();
        send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn bounces_of_an_earlier_address_end_their_notices_and_spare_the_present_one() {
    let port = free_port();
    let harness = Harness::start_with(TestDatabase::sqlite(), &settings(port)).await;
    let mut contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    let mut paths = Vec::new();
    for _ in 0..2 {
        paths.push(send(&harness, &Alert::new("p1", "AMBER"), &contacts).await);
    }
    harness.until(&["org-1-c1 email accepted"; 2]).await;
    contacts[0].email = "other@org-1.example".to_owned();
    harness.import(contacts.clone()).await.unwrap();
    let mut door = Dialogue::open(port).await;
    door.say("LHLO mail.example").await;
    for path in paths {
        assert_eq!(door.hand_in(&path, &report("failed", "5.1.1")).await, "250 2.0.0 taken");
    }
    harness.until(&["org-1-c1 email rejected_permanent"; 2]).await;
    assert!(suppressions(&harness, Role::Operator).await.is_empty(), "the new address has not bounced");
    send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
    harness.stop().await;
}

#[tokio::test]
async fn an_address_that_bounces_softly_rests_for_all_but_urgent_notices() {
    let port = free_port();
    let harness = Harness::start_with(TestDatabase::sqlite(), &settings(port)).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    let mut door = Dialogue::open(port).await;
    door.say("LHLO mail.example").await;
    for _ in 0..3 {
        let path = send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
        assert_eq!(door.hand_in(&path, &report("failed", "4.4.7")).await, "250 2.0.0 taken");
    }
    let seen = suppressions(&harness, Role::Operator).await;
    assert_eq!((seen[0].kind.as_str(), seen[0].until.is_some()), ("soft_bounces", true));
    let mut states = vec!["org-1-c1 email failed_temporary"; 3];
    harness.until(&states).await;
    harness.request(&Alert::new("p3", "AMBER"), &contacts).await;
    let waits = async || harness.progress().iter().any(|one| one.state == "queued" && one.reason == "address_rests");
    wait_until("a normal notice waits", PATIENCE, waits).await;
    send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
    states.extend(["org-1-c1 email queued", "org-1-c1 email accepted"]);
    harness.until(&states).await;
    harness.stop().await;
}

#[tokio::test]
async fn the_door_takes_reports_to_our_own_addresses_only() {
    let port = free_port();
    let harness = Harness::start_with(TestDatabase::sqlite(), &settings(port)).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    let path = send(&harness, &Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted"]).await;
    let mut door = Dialogue::open(port).await;
    assert_eq!(door.say("EHLO mail.example").await, "500 5.5.1 this door speaks LMTP: say LHLO");
    assert_eq!(door.say("MAIL FROM:<>").await, "503 5.5.1 LHLO first");
    door.say("LHLO mail.example").await;
    assert_eq!(door.say(&format!("RCPT TO:<{path}>")).await, "503 5.5.1 MAIL first");
    door.say("MAIL FROM:<>").await;
    assert_eq!(door.say("DATA").await, "503 5.5.1 RCPT first");
    let (local, _) = path.split_once('@').unwrap();
    let guessed = local.replace(&local[local.len() - 1..], if local.ends_with('0') { "1" } else { "0" });
    for wrong in [
        "alerts@tocsin.example".to_owned(),
        "alerts+@tocsin.example".to_owned(),
        format!("{guessed}@tocsin.example"),
        format!("{local}00@tocsin.example"),
        format!("{}@tocsin.example", &local[..local.len() - 2]),
        format!("{local}@other.example"),
        path.replace("alerts", "root"),
        "duty@org-1.example".to_owned(),
    ] {
        assert_eq!(door.say(&format!("RCPT TO:<{wrong}>")).await, "550 5.1.1 no such address", "{wrong}");
    }
    let vacation = "From: duty@org-1.example\r\nSubject: I am away\r\n\r\nStatus: 5.1.1\r\nAction: failed\r\n";
    for harmless in [vacation, "", "\u{1}\r\n..\r\n", &report("delayed", "4.4.1"), &report("delivered", "2.0.0")] {
        assert_eq!(door.hand_in(&path, harmless).await, "250 2.0.0 taken", "{harmless}");
    }
    let long =
        format!("{}\r\n{}", report("failed", "5.1.1"), "x".repeat(70).as_str().to_owned() + "\r\n").repeat(8_000);
    assert_eq!(door.hand_in(&path, &long).await, "552 5.3.4 too large");
    assert_eq!(harness.states(), ["org-1-c1 email accepted"], "none of it changed anything");
    assert!(suppressions(&harness, Role::Operator).await.is_empty());
    let mut last = String::new();
    for _ in 0..30 {
        last = door.say("\u{2} what").await;
        if last.starts_with("421") {
            break;
        }
    }
    assert_eq!(last, "421 4.7.0 too many errors");
    assert_eq!(door.reply().await, "");
    harness.stop().await;
}
