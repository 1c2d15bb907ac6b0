//! Tests and codes by a person's word, sent now and outside the engine; they leave no notice.

use bytes::Bytes;
use lettre::Address;
use lettre::address::Envelope;
use tocsin_domain::channel::Channel;
use tocsin_domain::language::Language;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::failure::Failure;
use uuid::Uuid;

use crate::channel::{Attempted, ChatMessage, Letter, MessageError, Outcome, WebhookPost, judge_mail};
use crate::contact::Recipient;
use crate::gateways::{Known, put_off};
use crate::office::Office;
use crate::render::probe::Probe;
use crate::render::webhook;
use crate::sms::send_one;

/// How long an attempt may take in all, in seconds; as long as one of the engine's.
const LEASE_SECONDS: u64 = 30;

/// To a contact, by one of its channels.
pub(crate) async fn to_contact(
    office: &Office,
    recipient: &Recipient,
    channel: Channel,
    probe: Probe<'_>,
) -> Result<Attempted, Failure> {
    match channel {
        Channel::Email => {
            let to = recipient.email.as_ref().ok_or_else(|| no_address(channel))?;
            if recipient.mail_suppression.is_some() {
                return Ok(refused("address_suppressed").into());
            }
            by_mail(office, None, to, probe, recipient).await
        }
        Channel::Sms => {
            let to = recipient.phone.as_deref().ok_or_else(|| no_address(channel))?;
            send_one(office, None, to, &probe.sms(recipient.interface, &recipient.shared_word)).await
        }
        Channel::Webhook => by_webhook(office, recipient, probe).await,
        Channel::Signal | Channel::Matrix => {
            let to = if channel == Channel::Signal { &recipient.signal } else { &recipient.matrix };
            let to = to.as_deref().ok_or_else(|| no_address(channel))?;
            Ok(by_chat(office, channel, to, &probe.chat(recipient.interface)).await)
        }
    }
}

/// To an address of the caller's choice, through one gateway alone; a paused one too, which is how it is tried before it
/// is resumed.
pub(crate) async fn by_gateway(
    office: &Office,
    gateway: &Known,
    to: &str,
    language: Language,
) -> Result<Attempted, Failure> {
    let probe = Probe::Test;
    match gateway.channel {
        Channel::Email => {
            let to: Address = to.parse().map_err(|_| wrong(to_is("an e-mail address, such as me@org.example")))?;
            let message = plain(office, &to, probe, language).map_err(|_| Failure::internal("NOT_A_MESSAGE"))?;
            hand_over(office, Some(&gateway.name), &to, message).await
        }
        Channel::Sms => {
            if !crate::sms::is_e164(to) {
                return Err(wrong(to_is("a number in E.164 form, such as +447700900123")));
            }
            send_one(office, Some(&gateway.name), to, &probe.sms(language, "")).await
        }
        Channel::Signal | Channel::Matrix => {
            let is_signal = gateway.channel == Channel::Signal;
            if is_signal && !crate::contact::is_signal_address(to, &office.config.phone_prefixes) {
                return Err(wrong(to_is("a number in E.164 form or a user name such as anna.01")));
            }
            if !is_signal && !crate::contact::is_matrix_room(to) {
                return Err(wrong(to_is("the id of a room, such as !room:matrix.example")));
            }
            let text = probe.chat(language);
            let id = Uuid::now_v7().to_string();
            let outcome = office.messengers.send(gateway.channel, &ChatMessage { to, text: &text, id: &id }).await;
            Ok(Attempted::by(&gateway.name, outcome))
        }
        Channel::Webhook => Err(Failure::internal("NO_SUCH_GATEWAY")),
    }
}

fn to_is(form: &str) -> String {
    format!("must be {form}")
}

fn wrong(says: String) -> Failure {
    Failure::invalid("INVALID_REQUEST", "the test cannot be made from these fields").field("to", says)
}

fn no_address(channel: Channel) -> Failure {
    let message = format!("this contact has no address for {channel}; import it with one first");
    Failure::refused("NO_ADDRESS", message)
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused { code: code.to_owned(), tries: 1 }
}

async fn by_webhook(office: &Office, recipient: &Recipient, probe: Probe<'_>) -> Result<Attempted, Failure> {
    let Some(url) = recipient.webhook.as_ref().filter(|_| !recipient.webhook_keys.is_empty()) else {
        return Err(Failure::refused("NO_WEBHOOK", "this contact has no webhook; import it with one first"));
    };
    let (id, now) = (Uuid::now_v7().to_string(), office.clock.now());
    let body = Bytes::from(webhook::test_body(&id, probe, now));
    let post = WebhookPost { id: &id, timestamp_seconds: now.timestamp(), body };
    Ok(office.webhooks.send(url, &recipient.webhook_keys, post).await)
}

async fn by_chat(office: &Office, channel: Channel, to: &str, text: &str) -> Attempted {
    if office.pauses.is_paused(channel.as_str()) {
        return put_off().into();
    }
    let id = Uuid::now_v7().to_string();
    Attempted::by(channel.as_str(), office.messengers.send(channel, &ChatMessage { to, text, id: &id }).await)
}

async fn by_mail(
    office: &Office,
    host: Option<&str>,
    to: &Address,
    probe: Probe<'_>,
    recipient: &Recipient,
) -> Result<Attempted, Failure> {
    if host.is_none() && office.smarthosts.are_paused(&office.pauses) {
        return Ok(put_off().into());
    }
    let built = match &recipient.openpgp {
        None => plain(office, to, probe, recipient.interface),
        Some(key) => {
            let Ok(key) = key else { return Ok(refused("openpgp_key_unusable").into()) };
            let (mut random, now) = ([0; 16], office.clock.now());
            getrandom::fill(&mut random).map_err(|_| Failure::internal("NO_RANDOMNESS"))?;
            let entity = probe.mail(recipient.interface).to_entity(&hex::encode(random));
            let entity = entity.map_err(|_| Failure::internal("NOT_A_MESSAGE"))?;
            // Who gave a key wants nothing in clear: a code least of all.
            let Ok(armored) = key.encrypt(entity, now) else {
                return Ok(refused("openpgp_key_unusable").into());
            };
            let id = Uuid::now_v7().simple().to_string();
            let letter = Letter { to, message_id: &id, date: now, unsubscribe: None };
            office.smarthosts.headers().build_encrypted(&letter, false, armored)
        }
    };
    hand_over(office, host, to, built.map_err(|_| Failure::internal("NOT_A_MESSAGE"))?).await
}

fn plain(office: &Office, to: &Address, probe: Probe<'_>, language: Language) -> Result<Vec<u8>, MessageError> {
    let id = Uuid::now_v7().simple().to_string();
    let letter = Letter { to, message_id: &id, date: office.clock.now(), unsubscribe: None };
    office.smarthosts.headers().build(&letter, probe.mail(language))
}

async fn hand_over(office: &Office, host: Option<&str>, to: &Address, message: Vec<u8>) -> Result<Attempted, Failure> {
    let message = office.smarthosts.signers().sign(message, office.clock.now());
    let from = office.config.email.return_path().parse::<Address>().ok();
    let envelope = Envelope::new(from, vec![to.clone()]).map_err(|_| Failure::internal("NOT_A_MESSAGE"))?;
    let ends = std::time::Instant::now() + std::time::Duration::from_secs(LEASE_SECONDS);
    let (host, outcome) = if let Some(name) = host {
        (Some(name), office.smarthosts.send_by(name, &envelope, &message).await)
    } else {
        let handed = office.smarthosts.send(&envelope, &message, ends, &office.pauses).await;
        (handed.host, handed.outcome)
    };
    let outcome = match outcome {
        Ok(code) => Outcome::taken(NoticeState::Accepted, code.to_string()),
        Err(failure) => judge_mail(&failure),
    };
    Ok(Attempted { gateway: host.map(str::to_owned), ..outcome.into() })
}
