//! Follows the fan-out until every notice has ended or waits for something later than a few seconds from now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tocsin_platform::clock::Clock;
use tocsin_proto::convert::from_timestamp;
use tocsin_proto::dispatch::v1::{
    GetCoverageRequest, GetCoverageResponse, NoticeProgress, alert_service_client::AlertServiceClient,
};
use tonic::transport::Channel;

use super::DemoError;
use super::cast::{Player, bearing};
use super::feeds::Feeds;
use super::receivers::Receivers;
use super::tell::Tell;

/// How the fan-out of one alert ended.
pub(super) struct Fanout {
    pub(super) coverage: GetCoverageResponse,
    pub(super) stream_received: usize,
}

/// A notice that is due later than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The fan-out is given up after this, with what was reached until then.
const LIMIT: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Follows one alert until its fan-out has settled.
pub(super) async fn follow(
    alert_id: &str,
    dispatch: Channel,
    coordinator: &Player,
    clock: &Clock,
    parties: (&Receivers, &Feeds),
    tell: Tell,
) -> Result<Fanout, DemoError> {
    let (receivers, feeds) = parties;
    let mut alerts = AlertServiceClient::new(dispatch);
    let mut bars = Bars::new(tell);
    let started = Instant::now();
    let mut settled_since: Option<Instant> = None;
    loop {
        let request = GetCoverageRequest { alert: alert_id.to_owned(), notices: true };
        let coverage = match alerts.get_coverage(bearing(&coordinator.secret, request)?).await {
            Ok(coverage) => Some(coverage.into_inner()),
            // The alert has not reached dispatch yet.
            Err(status) if status.code() == tonic::Code::NotFound && started.elapsed() < LIMIT => None,
            Err(status) => return Err(status.into()),
        };
        if let Some(coverage) = coverage {
            bars.show(&coverage);
            let streamed = feeds.received() >= coverage.organisations.len();
            let settled = coverage.contacts_planned >= coverage.contacts
                && coverage.notices.iter().all(|notice| is_settled(notice, clock.now()));
            // Receipts and feeds run beside the notices: they get the same patience, and no more.
            let since = settled.then(|| *settled_since.get_or_insert_with(Instant::now));
            let complete = settled && streamed && waits_for_no_receipt(&coverage.notices, receivers);
            if complete || since.is_some_and(|since| since.elapsed() > PATIENCE) || started.elapsed() > LIMIT {
                bars.finish();
                return Ok(Fanout { stream_received: feeds.received(), coverage });
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether a notice needs nobody's wait any more: it has ended, a gateway has it, or it is due later.
fn is_settled(notice: &NoticeProgress, now: DateTime<Utc>) -> bool {
    match notice.state.as_str() {
        "queued" => from_timestamp(notice.due_at.as_ref())
            .is_some_and(|due| due > now + chrono::Duration::from_std(PATIENCE).unwrap_or_default()),
        "handed_to_gateway" => false,
        _ => true,
    }
}

/// Whether each SMS that the gateway has is also known to be delivered.
fn waits_for_no_receipt(notices: &[NoticeProgress], receivers: &Receivers) -> bool {
    let accepted = notices.iter().filter(|notice| notice.channel == "sms" && notice.state == "accepted").count();
    accepted == 0 || receivers.counts().sms == 0
}

/// A live bar for each channel.
struct Bars {
    all: MultiProgress,
    of_channel: BTreeMap<String, ProgressBar>,
}

impl Bars {
    fn new(tell: Tell) -> Self {
        let target = match tell {
            Tell::Output => ProgressDrawTarget::stdout(),
            Tell::Error => ProgressDrawTarget::stderr(),
        };
        Self { all: MultiProgress::with_draw_target(target), of_channel: BTreeMap::new() }
    }

    fn show(&mut self, coverage: &GetCoverageResponse) {
        for channel in &coverage.channels {
            let total: u32 = channel.by_state.values().sum();
            let waiting: u32 =
                ["queued", "handed_to_gateway"].iter().filter_map(|state| channel.by_state.get(*state)).sum();
            let bar = self.of_channel.entry(channel.channel.clone()).or_insert_with(|| {
                let bar = self.all.add(ProgressBar::new(0));
                if let Ok(style) = ProgressStyle::with_template("  {prefix:<12} {bar:40} {pos:>5} of {len:<5} {msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(channel.channel.clone());
                bar
            });
            bar.set_length(u64::from(total));
            bar.set_position(u64::from(total - waiting));
            let states: Vec<String> =
                channel.by_state.iter().map(|(state, count)| format!("{state} {count}")).collect();
            bar.set_message(states.join(", "));
        }
    }

    fn finish(&mut self) {
        for bar in self.of_channel.values() {
            bar.abandon();
        }
    }
}
