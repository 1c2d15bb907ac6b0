//! (d): 2,760 notices of one P1 alert over all three channels, and the peak memory of the process meanwhile.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tocsin_tests::program::fixture;

use crate::bell::Bell;
use crate::statistics::median;
use crate::table::{Better, Bound, Row};

const LIMIT: Duration = Duration::from_mins(2);
const MEMORY_DUE_MIB: f64 = 120.0;

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let (mut seconds, mut memory) = (Vec::new(), Vec::new());
    let mut notices = 0;
    for round in 1..=rounds {
        eprintln!("(d) round {round} of {rounds}");
        // Every organisation a member, so that one members' alert reaches all 920 contacts.
        let made =
            Command::new("python3").arg(fixture("make-network")).args(["--open", "--members", "280"]).output()?;
        anyhow::ensure!(made.status.success(), "fixtures/make-network failed");
        let mut network: serde_json::Value = serde_json::from_slice(&made.stdout)?;
        for organisation in network["organisations"].as_array_mut().context("a list of organisations")? {
            organisation["kind"] = "signatory_member".into();
            for contact in organisation["contacts"].as_array_mut().context("a list of contacts")? {
                // A real clock runs: nobody may be asleep.
                contact["quiet_hours"] = serde_json::Value::Null;
            }
        }
        let contacts: usize = network["organisations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one["contacts"].as_array().map_or(0, Vec::len))
            .sum();
        notices = contacts * 3;
        let bell = Bell::hang(network).await?;
        seconds.push(ring(&bell, contacts).await?.as_secs_f64());
        memory.push(bell.peak_memory_mib()?);
    }
    eprintln!("(d) release to the last of {notices} notices: {:.2} s", median(&seconds));
    Ok(vec![
        Row {
            scenario: "d",
            what: format!("release to the last of {notices} notices, s"),
            figure: median(&seconds),
            against: "one second".to_owned(),
            reference: 1.0,
            better: Better::Less,
            bound: Bound { due: None, goal: None },
        },
        Row {
            scenario: "d",
            what: "peak memory of `tocsin up`, MiB".to_owned(),
            figure: median(&memory),
            against: "120 MiB".to_owned(),
            reference: MEMORY_DUE_MIB,
            better: Better::Less,
            bound: Bound { due: Some(1.0), goal: None },
        },
    ])
}

async fn ring(bell: &Bell, contacts: usize) -> Result<Duration> {
    let approved = bell.approve().await?;
    let receivers = &bell.receivers;
    receivers.mail.log().clear();
    receivers.sms.log().clear();
    let durable = approved.release().await?;
    let all = async {
        receivers.mail.log().reached(contacts).await;
        receivers.sms.log().reached(contacts).await;
        receivers.webhook.log().reached(contacts).await;
    };
    tokio::time::timeout(LIMIT, all).await.context("notices did not arrive")?;
    let spans = [receivers.mail.log().span(), receivers.sms.log().span(), receivers.webhook.log().span()];
    let last = spans.into_iter().flatten().map(|(_, last)| last).max().unwrap_or(durable);
    Ok(last.saturating_duration_since(durable))
}
