//! S10: 3,000 text messages through a real Kannel with its fake carrier, from the durable release until both receipts of
//! each are in. A direct client with as many requests in flight, whose receipts go to a receiver of ours, is the floor.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tocsin_sinks::WebhookSink;

use crate::bell::{Bell, Hanging};
use crate::ledger::{Ledger, now_ms};
use crate::network::{members, phone};
use crate::peer::kannel::Kannel;
use crate::statistics::{median, rate};
use crate::table::{Better, Bound, Row};

const MESSAGES: usize = 3_000;
/// The default of the product.
const IN_FLIGHT: usize = 20;
/// From the carrier, and from the handset.
const RECEIPTS_EACH: usize = 2;
/// As long as the product's.
const TEXT: &str = "TOCSIN A7F3-K2W CRITICAL. Answer by 06-07 18:00 UTC. word";
/// The lane's number in the ledger.
const URGENT: i64 = 0;
const LIMIT: Duration = Duration::from_mins(2);
/// How long after its receipt a message may reach its phone.
const LATE: Duration = Duration::from_secs(10);

pub(crate) async fn run(rounds: usize) -> Result<Vec<Row>> {
    let Some(kannel) = Kannel::start().await? else { return Ok(Vec::new()) };
    let numbers: Vec<String> = (1..=MESSAGES).map(phone).collect();
    let hanging = Hanging { sms_gateway: Some(kannel.settings()), ..Hanging::default() };
    let bell = Bell::hang_as(members(MESSAGES, "sms"), hanging).await?;
    let ledger = bell.ledger().await?;
    let (mut product, mut direct) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("S10 round {round} of {rounds}");
        direct.push(by_hand(&kannel, &numbers).await.context("the direct client")?);
        all_once_more(&kannel, &numbers, 2 * round - 1).await.context("the direct client")?;
        product.push(ring(&bell, &ledger, MESSAGES * round).await?);
        all_once_more(&kannel, &numbers, 2 * round).await.context("the product")?;
    }
    Ok(vec![Row {
        scenario: "S10",
        what: "text messages with both receipts, none lost or doubled, 1/s".to_owned(),
        figure: median(&product),
        against: "a direct client, 20 in flight".to_owned(),
        reference: median(&direct),
        better: Better::More,
        bound: Bound { due: Some(0.7), goal: Some(0.9) },
    }])
}

/// One alert; messages a second from the durable release until `delivered` notices are known to be, over all alerts.
async fn ring(bell: &Bell, ledger: &Ledger, delivered: usize) -> Result<f64> {
    let approved = bell.approve().await?;
    approved.release().await?;
    let durable = now_ms();
    let known = async |ledger: &Ledger| -> Result<bool> { Ok(ledger.delivered(URGENT).await? >= delivered) };
    ledger.until("the receipts of all text messages", LIMIT, known).await?;
    let seconds = (ledger.last_change_ms(URGENT).await? - durable) / 1_000.0;
    Ok(rate(MESSAGES, Duration::try_from_secs_f64(seconds)?))
}

/// Messages a second from the first request to the last receipt.
async fn by_hand(kannel: &Kannel, numbers: &[String]) -> Result<f64> {
    let receipts = WebhookSink::start(None, Duration::ZERO).await?;
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(IN_FLIGHT).build()?;
    let started = Instant::now();
    let sending = stream::iter(numbers).map(|number| {
        let back = format!("http://{}/{}/%d", receipts.address(), number.trim_start_matches('+'));
        let request = kannel.request(&client, number, TEXT, &back);
        async move {
            let answer = request.send().await?;
            ensure!(answer.status().is_success(), "Kannel answered {}", answer.status());
            answer.bytes().await?;
            Ok(())
        }
    });
    sending.buffer_unordered(IN_FLIGHT).try_collect::<Vec<()>>().await?;
    let all = receipts.log().reached(numbers.len() * RECEIPTS_EACH);
    tokio::time::timeout(LIMIT, all).await.context("receipts did not come")?;
    let last = receipts.log().span().map_or(started, |(_, last)| last);
    Ok(rate(numbers.len(), last.saturating_duration_since(started)))
}

/// Every phone has so many messages soon, no more and no fewer: a receipt may be faster than its message.
async fn all_once_more(kannel: &Kannel, numbers: &[String], each: usize) -> Result<()> {
    let started = Instant::now();
    loop {
        let at_phones = kannel.at_phones(numbers)?;
        let lost = at_phones.values().filter(|count| **count < each).count();
        let doubled = at_phones.values().filter(|count| **count > each).count();
        if lost == 0 && doubled == 0 {
            return Ok(());
        }
        ensure!(doubled == 0 && started.elapsed() < LATE, "{lost} messages were lost and {doubled} doubled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
