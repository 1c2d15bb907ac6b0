//! The JSON door: the same verbs as gRPC for browsers and scripts, with its OpenAPI document.

mod body;
mod codes;
mod message;
mod openapi;
mod own_report;
mod reader;
mod report;
mod reports;
mod schema;
mod strict;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use chrono::SecondsFormat;
use prost_types::Timestamp;
use tocsin_proto::convert::from_timestamp;

use crate::intake::Intake;

pub use openapi::openapi_document;
#[cfg(test)]
pub(crate) use report::known_fields;

/// The routes of the door. Bodies are limited here, by intake's own settings.
pub(crate) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/v1/reports", post(reports::submit))
        .route("/v1/reports/mine", get(own_report::get))
        .route("/v1/reports/mine/messages", post(message::add))
        .route("/v1/codes", get(codes::codes))
        .route("/v1/openapi.json", get(openapi::serve))
        .with_state(intake)
}

/// A name that a stranger gave, cut to 60 characters and without anything that could break a line or a terminal.
fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

/// A moment as RFC 3339 in UTC, to the millisecond.
fn moment(timestamp: Option<&Timestamp>) -> String {
    from_timestamp(timestamp).map(|moment| moment.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
}
