//! Triage running on a real database behind its real door, and the people who use it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prost::Message;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tocsin_domain::id::ReportId;
use tocsin_domain::role::Role;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::{Credentials, NewKey};
use tocsin_platform::database::{Database, DatabaseSettings};
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{self, PublicSealingKey, Receipt, SealingKeyPair};
use tocsin_platform::service::{Parts, Peers};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{
    DISPATCH_KEY_PUBLISHED, Lane, MESSAGE_RECEIVED, REPORT_RECEIVED, Service, TRIAGE_KEY_PUBLISHED,
};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1 as event;
use tocsin_proto::intake::v1 as intake;
use tocsin_proto::triage::v1 as wire;
use tocsin_proto::triage::v1::case_service_client::CaseServiceClient;
use tocsin_proto::triage::v1::key_service_client::KeyServiceClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;

use super::fixtures::Scenario;
use super::neighbours::{self, Answers, Heard, Neighbour};
use crate::App;

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Triage, its neighbours and its people.
pub(super) struct House {
    pub(super) cases: CaseServiceClient<Channel>,
    pub(super) keys: KeyServiceClient<Channel>,
    pub(super) heard: Heard,
    pub(super) answers: Answers,
    pub(super) clock: Clock,
    pub(super) credentials: Credentials,
    pub(super) intake: Neighbour,
    pub(super) dispatch: Neighbour,
    pub(super) dispatch_pair: SealingKeyPair,
    pub(super) stored: Stored,
    /// What another process of triage is made of.
    pub(super) bus: Bus,
    pub(super) settings: String,
    pub(super) peer: Channel,
    handle: ShutdownHandle,
    running: JoinHandle<Result<(), LifecycleError>>,
}

/// What outlives a process: its database and its folder.
pub(super) struct Stored {
    pub(super) database: TestDatabase,
    pub(super) folder: TempDir,
    /// The last sealing key that triage said.
    said: Option<PublicSealingKey>,
}

impl Stored {
    pub(super) async fn both() -> [Self; 2] {
        TestDatabase::both().await.map(Self::on)
    }

    pub(super) fn sqlite() -> Self {
        Self::on(TestDatabase::sqlite())
    }

    fn on(database: TestDatabase) -> Self {
        Self { database, folder: tempfile::tempdir().unwrap(), said: None }
    }

    /// Changes what is stored, as a damage or a restore does. Returns how many rows changed.
    pub(super) async fn rewrite(&self, database: &str, statement: &str) -> u64 {
        let database = Database::open_named(self.settings(), database).await.unwrap();
        let transaction = database.begin().await.unwrap();
        let result = transaction.execute_unprepared(statement).await.unwrap();
        transaction.commit().await.unwrap();
        result.rows_affected()
    }

    pub(super) fn settings(&self) -> &DatabaseSettings {
        self.database.settings()
    }
}

/// The moment at which most tests begin.
pub(super) fn morning() -> DateTime<Utc> {
    "2026-07-05T15:40:00Z".parse().unwrap()
}

impl House {
    pub(super) async fn start(stored: Stored) -> Self {
        Self::start_at(stored, morning()).await
    }

    /// Starts everything on what is stored, with the clock at this moment.
    pub(super) async fn start_at(stored: Stored, moment: DateTime<Utc>) -> Self {
        let clock = Clock::starting_at(moment);
        let (handle, shutdown) = Shutdown::pair();
        let (bus, heard, answers) = (Bus::in_process(), Heard::default(), Answers::default());
        answers.audience(&["org-001", "org-002"], &[]);
        let neighbour = |service| {
            let (bus, clock, heard, shutdown) = (&bus, &clock, &heard, &shutdown);
            Neighbour::start(service, stored.settings(), bus, clock, heard, shutdown)
        };
        let (intake, dispatch) = (neighbour(Service::Intake).await, neighbour(Service::Dispatch).await);
        neighbour(Service::Notification).await;

        let text = format!(
            "data_folder = {:?}\n[database]\nurl = {:?}\n[triage]\nduty_roster = [\"duty-1\", \"duty-2\", \"duty-3\"]\n",
            stored.folder.path(),
            stored.settings().url
        );
        let settings = Settings::from_text(&text).unwrap();
        let own_bus = bus.clone();
        let credentials = Credentials::open(stored.settings(), clock.clone()).await.unwrap();
        let peer = format!("http://{}", neighbours::serve(&answers, &shutdown).await);
        let peer = tocsin_platform::grpc::connect_with(&peer, None).unwrap();
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = format!("http://{}", grpc.local_addr().unwrap());
        let parts = Parts {
            settings,
            clock: clock.clone(),
            bus,
            credentials: credentials.clone(),
            grpc,
            http: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            peers: Some(Peers { dispatch: peer.clone(), notification: peer.clone() }),
        };
        let app = Box::pin(App::build(parts)).await.unwrap();
        let running = tokio::spawn(app.run(shutdown));
        let channel = tocsin_platform::grpc::connect_with(&door, None).unwrap();
        let house = Self {
            cases: CaseServiceClient::new(channel.clone()),
            keys: KeyServiceClient::new(channel),
            heard,
            answers,
            clock,
            credentials,
            intake,
            dispatch,
            dispatch_pair: SealingKeyPair::generate().unwrap(),
            stored,
            bus: own_bus,
            settings: text,
            peer,
            handle,
            running,
        };
        house.say_dispatch_key().await;
        house
    }

    /// Ends the process and keeps what it stored.
    pub(super) async fn stop(self) -> Stored {
        self.handle.drain();
        self.running.await.unwrap().unwrap();
        let said = self.heard.of::<event::KeyPublished>(&TRIAGE_KEY_PUBLISHED).pop();
        let said = said.map(|said| said.key.unwrap().try_into().unwrap());
        Stored { said: said.or(self.stored.said), ..self.stored }
    }

    async fn say_dispatch_key(&self) {
        let now = self.clock.now();
        let key = self.dispatch_pair.public();
        let message = event::KeyPublished { key: Some(key.into()), published_at: Some(timestamp(now)) };
        let event = OutgoingEvent::new(&DISPATCH_KEY_PUBLISHED, Lane::Urgent, "dispatch", 1, &message, now);
        self.dispatch.say(event).await;
    }

    /// Somebody with these roles, and the key that they send.
    pub(super) async fn person(&self, actor: &str, roles: &[Role]) -> Person {
        self.person_of(actor, roles, None, None).await
    }

    pub(super) async fn person_of(
        &self,
        actor: &str,
        roles: &[Role],
        organisation: Option<&str>,
        country: Option<&str>,
    ) -> Person {
        let new = NewKey {
            actor: actor.parse().unwrap(),
            name: format!("Person {actor}"),
            roles: roles.to_vec(),
            organisation: organisation.map(|id| id.parse().unwrap()),
            country: country.map(|code| code.parse().unwrap()),
            expires_at: None,
        };
        let issued = self.credentials.issue(new).await.unwrap();
        Person { key: issued.secret.expose().to_owned() }
    }

    pub(super) async fn coordinator(&self) -> Person {
        self.person("coordinator-1", &[Role::Coordinator]).await
    }

    /// A key that triage said, in this run or before.
    pub(super) async fn triage_key(&self) -> PublicSealingKey {
        match &self.stored.said {
            Some(said) => said.clone(),
            None => self.new_triage_key().await,
        }
    }

    /// The newest key that triage says in this run.
    pub(super) async fn new_triage_key(&self) -> PublicSealingKey {
        let said = self.hears::<event::KeyPublished>(&TRIAGE_KEY_PUBLISHED, 1).await.pop();
        said.unwrap().key.unwrap().try_into().unwrap()
    }

    /// A report that intake accepted; not waited for.
    pub(super) async fn say_report(&self, report: &intake::Report, key: &PublicSealingKey) -> (ReportId, Receipt) {
        let now = self.clock.now();
        let id = ReportId::new(now);
        let receipt = Receipt::generate().unwrap();
        self.say_report_as(id, &receipt, report, key).await;
        (id, receipt)
    }

    pub(super) async fn say_report_as(
        &self,
        id: ReportId,
        receipt: &Receipt,
        report: &intake::Report,
        key: &PublicSealingKey,
    ) {
        self.say_sealed_report(&self.sealed_report(id, receipt, report, key)).await;
    }

    /// A report as intake seals it.
    pub(super) fn sealed_report(
        &self,
        id: ReportId,
        receipt: &Receipt,
        report: &intake::Report,
        key: &PublicSealingKey,
    ) -> event::ReportReceived {
        let sealed = seal::seal(key, &format!("report:{id}"), &report.encode_to_vec()).unwrap();
        event::ReportReceived {
            report_id: id.to_string(),
            received_at: Some(timestamp(self.clock.now())),
            content: Some(sealed.into()),
            receipt_key: Some(receipt.key_pair().unwrap().public().into()),
        }
    }

    pub(super) async fn say_sealed_report(&self, message: &event::ReportReceived) {
        let (id, now) = (message.report_id.clone(), self.clock.now());
        self.intake.say(OutgoingEvent::new(&REPORT_RECEIVED, Lane::Urgent, id, 1, message, now)).await;
    }

    pub(super) async fn say_message(&self, report: ReportId, text: &str, key: &PublicSealingKey) -> Uuid {
        let (id, now) = (Uuid::now_v7(), self.clock.now());
        let sealed = seal::seal(key, &format!("message:{id}"), text.as_bytes()).unwrap();
        let message = event::MessageReceived {
            message_id: id.to_string(),
            report_id: report.to_string(),
            received_at: Some(timestamp(now)),
            content: Some(sealed.into()),
        };
        self.intake.say(OutgoingEvent::new(&MESSAGE_RECEIVED, Lane::Urgent, id.to_string(), 1, &message, now)).await;
        id
    }

    /// A report that triage has opened a case for.
    pub(super) async fn submit(&self, report: &intake::Report) -> (String, Receipt) {
        let key = self.triage_key().await;
        let (id, receipt) = self.say_report(report, &key).await;
        let id = id.to_string();
        self.wait_for_case(&id).await;
        (id, receipt)
    }

    pub(super) async fn wait_for_case(&self, report: &str) {
        let duty = self.person("duty-1", &[Role::DutyOfficer]).await;
        wait_until("triage has the case", LIMIT, async || {
            let cases = self.cases.clone().list_cases(duty.asks(wire::ListCasesRequest::default())).await;
            cases.unwrap().into_inner().cases.iter().any(|case| case.report_id == report)
        })
        .await;
    }

    /// Walks a case to its draft: acknowledged, verified, assessed, consents recorded, drafted.
    pub(super) async fn walk_to_draft(&self, scenario: &Scenario, case: &str) -> wire::Draft {
        let coordinator = self.coordinator().await;
        self.walk_to_consents(scenario, case).await;
        let request = wire::DraftAlertRequest { case: case.to_owned(), draft: Some(scenario.draft()) };
        self.cases.clone().draft_alert(coordinator.asks(request)).await.unwrap().into_inner().draft.unwrap()
    }

    pub(super) async fn walk_to_consents(&self, scenario: &Scenario, case: &str) {
        let coordinator = self.coordinator().await;
        let verifier = self.person("verifier-1", &[Role::Verifier]).await;
        let mut cases = self.cases.clone();
        let request = wire::AcknowledgeCaseRequest { case: case.to_owned() };
        cases.acknowledge_case(coordinator.asks(request)).await.unwrap();
        for source in scenario.sources() {
            let request = wire::RecordSourceRequest { case: case.to_owned(), source: Some(source) };
            cases.record_source(verifier.asks(request)).await.unwrap();
        }
        let request = wire::AssessCaseRequest {
            case: case.to_owned(),
            factors: Some(scenario.factors()),
            claim: "confirmed".to_owned(),
            ..wire::AssessCaseRequest::default()
        };
        let assessed = cases.assess_case(coordinator.asks(request)).await.unwrap().into_inner();
        assert_eq!(assessed.assessment.unwrap().score, scenario.expected_score());
        for consent in scenario.consents() {
            self.consent(case, consent).await;
        }
    }

    pub(super) async fn consent(&self, case: &str, consent: wire::ConsentRecord) -> wire::ConsentRecord {
        let coordinator = self.coordinator().await;
        let request = wire::RecordConsentRequest { case: case.to_owned(), consent: Some(consent) };
        self.cases.clone().record_consent(coordinator.asks(request)).await.unwrap().into_inner().consent.unwrap()
    }

    /// Submits the draft and has two people approve it.
    pub(super) async fn approve(&self, case: &str, version: u32) {
        let coordinator = self.coordinator().await;
        let mut cases = self.cases.clone();
        let request = wire::SubmitForApprovalRequest { case: case.to_owned() };
        cases.submit_for_approval(coordinator.asks(request)).await.unwrap();
        for actor in ["approver-1", "approver-2"] {
            let approver = self.person(actor, &[Role::Approver]).await;
            let request = wire::ApproveAlertRequest { case: case.to_owned(), draft_version: version };
            cases.approve_alert(approver.asks(request)).await.unwrap();
        }
    }

    pub(super) async fn release(&self, case: &str) -> Result<wire::ReleaseAlertResponse, tonic::Status> {
        let coordinator = self.coordinator().await;
        let request = wire::ReleaseAlertRequest { case: case.to_owned(), drill: false };
        self.cases.clone().release_alert(coordinator.asks(request)).await.map(tonic::Response::into_inner)
    }

    pub(super) async fn get(&self, case: &str) -> wire::GetCaseResponse {
        let coordinator = self.coordinator().await;
        let request = wire::GetCaseRequest { case: case.to_owned() };
        self.cases.clone().get_case(coordinator.asks(request)).await.unwrap().into_inner()
    }

    /// Waits until so many events of a kind were heard, and returns them.
    pub(super) async fn hears<M: Message + Default>(
        &self,
        kind: &tocsin_proto::catalogue::EventKind,
        count: usize,
    ) -> Vec<M> {
        wait_until(kind.name, LIMIT, async || self.heard.of::<M>(kind).len() >= count).await;
        self.heard.of(kind)
    }
}

/// Somebody with a key.
pub(super) struct Person {
    pub(super) key: String,
}

impl Person {
    /// A request in this person's name.
    pub(super) fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let value = format!("Bearer {}", self.key).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    }
}

/// The reason that a refusal gives to programs.
pub(super) fn reason<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> String {
    tocsin_platform::failure::received(&answer.unwrap_err()).reason
}
