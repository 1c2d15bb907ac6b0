//! The client against a real gRPC server on loopback, whose answers a test chooses: the key it sends, the pages it
//! asks for, what it repeats, and how it ends.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tocsin_platform::Failure;
use tocsin_proto::triage::v1::key_service_server::{KeyService, KeyServiceServer};
use tocsin_proto::triage::v1::{
    IssueKeyRequest, IssueKeyResponse, Key, ListKeysRequest, ListKeysResponse, RevokeKeyRequest, RevokeKeyResponse,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::super::{Client, key};
use crate::arguments::Common;
use crate::arguments::key::{Issue, KeyCommand, Revoke};
use crate::arguments::network::OrganisationKey;
use crate::exit::Exit;

const KEY: &str = "tcs_of_the_test";

/// Keys as the test wants them: the first `away` calls of each verb find nobody.
#[derive(Debug, Default)]
struct Keys {
    away: AtomicU32,
    calls: AtomicU32,
    issued: Mutex<Vec<Key>>,
    pages: Mutex<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Office(Arc<Keys>);

impl Office {
    fn enter<T>(&self, request: &Request<T>) -> Result<(), Status> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Failure::unavailable("DATABASE_AWAY", "the database is away").into());
        }
        let sent = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if sent == Some(&format!("Bearer {KEY}")) {
            return Ok(());
        }
        Err(Failure::unauthenticated("KEY_UNKNOWN", "the key is not known").into())
    }
}

#[tonic::async_trait]
impl KeyService for Office {
    async fn issue_key(&self, request: Request<IssueKeyRequest>) -> Result<Response<IssueKeyResponse>, Status> {
        self.enter(&request)?;
        let key = request.into_inner().key.unwrap_or_default();
        if key.roles == ["king"] {
            let failure =
                Failure::invalid("KEY_INVALID", "one field is wrong").field("key.roles[0]", "`king` is no role");
            return Err(failure.into());
        }
        self.0.issued.lock().unwrap().push(key.clone());
        Ok(Response::new(IssueKeyResponse { key: Some(key), secret: "tcs_made".into() }))
    }

    async fn revoke_key(&self, request: Request<RevokeKeyRequest>) -> Result<Response<RevokeKeyResponse>, Status> {
        self.enter(&request)?;
        Err(Failure::not_found("KEY_NOT_FOUND", "there is no such key").into())
    }

    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        self.enter(&request)?;
        let token = request.into_inner().page_token;
        let next_page_token = if token.is_empty() { "second".to_owned() } else { String::new() };
        self.0.pages.lock().unwrap().push(token);
        Ok(Response::new(ListKeysResponse { keys: vec![Key::default()], next_page_token }))
    }
}

/// A running office, a client that holds the given key, and the folder of its key file.
async fn office_and_client(secret: &str, away: u32) -> (Arc<Keys>, Client, tempfile::TempDir) {
    let keys = Arc::new(Keys { away: AtomicU32::new(away), ..Keys::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = KeyServiceServer::new(Office(Arc::clone(&keys)));
    tokio::spawn(
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, secret).unwrap();
    let common = Common { triage: Some(url), key_file: Some(key_file), ..Common::default() };
    (keys, Client::new(common), folder)
}

fn issue(role: &str, save: Option<PathBuf>) -> KeyCommand {
    KeyCommand::Issue(Issue {
        actor: "ana".into(),
        name: "Ana".into(),
        roles: vec![role.into()],
        organisation: None,
        country: None,
        expires_in: chrono::TimeDelta::try_days(90),
        save,
    })
}

#[tokio::test]
async fn the_key_is_sent_and_every_page_is_asked_for() {
    let (keys, client, _folder) = office_and_client(KEY, 0).await;
    key::run(&client, KeyCommand::List).await.unwrap();
    assert_eq!(*keys.pages.lock().unwrap(), ["", "second"]);
}

#[tokio::test]
async fn a_wrong_key_ends_as_not_allowed() {
    let (_keys, client, _folder) = office_and_client("tcs_of_somebody_else", 0).await;
    let failed = key::run(&client, KeyCommand::List).await.unwrap_err();
    assert_eq!((failed.exit, failed.details.reason.as_str()), (Exit::NotAllowed, "KEY_UNKNOWN"));
}

#[tokio::test]
async fn what_may_be_repeated_is_tried_again_and_the_rest_is_not() {
    let (keys, client, _folder) = office_and_client(KEY, 2).await;
    key::run(&client, KeyCommand::List).await.unwrap();
    assert_eq!(keys.calls.load(Ordering::SeqCst), 4, "two tries found nobody, then two pages");

    let (keys, client, _folder) = office_and_client(KEY, 1).await;
    let failed = key::run(&client, issue("verifier", None)).await.unwrap_err();
    assert_eq!(failed.exit, Exit::Unavailable);
    assert_eq!(keys.calls.load(Ordering::SeqCst), 1, "a second key would stand unseen in the list");
}

#[tokio::test]
async fn a_service_that_is_not_there_ends_as_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, KEY).unwrap();
    let common =
        Common { triage: Some(format!("http://127.0.0.1:{port}")), key_file: Some(key_file), ..Common::default() };
    let failed = key::run(&Client::new(common), issue("verifier", None)).await.unwrap_err();
    assert_eq!(failed.exit, Exit::Unavailable);
    assert!(failed.message.starts_with("triage did not answer: "), "{}", failed.message);
    assert!(failed.message.contains("refused"), "{}", failed.message);
}

#[tokio::test]
async fn a_saved_key_is_in_its_file_and_a_failure_leaves_none_behind() {
    let (keys, client, folder) = office_and_client(KEY, 0).await;
    let saved = folder.path().join("ana.key");
    key::run(&client, issue("verifier", Some(saved.clone()))).await.unwrap();
    assert_eq!(std::fs::read_to_string(&saved).unwrap(), "tcs_made\n");
    let issued = keys.issued.lock().unwrap().remove(0);
    assert!(issued.expires_at.is_some_and(|end| end.seconds > client.clock.now().timestamp() + 89 * 86_400));

    let other = folder.path().join("king.key");
    let failed = key::run(&client, issue("king", Some(other.clone()))).await.unwrap_err();
    assert_eq!(failed.exit, Exit::Usage);
    assert_eq!(failed.details.fields, [("key.roles[0]".to_owned(), "`king` is no role".to_owned())]);
    assert!(!other.exists());

    let failed = key::run(&client, issue("verifier", Some(saved))).await.unwrap_err();
    assert_eq!(failed.exit, Exit::Usage, "a file that exists is never written over");
}

#[tokio::test]
async fn a_delegate_gets_the_role_and_the_organisation() {
    let (keys, client, _folder) = office_and_client(KEY, 0).await;
    let wanted = OrganisationKey { organisation: "org-014".into(), name: None, save: None };
    key::issue_to_delegate(&client, wanted).await.unwrap();
    let issued = keys.issued.lock().unwrap().remove(0);
    assert_eq!((issued.actor_id.as_str(), issued.organisation_id.as_str()), ("org-014-delegate", "org-014"));
    assert_eq!(issued.roles, ["signatory_delegate"]);
}

#[tokio::test]
async fn revoking_asks_for_the_id_and_never_sends_a_secret() {
    let (keys, client, _folder) = office_and_client(KEY, 0).await;
    let revoke = |key_id: &str| KeyCommand::Revoke(Revoke { key_id: key_id.into() });
    assert_eq!(key::run(&client, revoke("tcs_secret")).await.unwrap_err().exit, Exit::Usage);
    assert_eq!(keys.calls.load(Ordering::SeqCst), 0);
    assert_eq!(key::run(&client, revoke("unknown")).await.unwrap_err().exit, Exit::NotFound);
}
