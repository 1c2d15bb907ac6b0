//! S7: 300 personal e-mails through a relay that answers each message after 300 ms, over 50 sessions, from the durable
//! release to the last one accepted. The floor sends the same messages with as many sessions; the peer is a Postfix that
//! is given them and relays over as many.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tocsin_sinks::MailSink;

use super::mails::as_sent;
use crate::bell::{Bell, Hanging};
use crate::floor::smtp;
use crate::network::members;
use crate::peer::postfix::Postfix;
use crate::statistics::{median, milliseconds};
use crate::table::{Better, Bound, Row};

const MAILS: usize = 300;
const SESSIONS: usize = 50;
const ANSWER_DELAY: Duration = Duration::from_millis(300);
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let sink = MailSink::start(ANSWER_DELAY).await?;
    let settings = format!("connections_max = {SESSIONS}");
    let hanging = Hanging { mail_at: Some(sink.address()), mail_settings: &settings, ..Hanging::default() };
    let bell = Bell::hang_as(members(MAILS, "email"), hanging).await?;
    let postfix = Postfix::start(sink.address(), SESSIONS).await?;
    let (mut product, mut floor, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S7 round {round} of {rounds}");
        let approved = bell.approve().await?;
        sink.log().clear();
        let durable = approved.release().await?;
        product.push(milliseconds(last(&sink, durable).await.context("the product's e-mails")?));
        let messages: Vec<String> = sink.log().all().iter().map(|mail| as_sent(&mail.item.data)).collect();
        floor.push(milliseconds(smtp::send(sink.address(), SESSIONS, messages.clone(), false).await?));
        if let Some(postfix) = &postfix {
            sink.log().clear();
            let started = Instant::now();
            smtp::send(postfix.address, SESSIONS, messages, false).await?;
            peer.push(milliseconds(last(&sink, started).await.context("Postfix's e-mails")?));
        }
    }
    let row = |against: &str, reference: &[f64], due: Option<f64>, goal: Option<f64>| Row {
        scenario: "S7",
        what: "300 personal e-mails, the relay answers after 300 ms, ms".to_owned(),
        figure: median(&product),
        against: against.to_owned(),
        reference: median(reference),
        better: Better::Less,
        bound: Bound { due, goal },
    };
    let mut rows = vec![row("raw SMTP over 50 sessions", &floor, Some(2.0), Some(1.3))];
    if !peer.is_empty() {
        rows.push(row("Postfix, relaying over 50 sessions", &peer, None, None));
    }
    Ok(rows)
}

/// Waits for all and returns the time to the last one.
async fn last(sink: &MailSink, since: Instant) -> Result<Duration> {
    tokio::time::timeout(LIMIT, sink.log().reached(MAILS)).await.context("did not arrive in time")?;
    let last = sink.log().span().map_or(since, |(_, last)| last);
    Ok(last.saturating_duration_since(since))
}
