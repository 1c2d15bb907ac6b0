//! E-mail against real servers and independent readers: Postfix, smtp-sink, `GnuPG`, a DKIM verifier, Python's parser.

mod bounces;
mod injection;
mod messages;
mod openpgp;
mod postfix;
mod sinks;
mod tools;
mod unsubscribe;

pub(super) use unsubscribe::{lift, suppressions};
