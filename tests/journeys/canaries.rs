//! No text of a case stands anywhere but sealed: canaries are planted in every field that somebody types, one case walks
//! to its release at AMBER and one at GREEN, and then everything that the run wrote is searched.

use serde_json::json;
use tocsin_proto::common::v1::{Addressee, AlertText};
use tocsin_proto::intake::v1::{AddMessageRequest, GetReportRequest};
use tocsin_proto::triage::v1::{
    AnswerReporterRequest, AssessCaseRequest, ConsentLimits, ConsentRecord, Draft, DraftAlertRequest,
    RecordConsentRequest, RejectAlertRequest, StopCaseRequest, SubmitForApprovalRequest,
};
use tocsin_tests::canary::{Canary, Remains, contains};
use tocsin_tests::clients::bearing;
use tocsin_tests::mail::readable;
use tocsin_tests::network::{Network, list, open, texts};
use tocsin_tests::process::wait_until;
use tocsin_tests::program::fixture_json;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::Stage;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Office, STEP_LIMIT, coverage_when, is_settled};
use tocsin_tests::{Outcome, Trouble};

/// Texts that nobody would write by chance, of letters only so that every field takes them.
pub(crate) struct Planter {
    tag: &'static str,
    canaries: Vec<Canary>,
}

impl Planter {
    pub(crate) fn new(tag: &'static str) -> Self {
        Self { tag, canaries: Vec::new() }
    }

    /// A new canary for a field.
    fn plant(&mut self, field: &str) -> String {
        let letters: String = field.chars().filter(char::is_ascii_lowercase).collect();
        let text = format!("zq{}{letters}xwv", self.tag);
        self.watch(field, &text);
        text
    }

    /// Also looks for a text that was not planted.
    pub(crate) fn watch(&mut self, field: &str, text: &str) {
        self.canaries.push(Canary::new(&format!("{field} ({})", self.tag), text));
    }

    pub(crate) fn canaries(&self) -> &[Canary] {
        &self.canaries
    }

    /// A scenario whose texts are all canaries.
    pub(crate) fn scenario(&mut self, tlp: &str) -> Outcome<Scenario> {
        let Scenario(mut scenario) = Scenario::for_today()?;
        scenario["report"]["place_type"] = json!(self.plant("place type"));
        scenario["report"]["reporter"]["organisation_id"] = json!(self.plant("reporter organisation"));
        scenario["report"]["narrative"] =
            json!(format!("Somebody wrote {} here.\nA second line.", self.plant("narrative")));
        scenario["report"]["safe_contact"] = json!({
            "allowed": [self.plant("allowed")], "forbidden": [self.plant("forbidden")],
            "cover_text": self.plant("cover text"), "code_word_safe": self.plant("safe word"),
            "code_word_duress": self.plant("duress word"), "shared_with": self.plant("shared with"),
            "proxy": self.plant("proxy"), "address": self.plant("address"),
            "hours": "08:00-22:00", "time_zone": "Etc/GMT-3",
        });
        scenario["consent"] = json!([{
            "who": self.plant("consent who"), "purpose": "members_alert", "audience": "all_members", "identity_level": "full",
            "form": "written", "status": "granted", "reason": self.plant("consent reason"),
        }]);
        scenario["alert"]["tlp"] = json!(tlp);
        scenario["alert"]["addressees"] = json!([{"kind": "state", "name": self.plant("addressee"), "reply_days": 3}]);
        let text = |planter: &mut Self, language: &str, translation: &str| {
            json!({"headline": planter.plant(&format!("{language} headline")),
                   "body": format!("It says {}.", planter.plant(&format!("{language} body"))), "translation": translation})
        };
        scenario["alert"]["texts"] = json!({
            "en": text(self, "en", "reviewed"), "fr": text(self, "fr", "reviewed"), "ar": text(self, "ar", "human_draft"),
        });
        Ok(Scenario(scenario))
    }

    /// What people write around a case before it is drafted for good.
    pub(crate) async fn talk(&mut self, stage: &Talk<'_>, office: &Office<'_>, receipt: &str) -> Outcome<()> {
        let mut cases = stage.clients.cases.clone();
        let (case, coordinator) = (office.case.clone(), &stage.cast.coordinator);
        let key = self.plant("idempotency key");
        let message =
            AddMessageRequest { receipt: receipt.to_owned(), text: self.plant("message"), idempotency_key: key };
        stage.clients.intake.clone().add_message(message).await?;
        let answer = AnswerReporterRequest { case: case.clone(), text: self.plant("answer"), question: false };
        cases.answer_reporter(bearing(coordinator, answer)?).await?;
        let assess = AssessCaseRequest {
            case: case.clone(),
            factors: Some(stage.scenario.factors()),
            claim: "likely".to_owned(),
            changed_priority: "p1".to_owned(),
            changed_reason: self.plant("changed reason"),
            ..AssessCaseRequest::default()
        };
        cases.assess_case(bearing(coordinator, assess)?).await?;
        let limits = ConsentLimits { unchecked: vec![self.plant("limit in words")], ..ConsentLimits::default() };
        let consent = ConsentRecord {
            who: self.plant("another who"),
            purpose: "statistics".to_owned(),
            audience: "coordinators".to_owned(),
            identity_level: "none".to_owned(),
            status: "granted_with_limits".to_owned(),
            form: "voice".to_owned(),
            limits: Some(limits),
            ..ConsentRecord::default()
        };
        let request = RecordConsentRequest { case: case.clone(), consent: Some(consent) };
        cases.record_consent(bearing(coordinator, request)?).await?;
        let draft = self.first_draft(stage.scenario.draft());
        let drafted = cases
            .draft_alert(bearing(coordinator, DraftAlertRequest { case: case.clone(), draft: Some(draft) })?)
            .await?;
        let draft_version = drafted.into_inner().draft.unwrap_or_default().version;
        cases.submit_for_approval(bearing(coordinator, SubmitForApprovalRequest { case: case.clone() })?).await?;
        let reject = RejectAlertRequest { case, draft_version, reason: self.plant("reject reason") };
        cases.reject_alert(bearing(&stage.cast.approvers[0], reject)?).await?;
        Ok(())
    }

    fn first_draft(&mut self, draft: Draft) -> Draft {
        let text = AlertText {
            language: "en".to_owned(),
            headline: self.plant("rejected headline"),
            body: self.plant("rejected body"),
            translation: "reviewed".to_owned(),
        };
        let addressee = Addressee { kind: "media".to_owned(), name: self.plant("rejected addressee"), reply_days: 1 };
        Draft { texts: vec![text], addressees: vec![addressee], ..draft }
    }

    /// The canaries of texts that are released at GREEN, and all others.
    fn split(&self) -> (Vec<Canary>, Vec<Canary>) {
        let released = |canary: &Canary| {
            ["en headline", "en body", "fr headline", "fr body"].iter().any(|field| canary.planted.starts_with(field))
        };
        self.canaries.iter().cloned().partition(released)
    }
}

/// Who and what [`Planter::talk`] needs.
pub(crate) struct Talk<'a> {
    pub(crate) clients: &'a tocsin_tests::clients::Clients,
    pub(crate) cast: &'a tocsin_tests::cast::Cast,
    pub(crate) scenario: &'a Scenario,
}

/// One case, from a report full of canaries to its release; returns the alert.
async fn walk(stage: &Stage, planter: &mut Planter, tlp: &str) -> Outcome<String> {
    let scenario = planter.scenario(tlp)?;
    let accepted = stage.submit(scenario.report()).await?;
    planter.watch("receipt", &accepted.receipt);
    planter.watch("receipt with hyphens", &accepted.receipt.replace(' ', "-"));
    let office = stage.office(&accepted).await?;
    office.prepare(&scenario).await?;
    let talk = Talk { clients: &stage.clients, cast: &stage.cast, scenario: &scenario };
    planter.talk(&talk, &office, &accepted.receipt).await?;
    wait_until("the message reaches triage and the answer the reporter", STEP_LIMIT, async || {
        let request = GetReportRequest { receipt: accepted.receipt.clone() };
        let answers = stage.clients.intake.clone().get_report(request).await?.into_inner().answers;
        let messages = office.look().await?.messages;
        Ok((answers.len() >= 2 && messages.iter().any(|message| message.from == "reporter")).then_some(()))
    })
    .await?;
    office.draft_and_approve(scenario.draft()).await?;
    let released = office.ask_release(false).await?;
    ensure(released.released, || format!("the gate refused: {:?}", released.refusals))?;
    let settled = coverage_when(
        &stage.clients,
        &stage.cast.coordinator,
        &released.alert_id,
        "the fan-out settles",
        STEP_LIMIT,
        is_settled,
    );
    let coverage = settled.await?;
    let arrived: usize =
        coverage.notices.iter().filter(|one| matches!(one.state.as_str(), "accepted" | "delivered")).count();
    ensure_equal(arrived, coverage.notices.len(), &format!("notices that arrived, of {:?}", coverage.by_state))?;
    let stop = StopCaseRequest { case: office.case.clone(), reason: planter.plant("stop reason") };
    stage.clients.cases.clone().stop_case(bearing(&stage.cast.coordinator, stop)?).await?;
    Ok(released.alert_id)
}

/// Files, logs and metrics of the run.
async fn remains(stage: &Stage) -> Outcome<Remains> {
    let mut remains = Remains::default();
    remains.add_folder(&stage.installation.data())?;
    remains.add_folder(&stage.installation.logs())?;
    for (name, door) in stage.installation.doors.all() {
        let metrics = stage.http.get(format!("http://{}/metrics", door.http)).send().await?.text().await?;
        ensure(metrics.contains("tocsin_"), || format!("{name} has no metrics"))?;
        remains.add(format!("the metrics of {name}"), metrics);
    }
    Ok(remains)
}

/// What arrived at the receivers since the given counts, each kind by itself.
struct Arrived {
    mail: Vec<String>,
    sms: Vec<String>,
    webhook: Vec<String>,
}

fn arrived(stage: &Stage) -> Arrived {
    let mail = stage.receivers.mail.log().all();
    let sms = stage.receivers.sms.log().all();
    let webhook = stage.receivers.webhook.log().all();
    Arrived {
        mail: mail.into_iter().map(|mail| readable(&mail.item.data)).collect(),
        sms: sms.into_iter().map(|sms| sms.item.text).collect(),
        webhook: webhook
            .into_iter()
            .map(|hook| {
                format!("{} {:?} {}", hook.item.path, hook.item.headers, String::from_utf8_lossy(&hook.item.body))
            })
            .collect(),
    }
}

fn clear(stage: &Stage) {
    stage.receivers.mail.log().clear();
    stage.receivers.sms.log().clear();
    stage.receivers.webhook.log().clear();
}

/// Fails when any canary stands in any of the texts.
fn ensure_absent(canaries: &[Canary], texts: &[String], what: &str) -> Outcome<()> {
    let mut remains = Remains::default();
    for text in texts {
        remains.add(what, text.as_bytes());
    }
    let found = remains.search(canaries);
    ensure(found.is_empty(), || found.join("\n"))
}

#[tokio::test]
async fn text_stands_nowhere_but_sealed() -> Outcome<()> {
    let mut stage = Stage::raise(network(), "\n[telemetry]\nlevel = \"debug\"\n").await?;
    let mut amber = Planter::new("amber");
    walk(&stage, &mut amber, "AMBER").await?;
    let pointers = arrived(&stage);
    for (texts, what) in [(&pointers.mail, "an e-mail"), (&pointers.sms, "an SMS"), (&pointers.webhook, "a webhook")] {
        ensure(texts.len() >= stage.network.contacts().len(), || format!("{what}: only {} arrived", texts.len()))?;
        ensure_absent(amber.canaries(), texts, what)?;
        ensure(!texts.iter().any(|text| text.contains("XA-2026") || text.contains("XA-20")), || {
            format!("{what} names the case")
        })?;
    }
    clear(&stage);
    let mut green = Planter::new("green");
    walk(&stage, &mut green, "GREEN").await?;
    let told = arrived(&stage);
    let (released, others) = green.split();
    ensure_absent(green.canaries(), &told.sms, "an SMS")?;
    for (texts, what) in [(&told.mail, "an e-mail"), (&told.webhook, "a webhook")] {
        ensure_absent(&others, texts, what)?;
        // The search would find nothing if nothing had been sent, so the released text must be there.
        for canary in &released {
            ensure(texts.iter().any(|text| canary.form_in(text.as_bytes()).is_some()), || {
                format!("{} is in no {what}", canary.planted)
            })?;
        }
    }
    let mut people = Planter::new("people");
    for contact in stage.network.contacts() {
        people.watch("an e-mail address", &contact.email);
        people.watch("a telephone number", &contact.phone);
        people.watch("a webhook", contact.webhook.trim_start_matches("https://"));
    }
    for secret in [&stage.cast.coordinator, &stage.cast.verifier, &stage.cast.approvers[0]] {
        people.watch("a key", secret);
    }
    let canaries = [amber.canaries(), green.canaries(), people.canaries()].concat();
    let found = remains(&stage).await?.search(&canaries);
    ensure(found.is_empty(), || format!("while it runs:\n{}", found.join("\n")))?;
    // An orderly end writes the logs of the databases into their files.
    ensure(stage.process.stop().await?.success(), || "the process did not end well".to_owned())?;
    let mut remains = Remains::default();
    remains.add_folder(stage.installation.folder())?;
    ensure(remains.bytes() > 500_000, || "there is too little to search".to_owned())?;
    let found = remains.search(&canaries);
    ensure(found.is_empty(), || format!("after its end:\n{}", found.join("\n")))
}

/// Every contact on every channel, with an address that is a canary by itself.
fn network() -> Network {
    let Network(mut network) = open(6, 4);
    for organisation in network["organisations"].as_array_mut().into_iter().flatten() {
        let id = organisation["id"].as_str().unwrap_or_default().to_owned();
        for (index, contact) in organisation["contacts"].as_array_mut().into_iter().flatten().enumerate() {
            contact["email"] = json!(format!("zqmailbox{index}@{id}.example"));
        }
    }
    Network(network)
}

#[tokio::test]
async fn notices_of_the_fixture_carry_nothing_of_the_case() -> Outcome<()> {
    let stage = Stage::raise(network(), "").await?;
    let scenario = Scenario::for_today()?;
    let released = stage.release(&scenario).await?;
    let coordinator = &stage.cast.coordinator;
    coverage_when(&stage.clients, coordinator, &released.alert_id, "the fan-out settles", STEP_LIMIT, is_settled)
        .await?;
    let arrived = arrived(&stage);
    let all: Vec<_> = [arrived.mail, arrived.sms, arrived.webhook].concat();
    for word in texts(&scenario.0["expect"], "notices_carry_no") {
        let found = all.iter().find(|text| text.to_lowercase().contains(&word.to_lowercase()));
        ensure(found.is_none(), || format!("`{word}` stands in {found:?}"))?;
    }
    let carrying = all.iter().filter(|text| text.contains(&released.short_code)).count();
    ensure_equal(carrying, 3 * stage.network.contacts().len(), "notices with the short code")
}

#[test]
fn the_search_finds_what_is_planted() -> Outcome<()> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let text = "canary ~ñ? of 17";
    let canary = Canary::new("here", text);
    for alignment in 0..3 {
        let surrounded = [&b"abc"[..alignment], text.as_bytes(), b"tail"].concat();
        let forms = [
            STANDARD.encode(&surrounded),
            URL_SAFE.encode(&surrounded),
            hex::encode(&surrounded),
            hex::encode_upper(&surrounded),
        ];
        for form in forms {
            let haystack = format!("{{\"before\":1,\"it\":\"{form}\"}}");
            ensure(canary.form_in(haystack.as_bytes()).is_some(), || format!("not found in {haystack}"))?;
        }
        ensure_equal(canary.form_in(&surrounded), Some("raw"), "raw")?;
    }
    ensure_equal(canary.form_in(b"canary of 17, but another, cGxhaW4="), None, "a text without it")?;
    ensure(!contains(b"aaab", b"aac") && contains(b"aaab", b"aab"), || "the plain search is wrong".to_owned())?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("below"))?;
    std::fs::write(
        folder.path().join("below").join("file.db-wal"),
        [&[0_u8; 5000][..], text.as_bytes(), &[255; 10]].concat(),
    )?;
    let mut remains = Remains::default();
    remains.add_folder(folder.path())?;
    ensure_equal(remains.search(&[canary]).len(), 1, "findings in the folder")
}

#[test]
fn a_scenario_of_canaries_plants_in_every_text_of_the_fixture() -> Outcome<()> {
    let mut planter = Planter::new("form");
    let scenario = planter.scenario("AMBER")?;
    let fixture = fixture_json("scenarios/workshop-detention.json")?;
    for key in fixture["report"]["safe_contact"].as_object().into_iter().flatten().map(|(key, _)| key) {
        ensure(!scenario.0["report"]["safe_contact"][key].is_null(), || format!("safe_contact.{key} is not planted"))?;
    }
    let flat = scenario.0.to_string();
    for canary in planter.canaries() {
        canary.form_in(flat.as_bytes()).ok_or_else(|| Trouble::new(format!("{} is not planted", canary.planted)))?;
    }
    ensure_equal(list(&scenario.0, "consent").len(), 1, "consents")?;
    ensure(scenario.0["report"]["narrative"].is_string(), || "no narrative".to_owned())
}
