//! `tocsin case`: the verbs of triage, from the first answer to the release.

use tocsin_proto::catalogue::Service;
use tocsin_proto::convert::timestamp;
use tocsin_proto::triage::v1::case_service_client::CaseServiceClient;
use tocsin_proto::triage::v1::{
    AcknowledgeCaseRequest, AnswerReporterRequest, ApproveAlertRequest, AssessCaseRequest, ConsentLimits,
    ConsentRecord, DraftAlertRequest, Factors, GetCaseRequest, ListCasesRequest, ListCasesResponse,
    PreviewReleaseRequest, RecordConsentRequest, RecordSourceRequest, RejectAlertRequest, ReleaseAlertRequest,
    ReleaseAlertResponse, Source, StopCaseRequest, SubmitForApprovalRequest,
};

use super::pages::{case as page, verdict};
use super::{ANSWER_BYTES_MAX, Client, Repeat, input};
use crate::arguments::case::{Answer, Assess, CaseCommand, Consent, Draft, FactorFlags, Release, Verify};
use crate::exit::{Exit, Failed};
use crate::files;

/// Cases asked for at once.
const PAGE_SIZE: u32 = 200;

/// Asks one verb of triage's `CaseService`.
macro_rules! ask {
    ($client:expr, $repeat:expr, $verb:ident, $message:expr) => {
        $client
            .call(Service::Triage, $repeat, $message, async |channel, request| {
                CaseServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX).$verb(request).await
            })
            .await
    };
}

/// Carries the command out.
pub(super) async fn run(client: &Client, command: CaseCommand) -> Result<(), Failed> {
    match command {
        CaseCommand::List(wanted) => list(client, wanted.state.unwrap_or_default()).await,
        CaseCommand::Show(name) => {
            let answer = ask!(client, Repeat::Safe, get_case, GetCaseRequest { case: name.case })?;
            client.answer("tocsin.triage.v1.GetCaseResponse", &answer, page::whole)
        }
        CaseCommand::Acknowledge(name) => {
            let answer = ask!(client, Repeat::Safe, acknowledge_case, AcknowledgeCaseRequest { case: name.case })?;
            client
                .answer("tocsin.triage.v1.AcknowledgeCaseResponse", &answer, |it| page::summary_of(it.summary.as_ref()))
        }
        CaseCommand::Answer(answer) => answer_reporter(client, answer).await,
        CaseCommand::Verify(verify) => self::verify(client, verify).await,
        CaseCommand::Assess(assess) => self::assess(client, assess).await,
        CaseCommand::Consent(consent) => self::consent(client, consent).await,
        CaseCommand::Draft(draft) => self::draft(client, draft).await,
        CaseCommand::Submit(name) => {
            let answer =
                ask!(client, Repeat::Never, submit_for_approval, SubmitForApprovalRequest { case: name.case })?;
            client.answer("tocsin.triage.v1.SubmitForApprovalResponse", &answer, verdict::submitted)
        }
        CaseCommand::Approve(approve) => {
            let message = ApproveAlertRequest { case: approve.name.case, draft_version: approve.draft_version };
            let answer = ask!(client, Repeat::Safe, approve_alert, message)?;
            client.answer("tocsin.triage.v1.ApproveAlertResponse", &answer, |it| {
                verdict::approvals(&it.approvals, it.draft.as_ref())
            })
        }
        CaseCommand::Reject(reject) => {
            let (draft_version, reason) = (reject.draft_version, reject.reason);
            let message = RejectAlertRequest { case: reject.name.case, draft_version, reason };
            let answer = ask!(client, Repeat::Safe, reject_alert, message)?;
            client.answer("tocsin.triage.v1.RejectAlertResponse", &answer, |it| {
                verdict::approvals(&it.approvals, it.draft.as_ref())
            })
        }
        CaseCommand::Preview(name) => {
            let answer = ask!(client, Repeat::Safe, preview_release, PreviewReleaseRequest { case: name.case })?;
            client.answer("tocsin.triage.v1.PreviewReleaseResponse", &answer, verdict::preview)
        }
        CaseCommand::Release(release) => self::release(client, release).await,
        CaseCommand::Stop(stop) => {
            let message = StopCaseRequest { case: stop.name.case, reason: stop.reason };
            let answer = ask!(client, Repeat::Safe, stop_case, message)?;
            client.answer("tocsin.triage.v1.StopCaseResponse", &answer, verdict::stopped)
        }
    }
}

async fn list(client: &Client, state: String) -> Result<(), Failed> {
    let mut whole = ListCasesResponse::default();
    loop {
        let page_token = whole.next_page_token;
        let message = ListCasesRequest { page_size: PAGE_SIZE, page_token, state: state.clone() };
        let part = ask!(client, Repeat::Safe, list_cases, message)?;
        whole.cases.extend(part.cases);
        whole.next_page_token = part.next_page_token;
        if whole.next_page_token.is_empty() {
            break;
        }
    }
    client.answer("tocsin.triage.v1.ListCasesResponse", &whole, |list| page::table(&list.cases).to_string())
}

async fn answer_reporter(client: &Client, answer: Answer) -> Result<(), Failed> {
    let text = input::text(answer.text)?;
    let message = AnswerReporterRequest { case: answer.name.case, text, question: answer.question };
    let answer = ask!(client, Repeat::Never, answer_reporter, message)?;
    client.answer("tocsin.triage.v1.AnswerReporterResponse", &answer, |it| page::summary_of(it.summary.as_ref()))
}

async fn verify(client: &Client, verify: Verify) -> Result<(), Failed> {
    let source = Source {
        link: verify.link,
        reliability: verify.reliability,
        information: verify.information,
        first_hand: verify.first_hand,
        relays_source_id: verify.relays.unwrap_or_default(),
        ..Source::default()
    };
    let message = RecordSourceRequest { case: verify.name.case, source: Some(source) };
    let answer = ask!(client, Repeat::Never, record_source, message)?;
    client.answer("tocsin.triage.v1.RecordSourceResponse", &answer, verdict::source)
}

async fn assess(client: &Client, assess: Assess) -> Result<(), Failed> {
    let factors = match &assess.factors {
        Some(path) => {
            let text = files::read(path)?;
            let (factors, ignored) = files::scenario::parse_factors(&text)?;
            files::warn_of_ignored(&text.name, &ignored);
            factors
        }
        None => factors_of(&assess.flags)?,
    };
    let message = AssessCaseRequest {
        case: assess.name.case,
        factors: Some(factors),
        overrides: assess.overrides,
        claim: assess.claim,
        changed_priority: assess.priority.unwrap_or_default(),
        changed_reason: assess.reason.unwrap_or_default(),
    };
    let answer = ask!(client, Repeat::Never, assess_case, message)?;
    client.answer("tocsin.triage.v1.AssessCaseResponse", &answer, page::assessed)
}

/// The factors given one by one. None at all would weigh a case as harmless by mistake.
pub(super) fn factors_of(flags: &FactorFlags) -> Result<Factors, Failed> {
    let points = [
        flags.gravity,
        flags.imminence,
        flags.intent_and_means,
        flags.vulnerability,
        flags.irreparability,
        flags.capacity,
    ];
    let facts = [
        flags.specific_direct_threat,
        flags.earlier_attack_on_person,
        flags.earlier_attack_on_colleagues,
        flags.rising_series,
    ];
    if points.iter().all(Option::is_none) && !facts.contains(&true) {
        return Err(
            Failed::usage("no factors were given").advise("give --factors FILE, or factors one by one as --gravity 13")
        );
    }
    Ok(Factors {
        gravity: flags.gravity.unwrap_or_default(),
        imminence: flags.imminence.unwrap_or_default(),
        intent_and_means: flags.intent_and_means.unwrap_or_default(),
        specific_direct_threat: flags.specific_direct_threat,
        earlier_attack_on_person: flags.earlier_attack_on_person,
        earlier_attack_on_colleagues: flags.earlier_attack_on_colleagues,
        rising_series: flags.rising_series,
        vulnerability: flags.vulnerability.unwrap_or_default(),
        irreparability: flags.irreparability.unwrap_or_default(),
        capacity: flags.capacity.unwrap_or_default(),
    })
}

async fn consent(client: &Client, consent: Consent) -> Result<(), Failed> {
    let limits = ConsentLimits {
        organisations: consent.limit_organisation,
        languages: consent.limit_language,
        unchecked: consent.limit_note,
    };
    let record = ConsentRecord {
        who: consent.who,
        purpose: consent.purpose,
        audience: consent.audience,
        identity_level: consent.identity_level,
        status: consent.status,
        form: consent.form,
        limits: (limits != ConsentLimits::default()).then_some(limits),
        reason: consent.reason.unwrap_or_default(),
        expires_at: consent.expires_at.map(|moment| timestamp(moment.to_utc())),
        ..ConsentRecord::default()
    };
    let message = RecordConsentRequest { case: consent.name.case, consent: Some(record) };
    let answer = ask!(client, Repeat::Never, record_consent, message)?;
    client.answer("tocsin.triage.v1.RecordConsentResponse", &answer, |it| {
        page::consents(it.consent.as_slice()).to_string()
    })
}

async fn draft(client: &Client, draft: Draft) -> Result<(), Failed> {
    let text = files::read(&draft.file)?;
    let (alert, ignored) = files::alert::parse_draft(&text)?;
    files::warn_of_ignored(&text.name, &ignored);
    let message = DraftAlertRequest { case: draft.name.case, draft: Some(alert) };
    let answer = ask!(client, Repeat::Never, draft_alert, message)?;
    client.answer("tocsin.triage.v1.DraftAlertResponse", &answer, |it| page::draft_of(it.draft.as_ref()))
}

/// Releases. A refusal is an answer too: it is printed whole, and the exit code says that nothing left.
pub(super) async fn release(client: &Client, release: Release) -> Result<(), Failed> {
    let message = ReleaseAlertRequest { case: release.name.case, drill: release.drill };
    let answer = ask!(client, Repeat::Never, release_alert, message)?;
    client.answer("tocsin.triage.v1.ReleaseAlertResponse", &answer, verdict::released)?;
    refusal(&answer)
}

/// The gate's refusal as the end of the command.
pub(super) fn refusal(answer: &ReleaseAlertResponse) -> Result<(), Failed> {
    if answer.released {
        return Ok(());
    }
    let first = answer.refusals.first().map_or("without a reason", String::as_str);
    Err(Failed::new(Exit::Refused, format!("the gate refused the release: {first}"))
        .advise("remove every reason that is listed; `tocsin case preview CASE` shows what is left"))
}
