//! Receipts and keys that are wrong, worn out or somebody else's.

use std::time::Duration;

use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::intake::v1::{AddMessageRequest, GetReportRequest};
use tocsin_proto::notification::v1 as notification;
use tocsin_proto::triage::v1 as triage;
use tocsin_tests::Outcome;
use tocsin_tests::cast::{delegate, issue};
use tocsin_tests::clients::bearing;
use tocsin_tests::process::wait_until;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::Office;
use tonic::Code;

use super::{Attacker, ensure_invalid, fresh, read};

/// A key that was revoked or has expired stops within this: the cache's 15 s and a little for the machine.
const KEY_STOPS_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn receipts_open_one_report_and_nothing_else() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let accepted = attacker.stage.submit(&attacker.good).await?;
    let words: Vec<_> = accepted.receipt.split(['-', ' ']).collect();
    ensure_equal(words.len(), 8, "words of a receipt")?;
    let mut turned = words.clone();
    turned.rotate_left(1);
    for (receipt, expected) in [
        (accepted.receipt.clone(), 200),
        (words.join("-"), 200),
        (words.join(" ").to_uppercase(), 200),
        (turned.join(" "), 404),
        (words[..7].join(" "), 401),
        (format!("{} {}", words.join(" "), words[0]), 401),
        (words.join(" ").replace(words[3], "zzzzzz"), 401),
        ("x".repeat(10_000), 401),
        ("%00' OR 1=1 --".to_owned(), 401),
        (String::new(), 401),
    ] {
        let request = attacker
            .stage
            .http
            .get(attacker.door("/v1/reports/mine"))
            .header("authorization", format!("Bearer {receipt}"));
        let answer = read(request.send().await?).await?;
        ensure(answer.status == expected, || format!("{receipt:.40}: {} {}", answer.status, answer.body))?;
        let answer =
            attacker.stage.clients.intake.clone().get_report(GetReportRequest { receipt: receipt.clone() }).await;
        let fine = answer.as_ref().map_or_else(
            |status| {
                expected != 200
                    && matches!(status.code(), Code::NotFound | Code::Unauthenticated | Code::InvalidArgument)
            },
            |_| expected == 200,
        );
        ensure(fine, || format!("{receipt:.40} over gRPC: {:?}", answer.err()))?;
    }
    let none = read(attacker.stage.http.get(attacker.door("/v1/reports/mine")).send().await?).await?;
    ensure_equal(none.status, 401, "no receipt")?;
    for evil in ["\0", "\r", "\u{2028}"] {
        let message = AddMessageRequest {
            receipt: accepted.receipt.clone(),
            text: format!("a{evil}b"),
            idempotency_key: fresh(),
        };
        ensure_invalid(
            attacker.stage.clients.intake.clone().add_message(message).await,
            &format!("a message with {evil:?}"),
        )?;
    }
    let message = AddMessageRequest { receipt: turned.join(" "), text: "more".into(), idempotency_key: fresh() };
    let answer = attacker.stage.clients.intake.clone().add_message(message).await;
    ensure_equal(answer.err().map(|status| status.code()), Some(Code::NotFound), "a message with a wrong receipt")?;
    attacker.survives().await
}

#[tokio::test]
async fn keys_open_what_their_role_may_and_nothing_longer() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let stage = &attacker.stage;
    let accepted = stage.submit(&attacker.good).await?;
    let office = stage.office(&accepted).await?;
    for secret in ["", "x", "tcs_", "tcs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &"t".repeat(7000)] {
        let answer =
            stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await;
        ensure_equal(
            answer.err().map(|status| status.code()),
            Some(Code::Unauthenticated),
            &format!("the key {secret:.20}"),
        )?;
    }
    let answer = stage.clients.cases.clone().list_cases(triage::ListCasesRequest::default()).await;
    ensure_equal(answer.err().map(|status| status.code()), Some(Code::Unauthenticated), "no key")?;
    wrong_roles(stage, &office).await?;
    wrong_names(stage).await?;
    let administrator = stage.cast.administrator.clone();
    let key = |actor: &str| triage::Key {
        actor_id: actor.into(),
        name: actor.into(),
        roles: vec!["coordinator".into()],
        ..Default::default()
    };
    let now = tocsin_platform::clock::Clock::system().now();
    let soon = prost_types::Timestamp { seconds: now.timestamp() + 2, nanos: 0 };
    let expiring =
        issue(&stage.clients, &administrator, triage::Key { expires_at: Some(soon), ..key("brief") }).await?;
    let request = bearing(&administrator, triage::IssueKeyRequest { key: Some(key("revoked")) })?;
    let issued = stage.clients.keys.clone().issue_key(request).await?.into_inner();
    let key_id = issued.key.unwrap_or_default().key_id;
    for secret in [&expiring, &issued.secret] {
        stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await?;
    }
    stage.clients.keys.clone().revoke_key(bearing(&administrator, triage::RevokeKeyRequest { key_id })?).await?;
    for secret in [&expiring, &issued.secret] {
        wait_until("an expired and a revoked key stop", KEY_STOPS_WITHIN, async || {
            let answer =
                stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await;
            Ok(answer.is_err_and(|status| status.code() == Code::Unauthenticated).then_some(()))
        })
        .await?;
    }
    attacker.survives().await
}

/// How a verb answers to somebody's key.
macro_rules! code_of {
    ($client:expr, $verb:ident, $secret:expr, $message:expr) => {
        $client.clone().$verb(bearing($secret, $message)?).await.err().map(|status| status.code())
    };
}

/// Each verb with the key of somebody whose role may not.
async fn wrong_roles(stage: &Stage, office: &Office<'_>) -> Outcome<()> {
    let member = delegate(&stage.clients, &stage.cast.administrator, "org-001", "signatory_delegate").await?;
    let codes = [in_triage(stage, &office.case, &member).await?, elsewhere(stage, &member).await?].concat();
    let wrong: Vec<_> = codes.iter().filter(|(_, code)| *code != Some(Code::PermissionDenied)).collect();
    ensure(wrong.is_empty(), || format!("not PERMISSION_DENIED: {wrong:?}"))
}

type Codes = Vec<(&'static str, Option<Code>)>;

async fn in_triage(stage: &Stage, case: &str, member: &str) -> Outcome<Codes> {
    let (cases, office, people) = (&stage.clients.cases, &stage.clients.keys, &stage.cast);
    let case = || case.to_owned();
    let list = triage::ListCasesRequest::default();
    let get = || triage::GetCaseRequest { case: case() };
    let approve = || triage::ApproveAlertRequest { case: case(), draft_version: 1 };
    let acknowledge = triage::AcknowledgeCaseRequest { case: case() };
    let draft = triage::DraftAlertRequest { case: case(), draft: None };
    let release = triage::ReleaseAlertRequest { case: case(), drill: false };
    let stop = triage::StopCaseRequest { case: case(), reason: "no".into() };
    let issue = triage::IssueKeyRequest { key: None };
    let revoke = triage::RevokeKeyRequest { key_id: "x".into() };
    Ok(vec![
        ("a member lists cases", code_of!(cases, list_cases, member, list)),
        ("a member reads a case", code_of!(cases, get_case, member, get())),
        ("the administrator reads a case", code_of!(cases, get_case, &people.administrator, get())),
        ("a verifier acknowledges", code_of!(cases, acknowledge_case, &people.verifier, acknowledge)),
        ("an approver drafts", code_of!(cases, draft_alert, &people.approvers[0], draft)),
        ("a verifier approves", code_of!(cases, approve_alert, &people.verifier, approve())),
        ("the coordinator approves", code_of!(cases, approve_alert, &people.coordinator, approve())),
        ("the administrator releases", code_of!(cases, release_alert, &people.administrator, release)),
        ("a member stops", code_of!(cases, stop_case, member, stop)),
        ("the coordinator issues keys", code_of!(office, issue_key, &people.coordinator, issue)),
        ("a member lists keys", code_of!(office, list_keys, member, triage::ListKeysRequest::default())),
        ("a verifier revokes", code_of!(office, revoke_key, &people.verifier, revoke)),
    ])
}

async fn elsewhere(stage: &Stage, member: &str) -> Outcome<Codes> {
    let (clients, verifier) = (&stage.clients, &stage.cast.verifier);
    let import = dispatch::ImportOrganisationsRequest::default();
    let preview = dispatch::PreviewAudienceRequest::default();
    let coverage = dispatch::GetCoverageRequest::default();
    let contacts = notification::ImportContactsRequest::default();
    let notices = notification::ListNoticesRequest::default();
    Ok(vec![
        ("a member imports", code_of!(clients.organisations, import_organisations, member, import)),
        ("a member previews", code_of!(clients.alerts, preview_audience, member, preview)),
        ("a member sees coverage", code_of!(clients.alerts, get_coverage, member, coverage)),
        ("a verifier imports contacts", code_of!(clients.contacts, import_contacts, verifier, contacts)),
        ("a member lists notices", code_of!(clients.notices, list_notices, member, notices)),
    ])
}

/// Names, pages and cursors that no client of ours would send.
async fn wrong_names(stage: &Stage) -> Outcome<()> {
    let coordinator = &stage.cast.coordinator;
    let mut codes = Vec::new();
    let long = "9".repeat(100_000);
    for name in ["", "x", "XA-2026-9999", "' OR 1=1 --", "../../etc/passwd", "A7F3-K2C", "\0", "\u{202e}", &long] {
        let case = triage::GetCaseRequest { case: name.to_owned() };
        codes.push((name, stage.clients.cases.clone().get_case(bearing(coordinator, case)?).await.err()));
        let alert = dispatch::GetCoverageRequest { alert: name.to_owned(), notices: true };
        codes.push((name, stage.clients.alerts.clone().get_coverage(bearing(coordinator, alert)?).await.err()));
    }
    for token in ["x", "-1", "99999999999999999999", "\u{0}", &long[..50_000]] {
        let list = triage::ListCasesRequest { page_token: token.to_owned(), page_size: u32::MAX, ..Default::default() };
        codes.push((token, stage.clients.cases.clone().list_cases(bearing(coordinator, list)?).await.err()));
        let watch = dispatch::WatchAlertsRequest { cursor: token.to_owned() };
        codes.push((token, stage.clients.alerts.clone().watch_alerts(bearing(coordinator, watch)?).await.err()));
    }
    let wrong: Vec<_> = codes
        .iter()
        .filter(|(_, status)| {
            !status.as_ref().is_some_and(|status| {
                matches!(status.code(), Code::NotFound | Code::InvalidArgument | Code::OutOfRange)
            })
        })
        .map(|(name, status)| format!("{name:.30}: {status:?}"))
        .collect();
    ensure(wrong.is_empty(), || wrong.join("\n"))
}
