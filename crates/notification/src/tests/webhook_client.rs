//! The webhook client by itself, with a network of the test behind it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use tocsin_platform::config::Settings;
use tokio::net::TcpStream;

use crate::channel::{
    Attempted, Network, Outcome, SystemNetwork, WebhookKeys, WebhookPost, WebhookSecret, WebhookUrl, Webhooks,
};
use crate::config::NotificationConfig;

/// A client with these keys of `[notification.webhook]`.
pub(super) fn client_with(more: &str, network: Arc<dyn Network>) -> Webhooks {
    let text = format!("[notification.webhook]\nallow_loopback_http = true\n{more}\n");
    let config = NotificationConfig::read(&Settings::from_text(&text).unwrap()).unwrap();
    Webhooks::new(&config.webhook, network).unwrap()
}

/// The same on this machine's own network.
pub(super) fn client(more: &str) -> Webhooks {
    client_with(more, Arc::new(SystemNetwork))
}

/// Posts a small body and returns how it ended.
pub(super) async fn post(client: &Webhooks, to: &str) -> Attempted {
    let to = WebhookUrl::parse(to, true).unwrap();
    let keys = WebhookKeys { secret: Some(WebhookSecret::generate().unwrap()), ..WebhookKeys::default() };
    let body = Bytes::from_static(br#"{"type":"webhook.tested"}"#);
    client.send(&to, &keys, WebhookPost { id: "n1", timestamp_seconds: 1_780_000_000, body }).await
}

/// An end in one word and its code.
pub(super) fn shown(attempted: &Attempted) -> String {
    match &attempted.outcome {
        Outcome::Taken { code, .. } => format!("taken {code}"),
        Outcome::Temporary { code, throttled: true, .. } => format!("throttled {code}"),
        Outcome::Temporary { code, .. } => format!("later {code}"),
        Outcome::Refused { code, .. } => format!("refused {code}"),
        Outcome::Gone { code } => format!("gone {code}"),
        other => format!("{other:?}"),
    }
}

/// A network on which every connection is noted and leads to one loopback address, whatever it was for.
#[derive(Debug)]
pub(super) struct NotedNetwork<L> {
    pub(super) lookup: L,
    pub(super) target: SocketAddr,
    pub(super) connected: std::sync::Mutex<Vec<SocketAddr>>,
}

/// What a test's name server says.
pub(super) trait Names: std::fmt::Debug + Send + Sync {
    fn of(&self, name: &str) -> Vec<IpAddr>;
}

#[async_trait::async_trait]
impl<L: Names> Network for NotedNetwork<L> {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.lookup.of(name))
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.connected.lock().unwrap().push(address);
        TcpStream::connect(self.target).await
    }
}
