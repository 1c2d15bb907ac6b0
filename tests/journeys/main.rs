//! Journeys through real processes and real servers, one file a journey.
#![expect(clippy::expect_used, reason = "a journey ends at the first thing that is not as it should be")]

mod canaries;
mod chance;
mod degradation;
mod demo;
mod deployment;
mod distributed;
mod durability;
mod fail_points;
mod hostile;
mod house;
mod interoperation;
mod kill;
mod oracle;
mod people;
mod roles;
