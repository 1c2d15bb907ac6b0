//! S6: 1,000 single-recipient e-mails over 20 sessions, without DKIM, from the release to the last one accepted.
//!
//! Product and floors send to the same sink: first to ours, which keeps everything in memory, then to Postfix's smtp-sink,
//! where a Postfix that relays with as many sessions is the peer.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::bell::{Bell, Hanging};
use crate::floor::smtp;
use crate::network::members;
use crate::peer::postfix::Postfix;
use crate::peer::smtp_sink::SmtpSink;
use crate::statistics::{median, rate};
use crate::table::{Better, Bound, Row};

const MAILS: usize = 1_000;
const SESSIONS: usize = 20;
const LIMIT: Duration = Duration::from_mins(2);

/// Messages a second, by round.
#[derive(Default)]
struct Rates {
    product: Vec<f64>,
    plain: Vec<f64>,
    pipelined: Vec<f64>,
    postfix: Vec<f64>,
}

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let bell = Bell::hang(members(MAILS, "email")).await?;
    let settings = dkim_settings(folder.path())?;
    let hanging = Hanging { settings: &settings, ..Hanging::default() };
    let signing = Bell::hang_as(members(MAILS, "email"), hanging).await?;
    let (mut ours, mut signed) = (Rates::default(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S6 round {round} of {rounds}");
        ours.product.push(ring(&bell).await?);
        floors(&mut ours, bell.receivers.mail.address(), &messages(&bell)).await?;
        bell.receivers.mail.log().clear();
        signed.push(ring(&signing).await?);
    }
    drop(signing);
    let mut rows = rows("our sink", &ours);
    rows.push(Row {
        scenario: "S6",
        what: "the same with a DKIM signature by RSA-2048, 1/s".to_owned(),
        figure: median(&signed),
        against: "without DKIM".to_owned(),
        reference: median(&ours.product),
        better: Better::More,
        bound: Bound { due: None, goal: None },
    });
    let Some(sink) = SmtpSink::start().await? else {
        eprintln!("S6: smtp-sink and Postfix are not installed; they are left out");
        return Ok(rows);
    };
    // What the product writes is the same for both sinks.
    ring(&bell).await?;
    let messages = messages(&bell);
    drop(bell);
    rows.extend(before_smtp_sink(&sink, &messages, rounds).await?);
    Ok(rows)
}

/// The settings that make the product sign, with a key of this run.
fn dkim_settings(folder: &Path) -> Result<String> {
    let file = folder.join("dkim.pem");
    let mut command = Command::new("openssl");
    command.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&file);
    let made = command.output().context("openssl does not start")?;
    anyhow::ensure!(made.status.success(), "openssl makes no key: {}", String::from_utf8_lossy(&made.stderr));
    let file = file.display();
    Ok(format!("\n[[notification.email.dkim]]\nselector = \"bench\"\nkey_file = \"{file}\"\n"))
}

async fn before_smtp_sink(sink: &SmtpSink, messages: &[String], rounds: usize) -> Result<Vec<Row>> {
    let hanging = Hanging { mail_at: Some(sink.address), ..Hanging::default() };
    let bell = Bell::hang_as(members(MAILS, "email"), hanging).await?;
    let postfix = Postfix::start(sink.address, SESSIONS).await?;
    let mut rates = Rates::default();
    // What it must have taken by then.
    let mut sent = 0;
    for round in 1..=rounds {
        eprintln!("S6, smtp-sink, round {round} of {rounds}");
        let approved = bell.approve().await?;
        let durable = approved.release().await?;
        sent += MAILS;
        let last = taken(sink, sent).await.context("the product's e-mails")?;
        rates.product.push(rate(MAILS, last.saturating_duration_since(durable)));
        floors(&mut rates, sink.address, messages).await?;
        sent += 2 * MAILS;
        taken(sink, sent).await.context("the floors' e-mails")?;
        if let Some(postfix) = &postfix {
            let started = Instant::now();
            smtp::send(postfix.address, SESSIONS, messages.to_vec(), false).await?;
            sent += MAILS;
            let last = taken(sink, sent).await.context("Postfix's e-mails")?;
            rates.postfix.push(rate(MAILS, last.saturating_duration_since(started)));
        }
    }
    Ok(rows("smtp-sink", &rates))
}

/// Waits until so many e-mails are taken, and returns when the last one was.
async fn taken(sink: &SmtpSink, mails: usize) -> Result<Instant> {
    tokio::time::timeout(LIMIT, sink.reached(mails)).await.context("did not arrive in time")?
}

async fn floors(rates: &mut Rates, sink: SocketAddr, messages: &[String]) -> Result<()> {
    rates.plain.push(rate(MAILS, smtp::send(sink, SESSIONS, messages.to_vec(), false).await?));
    rates.pipelined.push(rate(MAILS, smtp::send(sink, SESSIONS, messages.to_vec(), true).await?));
    Ok(())
}

fn rows(sink: &str, rates: &Rates) -> Vec<Row> {
    let row = |against: &str, reference: &[f64], due: Option<f64>, goal: Option<f64>| Row {
        scenario: "S6",
        what: format!("1,000 e-mails over 20 sessions to {sink}, 1/s"),
        figure: median(&rates.product),
        against: against.to_owned(),
        reference: median(reference),
        better: Better::More,
        bound: Bound { due, goal },
    };
    let mut rows = vec![
        row("raw SMTP, TCP_NODELAY", &rates.plain, Some(0.5), None),
        row("raw SMTP, pipelined", &rates.pipelined, None, Some(0.6)),
    ];
    if !rates.postfix.is_empty() {
        rows.push(row("Postfix, given them over 20 sessions, relaying over 20", &rates.postfix, None, None));
    }
    rows
}

/// One alert to all contacts; messages a second from the durable release to the last arrival at our sink.
async fn ring(bell: &Bell) -> Result<f64> {
    let approved = bell.approve().await?;
    let log = bell.receivers.mail.log();
    log.clear();
    let durable = approved.release().await?;
    tokio::time::timeout(LIMIT, log.reached(MAILS)).await.context("e-mails did not arrive")?;
    let last = log.span().map_or(durable, |(_, last)| last);
    Ok(rate(MAILS, last.saturating_duration_since(durable)))
}

/// The messages that our sink has, as they travel.
fn messages(bell: &Bell) -> Vec<String> {
    bell.receivers.mail.log().all().iter().take(MAILS).map(|mail| as_sent(&mail.item.data)).collect()
}

/// A kept message as it travels: dots at the start of a line doubled, without its last line end.
pub(super) fn as_sent(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    text.trim_end_matches("\r\n")
        .split("\r\n")
        .map(|line| if line.starts_with('.') { format!(".{line}") } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\r\n")
}
