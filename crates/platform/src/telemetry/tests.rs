//! Lines as they are written, and what never is.

use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::config::LogForm;

/// A log in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What these events write in one form, without the time.
fn written(form: LogForm, events: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = log::LogLayer::new(form, move || writer.clone());
    tracing::subscriber::with_default(Registry::default().with(layer), events);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

fn events() {
    let span =
        tracing::info_span!("rpc", method = "tocsin.intake", narrative = "canary", attempt = tracing::field::Empty);
    let _entered = span.enter();
    span.record("attempt", 2);
    tracing::warn!(report_id = %"r-1", count = 3, name = "canary", phone = "canary", ok = true, "saved\nforged");
}

#[test]
fn only_allowed_fields_are_written_in_both_forms() {
    let text = written(LogForm::Text, events);
    assert!(text.ends_with("saved forged report_id=r-1 count=3 method=tocsin.intake attempt=2\n"), "{text}");
    assert!(text.contains(" WARN "), "{text}");
    let json = written(LogForm::Json, events);
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(line["message"], "saved forged");
    assert_eq!((&line["report_id"], &line["count"], &line["attempt"]), (&"r-1".into(), &3.into(), &2.into()));
    assert_eq!(line.as_object().unwrap().len(), 8, "{line}");
    for output in [text, json] {
        assert!(!output.contains("canary"), "{output}");
        assert_eq!(output.lines().count(), 1);
    }
}

#[test]
fn the_list_is_sorted_and_holds_nothing_personal() {
    assert!(ALLOWED_FIELDS.is_sorted_by(|left, right| left < right));
    for personal in ["name", "narrative", "phone", "email", "text", "body", "secret", "message"] {
        assert!(!ALLOWED_FIELDS.contains(&personal), "{personal}");
    }
}

/// Spans in memory.
#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[test]
fn traces_cross_processes_without_forbidden_attributes() {
    let exporter = Spans::default();
    let provider =
        SdkTracerProvider::builder().with_simple_exporter(export::AllowedOnly { inner: exporter.clone() }).build();
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = tracing::subscriber::with_default(Registry::default().with(traces), || {
        let span = tracing::info_span!("rpc", method = "submit", narrative = "canary");
        set_parent(&span, parent);
        let _entered = span.enter();
        tracing::info!(name = "canary", count = 1, "inside");
        current_traceparent().unwrap()
    });
    assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{sent}");
    assert_ne!(sent, parent);
    let spans = exporter.0.lock().unwrap().clone();
    assert_eq!(spans.len(), 1);
    let all = format!("{spans:?}");
    assert!(all.contains("submit") && all.contains("count") && !all.contains("canary"), "{all}");
    assert_eq!(current_traceparent(), None, "traces are off here");
}

#[test]
fn metrics_render_with_their_names() {
    metrics().reports_accepted.inc();
    metrics().notices.with_label_values(&["email", "accepted", "p1"]).inc();
    metrics().notice_latency_seconds.with_label_values(&["email", "p1"]).observe(0.3);
    metrics().outbox_owed.with_label_values(&["intake"]).set(4);
    let text = render();
    for expect in [
        "tocsin_reports_accepted_total ",
        "tocsin_notices_total{channel=\"email\",outcome=\"accepted\",priority=\"p1\"} ",
        "tocsin_notice_latency_seconds_bucket{channel=\"email\",priority=\"p1\",le=\"0.5\"} ",
        "tocsin_outbox_owed{service=\"intake\"} 4",
        "tocsin_oldest_unacknowledged_p1_seconds ",
        "tocsin_notices_past_due ",
    ] {
        assert!(text.contains(expect), "{expect} in {text}");
    }
}

/// A collector that keeps what it is sent.
async fn collector() -> (String, tokio::sync::mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let export = axum::routing::post(move |body: axum::body::Bytes| {
        let sender = sender.clone();
        async move {
            let _ = sender.send(body.to_vec()).await;
        }
    });
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let routes = tonic::service::Routes::from(axum::Router::new().route(path, export));
    let listener = crate::grpc::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (_, shutdown) = crate::lifecycle::Shutdown::pair();
    tokio::spawn(crate::grpc::server(listener, routes, &[], None, shutdown));
    (endpoint, receiver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_reach_a_collector_over_otlp() {
    let (endpoint, mut received) = collector().await;
    let provider = export::provider(&endpoint, "intake").unwrap();
    tracing::subscriber::with_default(Registry::default().with(export::layer(&provider)), || {
        tracing::info_span!("rpc", method = "submit", narrative = "canary").in_scope(|| ());
    });
    tokio::task::spawn_blocking(move || drop(TelemetryGuard { provider: Some(provider) })).await.unwrap();
    let sent = received.recv().await.unwrap();
    let has = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("tocsin-intake") && has("submit") && !has("canary"));
}
