//! One attempt: whether it may still start, what is said, and to whom.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use tocsin_domain::channel::Channel;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::clock::from_ms;
use tocsin_platform::fail_points::reach;

use super::Ready;
use crate::channel::{Attempted, ChatMessage, Outcome, WebhookPost};
use crate::contact::Recipient;
use crate::gateways::put_off;
use crate::mail;
use crate::office::Office;
use crate::render::{Links, Reader, chat, webhook};

/// Why a notice does not start; none when it may. A lease that has run out says nothing about the notice: it is claimed
/// again.
pub(super) enum Hindrance {
    LeaseOver,
    Withheld(Outcome),
}

/// Looks whether it may start now, when an attempt usually takes no longer than `usual`.
pub(super) fn hindrance(ready: &Ready, usual: Duration, now: DateTime<Utc>) -> Option<Hindrance> {
    if Instant::now() + usual >= ready.lease_ends {
        return Some(Hindrance::LeaseOver);
    }
    let row = &ready.bulletin.row;
    let withheld = |state, reason| Some(Hindrance::Withheld(Outcome::Withheld { state, reason }));
    // It was withdrawn while a process held it that ended without a word; the row knows the reason.
    if ready.notice.withdrawn_reason.is_some() {
        return withheld(NoticeState::Withdrawn, "withdrawn");
    }
    if row.consent_expires_at_ms.is_some_and(|at| from_ms(at) <= now) {
        return withheld(NoticeState::Withdrawn, "consent_expired");
    }
    if from_ms(row.expires_at_ms) <= now {
        return withheld(NoticeState::Expired, "too_late");
    }
    if ready.recipient.is_none() {
        return withheld(NoticeState::RejectedPermanent, "unknown_contact");
    }
    None
}

/// Makes the attempt, which ends with its lease at the latest: after that the notice may be another process's.
pub(super) async fn make(office: &Office, ready: &Ready) -> Attempted {
    guarded(attempt(office, ready), ready.lease_ends).await
}

/// Whatever an attempt does, it has an end: a panic is a temporary failure like any other. The clock is looked at before
/// each of its steps, and not only when a timer fires: a process that was stopped for longer than its leases goes on in
/// the middle of a step, and must not send what another process has sent meanwhile.
async fn guarded(attempt: impl Future<Output = Attempted>, lease_ends: Instant) -> Attempted {
    let mut attempt = pin!(AssertUnwindSafe(attempt).catch_unwind());
    let in_time = std::future::poll_fn(|context| {
        if Instant::now() >= lease_ends {
            return Poll::Ready(None);
        }
        attempt.as_mut().poll(context).map(Some)
    });
    match tokio::time::timeout_at(lease_ends.into(), in_time).await {
        Ok(Some(Ok(attempted))) => attempted,
        // The text of a panic may quote what was sent.
        Ok(Some(Err(_panic))) => Outcome::temporary("broke").into(),
        Ok(None) | Err(_) => Outcome::temporary("lease_over").into(),
    }
}

async fn attempt(office: &Office, ready: &Ready) -> Attempted {
    let Some(recipient) = &ready.recipient else { return no_address().into() };
    match ready.notice.channel.parse() {
        Ok(Channel::Email) => {
            reach("notification.email_begins");
            let attempted = mail::send(office, ready, recipient).await;
            reach("notification.email_ended");
            attempted
        }
        Ok(Channel::Sms) => {
            reach("notification.sms_begins");
            let attempted = crate::sms::attempt(office, ready, recipient).await;
            reach("notification.sms_ended");
            attempted
        }
        Ok(Channel::Webhook) => {
            reach("notification.webhook_begins");
            let attempted = by_webhook(office, ready, recipient).await;
            reach("notification.webhook_ended");
            attempted
        }
        Ok(channel @ (Channel::Signal | Channel::Matrix)) => by_chat(office, ready, recipient, channel).await,
        Err(_) => no_address().into(),
    }
}

fn no_address() -> Outcome {
    Outcome::Refused { code: "no_address".to_owned(), tries: 1 }
}

async fn by_webhook(office: &Office, ready: &Ready, recipient: &Recipient) -> Attempted {
    if recipient.webhook_disabled {
        return Outcome::Refused { code: "webhook_disabled".to_owned(), tries: 1 }.into();
    }
    let Some(url) = recipient.webhook.as_ref().filter(|_| !recipient.webhook_keys.is_empty()) else {
        return no_address().into();
    };
    // A host that asked for a pause gets it, but for the first try of what is urgent.
    if (ready.notice.lane != 0 || ready.notice.attempts > 0)
        && let Some(seconds) = office.webhooks.pause_seconds(url)
    {
        return Outcome::Postponed { code: "host_paused", seconds }.into();
    }
    let shared = ready.bulletin.shared_body(&ready.notice.language, &office.secrets);
    let acknowledge = office.acknowledge_url(&ready.notice.acknowledge_token, recipient.interface);
    let (id, now) = (ready.notice.notice_id.to_string(), office.clock.now());
    let body = webhook::body(&shared, &id, acknowledge.as_deref(), now);
    let post = WebhookPost { id: &id, timestamp_seconds: now.timestamp(), body: Bytes::from(body) };
    office.webhooks.send(url, &recipient.webhook_keys, post).await
}

async fn by_chat(office: &Office, ready: &Ready, recipient: &Recipient, channel: Channel) -> Attempted {
    let to = if channel == Channel::Signal { &recipient.signal } else { &recipient.matrix };
    let Some(to) = to else { return no_address().into() };
    if office.pauses.is_paused(channel.as_str()) {
        return put_off().into();
    }
    let acknowledge = office.acknowledge_url(&ready.notice.acknowledge_token, recipient.interface);
    let links = Links { sign_in: &office.public_url, acknowledge: acknowledge.as_deref() };
    let reader = Reader::of(recipient, &ready.notice.language);
    let reading = ready.bulletin.reading(&ready.notice.language, &office.secrets);
    let text = chat::text(&ready.bulletin.facts, reader, reading, links);
    let id = ready.notice.notice_id.to_string();
    Attempted::by(channel.as_str(), office.messengers.send(channel, &ChatMessage { to, text: &text, id: &id }).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_attempt_ends_within_its_lease() {
        let later = Instant::now() + Duration::from_secs(30);
        let broke = guarded(async { panic!("a flaw") }, later).await;
        assert_eq!(broke, Outcome::temporary("broke").into());
        let hung = guarded(std::future::pending(), Instant::now() + Duration::from_millis(20)).await;
        assert_eq!(hung, Outcome::temporary("lease_over").into());
        let late = guarded(async { panic!("it was begun although its lease is over") }, Instant::now()).await;
        assert_eq!(late, Outcome::temporary("lease_over").into());
        let taken = Attempted::from(Outcome::taken(NoticeState::Accepted, "250"));
        assert_eq!(guarded(std::future::ready(taken.clone()), later).await, taken);
    }
}
