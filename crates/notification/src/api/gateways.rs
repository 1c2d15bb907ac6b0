//! `ListGateways`, `PauseGateway`, `ResumeGateway`, `TestGateway`: what carries notices out, for whoever keeps it running.

use std::time::Instant;

use chrono::TimeDelta;
use tocsin_domain::language::Language;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{Gateway, ListGatewaysResponse, TestGatewayRequest, TestGatewayResponse};

use super::test_contact::told;
use crate::changes::{self, By, reason};
use crate::gateways::{Known, list as list_gateways, set_paused};
use crate::office::Office;
use crate::probe;
use crate::selection::invalid;

pub(super) async fn list(office: &Office) -> Result<ListGatewaysResponse, Failure> {
    let gateways = list_gateways(office).await?;
    Ok(ListGatewaysResponse { gateways: gateways.into_iter().map(|known| shown(office, known)).collect() })
}

/// Pauses or resumes one, and says how it stands.
pub(super) async fn set(office: &Office, name: &str, why: &str, paused: bool, actor: &str) -> Result<Gateway, Failure> {
    let why = reason(why)?;
    let known = named(office, name).await?;
    set_paused(office, &known, paused, &By { actor, reason: why.as_str() }).await?;
    Ok(shown(office, named(office, name).await?))
}

/// Sends a test through one.
pub(super) async fn test(
    office: &Office,
    request: TestGatewayRequest,
    actor: &str,
) -> Result<TestGatewayResponse, Failure> {
    let language = match request.language.as_str() {
        "" => Language::En,
        given => given.parse().map_err(|_| invalid("language", "must be en, es, fr or ar"))?,
    };
    let known = named(office, &request.name).await?;
    let started = Instant::now();
    let attempted = probe::by_gateway(office, &known, request.to.trim(), language).await?;
    let milliseconds = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    let (outcome, code) = told(attempted.outcome);
    let transaction = office.database.begin().await?;
    // The address is nobody's business afterwards.
    changes::record(&transaction, office, &By { actor, reason: "" }, "gateway.test", &known.name).await?;
    tocsin_platform::database::commit(transaction, "notification.record_change").await?;
    Ok(TestGatewayResponse { outcome, code, milliseconds })
}

async fn named(office: &Office, name: &str) -> Result<Known, Failure> {
    let known = list_gateways(office).await?.into_iter().find(|known| known.name == name);
    known.ok_or_else(|| {
        let says = "no gateway of the settings has this name; `tocsin gateway list` shows them";
        Failure::not_found("GATEWAY_NOT_FOUND", says)
    })
}

fn shown(office: &Office, known: Known) -> Gateway {
    let now = office.clock.now();
    let ago = |at: Option<Instant>| {
        let since = TimeDelta::from_std(at?.elapsed()).ok()?;
        Some(timestamp(now - since))
    };
    Gateway {
        state: known.state().to_owned(),
        channel: known.channel.as_str().to_owned(),
        kind: known.kind.to_owned(),
        paused: known.paused,
        awaiting_receipts: known.awaiting_receipts,
        rests_until: known.rests.and_then(|left| TimeDelta::from_std(left).ok()).map(|left| timestamp(now + left)),
        in_flight: known.seen.in_flight,
        last_success_at: ago(known.seen.last_success),
        last_failure_at: ago(known.seen.last_failure),
        last_failure_code: known.seen.last_failure_code,
        name: known.name,
    }
}
