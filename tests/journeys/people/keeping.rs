//! Looking after an installation: backup while it runs, restore, doctor, and how commands end.

use serde_json::Value;
use tocsin_tests::Outcome;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::{list, open, text};
use tocsin_tests::ports::free_address;
use tocsin_tests::process::Running;
use tocsin_tests::trouble::{ensure, ensure_equal};

use super::{House, is_settled, members_scenario, run_on};

/// Case ids with their states, sorted.
fn cases(document: &Value) -> Vec<(String, String, String)> {
    let mut cases: Vec<_> = list(document, "cases")
        .iter()
        .map(|case| (text(case, "reference"), text(case, "case_id"), text(case, "state")))
        .collect();
    cases.sort();
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_house_starts_elsewhere_with_the_same_cases() -> Outcome<()> {
    let mut house = House::of(open(2, 2)).await?;
    let scenario = members_scenario()?;
    let (released_case, released) = house.release(&scenario, &[]).await?;
    let code = text(&released, "short_code");
    house.coverage(&code, "the fan-out settles", is_settled).await?;
    let (open_case, receipt) = house.report(&scenario).await?;
    let before = cases(&house.json("coordinator", &["case", "list"])?);
    ensure_equal(before.len(), 2, "cases")?;
    house.good("administrator", &["backup", "copy"])?;
    house.ended("administrator", &["backup", "copy"], 2)?;
    // What comes after the copy is not in it, and the house goes on.
    house.report(&scenario).await?;
    let mails = house.receivers.mail.log().count();

    let new = Installation::embedded(&house.receivers, &tocsin_tests::stage::roster())?;
    let (copy, data) = (house.file("copy").display().to_string(), new.data().display().to_string());
    house.good("", &["restore", &copy, "--data-folder", &data])?;
    house.ended("", &["restore", &copy, "--data-folder", &data], 2)?;
    house.process.kill()?;
    let mut process = Running::up(&new)?;
    process.ready().await?;
    for who in ["coordinator", "administrator", "approver-1"] {
        std::fs::copy(house.file(&format!("{who}.key")), new.folder().join(format!("{who}.key")))?;
    }
    let run = |who: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        run_on(&new.settings(), new.folder(), who, arguments, environment, "")
    };
    let after = run("coordinator", &["case", "list", "--json"], &[])?;
    ensure_equal(cases(&after.json()?), before, "cases after the restore")?;
    let shown = run("coordinator", &["case", "show", &open_case], &[])?;
    ensure(shown.out.contains("plain clothes"), || format!("the report cannot be read: {shown:?}"))?;
    let shown = run("coordinator", &["alert", "show", &text(&released, "reference")], &[])?;
    ensure(shown.out.contains("Ten defenders detained"), || format!("the alert cannot be read: {shown:?}"))?;
    let shown = run("", &["report", "show", "--json"], &[("TOCSIN_RECEIPT", receipt.as_str())])?;
    ensure_equal(shown.code, Some(0), "the receipt after the restore")?;
    let printed = std::fs::read_to_string(new.logs().join("up.out"))?;
    ensure(!printed.contains("tcs_"), || "a restored house prints a first key".to_owned())?;
    ensure_equal(house.receivers.mail.log().count(), mails, "mails sent again after the restore")?;
    let shown = run("coordinator", &["case", "show", &released_case, "--json"], &[])?;
    ensure_equal(list(&shown.json()?, "alerts").len(), 1, "alerts of the released case")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_and_every_exit_code_say_what_to_do() -> Outcome<()> {
    let mut house = House::of(open(1, 1)).await?;
    let healthy = house.run("administrator", &["doctor"])?;
    ensure_equal(healthy.code, Some(0), &format!("doctor on a running house: {healthy:?}"))?;
    house.ended("", &["--no-such-option"], 2)?;
    house.ended("", &["case"], 2)?;
    house.ended("", &["report", "submit", "absent.json"], 2)?;
    let mut wrong = members_scenario()?["report"].clone();
    wrong["kinds"][0] = "arbitrary_detension".into();
    house.installation.file("wrong.json", wrong.to_string())?;
    let told = house.ended("", &["report", "submit", "wrong.json"], 2)?;
    ensure(told.err.contains("arbitrary_detention") && told.err.contains("kinds[0]"), || told.err.clone())?;
    house.installation.file("broken.json", "{\"narrative\": ")?;
    let told = house.ended("", &["report", "submit", "broken.json"], 2)?;
    ensure(told.err.contains("broken.json, line 1"), || told.err.clone())?;
    house.ended("coordinator", &["case", "show", "XA-2026-9999"], 5)?;
    house.installation.file("nobody.key", "tcs_nobody")?;
    house.ended("nobody", &["case", "list"], 4)?;
    let refused = house.run("nobody", &["case", "list", "--json"])?;
    let error: Value = serde_json::from_str(&refused.err)?;
    ensure_equal(error["error"]["exit_code"].clone(), 4.into(), "the failure as JSON")?;

    house.process.kill()?;
    let away = house.ended("coordinator", &["case", "release", "XA-2026-0001"], 6)?;
    ensure(away.err.contains("triage"), || format!("it does not name who is away: {}", away.err))?;
    let settings = std::fs::read_to_string(house.installation.settings())?;
    // A smarthost that is not there: doctor finds it and says what to do.
    let mail = house.receivers.mail.address().port();
    let gone = settings.replacen(&format!("port = {mail}"), &format!("port = {}", free_address()?.port()), 1);
    let file = house.installation.file("gone.toml", gone)?;
    let sick = run_on(&file, house.installation.folder(), "", &["doctor"], &[], "")?;
    ensure(sick.code == Some(1) && sick.out.contains("FAIL") && sick.out.contains("smarthost"), || {
        format!("doctor: {sick:?}")
    })?;
    for (name, text, named) in [
        ("unknown.toml", format!("dta_folder = \"x\"\n{settings}"), "data_folder"),
        ("type.toml", settings.replacen("port = ", "port = \"no\" # ", 1), "port"),
        ("address.toml", settings.replacen("grpc = \"127.0.0.1:", "grpc = \"0.0.0.0:", 1), "tls"),
    ] {
        let file = house.installation.file(name, text)?;
        let done = run_on(&file, house.installation.folder(), "", &["up"], &[], "")?;
        ensure(done.code != Some(0) && done.err.contains(named), || format!("{name}: {done:?}"))?;
    }
    Ok(())
}
