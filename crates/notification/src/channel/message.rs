//! One e-mail to one recipient, as bytes: no display name from data, plain text and HTML, headers that say it is ours.

use chrono::{DateTime, Utc};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

type HeaderError = Box<dyn std::error::Error + Send + Sync>;

/// What a message says.
pub(crate) struct Mail {
    /// One line.
    pub(crate) subject: String,
    /// The plain text.
    pub(crate) plain: String,
    /// The same as HTML without remote content.
    pub(crate) html: String,
    /// Asks the reader's program to show it first.
    pub(crate) urgent: bool,
}

/// What every message of this installation has in common.
#[derive(Debug, Clone)]
pub(crate) struct MailHeaders {
    from: Address,
}

/// The message could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be built")]
pub(crate) struct MessageError;

macro_rules! text_header {
    ($name:ident, $header:literal) => {
        #[derive(Clone)]
        struct $name(String);

        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($header)
            }

            fn parse(text: &str) -> Result<Self, HeaderError> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

text_header!(AutoSubmitted, "Auto-Submitted");
text_header!(Importance, "Importance");
text_header!(ListId, "List-Id");

impl MailHeaders {
    pub(crate) fn new(from: Address) -> Self {
        Self { from }
    }

    /// The sender of the envelope.
    pub(crate) fn from(&self) -> &Address {
        &self.from
    }

    /// The bytes of one message. `message_id` is random for each recipient, so that two who compare learn nothing.
    pub(crate) fn build(
        &self,
        to: &Address,
        mail: Mail,
        message_id: &str,
        date: DateTime<Utc>,
    ) -> Result<Vec<u8>, MessageError> {
        let domain = self.from.domain();
        let mut builder = Message::builder()
            .from(Mailbox::new(None, self.from.clone()))
            .to(Mailbox::new(None, to.clone()))
            .subject(mail.subject)
            .date(date.into())
            .message_id(Some(format!("<{message_id}@{domain}>")))
            .header(AutoSubmitted("auto-generated".to_owned()))
            .header(ListId(format!("<alerts.{domain}>")));
        if mail.urgent {
            builder = builder.header(Importance("high".to_owned()));
        }
        let parts = MultiPart::alternative_plain_html(mail.plain, mail.html);
        let message = builder.multipart(parts).map_err(|_| MessageError)?;
        Ok(message.formatted())
    }
}
