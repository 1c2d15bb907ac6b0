//! The gRPC door: health that turns `NOT_SERVING` before draining, reflection, keepalive, deadlines and one form of error.

mod calls;
mod client;
mod connector;
mod incoming;
mod reflection;
mod server;

use std::net::SocketAddr;

use crate::tls::TlsError;

pub use client::{connect, connect_with, outgoing};
pub(crate) use server::server_that_waits;
pub use server::{bind, server};

/// Why a gRPC door or a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
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
    /// The peer's address is not a URL.
    #[error("`{endpoint}` is not the address of a gRPC server: write it as https://host:port")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// The descriptions of our services do not decode.
    #[error("the descriptions for reflection do not decode: this build is damaged")]
    Reflection,
    /// The server failed.
    #[error("the gRPC server failed")]
    Serve(#[source] tonic::transport::Error),
}

#[cfg(test)]
mod tests;
