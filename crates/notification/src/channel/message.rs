//! One e-mail to one recipient, as bytes: no display name from data, plain text and HTML, headers that say it is ours.

use chrono::{DateTime, Utc};
use lettre::Address;
use lettre::message::header::{ContentDisposition, ContentType, Header, HeaderName, HeaderValue, Subject};
use lettre::message::{Mailbox, Message, MessageBuilder, MultiPart, SinglePart};

/// Characters of an address in a header, whose lines end at 998.
const URL_CHARACTERS_MAX: usize = 900;

type HeaderError = Box<dyn std::error::Error + Send + Sync>;

/// The subject of an encrypted message: what RFC 9788 puts in place of one that is hidden.
const HIDDEN_SUBJECT: &str = "[...]";

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

/// How one message travels.
pub(crate) struct Letter<'a> {
    pub(crate) to: &'a Address,
    /// Differs for each notice, and tells two recipients who compare nothing.
    pub(crate) message_id: &'a str,
    pub(crate) date: DateTime<Utc>,
    /// Where one press ends e-mail to this contact (RFC 8058); none for staff, who are on duty.
    pub(crate) unsubscribe: Option<&'a str>,
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
text_header!(ListUnsubscribe, "List-Unsubscribe");
text_header!(ListUnsubscribePost, "List-Unsubscribe-Post");

impl Mail {
    /// The text as it is encrypted: a MIME entity with both parts and the true subject.
    pub(crate) fn to_entity(&self, boundary: &str) -> Result<Vec<u8>, MessageError> {
        let kind = format!("multipart/alternative; boundary=\"{boundary}\"; protected-headers=\"v1\"");
        let parts = MultiPart::builder()
            .header(ContentType::parse(&kind).map_err(|_| MessageError)?)
            .header(Subject::from(self.subject.clone()))
            .build()
            .singlepart(SinglePart::plain(self.plain.clone()))
            .singlepart(SinglePart::html(self.html.clone()));
        Ok(parts.formatted())
    }
}

impl MailHeaders {
    pub(crate) fn new(from: Address) -> Self {
        Self { from }
    }

    /// The bytes of one message.
    pub(crate) fn build(&self, letter: &Letter<'_>, mail: Mail) -> Result<Vec<u8>, MessageError> {
        let builder = self.headers(letter, mail.urgent, mail.subject);
        let parts = MultiPart::alternative_plain_html(mail.plain, mail.html);
        Ok(builder.multipart(parts).map_err(|_| MessageError)?.formatted())
    }

    /// The bytes of one encrypted message (RFC 3156); its subject says nothing.
    pub(crate) fn build_encrypted(
        &self,
        letter: &Letter<'_>,
        urgent: bool,
        armored: String,
    ) -> Result<Vec<u8>, MessageError> {
        let kind = |kind: &str| ContentType::parse(kind).map_err(|_| MessageError);
        let version =
            SinglePart::builder().header(kind("application/pgp-encrypted")?).body("Version: 1\r\n".to_owned());
        let text = SinglePart::builder()
            .header(kind("application/octet-stream; name=\"encrypted.asc\"")?)
            .header(ContentDisposition::inline_with_name("encrypted.asc"))
            .body(armored);
        let parts = MultiPart::encrypted("application/pgp-encrypted".to_owned()).singlepart(version).singlepart(text);
        let builder = self.headers(letter, urgent, HIDDEN_SUBJECT.to_owned());
        Ok(builder.multipart(parts).map_err(|_| MessageError)?.formatted())
    }

    fn headers(&self, letter: &Letter<'_>, urgent: bool, subject: String) -> MessageBuilder {
        let domain = self.from.domain();
        let mut builder = Message::builder()
            .from(Mailbox::new(None, self.from.clone()))
            .to(Mailbox::new(None, letter.to.clone()))
            .subject(subject)
            .date(letter.date.into())
            .message_id(Some(format!("<{}@{domain}>", letter.message_id)))
            .header(AutoSubmitted("auto-generated".to_owned()))
            .header(ListId(format!("<alerts.{domain}>")));
        if let Some(url) = letter.unsubscribe {
            builder = builder
                .header(ListUnsubscribe(format!("<{}>", bare(url))))
                .header(ListUnsubscribePost("List-Unsubscribe=One-Click".to_owned()));
        }
        if urgent {
            builder = builder.header(Importance("high".to_owned()));
        }
        builder
    }
}

/// An address of a page as a header can hold it.
fn bare(url: &str) -> String {
    let fits = |character: &char| character.is_ascii_graphic() && !matches!(character, '<' | '>');
    url.chars().filter(fits).take(URL_CHARACTERS_MAX).collect()
}
