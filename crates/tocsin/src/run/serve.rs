//! `tocsin serve <service>`: one service in this process, the others elsewhere.

use tocsin_platform::config::{BusKind, Settings};
use tocsin_proto::catalogue::Service;

use super::up::services;
use crate::exit::Failed;

/// Runs one service until SIGTERM or Ctrl-C, then drains.
pub(crate) async fn run(service: Service, settings: Settings) -> Result<(), Failed> {
    if settings.bus.kind == BusKind::InProcess {
        let error = settings.invalid("bus.kind", "must be \"nats\" where services run in processes of their own");
        return Err(error.into());
    }
    services(&[service], settings, service.as_str()).await
}
