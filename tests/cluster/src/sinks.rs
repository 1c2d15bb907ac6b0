//! The world outside as a process of its own: a mail server, an SMS gateway and a webhook receiver, so that a cluster
//! can be tried without anything leaving the machine. What arrives is written to a file, a line each.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tocsin_platform::clock::Clock;
use tocsin_tests::mail::readable;
use tocsin_tests::network::Network;
use tocsin_tests::process::wait_until;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::{Outcome, Trouble};

/// How often what arrived is written down.
const WRITE_INTERVAL: Duration = Duration::from_millis(200);
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where the process leaves the settings that make notification send to it.
fn settings_file(folder: &Path) -> PathBuf {
    folder.join("sinks").join("settings.toml")
}

/// What arrived, a line each.
pub fn received_file(folder: &Path) -> PathBuf {
    folder.join("sinks").join("received.jsonl")
}

/// Waits until the process listens, and returns the settings that make notification send to it.
pub async fn settings(folder: &Path) -> Outcome<String> {
    wait_until("the receivers listen", START_LIMIT, async || Ok(std::fs::read_to_string(settings_file(folder)).ok()))
        .await
}

/// Runs until it is ended. `services` is the authority of the services' certificates, for delivery receipts.
pub async fn run(folder: &Path, network: &Network, services: &Path) -> Outcome<()> {
    let receivers = Receivers::start_trusting(network.webhook_hosts(), &std::fs::read(services)?).await?;
    let own = folder.join("sinks");
    std::fs::create_dir_all(&own)?;
    let authority = own.join("authority.pem");
    std::fs::write(&authority, receivers.authority_pem())?;
    let mut file = OpenOptions::new().create(true).append(true).open(received_file(folder))?;
    // Whole or absent: its reader waits for it.
    let unfinished = own.join("settings.new");
    std::fs::write(&unfinished, receivers.settings(&authority))?;
    std::fs::rename(unfinished, settings_file(folder))?;
    loop {
        tokio::time::sleep(WRITE_INTERVAL).await;
        write(&receivers, &mut file)?;
    }
}

fn write(receivers: &Receivers, file: &mut File) -> Outcome<()> {
    let now = Clock::system().now().to_rfc3339();
    let line = |channel: &str, to: &str, what: Value| json!({"at": now, "channel": channel, "to": to, "what": what});
    let mails = receivers
        .mail
        .log()
        .take()
        .into_iter()
        .map(|mail| line("email", &mail.item.to.join(","), json!(readable(&mail.item.data))));
    let sms = receivers.sms.log().take().into_iter().map(|sms| line("sms", &sms.item.to, json!(sms.item.text)));
    let hooks = receivers.webhook.log().take().into_iter().map(|hook| {
        let body = serde_json::from_slice(&hook.item.body).unwrap_or_default();
        line("webhook", &format!("{}{}", hook.item.host, hook.item.path), body)
    });
    for line in mails.chain(sms).chain(hooks) {
        writeln!(file, "{line}").map_err(|error| Trouble::from(error).during("what arrived cannot be written"))?;
    }
    Ok(())
}
