//! The world outside: a mail server, an SMS gateway and a webhook receiver on loopback, in this process, so that they
//! survive whatever happens to the process under test.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tocsin_sinks::{Authority, MailSink, SmsSink, WebhookSink};

use crate::Outcome;

/// All three receivers.
pub struct Receivers {
    /// The mail server.
    pub mail: MailSink,
    /// The SMS gateway, which also sends receipts.
    pub sms: SmsSink,
    /// The webhook receiver, with TLS for the names it was started with.
    pub webhook: WebhookSink,
    authority_pem: String,
    mail_at: SocketAddr,
}

impl Receivers {
    /// Starts them; the webhook receiver shows a certificate for these host names.
    pub async fn start(hosts: Vec<String>) -> Outcome<Self> {
        Self::around(SmsSink::start().await?, hosts).await
    }

    /// The same for services whose doors have certificates of the authority of this PEM text.
    pub async fn start_trusting(hosts: Vec<String>, authority: &[u8]) -> Outcome<Self> {
        Self::around(SmsSink::start_trusting(authority).await?, hosts).await
    }

    async fn around(sms: SmsSink, hosts: Vec<String>) -> Outcome<Self> {
        let authority = Authority::new()?;
        let hosts = if hosts.is_empty() { vec!["hooks.example".to_owned()] } else { hosts };
        let tls = authority.server_for(hosts)?;
        let mail = MailSink::start(Duration::ZERO).await?;
        Ok(Self {
            mail_at: mail.address(),
            mail,
            sms,
            webhook: WebhookSink::start(Some(tls), Duration::ZERO).await?,
            authority_pem: authority.pem(),
        })
    }

    /// Another mail server instead of ours.
    #[must_use]
    pub fn with_mail_at(mut self, address: SocketAddr) -> Self {
        self.mail_at = address;
        self
    }

    /// The certificate of the authority that signed the webhook receiver's.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The settings that make notification send here.
    pub fn settings(&self, authority: &Path) -> String {
        let mail = self.mail_at;
        format!(
            "\n[notification.email]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n\
             \n[[notification.sms.gateways]]\nname = \"sink\"\nkind = \"kannel\"\n\
             url = \"http://{}/cgi-bin/sendsms\"\nusername = \"tocsin\"\npassword = \"not-a-secret\"\n\
             \n[notification.webhook]\nextra_authority = \"{}\"\n\
             \n[notification.webhook.connect_to]\n\"*\" = \"{}\"\n",
            mail.ip(),
            mail.port(),
            self.sms.address(),
            authority.display(),
            self.webhook.address(),
        )
    }
}
