//! The receivers of the demo: a mail server, an SMS gateway and a webhook receiver under a test authority.

use std::time::{Duration, Instant};

use tocsin_sinks::{Authority, MailSink, SmsSink, WebhookSink};
use url::Url;

use super::DemoError;
use super::summary::Sinks;
use crate::files::network::Network;

/// The mail domain of the demo's own staff: their pages are not part of the alert.
pub(super) const STAFF_DOMAIN: &str = "staff.tocsin.example";
/// The beginning of the staff's telephone numbers.
pub(super) const STAFF_NUMBERS: &str = "+1201555";

/// All three, on free loopback ports.
pub(super) struct Receivers {
    pub(super) mail: MailSink,
    pub(super) sms: SmsSink,
    pub(super) webhook: WebhookSink,
    pub(super) authority_pem: String,
}

impl Receivers {
    /// Starts them; the webhook receiver answers for every host name in the network.
    pub(super) async fn start(network: &Network) -> Result<Self, DemoError> {
        let authority = Authority::new().map_err(DemoError::other)?;
        let mut hosts: Vec<String> = network
            .contacts()
            .iter()
            .filter_map(|contact| Url::parse(&contact.webhook).ok())
            .filter_map(|url| url.host_str().map(str::to_owned))
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        let tls = authority.server_for(hosts).map_err(DemoError::other)?;
        Ok(Self {
            mail: MailSink::start(Duration::ZERO).await.map_err(DemoError::other)?,
            sms: SmsSink::start().await.map_err(DemoError::other)?,
            webhook: WebhookSink::start(Some(tls), Duration::ZERO).await.map_err(DemoError::other)?,
            authority_pem: authority.pem(),
        })
    }

    /// How many messages of the alert arrived, pages of the staff aside.
    pub(super) fn counts(&self) -> Sinks {
        self.arrivals().0
    }

    /// When the first and the last message of the alert arrived.
    pub(super) fn span(&self) -> Option<(Instant, Instant)> {
        let (_, moments) = self.arrivals();
        Some((*moments.iter().min()?, *moments.iter().max()?))
    }

    fn arrivals(&self) -> (Sinks, Vec<Instant>) {
        let mails: Vec<_> = self.mail.log().all().into_iter().filter(|mail| !to_staff(&mail.item.to)).collect();
        let texts: Vec<_> =
            self.sms.log().all().into_iter().filter(|sms| !sms.item.to.starts_with(STAFF_NUMBERS)).collect();
        let webhooks = self.webhook.log().all();
        let sinks = Sinks { email: mails.len(), sms: texts.len(), webhook: webhooks.len() };
        let moments = mails.iter().map(|mail| mail.at);
        let moments = moments.chain(texts.iter().map(|sms| sms.at)).chain(webhooks.iter().map(|webhook| webhook.at));
        (sinks, moments.collect())
    }
}

/// Whether a mail went to the demo's own staff.
pub(super) fn to_staff(recipients: &[String]) -> bool {
    recipients.iter().any(|recipient| recipient.ends_with(STAFF_DOMAIN))
}
