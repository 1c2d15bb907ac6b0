//! `GET /v1/openapi.json`: the door described as OpenAPI 3.1, made from the code.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{codes, message, own_report, reports, schema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tocsin intake",
        description = "Tell the network that a human rights defender is under threat, and read what it answers. No account: the receipt is the key.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(reports::submit, own_report::get, message::add, codes::codes, serve),
    components(schemas(
        schema::Report,
        schema::ReportAccepted,
        schema::OwnReport,
        schema::Message,
        schema::MessageAccepted,
        schema::Codes,
        schema::Problem
    )),
    tags((name = "reports", description = "For reporters")),
    modifiers(&ReceiptScheme)
)]
struct Document;

struct ReceiptScheme;

impl Modify for ReceiptScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The eight words of the receipt, with spaces or hyphens between."))
            .build();
        document.components.get_or_insert_default().add_security_scheme("receipt", SecurityScheme::Http(scheme));
    }
}

/// The OpenAPI 3.1 document of the JSON door.
pub fn openapi_document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Serves the document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "reports",
    responses((status = 200, description = "This document"))
)]
pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi_document())
}
