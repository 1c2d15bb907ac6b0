//! From a request to what arrives at the sinks, and back to dispatch.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Alert, Harness, PATIENCE};

#[tokio::test]
async fn a_green_p1_reaches_every_channel_and_dispatch_is_told() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let all = ["email", "sms", "webhook"];
        let contacts = vec![harness.contact("org-1", 1, "es", &all), harness.contact("org-2", 2, "ar", &all)];
        let imported = harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert { drill: true, ..Alert::new("p1", "GREEN") }, &contacts).await;
        harness
            .until(&[
                "org-1-c1 email accepted",
                "org-1-c1 sms delivered",
                "org-1-c1 webhook delivered",
                "org-2-c2 email accepted",
                "org-2-c2 sms delivered",
                "org-2-c2 webhook delivered",
            ])
            .await;
        check_mails(&harness);
        check_sms(&harness);
        for secret in &imported.secrets {
            check_webhook(&harness, &secret.contact_id, &secret.webhook_secret);
        }
        let languages: Vec<_> = harness.progress().into_iter().map(|notice| notice.language).collect();
        assert_eq!(languages.iter().filter(|language| *language == "es").count(), 3);
        assert_eq!(languages.iter().filter(|language| *language == "en").count(), 3);
        harness.stop().await;
    }
}

fn check_mails(harness: &Harness) {
    let mails = harness.mail.log().all();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert_eq!(mail.item.to.len(), 1, "one recipient a message");
        let text = readable(&mail.item.data);
        for header in ["Auto-Submitted: auto-generated", "Importance: high", "List-Id: ", "Message-ID: <", "Date: "] {
            assert!(text.contains(header), "{header} in {text}");
        }
        let subject = text.lines().find(|line| line.starts_with("Subject:")).unwrap();
        assert!(!subject.contains("canary") && !subject.contains("XA-2026"), "{subject}");
        let expected = if mail.item.to[0].contains("org-1") { "canary-body-es" } else { "canary-body-en" };
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

/// The message with its base64 parts decoded, so that words can be looked for.
fn readable(message: &[u8]) -> String {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let decoded = |part: &str| {
        let (head, body) = part.split_once("\r\n\r\n")?;
        let body: String = body.split("\r\n--").next()?.split_whitespace().collect();
        let body = STANDARD.decode(body).ok().filter(|_| head.contains("base64"))?;
        Some(format!("{head}\r\n\r\n{}", String::from_utf8(body).unwrap()))
    };
    let parts = text.split("Content-Type:").map(|part| decoded(part).unwrap_or_else(|| part.to_owned()));
    parts.collect::<Vec<_>>().join("Content-Type:")
}

fn check_sms(harness: &Harness) {
    for sms in harness.sms.log().all() {
        let text = sms.item.text;
        assert!(text.contains("A7F3-K2C") && !text.contains("canary") && !text.contains("XA-2026"), "{text}");
        assert!(text.starts_with("[EJERCICIO]") || text.starts_with("[تمرين]"), "{text}");
    }
}

/// The signature is verified here by hand, not with the code that made it.
fn check_webhook(harness: &Harness, contact_id: &str, secret: &str) {
    let path = contact_id.replace("-c", "/");
    let hook = harness.webhooks.log().all().into_iter().find(|hook| hook.item.path == format!("/{path}")).unwrap().item;
    let header = |name: &str| hook.headers.get(name).unwrap().to_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let body = std::str::from_utf8(&hook.body).unwrap();
    let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed.as_bytes()).finalize().into_bytes();
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac)));
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(json["data"]["notice_id"], header("webhook-id"));
    assert_eq!(json["data"]["reference"], "XA-2026-0001");
    let link = json["data"]["acknowledge_url"].as_str().unwrap();
    assert!(link.contains(&format!("/acknowledge/token-{contact_id}?lang=")), "{link}");
}

#[tokio::test]
async fn above_green_no_text_leaves_and_red_uses_mail_only() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![
            harness.contact("org-1", 1, "en", &["email", "sms", "webhook"]),
            harness.contact("org-2", 2, "en", &["sms"]),
        ];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts[..1]).await;
        harness.until(&["org-1-c1 email accepted", "org-1-c1 sms delivered", "org-1-c1 webhook delivered"]).await;
        harness.request(&Alert::new("p1", "RED"), &contacts).await;
        harness
            .until(&[
                "org-1-c1 email accepted",
                "org-1-c1 email accepted",
                "org-1-c1 sms delivered",
                "org-1-c1 webhook delivered",
                "org-2-c2 none suppressed_unsafe",
            ])
            .await;
        for mail in harness.mail.log().all() {
            let text = readable(&mail.item.data);
            assert!(
                !text.contains("canary-body") && !text.contains("canary-head") && !text.contains("XA-2026"),
                "{text}"
            );
            assert!(text.contains("A7F3-K2C") && text.contains("/acknowledge/token-"), "{text}");
        }
        for hook in harness.webhooks.log().all() {
            let text = String::from_utf8(hook.item.body.to_vec()).unwrap();
            assert!(!text.contains("canary") && !text.contains("XA-2026"), "{text}");
        }
        harness.stop().await;
    }
}

#[tokio::test]
async fn p2_adds_the_next_channel_until_somebody_acknowledges() {
    let harness = Harness::start_with(TestDatabase::sqlite(), "next_channel_seconds = 1").await;
    let contacts = vec![
        harness.contact("org-1", 1, "en", &["email", "webhook"]),
        harness.contact("org-2", 2, "en", &["email", "sms"]),
    ];
    harness.import(contacts.clone()).await.unwrap();
    let alert = Alert::new("p2", "AMBER");
    harness.request(&alert, &contacts).await;
    harness
        .until(&[
            "org-1-c1 email accepted",
            "org-1-c1 webhook queued",
            "org-2-c2 email accepted",
            "org-2-c2 sms queued",
        ])
        .await;
    let waiting = harness.progress().into_iter().find(|notice| notice.channel == "webhook").unwrap();
    assert_eq!(waiting.reason, "next_channel");
    assert!(waiting.due_at.is_some());
    harness.withdraw(&alert, "org-2", "acknowledged").await;
    harness
        .until(&[
            "org-1-c1 email accepted",
            "org-1-c1 webhook delivered",
            "org-2-c2 email accepted",
            "org-2-c2 sms withdrawn",
        ])
        .await;
    assert_eq!(harness.sms.log().count(), 0);
    harness.stop().await;
}

#[tokio::test]
async fn duty_officers_are_called_on_all_their_channels() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut officer = harness.contact("", 7, "fr", &["email", "sms", "webhook"]);
    officer.quiet_hours = "00:00-23:59".to_owned();
    officer.urgent_overrides_quiet_hours = false;
    harness.import(vec![officer]).await.unwrap();
    harness.page(&["staff-7", "nobody"]).await;
    let called = async || {
        harness.mail.log().count() == 1 && harness.sms.log().count() == 1 && harness.webhooks.log().count() == 1
    };
    wait_until("the officer is called on three channels", PATIENCE, called).await;
    let sms = harness.sms.log().all().remove(0).item.text;
    assert!(sms.starts_with("TOCSIN CRITIQUE. Un dossier attend."), "{sms}");
    let mail = readable(&harness.mail.log().all().remove(0).item.data);
    assert!(!mail.contains("01977d3a") && !mail.contains("/acknowledge/"), "{mail}");
    assert!(harness.states().is_empty(), "dispatch is told of alerts only");
    harness.stop().await;
}

#[tokio::test]
async fn addresses_and_texts_stand_nowhere_in_the_files() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email", "sms", "webhook"])];
    let imported = harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "GREEN"), &contacts).await;
    harness.until(&["org-1-c1 email accepted", "org-1-c1 sms delivered", "org-1-c1 webhook delivered"]).await;
    let secret = &imported.secrets[0];
    let canaries = [
        "canary",
        "447700900001",
        "XA-2026-0001",
        &format!("{}/org-1", harness.webhooks.address()),
        secret.webhook_secret.strip_prefix("whsec_").unwrap(),
    ];
    let mut searched = 0;
    for folder in harness.folders() {
        search(folder, &canaries, &mut searched);
    }
    assert!(searched > 3, "the files were found");
    harness.stop().await;
}

pub(super) fn search(folder: &std::path::Path, canaries: &[&str], searched: &mut usize) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, canaries, searched);
            continue;
        }
        *searched += 1;
        let bytes = std::fs::read(&path).unwrap();
        for canary in canaries {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} stands in {}", path.display());
        }
    }
}
