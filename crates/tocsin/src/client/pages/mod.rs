//! Pages and tables for people, made of the services' answers: pure, so that a test can hold their form.

pub(super) mod alert;
pub(super) mod bus;
pub(super) mod case;
pub(super) mod contact;
pub(super) mod gateway;
pub(super) mod notice;
pub(super) mod report;
pub(super) mod verdict;

/// `yes` or `no`.
fn yes_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}
