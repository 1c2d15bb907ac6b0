//! The doors: gRPC and JSON lead to the same three verbs, one file each.

mod add_message;
mod get_report;
mod grpc;
pub(crate) mod json;
mod submit_report;

pub(crate) use grpc::IntakeDoor;
