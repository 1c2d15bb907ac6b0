//! Credentials: issued by an administrator, validated field by field, revoked, listed in pages.

use tocsin_domain::role::Role;
use tocsin_platform::failure::received;
use tocsin_proto::triage::v1 as wire;

use super::house::{House, Stored, reason};

fn key(actor: &str, roles: &[&str]) -> wire::Key {
    wire::Key {
        actor_id: actor.to_owned(),
        name: "Somebody".to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        ..wire::Key::default()
    }
}

#[tokio::test]
async fn a_key_is_issued_used_and_revoked() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let administrator = house.person("administrator-1", &[Role::Administrator]).await;
        let mut keys = house.keys.clone();
        let request = wire::IssueKeyRequest { key: Some(key("duty-9", &["duty_officer"])) };
        let issued = keys.issue_key(administrator.asks(request.clone())).await.unwrap().into_inner();
        assert!(issued.secret.starts_with("tcs_"));
        let duty = super::house::Person { key: issued.secret };
        house.cases.clone().list_cases(duty.asks(wire::ListCasesRequest::default())).await.unwrap();
        assert_eq!(reason(keys.issue_key(duty.asks(request)).await), "ROLE_MISSING");

        let request = wire::ListKeysRequest { page_size: 1, page_token: String::new() };
        let first = keys.list_keys(administrator.asks(request)).await.unwrap().into_inner();
        assert_eq!((first.keys.len(), first.keys[0].actor_id.as_str()), (1, "duty-9"));
        let request = wire::ListKeysRequest { page_size: 1, page_token: first.next_page_token };
        let second = keys.list_keys(administrator.asks(request)).await.unwrap().into_inner();
        assert_eq!(second.keys[0].actor_id, "administrator-1");
        assert!(second.next_page_token.is_empty());

        let request = wire::RevokeKeyRequest { key_id: issued.key.unwrap().key_id };
        let revoked = keys.revoke_key(administrator.asks(request)).await.unwrap().into_inner();
        assert!(revoked.key.unwrap().revoked_at.is_some());
        let refused = house.cases.clone().list_cases(duty.asks(wire::ListCasesRequest::default())).await;
        assert_eq!(reason(refused), "KEY_REVOKED");
        house.stop().await;
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_key_is_named() {
    let house = House::start(Stored::sqlite()).await;
    let administrator = house.person("administrator-1", &[Role::Administrator]).await;
    let given = wire::Key {
        name: "line\nbreak".to_owned(),
        country: "xa".to_owned(),
        expires_at: Some(tocsin_proto::convert::timestamp(house.clock.now())),
        ..key("Not An Id", &["signatory_delegate", "co_ordinator"])
    };
    let request = wire::IssueKeyRequest { key: Some(given) };
    let refused = house.keys.clone().issue_key(administrator.asks(request)).await.unwrap_err();
    let fields: Vec<_> = received(&refused).fields.into_iter().map(|field| field.field).collect();
    assert_eq!(
        fields,
        ["key.actor_id", "key.name", "key.roles[1]", "key.organisation_id", "key.country", "key.expires_at"]
    );
    house.stop().await;
}
