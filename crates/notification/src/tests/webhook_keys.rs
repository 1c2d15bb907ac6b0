//! Signatures as independent programs check them, rotation, test deliveries, pauses of a host, and what 410 sets off.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use tocsin_domain::role::Role;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::notification::v1::{
    Contact, ContactSecret, ListChangesRequest, RotateWebhookKeysRequest, RotateWebhookKeysResponse,
    TestContactRequest, TestContactResponse,
};
use tokio::io::AsyncWriteExt as _;
use tonic::{Code, Status};

use super::harness::{Alert, Harness, contact_with_hook};

/// Verifies what it is given on standard input, as JSON: v1 with the library of Standard Webhooks, v1a with `PyNaCl`.
const VERIFY: &str = r#"
import base64, json, sys
from nacl.signing import VerifyKey
from standardwebhooks.webhooks import Webhook

given = json.load(sys.stdin)
body, headers = given["body"], given["headers"]
for secret in given["secrets"]:
    Webhook(secret).verify(body, headers)
message = (headers["webhook-id"] + "." + headers["webhook-timestamp"] + "." + body).encode()
signatures = [one[4:] for one in headers["webhook-signature"].split() if one.startswith("v1a,")]
for key in given["public_keys"]:
    verify = VerifyKey(base64.b64decode(key.removeprefix("whpk_")))
    def good(signature):
        try:
            verify.verify(message, base64.b64decode(signature))
            return True
        except Exception:
            return False
    assert any(good(signature) for signature in signatures), "no v1a signature verifies"
try:
    Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)
except Exception:
    print("verified")
"#;

async fn verified(message: &tocsin_sinks::Webhook, secrets: &[&str], public_keys: &[&str]) -> String {
    let header = |name: &str| message.headers[name].to_str().unwrap().to_owned();
    let given = serde_json::json!({
        "body": String::from_utf8(message.body.to_vec()).unwrap(),
        "headers": {
            "webhook-id": header("webhook-id"),
            "webhook-timestamp": header("webhook-timestamp"),
            "webhook-signature": header("webhook-signature"),
        },
        "secrets": secrets,
        "public_keys": public_keys,
    });
    let tools = std::env::var("TOCSIN_TEST_TOOLS").expect("`make test` sets $TOCSIN_TEST_TOOLS");
    let mut python = tokio::process::Command::new(format!("{tools}/python/bin/python"));
    python.args(["-c", VERIFY]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = python.spawn().expect("$TOCSIN_TEST_TOOLS/python is missing: run `make tools`");
    running.stdin.take().unwrap().write_all(given.to_string().as_bytes()).await.unwrap();
    let ended = running.wait_with_output().await.unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "if a module is missing, run `make tools`: {told}");
    String::from_utf8_lossy(&ended.stdout).trim().to_owned()
}

async fn rotate(harness: &Harness, contact_id: &str) -> Result<RotateWebhookKeysResponse, Status> {
    let ask = RotateWebhookKeysRequest { contact_id: contact_id.to_owned() };
    let ask = harness.authorised(Role::Administrator, ask).await;
    harness.contacts().await.rotate_webhook_keys(ask).await.map(tonic::Response::into_inner)
}

async fn test(harness: &Harness, contact_id: &str, channel: &str) -> Result<TestContactResponse, Status> {
    let ask = TestContactRequest { contact_id: contact_id.to_owned(), channel: channel.to_owned() };
    let ask = harness.authorised(Role::Operator, ask).await;
    harness.contacts().await.test_contact(ask).await.map(tonic::Response::into_inner)
}

fn signed(contact: Contact, schemes: &[&str]) -> Contact {
    let webhook_signatures = schemes.iter().map(|scheme| (*scheme).to_owned()).collect();
    Contact { webhook_signatures, ..contact }
}

fn secret_of<'a>(secrets: &'a [ContactSecret], contact_id: &str) -> &'a ContactSecret {
    secrets.iter().find(|secret| secret.contact_id == contact_id).unwrap()
}

#[tokio::test]
async fn independent_clients_verify_both_schemes_before_during_and_after_a_rotation() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![
            signed(harness.contact("org-1", 1, "en", &["webhook"]), &[]),
            signed(harness.contact("org-2", 2, "en", &["webhook"]), &["v1a"]),
            signed(harness.contact("org-3", 3, "ar", &["webhook"]), &["v1", "v1a"]),
        ];
        let secrets = harness.import(contacts.clone()).await.unwrap().secrets;
        harness.request(&Alert::new("p1", "GREEN"), &contacts).await;
        let delivered = ["org-1-c1 webhook delivered", "org-2-c2 webhook delivered", "org-3-c3 webhook delivered"];
        harness.until(&delivered).await;
        for (contact, schemes) in contacts.iter().zip([&["v1"][..], &["v1a"], &["v1", "v1a"]]) {
            let made = secret_of(&secrets, &contact.contact_id);
            let path = url_path(&contact.webhook);
            let messages = harness.webhooks.log().all();
            let message = &messages.iter().find(|message| message.item.path == path).unwrap().item;
            let secrets: Vec<&str> =
                [made.webhook_secret.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
            let keys: Vec<&str> =
                [made.webhook_public_key.as_str()].into_iter().filter(|text| !text.is_empty()).collect();
            assert_eq!(
                (secrets.len(), keys.len()),
                (usize::from(schemes.contains(&"v1")), usize::from(schemes.contains(&"v1a")))
            );
            assert_eq!(verified(message, &secrets, &keys).await, "verified");
        }
        let rotated = rotate(&harness, "org-3-c3").await.unwrap();
        assert!(rotated.before_signs_until.is_some());
        test(&harness, "org-3-c3", "").await.unwrap();
        let last = harness.webhooks.log().all().pop().unwrap().item;
        let made = secret_of(&secrets, "org-3-c3");
        let (secrets, keys) = (
            [made.webhook_secret.as_str(), &rotated.webhook_secret],
            [made.webhook_public_key.as_str(), &rotated.webhook_public_key],
        );
        assert!(secrets[0] != secrets[1] && keys[0] != keys[1]);
        assert_eq!(verified(&last, &secrets, &keys).await, "verified");
        let again = harness.import(contacts).await.unwrap();
        assert_eq!((again.unchanged, again.secrets.len()), (3, 0), "an import does not undo a rotation");
        harness.stop().await;
    }
}

fn url_path(url: &str) -> String {
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap()
}

#[tokio::test]
async fn above_green_a_webhook_holds_a_pointer_and_never_more_than_twenty_kilobytes() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    for (number, tlp) in (1..).zip(["CLEAR", "GREEN", "AMBER", "AMBER+STRICT"]) {
        let contacts = vec![harness.contact("org-1", number, "en", &["webhook"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", tlp), &contacts).await;
        harness.webhooks.log().reached(usize::try_from(number).unwrap()).await;
        let body = harness.webhooks.log().all().pop().unwrap().item.body;
        assert!(body.len() <= 20 * 1024);
        let text = String::from_utf8(body.to_vec()).unwrap();
        let holds = text.contains("canary-body") && text.contains("XA-2026-0001");
        assert_eq!(holds, tlp == "CLEAR" || tlp == "GREEN", "{tlp}: {text}");
        assert_eq!(text.contains("canary"), holds, "{tlp}: {text}");
    }
    harness.stop().await;
}

/// A receiver that answers what it is told to, with the moments at which it was asked.
struct Host {
    hook: String,
    answer: Arc<Mutex<(u16, Option<&'static str>)>>,
    asked: Arc<Mutex<Vec<Instant>>>,
}

impl Host {
    async fn start(status: u16, retry_after: Option<&'static str>) -> Self {
        let answer = Arc::new(Mutex::new((status, retry_after)));
        let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = format!("http://{}/", listener.local_addr().unwrap());
        let (told, noted) = (Arc::clone(&answer), Arc::clone(&asked));
        let router = axum::Router::new().fallback(move || async move {
            noted.lock().unwrap().push(Instant::now());
            let (status, retry_after) = *told.lock().unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            match retry_after {
                Some(seconds) => (status, [(header::RETRY_AFTER, seconds)], "try the new address").into_response(),
                None => (status, "try the new address").into_response(),
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { hook, answer, asked }
    }

    fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = (status, None);
    }

    fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_test_delivery_tells_what_came_back_and_brings_a_webhook_back_into_use() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let host = Host::start(410, None).await;
    let contacts = vec![contact_with_hook("org-1", 1, "en", &["webhook"], host.hook.clone())];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 webhook rejected_permanent"]).await;
    let gone = test(&harness, "org-1-c1", "webhook").await.unwrap();
    assert_eq!((gone.outcome.as_str(), gone.code.as_str(), gone.enabled_again), ("gone", "http_410", false));
    assert_eq!(gone.answer, "try the new address");
    host.answers(200);
    let good = test(&harness, "org-1-c1", "").await.unwrap();
    assert_eq!((good.outcome.as_str(), good.code.as_str(), good.enabled_again), ("delivered", "http_200", true));
    assert_eq!(good.answer, "", "nothing is kept of a success");
    let second = test(&harness, "org-1-c1", "").await.unwrap();
    assert!(!second.enabled_again);
    let ask = harness.authorised(Role::Administrator, ListChangesRequest::default()).await;
    let changes = harness.notices_client().await.list_changes(ask).await.unwrap().into_inner().changes;
    let again: Vec<_> = changes.iter().filter(|change| change.kind == "contact.use_webhook_again").collect();
    assert_eq!(again.len(), 1, "{changes:?}");
    assert_eq!(again[0].subject, "contact org-1-c1");
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 webhook delivered", "org-1-c1 webhook rejected_permanent"]).await;
    let unknown = test(&harness, "org-9-c9", "").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let fax = test(&harness, "org-1-c1", "fax").await.unwrap_err();
    assert_eq!(fax.code(), Code::InvalidArgument);
    let ask = harness.authorised(Role::Coordinator, TestContactRequest::default()).await;
    assert_eq!(harness.contacts().await.test_contact(ask).await.unwrap_err().code(), Code::PermissionDenied);
    let ask = harness.authorised(Role::Operator, RotateWebhookKeysRequest::default()).await;
    assert_eq!(harness.contacts().await.rotate_webhook_keys(ask).await.unwrap_err().code(), Code::PermissionDenied);
    harness.stop().await;
}

#[tokio::test]
async fn a_member_hears_once_and_by_its_other_channels_that_its_webhook_has_ended() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let host = Host::start(410, None).await;
        let all = ["email", "sms", "webhook"];
        let mut contacts: Vec<_> = (1..)
            .zip(["en", "ar"])
            .map(|(number, language)| contact_with_hook("org-1", number, language, &all, host.hook.clone()))
            .collect();
        contacts.push(contact_with_hook("org-1", 3, "en", &["webhook"], host.hook.clone()));
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let expected = [
            "org-1-c1 email accepted",
            "org-1-c1 sms delivered",
            "org-1-c1 webhook rejected_permanent",
            "org-1-c2 email accepted",
            "org-1-c2 sms delivered",
            "org-1-c2 webhook rejected_permanent",
            "org-1-c3 webhook rejected_permanent",
        ];
        harness.until(&expected).await;
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        // Two alerts and one piece of news, for two contacts.
        harness.mail.log().reached(6).await;
        harness.sms.log().reached(6).await;
        let mails = harness.mail.log().all();
        let texts: Vec<_> = harness.sms.log().all().into_iter().map(|sms| sms.item.text).collect();
        assert_eq!((mails.len(), texts.len()), (6, 6));
        let gone = texts.iter().filter(|text| text.contains("(410)")).count();
        assert_eq!(gone, 2, "{texts:?}");
        assert!(texts.iter().any(|text| text.contains("توكسن: توقف خطاف الويب (410)")), "{texts:?}");
        assert_eq!(host.asked().len(), 3, "each webhook answered once and was called no more");
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_host_that_asks_for_a_pause_gets_it_for_all_that_waits_for_it() {
    let more = "retry = { normal_seconds = [1] }\nwebhook.in_flight_max = 1";
    let harness = Harness::start_with(TestDatabase::sqlite(), more).await;
    let host = Host::start(429, Some("2")).await;
    let contacts: Vec<_> =
        (1..=3).map(|number| contact_with_hook("org-1", number, "en", &["webhook"], host.hook.clone())).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p3", "AMBER"), &contacts).await;
    while host.asked().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    host.answers(200);
    let expected = ["org-1-c1 webhook delivered", "org-1-c2 webhook delivered", "org-1-c3 webhook delivered"];
    harness.until(&expected).await;
    let asked = host.asked();
    assert_eq!(asked.len(), 4, "one refusal and three deliveries");
    assert!(asked[1] - asked[0] >= Duration::from_millis(1_900), "{:?}", asked[1] - asked[0]);
    harness.stop().await;
}
