//! Looking after deliveries by command line: notices shown, sent again and withdrawn, contacts added, proved and tried,
//! gateways paused and resumed, each with its effect at a sink.

use serde_json::Value;
use tocsin_tests::Outcome;
use tocsin_tests::network::{list, open, text};
use tocsin_tests::process::wait_until;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::STEP_LIMIT;

use super::{House, is_settled, members_scenario};

/// Two organisations of two contacts, all by e-mail.
async fn house_of_mail() -> Outcome<House> {
    let mut network = open(2, 2);
    for organisation in network.0["organisations"].as_array_mut().into_iter().flatten() {
        for contact in organisation["contacts"].as_array_mut().into_iter().flatten() {
            contact["channels"] = serde_json::json!(["email"]);
        }
    }
    House::of(network).await
}

/// The messages that have arrived for an address since they were last taken.
fn taken(house: &House, to: &str) -> Vec<String> {
    let mails = house.receivers.mail.log().take().into_iter().map(|arrival| arrival.item);
    let for_it = mails.filter(|mail| mail.to.iter().any(|one| one == to));
    for_it.map(|mail| String::from_utf8_lossy(&mail.data).into_owned()).collect()
}

fn smarthost(house: &House) -> String {
    format!("127.0.0.1:{}", house.receivers.mail.address().port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_are_shown_sent_again_and_withdrawn_by_hand() -> Outcome<()> {
    let house = house_of_mail().await?;
    house.good("coordinator", &["suppression", "add", "org-001-c1", "--reason", "mailbox_full"])?;
    let suppressed = house.json("operator", &["suppression", "list"])?;
    ensure_equal(text(&list(&suppressed, "suppressions")[0], "detail"), "mailbox_full".to_owned(), "why")?;
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    house.coverage(&code, "the alert has gone out", is_settled).await?;
    let failed = house.json("coordinator", &["notice", "list", "--alert", &code, "--state", "rejected_permanent"])?;
    let failed = list(&failed, "notices");
    ensure_equal(failed.len(), 1, "refused notices")?;
    let notice = text(&failed[0], "notice_id");
    let progress = house.good("operator", &["notice", "progress", &code])?.out;
    ensure(progress.contains("notices        4") && progress.contains("rejected_permanent"), || progress.clone())?;

    // A second alert waits, because the only smarthost is paused.
    house.receivers.mail.log().clear();
    house.good("coordinator", &["suppression", "remove", "org-001-c1", "--reason", "mailbox_mended"])?;
    let paused = house.good("operator", &["gateway", "pause", &smarthost(&house), "--reason", "maintenance"])?.out;
    ensure(paused.contains("paused"), || paused.clone())?;
    let redriven = house.json("operator", &["notice", "redrive", &notice, "--reason", "mailbox_mended"])?;
    ensure_equal(redriven["notices_by_state"]["rejected_permanent"].clone(), 1.into(), "sent again")?;
    let waits = wait_until("it waits for the smarthost", STEP_LIMIT, async || {
        let shown = house.json("operator", &["notice", "show", &notice])?;
        Ok((text(&shown["notice"], "reason") == "gateways_paused").then_some(shown))
    })
    .await?;
    ensure_equal(text(&waits["notice"], "contact_id"), String::new(), "an operator sees nobody's id")?;
    ensure_equal(house.receivers.mail.log().count(), 0, "messages through a paused smarthost")?;
    house.good("operator", &["gateway", "resume", &smarthost(&house), "--reason", "mended"])?;
    wait_until("it arrives", STEP_LIMIT, async || Ok((house.receivers.mail.log().count() == 1).then_some(()))).await?;
    let shown = wait_until("its end is written", STEP_LIMIT, async || {
        let shown = house.good("coordinator", &["notice", "show", &notice])?.out;
        Ok(shown.contains("accepted").then_some(shown))
    })
    .await?;
    for expected in
        ["address_suppressed", "250", "Changed by hand", "notices.redrive", "staff-operator", &smarthost(&house)]
    {
        ensure(shown.contains(expected), || format!("{expected} is missing:\n{shown}"))?;
    }
    withdrawn_by_hand(&house).await
}

/// What waits for a paused smarthost is withdrawn and never arrives.
async fn withdrawn_by_hand(house: &House) -> Outcome<()> {
    house.good("operator", &["gateway", "pause", &smarthost(house), "--reason", "maintenance"])?;
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    let waiting = ["notice", "list", "--alert", &code, "--state", "queued"];
    wait_until("all wait", STEP_LIMIT, async || {
        let listed = house.json("coordinator", &waiting)?;
        let notices = list(&listed, "notices");
        let held = |one: &Value| text(one, "reason") == "gateways_paused" && one["in_hand"] == false;
        Ok((notices.len() == 4 && notices.iter().all(held)).then_some(()))
    })
    .await?;
    house.receivers.mail.log().clear();
    let asked = house.ended("coordinator", &["notice", "withdraw", "--alert", &code, "--reason", "stopped"], 2)?;
    ensure(asked.err.contains("Withdraw 4 notices?") && asked.err.contains("--yes"), || asked.err.clone())?;
    let one = ["notice", "withdraw", "--contact", "org-002-c2", "--reason", "wrong_recipient"];
    ensure_equal(house.json("coordinator", &one)?["withdrawn"].clone(), 1.into(), "withdrawn of one contact")?;
    let rest = ["notice", "withdraw", "--alert", &code, "--reason", "stopped", "--yes"];
    ensure_equal(house.json("coordinator", &rest)?["withdrawn"].clone(), 3.into(), "withdrawn of the rest")?;
    house.good("operator", &["gateway", "resume", &smarthost(house), "--reason", "mended"])?;
    house.ended("operator", &["notice", "withdraw", "--alert", &code, "--reason", "stopped"], 4)?;
    // Whatever was still to leave would come before this test by the same smarthost.
    house.good("operator", &["gateway", "test", &smarthost(house), "--to", "operator@org.example"])?;
    // Calls to the people on duty waited too, and are no part of the alert.
    let arrived = house.receivers.mail.log().take().into_iter().flat_map(|arrival| arrival.item.to);
    let arrived: Vec<String> = arrived.filter(|to| !to.ends_with("@staff.example")).collect();
    ensure_equal(arrived, vec!["operator@org.example".to_owned()], "messages after the withdrawal")?;
    let changes = house.good("operator", &["notice", "changes"])?.out;
    for expected in ["notices.withdraw", "wrong_recipient", "gateway.pause", "staff-coordinator"] {
        ensure(changes.contains(expected), || format!("{expected} is missing:\n{changes}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_is_added_proved_and_tried() -> Outcome<()> {
    let house = house_of_mail().await?;
    let add = [
        "contact",
        "add",
        "org-001-c9",
        "--organisation",
        "org-001",
        "--language",
        "en",
        "--channel",
        "email",
        "--email",
        "c9@org-001.example",
        "--secrets",
        "c9.json",
    ];
    house.good("administrator", &add)?;
    ensure(house.file("c9.json").is_file(), || "the shared word is not kept".to_owned())?;
    let twice = house.ended(
        "administrator",
        &["contact", "add", "org-001-c9", "--channel", "email", "--email", "x@y.example"],
        3,
    )?;
    ensure(twice.err.contains("CONTACT_EXISTS"), || twice.err.clone())?;
    let wrong =
        house.ended("administrator", &["contact", "add", "org-001-c8", "--channel", "email", "--email", "x"], 2)?;
    ensure(wrong.err.contains("  email: "), || wrong.err.clone())?;
    let shown = house.good("coordinator", &["contact", "show", "org-001-c9"])?.out;
    ensure(shown.contains("c***@org-001.example") && !shown.contains("c9@org-001.example"), || shown.clone())?;
    house.ended("coordinator", &["contact", "show", "org-001-c9", "--show-addresses"], 4)?;
    let full = house.good("administrator", &["contact", "list", "--organisation", "org-001", "--show-addresses"])?.out;
    ensure(full.contains("c9@org-001.example"), || full.clone())?;

    house.receivers.mail.log().clear();
    house.good("administrator", &["contact", "verify", "org-001-c9", "--channel", "email"])?;
    let mail = taken(&house, "c9@org-001.example");
    let (_, rest) = mail[0].split_once("Your code is ").ok_or_else(|| tocsin_tests::Trouble::new("no code"))?;
    let code: String = rest.chars().take(6).collect();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    house.ended("administrator", &["contact", "verify", "org-001-c9", "--channel", "email", "--code", wrong], 3)?;
    house.good("administrator", &["contact", "verify", "org-001-c9", "--channel", "email", "--code", &code])?;
    let unverified = house.json("administrator", &["contact", "list", "--unverified", "--all"])?;
    let named = list(&unverified, "contacts").iter().any(|one| text(one, "contact_id") == "org-001-c9");
    ensure(!named, || "a verified contact counts as unverified".to_owned())?;

    let tested = house.json("operator", &["contact", "test", "org-001-c9", "--channel", "email"])?;
    ensure_equal(text(&tested, "outcome"), "accepted".to_owned(), "the test")?;
    ensure_equal(taken(&house, "c9@org-001.example").len(), 1, "tests that arrived")?;
    // It belongs to its organisation, and gets its alerts.
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    house.coverage(&text(&released, "short_code"), "the alert has gone out", is_settled).await?;
    ensure_equal(taken(&house, "c9@org-001.example").len(), 1, "alerts to the new contact")?;
    let doctor = house.good("", &["doctor"])?.out;
    ensure(doctor.contains("of them not verified") && doctor.contains("each SMS one segment"), || doctor.clone())
}
