//! Fail points: named places where a test can end the process as `kill -9` would, to prove that nothing depends on the
//! moment at which a process dies.
//!
//! They exist only in builds with the feature `fail-points`; elsewhere [`reach`] is nothing. In such a build the variable
//! `FAILPOINTS` names where to die and at which pass: `outbox.mark_published.before=2*off->return` lets two passes go and
//! dies at the third.

/// Every commit of the house. Each is two points: its name with `.before` and with `.after`.
pub const COMMITS: &[&str] = &[
    "consume.batch",
    "consume.bury",
    "consume.effects",
    "consume.known",
    "consume.redrive",
    "dispatch.expire_consents",
    "dispatch.import_organisations",
    "dispatch.publish_key",
    "dispatch.renew_feed",
    "dispatch.respond",
    "dispatch.trim_feed",
    "intake.accept",
    "intake.forget_answers",
    "keys.bootstrap",
    "keys.issue",
    "keys.revoke",
    "notification.answer_reply",
    "notification.await_code",
    "notification.claim",
    "notification.confirm_code",
    "notification.count_refusal",
    "notification.delete_texts",
    "notification.end_unreadable",
    "notification.end_unreceipted",
    "notification.forget_receipts",
    "notification.import_contacts",
    "notification.lift_suppression",
    "notification.make_due",
    "notification.make_secrets",
    "notification.pause_gateway",
    "notification.pay_answer",
    "notification.publish_key",
    "notification.record_bounce",
    "notification.record_change",
    "notification.record_phones",
    "notification.record_receipts",
    "notification.record_results",
    "notification.record_sms",
    "notification.redrive_notices",
    "notification.release_leases",
    "notification.report_progress",
    "notification.reserve_sms",
    "notification.resume_destination",
    "notification.rotate_webhook_keys",
    "notification.suppress_address",
    "notification.take_reply",
    "notification.unsubscribe",
    "notification.use_webhook_again",
    "notification.watch_receipts",
    "notification.withdraw_by_hand",
    "operations.redrive_dead_letters",
    "outbox.clean",
    "outbox.mark_published",
    "outbox.owe_again",
    "outbox.settle",
    "triage.acknowledge_case",
    "triage.announce_key",
    "triage.answer_reporter",
    "triage.approve_alert",
    "triage.assess_case",
    "triage.destroy_pair",
    "triage.draft_alert",
    "triage.get_case",
    "triage.keep_data_key",
    "triage.make_own_key",
    "triage.message_received",
    "triage.page",
    "triage.preview_release",
    "triage.record_consent",
    "triage.record_source",
    "triage.reject_alert",
    "triage.release_alert",
    "triage.rotate_pair",
    "triage.stop_case",
    "triage.submit_for_approval",
];

/// Every other place that matters: between two acts of which the second may never happen.
pub const STEPS: &[&str] = &[
    // The broker has a batch, and its rows are not marked.
    "bus.published",
    // The effects are committed, and nobody has been told.
    "consume.committed",
    // An event has failed for the last time, and is not in custody.
    "consume.given_up",
    // A dead letter has failed again, and its row does not say so.
    "consume.redrive_failed",
    // The producer is being told, and the broker is not.
    "consume.settled",
    // Something new stands in the feed, and no open stream has it.
    "dispatch.feed_read",
    // It is durable, and the client is not told.
    "intake.accepted",
    // It is sealed, and nothing is written.
    "intake.sealed",
    // A notice is leased and about to be sent.
    "notification.email_begins",
    // It was sent, and its row does not say so.
    "notification.email_ended",
    // A gateway has said what became of a message, and it is not written.
    "notification.receipts_taken",
    // Notices are written under a lease, and nobody has begun them.
    "notification.request_committed",
    // Attempts have ended, and their ends wait to be written together.
    "notification.results_gathered",
    "notification.sms_begins",
    "notification.sms_ended",
    // A gateway has answered, and the submission does not say so.
    "notification.sms_sent",
    "notification.webhook_begins",
    "notification.webhook_ended",
    // A batch is marked, and the next has not been looked at.
    "outbox.marked",
    // Consumers have settled, and what was owed to them is still there.
    "outbox.settlements_arrived",
    // What was owed is gone, and a broker that kept its claim until now does not know.
    "outbox.settlements_written",
    // Dispatch has answered whom a release would reach, and nothing is decided.
    "triage.audience_asked",
    // The key of a report is kept, and its case is not open.
    "triage.data_key_kept",
];

/// Passes a place of [`STEPS`]; a test may have the process end here.
#[cfg(feature = "fail-points")]
pub fn reach(name: &str) {
    // Nothing is flushed, dropped or answered: the process is gone as after `kill -9`.
    fail::eval(name, |_| std::process::abort());
}

/// Passes a place of [`STEPS`]: nothing, in a build that people use.
#[cfg(not(feature = "fail-points"))]
pub const fn reach(_name: &str) {}

/// A commit of [`COMMITS`] with its two points around it.
pub(crate) async fn around<T, E>(name: &str, commit: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    #[cfg(feature = "fail-points")]
    reach(&format!("{name}.before"));
    let committed = commit.await?;
    #[cfg(feature = "fail-points")]
    reach(&format!("{name}.after"));
    #[cfg(not(feature = "fail-points"))]
    let _ = name;
    Ok(committed)
}

/// Reads from the environment where to die; holds until dropped.
#[cfg(feature = "fail-points")]
pub fn arm() -> impl Drop {
    fail::FailScenario::setup()
}
