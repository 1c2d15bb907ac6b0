//! A lane as the number that tables hold: the most urgent is the smallest, so that ordering by it is the priority.

use tocsin_proto::catalogue::Lane;

/// The number of a lane in a table.
pub(crate) const fn lane_number(lane: Lane) -> i16 {
    match lane {
        Lane::Urgent => 0,
        Lane::Normal => 1,
        Lane::Bulk => 2,
    }
}

/// The lane with this number; one that no release has written is treated as bulk.
pub(crate) const fn lane_from_number(number: i16) -> Lane {
    match number {
        0 => Lane::Urgent,
        1 => Lane::Normal,
        _ => Lane::Bulk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_order_lanes_by_urgency() {
        let numbers: Vec<i16> = Lane::ALL.into_iter().map(lane_number).collect();
        assert!(numbers.is_sorted());
        assert!(Lane::ALL.into_iter().all(|lane| lane_from_number(lane_number(lane)) == lane));
    }
}
