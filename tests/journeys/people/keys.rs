//! Keys at the command line: the first one is told once, others are issued, listed and revoked.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use tocsin_tests::Outcome;
use tocsin_tests::network::{list, open, text};
use tocsin_tests::process::wait_until;
use tocsin_tests::trouble::{ensure, ensure_equal};

use super::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_told_once_and_end_when_revoked() -> Outcome<()> {
    let mut house = House::of(open(2, 1)).await?;
    let printed = || -> Outcome<String> { Ok(std::fs::read_to_string(house.installation.logs().join("up.out"))?) };
    ensure_equal(printed()?.matches("tcs_").count(), 1, "keys printed at the first start")?;
    let told = std::fs::read_to_string(house.installation.logs().join("up.err"))?;
    ensure(!told.contains("tcs_"), || "the key stands in the log".to_owned())?;

    let issued = house.json(
        "administrator",
        &["key", "issue", "--actor", "ana", "--name", "Ana", "--role", "coordinator", "--save", "ana.key"],
    )?;
    ensure_equal(text(&issued, "secret"), String::new(), "the secret beside --save")?;
    ensure_equal(std::fs::metadata(house.file("ana.key"))?.mode() & 0o777, 0o600, "the mode of the key file")?;
    house.good("ana", &["case", "list"])?;
    let shown = house.json(
        "administrator",
        &["key", "issue", "--actor", "bea", "--name", "Bea", "--role", "verifier", "--expires-in", "12h"],
    )?;
    let secret = text(&shown, "secret");
    ensure(secret.starts_with("tcs_"), || format!("no secret is shown: {shown}"))?;
    let listed = house.good("administrator", &["key", "list", "--json"])?;
    ensure(!listed.out.contains(&secret), || "the list tells a secret".to_owned())?;
    let id = list(&listed.json()?, "keys").iter().find(|key| key["actor_id"] == "ana").map(|key| text(key, "key_id"));
    let id = id.unwrap_or_default();

    house.good("administrator", &["key", "revoke", &id])?;
    wait_until("the revoked key stops within 15 s", Duration::from_secs(16), async || {
        Ok((house.run("ana", &["case", "list"])?.code == Some(4)).then_some(()))
    })
    .await?;
    // What people get wrong.
    house.ended("administrator", &["key", "revoke", &secret], 2)?;
    house.ended("administrator", &["key", "issue", "--actor", "x", "--name", "x", "--role", "koordinator"], 2)?;
    house.ended("administrator", &["key", "issue", "--actor", "x", "--name", "x", "--role", "partner_desk"], 2)?;
    house.ended("coordinator", &["key", "list"], 4)?;
    house.ended("administrator", &["case", "list"], 4)?;
    house.ended("", &["case", "list"], 4)?;

    ensure(house.process.stop().await?.success(), || "SIGTERM did not end the process well".to_owned())?;
    house.process = tocsin_tests::process::Running::up(&house.installation)?;
    house.process.ready().await?;
    let printed = std::fs::read_to_string(house.installation.logs().join("up.out"))?;
    ensure_equal(printed.matches("tcs_").count(), 1, "keys printed after the second start")?;
    house.ended("ana", &["case", "list"], 4)?;
    house.good("coordinator", &["case", "list"])?;
    Ok(())
}
