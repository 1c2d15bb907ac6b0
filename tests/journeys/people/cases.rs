//! A case by hand, from the reporter's words to the release and to its end.

use serde_json::json;
use tocsin_tests::Outcome;
use tocsin_tests::network::{list, open, text, texts};
use tocsin_tests::process::wait_until;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::STEP_LIMIT;

use super::{House, consent, is_settled, members_scenario};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_walks_by_hand_from_the_report_to_the_release() -> Outcome<()> {
    let house = House::of(open(3, 2)).await?;
    let again = house.json("administrator", &["org", "import", "network.json"])?;
    for kind in ["organisations", "contacts"] {
        let count = if kind == "organisations" { 3 } else { 6 };
        ensure_equal(again[kind].clone(), json!({"created": 0, "changed": 0, "unchanged": count}), kind)?;
    }
    let scenario = members_scenario()?;
    let (case, receipt) = house.report(&scenario).await?;
    ensure(case.starts_with("XA-20"), || format!("the reference is {case}"))?;
    reporter_and_network_talk(&house, &case, &receipt).await?;

    house.ended("coordinator", &["case", "release", &case], 3)?;
    house.ended("approver-1", &["case", "approve", &case, "--draft-version", "1"], 3)?;
    house.good("verifier", &["case", "verify", &case, "--link", "ngo", "--reliability", "B", "--information", "2"])?;
    house.installation.file("factors.json", scenario["assessment"]["factors"].to_string())?;
    let assessed =
        house.json("coordinator", &["case", "assess", &case, "--factors", "factors.json", "--claim", "confirmed"])?;
    ensure_equal(assessed["assessment"]["score"].clone(), json!(71), "score")?;
    ensure_equal(list(&assessed["assessment"], "contributions").len(), 10, "contributions shown")?;
    house.good("coordinator", &consent(&case, "asked"))?;
    house.installation.file("alert.json", scenario["alert"].to_string())?;
    let version = text(&house.json("coordinator", &["case", "draft", &case, "alert.json"])?["draft"], "version");
    house.good("coordinator", &["case", "submit", &case])?;
    house.good("approver-1", &["case", "approve", &case, "--draft-version", &version])?;
    house.ended("verifier", &["case", "approve", &case, "--draft-version", &version], 4)?;

    let refused = house.ended("coordinator", &["case", "release", &case], 3)?;
    for reason in ["consent: members_alert asked", "approval"] {
        ensure(refused.out.contains(reason), || format!("{reason} is not told: {refused:?}"))?;
    }
    house.good("coordinator", &consent(&case, "granted"))?;
    house.good("approver-1", &["case", "approve", &case, "--draft-version", &version])?;
    house.ended("coordinator", &["case", "release", &case], 3)?;
    house.good("approver-2", &["case", "approve", &case, "--draft-version", &version])?;
    let preview = house.json("coordinator", &["case", "preview", &case])?;
    ensure_equal(list(&preview, "refusals").len(), 0, "refusals left")?;
    ensure_equal(
        texts(&preview, "organisation_ids"),
        ["org-001", "org-002", "org-003"].map(str::to_owned).to_vec(),
        "audience",
    )?;

    let released = house.json("coordinator", &["case", "release", &case])?;
    ensure_equal(released["released"].clone(), json!(true), "released")?;
    house.ended("coordinator", &["case", "release", &case], 3)?;
    let code = text(&released, "short_code");
    house.coverage(&code, "the fan-out settles", is_settled).await?;
    let shown = house.json("coordinator", &["case", "show", &case])?;
    let audit = list(&shown, "audit").iter().map(|entry| text(entry, "action")).collect::<Vec<_>>().join(" ");
    ensure(audit.contains("release_refused"), || format!("no refusal stands in the audit: {audit}"))?;
    let told = house.good("coordinator", &["case", "show", &case])?;
    ensure(told.out.contains(&case) && told.out.contains("plain clothes"), || {
        format!("the page does not show it: {}", told.out)
    })
}

/// The reporter adds and reads; somebody answers.
async fn reporter_and_network_talk(house: &House, case: &str, receipt: &str) -> Outcome<()> {
    let with_receipt = [("TOCSIN_RECEIPT", receipt)];
    let added = house.run_with("", &["report", "add", "-"], &with_receipt, "They came back\nthis morning.")?;
    ensure_equal(added.code, Some(0), &format!("report add: {added:?}"))?;
    house.good("coordinator", &["case", "acknowledge", case])?;
    house.good("coordinator", &["case", "answer", case, "A lawyer calls you tonight."])?;
    wait_until("the reporter reads the answer", STEP_LIMIT, async || {
        let shown = house.run_with("", &["report", "show"], &with_receipt, "")?;
        let whole = shown.out.contains("A lawyer calls you tonight.") && shown.out.contains("acknowledged");
        Ok(whole.then_some(()))
    })
    .await?;
    wait_until("the coordinator reads the message", STEP_LIMIT, async || {
        let shown = house.good("coordinator", &["case", "show", case])?;
        Ok((shown.out.contains("this morning.")).then_some(()))
    })
    .await?;
    let wrong = house.run_with("", &["report", "show"], &[("TOCSIN_RECEIPT", "only three words")], "")?;
    ensure(matches!(wrong.code, Some(2 | 4)), || format!("a wrong receipt: {wrong:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_a_case_withdraws_what_is_queued() -> Outcome<()> {
    let mut network = open(2, 2);
    // Quiet hours of the second contact of each: from an hour ago to two hours from now.
    let now = tocsin_platform::clock::Clock::system().now();
    let hour = |hours: i64| (now + chrono::TimeDelta::hours(hours)).format("%H:00").to_string();
    for organisation in network.0["organisations"].as_array_mut().into_iter().flatten() {
        organisation["contacts"][1]["quiet_hours"] = json!(format!("{}-{}", hour(-1), hour(2)));
        organisation["contacts"][1]["urgent_overrides_quiet_hours"] = json!(false);
    }
    let house = House::of(network).await?;
    let (case, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    let count = |state: &str| {
        let state = state.to_owned();
        move |coverage: &serde_json::Value| coverage["by_state"][&state].as_u64().unwrap_or_default()
    };
    let (queued, withdrawn) = (count("queued"), count("withdrawn"));
    let deferred = house
        .coverage(&code, "all but the quiet ones have left", |coverage| {
            let sent: u64 = ["accepted", "delivered"].iter().map(|state| count(state)(coverage)).sum();
            queued(coverage) == 6 && sent == 6
        })
        .await?;
    ensure(
        list(&deferred, "notices")
            .iter()
            .filter(|notice| notice["state"] == "queued")
            .all(|notice| !notice["due_at"].is_null()),
        || "a queued notice has no due time".to_owned(),
    )?;
    let mails = house.receivers.mail.log().count();
    house.good("coordinator", &["case", "stop", &case, "--reason", "released this morning"])?;
    house
        .coverage(&code, "what was queued is withdrawn", |coverage| queued(coverage) == 0 && withdrawn(coverage) == 6)
        .await?;
    let show = house.json("coordinator", &["alert", "coverage", &code])?;
    ensure_equal(text(&show["alert"], "state"), "withdrawn".to_owned(), "the alert's state")?;
    let to_contacts = |count: usize| count >= mails;
    ensure(to_contacts(house.receivers.mail.log().count()), || "mails vanished".to_owned())?;
    house.ended("coordinator", &["case", "release", &case], 3)?;
    Ok(())
}
