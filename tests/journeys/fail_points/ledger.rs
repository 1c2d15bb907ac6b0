//! What clients were answered with success: the promises that must be kept.

use std::collections::BTreeMap;

use tocsin_tests::Outcome;
use tocsin_tests::trouble::ensure;

/// An alert that was released.
#[derive(Debug, Clone)]
pub(super) struct Released {
    pub(super) alert_id: String,
    pub(super) short_code: String,
    pub(super) case: String,
}

/// Every promise.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Report ids by idempotency key.
    pub(super) reports: BTreeMap<String, String>,
    /// Receipts by report id.
    pub(super) receipts: BTreeMap<String, String>,
    /// Messages and the report that each belongs to.
    pub(super) messages: Vec<(String, String)>,
    /// Answers and the report that each belongs to.
    pub(super) answers: Vec<(String, String)>,
    /// Alerts.
    pub(super) released: Vec<Released>,
    /// Alerts that an organisation acknowledged.
    pub(super) acknowledged: Vec<(String, String)>,
    /// Cases that were stopped.
    pub(super) stopped: Vec<String>,
    /// Secrets of keys that were issued.
    pub(super) keys: Vec<String>,
    /// Secrets of keys that were revoked.
    pub(super) revoked: Vec<String>,
}

impl Ledger {
    /// Notes an accepted report: one key names one report for ever.
    pub(super) fn accepted(&mut self, key: &str, report: &str, receipt: &str) -> Outcome<()> {
        let earlier = self.reports.insert(key.to_owned(), report.to_owned());
        self.receipts.insert(report.to_owned(), receipt.to_owned());
        ensure(earlier.as_deref().is_none_or(|earlier| earlier == report), || format!("{key} names two reports"))
    }
}
