//! Keys on a real SQLite store: issue, use, expire, revoke, and a store that goes away.

use std::time::Duration;

use chrono::TimeDelta;
use tonic::metadata::MetadataMap;

use super::*;
use crate::failure::FailureCode;

struct Store {
    credentials: Credentials,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Store {
    fn settings(folder: &tempfile::TempDir) -> DatabaseSettings {
        DatabaseSettings { url: format!("sqlite:{}", folder.path().display()), connections_max: 4 }
    }

    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let credentials = Credentials::open(&Self::settings(&folder), clock.clone()).await.unwrap();
        Self { credentials, clock, folder }
    }

    /// Another process on the same store.
    async fn another(&self) -> Credentials {
        Credentials::open(&Self::settings(&self.folder), self.clock.clone()).await.unwrap()
    }
}

fn new_key(expires_at: Option<DateTime<Utc>>) -> NewKey {
    NewKey {
        actor: "coordinator-1".parse().unwrap(),
        name: "Coordinator One".to_owned(),
        roles: vec![Role::Coordinator, Role::Verifier],
        organisation: Some("org-001".parse().unwrap()),
        country: Some("XA".parse().unwrap()),
        expires_at,
    }
}

fn metadata(header: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("authorization", header.parse().unwrap());
    metadata
}

async fn reason(credentials: &Credentials, secret: &str) -> &'static str {
    credentials.authenticate(secret).await.unwrap_err().reason
}

#[tokio::test]
async fn a_key_stands_for_its_principal_and_its_secret_is_not_stored() {
    let store = Store::open().await;
    let key = store.credentials.issue(new_key(None)).await.unwrap();
    let principal = store.another().await.authenticate(key.secret.expose()).await.unwrap();
    let expect = new_key(None);
    assert_eq!(principal.actor, expect.actor);
    assert_eq!(
        (&principal.roles, &principal.organisation, principal.country),
        (&expect.roles, &expect.organisation, expect.country)
    );
    let listed = store.credentials.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].id, &listed[0].principal), (1, key.id, &principal));
    for entry in std::fs::read_dir(store.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(20).any(|window| window == &key.secret.expose().as_bytes()[4..24]));
    }
    assert_eq!(format!("{:?}", key.secret), "[redacted]");
}

#[tokio::test]
async fn each_refusal_has_its_reason() {
    let store = Store::open().await;
    let credentials = &store.credentials;
    assert_eq!(reason(credentials, "tcs_wrong").await, "KEY_UNKNOWN");
    assert_eq!(reason(credentials, &format!("tcs_{}", "a".repeat(43))).await, "KEY_UNKNOWN");

    let revoked = credentials.issue(new_key(None)).await.unwrap();
    credentials.authenticate(revoked.secret.expose()).await.unwrap();
    credentials.revoke(revoked.id).await.unwrap();
    credentials.revoke(revoked.id).await.unwrap();
    assert_eq!(reason(credentials, revoked.secret.expose()).await, "KEY_REVOKED");
    assert_eq!(credentials.revoke(Uuid::now_v7()).await.unwrap_err().reason, "KEY_NOT_FOUND");

    let soon = store.clock.now() + TimeDelta::hours(1);
    let expiring = credentials.issue(new_key(Some(soon))).await.unwrap();
    credentials.authenticate(expiring.secret.expose()).await.unwrap();
    let later = Clock::starting_at(soon + TimeDelta::seconds(1));
    let later = Credentials::open(&Store::settings(&store.folder), later).await.unwrap();
    assert_eq!(reason(&later, expiring.secret.expose()).await, "KEY_EXPIRED");
}

#[tokio::test]
async fn the_header_says_how_a_key_is_sent() {
    let store = Store::open().await;
    let credentials = &store.credentials;
    let key = credentials.issue(new_key(None)).await.unwrap();
    let missing = credentials.authenticate_request(&MetadataMap::new()).await.unwrap_err();
    assert_eq!(missing.to_string(), "a key is needed: send `authorization: Bearer tcs_...` (KEY_MISSING)");
    for header in ["Basic abc", "Bearer", "", "Bearer tcs_x"] {
        assert_eq!(
            credentials.authenticate_request(&metadata(header)).await.unwrap_err().reason,
            "KEY_UNKNOWN",
            "{header}"
        );
    }
    let header = format!("bearer {}", key.secret.expose());
    credentials.authenticate_request(&metadata(&header)).await.unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", header.parse().unwrap());
    credentials.authenticate_headers(&headers).await.unwrap();
}

#[tokio::test]
async fn a_role_that_is_missing_is_named() {
    let store = Store::open().await;
    let key = store.credentials.issue(new_key(None)).await.unwrap();
    let metadata = metadata(&format!("Bearer {}", key.secret.expose()));
    store.credentials.require(&metadata, &[Role::Auditor, Role::Verifier]).await.unwrap();
    let refused = store.credentials.require(&metadata, &[Role::Approver, Role::Auditor]).await.unwrap_err();
    assert_eq!(refused.code, FailureCode::Forbidden);
    assert_eq!(refused.message, "this needs a key with one of the roles: approver, auditor");
    store.credentials.require_action(&metadata, Action::WriteDraft).await.unwrap();
    let refused = store.credentials.require_action(&metadata, Action::Approve).await.unwrap_err();
    assert_eq!(refused.message, "this needs a key with one of the roles: approver");
}

#[tokio::test]
async fn the_first_start_makes_one_administrator() {
    let store = Store::open().await;
    let another = store.another().await;
    let first = store.credentials.bootstrap(|_| {}).await.unwrap().unwrap();
    assert!(another.bootstrap(|_| {}).await.unwrap().is_none());
    assert!(store.credentials.bootstrap(|_| {}).await.unwrap().is_none());
    let principal = another.authenticate(first.secret.expose()).await.unwrap();
    assert_eq!(principal.roles, [Role::Administrator]);
    let last = store.credentials.revoke(first.id).await.unwrap_err();
    assert_eq!(last.reason, "LAST_ADMINISTRATOR");
    let successor = NewKey { roles: vec![Role::Administrator], ..new_key(None) };
    store.credentials.issue(successor).await.unwrap();
    store.credentials.revoke(first.id).await.unwrap();
    assert!(store.credentials.bootstrap(|_| {}).await.unwrap().is_none(), "a revoked first key is not made again");
}

#[tokio::test]
async fn a_key_that_says_nothing_is_not_made() {
    let store = Store::open().await;
    let past = store.clock.now() - TimeDelta::seconds(1);
    let wrong = NewKey { name: "a\r\nb".to_owned(), roles: Vec::new(), ..new_key(Some(past)) };
    let failure = store.credentials.issue(wrong).await.unwrap_err();
    let fields: Vec<&str> = failure.fields.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["name", "roles", "expires_at"]);
    assert!(store.credentials.list().await.unwrap().is_empty());
}

/// Time is moved by hand only after the store is closed, because a paused clock would hurry its own time limits.
#[tokio::test]
async fn a_store_that_is_away_holds_known_keys_for_a_minute() {
    let store = Store::open().await;
    let key = store.credentials.issue(new_key(None)).await.unwrap();
    let secret = key.secret.expose();
    store.credentials.authenticate(secret).await.unwrap();
    store.credentials.database().reader().clone().close().await.unwrap();
    tokio::time::pause();
    store.credentials.authenticate(secret).await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    store.credentials.authenticate(secret).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = store.credentials.authenticate(secret).await.unwrap_err();
    assert_eq!((refused.reason, refused.code), ("KEYS_AWAY", FailureCode::Unavailable));
    let unknown = format!("tcs_{}", "b".repeat(43));
    assert_eq!(reason(&store.credentials, &unknown).await, "KEYS_AWAY", "nobody is let in or told apart");
}
