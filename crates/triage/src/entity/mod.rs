//! The tables of triage's own database. Whatever a person typed stands in a column named `sealed`, encrypted under the
//! data key of its case; in clear are only opaque ids, codes of state and the times that the clocks need.

pub(crate) mod alert;
pub(crate) mod case;
pub(crate) mod clock;
pub(crate) mod draft;
pub(crate) mod finding;
pub(crate) mod ledger;
