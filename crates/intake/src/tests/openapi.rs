//! The OpenAPI document says what the door does.

use serde_json::Value;
use tocsin_platform::testing::TestDatabase;

use super::harness::Harness;

#[tokio::test]
async fn the_document_and_the_codes_are_served() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let document = harness.get("/v1/openapi.json", &[]).await;
    assert_eq!(document.status, 200);
    assert!(document.body["openapi"].as_str().unwrap().starts_with("3.1."));
    let paths: Vec<_> = document.body["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        ["/v1/codes", "/v1/openapi.json", "/v1/reports", "/v1/reports/mine", "/v1/reports/mine/messages"]
    );

    let codes = harness.get("/v1/codes?language=fr", &[]).await;
    assert_eq!((codes.status, codes.body["language"].as_str()), (200, Some("fr")));
    let kinds = list(&codes.body, "kinds");
    assert_eq!(kinds.len(), tocsin_domain::codes::Kind::ALL.len());
    let label = |body: &Value| list(body, "kinds")[0]["label"].as_str().unwrap().to_owned();
    let english = harness.get("/v1/codes", &[]).await;
    assert_eq!(kinds[0]["code"], "killing");
    assert_ne!(label(&codes.body), label(&english.body));
    let refused = harness.get("/v1/codes?language=de", &[]).await;
    assert_eq!((refused.status, refused.reason()), (400, "LANGUAGE_UNKNOWN"));
    harness.stop().await;
}

#[test]
fn the_document_names_exactly_the_fields_that_are_read() {
    let document = serde_json::to_value(crate::openapi_document()).unwrap();
    let schemas = &document["components"]["schemas"];
    let known = crate::api::json::known_fields();
    for (schema, fields) in known {
        let mut described: Vec<_> =
            schemas[schema]["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut fields = fields.to_vec();
        described.sort_unstable();
        fields.sort_unstable();
        assert_eq!(described, fields, "{schema}");
        assert_eq!(schemas[schema]["additionalProperties"], false, "{schema} refuses unknown fields");
    }
}

fn list(body: &Value, name: &str) -> Vec<Value> {
    let lists = body["lists"].as_array().unwrap();
    lists.iter().find(|list| list["list"] == name).unwrap()["codes"].as_array().unwrap().clone()
}
