//! What the machine itself allows: the same work by the barest client, measured in the same run.

pub(crate) mod jetstream;
pub(crate) mod log;
pub(crate) mod postgres;
pub(crate) mod smtp;
pub(crate) mod sqlite;
pub(crate) mod webhook;
