//! Where processes die, in the order of the road. A place may let some passes go: `=1*off->return` dies at the second.

/// Reached by every start. The first is reached by the first start only.
pub(super) const START: &[&str] = &[
    "keys.bootstrap.before",
    "keys.bootstrap.after",
    "triage.make_own_key.before",
    "triage.make_own_key.after",
    "triage.rotate_pair.before",
    "triage.rotate_pair.after",
    "triage.announce_key.before",
    "triage.announce_key.after",
    "dispatch.publish_key.before",
    "dispatch.publish_key.after",
    "notification.make_secrets.before",
    "notification.make_secrets.after",
    "notification.publish_key.before",
    "notification.publish_key.after",
    "outbox.clean.before",
    "outbox.clean.after",
    "notification.release_leases.before",
    "notification.release_leases.after",
    "intake.forget_answers.before",
    "intake.forget_answers.after",
    "dispatch.trim_feed.before",
    "dispatch.trim_feed.after",
];

/// What an administrator does first.
pub(super) const ADMINISTRATION: &[&str] = &[
    "dispatch.import_organisations.before",
    "dispatch.import_organisations.after",
    "notification.import_contacts.before",
    "notification.import_contacts.after",
    "notification.rotate_webhook_keys.before",
    "notification.rotate_webhook_keys.after",
    "keys.issue.before",
    "keys.issue.after",
    "keys.revoke.before",
    "keys.revoke.after",
];

/// From the reporter to the case. Each start says a key, so the first event of a life is let through where it would be
/// the one that dies.
pub(super) const REPORT: &[&str] = &[
    "intake.sealed",
    "intake.accept.before",
    "intake.accept.after",
    "intake.accepted",
    "bus.published",
    "outbox.marked",
    "triage.keep_data_key.before",
    "triage.keep_data_key.after",
    "triage.data_key_kept",
    "consume.effects.before=3*off->return",
    "consume.effects.after=3*off->return",
    "consume.committed=3*off->return",
    "consume.settled=3*off->return",
    "outbox.settlements_arrived=3*off->return",
    "outbox.settlements_written=3*off->return",
];

/// What several reports at once reach: events that are taken together, and settlements of several consumers together.
pub(super) const BURST: &[&str] =
    &["consume.batch.before", "consume.batch.after", "outbox.settle.before", "outbox.settle.after"];

/// The people of triage at work.
pub(super) const CASE: &[&str] = &[
    "triage.get_case.before",
    "triage.get_case.after",
    "triage.acknowledge_case.before",
    "triage.acknowledge_case.after",
    "triage.answer_reporter.before",
    "triage.answer_reporter.after",
    "triage.record_source.before",
    "triage.record_source.after",
    "triage.assess_case.before",
    "triage.assess_case.after",
    "triage.record_consent.before",
    "triage.record_consent.after",
    "triage.draft_alert.before",
    "triage.draft_alert.after",
    "triage.submit_for_approval.before",
    "triage.submit_for_approval.after",
    "triage.reject_alert.before",
    "triage.reject_alert.after",
    "triage.approve_alert.before",
    "triage.approve_alert.after",
    "triage.preview_release.before",
    "triage.preview_release.after",
    "triage.audience_asked",
    "triage.release_alert.before",
    "triage.release_alert.after",
];

/// From the release to everybody whom it must reach, and back.
pub(super) const DELIVERY: &[&str] = &[
    "dispatch.feed_read",
    "notification.request_committed",
    // Who dies here leaves notices under its lease, and the next life claims them.
    "notification.email_begins",
    "notification.claim.before",
    "notification.claim.after",
    "notification.email_ended",
    "notification.sms_begins",
    "notification.reserve_sms.before",
    "notification.reserve_sms.after",
    "notification.sms_sent",
    "notification.record_sms.before",
    "notification.record_sms.after",
    "notification.sms_ended",
    "notification.webhook_begins",
    "notification.webhook_ended",
    "notification.results_gathered",
    "notification.record_results.before",
    "notification.record_results.after",
    "notification.receipts_taken",
    "notification.record_receipts.before",
    "notification.record_receipts.after",
    "notification.report_progress.before",
    "notification.report_progress.after",
    "dispatch.respond.before",
    "dispatch.respond.after",
    "triage.stop_case.before",
    "triage.stop_case.after",
];

/// A consent that has expired.
pub(super) const EXPIRY: &[&str] = &["dispatch.expire_consents.before", "dispatch.expire_consents.after"];

/// A case that nobody answers.
pub(super) const PAGES: &[&str] = &["triage.page.before", "triage.page.after"];

/// Texts whose notices have ended.
pub(super) const TEXTS: &[&str] = &["notification.delete_texts.before", "notification.delete_texts.after"];

/// A message that still waits for a report which has its case by now.
pub(super) const EARLY: &[&str] = &["triage.message_received.before", "triage.message_received.after"];

/// Dead letters that an operator has run again, one of them in vain.
pub(super) const REDRIVE: &[&str] = &[
    "operations.redrive_dead_letters.before",
    "operations.redrive_dead_letters.after",
    "consume.redrive.before",
    "consume.redrive.after",
    "consume.redrive_failed",
];

/// Events that an operator has said once more, so that consumers get copies.
pub(super) const OWE_AGAIN: &[&str] =
    &["outbox.owe_again.before", "outbox.owe_again.after", "consume.known.before", "consume.known.after"];

/// Where `tocsin restore` dies.
pub(super) const RESTORE: &[&str] = &["dispatch.renew_feed.before", "dispatch.renew_feed.after"];

/// The way of an event that cannot be taken into custody.
pub(super) const CUSTODY: &[&str] = &["consume.given_up", "consume.bury.before", "consume.bury.after"];

/// Everything at which an embedded installation dies.
pub(super) const EMBEDDED: [&[&str]; 14] = [
    START,
    ADMINISTRATION,
    REPORT,
    BURST,
    CASE,
    DELIVERY,
    EXPIRY,
    PAGES,
    TEXTS,
    EARLY,
    REDRIVE,
    OWE_AGAIN,
    RESTORE,
    CUSTODY,
];

/// Where services in processes of their own die, over PostgreSQL and NATS, in the order in which they are started. What
/// a dead consumer had not acknowledged, and what a dead sender had leased, comes again after 30 s, so there are few.
pub(super) const DISTRIBUTED: [(&str, &[&str]); 4] = [
    (
        "triage",
        &[
            "triage.data_key_kept",
            "consume.effects.after",
            "consume.committed",
            "consume.settled",
            "triage.release_alert.before",
            "triage.release_alert.after",
        ],
    ),
    (
        "intake",
        &[
            "intake.accept.before",
            "intake.accept.after",
            "bus.published",
            "outbox.mark_published.before",
            "outbox.mark_published.after",
            "outbox.marked",
            "outbox.settlements_arrived",
            "outbox.settlements_written",
        ],
    ),
    ("dispatch", &["consume.effects.after", "bus.published", "outbox.mark_published.after"]),
    ("notification", &["notification.request_committed", "notification.record_results.before"]),
];

/// Places that no walk reaches in bounded time, each with the reason.
pub(super) const NOT_WALKED: &[(&str, &str)] = &[
    ("notification.count_refusal.before", "no mail server refuses a recipient here"),
    ("notification.count_refusal.after", "no mail server refuses a recipient here"),
    ("notification.lift_suppression.before", "no address is suppressed here"),
    ("notification.lift_suppression.after", "no address is suppressed here"),
    ("notification.record_bounce.before", "no mail bounces here"),
    ("notification.record_bounce.after", "no mail bounces here"),
    ("notification.suppress_address.before", "no address is suppressed here"),
    ("notification.suppress_address.after", "no address is suppressed here"),
    ("notification.unsubscribe.before", "nobody unsubscribes here"),
    ("notification.unsubscribe.after", "nobody unsubscribes here"),
    (
        "notification.use_webhook_again.before",
        "no receiver answers 410; what dies there is one flag, set by the next test",
    ),
    (
        "notification.use_webhook_again.after",
        "no receiver answers 410; what dies there is one flag, set by the next test",
    ),
    ("notification.answer_reply.before", "nobody writes back by SMS here"),
    ("notification.answer_reply.after", "nobody writes back by SMS here"),
    ("notification.forget_receipts.before", "nothing of SMS is old enough to be forgotten"),
    ("notification.forget_receipts.after", "nothing of SMS is old enough to be forgotten"),
    ("notification.pause_gateway.before", "no gateway is paused here"),
    ("notification.pause_gateway.after", "no gateway is paused here"),
    ("notification.pay_answer.before", "nobody writes back by SMS here"),
    ("notification.pay_answer.after", "nobody writes back by SMS here"),
    ("notification.record_phones.before", "no contact is older than the table of numbers"),
    ("notification.record_phones.after", "no contact is older than the table of numbers"),
    ("notification.take_reply.before", "nobody writes back by SMS here"),
    ("notification.take_reply.after", "nobody writes back by SMS here"),
    ("notification.watch_receipts.before", "every receipt comes long before it is missed"),
    ("notification.watch_receipts.after", "every receipt comes long before it is missed"),
    ("notification.end_unreadable.before", "every bulletin can be read; the next claim ends what this one did not"),
    ("notification.end_unreadable.after", "every bulletin can be read; the next claim ends what this one did not"),
    (
        "notification.end_unreceipted.before",
        "receipts are overdue after days; the next audit ends what this one did not",
    ),
    (
        "notification.end_unreceipted.after",
        "receipts are overdue after days; the next audit ends what this one did not",
    ),
    ("notification.make_due.before", "no notice is without a due time; the next audit mends what this one did not"),
    ("notification.make_due.after", "no notice is without a due time; the next audit mends what this one did not"),
    (
        "notification.resume_destination.before",
        "no destination fails and recovers there; what waits has a due time all the same",
    ),
    (
        "notification.resume_destination.after",
        "no destination fails and recovers there; what waits has a due time all the same",
    ),
    ("notification.await_code.before", "no address is proved here"),
    ("notification.await_code.after", "no address is proved here"),
    ("notification.confirm_code.before", "no address is proved here"),
    ("notification.confirm_code.after", "no address is proved here"),
    ("notification.record_change.before", "nobody tries a gateway or asks for addresses here"),
    ("notification.record_change.after", "nobody tries a gateway or asks for addresses here"),
    ("notification.redrive_notices.before", "nothing is sent again by hand here"),
    ("notification.redrive_notices.after", "nothing is sent again by hand here"),
    ("notification.withdraw_by_hand.before", "nothing is withdrawn by hand here"),
    ("notification.withdraw_by_hand.after", "nothing is withdrawn by hand here"),
    ("triage.destroy_pair.before", "no private half is destroyed in the first ten minutes of a process"),
    ("triage.destroy_pair.after", "no private half is destroyed in the first ten minutes of a process"),
];
