//! `tocsin alert watch`: the feed, resumed where it broke.

use std::time::Duration;

use tocsin_proto::catalogue::Service;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::{WatchAlertsRequest, WatchAlertsResponse};
use tonic::{Code, Status, Streaming};

use super::pages::alert::{headline, state};
use super::{ANSWER_BYTES_MAX, Client};
use crate::arguments::alert::Watch;
use crate::exit::Failed;
use crate::output::{self, Form, clean, moment};

/// The first pause before a broken feed is opened again; it doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Without --follow the feed counts as read once nothing came for this long.
const QUIET: Duration = Duration::from_secs(2);
/// Without --follow a feed that cannot be opened is given up after this many tries in a row.
const TRIES_MAX: u32 = 4;

/// Follows the feed until it has shown what was asked for.
pub(super) async fn run(client: &Client, watch: Watch) -> Result<(), Failed> {
    let mut follower = Follower { client, shown: 0, cursor: watch.cursor.clone(), pause: PAUSE, failures: 0 };
    loop {
        let broken = match follower.open().await {
            Ok(feed) => match follower.read(feed, &watch).await? {
                Some(broken) => broken,
                None => return Ok(()),
            },
            Err(status) => status?,
        };
        follower.failures += 1;
        if !resumes(&broken) || (!watch.follow && follower.failures >= TRIES_MAX) {
            return Err(Failed::from_status(Service::Dispatch.as_str(), &broken));
        }
        eprintln!("the feed broke off; opening it again in {:.1} s", follower.pause.as_secs_f64());
        tokio::time::sleep(follower.pause).await;
        follower.pause = (follower.pause * 2).min(PAUSE_MAX);
    }
}

/// Whether a feed that broke with this may go on: a slow reader and a server that restarts are told so by these.
fn resumes(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::Cancelled
            | Code::Internal
            | Code::DeadlineExceeded
    )
}

struct Follower<'a> {
    client: &'a Client,
    shown: u64,
    cursor: String,
    pause: Duration,
    failures: u32,
}

impl Follower<'_> {
    /// Opens the feed after the last entry seen. The outer error is the server's, the inner one ours.
    async fn open(&self) -> Result<Streaming<WatchAlertsResponse>, Result<Status, Failed>> {
        let channel = self.client.channel(Service::Dispatch).map_err(Err)?;
        let message = WatchAlertsRequest { cursor: self.cursor.clone() };
        let request = self.client.request(true, message).map_err(Err)?;
        let mut service = AlertServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
        service.watch_alerts(request).await.map(tonic::Response::into_inner).map_err(Ok)
    }

    /// Shows entries until enough were shown (nothing) or the feed breaks (why).
    async fn read(
        &mut self,
        mut feed: Streaming<WatchAlertsResponse>,
        watch: &Watch,
    ) -> Result<Option<Status>, Failed> {
        loop {
            let next = if watch.follow {
                feed.message().await
            } else {
                match tokio::time::timeout(QUIET, feed.message()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(None),
                }
            };
            match next {
                Ok(Some(entry)) => self.show(&entry)?,
                Ok(None) => return Ok(Some(Status::unavailable("the server ended the feed"))),
                Err(status) => return Ok(Some(status)),
            }
            if watch.count.is_some_and(|count| self.shown >= count) {
                return Ok(None);
            }
        }
    }

    fn show(&mut self, entry: &WatchAlertsResponse) -> Result<(), Failed> {
        self.shown += 1;
        self.cursor.clone_from(&entry.cursor);
        (self.pause, self.failures) = (PAUSE, 0);
        match self.client.form {
            Form::Json => {
                output::print(&output::document("tocsin.dispatch.v1.WatchAlertsResponse", entry)?.to_string());
            }
            Form::Text => output::print(&line(entry)),
        }
        Ok(())
    }
}

/// An entry on one line.
pub(super) fn line(entry: &WatchAlertsResponse) -> String {
    let alert = entry.alert.clone().unwrap_or_default();
    let words = [
        moment(alert.released_at.as_ref()),
        entry.change.clone(),
        alert.short_code.clone(),
        alert.priority.clone(),
        format!("TLP:{}", alert.tlp),
        state(&alert),
        format!("answer by {}", moment(alert.deadline.as_ref())),
        headline(&alert).to_owned(),
        format!("(cursor {})", entry.cursor),
    ];
    clean(&words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join("  ")).into_owned()
}
