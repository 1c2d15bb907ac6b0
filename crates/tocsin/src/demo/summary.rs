//! What `--summary json` prints: one object, the proof of one run.

use std::collections::BTreeMap;

use serde::Serialize;
use tocsin_proto::dispatch::v1::NoticeProgress;

/// Everything a program needs to judge one demo run. Times are seconds; moments are RFC 3339 with an offset.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// The scenario's title.
    pub(super) scenario: String,
    pub(super) report_id: String,
    /// As `XA-2026-0001`.
    pub(super) reference: String,
    pub(super) priority: String,
    pub(super) score: i32,
    pub(super) independent_sources: u32,
    /// The adversary's date less the lead of its kind, in the offset of that date.
    pub(super) release_by: Option<String>,
    pub(super) deadline: Option<String>,
    pub(super) released: bool,
    /// The first of `refusals`.
    pub(super) refusal: Option<String>,
    pub(super) refusals: Vec<String>,
    /// The chosen audience.
    pub(super) organisations: usize,
    pub(super) contacts: u32,
    /// Ids of the chosen organisations.
    pub(super) recipients: Vec<String>,
    /// Contacts by the language of the text they read.
    pub(super) languages: BTreeMap<String, u32>,
    pub(super) notices: Notices,
    /// Alerts that arrived over one feed for each imported organisation.
    pub(super) stream_received: usize,
    pub(super) sinks: Sinks,
    pub(super) seconds: Seconds,
}

/// Notices, suppressed and deferred ones included.
#[derive(Debug, Default, Serialize)]
pub(super) struct Notices {
    pub(super) total: u32,
    pub(super) by_channel: BTreeMap<String, u32>,
    pub(super) by_state: BTreeMap<String, u32>,
}

impl Notices {
    /// Counts notices. A contact's next channel, which starts only while nobody acknowledges, is not one before it starts.
    pub(super) fn of(progress: &[NoticeProgress]) -> Self {
        let mut notices = Self::default();
        for notice in progress.iter().filter(|notice| notice.state != "queued" || notice.reason != "next_channel") {
            notices.total += 1;
            *notices.by_channel.entry(notice.channel.clone()).or_default() += 1;
            *notices.by_state.entry(notice.state.clone()).or_default() += 1;
        }
        notices
    }
}

/// What arrived at the receivers, pages of the duty officers aside.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Sinks {
    pub(super) email: usize,
    pub(super) sms: usize,
    pub(super) webhook: usize,
}

/// How long things took.
#[derive(Debug, Default, Serialize)]
pub(super) struct Seconds {
    pub(super) submit_to_receipt: f64,
    /// From sending the release to the first arrival at a receiver.
    pub(super) release_to_first: Option<f64>,
    /// From sending the release to the last arrival at a receiver.
    pub(super) release_to_last: Option<f64>,
}
