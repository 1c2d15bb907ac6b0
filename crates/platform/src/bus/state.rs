//! What the bus looks like to one service at this moment: for people, never for decisions.

use tocsin_proto::catalogue::{Lane, Service};

/// A setting of the broker that is not as this release wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The setting, as NATS names it.
    pub setting: &'static str,
    /// What the broker has.
    pub found: String,
    /// What it should have.
    pub wanted: String,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} is {} and should be {}", self.setting, self.found, self.wanted)
    }
}

/// Several drifts in one line of a log.
pub(super) fn in_words(drift: &[Drift]) -> String {
    drift.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Collects what differs between the broker and our wishes.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) drift: Vec<Drift>,
}

impl Comparison {
    /// Both sides as `Debug` writes them, which says units and codes.
    pub(super) fn add<T: PartialEq + std::fmt::Debug>(&mut self, setting: &'static str, found: &T, wanted: &T) {
        if found != wanted {
            self.drift.push(Drift { setting, found: format!("{found:?}"), wanted: format!("{wanted:?}") });
        }
    }
}

/// A producing service's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Its name, for instance `TOCSIN_INTAKE`.
    pub name: String,
    /// Whether the broker has it.
    pub exists: bool,
    /// Events that it holds.
    pub messages: u64,
    /// Their size.
    pub bytes: u64,
    /// What could not be brought in line.
    pub drift: Vec<Drift>,
}

/// A consuming service's durable consumer on one producer's stream, in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerState {
    /// Its name, for instance `triage-on-intake-urgent`.
    pub name: String,
    /// Whose events it takes.
    pub producer: Service,
    /// In which lane.
    pub lane: Lane,
    /// Whether the broker has it.
    pub exists: bool,
    /// Events that wait to be delivered.
    pub waiting: u64,
    /// Deliveries without an answer.
    pub unanswered: u64,
    /// What could not be brought in line.
    pub drift: Vec<Drift>,
}

/// The bus as one service sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusState {
    /// Whether the broker can be reached; always so within one process.
    pub connected: bool,
    /// Whether events travel within this process, where there are no streams and consumers.
    pub in_process: bool,
    /// The service's own stream, unless the broker does not answer.
    pub stream: Option<StreamState>,
    /// The service's consumers, as far as the broker answers.
    pub consumers: Vec<ConsumerState>,
    /// The largest message that the broker takes, in bytes, headers included.
    pub message_bytes_max: Option<u64>,
}
