//! Faults, made in an order that a seed repeats, while people work; and what came of it.
//!
//! In reading order: [`plan`], which faults; [`trial`], the cluster and everybody at work on it; [`faults`], how each is
//! made; [`disk`], [`clock`] and [`forward`], what they need; [`rolling`], restarts in order instead of faults;
//! [`table`], what is printed.

pub mod clock;
pub mod disk;
pub mod faults;
pub mod forward;
pub mod plan;
pub mod rolling;
pub mod table;
pub mod trial;
