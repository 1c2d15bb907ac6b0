//! The statements of dispatch, by table. Each takes the connection or transaction; what comes in sets goes in sets.

pub(crate) mod alerts;
pub(crate) mod feed;
pub(crate) mod organisations;
pub(crate) mod progress;
pub(crate) mod recipients;
