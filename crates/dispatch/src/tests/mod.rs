//! Dispatch through its doors on loopback, on both databases, with stand-ins for triage and notification on the same bus.

mod acknowledge;
mod audience;
mod canary;
mod coverage;
mod expiry;
mod feed;
mod harness;
mod neighbour;
mod processes;
mod race;
mod release;
mod replies;
mod respond;
mod stream;
