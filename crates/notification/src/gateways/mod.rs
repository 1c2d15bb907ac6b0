//! What carries notices out, as the people see it who keep it running: how each stands, pausing, and a test by hand.

mod board;
mod pauses;

pub(crate) use board::{Known, list, set_paused};
pub(crate) use pauses::{PAUSED, PAUSED_SECONDS, Pauses, put_off, run as run_pauses};
