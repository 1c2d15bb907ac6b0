//! Metrics of the process, for `/metrics`. Labels are channels, priorities, outcomes, services, methods and codes;
//! never a person, an organisation or a case.

use std::sync::LazyLock;

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Buckets for how long calls and first attempts take, in seconds.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Every metric, each field named as the metric without the prefix `tocsin_`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Reports accepted durably.
    pub reports_accepted: IntCounter,
    /// Notices that reached a state: labels `channel`, `outcome`, `priority`.
    pub notices: IntCounterVec,
    /// From release to the first hand-over, in seconds: labels `channel`, `priority`.
    pub notice_latency_seconds: HistogramVec,
    /// Events not yet settled by a consumer: label `service`.
    pub outbox_owed: IntGaugeVec,
    /// The age of the oldest of them, in seconds: label `service`.
    pub outbox_oldest_seconds: IntGaugeVec,
    /// Dead letters in custody: label `service`.
    pub dead_letters: IntGaugeVec,
    /// Deliveries that the broker will not make again: label `service`.
    pub bus_advisories: IntCounterVec,
    /// The age of the oldest P1 case that no person has answered, in seconds; 0 when there is none.
    pub oldest_unacknowledged_p1_seconds: IntGauge,
    /// Notices whose due time has passed.
    pub notices_past_due: IntGauge,
    /// What notification finds when it looks its notices over.
    pub upkeep: UpkeepMetrics,
    /// Destinations whose breaker is open: label `channel`.
    pub breaker_open: IntGaugeVec,
    /// How long gRPC calls took until they answered, in seconds: labels `method`, `code`.
    pub rpc_server_call_duration_seconds: HistogramVec,
    /// How long HTTP requests took until they answered, in seconds: labels `method`, `route`, `status`.
    pub http_server_request_duration_seconds: HistogramVec,
}

impl Metrics {
    fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        Ok(Self {
            reports_accepted: counter(&registry, "tocsin_reports_accepted_total", "Reports accepted durably")?,
            notices: counters(
                &registry,
                "tocsin_notices_total",
                "Notices that reached a state",
                &["channel", "outcome", "priority"],
            )?,
            notice_latency_seconds: histograms(
                &registry,
                "tocsin_notice_latency_seconds",
                "From release to the first hand-over",
                &["channel", "priority"],
            )?,
            outbox_owed: gauges(&registry, "tocsin_outbox_owed", "Events not yet settled", &["service"])?,
            outbox_oldest_seconds: gauges(
                &registry,
                "tocsin_outbox_oldest_seconds",
                "Age of the oldest event not yet settled",
                &["service"],
            )?,
            dead_letters: gauges(&registry, "tocsin_dead_letters", "Dead letters in custody", &["service"])?,
            bus_advisories: counters(
                &registry,
                "tocsin_bus_advisories_total",
                "Deliveries that the broker will not make again",
                &["service"],
            )?,
            oldest_unacknowledged_p1_seconds: gauge(
                &registry,
                "tocsin_oldest_unacknowledged_p1_seconds",
                "Age of the oldest P1 case that no person has answered",
            )?,
            notices_past_due: gauge(&registry, "tocsin_notices_past_due", "Notices whose due time has passed")?,
            upkeep: UpkeepMetrics::new(&registry)?,
            breaker_open: gauges(&registry, "tocsin_breaker_open", "Destinations whose breaker is open", &["channel"])?,
            rpc_server_call_duration_seconds: histograms(
                &registry,
                "rpc_server_call_duration_seconds",
                "How long gRPC calls took until they answered",
                &["method", "code"],
            )?,
            http_server_request_duration_seconds: histograms(
                &registry,
                "http_server_request_duration_seconds",
                "How long HTTP requests took until they answered",
                &["method", "route", "status"],
            )?,
            registry,
        })
    }
}

/// Metrics of notices as they stand; each field named as the metric without the prefix `tocsin_`.
#[derive(Debug)]
pub struct UpkeepMetrics {
    /// For how long the oldest notice whose due time has passed has been due, in seconds; 0 when there is none.
    pub notices_oldest_past_due_seconds: IntGauge,
    /// Notices that the last audit found neither moving nor explained.
    pub notices_unexplained: IntGauge,
    /// When the last audit of the notices ended, in seconds since 1970; 0 before the first.
    pub audit_completed_timestamp_seconds: IntGauge,
    /// Smarthosts that rest because they did not answer.
    pub smarthosts_resting: IntGauge,
    /// Gateways and smarthosts that people have paused.
    pub gateways_paused: IntGauge,
}

impl UpkeepMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            notices_oldest_past_due_seconds: gauge(
                registry,
                "tocsin_notices_oldest_past_due_seconds",
                "For how long the oldest notice whose due time has passed has been due",
            )?,
            notices_unexplained: gauge(
                registry,
                "tocsin_notices_unexplained",
                "Notices that the last audit found neither moving nor explained",
            )?,
            audit_completed_timestamp_seconds: gauge(
                registry,
                "tocsin_audit_completed_timestamp_seconds",
                "When the notices were last audited",
            )?,
            smarthosts_resting: gauge(registry, "tocsin_smarthosts_resting", "Smarthosts that do not answer and rest")?,
            gateways_paused: gauge(registry, "tocsin_gateways_paused", "Gateways that people have paused")?,
        })
    }
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
    let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}

#[expect(clippy::expect_used, reason = "every name is a constant above, and a test builds them all")]
static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics::new().expect("the metrics are well formed"));

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// The text that Prometheus reads.
pub fn render() -> String {
    let mut text = Vec::new();
    // Writing into memory cannot fail; a family that does not encode would only be missing.
    let _ = TextEncoder::new().encode(&METRICS.registry.gather(), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
