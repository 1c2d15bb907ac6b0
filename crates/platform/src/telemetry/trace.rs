//! Trace context across gRPC and the bus, in the form of W3C `traceparent`.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The current span as a `traceparent`; nothing when traces are off.
pub fn current_traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

fn remote(traceparent: &str) -> Option<Context> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    context.span().span_context().is_valid().then_some(context)
}

/// Makes the span a child of the sender's, for calls. What does not parse changes nothing.
pub fn set_parent(span: &Span, traceparent: &str) {
    if let Some(context) = remote(traceparent) {
        // Without the trace layer there is nothing to set.
        let _ = span.set_parent(context);
    }
}

/// Links the span to the sender's, for events that may be handled much later. What does not parse changes nothing.
pub fn link_to(span: &Span, traceparent: &str) {
    if let Some(context) = remote(traceparent) {
        span.add_link(context.span().span_context().clone());
    }
}
