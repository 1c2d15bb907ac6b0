//! A Matrix homeserver as far as sending a message to a room goes: token, room and transaction are checked as the
//! client-server API says.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::put;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::log::Log;

/// One message as it arrived in a room.
#[derive(Debug, Clone)]
pub struct RoomMessage {
    /// The room.
    pub room: String,
    /// The text.
    pub text: String,
}

/// A homeserver on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub struct MatrixSink {
    address: SocketAddr,
    log: Log<RoomMessage>,
    state: Arc<Mutex<Account>>,
    task: JoinHandle<()>,
}

/// Our account there.
#[derive(Debug, Default)]
struct Account {
    token: String,
    rooms: Vec<String>,
    /// Events by room and transaction.
    events: HashMap<(String, String), String>,
    /// How many requests are answered by 429 before one is taken.
    limited: usize,
    /// How many messages are kept whose answer is lost.
    lost_answers: usize,
}

#[derive(Clone)]
struct Homeserver {
    log: Log<RoomMessage>,
    state: Arc<Mutex<Account>>,
}

impl MatrixSink {
    /// Starts it with one account that has joined these rooms.
    pub async fn start(token: &str, rooms: &[&str]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        let account = Account { token: token.to_owned(), rooms, ..Account::default() };
        let (log, state) = (Log::default(), Arc::new(Mutex::new(account)));
        let homeserver = Homeserver { log: log.clone(), state: Arc::clone(&state) };
        let route = "/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}";
        let router = Router::new().route(route, put(send)).with_state(homeserver);
        let task = tokio::spawn(async move {
            // The listener is ours and open, so serving ends only with the sink.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, log, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived in rooms.
    pub fn log(&self) -> &Log<RoomMessage> {
        &self.log
    }

    /// Answers the next requests by 429.
    pub fn limit_next(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).limited = count;
    }

    /// Keeps the next messages and answers 502, as a proxy that lost the answer.
    pub fn lose_next_answers(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lost_answers = count;
    }

    /// Ends the account's session.
    pub fn log_out(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).token.clear();
    }
}

impl Drop for MatrixSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(
    State(homeserver): State<Homeserver>,
    Path((room, transaction)): Path<(String, String)>,
    headers: HeaderMap,
    Json(content): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let error = |status, code: &str| (status, Json(json!({ "errcode": code, "error": "refused" })));
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let mut account = homeserver.state.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(token) = bearer else { return error(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN") };
    if account.token.is_empty() || token != account.token {
        return error(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN");
    }
    if account.limited > 0 {
        account.limited -= 1;
        let body = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests", "retry_after_ms": 1_000 });
        return (StatusCode::TOO_MANY_REQUESTS, Json(body));
    }
    if !account.rooms.contains(&room) {
        return error(StatusCode::FORBIDDEN, "M_FORBIDDEN");
    }
    let text = content.get("body").and_then(Value::as_str).filter(|_| content["msgtype"] == "m.text");
    let Some(text) = text else { return error(StatusCode::BAD_REQUEST, "M_BAD_JSON") };
    let number = account.events.len();
    let key = (room.clone(), transaction);
    let event = account.events.entry(key).or_insert_with(|| {
        homeserver.log.record(RoomMessage { room, text: text.to_owned() });
        format!("$event{number}")
    });
    let event = event.clone();
    if account.lost_answers > 0 {
        account.lost_answers -= 1;
        return error(StatusCode::BAD_GATEWAY, "M_UNKNOWN");
    }
    (StatusCode::OK, Json(json!({ "event_id": event })))
}
