//! The connection to the NATS servers: one for each service, kept for ever, the first attempt retried like any other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Auth, AuthError, ConnectOptions, Event};
use nkeys::{KeyPair, KeyPairType};
use tocsin_proto::catalogue::Service;
use tokio::sync::watch;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::super::{BusError, NatsSettings};
use super::names;
use crate::tls;

/// Attempts to connect are this far apart at most.
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(2);
/// How long one attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent cut is noticed after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Starts the client. It returns before the server has answered.
///
/// `connected` counts the connections, because a broker that comes back may have lost everything.
pub(super) async fn connect(
    settings: &NatsSettings,
    service: Service,
    connected: watch::Sender<u64>,
) -> Result<async_nats::Client, BusError> {
    check(settings)?;
    let connected = Arc::new(connected);
    let options = with_key(settings)?
        .name(format!("tocsin {service}"))
        .custom_inbox_prefix(names::inbox(service))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .connection_timeout(CONNECT_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let milliseconds = 50u64.saturating_mul(u64::try_from(attempts).unwrap_or(u64::MAX));
            Duration::from_millis(milliseconds).min(RECONNECT_DELAY_MAX)
        })
        .event_callback(move |event| {
            let connected = Arc::clone(&connected);
            async move {
                report(service, &event);
                if matches!(event, Event::Connected) {
                    connected.send_modify(|count| *count = count.wrapping_add(1));
                }
            }
        });
    let options = authenticate(options, settings)?;
    let options = secure(options, settings)?;
    let addresses: Vec<&str> = settings.url.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    if addresses.is_empty() {
        return Err(BusError::Settings { reason: "url is empty: give nats://host:4222" });
    }
    options.connect(addresses).await.map_err(|source| BusError::Connect { source })
}

/// What contradicts itself is told before any file is read.
fn check(settings: &NatsSettings) -> Result<(), BusError> {
    let given = [settings.user.is_some(), settings.nkey_seed_file.is_some(), settings.credentials_file.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(BusError::Settings { reason: "give only one of user, nkey_seed_file and credentials_file" });
    }
    if settings.user.is_some() != settings.password.is_some() {
        return Err(BusError::Settings { reason: "user and password belong together" });
    }
    if settings.certificate.is_some() != settings.key.is_some() {
        return Err(BusError::Settings { reason: "certificate and key belong together" });
    }
    Ok(())
}

/// The options, with our key when there is one. Its file is read at each connection, so that a new key needs no restart.
fn with_key(settings: &NatsSettings) -> Result<ConnectOptions, BusError> {
    let Some(path) = settings.nkey_seed_file.clone() else { return Ok(ConnectOptions::new()) };
    // Read now too, so that a wrong one is named at the start.
    key_pair(&path)?;
    let path = Arc::new(path);
    Ok(ConnectOptions::with_auth_callback(move |nonce| {
        let path = Arc::clone(&path);
        async move {
            let pair = key_pair(&path).map_err(AuthError::new)?;
            let mut auth = Auth::new();
            auth.nkey = Some(pair.public_key());
            auth.signature = Some(pair.sign(&nonce).map_err(AuthError::new)?);
            Ok(auth)
        }
    }))
}

fn key_pair(path: &Path) -> Result<KeyPair, BusError> {
    let seed = Zeroizing::new(read(path)?);
    let wrong = || BusError::Seed { path: path.to_owned() };
    let pair = KeyPair::from_seed(seed.trim()).map_err(|_| wrong())?;
    if pair.key_pair_type() == KeyPairType::User { Ok(pair) } else { Err(wrong()) }
}

fn authenticate(options: ConnectOptions, settings: &NatsSettings) -> Result<ConnectOptions, BusError> {
    if let (Some(user), Some(password)) = (&settings.user, &settings.password) {
        return Ok(options.user_and_password(user.clone(), password.clone()));
    }
    if let Some(path) = &settings.credentials_file {
        let failed = |source| BusError::File { path: path.clone(), source };
        return options.credentials(&read(path)?).map_err(failed);
    }
    Ok(options)
}

/// The client reads these files at each connection; here they are read once before, so that a bad one is named.
fn secure(options: ConnectOptions, settings: &NatsSettings) -> Result<ConnectOptions, BusError> {
    let own = settings.certificate.as_deref().zip(settings.key.as_deref());
    tls::check_client(settings.authority.as_deref(), own)?;
    let mut options = options;
    if let Some(authority) = &settings.authority {
        options = options.add_root_certificates(authority.clone()).require_tls(true);
    }
    Ok(match own {
        Some((certificate, key)) => {
            options.add_client_certificate(certificate.to_owned(), key.to_owned()).require_tls(true)
        }
        None => options,
    })
}

fn read(path: &Path) -> Result<String, BusError> {
    std::fs::read_to_string(path).map_err(|source| BusError::File { path: path.to_owned(), source })
}

fn report(service: Service, event: &Event) {
    match event {
        Event::Connected => info!(%service, "connected to the broker"),
        Event::Disconnected => warn!(%service, "the broker is away; events wait in the outbox"),
        Event::SlowConsumer(_) => {
            warn!(%service, "messages came faster than they were taken; settlements will come again");
        }
        // Refused publications and subscriptions show only here.
        Event::ServerError(error) => warn!(%service, reason = %error, "the broker refused something"),
        Event::ClientError(error) => warn!(%service, reason = %error, "the broker's client met an error"),
        Event::LameDuckMode | Event::Draining | Event::Closed => info!(%service, "the broker's connection is ending"),
    }
}
