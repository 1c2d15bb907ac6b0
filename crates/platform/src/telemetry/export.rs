//! Traces to an OTLP collector, with the same allow list as the log.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::allowed::is_allowed;

/// How long one batch may take to reach the collector.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// A provider that sends spans in batches.
pub(super) fn provider(endpoint: &str, service: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIME_MAX)
        .build()?;
    let resource = Resource::builder().with_service_name(format!("tocsin-{service}")).build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(AllowedOnly { inner: exporter })
        .with_resource(resource)
        .build())
}

/// The layer that turns spans of `tracing` into spans of the provider.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: tracing::Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("tocsin")).with_threads(false)
}

/// An exporter behind the allow list.
#[derive(Debug)]
pub(super) struct AllowedOnly<E> {
    pub(super) inner: E,
}

/// What the layer itself adds: the place in the code, the level, and times.
const ADDED: [&str; 4] = ["busy_ns", "idle_ns", "level", "target"];

fn keep(attributes: &mut Vec<KeyValue>) {
    attributes.retain(|attribute| {
        let key = attribute.key.as_str();
        is_allowed(key) || key.starts_with("code.") || ADDED.contains(&key)
    });
}

impl<E: SpanExporter> SpanExporter for AllowedOnly<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            keep(&mut span.attributes);
            for event in &mut span.events.events {
                keep(&mut event.attributes);
            }
        }
        self.inner.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
