//! Tests of the decisions that need many records: consent and release.

mod consent;
mod release;
