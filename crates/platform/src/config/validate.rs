//! Checks over settings that each parse but do not fit together.

use tocsin_proto::catalogue::Service;

use super::{BusKind, ConfigError, Settings};

/// Checks what the types cannot say; the first fault is the error.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    check_doors(settings)?;
    check_addresses(settings)?;
    check_limits(settings)
}

/// Off loopback a door without TLS would carry keys and reports in clear text.
fn check_doors(settings: &Settings) -> Result<(), ConfigError> {
    for service in Service::ALL {
        let doors = settings.services.of(service);
        for (door, address) in [("grpc", doors.grpc), ("http", doors.http)] {
            if !address.ip().is_loopback() && doors.tls.is_none() {
                let key = format!("services.{service}.{door}");
                let problem = format!(
                    "{address} is off loopback, where TLS is required: set `services.{service}.tls` \
                     (certificate and key), or listen on 127.0.0.1"
                );
                return Err(settings.invalid(&key, problem));
            }
        }
    }
    Ok(())
}

fn check_addresses(settings: &Settings) -> Result<(), ConfigError> {
    let url = &settings.database.url;
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(settings.invalid("database.url", "expected `sqlite:<folder>` or `postgres://...`"));
    }
    if url.strip_prefix("sqlite:").is_some_and(str::is_empty) {
        return Err(settings.invalid("database.url", "a folder must follow `sqlite:`"));
    }
    if !is_web_address(&settings.public_url) {
        return Err(settings.invalid("public_url", "expected an address that begins with https:// or http://"));
    }
    if settings.bus.kind == BusKind::Nats && settings.bus.url.trim().is_empty() {
        return Err(settings.invalid("bus.url", "expected the address of a NATS server, as nats://127.0.0.1:4222"));
    }
    for service in Service::ALL {
        if settings.services.of(service).url.as_deref().is_some_and(|url| !is_web_address(url)) {
            let key = format!("services.{service}.url");
            return Err(settings.invalid(&key, "expected an address that begins with https:// or http://"));
        }
    }
    let endpoint = settings.telemetry.otlp_endpoint.as_deref();
    if endpoint.is_some_and(|url| !is_web_address(url)) {
        return Err(
            settings.invalid("telemetry.otlp_endpoint", "expected an address that begins with http:// or https://")
        );
    }
    Ok(())
}

fn is_web_address(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn check_limits(settings: &Settings) -> Result<(), ConfigError> {
    let limits = &settings.limits;
    let ranges = [
        ("limits.http_body_bytes_max", limits.http_body_bytes_max as u64, 1024, 64 * 1024 * 1024),
        ("limits.grpc_message_bytes_max", limits.grpc_message_bytes_max as u64, 1024, 64 * 1024 * 1024),
        ("limits.request_seconds_max", limits.request_seconds_max, 1, 600),
        ("limits.drain_seconds_max", limits.drain_seconds_max, 1, 600),
        ("database.connections_max", u64::from(settings.database.connections_max), 1, 1000),
        ("bus.replicas", settings.bus.replicas as u64, 1, 5),
    ];
    for (key, given, least, most) in ranges {
        if !(least..=most).contains(&given) {
            return Err(settings.invalid(key, format!("{given} is out of range: expected {least} to {most}")));
        }
    }
    Ok(())
}
