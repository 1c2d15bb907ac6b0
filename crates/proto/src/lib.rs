//! What Tocsin says: the generated messages, conversions to and from the domain, and the catalogue of events.
//!
//! Codes travel as their stable text. Wire types stop at the door: a service decodes them into domain types with the
//! conversions of [`convert`], which name every field that is wrong at once.

pub mod catalogue;
pub mod convert;
mod redacted;

/// Generated from `proto/`; its documentation is the comments there. Each package names the lints that its code breaks.
macro_rules! generated {
    ($($package:ident: $($lint:path),+;)+) => {
        $(
            #[expect($($lint),+, reason = "generated from the protos, which carry the comments")]
            pub mod $package {
                /// Version 1 of this package.
                pub mod v1 {
                    include!(concat!(env!("OUT_DIR"), "/tocsin.", stringify!($package), ".v1.rs"));
                }
            }
        )+
    };
}

generated! {
    common: missing_docs, clippy::pedantic;
    intake: missing_docs, clippy::pedantic, clippy::allow_attributes;
    triage: missing_docs, clippy::pedantic, clippy::allow_attributes;
    dispatch: missing_docs, clippy::pedantic, clippy::allow_attributes;
    notification: missing_docs, clippy::pedantic, clippy::allow_attributes;
    event: missing_docs, clippy::pedantic;
    operations: missing_docs, clippy::pedantic, clippy::allow_attributes;
}

/// Every proto as a `FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tocsin.descriptors"));
