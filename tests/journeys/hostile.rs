//! What a hostile or broken client can send, through the real doors: every answer is clear, nothing is lost, nothing
//! panics, and a good report still goes through afterwards.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::{Value, json};
use tocsin_proto::common::v1::{Addressee, AlertText};
use tocsin_proto::dispatch::v1 as dispatch;
use tocsin_proto::intake::v1::{AddMessageRequest, GetReportRequest, Report, SubmitReportRequest};
use tocsin_proto::notification::v1 as notification;
use tocsin_proto::triage::v1 as triage;
use tocsin_tests::cast::issue;
use tocsin_tests::clients::bearing;
use tocsin_tests::network::{Network, open, text};
use tocsin_tests::process::wait_until;
use tocsin_tests::program::fixture_json;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::Office;
use tocsin_tests::{Outcome, Trouble};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Response, Status};

/// Characters that could end a header, a line or a string elsewhere.
const EVIL: [&str; 5] = ["\r", "\n", "\0", "\u{2028}", "\r\nBcc: somebody@elsewhere.example\r\n"];
/// A key that was revoked or has expired stops within this: the cache's 15 s and a little for the machine.
const KEY_STOPS_WITHIN: Duration = Duration::from_secs(20);

/// The JSON door's answer: status, the problem's reason, the whole body.
struct Answer {
    status: u16,
    reason: String,
    body: String,
    fields: Vec<(String, String)>,
}

struct Attacker {
    stage: Stage,
    good: Value,
}

impl Attacker {
    async fn arrive() -> Outcome<Self> {
        let stage = Stage::raise(open(2, 2), "\n[telemetry]\nlevel = \"debug\"\n").await?;
        Ok(Self { stage, good: fixture_json("scenarios/workshop-detention.json")?["report"].clone() })
    }

    fn door(&self, path: &str) -> String {
        format!("http://{}{path}", self.stage.installation.doors.intake.http)
    }

    async fn post(&self, body: impl Into<reqwest::Body>, key: Option<&str>, media: &str) -> Outcome<Answer> {
        let mut request = self.stage.http.post(self.door("/v1/reports")).header("content-type", media).body(body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        read(request.send().await?).await
    }

    async fn report(&self, report: &Value) -> Outcome<Answer> {
        self.post(report.to_string(), Some(&fresh()), "application/json").await
    }

    /// The process lives, is ready, takes a good report to triage, and its log holds no panic.
    async fn survives(&mut self) -> Outcome<()> {
        ensure(self.stage.process.is_alive(), || "the process died".to_owned())?;
        for (name, door) in self.stage.installation.doors.all() {
            let ready = self.stage.http.get(format!("http://{}/readyz", door.http)).send().await?.status();
            ensure(ready.is_success(), || format!("{name} is not ready: {ready}"))?;
        }
        let accepted = self.stage.submit(&self.good).await?;
        self.stage.office(&accepted).await?;
        for log in std::fs::read_dir(self.stage.installation.logs())? {
            let told = std::fs::read_to_string(log?.path())?;
            let panic = told.lines().find(|line| line.contains("panicked") || line.contains("PANIC"));
            ensure(panic.is_none(), || format!("the log tells of a panic: {panic:?}"))?;
        }
        Ok(())
    }
}

async fn read(answer: reqwest::Response) -> Outcome<Answer> {
    let status = answer.status().as_u16();
    let body = answer.text().await?;
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    let fields = problem["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|one| (text(one, "field"), text(one, "detail"))).collect();
    Ok(Answer { status, reason: text(&problem, "reason"), body, fields })
}

fn fresh() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Sets what stands at a JSON pointer, making the objects on the way.
fn set(report: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = report.clone();
    let mut place = &mut changed;
    for part in pointer.split('/').skip(1) {
        place = match part.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[part],
        };
    }
    *place = value;
    changed
}

#[tokio::test]
async fn bodies_of_every_wrong_kind_are_refused_with_words() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.clone();
    let deep = |opening: &str, closing: &str| format!("{}{}", opening.repeat(10_000), closing.repeat(10_000));
    let mut bad_utf8 = good.to_string().into_bytes();
    let position = bad_utf8.windows(5).position(|window| window == b"hotel").expect("a place type");
    bad_utf8[position] = 0xff;
    let json_media = "application/json";
    for (name, body, media, status, reason) in [
        ("empty", Vec::new(), json_media, 400, "BODY_NOT_JSON"),
        ("no JSON", b"narrative=help".to_vec(), json_media, 400, "BODY_NOT_JSON"),
        ("a list", b"[]".to_vec(), json_media, 400, ""),
        ("a text", b"\"help\"".to_vec(), json_media, 400, ""),
        ("null", b"null".to_vec(), json_media, 400, ""),
        ("cut off", good.to_string().into_bytes()[..200].to_vec(), json_media, 400, "BODY_NOT_JSON"),
        ("bad UTF-8", bad_utf8, json_media, 400, "BODY_NOT_UTF8"),
        ("UTF-16", good.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect(), json_media, 400, ""),
        ("lists 10,000 deep", deep("[", "]").into_bytes(), json_media, 400, "BODY_TOO_DEEP"),
        ("objects 10,000 deep", deep("{\"a\":", "}").into_bytes(), json_media, 400, "BODY_TOO_DEEP"),
        ("10 MiB", vec![b' '; 10 * 1024 * 1024], json_media, 413, "BODY_TOO_LARGE"),
        ("10 MiB of text", set(&good, "/narrative", json!("x".repeat(10 * 1024 * 1024))).to_string().into_bytes(), json_media, 413, "BODY_TOO_LARGE"),
        ("70 KiB of text", set(&good, "/narrative", json!("x".repeat(70 * 1024))).to_string().into_bytes(), json_media, 413, "TEXT_TOO_LONG"),
        ("another media type", good.to_string().into_bytes(), "text/plain", 415, "CONTENT_TYPE_UNSUPPORTED"),
        ("a field twice", good.to_string().replacen('{', "{\"country\":\"XB\",", 1).into_bytes(), json_media, 400, "BODY_NOT_JSON"),
    ] {
        let answer = attacker.post(body, Some(&fresh()), media).await.map_err(|trouble| trouble.during(name))?;
        ensure_equal(answer.status, status, name)?;
        ensure(reason.is_empty() || answer.reason == reason, || format!("{name}: {}", answer.body))?;
        ensure(answer.body.len() < 4096, || format!("{name}: an answer of {} bytes", answer.body.len()))?;
    }
    wrong_fields(&attacker, &good).await?;
    attacker.survives().await
}

async fn wrong_fields(attacker: &Attacker, good: &Value) -> Outcome<()> {
    for (pointer, value, field, told) in [
        ("/kinds/0", json!("killling"), "kinds[0]", "killing"),
        ("/country", json!("XÄ"), "country", ""),
        ("/country", json!(7), "country", ""),
        ("/kinds", json!("killing"), "kinds", ""),
        ("/kinds", json!([]), "kinds", ""),
        ("/kinds/1", json!(null), "kinds[1]", ""),
        ("/subject/count", json!(-1), "subject.count", ""),
        ("/subject/count", json!(1.5), "subject.count", ""),
        ("/subject/count", json!("ten"), "subject.count", ""),
        ("/subject/count", json!(99_999_999_999_u64), "subject.count", ""),
        ("/subject/unit", json!("individuel"), "subject.unit", "individual"),
        ("/actors/0/code", json!("polize"), "actors[0].code", "police"),
        ("/actors/0", json!("police"), "actors[0]", ""),
        ("/groups/0", json!("digital_right"), "groups[0]", "digital_rights"),
        ("/phase", json!("whilst"), "phase", ""),
        ("/support_asked/0", json!("legall"), "support_asked[0]", "legal"),
        ("/adversary_date/kind", json!("haering"), "adversary_date.kind", "hearing"),
        ("/adversary_date/at", json!("tomorrow"), "adversary_date.at", ""),
        ("/adversary_date/at", json!("2026-07-12T09:00:00"), "adversary_date.at", ""),
        ("/safe_contact/hours", json!("8 to 10"), "safe_contact.hours", ""),
        ("/safe_contact/time_zone", json!("Mars/Olympus"), "safe_contact.time_zone", ""),
        ("/naratives", json!("x"), "naratives", "narrative"),
        ("/safe_contact/cover_txt", json!("x"), "safe_contact.cover_txt", "cover_text"),
        ("/reporter/relation", json!("colleage"), "reporter.relation", "colleague"),
        ("/narrative", json!(null), "narrative", ""),
        ("/kinds", json!(vec!["killing"; 5000]), "kinds", ""),
        ("/__proto__", json!({"polluted": true}), "__proto__", ""),
    ] {
        let answer = attacker.report(&set(good, pointer, value)).await?;
        let named = answer.fields.iter().find(|(named, _)| named == field);
        ensure(answer.status == 400 && named.is_some(), || format!("{pointer}: {} {}", answer.status, answer.body))?;
        ensure(named.is_some_and(|(_, detail)| detail.contains(told)), || format!("{pointer} does not name {told}: {}", answer.body))?;
    }
    // All at once: each wrong field is named, and no text of the report comes back.
    let worse = set(&set(&set(good, "/country", json!("xa")), "/phase", json!("x")), "/kinds/2", json!("device_siezed"));
    let answer = attacker.report(&worse).await?;
    let named: BTreeSet<_> = answer.fields.iter().map(|(field, _)| field.as_str()).collect();
    ensure_equal(named, ["country", "kinds[2]", "phase"].into_iter().collect(), "fields named at once")?;
    ensure(!answer.body.contains("plain clothes"), || "the narrative comes back".to_owned())
}

#[tokio::test]
async fn no_control_character_reaches_a_header() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.clone();
    for evil in EVIL {
        for (pointer, field) in [
            ("/country", "country"),
            ("/place_type", "place_type"),
            ("/reporter/language", "reporter.language"),
            ("/reporter/organisation_id", "reporter.organisation_id"),
            ("/submitted_at", "submitted_at"),
            ("/kinds/0", "kinds[0]"),
            ("/safe_contact/allowed/0", "safe_contact.allowed[0]"),
            ("/safe_contact/code_word_safe", "safe_contact.code_word_safe"),
            ("/safe_contact/shared_with", "safe_contact.shared_with"),
            ("/safe_contact/proxy", "safe_contact.proxy"),
            ("/safe_contact/address", "safe_contact.address"),
            ("/safe_contact/language", "safe_contact.language"),
        ] {
            let answer = attacker.report(&set(&good, pointer, json!(format!("xa{evil}b")))).await?;
            ensure(answer.status == 400 && answer.fields.iter().any(|(named, _)| named == field), || {
                format!("{pointer} with {evil:?}: {} {}", answer.status, answer.body)
            })?;
        }
        let narrative = attacker.report(&set(&good, "/narrative", json!(format!("One line{evil}another")))).await?;
        let expected = if evil == "\n" { 201 } else { 400 };
        ensure_equal(narrative.status, expected, &format!("a narrative with {evil:?}"))?;
    }
    evil_keys_and_contacts(&attacker.stage).await?;
    evil_in_triage(&attacker).await?;
    attacker.survives().await
}

/// Whether a verb refused its input.
fn ensure_invalid<T>(answer: Result<Response<T>, Status>, what: &str) -> Outcome<()> {
    match answer {
        Err(status) if status.code() == Code::InvalidArgument => Ok(()),
        Err(status) => Err(Trouble::new(format!("{what}: {:?} {}", status.code(), status.message()))),
        Ok(_) => Err(Trouble::new(format!("{what} was taken"))),
    }
}

async fn evil_keys_and_contacts(stage: &Stage) -> Outcome<()> {
    let administrator = &stage.cast.administrator;
    for evil in EVIL {
        let dirty = |text: &str| format!("{text}{evil}x");
        for key in [
            triage::Key { actor_id: dirty("ana"), name: "Ana".into(), roles: vec!["coordinator".into()], ..Default::default() },
            triage::Key { actor_id: "ana".into(), name: dirty("Ana"), roles: vec!["coordinator".into()], ..Default::default() },
            triage::Key { actor_id: "ana".into(), name: "Ana".into(), roles: vec![dirty("coordinator")], ..Default::default() },
        ] {
            let request = bearing(administrator, triage::IssueKeyRequest { key: Some(key) })?;
            ensure_invalid(stage.clients.keys.clone().issue_key(request).await, &format!("a key with {evil:?}"))?;
        }
        let contact = stage.network.contacts()[0].clone();
        for (changed, what) in [
            (notification::Contact { email: dirty("a@org-001.example"), ..contact.clone() }, "e-mail"),
            (notification::Contact { email: format!("a{evil}@org-001.example"), ..contact.clone() }, "e-mail in its middle"),
            (notification::Contact { phone: dirty("+447700900001"), ..contact.clone() }, "phone"),
            (notification::Contact { webhook: dirty("https://hooks.org-001.example/"), ..contact.clone() }, "webhook"),
            (notification::Contact { webhook_secret: dirty("whsec_"), ..contact.clone() }, "webhook secret"),
            (notification::Contact { contact_id: dirty("c"), ..contact.clone() }, "contact id"),
            (notification::Contact { language: dirty("en"), ..contact.clone() }, "language"),
            (notification::Contact { time_zone: dirty("Etc/GMT+0"), ..contact.clone() }, "time zone"),
            (notification::Contact { channels: vec![dirty("email")], ..contact.clone() }, "channel"),
            (notification::Contact { quiet_hours: dirty("22:00-07:00"), ..contact.clone() }, "quiet hours"),
        ] {
            let request = bearing(administrator, notification::ImportContactsRequest { contacts: vec![changed] })?;
            ensure_invalid(stage.clients.contacts.clone().import_contacts(request).await, &format!("{what} with {evil:?}"))?;
        }
        let organisation = stage.network.organisations()[0].clone();
        for (changed, what) in [
            (dispatch::Organisation { organisation_id: dirty("org"), ..organisation.clone() }, "organisation id"),
            (dispatch::Organisation { name: dirty("House"), ..organisation.clone() }, "organisation name"),
            (dispatch::Organisation { country: dirty("X"), ..organisation.clone() }, "country"),
            (dispatch::Organisation { contact_ids: vec![dirty("c")], ..organisation.clone() }, "contact id of dispatch"),
        ] {
            let request = bearing(administrator, dispatch::ImportOrganisationsRequest { organisations: vec![changed] })?;
            ensure_invalid(stage.clients.organisations.clone().import_organisations(request).await, &format!("{what} with {evil:?}"))?;
        }
    }
    Ok(())
}

async fn evil_in_triage(attacker: &Attacker) -> Outcome<()> {
    let stage = &attacker.stage;
    let scenario = Scenario(fixture_json("scenarios/workshop-detention.json")?);
    let accepted = stage.submit(scenario.report()).await?;
    let office = stage.office(&accepted).await?;
    office.prepare(&scenario).await?;
    let (case, coordinator) = (office.case.clone(), &stage.cast.coordinator);
    let draft = scenario.draft();
    for evil in EVIL {
        let dirty = |text: &str| format!("{text}{evil}x");
        let with_text = |text: AlertText| triage::Draft { texts: vec![text], ..draft.clone() };
        let english = draft.texts.iter().find(|text| text.language == "en").cloned().unwrap_or_default();
        for (changed, what) in [
            (with_text(AlertText { headline: dirty("Ten"), ..english.clone() }), "headline"),
            (with_text(AlertText { language: dirty("en"), ..english.clone() }), "language"),
            (triage::Draft { track: dirty("members"), ..draft.clone() }, "track"),
            (triage::Draft { tlp: dirty("AMBER"), ..draft.clone() }, "tlp"),
            (triage::Draft { named_partners: vec![dirty("org")], ..draft.clone() }, "named partner"),
            (
                triage::Draft {
                    addressees: vec![Addressee { kind: "state".into(), name: dirty("A ministry"), reply_days: 3 }],
                    ..draft.clone()
                },
                "addressee",
            ),
        ] {
            let request = triage::DraftAlertRequest { case: case.clone(), draft: Some(changed) };
            let answer = stage.clients.cases.clone().draft_alert(bearing(coordinator, request)?).await;
            ensure_invalid(answer, &format!("{what} with {evil:?}"))?;
        }
        let mut consent = scenario.consents().remove(0);
        consent.who = dirty("affected_person");
        let request = triage::RecordConsentRequest { case: case.clone(), consent: Some(consent) };
        ensure_invalid(stage.clients.cases.clone().record_consent(bearing(coordinator, request)?).await, "who consents")?;
        let request = triage::RecordSourceRequest {
            case: case.clone(),
            source: Some(triage::Source { link: dirty("lawyer"), reliability: "A".into(), information: "1".into(), ..Default::default() }),
        };
        ensure_invalid(stage.clients.cases.clone().record_source(bearing(coordinator, request)?).await, "a source's link")?;
    }
    Ok(())
}

#[tokio::test]
async fn an_idempotency_key_makes_one_report() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.to_string();
    let media = "application/json";
    for (key, status, reason) in [
        (None, 400, "IDEMPOTENCY_KEY_MISSING"),
        (Some("short"), 400, "IDEMPOTENCY_KEY_INVALID"),
        (Some(&*"k".repeat(129)), 400, "IDEMPOTENCY_KEY_INVALID"),
        (Some("with a space"), 400, "IDEMPOTENCY_KEY_INVALID"),
    ] {
        let answer = attacker.post(good.clone(), key, media).await?;
        ensure_equal((answer.status, answer.reason.as_str()), (status, reason), &format!("the key {key:?}"))?;
    }
    let key = fresh();
    let first = attacker.post(good.clone(), Some(&key), media).await?;
    ensure_equal(first.status, 201, "the first")?;
    let again = attacker.post(good.clone(), Some(&key), media).await?;
    ensure_equal((again.status, again.body), (201, first.body.clone()), "the same again")?;
    let other = set(&attacker.good, "/country", json!("XB")).to_string();
    let other = attacker.post(other, Some(&key), media).await?;
    ensure_equal((other.status, other.reason.as_str()), (422, "IDEMPOTENCY_KEY_REUSED"), "the same key, another body")?;
    concurrent(&attacker, &good).await?;
    over_grpc(&attacker, &first.body).await?;
    attacker.survives().await
}

async fn concurrent(attacker: &Attacker, good: &str) -> Outcome<()> {
    let key = fresh();
    let answers = join_all((0..24).map(|_| attacker.post(good.to_owned(), Some(&key), "application/json"))).await;
    let mut bodies = BTreeSet::new();
    for answer in answers {
        let answer = answer?;
        match answer.status {
            201 => drop(bodies.insert(answer.body)),
            409 => ensure_equal(answer.reason.as_str(), "IDEMPOTENCY_KEY_IN_PROGRESS", "while the first is worked on")?,
            status => return Err(Trouble::new(format!("{status}: {}", answer.body))),
        }
    }
    ensure_equal(bodies.len(), 1, "different answers to one key")
}

async fn over_grpc(attacker: &Attacker, stored: &str) -> Outcome<()> {
    let mut intake = attacker.stage.clients.intake.clone();
    for key in ["", "short", "line\r\nbreak", "with a space", "schlüssel-aus-worten", &"k".repeat(100_000)] {
        let request = SubmitReportRequest { report: Some(wire_report()), idempotency_key: key.to_owned() };
        ensure_invalid(intake.submit_report(request).await, &format!("the key {:.20?}", key))?;
    }
    let key = fresh();
    let request = SubmitReportRequest { report: Some(wire_report()), idempotency_key: key.clone() };
    let first = intake.submit_report(request.clone()).await?.into_inner();
    let again = intake.submit_report(request.clone()).await?.into_inner();
    ensure(first == again, || "the stored answer differs".to_owned())?;
    let other = Report { narrative: "Something else.".into(), ..wire_report() };
    let request = SubmitReportRequest { report: Some(other), idempotency_key: key };
    ensure_invalid(intake.submit_report(request).await, "the same key, another body")?;
    ensure(!stored.contains(&first.receipt), || "two reports share a receipt".to_owned())?;
    ensure_invalid(intake.submit_report(SubmitReportRequest { report: None, idempotency_key: fresh() }).await, "no report")
}

fn wire_report() -> Report {
    Report {
        reporter: Some(tocsin_proto::intake::v1::Reporter { relation: "colleague".into(), language: "en".into(), ..Default::default() }),
        country: "XA".into(),
        subject: Some(tocsin_proto::intake::v1::Subject { unit: "individual".into(), count: 1 }),
        kinds: vec!["threat_other".into()],
        phase: "during".into(),
        narrative: "Something happened.".into(),
        ..Report::default()
    }
}

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
        let request = attacker.stage.http.get(attacker.door("/v1/reports/mine")).header("authorization", format!("Bearer {receipt}"));
        let answer = read(request.send().await?).await?;
        ensure(answer.status == expected, || format!("{receipt:.40}: {} {}", answer.status, answer.body))?;
        let answer = attacker.stage.clients.intake.clone().get_report(GetReportRequest { receipt: receipt.clone() }).await;
        let fine = answer.as_ref().map_or_else(
            |status| expected != 200 && matches!(status.code(), Code::NotFound | Code::Unauthenticated | Code::InvalidArgument),
            |_| expected == 200,
        );
        ensure(fine, || format!("{receipt:.40} over gRPC: {:?}", answer.err()))?;
    }
    let none = read(attacker.stage.http.get(attacker.door("/v1/reports/mine")).send().await?).await?;
    ensure_equal(none.status, 401, "no receipt")?;
    for evil in ["\0", "\r", "\u{2028}"] {
        let message = AddMessageRequest { receipt: accepted.receipt.clone(), text: format!("a{evil}b"), idempotency_key: fresh() };
        ensure_invalid(attacker.stage.clients.intake.clone().add_message(message).await, &format!("a message with {evil:?}"))?;
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
        let answer = stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await;
        ensure_equal(answer.err().map(|status| status.code()), Some(Code::Unauthenticated), &format!("the key {secret:.20}"))?;
    }
    let answer = stage.clients.cases.clone().list_cases(triage::ListCasesRequest::default()).await;
    ensure_equal(answer.err().map(|status| status.code()), Some(Code::Unauthenticated), "no key")?;
    wrong_roles(stage, &office).await?;
    wrong_names(stage).await?;
    let administrator = stage.cast.administrator.clone();
    let key = |actor: &str| triage::Key { actor_id: actor.into(), name: actor.into(), roles: vec!["coordinator".into()], ..Default::default() };
    let now = tocsin_platform::clock::Clock::system().now();
    let soon = prost_types::Timestamp { seconds: now.timestamp() + 2, nanos: 0 };
    let expiring = issue(&stage.clients, &administrator, triage::Key { expires_at: Some(soon), ..key("brief") }).await?;
    let request = bearing(&administrator, triage::IssueKeyRequest { key: Some(key("revoked")) })?;
    let issued = stage.clients.keys.clone().issue_key(request).await?.into_inner();
    let key_id = issued.key.unwrap_or_default().key_id;
    for secret in [&expiring, &issued.secret] {
        stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await?;
    }
    stage.clients.keys.clone().revoke_key(bearing(&administrator, triage::RevokeKeyRequest { key_id })?).await?;
    for secret in [&expiring, &issued.secret] {
        wait_until("an expired and a revoked key stop", KEY_STOPS_WITHIN, async || {
            let answer = stage.clients.cases.clone().list_cases(bearing(secret, triage::ListCasesRequest::default())?).await;
            Ok(answer.is_err_and(|status| status.code() == Code::Unauthenticated).then_some(()))
        })
        .await?;
    }
    attacker.survives().await
}

/// Each verb with the key of somebody whose role may not.
async fn wrong_roles(stage: &Stage, office: &Office<'_>) -> Outcome<()> {
    let cast = &stage.cast;
    let member = tocsin_tests::cast::delegate(&stage.clients, &cast.administrator, "org-001", "signatory_delegate").await?;
    let case = || office.case.clone();
    let mut cases = stage.clients.cases.clone();
    let mut keys = stage.clients.keys.clone();
    let mut denied: Vec<(&str, Option<Code>)> = Vec::new();
    macro_rules! try_verb {
        ($what:literal, $client:expr, $verb:ident, $secret:expr, $message:expr) => {
            denied.push(($what, $client.$verb(bearing($secret, $message)?).await.err().map(|status| status.code())))
        };
    }
    try_verb!("a member lists cases", cases, list_cases, &member, triage::ListCasesRequest::default());
    try_verb!("a member reads a case", cases, get_case, &member, triage::GetCaseRequest { case: case() });
    try_verb!("the administrator reads a case", cases, get_case, &cast.administrator, triage::GetCaseRequest { case: case() });
    try_verb!("a verifier acknowledges", cases, acknowledge_case, &cast.verifier, triage::AcknowledgeCaseRequest { case: case() });
    try_verb!("an approver drafts", cases, draft_alert, &cast.approvers[0], triage::DraftAlertRequest { case: case(), draft: None });
    try_verb!("a verifier approves", cases, approve_alert, &cast.verifier, triage::ApproveAlertRequest { case: case(), draft_version: 1 });
    try_verb!("the coordinator approves", cases, approve_alert, &cast.coordinator, triage::ApproveAlertRequest { case: case(), draft_version: 1 });
    try_verb!("the administrator releases", cases, release_alert, &cast.administrator, triage::ReleaseAlertRequest { case: case(), drill: false });
    try_verb!("a member stops", cases, stop_case, &member, triage::StopCaseRequest { case: case(), reason: "no".into() });
    try_verb!("the coordinator issues keys", keys, issue_key, &cast.coordinator, triage::IssueKeyRequest { key: None });
    try_verb!("a member lists keys", keys, list_keys, &member, triage::ListKeysRequest::default());
    try_verb!("a verifier revokes", keys, revoke_key, &cast.verifier, triage::RevokeKeyRequest { key_id: "x".into() });
    let mut organisations = stage.clients.organisations.clone();
    let mut alerts = stage.clients.alerts.clone();
    let mut contacts = stage.clients.contacts.clone();
    let mut notices = stage.clients.notices.clone();
    try_verb!("a member imports", organisations, import_organisations, &member, dispatch::ImportOrganisationsRequest::default());
    try_verb!("a member previews", alerts, preview_audience, &member, dispatch::PreviewAudienceRequest::default());
    try_verb!("a member sees coverage", alerts, get_coverage, &member, dispatch::GetCoverageRequest::default());
    try_verb!("a verifier imports contacts", contacts, import_contacts, &cast.verifier, notification::ImportContactsRequest::default());
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

#[tokio::test]
async fn garbage_on_both_ports_harms_nobody() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let mut random = StdRng::seed_from_u64(2026);
    let mut noise = vec![0_u8; 64 * 1024];
    random.fill_bytes(&mut noise);
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let long_header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024)).into_bytes();
    let smuggled = b"POST /v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET".to_vec();
    let pieces = [
        noise.clone(),
        [preface.clone(), noise.clone()].concat(),
        [preface.clone(), vec![0xff; 4096]].concat(),
        preface,
        long_header,
        smuggled,
        b"POST /v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
        b"GET /%00%0d%0aSet-Cookie:x HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![b'\n'; 100_000],
        Vec::new(),
    ];
    for (_, door) in attacker.stage.installation.doors.all() {
        for address in [door.grpc, door.http] {
            for piece in &pieces {
                throw(address, piece).await?;
            }
        }
    }
    huge_messages(&attacker.stage).await?;
    wrong_paths(&attacker.stage).await?;
    attacker.survives().await
}

/// Sends bytes and reads a little of what comes back; the other side may close at any moment.
async fn throw(address: SocketAddr, bytes: &[u8]) -> Outcome<()> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.write_all(bytes)).await;
    let mut answer = vec![0; 4096];
    let _ = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
    Ok(())
}

async fn huge_messages(stage: &Stage) -> Outcome<()> {
    for megabytes in [1, 5, 20] {
        let report = Report { narrative: "x".repeat(megabytes * 1024 * 1024), ..wire_report() };
        let request = SubmitReportRequest { report: Some(report), idempotency_key: fresh() };
        let code = stage.clients.intake.clone().submit_report(request).await.err().map(|status| status.code());
        let fine = matches!(code, Some(Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted));
        ensure(fine, || format!("a message of {megabytes} MiB: {code:?}"))?;
    }
    let organisations = vec![stage.network.organisations()[0].clone(); 20_000];
    let request = bearing(&stage.cast.administrator, dispatch::ImportOrganisationsRequest { organisations })?;
    let code = stage.clients.organisations.clone().import_organisations(request).await.err().map(|status| status.code());
    ensure(matches!(code, Some(Code::InvalidArgument | Code::OutOfRange | Code::ResourceExhausted)), || format!("20,000 organisations: {code:?}"))
}

async fn wrong_paths(stage: &Stage) -> Outcome<()> {
    let doors = stage.installation.doors;
    for (door, path, allowed) in [
        (doors.dispatch, "/acknowledge/x".to_owned(), [404, 400]),
        (doors.dispatch, format!("/acknowledge/{}", "A".repeat(5000)), [404, 400]),
        (doors.dispatch, "/acknowledge/..%2f..%2fetc%2fpasswd".to_owned(), [404, 400]),
        (doors.dispatch, "/acknowledge/%00%0d%0a".to_owned(), [404, 400]),
        (doors.dispatch, "/v1/alerts/stream".to_owned(), [401, 401]),
        (doors.notification, "/receipts/sink?type=1&id=1&mac=00".to_owned(), [404, 400]),
        (doors.notification, "/receipts/%2e%2e?type=%ff".to_owned(), [404, 400]),
        (doors.intake, "/nowhere".to_owned(), [404, 404]),
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            let status = stage.http.request(method.clone(), format!("http://{}{path}", door.http)).send().await?.status().as_u16();
            ensure(allowed.contains(&status) || status == 405, || format!("{method} {path:.60}: {status}"))?;
        }
    }
    Ok(())
}

/// The import of a network whose parts contradict each other is refused whole.
#[tokio::test]
async fn an_import_with_one_wrong_part_changes_nothing() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let Network(mut wrong) = open(5, 2);
    wrong["organisations"][4]["clearance"] = json!("GREN");
    let organisations = Network(wrong).organisations();
    let administrator = attacker.stage.cast.administrator.clone();
    let request = bearing(&administrator, dispatch::ImportOrganisationsRequest { organisations })?;
    let answer = attacker.stage.clients.organisations.clone().import_organisations(request).await;
    let told = answer.as_ref().err().map(|status| String::from_utf8_lossy(status.details()).into_owned()).unwrap_or_default();
    ensure(told.contains("organisations[4].clearance") && told.contains("GREEN"), || format!("not named: {answer:?} {told}"))?;
    let request = bearing(&administrator, dispatch::ListOrganisationsRequest { page_size: 100, page_token: String::new() })?;
    let listed = attacker.stage.clients.organisations.clone().list_organisations(request).await?.into_inner().organisations;
    ensure_equal(listed.len(), 2, "organisations after the refused import")?;
    attacker.survives().await
}
