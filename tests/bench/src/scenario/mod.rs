//! The scenarios, numbered as everywhere in this project's documents.

pub(crate) mod accepts;
pub(crate) mod apart;
pub(crate) mod beside_bulk;
pub(crate) mod black_holes;
pub(crate) mod bus;
pub(crate) mod crowds;
pub(crate) mod deliveries;
pub(crate) mod isolation;
pub(crate) mod mails;
pub(crate) mod open_network;
pub(crate) mod overtaking;
pub(crate) mod slow_relay;
pub(crate) mod slow_webhooks;
pub(crate) mod text_messages;
pub(crate) mod urgent_webhooks;
