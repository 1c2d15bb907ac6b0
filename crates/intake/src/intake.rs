//! What every verb of intake shares, and the one way in which anything is accepted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prost::Message;
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::database::Database;
use tocsin_platform::fail_points::reach;
use tocsin_platform::failure::Failure;
use tocsin_platform::group_commit::{GroupClosed, GroupCommit};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::Receipt;
use tocsin_platform::seal::ReceiptError;
use zeroize::Zeroizing;

use crate::accept::{Outcome, Submission, Write};
use crate::config::IntakeConfig;
use crate::entity::{idempotency, report};
use crate::error::{key_reused, sealing_failed};
use crate::idempotency::{InProgress, Slot};
use crate::room::Room;
use crate::slowing::Slowing;
use crate::store;
use crate::triage_key::TriageKey;

/// The group commit that all submissions of one process share.
pub(crate) type Acceptance = GroupCommit<Submission, Result<Outcome, Failure>>;

/// What every verb shares.
pub(crate) struct Intake {
    pub(crate) clock: Clock,
    pub(crate) config: IntakeConfig,
    pub(crate) database: Database,
    pub(crate) triage_key: Arc<TriageKey>,
    pub(crate) in_progress: InProgress,
    pub(crate) room: Room,
    slowing: Slowing,
    acceptance: Acceptance,
}

impl Intake {
    /// Puts the parts together.
    pub(crate) fn new(
        clock: Clock,
        config: IntakeConfig,
        database: Database,
        triage_key: Arc<TriageKey>,
        acceptance: Acceptance,
    ) -> Self {
        Self {
            clock,
            config,
            database,
            triage_key,
            in_progress: InProgress::default(),
            room: Room::new(config.bodies_in_memory_bytes_max),
            slowing: Slowing::new(Duration::from_millis(config.wrong_receipt_delay_ms)),
            acceptance,
        }
    }

    /// Makes a request durable together with its answer and its event, and only then returns the answer: this one, or
    /// the stored one if the same request was accepted before.
    pub(crate) async fn accept<Answer: Message + Default>(
        &self,
        slot: &Slot,
        answer: Answer,
        write: Write,
        event: OutgoingEvent,
        now: DateTime<Utc>,
    ) -> Result<Answer, Failure> {
        let encoded = Zeroizing::new(answer.encode_to_vec());
        let idempotency = idempotency::Model {
            key_hash: slot.key_hash.to_vec(),
            body_mac: slot.body_mac.to_vec(),
            answer_sealed: slot.seal_answer(&encoded).map_err(|error| sealing_failed(&error))?,
            created_at_ms: to_ms(now),
        };
        reach("intake.sealed");
        let submitted = self.acceptance.submit(Submission { idempotency, write, event }).await;
        reach("intake.accepted");
        match submitted.map_err(not_answered)?? {
            Outcome::Accepted => Ok(answer),
            Outcome::Replayed(stored) => {
                let stored = slot.open_answer(&stored).map_err(|error| sealing_failed(&error))?;
                Answer::decode(stored.as_slice()).map_err(|_| Failure::internal("STORED_ANSWER_UNREADABLE"))
            }
            Outcome::Mismatch => Err(key_reused()),
        }
    }

    /// Reads a receipt. A wrong one is answered slowly, and only the place of a wrong word is told.
    pub(crate) async fn receipt(&self, words: &str) -> Result<Receipt, Failure> {
        let error = match Receipt::parse(words) {
            Ok(receipt) => return Ok(receipt),
            Err(error) => error,
        };
        self.slowing.wait().await;
        Err(match error {
            ReceiptError::WordCount { given } => Failure::unauthenticated(
                "RECEIPT_INCOMPLETE",
                format!(
                    "a receipt has eight words, and this has {given}; write all eight, with spaces or hyphens between"
                ),
            ),
            ReceiptError::UnknownWord { position, .. } => Failure::unauthenticated(
                "RECEIPT_WORD_UNKNOWN",
                format!("word {position} of the receipt is not in the list of words; look at how it is spelt"),
            ),
        })
    }

    /// The report that a receipt opens.
    pub(crate) async fn report_of(&self, receipt: &Receipt) -> Result<report::Model, Failure> {
        match store::report_of_receipt(self.database.reader(), &receipt.hash()).await? {
            Some(report) => Ok(report),
            None => Err(self.unknown_receipt().await),
        }
    }

    async fn unknown_receipt(&self) -> Failure {
        self.slowing.wait().await;
        Failure::not_found(
            "RECEIPT_UNKNOWN",
            "no report has this receipt; check each word and their order, or submit the report again",
        )
    }
}

/// The commit gave no answer; whether it happened will show when the request comes again with its key.
fn not_answered(closed: GroupClosed) -> Failure {
    let failure = match closed {
        GroupClosed::Ended => {
            Failure::unavailable("STOPPING", "this service is stopping; send it again with the same idempotency key")
        }
        GroupClosed::TooSlow => Failure::unavailable(
            "ACCEPTANCE_TOO_SLOW",
            "it took too long to store this; send it again with the same idempotency key",
        ),
    };
    failure.retry_after(Duration::from_secs(1))
}
