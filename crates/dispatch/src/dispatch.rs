//! What every verb and consumer of this service shares.

use std::sync::Arc;

use prost_types::Timestamp;
use sea_orm::DbErr;
use tocsin_domain::id::OrganisationId;
use tocsin_domain::priority::{Lane as DomainLane, Priority};
use tocsin_domain::reference::{Reference, ShortCode, ShortCodeError};
use tocsin_domain::role::Role;
use tocsin_platform::clock::{Clock, from_ms, to_ms};
use tocsin_platform::credentials::{Credentials, Principal};
use tocsin_platform::database::{Database, agreed_now};
use tocsin_platform::failure::Failure;
use tocsin_platform::outbox::Outbox;
use tocsin_proto::catalogue::Lane;
use tocsin_proto::convert::timestamp;

use crate::config::DispatchConfig;
use crate::content::Contents;
use crate::feed::tail::Tail;
use crate::network::NetworkCache;
use crate::store::alerts::AlertName;
use crate::token::LocalKeys;

/// The shared state, one for the process.
pub(crate) struct Dispatch {
    pub(crate) config: DispatchConfig,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) outbox: Outbox,
    pub(crate) credentials: Credentials,
    pub(crate) networks: NetworkCache,
    pub(crate) contents: Contents,
    pub(crate) keys: LocalKeys,
    pub(crate) tail: Tail,
}

/// The shared state as handlers hold it.
pub(crate) type Shared = Arc<Dispatch>;

/// Staff who may read every alert.
pub(crate) const STAFF: [Role; 3] = [Role::Coordinator, Role::DutyOfficer, Role::Approver];
/// Those who read what their organisation received.
pub(crate) const MEMBERS: [Role; 2] = [Role::SignatoryDelegate, Role::PartnerDesk];
/// Both.
pub(crate) const READERS: [Role; 5] =
    [Role::Coordinator, Role::DutyOfficer, Role::Approver, Role::SignatoryDelegate, Role::PartnerDesk];

/// Whose eyes an alert is shown to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Staff, who see every alert.
    Staff,
    /// An organisation, which sees what it received.
    Organisation(OrganisationId),
}

impl Reader {
    /// The reader behind a key that has one of [`READERS`].
    pub(crate) fn of(principal: &Principal) -> Result<Self, Failure> {
        if principal.has_any(&STAFF) {
            return Ok(Self::Staff);
        }
        Ok(Self::Organisation(organisation_of(principal)?))
    }

    /// The organisation; `None` for staff.
    pub(crate) fn organisation(&self) -> Option<&OrganisationId> {
        match self {
            Self::Staff => None,
            Self::Organisation(organisation) => Some(organisation),
        }
    }
}

/// The organisation for which a key acts.
pub(crate) fn organisation_of(principal: &Principal) -> Result<OrganisationId, Failure> {
    principal.organisation.clone().ok_or_else(|| {
        Failure::forbidden("KEY_WITHOUT_ORGANISATION", "this key acts for no organisation: ask for one that does")
    })
}

impl Dispatch {
    /// The time on which all processes agree, in milliseconds: whether a consent has expired is not for each to say.
    pub(crate) async fn agreed_now_ms(&self) -> Result<i64, DbErr> {
        Ok(to_ms(agreed_now(self.database.reader(), &self.clock).await?))
    }

    /// Reads what a person calls an alert: its id, its short code or its reference (with or without a revision).
    pub(crate) fn alert_name(&self, given: &str) -> Result<AlertName, Failure> {
        let given = given.trim();
        if let Ok(id) = given.parse::<tocsin_domain::id::AlertId>() {
            return Ok(AlertName::Id(id.as_uuid()));
        }
        if let Ok(code) = given.parse::<ShortCode>() {
            return Ok(AlertName::ShortCode(code.to_string()));
        }
        if given.parse::<Reference>().is_ok() {
            return Ok(AlertName::ReferenceMac(self.reference_mac(given)));
        }
        if given.parse::<ShortCode>() == Err(ShortCodeError::Check) {
            return Err(Failure::invalid("ALERT_NAME", "this short code has a typing error").field(
                "alert",
                "compare it with the message, and check the last character: it does not fit the others",
            ));
        }
        Err(Failure::invalid("ALERT_NAME", "this names no alert")
            .field("alert", "give an id (UUID), a short code such as A7F3-K2W, or a reference such as XA-2026-0114"))
    }

    /// The keyed hash of a reference without its revision, because an update keeps the reference.
    pub(crate) fn reference_mac(&self, reference: &str) -> Vec<u8> {
        match reference.parse::<Reference>() {
            Ok(parsed) => self.keys.reference_mac(&Reference { revision: 0, ..parsed }.to_string()),
            Err(_) => self.keys.reference_mac(reference),
        }
    }
}

/// The bus's lane for an alert of this priority.
pub(crate) fn lane(priority: Priority) -> Lane {
    match priority.lane() {
        DomainLane::Urgent => Lane::Urgent,
        DomainLane::Normal => Lane::Normal,
        DomainLane::Bulk => Lane::Bulk,
    }
}

/// The lane of a stored priority; what does not parse waits for nothing.
pub(crate) fn lane_of(priority: &str) -> Lane {
    priority.parse().map_or(Lane::Urgent, lane)
}

/// A stored moment on the wire.
pub(crate) fn moment(at_ms: i64) -> Timestamp {
    timestamp(from_ms(at_ms))
}
