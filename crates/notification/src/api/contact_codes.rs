//! `SendContactCode` and `ConfirmContactCode`: a contact's address is proved by a code that goes there and comes back.

use std::time::Duration;

use sea_orm::EntityTrait;
use tocsin_domain::channel::Channel;
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{
    ConfirmContactCodeRequest, ConfirmContactCodeResponse, SendContactCodeRequest, SendContactCodeResponse,
};

use super::test_contact::told;
use crate::changes::{self, By};
use crate::contact::Details;
use crate::contact::verification::{self, CODE_LIFE_MS, CODE_PAUSE_MS, Heard, TRIES_MAX};
use crate::entity::contact;
use crate::entity::people::verification::Model;
use crate::office::Office;
use crate::probe;
use crate::render::probe::Probe;
use crate::selection::{channel, invalid};

pub(super) async fn send(office: &Office, request: SendContactCodeRequest) -> Result<SendContactCodeResponse, Failure> {
    let channel = needed(&request.channel)?;
    let id = request.contact_id;
    let mut found = office.directory.load(office.database.reader(), std::slice::from_ref(&id)).await?;
    let recipient = found.remove(&id).ok_or_else(super::unknown_contact)?;
    let code = verification::new_code();
    let sent_at_ms = await_code(office, &id, channel, &code).await?;
    let attempted = probe::to_contact(office, &recipient, channel, Probe::Code(&code)).await?;
    let (outcome, code) = told(attempted.outcome);
    Ok(SendContactCodeResponse { outcome, code, expires_at: Some(timestamp(from_ms(sent_at_ms + CODE_LIFE_MS))) })
}

/// Writes that the code is awaited, before it is sent; one that never leaves is awaited in vain.
async fn await_code(office: &Office, contact_id: &str, channel: Channel, code: &str) -> Result<i64, Failure> {
    let transaction = office.database.begin().await?;
    let mac = present_address(office, &transaction, contact_id, channel).await?;
    let known = verification::lock(&transaction, contact_id, channel).await?;
    let now_ms = office.clock.now_ms();
    if let Some(known) = &known {
        let wait_ms = known.code_sent_at_ms + CODE_PAUSE_MS - now_ms;
        if wait_ms > 0 && known.address_mac == mac {
            let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
            let says = "a code went to this address a moment ago; take it back, or ask again in a minute";
            return Err(Failure::exhausted("CODE_JUST_SENT", says).retry_after(wait));
        }
    }
    let verified_at_ms = known.filter(|known| known.address_mac == mac).and_then(|known| known.verified_at_ms);
    let row = Model {
        contact_id: contact_id.to_owned(),
        channel: channel.as_str().to_owned(),
        address_mac: mac,
        verified_at_ms,
        code_mac: Some(verification::code_mac(&office.secrets, contact_id, channel, code)),
        code_sent_at_ms: now_ms,
        tries: 0,
    };
    verification::save(&transaction, row).await?;
    tocsin_platform::database::commit(transaction, "notification.await_code").await?;
    Ok(now_ms)
}

pub(super) async fn confirm(
    office: &Office,
    request: ConfirmContactCodeRequest,
    actor: &str,
) -> Result<ConfirmContactCodeResponse, Failure> {
    let channel = needed(&request.channel)?;
    let code = request.code.trim();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("code", "a code has six digits"));
    }
    let transaction = office.database.begin().await?;
    let mac = present_address(office, &transaction, &request.contact_id, channel).await?;
    let row = verification::lock(&transaction, &request.contact_id, channel).await?.ok_or_else(not_awaited)?;
    let now_ms = office.clock.now_ms();
    let heard = verification::hear(&row, &office.secrets, &mac, code, now_ms);
    match heard {
        Heard::Right => {
            let row = Model { verified_at_ms: Some(now_ms), code_mac: None, tries: 0, ..row };
            verification::save(&transaction, row).await?;
            let subject = format!("contact {}, channel {channel}", request.contact_id);
            let by = By { actor, reason: "" };
            changes::record(&transaction, office, &by, "contact.verify", &subject).await?;
        }
        Heard::Wrong { .. } => {
            let tries = row.tries + 1;
            verification::save(&transaction, Model { tries, ..row }).await?;
        }
        Heard::NotAwaited => return Err(not_awaited()),
        Heard::Moved => {
            let says = "the contact has another address by now; send a code to that one";
            return Err(Failure::refused("ADDRESS_CHANGED", says));
        }
    }
    tocsin_platform::database::commit(transaction, "notification.confirm_code").await?;
    if let Heard::Wrong { left } = heard {
        let says = format!("this is not the code that was sent; {left} of {TRIES_MAX} tries are left");
        return Err(Failure::refused("CODE_WRONG", says));
    }
    Ok(ConfirmContactCodeResponse { verified_at: Some(timestamp(from_ms(now_ms))) })
}

fn not_awaited() -> Failure {
    let says = "no code is awaited: none was sent in the last half hour, or it was taken or guessed at too often; \
                send a new one";
    Failure::refused("CODE_NOT_AWAITED", says)
}

fn needed(given: &str) -> Result<Channel, Failure> {
    channel(given)?.ok_or_else(|| invalid("channel", "name the channel: email, sms, webhook, signal or matrix"))
}

/// The keyed hash of the address that the contact has now.
async fn present_address(
    office: &Office,
    transaction: &sea_orm::DatabaseTransaction,
    contact_id: &str,
    channel: Channel,
) -> Result<String, Failure> {
    let row = contact::Entity::find_by_id(contact_id).one(transaction).await?.ok_or_else(super::unknown_contact)?;
    let details = Details::open(office.secrets.contact_key(), &row.contact_id, &row.sealed);
    let details = details.map_err(|_| Failure::internal("CONTACT_NOT_OPENED"))?;
    if details.address(channel).is_empty() {
        let message = format!("this contact has no address for {channel}; import it with one first");
        return Err(Failure::refused("NO_ADDRESS", message));
    }
    Ok(verification::address_mac(&office.secrets, channel, details.address(channel)))
}
