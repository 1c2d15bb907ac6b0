//! The client's tests.

mod forms;
mod server;
