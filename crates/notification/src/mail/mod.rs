//! E-mail from a notice to its end: may it leave, what it says and to whose key, and what comes back.

pub(crate) mod bounces;
pub(crate) mod lmtp;
mod report;
pub(crate) mod rows;
pub(crate) mod suppressions;
mod tokens;
mod unsubscribe;

use lettre::Address;
use lettre::address::Envelope;
use tocsin_domain::channel::Channel;
use tocsin_domain::notice::NoticeState;
use tocsin_domain::priority::Lane;

use crate::channel::{
    Attempted, EnhancedStatus, Letter, Mail, OpenPgpError, Outcome, SessionFailure, Stage, judge_mail,
};
use crate::contact::Recipient;
use crate::engine::Ready;
use crate::gateways::put_off;
use crate::office::Office;
use crate::render::{BulletinKind, Links, Reader, email};

pub(crate) use unsubscribe::router;

use bounces::Bounce;
use suppressions::Weight;
use tokens::{Purpose, token};

/// Makes one attempt to send a notice by e-mail.
pub(crate) async fn send(office: &Office, ready: &Ready, recipient: &Recipient) -> Attempted {
    let Some(to) = &recipient.email else { return refused("no_address").into() };
    if office.smarthosts.are_paused(&office.pauses) {
        return put_off().into();
    }
    let facts = &ready.bulletin.facts;
    let to_staff = is_to_staff(facts.kind);
    let weight = Weight { urgent: to_staff || facts.priority.lane() == Lane::Urgent, to_staff };
    let suppression = recipient.mail_suppression;
    if let Some(outcome) = suppression.and_then(|one| one.outcome(weight, office.clock.now_ms())) {
        return outcome.into();
    }
    let written = match write(office, ready, recipient, to) {
        Ok(written) => written,
        Err(outcome) => return outcome.into(),
    };
    let Some(envelope) = envelope(office, ready, to) else { return refused("bad_address").into() };
    let handed = office.smarthosts.send(&envelope, &written.message, ready.lease_ends, &office.pauses).await;
    let outcome = match handed.outcome {
        Ok(code) => Outcome::taken(NoticeState::Accepted, written.code(code)),
        Err(failure) => {
            note_refusal(office, ready, to, &failure).await;
            judge_mail(&failure)
        }
    };
    Attempted { gateway: handed.host.map(str::to_owned), ..outcome.into() }
}

/// A call to somebody on duty, which nobody unsubscribes from.
fn is_to_staff(kind: BulletinKind) -> bool {
    match kind {
        BulletinKind::Page | BulletinKind::Handover => true,
        BulletinKind::Alert | BulletinKind::WebhookGone => false,
    }
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused { code: code.to_owned(), tries: 1 }
}

/// A message ready to leave.
struct Written {
    message: Vec<u8>,
    /// Why it was not encrypted to the contact's key, if there is one.
    unencrypted: Option<OpenPgpError>,
}

impl Written {
    /// What the attempt log keeps: the reply, and whether a key could not be used.
    fn code(&self, reply: u16) -> String {
        self.unencrypted.map_or_else(|| reply.to_string(), |error| format!("{reply} {}", error.code()))
    }
}

fn write(office: &Office, ready: &Ready, recipient: &Recipient, to: &Address) -> Result<Written, Outcome> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| Outcome::temporary("no_randomness"))?;
    let boundary = hex::encode(random);
    // The same for every attempt at a notice, so that a mail program shows one that came twice once; and of no meaning to
    // two recipients who compare.
    let proof = office.secrets.proof(b"message id\0", ready.notice.notice_id.as_bytes());
    let message_id = hex::encode(proof.get(..16).unwrap_or_default());
    let now = office.clock.now();
    let unsubscribes = !is_to_staff(ready.bulletin.facts.kind) && !office.unsubscribe_url.is_empty();
    let unsubscribe = unsubscribes.then(|| {
        let token = token(&office.secrets, Purpose::Unsubscribe, ready.notice.notice_id, to.as_ref());
        format!("{}/unsubscribe/{token}", office.unsubscribe_url)
    });
    let letter = Letter { to, message_id: &message_id, date: now, unsubscribe: unsubscribe.as_deref() };
    let broken = |_| refused("not_a_message");
    let headers = office.smarthosts.headers();
    let (message, unencrypted) = match &recipient.openpgp {
        None => (headers.build(&letter, said(office, ready, recipient, true)), None),
        Some(key) => {
            let mail = said(office, ready, recipient, true);
            let entity = mail.to_entity(&boundary).map_err(broken)?;
            let encrypted = key.as_ref().map_err(|error| *error).and_then(|key| key.encrypt(entity, now));
            match encrypted {
                Ok(armored) => (headers.build_encrypted(&letter, mail.urgent, armored), None),
                Err(error) => {
                    warn_of_key(ready, error);
                    // A contact who gave a key wants no text in clear: without it the notice is a pointer.
                    (headers.build(&letter, said(office, ready, recipient, false)), Some(error))
                }
            }
        }
    };
    let message = office.smarthosts.signers().sign(message.map_err(broken)?, now);
    Ok(Written { message, unencrypted })
}

fn warn_of_key(ready: &Ready, error: OpenPgpError) {
    tracing::warn!(
        channel = Channel::Email.as_str(),
        alert_id = %ready.bulletin.row.bulletin_id,
        code = error.code(),
        "a contact's OpenPGP key cannot be used: the notice leaves without its text; ask the contact for a new key"
    );
}

/// What the contact reads; without the text when it may not travel in clear.
fn said(office: &Office, ready: &Ready, recipient: &Recipient, with_text: bool) -> Mail {
    let acknowledge = office.acknowledge_url(&ready.notice.acknowledge_token, recipient.interface);
    let links = Links { sign_in: &office.public_url, acknowledge: acknowledge.as_deref() };
    let reader = Reader::of(recipient, &ready.notice.language);
    let reading = ready.bulletin.reading(&ready.notice.language, &office.secrets).filter(|_| with_text);
    email::mail(&ready.bulletin.facts, reader, reading, links)
}

/// One recipient, and a return path that names the notice and the address.
fn envelope(office: &Office, ready: &Ready, to: &Address) -> Option<Envelope> {
    let (local, domain) = office.config.email.return_path().rsplit_once('@')?;
    let token = token(&office.secrets, Purpose::Bounce, ready.notice.notice_id, to.as_ref());
    let from = Address::new(format!("{local}+{token}"), domain).ok()?;
    Envelope::new(Some(from), vec![to.clone()]).ok()
}

/// A refusal of the recipient counts as a bounce of the address; one of the message or of us says nothing about it.
async fn note_refusal(office: &Office, ready: &Ready, to: &Address, failure: &SessionFailure) {
    let Some(reply @ 500..=599) = failure.reply.filter(|_| failure.stage == Stage::Recipient) else { return };
    let Some(status) = failure.status.or_else(|| EnhancedStatus::of_reply(reply)) else { return };
    let Some(class) = status.bounce() else { return };
    let bounce = Bounce {
        notice_id: ready.notice.notice_id,
        contact_id: &ready.notice.contact_id,
        address_mac: office.secrets.address_mac(to.as_ref()),
        class,
        status,
    };
    if let Err(error) = bounces::refused(office, &bounce).await {
        tracing::warn!(reason = %error, "a refusal could not be counted against its address");
    }
}
