//! S6: 1,000 single-recipient e-mails over 20 sessions, without DKIM, from the release to the last one accepted.
//!
//! Product and floor send to the same sink, which keeps what it gets in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bell::{Bell, network_of_one_channel};
use crate::floor::smtp;
use crate::statistics::median;
use crate::table::{Better, Bound, Row};

const MAILS: usize = 1_000;
const SESSIONS: usize = 20;
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let bell = Bell::hang(network_of_one_channel(MAILS, "email"), "").await?;
    let (mut product, mut plain, mut pipelined) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S6 round {round} of {rounds}");
        product.push(ring(&bell).await?);
        let log = bell.receivers.mail.log();
        let messages: Vec<String> = log.all().iter().take(MAILS).map(|mail| as_sent(&mail.item.data)).collect();
        let address = bell.receivers.mail.address();
        plain.push(rate(smtp::send(address, SESSIONS, messages.clone(), false).await?));
        pipelined.push(rate(smtp::send(address, SESSIONS, messages, true).await?));
        log.clear();
    }
    let row = |against: &str, reference: &[f64], due: Option<f64>, goal: Option<f64>| Row {
        scenario: "S6",
        what: "1,000 e-mails over 20 sessions, 1/s".to_owned(),
        figure: median(&product),
        against: against.to_owned(),
        reference: median(reference),
        better: Better::More,
        bound: Bound { due, goal },
    };
    Ok(vec![
        row("raw SMTP, TCP_NODELAY", &plain, Some(0.5), None),
        row("raw SMTP, pipelined", &pipelined, None, Some(0.6)),
    ])
}

/// One alert to all contacts; messages a second from the durable release to the last arrival.
async fn ring(bell: &Bell) -> Result<f64> {
    let approved = bell.approve().await?;
    let log = bell.receivers.mail.log();
    log.clear();
    approved.release().await?;
    let durable = Instant::now();
    tokio::time::timeout(LIMIT, log.reached(MAILS)).await.context("e-mails did not arrive")?;
    let last = log.span().map_or(durable, |(_, last)| last);
    Ok(rate(last.saturating_duration_since(durable)))
}

fn rate(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a thousand messages")]
    let mails = MAILS as f64;
    mails / time.as_secs_f64()
}

/// A kept message as it travels: dots at the start of a line doubled, without its last line end.
fn as_sent(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.trim_end_matches("\r\n")
        .split("\r\n")
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\r\n")
}
