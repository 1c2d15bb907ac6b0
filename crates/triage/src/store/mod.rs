//! SQL, concrete, on the connection or transaction that it is given.

pub(crate) mod alerts;
pub(crate) mod cases;
pub(crate) mod drafts;
pub(crate) mod escalations;
pub(crate) mod findings;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod trail;

/// A count or position as the tables store it; more than fits is the largest that does.
pub(crate) fn small(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
