//! The scenarios, numbered as everywhere in this project's documents.

pub(crate) mod accepts;
pub(crate) mod apart;
pub(crate) mod bus;
pub(crate) mod mails;
pub(crate) mod open_network;
pub(crate) mod urgent_webhooks;
