//! Tests of the platform: databases on both backends, and the contract of the bus on both forms.

mod batches;
mod contract;
mod database;
mod drift;
mod group_commit;
mod nats;
mod nats_secure;
mod operations;
mod outbox;
mod replicas;
mod world;
