//! The shapes of the JSON door, for its OpenAPI document and its answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What someone tells the network. Unknown fields are refused by name; codes are listed by `GET /v1/codes`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used; bodies are read so that every fault is named at once")]
pub(super) struct Report {
    reporter: Reporter,
    /// When the reporter says it was written (RFC 3339). Kept as a remark.
    submitted_at: Option<String>,
    /// Two upper-case letters.
    #[schema(pattern = "^[A-Z]{2}$", example = "XA")]
    country: String,
    /// A short word such as `hotel`.
    #[schema(pattern = "^[a-z_]{1,40}$")]
    place_type: Option<String>,
    subject: Subject,
    /// Codes of the list `kinds`, at least one.
    #[schema(min_items = 1, max_items = 50)]
    kinds: Vec<String>,
    #[schema(max_items = 50)]
    actors: Option<Vec<ReportedActor>>,
    /// Codes of the list `groups`.
    #[schema(max_items = 50)]
    groups: Option<Vec<String>>,
    /// before, during or after.
    phase: String,
    /// Codes of the list `support`.
    #[schema(max_items = 50)]
    support_asked: Option<Vec<String>>,
    adversary_date: Option<AdversaryDate>,
    safe_contact: Option<SafeContact>,
    /// What happened, in the reporter's words.
    #[schema(min_length = 1, max_length = 65536)]
    narrative: String,
}

/// Who reports.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct Reporter {
    /// A code of the list `relations`.
    #[schema(example = "colleague")]
    relation: String,
    organisation_id: Option<String>,
    /// Two or three lower-case letters (ISO 639).
    #[schema(pattern = "^[a-z]{2,3}$", example = "en")]
    language: String,
}

/// Whom the threat is aimed at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct Subject {
    /// A code of the list `subject`.
    #[schema(example = "individual")]
    unit: String,
    /// How many people; one when it is not said.
    #[schema(minimum = 1)]
    count: Option<u32>,
}

/// Who is alleged to be behind it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct ReportedActor {
    /// A code of the list `actors`.
    code: String,
    /// A code of the list `degrees`.
    degree: String,
}

/// A date that the adversary has set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct AdversaryDate {
    /// hearing, ultimatum or eviction.
    kind: String,
    /// With the offset of the place (RFC 3339).
    #[schema(format = DateTime)]
    at: String,
}

/// How the reporter can be reached without harm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct SafeContact {
    /// Channels that may be used, such as `signal`.
    allowed: Option<Vec<String>>,
    /// Channels that must not, such as `voice_call`.
    forbidden: Option<Vec<String>>,
    /// Local hours, as `08:00-22:00`.
    hours: Option<String>,
    /// As `Etc/GMT-3`.
    time_zone: Option<String>,
    language: Option<String>,
    /// A harmless text to send instead of anything that could be understood.
    cover_text: Option<String>,
    code_word_safe: Option<String>,
    code_word_duress: Option<String>,
    /// Who else uses the telephone or reads the mailbox.
    shared_with: Option<String>,
    /// Someone who may be contacted instead.
    proxy: Option<String>,
    /// From then on the rules must be asked for again (RFC 3339).
    expires_at: Option<String>,
    /// Where the reporter can be reached.
    address: Option<String>,
}

/// Something to add to a report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its schema is used")]
pub(super) struct Message {
    #[schema(min_length = 1, max_length = 65536)]
    text: String,
}

/// The report is durable.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportAccepted {
    pub(super) report_id: String,
    /// Eight words. Shown once and kept nowhere: write them down, they open the answers.
    pub(super) receipt: String,
    #[schema(format = DateTime)]
    pub(super) received_at: String,
}

/// What the network answered.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnReport {
    pub(super) report_id: String,
    #[schema(format = DateTime)]
    pub(super) received_at: String,
    /// `received`, `acknowledged`, `verifying`, `needs_info` ... as far as the reporter may know.
    pub(super) state: String,
    pub(super) answers: Vec<Answer>,
    pub(super) messages: Vec<OwnMessage>,
}

/// One answer of the network.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the field names are the wire's")]
pub(super) struct Answer {
    pub(super) answer_id: String,
    #[schema(format = DateTime)]
    pub(super) answered_at: String,
    pub(super) text: String,
}

/// One message of the reporter's own; its text cannot be read back.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnMessage {
    pub(super) message_id: String,
    #[schema(format = DateTime)]
    pub(super) received_at: String,
}

/// The message is durable.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageAccepted {
    pub(super) message_id: String,
    #[schema(format = DateTime)]
    pub(super) received_at: String,
}

/// All codes with their labels in one language.
#[derive(Serialize, ToSchema)]
pub(super) struct Codes {
    pub(super) language: &'static str,
    pub(super) lists: Vec<CodeList>,
}

/// One list of codes.
#[derive(Serialize, ToSchema)]
pub(super) struct CodeList {
    /// As `kinds`.
    pub(super) list: &'static str,
    pub(super) codes: Vec<Code>,
}

/// One code: the stable word that is sent and stored, and what a person reads instead.
#[derive(Serialize, ToSchema)]
pub(super) struct Code {
    pub(super) code: &'static str,
    pub(super) label: String,
}

/// A problem (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem {
    /// `urn:tocsin:problem:` and the reason.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// The request's id as a URN.
    instance: String,
    /// A stable word for programs.
    reason: String,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Each wrong field.
    errors: Option<Vec<FieldProblem>>,
}

/// One wrong field.
#[derive(Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// The path, as `kinds[1]`.
    field: String,
    detail: String,
}
