//! What leaves, as an independent program reads it: headers, both parts in four languages, both signatures.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::process::Command;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tocsin_platform::config::Settings;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::super::harness::{Alert, Harness, PATIENCE};
use super::tools::{checked, run};
use crate::channel::Smarthosts;
use crate::config::NotificationConfig;

/// The headers of every alert that is urgent, in their order.
pub(super) const HEADERS: [&str; 13] = [
    "DKIM-Signature",
    "DKIM-Signature",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Importance",
    "MIME-Version",
];

/// Two signing keys: their settings, and the records of their public halves.
pub(super) struct SigningKeys {
    _folder: tempfile::TempDir,
    pub(super) settings: String,
    pub(super) records: Vec<(String, String)>,
}

impl SigningKeys {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let public = Ed25519KeyPair::from_pkcs8_maybe_unchecked(ed25519.as_ref()).unwrap();
        let rsa = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let rsa_private = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).unwrap();
        let rsa_public = AsDer::<PublicKeyX509Der<'_>>::as_der(&rsa.public_key()).unwrap();
        let keys = [
            ("ed", ed25519.as_ref(), format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(public.public_key()))),
            ("rsa", rsa_private.as_ref(), format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(rsa_public.as_ref()))),
        ];
        let (mut settings, mut records) = (String::new(), Vec::new());
        for (selector, der, record) in keys {
            let path = folder.path().join(selector);
            let pem =
                format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines(&STANDARD.encode(der)));
            std::fs::write(&path, pem).unwrap();
            let path = path.display();
            writeln!(settings, "[[notification.email.dkim]]\nselector = '{selector}'\nkey_file = '{path}'").unwrap();
            records.push((format!("{selector}._domainkey.tocsin.example"), record));
        }
        Self { _folder: folder, settings, records }
    }
}

fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_message_follows_every_convention_and_both_signatures_verify() {
    let keys = SigningKeys::new();
    let harness = Harness::start_with(TestDatabase::sqlite(), &keys.settings).await;
    let languages = ["en", "es", "fr", "ar"];
    let contacts: Vec<_> =
        (1..).zip(languages).map(|(number, language)| harness.contact("org-1", number, language, &["email"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert { languages: &["en", "es", "fr", "ar"], ..Alert::new("p1", "GREEN") }, &contacts).await;
    wait_until("all arrived", PATIENCE, async || harness.mail.log().count() == 4).await;
    let arrived = harness.mail.log().all();
    let return_paths: HashSet<_> = arrived.iter().map(|one| one.item.from.clone()).collect();
    assert_eq!(return_paths.len(), 4, "each has its own return path");
    assert!(return_paths.iter().all(|path| {
        path.strip_prefix("alerts+").and_then(|rest| rest.strip_suffix("@tocsin.example")).is_some_and(|token| {
            token.len() == 48 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v'))
        })
    }));
    assert!(arrived.iter().all(|one| one.item.to.len() == 1));
    let messages: Vec<Vec<u8>> = arrived.iter().map(|one| one.item.data.clone()).collect();
    let found = checked(&messages, &keys.records);
    for one in &found {
        check(one, harness.http());
    }
    let ids: HashSet<_> = found.iter().map(|one| one["values"]["Message-ID"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    let words: HashSet<_> = found.iter().map(|one| one["parts"][1]["text"].as_str().unwrap()).collect();
    assert_eq!(words.len(), 4, "each reads its own language");
    // Whatever is changed on the way breaks the signatures.
    let (before, after) = ("List-Unsubscribe-Post: List-", "List-Unsubscribe-Post: Xist-");
    let changed = String::from_utf8(messages[0].clone()).unwrap().replace(before, after).into_bytes();
    let added = [b"Subject: another\r\n".as_slice(), &messages[0]].concat();
    for one in checked(&[changed, added], &keys.records) {
        assert_eq!(valid(&one), [false, false], "{one}");
    }
    harness.stop().await;
}

#[test]
fn keys_that_cannot_sign_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let short = run(Command::new("openssl").args(["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:1024"]));
    let curve = run(Command::new("openssl").args(["genpkey", "-algorithm", "x25519"]));
    for (name, text, expected) in [
        ("short", short.as_slice(), "neither ed25519 nor RSA"),
        ("curve", &curve, "neither ed25519 nor RSA"),
        ("empty", b"", "no PEM private key"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let settings = format!(
            "[notification.email]\n[[notification.email.dkim]]\nselector = 's'\nkey_file = '{}'\n",
            path.display()
        );
        let config = NotificationConfig::read(&Settings::from_text(&settings).unwrap()).unwrap();
        let error = Smarthosts::new(&config.email).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
    }
    for algorithm in ["ed25519", "rsa"] {
        let path = folder.path().join(algorithm);
        let key = run(Command::new("openssl").args(["genpkey", "-algorithm", algorithm]));
        std::fs::write(&path, key).unwrap();
        let settings = format!("[[notification.email.dkim]]\nselector = 's'\nkey_file = '{}'\n", path.display());
        let config = NotificationConfig::read(&Settings::from_text(&settings).unwrap()).unwrap();
        assert!(Smarthosts::new(&config.email).is_ok(), "{algorithm}");
    }
}

fn valid(one: &Value) -> Vec<bool> {
    one["signatures"].as_array().unwrap().iter().map(|signature| signature["valid"].as_bool().unwrap()).collect()
}

fn check(one: &Value, door: &str) {
    assert_eq!(one["defects"], serde_json::json!([]), "{one}");
    let names: Vec<&str> = one["headers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names.len(), HEADERS.len() + 1, "{names:?}");
    assert!(HEADERS.iter().all(|header| names.contains(header)), "{names:?}");
    let value = |name: &str| one["values"][name].as_str().unwrap();
    assert!(value("Message-ID").ends_with("@tocsin.example>") && value("From") == "alerts@tocsin.example");
    assert_eq!(value("Auto-Submitted"), "auto-generated");
    assert_eq!((value("List-Id"), value("Importance")), ("<alerts.tocsin.example>", "high"));
    assert!(value("List-Unsubscribe").starts_with(&format!("<{door}/unsubscribe/")));
    assert_eq!(value("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(valid(one), [true, true], "{one}");
    let algorithms: Vec<_> = one["signatures"].as_array().unwrap().iter().map(|it| it["algorithm"].clone()).collect();
    assert_eq!(algorithms, ["ed25519-sha256", "rsa-sha256"]);
    for signature in one["signatures"].as_array().unwrap() {
        let signed = signature["signed"].as_array().unwrap();
        for name in ["list-unsubscribe", "list-unsubscribe-post", "from", "subject", "date", "message-id"] {
            assert_eq!(signed.iter().filter(|it| *it == name).count(), 2, "{name}");
        }
    }
    let kinds: Vec<_> = one["parts"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["multipart/alternative", "text/plain", "text/html"]);
    let html = one["parts"][2]["text"].as_str().unwrap();
    for remote in ["src=", "<img", "<link", "<script", "@import", "url("] {
        assert!(!html.contains(remote), "{remote}");
    }
    let arabic = html.contains("lang=\"ar\"");
    assert_eq!((html.contains("<html lang=\"ar\" dir=\"rtl\">"), html.contains("<bdi dir=\"ltr\">")), (arabic, arabic));
}
