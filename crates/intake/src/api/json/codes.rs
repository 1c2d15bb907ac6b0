//! `GET /v1/codes`: every list of codes that a report or an alert may use, with labels in one of the four languages.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use tocsin_domain::adversary::AdversaryDateKind;
use tocsin_domain::codes::{
    Actor, AddresseeKind, Ask, Claim, ConsentAudience, ConsentForm, ConsentPurpose, ConsentStatus, DefenderGroup,
    Degree, Demand, IdentityLevel, Kind, Outcome, Phase, Relation, SourceLink, SubjectUnit, Support, label,
};
use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;
use tocsin_platform::failure::Failure;

use super::schema::{Code, CodeList, Codes, Problem};

/// Which language.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CodesQuery {
    /// en, es, fr or ar; en when it is not said.
    language: Option<String>,
}

/// Lists the codes.
#[utoipa::path(
    get,
    path = "/v1/codes",
    tag = "reports",
    params(CodesQuery),
    responses(
        (status = 200, description = "All lists of codes with their labels", body = Codes),
        (status = 400, description = "The language is not one of the four", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn codes(query: Result<Query<CodesQuery>, QueryRejection>) -> Result<Json<Codes>, Failure> {
    let Query(query) = query
        .map_err(|_| Failure::invalid("QUERY_INVALID", "the query cannot be read; use ?language=en, es, fr or ar"))?;
    let language: Language = match query.language.as_deref() {
        None | Some("") => Language::En,
        Some(given) => given.parse().map_err(|error: tocsin_domain::codes::UnknownCode| {
            Failure::invalid("LANGUAGE_UNKNOWN", "use en, es, fr or ar").field("language", error.to_string())
        })?,
    };
    Ok(Json(Codes { language: language.as_str(), lists: lists(language) }))
}

macro_rules! code_lists {
    ($language:expr, [$($list:ident),+ $(,)?]) => {
        vec![$(CodeList {
            list: $list::LIST,
            codes: $list::ALL
                .iter()
                .map(|code| Code {
                    code: code.as_str(),
                    label: label($language, $list::LIST, code.as_str()).to_owned(),
                })
                .collect(),
        }),+]
    };
}

fn lists(language: Language) -> Vec<CodeList> {
    code_lists!(
        language,
        [
            Kind,
            Actor,
            Degree,
            DefenderGroup,
            SubjectUnit,
            Support,
            Demand,
            Phase,
            Outcome,
            Ask,
            Priority,
            Relation,
            AdversaryDateKind,
            SourceLink,
            Claim,
            ConsentPurpose,
            ConsentAudience,
            IdentityLevel,
            ConsentStatus,
            ConsentForm,
            AddresseeKind,
        ]
    )
}
