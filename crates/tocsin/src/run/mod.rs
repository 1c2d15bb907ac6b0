//! Commands that run services or work on an installation's own files.

pub(crate) mod backup;
pub(crate) mod health;
pub(crate) mod migrate;
pub(crate) mod serve;
pub(crate) mod up;
