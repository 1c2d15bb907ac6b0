//! The HTTP door: JSON for programs and pages for people, problems as `application/problem+json`, and the operator's
//! routes.

mod operations;
mod rules;
mod server;

use std::net::SocketAddr;

use crate::tls::TlsError;

pub use operations::{Check, operations_routes};
pub use server::{bind, serve, serve_with};

/// Why an HTTP door cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: is another process using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Off loopback without TLS.
    #[error("{address} is off loopback, where TLS is required: set `services.<name>.tls`, or listen on 127.0.0.1")]
    TlsRequired {
        /// The address.
        address: SocketAddr,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

#[cfg(test)]
mod tests;
