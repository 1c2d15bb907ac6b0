//! The client's tests.

mod bus;
mod deliveries;
mod forms;
mod server;
