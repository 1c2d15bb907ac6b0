//! intake through its doors on loopback, on both databases, with a stand-in for triage on the same bus.

mod accept;
mod answers;
mod away;
mod canary;
mod door;
mod harness;
mod hostile;
mod idempotency;
mod openapi;
mod processes;
mod slow;
mod triage;
