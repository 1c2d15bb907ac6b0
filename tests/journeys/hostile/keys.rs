//! Receipts and keys that are wrong, worn out or somebody else's.

use std::time::Duration;

use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::intake::v1::{AddMessageRequest, GetReportRequest};
use tocsin_proto::notification::v1 as notification;
use tocsin_proto::triage::v1 as triage;
use tocsin_tests::Outcome;
use tocsin_tests::cast::issue;
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

/// Each verb with the key of somebody whose role may not.
async fn wrong_roles(stage: &Stage, office: &Office<'_>) -> Outcome<()> {
    let cast = &stage.cast;
    let member =
        tocsin_tests::cast::delegate(&stage.clients, &cast.administrator, "org-001", "signatory_delegate").await?;
    let its = || office.case.clone();
    let mut cases = stage.clients.cases.clone();
    let mut keys = stage.clients.keys.clone();
    let mut denied: Vec<(&str, Option<Code>)> = Vec::new();
    macro_rules! try_verb {
        ($what:literal, $client:expr, $verb:ident, $secret:expr, $message:expr) => {
            denied.push(($what, $client.$verb(bearing($secret, $message)?).await.err().map(|status| status.code())))
        };
    }
    try_verb!("a member lists cases", cases, list_cases, &member, triage::ListCasesRequest::default());
    try_verb!("a member reads a case", cases, get_case, &member, triage::GetCaseRequest { case: its() });
    try_verb!(
        "the administrator reads a case",
        cases,
        get_case,
        &cast.administrator,
        triage::GetCaseRequest { case: its() }
    );
    try_verb!(
        "a verifier acknowledges",
        cases,
        acknowledge_case,
        &cast.verifier,
        triage::AcknowledgeCaseRequest { case: its() }
    );
    try_verb!(
        "an approver drafts",
        cases,
        draft_alert,
        &cast.approvers[0],
        triage::DraftAlertRequest { case: its(), draft: None }
    );
    try_verb!(
        "a verifier approves",
        cases,
        approve_alert,
        &cast.verifier,
        triage::ApproveAlertRequest { case: its(), draft_version: 1 }
    );
    try_verb!(
        "the coordinator approves",
        cases,
        approve_alert,
        &cast.coordinator,
        triage::ApproveAlertRequest { case: its(), draft_version: 1 }
    );
    try_verb!(
        "the administrator releases",
        cases,
        release_alert,
        &cast.administrator,
        triage::ReleaseAlertRequest { case: its(), drill: false }
    );
    try_verb!(
        "a member stops",
        cases,
        stop_case,
        &member,
        triage::StopCaseRequest { case: its(), reason: "no".into() }
    );
    try_verb!("the coordinator issues keys", keys, issue_key, &cast.coordinator, triage::IssueKeyRequest { key: None });
    try_verb!("a member lists keys", keys, list_keys, &member, triage::ListKeysRequest::default());
    try_verb!("a verifier revokes", keys, revoke_key, &cast.verifier, triage::RevokeKeyRequest { key_id: "x".into() });
    let mut organisations = stage.clients.organisations.clone();
    let mut alerts = stage.clients.alerts.clone();
    let mut contacts = stage.clients.contacts.clone();
    let mut notices = stage.clients.notices.clone();
    try_verb!(
        "a member imports",
        organisations,
        import_organisations,
        &member,
        dispatch::ImportOrganisationsRequest::default()
    );
    try_verb!("a member previews", alerts, preview_audience, &member, dispatch::PreviewAudienceRequest::default());
    try_verb!("a member sees coverage", alerts, get_coverage, &member, dispatch::GetCoverageRequest::default());
    try_verb!(
        "a verifier imports contacts",
        contacts,
        import_contacts,
        &cast.verifier,
        notification::ImportContactsRequest::default()
    );
    try_verb!("a member lists notices", notices, list_notices, &member, notification::ListNoticesRequest::default());
    let wrong: Vec<_> = denied.iter().filter(|(_, code)| *code != Some(Code::PermissionDenied)).collect();
    ensure(wrong.is_empty(), || format!("not PERMISSION_DENIED: {wrong:?}"))
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
