//! A consuming service's durable consumers: what each should be, how one differs from that, and how it is put right. The
//! inbox knows what was taken, so one that cannot be changed is deleted and made anew.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, Info, PullConsumer, ReplayPolicy, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{self};
use tocsin_proto::catalogue::{Lane, Service, consumed_by};
use tracing::{debug, info, warn};

use super::super::state::{Comparison, ConsumerState, Drift, in_words};
use super::names;

/// An unanswered delivery comes again after this.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Deliveries without an answer, over all replicas.
pub(super) const UNANSWERED_MAX: i64 = 512;

/// The place of one durable consumer.
#[derive(Debug, Clone)]
pub(super) struct Durable {
    pub(super) context: jetstream::Context,
    pub(super) consumer: Service,
    pub(super) producer: Service,
    pub(super) lane: Lane,
}

/// The producers whose events a service takes.
pub(super) fn producers(consumer: Service) -> Vec<Service> {
    let mut producers: Vec<Service> = consumed_by(consumer).map(|kind| kind.producer).collect();
    producers.sort_unstable();
    producers.dedup();
    producers
}

impl Durable {
    pub(super) fn name(&self) -> String {
        names::consumer(self.consumer, self.producer, self.lane)
    }

    fn wanted(&self) -> pull::Config {
        let kinds = consumed_by(self.consumer).filter(|kind| kind.producer == self.producer);
        pull::Config {
            durable_name: Some(self.name()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_deliver: -1,
            max_ack_pending: UNANSWERED_MAX,
            filter_subjects: kinds.map(|kind| kind.subject(self.lane)).collect(),
            ..pull::Config::default()
        }
    }

    /// The consumer as it should be: found, repaired or created. `None` while that is not possible, above all until the
    /// producer has created its stream.
    ///
    /// `accepted` is what even a consumer made anew differed in, as where the server itself sets a limit: repairing that
    /// again and again would have everything delivered again each time.
    pub(super) async fn ready(&self, accepted: &[Drift]) -> Option<PullConsumer> {
        let made = match self.info().await {
            Ok(Some(info)) => {
                let drift = self.drift(&info);
                if drift.is_empty() || drift == accepted {
                    let stream = names::stream(self.producer);
                    return self.context.get_consumer_from_stream(self.name(), stream).await.ok();
                }
                self.repair(&info, &drift).await
            }
            Ok(None) => self.create().await,
            Err(kind) => {
                debug!(service = %self.consumer, reason = %kind, "a consumer cannot be looked at now");
                return None;
            }
        };
        match made {
            Ok(consumer) => Some(consumer),
            Err(error) if is_no_stream(&error) => None,
            Err(error) => {
                warn!(service = %self.consumer, consumer = self.name(), reason = %error.kind(), "a consumer could not be made as it should be; trying again");
                None
            }
        }
    }

    async fn create(&self) -> Result<PullConsumer, ConsumerError> {
        self.context.create_consumer_on_stream(self.wanted(), names::stream(self.producer)).await
    }

    async fn repair(&self, info: &Info, drift: &[Drift]) -> Result<PullConsumer, ConsumerError> {
        warn!(service = %self.consumer, consumer = self.name(), reason = in_words(drift), "settings of a consumer had drifted and are repaired");
        if info.paused
            && let Ok(stream) = self.context.get_stream_no_info(names::stream(self.producer)).await
        {
            stream.resume_consumer(&self.name()).await?;
        }
        match self.create().await {
            Ok(consumer) if self.drift(consumer.cached_info()).is_empty() => Ok(consumer),
            // What cannot be changed can be made anew.
            _ => {
                self.delete().await;
                self.create().await
            }
        }
    }

    /// Everything in the stream is delivered again to the next one of this name.
    pub(super) async fn delete(&self) {
        let deleted = self.context.delete_consumer_from_stream(self.name(), names::stream(self.producer)).await;
        match deleted {
            Ok(_) => info!(service = %self.consumer, consumer = self.name(), "a consumer was deleted, to be made anew"),
            Err(error) => {
                debug!(service = %self.consumer, reason = %error.kind(), "the consumer could not be deleted");
            }
        }
    }

    /// What the broker has; nothing where there is no such consumer.
    pub(super) async fn info(&self) -> Result<Option<Info>, ConsumerInfoErrorKind> {
        let Ok(stream) = self.context.get_stream_no_info(names::stream(self.producer)).await else {
            return Err(ConsumerInfoErrorKind::Request);
        };
        match stream.consumer_info(self.name()).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if is_no_consumer(&error.kind()) => Ok(None),
            Err(error) => Err(error.kind()),
        }
    }

    /// Where the broker's consumer is not as ours should be.
    pub(super) fn drift(&self, info: &Info) -> Vec<Drift> {
        drift(&info.config, info.paused, &self.wanted())
    }

    /// For people; nothing when the broker does not answer.
    pub(super) async fn state(&self) -> Option<ConsumerState> {
        let info = self.info().await.ok()?;
        Some(ConsumerState {
            name: self.name(),
            producer: self.producer,
            lane: self.lane,
            exists: info.is_some(),
            waiting: info.as_ref().map_or(0, |info| info.num_pending),
            unanswered: info.as_ref().map_or(0, |info| u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX)),
            drift: info.as_ref().map(|info| self.drift(info)).unwrap_or_default(),
        })
    }
}

fn drift(found: &consumer::Config, paused: bool, wanted: &pull::Config) -> Vec<Drift> {
    let mut comparison = Comparison::default();
    let mut subjects = found.filter_subjects.clone();
    if !found.filter_subject.is_empty() {
        subjects.push(found.filter_subject.clone());
    }
    subjects.sort_unstable();
    let mut wished = wanted.filter_subjects.clone();
    wished.sort_unstable();
    comparison.add("filter_subjects", &subjects.join(","), &wished.join(","));
    comparison.add("ack_wait", &found.ack_wait, &wanted.ack_wait);
    comparison.add("max_ack_pending", &found.max_ack_pending, &wanted.max_ack_pending);
    comparison.add("max_deliver", &found.max_deliver, &wanted.max_deliver);
    comparison.add("ack_policy", &found.ack_policy, &wanted.ack_policy);
    comparison.add("deliver_policy", &found.deliver_policy, &wanted.deliver_policy);
    comparison.add("replay_policy", &found.replay_policy, &ReplayPolicy::Instant);
    comparison.add("deliver_subject", &found.deliver_subject.is_some(), &false);
    comparison.add("headers_only", &found.headers_only, &false);
    comparison.add("backoff", &found.backoff.len(), &0);
    comparison.add("inactive_threshold", &found.inactive_threshold, &Duration::ZERO);
    comparison.add("max_batch", &found.max_batch.max(0), &0);
    comparison.add("max_expires", &found.max_expires, &Duration::ZERO);
    comparison.add("max_bytes", &found.max_bytes.max(0), &0);
    comparison.add("paused", &paused, &false);
    comparison.drift
}

/// Whether the answer means that this consumer does not exist.
pub(super) fn is_no_consumer(kind: &ConsumerInfoErrorKind) -> bool {
    match kind {
        ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound => true,
        ConsumerInfoErrorKind::JetStream(error) => {
            matches!(
                error.error_code(),
                jetstream::ErrorCode::CONSUMER_NOT_FOUND | jetstream::ErrorCode::STREAM_NOT_FOUND
            )
        }
        _ => false,
    }
}

fn is_no_stream(error: &ConsumerError) -> bool {
    match error.kind() {
        ConsumerErrorKind::JetStream(error) => error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}
