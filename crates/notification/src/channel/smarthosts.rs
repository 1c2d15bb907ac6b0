//! All smarthosts: the next one is tried when one does not answer, and what their replies mean for a notice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::address::Envelope;

use super::dkim::{DkimError, DkimSigners};
use super::session::{SessionFailure, Stage};
use super::smarthost::{Smarthost, Terms};
use super::{MailHeaders, Outcome, Pace};
use crate::config::EmailConfig;
use crate::gateways::Pauses;
use crate::tls::TlsError;

/// Why the settings of e-mail cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SmarthostError {
    /// The sender is no address.
    #[error("notification.email.from must be an e-mail address")]
    From,
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A signing key.
    #[error(transparent)]
    Dkim(#[from] DkimError),
}

/// A message as it was handed over, or not.
#[derive(Debug)]
pub(crate) struct Handed<'a> {
    /// The smarthost that was asked last.
    pub(crate) host: Option<&'a str>,
    /// The code of success, or what went wrong.
    pub(crate) outcome: Result<u16, SessionFailure>,
}

/// The smarthosts as all attempts share them.
#[derive(Clone)]
pub(crate) struct Smarthosts {
    inner: Arc<Inner>,
}

struct Inner {
    headers: MailHeaders,
    signers: DkimSigners,
    hosts: Vec<Smarthost>,
}

impl Smarthosts {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, SmarthostError> {
        let from: lettre::Address = config.from.parse().map_err(|_| SmarthostError::From)?;
        let terms = Terms {
            hello: from.domain().to_owned(),
            sessions_max: config.connections_max,
            command_deadline: Duration::from_secs(config.command_seconds.into()),
            data_deadline: Duration::from_secs(config.data_seconds.into()),
        };
        let hosts = config.all_smarthosts().iter().map(|one| Smarthost::new(one, &terms)).collect::<Result<_, _>>()?;
        let signers = DkimSigners::load(&config.dkim, from.domain())?;
        Ok(Self { inner: Arc::new(Inner { headers: MailHeaders::new(from), signers, hosts }) })
    }

    /// The headers that all our messages share.
    pub(crate) fn headers(&self) -> &MailHeaders {
        &self.inner.headers
    }

    /// What signs them.
    pub(crate) fn signers(&self) -> &DkimSigners {
        &self.inner.signers
    }

    /// Makes one attempt, with the next smarthost when one does not answer, or refuses us, and there is time until `ends`.
    /// A refusal of the recipient or of the message is the answer; nobody else is asked.
    pub(crate) async fn send(&self, envelope: &Envelope, message: &[u8], ends: Instant, pauses: &Pauses) -> Handed<'_> {
        let none = |word| Handed { host: None, outcome: Err(SessionFailure::word(word)) };
        if envelope.to().len() != 1 {
            return none("one_recipient_only");
        }
        let mut last = none("no_smarthost");
        for (index, host) in self.in_order(Instant::now(), pauses).into_iter().enumerate() {
            if index > 0 && Instant::now() + host.longest() > ends {
                break;
            }
            let outcome = host.deliver(envelope, message).await;
            let answered = !matches!(&outcome, Err(failure) if matches!(failure.stage, Stage::Session | Stage::Client));
            last = Handed { host: Some(host.name()), outcome };
            if answered {
                break;
            }
        }
        last
    }

    /// How many rest, because they did not answer.
    pub(crate) fn resting(&self, now: Instant) -> usize {
        self.inner.hosts.iter().filter(|host| host.is_resting(now)).count()
    }

    /// Makes one attempt through the smarthost of this name alone.
    pub(crate) async fn send_by(&self, name: &str, envelope: &Envelope, message: &[u8]) -> Result<u16, SessionFailure> {
        match self.inner.hosts.iter().find(|host| host.name() == name) {
            Some(host) => host.deliver(envelope, message).await,
            None => Err(SessionFailure::word("no_smarthost")),
        }
    }

    /// All of them, in the order of the settings.
    pub(crate) fn hosts(&self) -> &[Smarthost] {
        &self.inner.hosts
    }

    /// Whether there are some, and people have paused every one.
    pub(crate) fn are_paused(&self, pauses: &Pauses) -> bool {
        !self.inner.hosts.is_empty() && self.inner.hosts.iter().all(|host| pauses.is_paused(host.name()))
    }

    /// Those that answer in the order of the settings, and behind them those that rest, the one that has rested longest
    /// first: a notice always makes an attempt. Without those that people have paused.
    fn in_order(&self, now: Instant, pauses: &Pauses) -> Vec<&Smarthost> {
        let open = self.inner.hosts.iter().filter(|host| !pauses.is_paused(host.name()));
        let mut rests: Vec<(Duration, &Smarthost)> = open.map(|host| (host.rest_left(now), host)).collect();
        rests.sort_by_key(|(rest, _)| *rest);
        rests.into_iter().map(|(_, host)| host).collect()
    }
}

/// What a failure means for the notice. Only a word about the recipient or the message ends it: whatever a smarthost
/// says about us is for the operator to mend, and the notice waits.
pub(crate) fn judge(failure: &SessionFailure) -> Outcome {
    match failure.reply {
        Some(reply @ 500..=599) if matches!(failure.stage, Stage::Recipient | Stage::Message) => {
            Outcome::Refused { code: reply.to_string(), tries: 1 }
        }
        Some(reply @ 400..=499) => Outcome::Temporary {
            code: reply.to_string(),
            pace: Pace::MailServer,
            retry_after_seconds: None,
            throttled: reply == 421,
        },
        // Any other code is out of place: the dialogue is not to be trusted, and the notice is tried again.
        Some(reply) => Outcome::temporary(reply.to_string()),
        None => Outcome::temporary(failure.word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_have_their_meaning() {
        check(Stage::Recipient, Some(450), "later, as a mail server asks");
        check(Stage::Session, Some(421), "later, as a mail server asks");
        check(Stage::Recipient, Some(550), "refused");
        check(Stage::Message, Some(554), "refused");
        check(Stage::Session, Some(535), "later");
        check(Stage::Client, Some(554), "later");
        check(Stage::Message, Some(354), "later");
        check(Stage::Message, None, "later");
    }

    fn check(stage: Stage, reply: Option<u16>, expected: &str) {
        let failure = SessionFailure { stage, reply, ..SessionFailure::word("data_timeout") };
        let shown = match judge(&failure) {
            Outcome::Temporary { pace: Pace::MailServer, .. } => "later, as a mail server asks",
            Outcome::Temporary { .. } => "later",
            Outcome::Refused { tries: 1, .. } => "refused",
            _ => "other",
        };
        assert_eq!(shown, expected, "{stage:?} {reply:?}");
    }
}
