//! The world outside: a mail server, an SMS gateway and a webhook receiver on loopback, in this process, so that they
//! survive whatever happens to the process under test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
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
    tls: Arc<ServerConfig>,
    mail_at: SocketAddr,
    /// Further lines of the section of e-mail.
    mail_settings: String,
    /// The section of the gateway that is used instead of ours.
    sms_gateway: Option<String>,
    /// Where webhooks to a host are sent, `*` being all others.
    webhooks_at: Vec<(String, SocketAddr)>,
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
        let webhook = WebhookSink::start(Some(Arc::clone(&tls)), Duration::ZERO).await?;
        Ok(Self {
            mail_at: mail.address(),
            mail_settings: String::new(),
            mail,
            sms,
            webhooks_at: vec![("*".to_owned(), webhook.address())],
            webhook,
            authority_pem: authority.pem(),
            tls,
            sms_gateway: None,
        })
    }

    /// Another mail server instead of ours.
    #[must_use]
    pub fn with_mail_at(mut self, address: SocketAddr) -> Self {
        self.mail_at = address;
        self
    }

    /// Further settings of e-mail, as lines of its section.
    #[must_use]
    pub fn with_mail_settings(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.mail_settings);
        self
    }

    /// Another SMS gateway instead of ours: its whole section, `[[notification.sms.gateways]]` included.
    #[must_use]
    pub fn with_sms_gateway(mut self, section: String) -> Self {
        self.sms_gateway = Some(section);
        self
    }

    /// Another webhook receiver instead of ours for one host, or with `*` for all that are not named.
    #[must_use]
    pub fn with_webhooks_at(mut self, host: &str, address: SocketAddr) -> Self {
        self.webhooks_at.retain(|(known, _)| known != host);
        self.webhooks_at.push((host.to_owned(), address));
        self
    }

    /// The TLS settings of the webhook receiver, for another one with the same names.
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The certificate of the authority that signed the webhook receiver's.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The settings that make notification send here.
    pub fn settings(&self, authority: &Path) -> String {
        let mail = self.mail_at;
        let sms = self.sms_gateway.clone().unwrap_or_else(|| {
            format!(
                "[[notification.sms.gateways]]\nname = \"sink\"\nkind = \"kannel\"\n\
                 url = \"http://{}/cgi-bin/sendsms\"\nusername = \"tocsin\"\npassword = \"not-a-secret\"\n",
                self.sms.address()
            )
        });
        let webhooks = self.webhooks_at.iter().map(|(host, address)| format!("\"{host}\" = \"{address}\"\n"));
        format!(
            "\n[notification.email]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n{}\n\n{sms}\
             \n[notification.webhook]\nextra_authority = \"{}\"\n\n[notification.webhook.connect_to]\n{}",
            mail.ip(),
            mail.port(),
            self.mail_settings,
            authority.display(),
            webhooks.collect::<String>(),
        )
    }
}
