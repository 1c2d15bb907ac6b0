//! Names of things, one type for each, so that a report's id can never be passed where an alert's is meant.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not a UUID.
    #[error("{what} must be a UUID, such as 01977d3a-5f00-7000-8000-000000000000")]
    NotAUuid {
        /// What the id names, such as `a report id`.
        what: &'static str,
    },
    /// The text is empty, too long or holds another character than the allowed ones.
    #[error("{what} must be 1 to 64 characters of a to z, 0 to 9 and hyphen")]
    NotATextId {
        /// What the id names, such as `an organisation id`.
        what: &'static str,
    },
}

/// Serialises a type by its `Display` and deserialises it by its `FromStr`.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let given = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                given.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

macro_rules! uuid_ids {
    ($($(#[$about:meta])* $name:ident, $what:literal;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id (UUID version 7): it sorts by the time given, and the rest of it is random.
            pub fn new(now: DateTime<Utc>) -> Self {
                Self(uuid_at(now))
            }

            /// Takes an id as it was stored.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as it is stored.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(given).map(Self).map_err(|_| IdError::NotAUuid { what: $what })
            }
        }

        serde_as_text!($name);
    )+};
}

uuid_ids! {
    /// Names a report: what someone told us.
    ReportId, "a report id";
    /// Names a case: what triage works on.
    CaseId, "a case id";
    /// Names an alert: the approved text, its routing facts and asks.
    AlertId, "an alert id";
    /// Names a notice: one alert to one contact on one channel.
    NoticeId, "a notice id";
    /// Names an event on the bus.
    EventId, "an event id";
    /// Names a source that a verifier recorded.
    SourceId, "a source id";
    /// Names one version of a consent record.
    ConsentId, "a consent id";
    /// Names one attempt to send a notice.
    AttemptId, "an attempt id";
    /// Names a batch of notices.
    BatchId, "a batch id";
}

/// Times before 1970 count as 1970: a version 7 UUID cannot say them.
fn uuid_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! text_ids {
    ($($(#[$about:meta])* $name:ident, $what:literal;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The id as it is stored: 1 to 64 characters of `a` to `z`, `0` to `9` and hyphen.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                if is_text_id(given) {
                    Ok(Self(given.to_owned()))
                } else {
                    Err(IdError::NotATextId { what: $what })
                }
            }
        }

        serde_as_text!($name);
    )+};
}

text_ids! {
    /// Names an organisation, a signatory member or a partner, as the network's register does.
    OrganisationId, "an organisation id";
    /// Names a contact of an organisation: opaque, it says nothing about the person.
    ContactId, "a contact id";
    /// Names a person or program that acts: the holder of a key.
    ActorId, "an actor id";
}

fn is_text_id(given: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&given.len()) && given.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn ids_are_version_7_and_sort_by_time() {
        let early = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let first = ReportId::new(early);
        let second = ReportId::new(early + TimeDelta::milliseconds(1));
        assert_eq!(first.as_uuid().get_version_num(), 7);
        assert!(first < second);
        assert_ne!(ReportId::new(early), ReportId::new(early));
        assert_eq!(first.as_uuid().get_timestamp().unwrap().to_unix().0, 1_780_000_000);
    }

    #[test]
    fn ids_survive_text_and_json() {
        let id = AlertId::new(DateTime::UNIX_EPOCH - TimeDelta::days(1));
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<AlertId>(&json).unwrap(), id);
    }

    #[test]
    fn a_bad_id_says_what_it_should_be() {
        let error = "17".parse::<CaseId>().unwrap_err().to_string();
        assert!(error.starts_with("a case id must be a UUID"), "{error}");
        for given in ["", "Org-1", "org_1", "org 1", "org\n", &"a".repeat(65)] {
            let error = given.parse::<OrganisationId>().unwrap_err().to_string();
            assert_eq!(error, "an organisation id must be 1 to 64 characters of a to z, 0 to 9 and hyphen");
        }
        assert!("org-001-c2".parse::<ContactId>().is_ok());
    }
}
