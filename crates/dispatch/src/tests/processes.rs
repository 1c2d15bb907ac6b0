//! Two processes of dispatch over one database: readers of one hear what the other did, and each thing happens once.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::Settings;
use tocsin_platform::credentials::Credentials;
use tocsin_platform::lifecycle::{LifecycleError, Shutdown, ShutdownHandle};
use tocsin_platform::service::Parts;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::NOTICES_WITHDRAWN;
use tocsin_proto::dispatch::v1::alert_service_client::AlertServiceClient;
use tocsin_proto::dispatch::v1::organisation_service_client::OrganisationServiceClient;
use tocsin_proto::dispatch::v1::{
    GetAlertRequest, ListOrganisationsRequest, RespondToAlertRequest, WatchAlertsRequest,
};
use tocsin_proto::event::v1::NoticesWithdrawn;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use super::harness::{Draft, LIMIT, World, asked, draft, small_network};
use crate::App;

/// How long a reader of one process may wait for what another one did.
const PROMPT: Duration = Duration::from_secs(3);

/// Another process of dispatch.
struct Another {
    channel: Channel,
    handle: ShutdownHandle,
    running: JoinHandle<Result<(), LifecycleError>>,
}

impl Another {
    async fn start(world: &World, clock: Clock) -> Self {
        let settings = Settings::from_text(&world.settings).unwrap();
        let credentials = Credentials::open(&settings.database, clock.clone()).await.unwrap();
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = format!("http://{}", grpc.local_addr().unwrap());
        let parts = Parts { settings, clock, bus: world.bus.clone(), credentials, grpc, http, peers: None };
        let app = Box::pin(App::build(parts)).await.unwrap();
        let (handle, shutdown) = Shutdown::pair();
        let running = tokio::spawn(app.run(shutdown));
        Self { channel: Endpoint::from_shared(door).unwrap().connect_lazy(), handle, running }
    }

    fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel.clone())
    }

    async fn stop(self) {
        self.handle.drain();
        self.running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_reader_hears_at_once_what_either_process_took() {
    let world = World::start(TestDatabase::postgres().await).await;
    let other = Another::start(&world, Clock::system()).await;
    world.import(small_network()).await.unwrap();
    // The other process chooses from the register that was imported here.
    let administrator = world.coordinator().await;
    let request = asked(&administrator, ListOrganisationsRequest::default());
    let listed = OrganisationServiceClient::new(other.channel.clone()).list_organisations(request).await.unwrap();
    assert_eq!(listed.into_inner().organisations.len(), small_network().len());
    let key = world.member("org-001").await;
    let open = async |mut client: AlertServiceClient<Channel>| {
        let request = asked(&key, WatchAlertsRequest { cursor: String::new() });
        client.watch_alerts(request).await.unwrap().into_inner()
    };
    let mut streams = [open(world.alerts()).await, open(other.alerts()).await];
    // Which of the two takes a release is left to chance; both readers hear each in order.
    for _ in 0..6 {
        let draft = draft(&world);
        world.release(&draft).await;
        let since = Instant::now();
        for stream in &mut streams {
            let heard = tokio::time::timeout(PROMPT, stream.message()).await.expect("in time").unwrap().unwrap();
            assert_eq!(heard.alert.unwrap().alert_id, draft.alert.to_string());
        }
        assert!(since.elapsed() < PROMPT);
    }
    other.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn a_consent_ends_once_and_by_the_agreed_clock() {
    let clock = Clock::system();
    let database = TestDatabase::postgres().await;
    let world = World::start_with(database, tempfile::tempdir().unwrap(), "", clock.clone()).await;
    world.say_notification_key().await;
    world.import(small_network()).await.unwrap();
    let fast = clock.on_another_machine();
    fast.step(TimeDelta::hours(2));
    let other = Another::start(&world, fast).await;
    let heard = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
    // Either process takes the release, and both look for what has ended.
    let draft = Draft { consent_expires_at: Some(world.now() + TimeDelta::hours(1)), ..draft(&world) };
    world.release(&draft).await;
    // Who reads from the process with the wrong clock reads all of it too.
    let key = world.member("org-001").await;
    let request = asked(&key, WatchAlertsRequest { cursor: String::new() });
    let mut stream = other.alerts().watch_alerts(request).await.unwrap().into_inner();
    let change = tokio::time::timeout(LIMIT, stream.message()).await.expect("in time").unwrap().unwrap();
    assert!(!change.alert.unwrap().texts.is_empty());
    let request = asked(&key, GetAlertRequest { alert: draft.alert.to_string() });
    let seen = other.alerts().get_alert(request).await.unwrap().into_inner().alert.unwrap();
    assert!(!seen.texts.is_empty());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(heard().len(), 0, "the consent has not ended");
    clock.advance(TimeDelta::hours(1));
    wait_until("notification hears of it", LIMIT, async || heard().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(heard().len(), 1, "two processes withdrew it");
    other.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn the_same_answer_at_two_processes_is_recorded_once() {
    let world = World::start(TestDatabase::postgres().await).await;
    let other = Another::start(&world, Clock::system()).await;
    world.import(small_network()).await.unwrap();
    let draft = draft(&world);
    world.release(&draft).await;
    let key = world.member("org-001").await;
    let request =
        || asked(&key, RespondToAlertRequest { alert: draft.alert.to_string(), response: "signed".to_owned() });
    let (mut here, mut there) = (world.alerts(), other.alerts());
    let (one, two) = tokio::join!(here.respond_to_alert(request()), there.respond_to_alert(request()));
    let (one, two) = (one.unwrap().into_inner(), two.unwrap().into_inner());
    assert_eq!(one.at, two.at, "the second is told what the first recorded");
    let heard = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
    wait_until("notification is told to stop", LIMIT, async || heard().len() == 1).await;
    other.stop().await;
    world.stop().await;
}
