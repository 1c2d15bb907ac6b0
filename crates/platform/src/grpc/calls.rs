//! What holds for every call: a request id, a deadline, a span, a measurement, and a panic that stays in its call.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures::FutureExt;
use tocsin_proto::catalogue::Service;
use tonic::service::Routes;
use tonic::{Code, Status};
use tracing::Instrument;

use crate::failure::{Failure, RequestIdLayer, current_request_id};
use crate::telemetry;
use crate::tls::PeerName;

/// How long a call may take until it answers or its stream begins. A client's own deadline may only be shorter.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);

/// Wraps the services added so far.
pub(super) fn with_house_rules(routes: Routes) -> Routes {
    Routes::from(routes.into_axum_router().layer(from_fn(call)).layer(RequestIdLayer))
}

async fn call(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.uri().path().trim_start_matches('/').to_owned();
    let peer = request.extensions().get::<PeerName>().and_then(|peer| peer.service()).map(Service::as_str);
    let span = tracing::info_span!("rpc", method = method.as_str(), peer, request_id = %current_request_id());
    if let Some(parent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        telemetry::set_parent(&span, parent);
    }
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(CALL_TIME_MAX, answered.instrument(span.clone())).await {
        Ok(Ok(response)) => in_our_words(response),
        Ok(Err(_)) => {
            span.in_scope(|| tracing::error!(method = method.as_str(), "a call panicked"));
            refusal(Failure::internal("PANICKED"))
        }
        Err(_) => {
            span.in_scope(|| tracing::warn!(method = method.as_str(), "a call took too long"));
            refusal(Failure::timed_out("CALL_TIMED_OUT", "the call took longer than 30 seconds; try again"))
        }
    };
    let code = code_of(&response);
    // A path that no service knows comes from outside: as a label it could be anything.
    let is_known = code != Code::Unimplemented && response.status().is_success();
    let label = if is_known { method.as_str() } else { "unknown" };
    telemetry::metrics()
        .rpc_server_call_duration_seconds
        .with_label_values(&[label, &format!("{code:?}")])
        .observe(started.elapsed().as_secs_f64());
    response
}

/// What the library refuses before a verb sees it has no details of ours: a message that does not decode, and one that is
/// too large.
fn in_our_words(response: Response) -> Response {
    if response.headers().contains_key("grpc-status-details-bin") {
        return response;
    }
    match code_of(&response) {
        Code::Internal => {
            let says = "the message does not decode; check it against the protos, and that every text is UTF-8";
            refusal(Failure::invalid("MESSAGE_MALFORMED", says))
        }
        Code::OutOfRange => {
            let says = "the message is larger than this service takes; send less at once";
            refusal(Failure::too_large("MESSAGE_TOO_LARGE", says))
        }
        _ => response,
    }
}

fn refusal(failure: Failure) -> Response {
    Status::from(failure).into_http()
}

/// An error answers with its code in the headers; without one the call went well, or its stream began.
fn code_of(response: &Response) -> Code {
    response.headers().get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}
