//! Watching: log lines, traces and metrics, none of which can carry the words of a case.
//!
//! Fields are an allow list, enforced where lines are written and where spans leave the process, so that a field that
//! somebody adds by mistake is dropped instead of printed.

mod allowed;
mod export;
mod log;
mod metrics;
mod trace;

use std::io;
use std::panic::PanicHookInfo;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::TelemetrySettings;

pub use allowed::ALLOWED_FIELDS;
pub use metrics::{Metrics, metrics, render};
pub use trace::{current_traceparent, link_to, set_parent};

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives do not parse.
    #[error("`telemetry.level` is not a level or a list of directives such as `warn,tocsin=info`")]
    Level(#[source] tracing_subscriber::filter::ParseError),
    /// Something else in this process writes logs already.
    #[error("telemetry was started twice in this process")]
    Twice,
    /// The collector's address cannot be used.
    #[error("`telemetry.otlp_endpoint` cannot be used: expected the address of an OTLP collector, as http://host:4317")]
    Collector(#[source] opentelemetry_otlp::ExporterBuildError),
}

/// Keeps telemetry running; sends what is left when dropped.
#[must_use = "telemetry ends when the guard is dropped"]
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            // A collector that is away must not keep the process from ending; the provider has its own time limit.
            let _ = provider.shutdown();
        }
    }
}

/// Starts telemetry for the whole process: log lines on the standard error stream, traces when a collector is set. Must
/// be called within a Tokio runtime. `service` appears in traces.
pub fn init(settings: &TelemetrySettings, service: &str) -> Result<TelemetryGuard, TelemetryError> {
    let filter: EnvFilter = settings.level.parse().map_err(TelemetryError::Level)?;
    let provider = match &settings.otlp_endpoint {
        Some(endpoint) => Some(export::provider(endpoint, service).map_err(TelemetryError::Collector)?),
        None => None,
    };
    let traces = provider.as_ref().map(export::layer);
    let log = log::LogLayer::new(settings.log, io::stderr);
    let subscriber = Registry::default().with(filter).with(traces).with(log);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(panicked));
    Ok(TelemetryGuard { provider })
}

/// A panic's message may quote a value, so only its place is logged.
fn panicked(information: &PanicHookInfo<'_>) {
    let place = information.location().map(|place| format!("{}:{}", place.file(), place.line()));
    tracing::error!(path = place.as_deref().unwrap_or("unknown"), "a thread panicked");
}

#[cfg(test)]
mod tests;
