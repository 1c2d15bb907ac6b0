//! `ListDegradedDestinations`: the destinations that fail, as the process that answers has seen them since its start.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use tocsin_platform::clock::to_ms;
use tocsin_platform::failure::Failure;
use tocsin_platform::pages::{page_size, page_token};
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{
    DegradedDestination, ListDegradedDestinationsRequest, ListDegradedDestinationsResponse,
};

use crate::engine::Degraded;
use crate::office::Office;

/// Where a destination stands in the list. It keeps its place while it fails, so a page goes on where the one before
/// ended, whatever failed or recovered between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    since_ms: i64,
    destination: i64,
}

impl Place {
    fn of(degraded: &Degraded) -> Self {
        Self { since_ms: to_ms(degraded.since), destination: degraded.destination }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.since_ms, self.destination)
    }
}

/// This is no place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (since_ms, destination) = text.split_once('.').ok_or(NoPlace)?;
        Ok(Self {
            since_ms: since_ms.parse().map_err(|_| NoPlace)?,
            destination: destination.parse().map_err(|_| NoPlace)?,
        })
    }
}

/// `names` says whether the caller may see who is written to.
pub(super) fn list_degraded_destinations(
    office: &Office,
    request: &ListDegradedDestinationsRequest,
    names: bool,
) -> Result<ListDegradedDestinationsResponse, Failure> {
    let watched = TimeDelta::from_std(office.engine.watches_since().elapsed()).ok();
    let (destinations, next_page_token) = page(office.engine.degraded(), request, names)?;
    Ok(ListDegradedDestinationsResponse {
        destinations,
        next_page_token,
        seen_since: watched.map(|watched| timestamp(office.clock.now() - watched)),
    })
}

/// One page of them, and the token of the next.
fn page(
    mut degraded: Vec<Degraded>,
    request: &ListDegradedDestinationsRequest,
    names: bool,
) -> Result<(Vec<DegradedDestination>, String), Failure> {
    let size = usize::try_from(page_size(request.page_size)).unwrap_or(usize::MAX);
    let before: Option<Place> = page_token(&request.page_token)?;
    degraded.retain(|one| before.is_none_or(|before| Place::of(one) > before));
    // Within the millisecond that a token tells, the destination decides.
    degraded.sort_by_key(Place::of);
    let goes_on = degraded.len() > size;
    degraded.truncate(size);
    let next = degraded.last().filter(|_| goes_on).map(|last| Place::of(last).to_string()).unwrap_or_default();
    Ok((degraded.into_iter().map(|one| shown(one, names)).collect(), next))
}

fn shown(degraded: Degraded, names: bool) -> DegradedDestination {
    DegradedDestination {
        channel: degraded.channel.as_str().to_owned(),
        since: Some(timestamp(degraded.since)),
        failures: degraded.failures.into(),
        contact_ids: if names { degraded.contact_ids } else { Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use tocsin_domain::channel::Channel;

    use super::*;

    fn failing(destination: i64, since: DateTime<Utc>) -> Degraded {
        let contact_ids = vec![format!("org-{destination}")];
        Degraded { destination, channel: Channel::Webhook, contact_ids, since, failures: 5 }
    }

    fn ask(degraded: &[Degraded], page_size: u32, page_token: &str) -> (Vec<String>, String) {
        let request = ListDegradedDestinationsRequest { page_size, page_token: page_token.to_owned() };
        let (shown, next) = page(degraded.to_vec(), &request, true).unwrap();
        (shown.into_iter().flat_map(|one| one.contact_ids).collect(), next)
    }

    #[test]
    fn pages_follow_each_other_while_destinations_come_and_go() {
        let began = DateTime::from_timestamp(1_783_266_000, 0).unwrap();
        // Two of them failed within one millisecond, the one with the greater hash first.
        let mut known = vec![
            failing(9, began),
            failing(4, began + TimeDelta::microseconds(10)),
            failing(-7, began + TimeDelta::seconds(1)),
            failing(1, began + TimeDelta::seconds(2)),
        ];
        let (first, token) = ask(&known, 2, "");
        assert_eq!(first, ["org-4", "org-9"]);
        known.remove(0);
        known.push(failing(3, began + TimeDelta::seconds(3)));
        let (second, token) = ask(&known, 2, &token);
        assert_eq!(second, ["org--7", "org-1"]);
        assert_eq!(ask(&known, 2, &token), (vec!["org-3".to_owned()], String::new()));
        assert_eq!(
            ask(&known, 4, ""),
            (["org-4", "org--7", "org-1", "org-3"].map(str::to_owned).to_vec(), String::new())
        );
    }

    #[test]
    fn only_tokens_of_ours_are_taken_and_nobody_is_named_without_leave() {
        let known = vec![failing(-7, DateTime::from_timestamp(1_783_266_000, 0).unwrap())];
        for wrong in ["x", "1", "1.", ".1", "1.x", "1.1.1"] {
            let request = ListDegradedDestinationsRequest { page_token: wrong.to_owned(), ..Default::default() };
            assert!(format!("{:?}", page(known.clone(), &request, true).unwrap_err()).contains("PAGE_TOKEN_INVALID"));
        }
        let (shown, _) = page(known, &ListDegradedDestinationsRequest::default(), false).unwrap();
        assert_eq!((shown[0].contact_ids.len(), shown[0].failures, shown[0].channel.as_str()), (0, 5, "webhook"));
    }
}
