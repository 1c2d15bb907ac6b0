//! Stand-ins for providers on loopback. Each takes a request only as its documentation demands, gives the documented
//! answer, and signs what it calls back with in its own way, written here a second time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::RequestBuilder;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use super::harness::Alert;

/// An alert whose short code can be typed back.
pub(super) fn an_alert(priority: &'static str, tlp: &'static str) -> Alert {
    Alert { short_code: "A7F3-K2W", ..Alert::new(priority, tlp) }
}

/// Which provider it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Twilio,
    Vonage,
    AfricasTalking,
}

/// A message as it was submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Submitted {
    pub(super) id: String,
    pub(super) to: String,
    pub(super) text: String,
    pub(super) receipt_url: String,
}

/// What it answers in place of success.
type Answer = Option<(u16, &'static str)>;

#[derive(Clone)]
struct Door {
    style: Style,
    taken: Arc<Mutex<Vec<Submitted>>>,
    refused: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Answer>>,
}

/// One provider.
pub(super) struct Provider {
    pub(super) style: Style,
    pub(super) address: SocketAddr,
    door: Door,
    client: reqwest::Client,
}

const ACCOUNT: &str = "ACcccccccccccccccccccccccccccccccc";
const SECRET: &str = "a-secret-of-the-account";
const SIGNATURE_SECRET: &str = "another-secret-that-signs-callbacks";
pub(super) const TOKEN: &str = "a-long-token-in-the-path";

impl Provider {
    pub(super) async fn start(style: Style) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door { style, taken: Arc::default(), refused: Arc::default(), answer: Arc::default() };
        let router = Router::new().fallback(submit).with_state(door.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { style, address, door, client }
    }

    /// Its part of the settings.
    pub(super) fn settings(&self) -> String {
        let (kind, path, more) = match self.style {
            Style::Twilio => {
                ("twilio", format!("2010-04-01/Accounts/{ACCOUNT}/Messages.json"), "from = '+12025550100'\n".to_owned())
            }
            Style::Vonage => (
                "vonage",
                "v1/messages".to_owned(),
                format!("from = '12025550101'\nsignature_secret = '{SIGNATURE_SECRET}'\n"),
            ),
            Style::AfricasTalking => {
                ("africas_talking", "version1/messaging".to_owned(), format!("callback_token = '{TOKEN}'\n"))
            }
        };
        format!(
            "[[notification.sms.gateways]]\nname = 'provider'\nkind = '{kind}'\nurl = 'http://{}/{path}'\n\
             username = '{ACCOUNT}'\npassword = '{SECRET}'\n{more}",
            self.address
        )
    }

    pub(super) fn taken(&self) -> Vec<Submitted> {
        self.door.taken.lock().unwrap().clone()
    }

    /// What it would not take, as its documentation demands.
    pub(super) fn refused(&self) -> Vec<String> {
        self.door.refused.lock().unwrap().clone()
    }

    pub(super) fn answer_with(&self, answer: Answer) {
        *self.door.answer.lock().unwrap() = answer;
    }

    /// Tells of a message in the provider's way.
    pub(super) fn tell(&self, http: &str, of: &Submitted, status: &str) -> RequestBuilder {
        match self.style {
            Style::Twilio => {
                let form = pairs(&[
                    ("MessageSid", &of.id),
                    ("MessageStatus", status),
                    ("To", &of.to),
                    ("ApiVersion", "2010-04-01"),
                ]);
                self.twilio(&of.receipt_url, &form)
            }
            Style::Vonage => {
                let body = serde_json::json!({"message_uuid": of.id, "to": of.to, "channel": "sms", "status": status});
                self.vonage(&of.receipt_url, body.to_string())
            }
            Style::AfricasTalking => {
                let form =
                    pairs(&[("id", &of.id), ("status", status), ("phoneNumber", &of.to), ("networkCode", "62120")]);
                self.client.post(format!("{http}/receipts/provider/{TOKEN}")).form(&form)
            }
        }
    }

    /// Hands on a message from a phone.
    pub(super) fn bring(&self, http: &str, from: &str, text: &str, id: &str) -> RequestBuilder {
        match self.style {
            Style::Twilio => {
                let form = pairs(&[("MessageSid", id), ("From", from), ("To", "+12025550100"), ("Body", text)]);
                self.twilio(&format!("{http}/inbound/provider"), &form)
            }
            Style::Vonage => {
                let from = from.trim_start_matches('+');
                let body = serde_json::json!({"message_uuid": id, "from": from, "to": "12025550101", "message_type": "text", "text": text});
                self.vonage(&format!("{http}/inbound/provider"), body.to_string())
            }
            Style::AfricasTalking => {
                let form =
                    pairs(&[("id", id), ("from", from), ("to", "12345"), ("text", text), ("date", "2026-07-05")]);
                self.client.post(format!("{http}/inbound/provider/{TOKEN}")).form(&form)
            }
        }
    }

    fn twilio(&self, url: &str, form: &BTreeMap<String, String>) -> RequestBuilder {
        let signature = twilio_signature(SECRET, url, form);
        self.client.post(url).header("x-twilio-signature", signature).form(form)
    }

    fn vonage(&self, url: &str, body: String) -> RequestBuilder {
        let token = vonage_token(SIGNATURE_SECRET, "HS256", &claims(&body, 0));
        self.client.post(url).header("content-type", "application/json").bearer_auth(token).body(body)
    }
}

/// The claims of a token for a body, signed so many seconds ago.
pub(super) fn claims(body: &str, age_seconds: i64) -> serde_json::Value {
    let now = tocsin_platform::clock::Clock::system().now().timestamp() - age_seconds;
    serde_json::json!({
        "iat": now, "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5", "iss": "Vonage",
        "payload_hash": hex::encode(Sha256::digest(body)), "api_key": ACCOUNT,
    })
}

/// A token as Vonage makes it.
pub(super) fn vonage_token(secret: &str, algorithm: &str, claims: &serde_json::Value) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&serde_json::json!({"alg": algorithm, "typ": "JWT"})), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// A signature as Twilio makes it: the address, then names and values in the order of the names.
pub(super) fn twilio_signature(secret: &str, url: &str, form: &BTreeMap<String, String>) -> String {
    let text = form.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text).finalize();
    STANDARD.encode(mac.into_bytes())
}

pub(super) fn pairs(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn submit(State(door): State<Door>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65_536).await.unwrap();
    if let Some((status, text)) = *door.answer.lock().unwrap() {
        return (StatusCode::from_u16(status).unwrap(), text).into_response();
    }
    let number = door.taken.lock().unwrap().len();
    let read = match door.style {
        Style::Twilio => as_twilio(&parts.method, parts.uri.path(), &parts.headers, &body, number),
        Style::Vonage => as_vonage(&parts.method, parts.uri.path(), &parts.headers, &body, number),
        Style::AfricasTalking => as_africas_talking(&parts.method, parts.uri.path(), &parts.headers, &body, number),
    };
    match read {
        Ok((submitted, status, answer)) => {
            door.taken.lock().unwrap().push(submitted);
            (StatusCode::from_u16(status).unwrap(), axum::Json(answer)).into_response()
        }
        Err(why) => {
            door.refused.lock().unwrap().push(why);
            StatusCode::BAD_REQUEST.into_response()
        }
    }
}

type Read = Result<(Submitted, u16, serde_json::Value), String>;

fn demand(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn is_basic(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{SECRET}")));
    headers.get("authorization").is_some_and(|given| given == expected.as_str())
}

/// Every name once, and no other than these.
fn form(body: &Bytes, headers: &HeaderMap, known: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    demand(kind == "application/x-www-form-urlencoded", "content-type")?;
    let mut form = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        demand(known.contains(&name.as_ref()), &format!("unknown parameter {name}"))?;
        demand(form.insert(name.to_string(), value.into_owned()).is_none(), "a parameter stands twice")?;
    }
    Ok(form)
}

fn is_number(text: &str, plus: bool) -> bool {
    let digits = if plus { text.strip_prefix('+') } else { Some(text) };
    digits.is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn as_twilio(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes, number: usize) -> Read {
    demand(*method == Method::POST && path == format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json"), "door")?;
    demand(is_basic(headers), "credentials")?;
    let form = form(body, headers, &["To", "From", "MessagingServiceSid", "Body", "StatusCallback"])?;
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    demand(is_number(&get("To"), true) && is_number(&get("From"), true), "numbers are E.164")?;
    demand((1..=1_600).contains(&get("Body").chars().count()), "body")?;
    demand(get("StatusCallback").len() <= 4_000, "callback")?;
    let id = format!("SM{number:032x}");
    let answer = serde_json::json!({"sid": id, "status": "queued", "error_code": null, "num_segments": "1"});
    Ok((Submitted { id, to: get("To"), text: get("Body"), receipt_url: get("StatusCallback") }, 201, answer))
}

fn as_vonage(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes, number: usize) -> Read {
    demand(*method == Method::POST && path == "/v1/messages", "door")?;
    demand(is_basic(headers), "credentials")?;
    demand(headers.get("content-type").is_some_and(|kind| kind == "application/json"), "content-type")?;
    let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let get = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let known =
        ["message_type", "channel", "to", "from", "text", "client_ref", "sms", "webhook_url", "webhook_version"];
    demand(json.as_object().is_some_and(|all| all.keys().all(|name| known.contains(&name.as_str()))), "fields")?;
    demand(get("message_type") == "text" && get("channel") == "sms", "kind")?;
    demand(is_number(&get("to"), false) && is_number(&get("from"), false), "numbers have no plus")?;
    demand((1..=1_000).contains(&get("text").chars().count()) && get("client_ref").len() <= 100, "text")?;
    demand(get("webhook_version") == "v1", "webhook_version")?;
    demand(matches!(json["sms"]["encoding_type"].as_str(), Some("text" | "unicode")), "encoding_type")?;
    let id = format!("{number:08x}-bbbb-4ccc-8ddd-0123456789ab");
    let answer = serde_json::json!({ "message_uuid": id });
    let to = format!("+{}", get("to"));
    Ok((Submitted { id, to, text: get("text"), receipt_url: get("webhook_url") }, 202, answer))
}

fn as_africas_talking(method: &Method, path: &str, headers: &HeaderMap, body: &Bytes, number: usize) -> Read {
    demand(*method == Method::POST && path == "/version1/messaging", "door")?;
    demand(headers.get("apikey").is_some_and(|key| key == SECRET), "credentials")?;
    demand(headers.get("accept").is_some_and(|kind| kind == "application/json"), "accept")?;
    let form = form(body, headers, &["username", "to", "message", "from", "bulkSMSMode", "enqueue"])?;
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    demand(get("username") == ACCOUNT && get("bulkSMSMode") == "1", "username")?;
    demand(is_number(&get("to"), true) && !get("message").is_empty(), "numbers are E.164")?;
    let id = format!("ATXid_{number:032x}");
    let answer = serde_json::json!({"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: KES 0.8000", "Recipients": [
        {"statusCode": 101, "number": get("to"), "status": "Success", "cost": "KES 0.8000", "messageId": id}
    ]}});
    Ok((Submitted { id, to: get("to"), text: get("message"), receipt_url: String::new() }, 201, answer))
}
