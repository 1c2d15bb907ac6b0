//! Ninety attempts to break out of a message: whatever stands in any slot, one message with the same headers goes to one
//! recipient, and an independent parser finds no defect in it.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use lettre::Address;
use tocsin_domain::language::Language;
use tocsin_domain::priority::Priority;
use tocsin_domain::tlp::Tlp;
use tocsin_sinks::MailSink;

use super::messages::SigningKeys;
use super::sinks::{attempt, smarthosts};
use super::tools::checked;
use crate::channel::{Letter, Smarthosts};
use crate::render::{BulletinKind, Facts, Links, Reader, Reading, email};

const RECIPIENT: &str = "duty@org-1.example";

/// What is put into a slot.
fn payloads() -> [String; 10] {
    [
        "x\r\nBcc: x@y.example".to_owned(),
        "x\nBcc: x@y.example\n\nbody".to_owned(),
        "x\rBcc: x@y.example".to_owned(),
        "x\0y".to_owned(),
        "x\u{85}Bcc: x@y.example".to_owned(),
        "x\u{2028}Bcc: x@y.example\u{2029}".to_owned(),
        "\u{202e}\u{200f}\u{2067}moc.elpmaxe\u{2066}".to_owned(),
        "é".repeat(1_200) + &"a".repeat(1_200),
        ".\r\n..\r\n.\r\nQUIT\r\n".to_owned(),
        "x\n.\r\nMAIL FROM:<x@y.example>\r\n".to_owned(),
    ]
}

/// The values of all slots, of which one is hostile.
#[derive(Clone)]
struct Slots {
    short_code: String,
    reference: String,
    language: String,
    headline: String,
    body: String,
    sign_in: String,
    acknowledge: String,
    recipient: String,
    unsubscribe: String,
}

type Slot = fn(&mut Slots) -> &mut String;

/// The slots by name, and how one is filled.
const SLOTS: [(&str, Slot); 9] = [
    ("short code", |slots| &mut slots.short_code),
    ("reference", |slots| &mut slots.reference),
    ("language", |slots| &mut slots.language),
    ("headline", |slots| &mut slots.headline),
    ("body", |slots| &mut slots.body),
    ("sign-in page", |slots| &mut slots.sign_in),
    ("acknowledgement page", |slots| &mut slots.acknowledge),
    ("recipient", |slots| &mut slots.recipient),
    ("unsubscribe page", |slots| &mut slots.unsubscribe),
];

fn good() -> Slots {
    Slots {
        short_code: "A7F3-K2C".to_owned(),
        reference: "XA-2026-0114".to_owned(),
        language: "en".to_owned(),
        headline: "Ten workers held".to_owned(),
        body: "First line.\nSecond line.".to_owned(),
        sign_in: "https://tocsin.example".to_owned(),
        acknowledge: "https://tocsin.example/acknowledge/t0k".to_owned(),
        recipient: RECIPIENT.to_owned(),
        unsubscribe: "https://tocsin.example/unsubscribe/t0k".to_owned(),
    }
}

/// The message with these values; none when the recipient is no address.
fn message(smarthosts: &Smarthosts, slots: &Slots, interface: Language) -> Option<Vec<u8>> {
    let to: Address = slots.recipient.parse().ok()?;
    let facts = Facts {
        kind: BulletinKind::Alert,
        short_code: slots.short_code.clone(),
        priority: Priority::P1,
        tlp: Tlp::Clear,
        deadline: "2026-07-12T06:00:00Z".parse().unwrap(),
        drill: false,
    };
    let reader = Reader { interface, untranslated: true, time_zone: Tz::UTC };
    let reading = Reading {
        reference: &slots.reference,
        language: &slots.language,
        headline: &slots.headline,
        body: &slots.body,
    };
    let links = Links { sign_in: &slots.sign_in, acknowledge: Some(&slots.acknowledge) };
    let letter =
        Letter { to: &to, message_id: "0123456789abcdef", date: facts.deadline, unsubscribe: Some(&slots.unsubscribe) };
    let mail = email::mail(&facts, reader, Some(reading), links);
    let built = smarthosts.headers().build(&letter, mail).unwrap();
    Some(smarthosts.signers().sign(built, facts.deadline))
}

#[tokio::test]
async fn nothing_in_any_slot_breaks_out_of_the_message() {
    let keys = SigningKeys::new();
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let port = sink.address().port();
    let smarthosts =
        Arc::new(smarthosts(&format!("host = '127.0.0.1'\nport = {port}\ntls = 'none'\n{}", keys.settings)));
    let (mut messages, mut refused, mut cases) = (Vec::new(), 0, 0);
    for interface in [Language::En, Language::Ar] {
        messages.push(message(&smarthosts, &good(), interface).unwrap());
    }
    for (name, slot) in SLOTS {
        for payload in payloads() {
            cases += 1;
            let mut slots = good();
            let value = slot(&mut slots);
            *value =
                if name == "recipient" { format!("duty{payload}@org-1.example") } else { format!("{value}{payload}") };
            let interface = if cases % 2 == 0 { Language::En } else { Language::Ar };
            match message(&smarthosts, &slots, interface) {
                Some(message) => messages.push(message),
                None => refused += 1,
            }
        }
    }
    assert_eq!(cases, 90);
    assert_eq!(refused, 10, "no hostile recipient is an address");
    for message in &messages {
        assert_eq!(attempt(&smarthosts, RECIPIENT, message).await, "accepted 250");
    }
    let arrived: Vec<_> = sink.log().all().into_iter().map(|one| one.item).collect();
    assert_eq!(arrived.len(), messages.len(), "one message each");
    assert!(arrived.iter().all(|mail| mail.to == [RECIPIENT]), "one recipient each");
    let expected = checked(&messages[..1], &keys.records).remove(0);
    let names = expected["headers"].clone();
    let data: Vec<Vec<u8>> = arrived.into_iter().map(|mail| mail.data).collect();
    for (number, found) in checked(&data, &keys.records).iter().enumerate() {
        assert_eq!(found["headers"], names, "{number}: {found}");
        assert_eq!(found["defects"], serde_json::json!([]), "{number}: {found}");
        let valid: Vec<_> = found["signatures"].as_array().unwrap().iter().map(|one| one["valid"].clone()).collect();
        assert_eq!(valid, [true, true], "{number}: {found}");
        let kinds: Vec<_> = found["parts"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
        assert_eq!(kinds, ["multipart/alternative", "text/plain", "text/html"], "{number}");
        let line = data[number].split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert!(line.is_some_and(|line| line <= 999) && data[number].is_ascii(), "{number}: a line of {line:?}");
    }
}
