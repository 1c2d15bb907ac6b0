//! The client's tests.

mod bus;
mod forms;
mod server;
