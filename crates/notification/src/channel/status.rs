//! Enhanced status codes (RFC 3463), and what they say about an address.

use std::fmt;
use std::str::FromStr;

/// A status as 5.1.1: class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnhancedStatus {
    class: u8,
    subject: u16,
    detail: u16,
}

/// No enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an enhanced status code has three numbers, as 5.1.1, and begins with 2, 4 or 5")]
pub(crate) struct StatusError;

/// What a failure says about the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BounceClass {
    /// It may work another time: a full mailbox, a server that is away, a policy against us.
    Soft,
    /// The address does not take mail.
    Hard,
}

impl BounceClass {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

impl EnhancedStatus {
    /// The class of a failure with this status; none when it is no failure.
    pub(crate) fn bounce(self) -> Option<BounceClass> {
        match (self.class, self.subject, self.detail) {
            // A mailbox that is full, and policies (subject 7), which speak of us and not of the address.
            (5, 2, 2) | (5, 7, _) | (4, ..) => Some(BounceClass::Soft),
            (5, ..) => Some(BounceClass::Hard),
            _ => None,
        }
    }

    /// Whether a server refuses us, by a policy of its own (x.7.x), and says nothing about the address.
    pub(crate) fn is_policy(self) -> bool {
        self.subject == 7
    }

    /// What a reply's code alone says, as if its subject were unknown (x.0.0).
    pub(crate) fn of_reply(code: u16) -> Option<Self> {
        let class = u8::try_from(code / 100).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        Some(Self { class, subject: 0, detail: 0 })
    }
}

impl FromStr for EnhancedStatus {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        let mut numbers = text.split('.').map(|number| {
            let digits = !number.is_empty() && number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
            if digits { number.parse::<u16>().ok() } else { None }
        });
        let (Some(Some(class)), Some(Some(subject)), Some(Some(detail)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(StatusError);
        };
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5)).ok_or(StatusError)?;
        Ok(Self { class, subject, detail })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_classed() {
        check("5.1.1", Some(BounceClass::Hard));
        check("5.0.0", Some(BounceClass::Hard));
        check("5.4.4", Some(BounceClass::Hard));
        check("5.2.2", Some(BounceClass::Soft));
        check("5.7.26", Some(BounceClass::Soft));
        check("4.4.7", Some(BounceClass::Soft));
        check("2.0.0", None);
        for wrong in ["", "5", "5.1", "5.1.1.1", "3.1.1", "5..1", "5.1.x", "5.1.1000", "+5.1.1"] {
            assert_eq!(wrong.parse::<EnhancedStatus>(), Err(StatusError), "{wrong}");
        }
        assert_eq!(EnhancedStatus::of_reply(550).unwrap().to_string(), "5.0.0");
        assert_eq!(EnhancedStatus::of_reply(354), None);
    }

    fn check(text: &str, expected: Option<BounceClass>) {
        let status: EnhancedStatus = text.parse().unwrap();
        assert_eq!((status.to_string().as_str(), status.bounce()), (text, expected));
    }
}
