//! Rows of ours as messages: notices and changes, without what the caller may not see.

use tocsin_platform::clock::from_ms;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{Change, Notice};

use crate::entity::notice;
use crate::entity::people::change;

/// The names of the lanes, by their numbers.
const LANES: [&str; 3] = ["urgent", "normal", "bulk"];

/// A notice. `names` says whether the caller may see who is written to, and who must act.
pub(super) fn notice(row: notice::Model, names: bool) -> Notice {
    let seen = |text: String| if names { text } else { String::new() };
    let in_hand = row.lease_owner.is_some();
    Notice {
        notice_id: row.notice_id.to_string(),
        alert_id: row.bulletin_id.to_string(),
        revision: u32::try_from(row.revision).unwrap_or(0),
        contact_id: seen(row.contact_id),
        channel: row.channel,
        state: row.state,
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        reason: row.reason.unwrap_or_default(),
        // While somebody holds it, this is the end of the lease.
        due_at: row.next_at_ms.filter(|_| !in_hand).map(|at| timestamp(from_ms(at))),
        organisation_id: seen(row.organisation_id),
        lane: lane(row.lane).to_owned(),
        changed_at: Some(timestamp(from_ms(row.changed_at_ms))),
        handed_to: seen(row.handed_to.unwrap_or_default()),
        in_hand,
    }
}

/// The name of a lane.
fn lane(number: i16) -> &'static str {
    usize::try_from(number).ok().and_then(|number| LANES.get(number)).copied().unwrap_or("bulk")
}

/// The number of a lane.
pub(super) fn lane_number(name: &str) -> Option<i16> {
    LANES.iter().zip(0_i16..).find(|(known, _)| **known == name).map(|(_, number)| number)
}

/// A change. What names a contact or an organisation is kept from who may see none.
pub(super) fn change(row: change::Model, names: bool) -> Change {
    let names_nobody = row.kind.starts_with("gateway.");
    Change {
        change_id: row.change_id.to_string(),
        at: Some(timestamp(from_ms(row.at_ms))),
        actor_id: row.actor_id,
        subject: if names || names_nobody { row.subject } else { String::new() },
        kind: row.kind,
        reason: row.reason,
        notices: u64::try_from(row.notices).unwrap_or(0),
    }
}
