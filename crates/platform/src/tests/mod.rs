//! Tests of the platform: databases on both backends, and the contract of the bus on both forms.

mod contract;
mod database;
mod group_commit;
mod nats;
mod nats_secure;
mod outbox;
mod world;
