//! What every verb, consumer and reconciler of triage works with.

use std::sync::Arc;

use tocsin_platform::clock::Clock;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::database::Database;
use tocsin_platform::lifecycle::Waker;
use tocsin_platform::outbox::Outbox;

use crate::config::TriageConfig;
use crate::peers::Peers;
use crate::vault::Vault;

/// The desk of the people who triage. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) outbox: Outbox,
    pub(crate) vault: Vault,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<TriageConfig>,
    pub(crate) credentials: Credentials,
    pub(crate) peers: Peers,
    /// Wakes the reconciler of escalations when there is a new clock.
    pub(crate) escalations: Waker,
}
