//! `ListGateways`, `PauseGateway`, `ResumeGateway`: the SMS gateways for whoever keeps them running.

use tocsin_platform::failure::Failure;
use tocsin_proto::notification::v1::{Gateway, ListGatewaysResponse};

use crate::office::Office;
use crate::sms::{Known, list_gateways, set_paused};

pub(super) async fn list(office: &Office) -> Result<ListGatewaysResponse, Failure> {
    let gateways = list_gateways(office).await?;
    Ok(ListGatewaysResponse { gateways: gateways.into_iter().map(shown).collect() })
}

/// Pauses or resumes one, and says how it stands.
pub(super) async fn set(office: &Office, name: &str, paused: bool) -> Result<Gateway, Failure> {
    let unknown = || Failure::not_found("GATEWAY_NOT_FOUND", "no SMS gateway of the settings has this name");
    office.gateways.named(name).ok_or_else(unknown)?;
    set_paused(office, name, paused).await?;
    list_gateways(office).await?.into_iter().find(|known| known.name == name).map(shown).ok_or_else(unknown)
}

fn shown(known: Known) -> Gateway {
    Gateway {
        name: known.name,
        kind: known.kind.to_owned(),
        paused: known.paused,
        awaiting_receipts: known.awaiting_receipts,
    }
}
