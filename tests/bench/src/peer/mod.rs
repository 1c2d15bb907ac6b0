//! Other software on the same work, started by the harness in the same run.

pub(crate) mod alertmanager;
