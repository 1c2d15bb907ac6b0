#![doc = include_str!("../README.md")]
//!
//! In reading order: [`programs`], what is started; [`register`], what was started and how it is ended; [`process`],
//! one member; [`hosts`], where members live; [`nats`], [`postgres`] and [`settings`], what they are told;
//! [`cluster`], all of them together; [`people`], who uses it; [`sinks`], where its messages end. Then [`ledger`],
//! what was promised and whether it was kept, and [`chaos`], the faults.

pub mod chaos;
pub mod cluster;
pub mod hosts;
pub mod ledger;
pub mod nats;
pub mod people;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod register;
pub mod settings;
pub mod sinks;
