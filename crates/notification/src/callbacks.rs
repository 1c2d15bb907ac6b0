//! The doors for SMS gateways: `/receipts/...` for what became of our messages, `/inbound/...` for messages to us.
//!
//! Whoever is not the gateway finds nothing there: a wrong signature, token, source, message and gateway all have the same
//! answer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tocsin_platform::failure::Failure;
use tocsin_platform::group_commit::GroupCommit;
use uuid::Uuid;

use crate::channel::Callback;
use crate::config::{GatewayConfig, GatewayKind};
use crate::office::Office;
use crate::receipts::{About, Receipt, Recorded};
use crate::sms::take_incoming;

/// The largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone)]
struct Door {
    office: Arc<Office>,
    receipts: GroupCommit<Receipt, Recorded>,
}

/// The routes.
pub(crate) fn router(office: Arc<Office>, receipts: GroupCommit<Receipt, Recorded>) -> Router {
    Router::new()
        .route("/receipts/{gateway}", get(receipt).post(receipt))
        .route("/receipts/{gateway}/{token}", get(receipt).post(receipt))
        .route("/inbound/{gateway}", get(inbound).post(inbound))
        .route("/inbound/{gateway}/{token}", get(inbound).post(inbound))
        .with_state(Door { office, receipts })
}

/// The same answer for everything that is not a gateway's call, so that nobody learns which part was wrong.
fn not_found() -> Failure {
    Failure::not_found("NOT_FOUND", "there is nothing here")
}

/// A receipt: answered once it is stored.
async fn receipt(State(door): State<Door>, path: Path<Vec<(String, String)>>, request: Request) -> Response {
    match take_receipt(&door, &path, request).await {
        // Kannel tells again of everything that is not answered with 200 or 202.
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn take_receipt(door: &Door, path: &[(String, String)], request: Request) -> Result<(), Failure> {
    let (parts, body) = read(request).await?;
    let gateway = gateway(&door.office, path)?;
    let call = call(&door.office, gateway, path, &parts, &body);
    if !call.is_authentic(door.office.clock.now()) {
        return Err(not_found());
    }
    let told = call.told().ok_or_else(|| {
        Failure::invalid("RECEIPT_UNKNOWN", "this says nothing of a message in a way that is known of this gateway")
    })?;
    let about = match (notice_of(&call), told.message_id) {
        (Some(notice_id), _) if call.mac_is_ours => About::Notice(notice_id),
        (_, Some(message_id)) => About::Message(message_id),
        _ => return Err(Failure::invalid("RECEIPT_UNKNOWN", "the receipt names no message")),
    };
    let receipt = Receipt { gateway: gateway.name.clone(), about, state: told.state };
    match door.receipts.submit(receipt).await {
        Ok(recorded) => recorded,
        Err(closed) => Err(Failure::unavailable("RECEIPTS_CLOSED", closed.to_string())),
    }
}

/// A message to us: answered once everything that follows from it is stored, in the form that the gateway expects.
async fn inbound(State(door): State<Door>, path: Path<Vec<(String, String)>>, request: Request) -> Response {
    match take_inbound(&door, &path, request).await {
        Ok(GatewayKind::Twilio) => ([(header::CONTENT_TYPE, "text/xml")], "<Response/>").into_response(),
        // Kannel sends the body to the sender, and with another status an excuse.
        Ok(_) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "").into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn take_inbound(door: &Door, path: &[(String, String)], request: Request) -> Result<GatewayKind, Failure> {
    let (parts, body) = read(request).await?;
    let gateway = gateway(&door.office, path)?;
    let mut call = call(&door.office, gateway, path, &parts, &body);
    // The MAC of a message that we sent is no word of who sends to us.
    call.mac_is_ours = false;
    if !call.is_authentic(door.office.clock.now()) {
        return Err(not_found());
    }
    let message = call.incoming().ok_or_else(|| {
        Failure::invalid("MESSAGE_UNKNOWN", "this is no text message in a way that is known of this gateway")
    })?;
    take_incoming(&door.office, &gateway.name, &message).await?;
    Ok(gateway.kind)
}

async fn read(request: Request) -> Result<(Parts, Bytes), Failure> {
    let (parts, body) = request.into_parts();
    let too_large = |_| Failure::too_large("CALL_TOO_LARGE", format!("at most {BODY_BYTES_MAX} bytes are taken"));
    Ok((parts, axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(too_large)?))
}

fn segment<'a>(path: &'a [(String, String)], name: &str) -> Option<&'a str> {
    path.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn gateway<'a>(office: &'a Office, path: &[(String, String)]) -> Result<&'a GatewayConfig, Failure> {
    segment(path, "gateway").and_then(|name| office.gateways.named(name)).ok_or_else(not_found)
}

fn call<'a>(
    office: &Office,
    gateway: &'a GatewayConfig,
    path: &[(String, String)],
    parts: &Parts,
    body: &'a Bytes,
) -> Callback<'a> {
    let source = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let uri = &parts.uri;
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is = |kind: &str| text("content-type").is_some_and(|given| given.to_ascii_lowercase().starts_with(kind));
    let pairs = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect::<Vec<_>>();
    let mut call = Callback {
        gateway,
        url: format!("{}{}", office.receipt_url, uri.path_and_query().map_or("/", |path| path.as_str())),
        source: source.map(|ConnectInfo(source)| source.ip()),
        token: segment(path, "token").map(str::to_owned),
        mac_is_ours: false,
        authorization: text("authorization"),
        twilio_signature: text("x-twilio-signature"),
        raw_query: uri.query().unwrap_or_default().to_owned(),
        query: pairs(uri.query().unwrap_or_default().as_bytes()),
        form: if is("application/x-www-form-urlencoded") { pairs(body) } else { Vec::new() },
        json: serde_json::from_slice(body).ok(),
        body,
    };
    let shown = call.query.iter().find(|(name, _)| name == "mac").map_or("", |(_, mac)| mac.as_str());
    call.mac_is_ours = notice_of(&call).is_some_and(|id| office.secrets.receipt_is_ours(&gateway.name, id, shown));
    call
}

/// The notice that the address was made for.
fn notice_of(call: &Callback<'_>) -> Option<Uuid> {
    let given = call.query.iter().find(|(name, _)| name == "id")?;
    Uuid::try_parse(&given.1).ok()
}
