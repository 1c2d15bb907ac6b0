//! A producing service's own stream: created where it is missing, and looked at again and again, because whoever can
//! reach the broker can change it. What drifted is repaired if JetStream allows, otherwise named, once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::{self, stream};
use tocsin_proto::catalogue::{Lane, Service, produced_by};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::super::state::{Comparison, Drift, in_words};
use super::names;

/// How long a stream keeps an event. The record is the outbox, so this only bounds the broker's disk.
const AGE_MAX: Duration = Duration::from_hours(24);
/// Within this time two messages with the same id are one.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// The stream of one producing service.
#[derive(Debug)]
pub(super) struct OwnStream {
    context: jetstream::Context,
    service: Service,
    replicas: usize,
    /// The incarnation as it was last seen, in nanoseconds since the epoch; zero before it was ever seen.
    incarnation: watch::Sender<i64>,
    /// False after something failed: then the stream is looked at before anything else is published.
    trusted: AtomicBool,
    /// The drift that the log already names.
    named: Mutex<Vec<Drift>>,
}

impl OwnStream {
    pub(super) fn new(context: jetstream::Context, service: Service, replicas: usize) -> Self {
        Self {
            context,
            service,
            replicas: replicas.max(1),
            incarnation: watch::Sender::new(0),
            trusted: AtomicBool::new(false),
            named: Mutex::default(),
        }
    }

    /// The incarnation as it was at some moment before now: a claim that names an older one than holds the event is
    /// found out later and only costs a copy.
    pub(super) async fn incarnation(&self) -> Option<i64> {
        if self.trusted.load(Ordering::Relaxed) {
            return Some(*self.incarnation.borrow());
        }
        self.ensure().await
    }

    /// Changes whenever the stream is found to be another one than before.
    pub(super) fn renewed(&self) -> watch::Receiver<i64> {
        self.incarnation.subscribe()
    }

    /// Whatever the reason was, the stream is looked at again before the next batch.
    pub(super) fn doubt(&self) {
        self.trusted.store(false, Ordering::Relaxed);
    }

    /// Creates the stream, or brings it in line with the settings. `None` while the broker does not answer.
    pub(super) async fn ensure(&self) -> Option<i64> {
        let wanted = self.wanted();
        let (found, before) = match self.look().await {
            Ok(Some(found)) => found,
            Ok(None) => {
                let created = self.create(&wanted).await?;
                let drift = drift(&created.config, &wanted);
                (created, drift)
            }
            Err(kind) => {
                debug!(service = %self.service, reason = %kind, "the stream cannot be looked at now");
                self.doubt();
                return None;
            }
        };
        let (found, left) = if before.is_empty() { (found, before) } else { self.repair(found, before, &wanted).await };
        self.name_once(left);
        let incarnation = nanoseconds(&found);
        self.incarnation.send_if_modified(|known| std::mem::replace(known, incarnation) != incarnation);
        self.trusted.store(true, Ordering::Relaxed);
        Some(incarnation)
    }

    /// What the broker has, and how that differs from our wishes.
    pub(super) async fn look(&self) -> Result<Option<(stream::Info, Vec<Drift>)>, GetStreamErrorKind> {
        let wanted = self.wanted();
        match self.context.get_stream(&wanted.name).await {
            Ok(stream) => {
                let info = stream.cached_info().clone();
                let drift = drift(&info.config, &wanted);
                Ok(Some((info, drift)))
            }
            Err(error) if is_missing(&error.kind()) => Ok(None),
            Err(error) => Err(error.kind()),
        }
    }

    fn wanted(&self) -> stream::Config {
        stream::Config {
            name: names::stream(self.service),
            subjects: produced_by(self.service).flat_map(|kind| Lane::ALL.map(|lane| kind.subject(lane))).collect(),
            retention: stream::RetentionPolicy::Limits,
            discard: stream::DiscardPolicy::Old,
            storage: stream::StorageType::File,
            max_age: AGE_MAX,
            max_messages: -1,
            max_bytes: -1,
            max_messages_per_subject: -1,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: self.replicas,
            ..stream::Config::default()
        }
    }

    async fn create(&self, wanted: &stream::Config) -> Option<stream::Info> {
        match self.context.create_stream(wanted).await {
            Ok(stream) => {
                info!(service = %self.service, "the stream was created");
                Some(stream.cached_info().clone())
            }
            // With a server away there may be no place for all copies. Fewer are better than no stream: the outbox is
            // the record, and the missing copies are asked for at every later look.
            Err(error) if wanted.num_replicas > 1 && matches!(error.kind(), CreateStreamErrorKind::JetStream(_)) => {
                let fewer = stream::Config { num_replicas: 1, ..wanted.clone() };
                let created = self.context.create_stream(fewer).await;
                created.map(|stream| stream.cached_info().clone()).map_err(|error| self.not_created(&error.kind())).ok()
            }
            Err(error) => {
                self.not_created(&error.kind());
                None
            }
        }
    }

    fn not_created(&self, kind: &CreateStreamErrorKind) {
        warn!(service = %self.service, reason = %kind, "the stream could not be created; trying again");
    }

    /// Sets what the broker lets us set, in two steps, because a refusal of one setting refuses them all. Returns the
    /// stream as it is now and what still differs.
    async fn repair(
        &self,
        found: stream::Info,
        before: Vec<Drift>,
        wanted: &stream::Config,
    ) -> (stream::Info, Vec<Drift>) {
        let mut now = found;
        let copies = stream::Config { num_replicas: wanted.num_replicas, ..repaired(&now.config, wanted) };
        for config in [repaired(&now.config, wanted), copies] {
            if config == now.config {
                continue;
            }
            match self.context.update_stream(&config).await {
                Ok(info) => now = info,
                Err(error) => {
                    debug!(service = %self.service, reason = %error.kind(), "the broker refused a setting of the stream");
                }
            }
        }
        let after = drift(&now.config, wanted);
        let mended: Vec<Drift> = before.into_iter().filter(|drift| !after.contains(drift)).collect();
        if !mended.is_empty() {
            warn!(service = %self.service, reason = in_words(&mended), "settings of the stream had drifted and were repaired");
        }
        (now, after)
    }

    /// The log names what cannot be repaired when it is first seen and when it changes.
    fn name_once(&self, drift: Vec<Drift>) {
        let Ok(mut named) = self.named.lock() else { return };
        if !drift.is_empty() && *named != drift {
            warn!(service = %self.service, reason = in_words(&drift), "settings of the stream cannot be repaired: change them on the broker");
        }
        *named = drift;
    }
}

/// What the broker has, with every setting of ours that it may let us change.
fn repaired(found: &stream::Config, wanted: &stream::Config) -> stream::Config {
    stream::Config {
        subjects: wanted.subjects.clone(),
        discard: wanted.discard,
        discard_new_per_subject: wanted.discard_new_per_subject,
        max_age: wanted.max_age,
        max_messages: wanted.max_messages,
        max_bytes: wanted.max_bytes,
        max_messages_per_subject: wanted.max_messages_per_subject,
        max_message_size: -1,
        consumer_limits: None,
        no_ack: false,
        duplicate_window: wanted.duplicate_window,
        subject_transform: None,
        sources: None,
        ..found.clone()
    }
}

/// Where the broker's stream is not as ours should be.
fn drift(found: &stream::Config, wanted: &stream::Config) -> Vec<Drift> {
    let mut comparison = Comparison::default();
    let sorted = |subjects: &[String]| {
        let mut subjects = subjects.to_vec();
        subjects.sort_unstable();
        subjects.join(",")
    };
    comparison.add("subjects", &sorted(&found.subjects), &sorted(&wanted.subjects));
    comparison.add("retention", &found.retention, &wanted.retention);
    comparison.add("storage", &found.storage, &wanted.storage);
    comparison.add("discard", &found.discard, &wanted.discard);
    comparison.add("discard_new_per_subject", &found.discard_new_per_subject, &wanted.discard_new_per_subject);
    comparison.add("max_age", &found.max_age, &wanted.max_age);
    comparison.add("max_msgs", &found.max_messages, &wanted.max_messages);
    comparison.add("max_bytes", &found.max_bytes, &wanted.max_bytes);
    comparison.add("max_msgs_per_subject", &found.max_messages_per_subject, &wanted.max_messages_per_subject);
    // Zero and minus one both mean that only the server's own limit holds.
    comparison.add("max_msg_size", &found.max_message_size.max(0), &0);
    comparison.add("max_consumers", &found.max_consumers.max(0), &0);
    comparison.add("duplicate_window", &found.duplicate_window, &wanted.duplicate_window);
    comparison.add("num_replicas", &found.num_replicas, &wanted.num_replicas);
    comparison.add("no_ack", &found.no_ack, &false);
    comparison.add("sealed", &found.sealed, &false);
    comparison.add("subject_transform", &found.subject_transform.is_some(), &false);
    comparison.add("sources", &found.sources.as_ref().is_some_and(|sources| !sources.is_empty()), &false);
    comparison.add("consumer_limits", &has_limits(found), &false);
    comparison.add("mirror", &found.mirror.is_some(), &false);
    comparison.drift
}

/// Whether the stream sets limits for its consumers, which would then differ from ours for ever.
fn has_limits(found: &stream::Config) -> bool {
    found.consumer_limits.as_ref().is_some_and(|limits| *limits != stream::ConsumerLimits::default())
}

pub(super) fn nanoseconds(info: &stream::Info) -> i64 {
    i64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

/// Whether the answer means that this stream does not exist.
pub(super) fn is_missing(kind: &GetStreamErrorKind) -> bool {
    match kind {
        GetStreamErrorKind::JetStream(error) => error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}
