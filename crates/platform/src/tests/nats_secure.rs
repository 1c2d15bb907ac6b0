//! The bus over TLS, with a certificate and a key of its own for each service, and renewals without a restart.

use std::sync::Arc;

use tocsin_proto::catalogue::{Lane, Service};

use super::world::{Form, LIMIT, World};
use crate::bus::{Bus, BusError, NatsSettings};
use crate::testing::{NatsServer, wait_until};
use crate::tls::tests::{Authority, Files};

/// Files for a server that lets in only who shows a certificate of its authority and has one of the keys.
struct Secured {
    server: Files,
    intake: Member,
    triage: Member,
}

/// The files of one service.
struct Member {
    files: Files,
}

impl Member {
    fn new(authority: &Authority, name: &str) -> Self {
        Self { files: Files::of(authority, &[name]) }
    }

    /// Writes a new key pair and returns its public half.
    fn new_key(&self) -> String {
        let pair = nkeys::KeyPair::new_user();
        std::fs::write(self.files.path("service.nk"), format!("{}\n", pair.seed().unwrap())).unwrap();
        pair.public_key()
    }

    fn settings(&self, url: String) -> NatsSettings {
        NatsSettings {
            url,
            nkey_seed_file: Some(self.files.path("service.nk")),
            authority: Some(self.files.path("authority.pem")),
            certificate: Some(self.files.path("certificate.pem")),
            key: Some(self.files.path("key.pem")),
            ..NatsSettings::default()
        }
    }
}

impl Secured {
    fn new(authority: &Authority) -> Self {
        let server = Files::of(authority, &["127.0.0.1"]);
        let [intake, triage] = ["intake", "triage"].map(|name| Member::new(authority, name));
        Self { server, intake, triage }
    }

    /// New keys, in the files of the services and in the server's configuration.
    fn configuration(&self) -> String {
        let path = |name: &str| format!("{:?}", self.server.path(name).display().to_string());
        let users = [&self.intake, &self.triage].map(|member| format!("{{ nkey: {} }}", member.new_key()));
        format!(
            "tls {{ cert_file: {}, key_file: {}, ca_file: {}, verify: true }}\nauthorization {{ users: [ {} ] }}\n",
            path("certificate.pem"),
            path("key.pem"),
            path("authority.pem"),
            users.join(", ")
        )
    }

    fn of(&self, service: Service, url: String) -> NatsSettings {
        if service == Service::Intake { self.intake.settings(url) } else { self.triage.settings(url) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_travel_over_tls_and_renewed_files_are_taken_up() {
    let secured = Arc::new(Secured::new(&Authority::new()));
    let mut server = NatsServer::prepare();
    server.configure(&secured.configuration());
    server.start_again();
    let of = Arc::clone(&secured);
    let mut world = World::new(Form::Secured(server, Box::new(move |service, url| of.of(service, url)))).await;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    world.settled(5).await;

    // Everything is renewed at once: another authority, other certificates, other keys.
    let Form::Secured(server, _) = &mut world.form else { unreachable!("the other form") };
    server.stop();
    let authority = Authority::new();
    secured.server.write(&authority, &["127.0.0.1"], 2100);
    secured.intake.files.write(&authority, &["intake"], 2100);
    secured.triage.files.write(&authority, &["triage"], 2100);
    server.configure(&secured.configuration());
    server.start_again();
    world.commit_many(&outbox, Lane::Urgent, 5).await;
    world.settled(10).await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lacks_the_certificate_or_the_key_stays_outside() {
    let authority = Authority::new();
    let secured = Secured::new(&authority);
    let mut server = NatsServer::prepare();
    server.configure(&secured.configuration());
    server.start_again();
    let good = secured.of(Service::Intake, server.url());
    let stranger = Member::new(&authority, "intake");
    stranger.new_key();
    let outsider = Files::of(&Authority::new(), &["intake"]);
    let outside = [
        ("another key", NatsSettings { nkey_seed_file: Some(stranger.files.path("service.nk")), ..good.clone() }),
        ("no key", NatsSettings { nkey_seed_file: None, ..good.clone() }),
        ("no certificate", NatsSettings { certificate: None, key: None, ..good.clone() }),
        (
            "a certificate of another authority",
            NatsSettings {
                certificate: Some(outsider.path("certificate.pem")),
                key: Some(outsider.path("key.pem")),
                ..good.clone()
            },
        ),
        (
            "trust in another authority",
            NatsSettings { authority: Some(outsider.path("authority.pem")), ..good.clone() },
        ),
    ];
    let mut buses = Vec::new();
    for (what, settings) in outside {
        buses.push((what, Bus::nats(&settings, Service::Intake).await.unwrap()));
    }
    let inside = Bus::nats(&good, Service::Intake).await.unwrap();
    wait_until("the service is let in", LIMIT, async || inside.ready().await).await;
    // By now each of the others was refused at least once, and goes on trying.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    for (what, bus) in buses {
        assert!(!bus.ready().await, "{what}");
    }
}

#[tokio::test]
async fn a_bad_file_is_named_at_the_start() {
    let authority = Authority::new();
    let member = Member::new(&authority, "intake");
    member.new_key();
    let good = member.settings("tls://127.0.0.1:1".to_owned());
    let check = async |settings: NatsSettings, part: &str| {
        let error = Bus::nats(&settings, Service::Intake).await.unwrap_err();
        assert!(matches!(error, BusError::Tls(_) | BusError::Seed { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let key = member.files.path("key.pem");
    check(NatsSettings { authority: Some(key.clone()), ..good.clone() }, "key.pem holds no certificate").await;
    check(NatsSettings { certificate: Some("/nowhere.pem".into()), ..good.clone() }, "/nowhere.pem").await;
    let other = Files::of(&authority, &["triage"]);
    check(NatsSettings { key: Some(other.path("key.pem")), ..good.clone() }, "cannot be used together").await;
    check(NatsSettings { nkey_seed_file: Some(key), ..good }, "key.pem holds no nkey seed").await;
}
