//! Messages to contacts with a key: `GnuPG` makes the keys and decrypts, and no key that should not be used is used.

use std::process::Command;

use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, MimeHeaders as _};
use pgp::composed::{ArmorOptions, EncryptionCaps, KeyType, Message, SecretKeyParamsBuilder, SubkeyParamsBuilder};
use pgp::types::{KeyVersion, Password};
use rand_core::OsRng;
use tocsin_platform::clock::Clock;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::super::harness::{Alert, Harness, PATIENCE};
use super::tools::{checked, run, run_with};
use crate::channel::{OpenPgpError, OpenPgpKey};

/// A keyring of its own; its agent ends with it.
struct GnuPg {
    folder: tempfile::TempDir,
}

impl GnuPg {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.folder.path()).args(["--batch", "--quiet", "--passphrase", ""]);
        command.args(["--pinentry-mode", "loopback", "--no-tty", "--yes"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        run(&mut self.command(arguments))
    }

    /// Makes a key and returns its fingerprint.
    fn make(&self, algorithm: &str, usage: &str, expires: &str, at: Option<&str>) -> String {
        let mut arguments = at.map_or_else(Vec::new, |at| vec!["--faked-system-time", at]);
        arguments.extend(["--quick-gen-key", "Duty <duty@org-1.example>", algorithm, usage, expires]);
        self.run(&arguments);
        let listed = String::from_utf8(self.run(&["--with-colons", "--list-keys"])).unwrap();
        let line = listed.lines().rfind(|line| line.starts_with("pub:")).unwrap();
        let id = line.split(':').nth(4).unwrap().to_owned();
        let mut fingerprints =
            listed.lines().filter(|line| line.starts_with("fpr:")).map(|line| line.split(':').nth(9).unwrap());
        fingerprints.rfind(|fingerprint| fingerprint.ends_with(&id)).unwrap().to_owned()
    }

    fn export(&self, fingerprint: &str) -> String {
        String::from_utf8(self.run(&["--armor", "--export", fingerprint])).unwrap()
    }

    fn decrypt(&self, text: &[u8]) -> Vec<u8> {
        run_with(&mut self.command(&["--decrypt"]), text)
    }

    /// Revokes a key with the certificate that was made with it.
    fn revoke(&self, fingerprint: &str) {
        let path = self.folder.path().join("openpgp-revocs.d").join(format!("{fingerprint}.rev"));
        let certificate = std::fs::read_to_string(path).unwrap().replace(":-----BEGIN", "-----BEGIN");
        run_with(&mut self.command(&["--import"]), certificate.as_bytes());
    }
}

impl Drop for GnuPg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.folder.path()).args(["--kill", "all"]).output();
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn gnupg_reads_what_nobody_on_the_way_can() {
    for algorithm in ["future-default", "rsa2048"] {
        let gnupg = GnuPg::new();
        let fingerprint = gnupg.make(algorithm, if algorithm == "rsa2048" { "sign" } else { "default" }, "never", None);
        if algorithm == "rsa2048" {
            gnupg.run(&["--quick-add-key", &fingerprint, "rsa2048", "encr", "never"]);
        }
        let harness = Harness::start(TestDatabase::sqlite()).await;
        let mut contact = harness.contact("org-1", 1, "ar", &["email"]);
        contact.openpgp_key = gnupg.export(&fingerprint);
        harness.import(vec![contact.clone()]).await.unwrap();
        let alert = Alert { languages: &["en", "ar"], drill: true, ..Alert::new("p1", "GREEN") };
        harness.request(&alert, &[contact]).await;
        wait_until("it arrived", PATIENCE, async || harness.mail.log().count() == 1).await;
        let message = harness.mail.log().all()[0].item.data.clone();
        let outside = String::from_utf8(message.clone()).unwrap();
        for secret in ["canary-body", "canary-headline", "XA-2026", "A7F3-K2C", "token-", "acknowledge"] {
            assert!(!outside.contains(secret), "{secret} in {outside}");
        }
        let parsed = MessageParser::default().parse(&message).unwrap();
        assert_eq!(parsed.subject(), Some("[...]"));
        let kind = parsed.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("encrypted")));
        assert_eq!(kind.attribute("protocol"), Some("application/pgp-encrypted"));
        let kinds: Vec<_> = parsed
            .parts
            .iter()
            .skip(1)
            .map(|part| part.content_type().unwrap().subtype().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["pgp-encrypted", "octet-stream"]);
        assert_eq!(parsed.parts[1].contents().trim_ascii(), b"Version: 1");
        let inside = gnupg.decrypt(parsed.parts[2].contents());
        let found = checked(&[message, inside], &[]);
        assert!(found.iter().all(|one| one["defects"] == serde_json::json!([])), "{found:?}");
        let plain = found[1]["parts"][1]["text"].as_str().unwrap();
        let html = found[1]["parts"][2]["text"].as_str().unwrap();
        for said in ["canary-body-ar", "canary-headline-ar", "XA-2026-0001", "A7F3-K2C", "token-org-1-c1"] {
            assert!(plain.contains(said) && html.contains(said), "{said} in {plain} {html}");
        }
        let subject = found[1]["values"]["Subject"].as_str().unwrap();
        assert!(subject.contains("A7F3-K2C") && subject.contains("تمرين"), "{subject}");
        harness.stop().await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused_at_import_with_the_reason() {
    let gnupg = GnuPg::new();
    let good = gnupg.make("future-default", "default", "never", None);
    let secret = String::from_utf8(gnupg.run(&["--armor", "--export-secret-keys", &good])).unwrap();
    let signs = gnupg.make("ed25519", "sign", "never", None);
    let old = gnupg.make("future-default", "default", "1y", Some("20200101T000000"));
    let half_old = gnupg.make("ed25519", "sign", "never", Some("20200101T000000"));
    gnupg.run(&["--faked-system-time", "20200101T000000", "--quick-add-key", &half_old, "cv25519", "encr", "1y"]);
    let weak = gnupg.make("rsa1024", "sign", "never", None);
    gnupg.run(&["--quick-add-key", &weak, "rsa1024", "encr", "never"]);
    let revoked = gnupg.make("future-default", "default", "never", None);
    gnupg.revoke(&revoked);
    let two = format!("{}{}", gnupg.export(&good), gnupg.export(&signs));
    let both = String::from_utf8(gnupg.run(&["--armor", "--export", &good, &signs])).unwrap();
    let good = gnupg.export(&good);
    let harness = Harness::start(TestDatabase::sqlite()).await;
    for (key, expected) in [
        (gnupg.export(&signs), OpenPgpError::NoEncryption),
        (gnupg.export(&old), OpenPgpError::Expired),
        (gnupg.export(&half_old), OpenPgpError::NoEncryption),
        (gnupg.export(&weak), OpenPgpError::NoEncryption),
        (gnupg.export(&revoked), OpenPgpError::Revoked),
        (both, OpenPgpError::NotAKey),
        (secret, OpenPgpError::Private),
        (
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxxxx\n-----END PGP PUBLIC KEY BLOCK-----\n".to_owned(),
            OpenPgpError::NotAKey,
        ),
        (two, OpenPgpError::NotAKey),
        ("x".repeat(200_000), OpenPgpError::TooLong),
    ] {
        let mut contact = harness.contact("org-1", 1, "en", &["email"]);
        contact.openpgp_key = key;
        let refused = harness.import(vec![contact]).await.unwrap_err();
        let details = String::from_utf8_lossy(refused.details()).into_owned();
        assert!(details.contains("contacts[0].openpgp_key"), "{details}");
        assert!(details.contains(&expected.to_string()), "{expected}: {details}");
    }
    let mut contact = harness.contact("org-1", 1, "en", &["email"]);
    contact.openpgp_key = good.replace('b', "c");
    harness.import(vec![contact.clone()]).await.unwrap_err();
    contact.openpgp_key = good;
    harness.import(vec![contact]).await.unwrap();
    harness.stop().await;
}

#[test]
fn a_key_is_used_only_while_it_is_valid() {
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make("future-default", "default", "1y", Some("20200101T000000"));
    let key = OpenPgpKey::parse(&gnupg.export(&fingerprint)).unwrap();
    let text = b"a text".to_vec();
    assert!(key.encrypt(text.clone(), at("2020-06-01T00:00:00Z")).unwrap().starts_with("-----BEGIN PGP MESSAGE"));
    let later = key.encrypt(text.clone(), at("2021-06-01T00:00:00Z"));
    assert_eq!(later.unwrap_err(), OpenPgpError::Expired);
    // Before its owner signed it, nobody had.
    assert_eq!(key.encrypt(text, at("2019-06-01T00:00:00Z")).unwrap_err(), OpenPgpError::Unsigned);
    assert_eq!(format!("{key:?}"), "[redacted]");
}

/// `GnuPG` does not know keys of version 6 (RFC 9580).
#[test]
fn a_key_of_version_6_gets_what_its_owner_can_read() {
    let subkey = SubkeyParamsBuilder::default()
        .version(KeyVersion::V6)
        .key_type(KeyType::X25519)
        .can_encrypt(EncryptionCaps::All)
        .build()
        .unwrap();
    let parameters = SecretKeyParamsBuilder::default()
        .version(KeyVersion::V6)
        .key_type(KeyType::Ed25519)
        .can_certify(true)
        .primary_user_id("Duty <duty@org-1.example>".to_owned())
        .subkeys(vec![subkey])
        .build()
        .unwrap();
    let secret = parameters.generate(OsRng).unwrap();
    let armored = secret.to_public_key().to_armored_string(ArmorOptions::default()).unwrap();
    let key = OpenPgpKey::parse(&armored).unwrap();
    let encrypted = key.encrypt(b"a text".to_vec(), Clock::system().now()).unwrap();
    let (message, _) = Message::from_armor(encrypted.as_bytes()).unwrap();
    let mut opened = message.decrypt(&Password::empty(), &secret).unwrap();
    assert_eq!(opened.as_data_vec().unwrap(), b"a text");
}

#[tokio::test]
async fn a_key_that_has_expired_since_its_import_leaves_a_pointer_without_text() {
    let gnupg = GnuPg::new();
    let fingerprint = gnupg.make("future-default", "default", "seconds=8", None);
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut contact = harness.contact("org-1", 1, "en", &["email"]);
    contact.openpgp_key = gnupg.export(&fingerprint);
    harness.import(vec![contact.clone()]).await.unwrap();
    let key = OpenPgpKey::parse(&contact.openpgp_key).unwrap();
    let expired = async || key.check(harness.clock.now()) == Err(OpenPgpError::Expired);
    wait_until("the key has expired", PATIENCE, expired).await;
    harness.request(&Alert::new("p1", "GREEN"), &[contact]).await;
    wait_until("it arrived", PATIENCE, async || harness.mail.log().count() == 1).await;
    let message = String::from_utf8(harness.mail.log().all()[0].item.data.clone()).unwrap();
    assert!(!message.contains("canary-body") && !message.contains("XA-2026"), "{message}");
    assert!(message.contains("A7F3-K2C") && message.contains("multipart/alternative"), "{message}");
    harness.until(&["org-1-c1 email accepted"]).await;
    harness.stop().await;
}
