//! Receivers on loopback: a mail server, an SMS gateway, a webhook receiver, a gateway to Signal, a Matrix homeserver.
//!
//! The demo, the tests and the benchmarks send to these instead of to the world. They speak the real protocols over
//! real sockets and keep what arrived, with the moment at which it did; they decide nothing and store nothing on disk.
//!
//! In reading order: [`Log`], what arrived; [`MailSink`], [`SmsSink`], [`WebhookSink`], [`SignalSink`],
//! [`MatrixSink`]; [`Authority`], the test
//! authority whose certificates the webhook receiver shows.

mod authority;
mod log;
mod mail;
mod matrix;
mod signal;
mod sms;
mod webhook;

pub use authority::{Authority, AuthorityError};
pub use log::{Arrival, Log};
pub use mail::{Mail, MailSink};
pub use matrix::{MatrixSink, RoomMessage};
pub use signal::{Signal, SignalSink};
pub use sms::{Sms, SmsSink};
pub use webhook::{Webhook, WebhookSink};
