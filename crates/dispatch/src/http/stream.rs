//! `GET /v1/alerts/stream`: the feed as server-sent events. `Last-Event-ID` resumes; a comment every 15 s keeps the
//! connection alive.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream::unfold;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue};
use tocsin_platform::failure::Failure;

use super::Door;
use crate::feed::Entry;
use crate::feed::subscription::{OpenKey, Subscription};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn stream(State(door): State<Door>, headers: HeaderMap) -> Result<Response, Failure> {
    let key = OpenKey::check(&door.dispatch, authorization(&headers)).await?;
    let cursor = headers.get(LAST_EVENT_ID).map(HeaderValue::to_str).transpose().map_err(|_| {
        Failure::invalid("CURSOR_MALFORMED", "the header Last-Event-ID is not a cursor of the alert feed")
    })?;
    let subscription = Subscription::open(&door.dispatch, &door.shutdown, key, cursor.unwrap_or_default()).await?;
    let events = Sse::new(events(subscription)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = events.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The changes, and last an event that says why the stream ends.
fn events(subscription: Subscription) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    unfold(Some((subscription, true)), |open| async move {
        let (mut subscription, first) = open?;
        match subscription.next().await {
            Ok(entry) => {
                let event = change(&entry);
                let event = if first { event.retry(RETRY) } else { event };
                Some((Ok(event), Some((subscription, false))))
            }
            Err(failure) => Some((Ok(end(&failure)), None)),
        }
    })
}

fn change(entry: &Entry) -> Event {
    Event::default().id(&entry.message.cursor).event(&entry.message.change).data(entry.json())
}

fn end(failure: &Failure) -> Event {
    let why = serde_json::json!({
        "reason": failure.reason,
        "detail": failure.message,
        "retryable": failure.retryable(),
    });
    Event::default().event("end").data(why.to_string())
}

/// Only the key is kept while the stream is open.
fn authorization(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if let Some(value) = headers.get(AUTHORIZATION) {
        kept.insert(AUTHORIZATION, value.clone());
    }
    kept
}
