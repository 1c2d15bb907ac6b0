//! The service, built and run: sockets are bound before, secrets and channels are checked first, and nothing is sent
//! before everything stands.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::DbErr;
use tocsin_platform::lifecycle::{LifecycleError, Reconciler, Shutdown, Tasks};
use tocsin_platform::seal::MasterKey;
use tocsin_platform::service::{Doors, Foundation, Parts, StartError};
use tocsin_platform::telemetry::metrics;
use tocsin_proto::catalogue::Service;
use tocsin_proto::notification::v1::contact_service_server::ContactServiceServer;
use tocsin_proto::notification::v1::gateway_service_server::GatewayServiceServer;
use tocsin_proto::notification::v1::mail_suppression_service_server::MailSuppressionServiceServer;
use tocsin_proto::notification::v1::notice_service_server::NoticeServiceServer;
use tocsin_proto::notification::v1::reply_service_server::ReplyServiceServer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::service::Routes;
use tracing::warn;

use crate::api::Api;
use crate::audit::{self, Ping};
use crate::bulletin::Bulletins;
use crate::callbacks;
use crate::channel::{Gateways, Messengers, Smarthosts, SystemNetwork, Webhooks};
use crate::config::NotificationConfig;
use crate::consume::Handler;
use crate::contact::Directory;
use crate::engine::{EngineEnds, engine, past_due, release_leases, run_dispatcher, run_results, run_withdrawals};
use crate::gateways::{Pauses, run_pauses};
use crate::mail;
use crate::migration::Migrator;
use crate::office::{Office, delete_ended_texts};
use crate::receipts::{self, RECEIPTS_MAX};
use crate::report;
use crate::secrets::{LocalSecrets, SecretsError};
use crate::sms::{self, Desk};

/// Where the local secrets' master key is kept, in the folder for key files.
const MASTER_KEY_FILE: &str = "notification-master.key";
/// The key files of notification, in the folder for key files.
pub const KEY_FILES: [&str; 1] = [MASTER_KEY_FILE];
/// How often changes are looked for without being woken.
const REPORT_LOOK: Duration = Duration::from_secs(1);
/// How often receipts that do not come are looked for.
const RECEIPTS_LOOK: Duration = Duration::from_secs(2);
/// How often texts that nobody needs any more are deleted, and the backlog is counted.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(15);

/// The notification service.
pub struct App {
    foundation: Foundation,
    office: Arc<Office>,
    ends: EngineEnds,
    progress: Reconciler,
    /// The dead-man address, if there is one.
    ping: Option<Ping>,
    /// The door for bounces, if there is one.
    bounces: Option<TcpListener>,
    receipts: Reconciler,
    tasks: Tasks,
}

impl App {
    /// Opens database, secrets and channels.
    ///
    /// # Errors
    /// A wrong setting, named by its key; a database, key file or certificate that cannot be used.
    pub async fn build(parts: Parts) -> Result<Self, StartError> {
        let config = NotificationConfig::read(&parts.settings)?;
        let door = parts.http.local_addr().map_err(|error| StartError::Other(error.to_string()))?;
        let foundation = Foundation::lay::<Migrator>(Service::Notification, parts).await?;
        let master = MasterKey::load_or_create(&foundation.folder().join(MASTER_KEY_FILE))?;
        let secrets = LocalSecrets::load(&foundation.database, &master).await.map_err(|error| match error {
            SecretsError::Database(error) => error.into(),
            wrong => other(wrong),
        })?;
        secrets.publish(&foundation.database, &foundation.outbox, foundation.clock.now()).await?;
        sms::backfill_phones(&foundation.database, &secrets).await?;
        let secrets = Arc::new(secrets);
        let mut tasks = Tasks::new(Duration::from_secs(foundation.settings.limits.drain_seconds_max));
        let (handle, ends) = engine(config.breaker.clone());
        let progress = Reconciler::new("notification progress", REPORT_LOOK);
        let receipt_url = match config.sms.receipt_url.trim_end_matches('/') {
            "" => format!("http://{door}"),
            given => given.to_owned(),
        };
        let unsubscribe_url = unsubscribe_url(&config, door);
        let bounces = bounce_door(&config).await?;
        let ping = Ping::new(&config.auditor).map_err(other)?;
        if config.email.all_smarthosts().is_empty() {
            tracing::warn!(key = "notification.email.host", "no smarthost is set: notices by e-mail wait until one is");
        }
        if config.sms.gateways.is_empty() {
            tracing::warn!(
                key = "notification.sms.gateways",
                "no SMS gateway is set: notices by SMS wait until one is"
            );
        }
        let receipts = Reconciler::new("sms receipts", RECEIPTS_LOOK);
        let gateways = Gateways::new(&config.sms).map_err(other)?;
        // Before anything is sent.
        let pauses = Pauses::default();
        pauses.refresh(foundation.database.reader()).await?;
        let office = Office {
            desk: Desk::open(&config, &foundation.database, &foundation.clock, gateways.all(), &mut tasks),
            answers: receipts.wake_handle(),
            clock: foundation.clock.clone(),
            database: foundation.database.clone(),
            outbox: foundation.outbox.clone(),
            directory: Directory::new(Arc::clone(&secrets), config.webhook.allow_loopback_http),
            secrets,
            bulletins: Bulletins::default(),
            smarthosts: Smarthosts::new(&config.email).map_err(other)?,
            gateways,
            webhooks: Webhooks::new(&config.webhook, Arc::new(SystemNetwork)).map_err(other)?,
            messengers: Messengers::new(&config.signal, &config.matrix).map_err(other)?,
            pauses,
            engine: handle,
            progress: progress.wake_handle(),
            public_url: foundation.settings.public_url.clone(),
            receipt_url,
            unsubscribe_url,
            config,
        };
        Ok(Self { foundation, office: Arc::new(office), ends, progress, ping, receipts, bounces, tasks })
    }

    /// What the tasks share, to look at it in tests.
    #[cfg(test)]
    pub(crate) fn office(&self) -> Arc<Office> {
        Arc::clone(&self.office)
    }

    /// Runs until the drain, or until a task of it dies.
    ///
    /// # Errors
    /// The first task that ended although nobody asked it to.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let Self { foundation, office, ends, progress, ping, receipts: overdue, bounces, mut tasks } = self;
        let (ended, recorder) = mpsc::unbounded_channel();
        let writing = Arc::clone(&office);
        tasks.spawn("notification results", async move {
            let end = run_results(Arc::clone(&writing), recorder).await;
            // The last attempt has ended.
            writing.desk.close();
            end
        });
        tasks.spawn("notification dispatcher", run_dispatcher(Arc::clone(&office), ends, ended, shutdown.clone()));
        tasks.spawn("notification withdrawals", run_withdrawals(Arc::clone(&office), shutdown.clone()));
        tasks.spawn("notification progress", report::run(Arc::clone(&office), progress, shutdown.clone()));
        tasks.spawn("sms receipts", sms::run_watch(Arc::clone(&office), overdue, shutdown.clone()));
        tasks.spawn("notification auditor", audit::run(Arc::clone(&office), ping, shutdown.clone()));
        tasks.spawn("gateway pauses", run_pauses(Arc::clone(&office), shutdown.clone()));
        tasks.spawn("notification upkeep", upkeep(Arc::clone(&office), shutdown.clone()));
        if let Some(listener) = bounces {
            tasks.spawn("notification bounces", mail::lmtp::run(Arc::clone(&office), listener, shutdown.clone()));
        }
        let recording = Arc::clone(&office);
        let receipts = tocsin_platform::group_commit::GroupCommit::spawn(
            "notification receipts",
            RECEIPTS_MAX,
            &mut tasks,
            move |batch| receipts::record(Arc::clone(&recording), batch),
        );
        let api = Api { office: Arc::clone(&office), credentials: foundation.credentials.clone() };
        let services = Routes::new(ContactServiceServer::new(api.clone()))
            .add_service(MailSuppressionServiceServer::new(api.clone()))
            .add_service(GatewayServiceServer::new(api.clone()))
            .add_service(ReplyServiceServer::new(api.clone()))
            .add_service(NoticeServiceServer::new(api));
        let router = callbacks::router(Arc::clone(&office), receipts).merge(mail::router(Arc::clone(&office)));
        let handler = Handler::new(Arc::clone(&office));
        let doors = Doors { routes: services, router, consume: Arc::new(handler), tasks };
        let ended = foundation.run(doors, shutdown).await;
        // Only now: an event that was taken while the sender ended has written its notices under our lease, and they
        // would wait for its end although nobody sends them.
        if let Err(error) = release_leases(&office, false).await {
            warn!(reason = %error, "leases could not be given up; they run out by themselves");
        }
        ended
    }
}

/// Where recipients unsubscribe, without a slash at its end; empty when nobody could: our own address behind a proxy would
/// tell every reader where we stand, and lead nowhere.
fn unsubscribe_url(config: &NotificationConfig, door: SocketAddr) -> String {
    match config.email.unsubscribe_url.trim_end_matches('/') {
        "" if door.ip().is_loopback() => format!("http://{door}"),
        "" => {
            tracing::warn!(
                key = "notification.email.unsubscribe_url",
                "it is not set: e-mail leaves without the headers by which people unsubscribe"
            );
            String::new()
        }
        given => given.to_owned(),
    }
}

/// Binds the door for bounces, so that an address in use is named at the start.
async fn bounce_door(config: &NotificationConfig) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = config.email.bounce_door() else { return Ok(None) };
    let bound = TcpListener::bind(address).await;
    let failed = |error| StartError::Other(format!("notification.email.bounces.listen: {address}: {error}"));
    bound.map(Some).map_err(failed)
}

fn other(error: impl std::error::Error) -> StartError {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    StartError::Other(format!("{error}{source}"))
}

/// Deletes texts when their notices have ended, and counts what should have started.
async fn upkeep(office: Arc<Office>, shutdown: Shutdown) -> Result<(), Infallible> {
    let work = move || {
        let office = Arc::clone(&office);
        async move {
            delete_ended_texts(&office).await?;
            let backlog = past_due(&office).await?;
            metrics().notices_past_due.set(backlog.count);
            metrics().upkeep.notices_oldest_past_due_seconds.set(backlog.oldest_seconds);
            let resting = office.smarthosts.resting(Instant::now());
            metrics().upkeep.smarthosts_resting.set(i64::try_from(resting).unwrap_or(i64::MAX));
            Ok::<_, DbErr>(None)
        }
    };
    Reconciler::new("notification upkeep", UPKEEP_INTERVAL).run(shutdown, work).await
}
