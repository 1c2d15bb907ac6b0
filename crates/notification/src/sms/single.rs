//! One text outside the engine: a test, or a code that proves a number. It keeps the rules of every text: the country,
//! the caps on spending, and that who wrote STOP gets none.

use sea_orm::EntityTrait;
use tocsin_platform::failure::Failure;

use super::{answers, phone};
use crate::channel::{Attempted, Outcome, SmsMessage};
use crate::entity::sms::suppression;
use crate::gateways::put_off;
use crate::office::Office;
use crate::render::segments::segments;

/// Sends it through the named gateway, or else through the first that is not paused.
pub(crate) async fn send_one(
    office: &Office,
    gateway: Option<&str>,
    to: &str,
    text: &str,
) -> Result<Attempted, Failure> {
    let refused = |code: &str| Attempted::from(Outcome::Refused { code: code.to_owned(), tries: 1 });
    if !phone::is_e164(to) || !phone::is_allowed(to, &office.config.phone_prefixes) {
        return Ok(refused("number_not_allowed"));
    }
    let reader = office.database.reader();
    if suppression::Entity::find_by_id(office.secrets.phone_mac(to)).one(reader).await?.is_some() {
        return Ok(refused("stopped_by_recipient"));
    }
    office.pauses.refresh(reader).await?;
    let usable = || office.gateways.all().iter().filter(|one| !office.pauses.is_paused(&one.name));
    let chosen = match gateway {
        Some(name) => office.gateways.named(name),
        None => usable().next(),
    };
    let Some(chosen) = chosen else {
        let nobody = if office.gateways.all().is_empty() { Outcome::temporary("no_gateway") } else { put_off() };
        return Ok(nobody.into());
    };
    let range = phone::range_of(to, office.config.sms.range_digits);
    let range = office.secrets.destination(&format!("range {range}"));
    let cost = i64::from(segments(text).count).saturating_mul(chosen.price.into());
    if !answers::pay(office, range, cost).await? {
        return Ok(Outcome::temporary("spend_cap").into());
    }
    let message = SmsMessage { to, text, id: "", receipt_url: "" };
    Ok(Attempted::by(&chosen.name, office.gateways.send(chosen, &message).await))
}
