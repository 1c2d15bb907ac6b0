//! `/acknowledge/{token}`: one press acknowledges for the contact's organisation. Looking at the page never does, because
//! mail filters follow every link.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use tocsin_domain::id::OrganisationId;
use tocsin_domain::language::{Language, LanguageTag};
use tocsin_platform::failure::{Failure, FailureCode};

use super::Door;
use super::page::{Page, render};
use crate::dispatch::Dispatch;
use crate::entity::{alert, recipient};
use crate::error::DispatchError;
use crate::respond;
use crate::response;
use crate::store;
use crate::store::alerts::{AlertName, is_over};

#[derive(Deserialize)]
pub(super) struct Asked {
    /// The contact's language, as the link says it.
    #[serde(default)]
    lang: String,
}

/// `GET` and `HEAD`: shows the page, records nothing.
pub(super) async fn show(State(door): State<Door>, Path(token): Path<String>, Query(asked): Query<Asked>) -> Response {
    let language = language(&asked);
    match load_now(&door.dispatch, &token).await {
        Ok((named, now_ms)) if is_over(&named.alert, now_ms) => page(StatusCode::OK, language, &Page::Withdrawn),
        Ok((named, _)) if named.recipient.responded_revision >= named.alert.content_revision => {
            page(StatusCode::OK, language, &Page::Done { short_code: &named.alert.short_code })
        }
        Ok((named, _)) => page(StatusCode::OK, language, &Page::Press { alert: &named.alert }),
        Err(failure) => failed(&failure, language),
    }
}

/// `POST`: records the acknowledgement; again is harmless.
pub(super) async fn record(
    State(door): State<Door>,
    Path(token): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let language = language(&asked);
    match acknowledge(&door.dispatch, &token).await {
        Ok(short_code) => page(StatusCode::OK, language, &Page::Done { short_code: &short_code }),
        Err(failure) if failure.reason == "ALERT_WITHDRAWN" => page(StatusCode::OK, language, &Page::Withdrawn),
        Err(failure) => failed(&failure, language),
    }
}

async fn acknowledge(dispatch: &Dispatch, token: &str) -> Result<String, Failure> {
    let named = load(dispatch, token).await?;
    let name = AlertName::Id(named.alert.alert_id);
    respond::respond(dispatch, &name, &named.organisation, response::Response::Acknowledged).await?;
    Ok(named.alert.short_code)
}

/// What a token names.
struct Named {
    alert: alert::Model,
    organisation: OrganisationId,
    recipient: recipient::Model,
}

/// What a token names, and the time by which it is judged.
async fn load_now(dispatch: &Dispatch, token: &str) -> Result<(Named, i64), Failure> {
    let named = load(dispatch, token).await?;
    Ok((named, dispatch.agreed_now_ms().await?))
}

async fn load(dispatch: &Dispatch, token: &str) -> Result<Named, Failure> {
    let (alert, contact) = dispatch.keys.verify(token).ok_or(DispatchError::NoAlert)?;
    let reader = dispatch.database.reader();
    let network = dispatch.networks.current(reader).await?;
    let organisation = network.owner(&contact).ok_or(DispatchError::NoAlert)?.clone();
    let name = AlertName::Id(alert.as_uuid());
    let alert = store::alerts::find_named(reader, &name, Some(&organisation)).await?.ok_or(DispatchError::NoAlert)?;
    let recipient = store::recipients::read(reader, alert.alert_id, &organisation).await?;
    let recipient = recipient.ok_or(DispatchError::NoAlert)?;
    Ok(Named { alert, organisation, recipient })
}

/// One of the four languages; English for every other.
fn language(asked: &Asked) -> Language {
    asked.lang.parse::<LanguageTag>().ok().and_then(|tag| tag.spoken()).unwrap_or(Language::En)
}

fn failed(failure: &Failure, language: Language) -> Response {
    match failure.code {
        FailureCode::NotFound => page(StatusCode::NOT_FOUND, language, &Page::Unknown),
        code => page(code.http(), language, &Page::Away),
    }
}

fn page(status: StatusCode, language: Language, page: &Page<'_>) -> Response {
    (status, render(language, page)).into_response()
}
