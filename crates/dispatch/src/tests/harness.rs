//! A running dispatch, and clients that speak its verbs.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message as _;
use serde_json::Value;
use tempfile::TempDir;
use tocsin_domain::id::AlertId;
use tocsin_domain::role::Role;
use tocsin_platform::bus::Bus;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::{Credentials, NewKey};
use tocsin_platform::failure::{Received, received};
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::seal::{self, PublicSealingKey, SealingKeyPair};
use tocsin_platform::service::Parts;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{
    ALERT_RELEASED, ALERT_WITHDRAWN, DISPATCH_KEY_PUBLISHED, Lane, NOTICES_REQUESTED, NOTIFICATION_KEY_PUBLISHED,
    Service,
};
use tocsin_proto::common::v1::{AlertText, Person, Sealed};
use tocsin_proto::convert::timestamp;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::organisation_service_client::OrganisationServiceClient;
use tocsin_proto::dispatch::v1::{ImportOrganisationsRequest, ImportOrganisationsResponse, Organisation, Subscription};
use tocsin_proto::event::v1::{
    AlertContent, AlertReleased, AlertWithdrawn, ConsentReliedOn, KeyPublished, NoticesRequested,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::neighbour::Neighbour;
use crate::App;
use crate::dispatch::Shared;

/// Long enough on a loaded machine; nothing ever waits that long when it works.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// A running dispatch between its neighbours.
pub(super) struct World {
    pub(super) database: TestDatabase,
    pub(super) folder: TempDir,
    pub(super) triage: Neighbour,
    pub(super) notification: Neighbour,
    pub(super) notification_pair: SealingKeyPair,
    pub(super) credentials: Credentials,
    pub(super) dispatch: Shared,
    pub(super) shutdown: Shutdown,
    pub(super) http: String,
    /// What another process of dispatch is made of.
    pub(super) bus: Bus,
    pub(super) settings: String,
    channel: Channel,
    handle: ShutdownHandle,
    task: JoinHandle<Result<(), LifecycleError>>,
}

impl World {
    /// Starts it with the default settings and the key of notification said.
    pub(super) async fn start(database: TestDatabase) -> Self {
        let world = Self::start_with(database, tempfile::tempdir().unwrap(), "", Clock::system()).await;
        world.say_notification_key().await;
        world
    }

    pub(super) async fn start_with(database: TestDatabase, folder: TempDir, settings: &str, clock: Clock) -> Self {
        let bus = Bus::in_process();
        let triage = Neighbour::start(Service::Triage, folder.path(), &bus, &clock).await;
        let notification = Neighbour::start(Service::Notification, folder.path(), &bus, &clock).await;
        let text = format!(
            "data_folder = '{}'\n[database]\nurl = '{}'\nconnections_max = 8\n[limits]\ndrain_seconds_max = 5\n{settings}\n",
            folder.path().display(),
            database.settings().url
        );
        let settings = Settings::from_text(&text).unwrap();
        let credentials = Credentials::open(&settings.database, clock.clone()).await.unwrap();
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (channel, http_address) = (Endpoint::from_shared(address(&grpc)).unwrap().connect_lazy(), address(&http));
        let own_bus = bus.clone();
        let parts = Parts { settings, clock, bus, credentials: credentials.clone(), grpc, http, peers: None };
        let app = Box::pin(App::build(parts)).await.unwrap();
        let dispatch = Shared::clone(&app.dispatch);
        let (handle, shutdown) = Shutdown::pair();
        let task = tokio::spawn(app.run(shutdown.clone()));
        Self {
            database,
            folder,
            triage,
            notification,
            notification_pair: SealingKeyPair::generate().unwrap(),
            credentials,
            dispatch,
            shutdown,
            http: http_address,
            bus: own_bus,
            settings: text,
            channel,
            handle,
            task,
        }
    }

    /// Drains it; a task that failed fails the test. What it left is for a new start.
    pub(super) async fn stop(self) -> (TestDatabase, TempDir) {
        self.handle.drain();
        let ended = tokio::time::timeout(LIMIT, self.task).await;
        ended.expect("dispatch drains in time").unwrap().unwrap();
        (self.database, self.folder)
    }

    /// Starts the drain and goes on.
    pub(super) fn drain(&self) {
        self.handle.drain();
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.dispatch.clock.now()
    }

    pub(super) async fn say_notification_key(&self) {
        let key = Some(self.notification_pair.public().into());
        let said = KeyPublished { key, published_at: Some(timestamp(self.now())) };
        self.notification.say(&NOTIFICATION_KEY_PUBLISHED, Lane::Normal, 1, &said).await;
        wait_until("dispatch knows the key", LIMIT, async || self.notification.owed().await == 0).await;
    }

    /// A key with these roles, as a header.
    pub(super) async fn key(&self, roles: &[Role], organisation: Option<&str>) -> String {
        let new = NewKey {
            actor: "staff-1".parse().unwrap(),
            name: "Test".to_owned(),
            roles: roles.to_vec(),
            organisation: organisation.map(|id| id.parse().unwrap()),
            country: None,
            expires_at: None,
        };
        format!("Bearer {}", self.credentials.issue(new).await.unwrap().secret.expose())
    }

    pub(super) async fn member(&self, organisation: &str) -> String {
        self.key(&[Role::SignatoryDelegate], Some(organisation)).await
    }

    pub(super) async fn coordinator(&self) -> String {
        self.key(&[Role::Coordinator], None).await
    }

    pub(super) fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel.clone())
    }

    pub(super) fn organisations(&self) -> OrganisationServiceClient<Channel> {
        OrganisationServiceClient::new(self.channel.clone())
    }

    pub(super) async fn import(&self, organisations: Vec<Organisation>) -> Result<ImportOrganisationsResponse, Status> {
        let key = self.key(&[Role::Administrator], None).await;
        let request = asked(&key, ImportOrganisationsRequest { organisations });
        self.organisations().import_organisations(request).await.map(tonic::Response::into_inner)
    }

    /// Says a release as triage would, and waits until dispatch has settled it.
    pub(super) async fn release(&self, draft: &Draft) {
        self.say_release(draft).await;
        wait_until("dispatch has taken the release", LIMIT, async || self.triage.owed().await == 0).await;
    }

    pub(super) async fn say_release(&self, draft: &Draft) {
        let key = async || !self.triage.heard::<KeyPublished>(&DISPATCH_KEY_PUBLISHED).is_empty();
        wait_until("triage knows dispatch's key", LIMIT, key).await;
        let said = self.triage.heard::<KeyPublished>(&DISPATCH_KEY_PUBLISHED).remove(0);
        let key = PublicSealingKey::try_from(said.key.unwrap()).unwrap();
        let associated = format!("alert:{}:{}", draft.alert, draft.revision);
        let sealed = seal::seal(&key, &associated, &draft.content.encode_to_vec()).unwrap();
        let released = release_said(self.now(), draft, sealed.into());
        self.triage.say(&ALERT_RELEASED, Lane::Urgent, i64::from(draft.revision), &released).await;
    }

    pub(super) async fn withdraw(&self, alert: AlertId, revision: u32) {
        let said = AlertWithdrawn {
            alert_id: alert.to_string(),
            revision,
            reason: "consent_withdrawn".to_owned(),
            at: Some(timestamp(self.now())),
        };
        self.triage.say(&ALERT_WITHDRAWN, Lane::Urgent, i64::from(revision), &said).await;
        wait_until("dispatch has taken the withdrawal", LIMIT, async || self.triage.owed().await == 0).await;
    }

    /// What notification was asked for, once it holds this many contacts.
    pub(super) async fn requested(&self, contacts: usize) -> Vec<NoticesRequested> {
        let heard = || self.notification.heard::<NoticesRequested>(&NOTICES_REQUESTED);
        let count = || heard().iter().map(|batch| batch.recipients.len()).sum::<usize>();
        wait_until("notification is asked for notices", LIMIT, async || count() >= contacts).await;
        assert_eq!(count(), contacts);
        heard()
    }
}

/// A release as triage would say it.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) alert: AlertId,
    pub(super) revision: u32,
    pub(super) priority: &'static str,
    pub(super) tlp: &'static str,
    pub(super) consent_expires_at: Option<DateTime<Utc>>,
    pub(super) content: AlertContent,
}

/// What triage says of a draft.
pub(super) fn release_said(now: DateTime<Utc>, draft: &Draft, content: Sealed) -> AlertReleased {
    AlertReleased {
        alert_id: draft.alert.to_string(),
        revision: draft.revision,
        short_code: short_code(draft.alert),
        priority: draft.priority.to_owned(),
        tlp: draft.tlp.to_owned(),
        released_at: Some(timestamp(now)),
        deadline: Some(timestamp(now + TimeDelta::hours(4))),
        drill: false,
        consents: vec![ConsentReliedOn {
            consent_id: AlertId::new(now).to_string(),
            version: 1,
            expires_at: draft.consent_expires_at.map(timestamp),
        }],
        coordinator: Some(Person { actor_id: "staff-7".to_owned(), name: "Noor".to_owned() }),
        content: Some(content),
    }
}

/// A members' alert at P1 and AMBER for all organisations of the fixtures.
pub(super) fn draft(world: &World) -> Draft {
    let text = |language: &str, headline: &str, translation: &str| AlertText {
        language: language.to_owned(),
        headline: headline.to_owned(),
        body: format!("{headline}, in full"),
        translation: translation.to_owned(),
    };
    Draft {
        alert: AlertId::new(world.now()),
        revision: 0,
        priority: "p1",
        tlp: "AMBER",
        consent_expires_at: None,
        content: AlertContent {
            reference: "XA-2026-0001".to_owned(),
            track: "members".to_owned(),
            country: "XA".to_owned(),
            groups: vec!["digital_rights".to_owned(), "women_rights".to_owned()],
            asks: vec!["acknowledge".to_owned(), "sign".to_owned()],
            demands: vec!["release".to_owned()],
            source_language: "en".to_owned(),
            texts: vec![text("en", "canary-headline-en", "reviewed"), text("ar", "canary-draft-ar", "human_draft")],
            organisation_ids: network().into_iter().map(|organisation| organisation.organisation_id).collect(),
            ..AlertContent::default()
        },
    }
}

/// A short code of its own for each alert.
pub(super) fn short_code(alert: AlertId) -> String {
    let bytes = alert.as_uuid().into_bytes();
    let random: [u8; 6] = bytes[10..].try_into().unwrap();
    tocsin_domain::reference::ShortCode::generate(random).to_string()
}

/// The invented network of the fixtures.
pub(super) fn network() -> Vec<Organisation> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/network.json");
    let network: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    network["organisations"].as_array().unwrap().iter().map(organisation).collect()
}

fn organisation(given: &Value) -> Organisation {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().map(|list| list.iter().map(text).collect()).unwrap_or_default();
    let subscription = &given["subscription"];
    Organisation {
        organisation_id: text(&given["id"]),
        name: text(&given["name"]),
        country: text(&given["country"]),
        region: text(&given["region"]),
        kind: text(&given["kind"]),
        language: text(&given["language"]),
        clearance: text(&given["clearance"]),
        groups: list(&given["groups"]),
        subscription: Some(Subscription {
            regions: list(&subscription["regions"]),
            groups: list(&subscription["groups"]),
            minimum_priority: text(&subscription["minimum_priority"]),
            never_auto_sign_countries: list(&subscription["never_auto_sign_countries"]),
        }),
        offers: list(&given["offers"]),
        contact_ids: given["contacts"].as_array().unwrap().iter().map(|contact| text(&contact["id"])).collect(),
    }
}

/// A small network: two members and a partner that want everything.
pub(super) fn small_network() -> Vec<Organisation> {
    let one = |id: &str, kind: &str, clearance: &str| Organisation {
        organisation_id: id.to_owned(),
        name: format!("Name of {id}"),
        country: "XB".to_owned(),
        region: "africa".to_owned(),
        kind: kind.to_owned(),
        language: "en".to_owned(),
        clearance: clearance.to_owned(),
        subscription: Some(Subscription { minimum_priority: "p4".to_owned(), ..Subscription::default() }),
        contact_ids: vec![format!("{id}-c1"), format!("{id}-c2")],
        ..Organisation::default()
    };
    vec![
        one("org-001", "signatory_member", "AMBER"),
        one("org-002", "signatory_member", "AMBER"),
        one("org-003", "partner", "RED"),
    ]
}

/// A request with a key.
pub(super) fn asked<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", MetadataValue::try_from(key).unwrap());
    request
}

/// Code and reason of a refusal.
pub(super) fn refusal(status: &Status) -> (tonic::Code, String) {
    let Received { code, reason, .. } = received(status);
    (code, reason)
}
