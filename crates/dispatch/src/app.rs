//! Dispatch as a whole: built from its parts, then run until shutdown.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::DbErr;
use tocsin_platform::clock::to_ms;
use tocsin_platform::database::agreed_now;
use tocsin_platform::lifecycle::{LifecycleError, Reconciler, Shutdown, Tasks};
use tocsin_platform::outbox::OutgoingEvent;
use tocsin_platform::seal::{MasterKey, SealError, SealingKeyPair};
use tocsin_platform::service::{Doors, Foundation, Parts, StartError};
use tocsin_proto::catalogue::{DISPATCH_KEY_PUBLISHED, Lane, Service};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::KeyPublished;

use crate::api;
use crate::config::DispatchConfig;
use crate::consume::Events;
use crate::content::Contents;
use crate::dispatch::{Dispatch, Shared};
use crate::expiry;
use crate::feed::tail::{Tail, TailReader};
use crate::http;
use crate::migration::Migrator;
use crate::network::NetworkCache;
use crate::store;
use crate::token::LocalKeys;

/// How often changes that are too old leave the feed.
const TRIM_EVERY: Duration = Duration::from_hours(1);

/// The key file that opens released texts.
const CONTENT_KEY_FILE: &str = "dispatch.key";
/// The key file that signs acknowledgement links.
const TOKEN_KEY_FILE: &str = "dispatch-token.key";
/// The key files of dispatch, in the folder for key files.
pub const KEY_FILES: [&str; 2] = [CONTENT_KEY_FILE, TOKEN_KEY_FILE];

/// Dispatch, ready to run.
pub struct App {
    foundation: Foundation,
    pub(crate) dispatch: Shared,
    tail: TailReader,
}

impl App {
    /// Opens and migrates the database, loads or makes the key files `dispatch.key` and `dispatch-token.key` in the
    /// folder for key files, and says the public key to triage.
    pub async fn build(parts: Parts) -> Result<Self, StartError> {
        let config: DispatchConfig = parts.settings.section("dispatch")?;
        config.check().map_err(|error| {
            let between = format!("must be between {} and {}", error.least, error.most);
            parts.settings.invalid(&format!("dispatch.{}", error.key), between)
        })?;
        let foundation = Box::pin(Foundation::lay::<Migrator>(Service::Dispatch, parts)).await?;
        let folder = foundation.folder();
        let (pair, keys) = tokio::task::spawn_blocking(move || load_keys(&folder))
            .await
            .map_err(|_| StartError::Other("reading the key files of dispatch failed".to_owned()))??;
        let bounds = store::feed::bounds(foundation.database.reader()).await?;
        let (tail, reader) = Tail::new(config.feed_buffer, bounds.position);
        let dispatch = Arc::new(Dispatch {
            contents: Contents::new(pair, config.opened_alerts_max),
            config,
            clock: foundation.clock.clone(),
            database: foundation.database.clone(),
            outbox: foundation.outbox.clone(),
            credentials: foundation.credentials.clone(),
            networks: NetworkCache::default(),
            keys,
            tail,
        });
        publish_key(&dispatch).await?;
        dispatch.networks.current(dispatch.database.reader()).await?;
        Ok(Self { foundation, dispatch, tail: reader })
    }

    /// Serves until shutdown.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), LifecycleError> {
        let grace = Duration::from_secs(self.foundation.settings.limits.drain_seconds_max);
        let mut tasks = Tasks::new(grace);
        tasks.spawn("dispatch feed tail", self.tail.run(Shared::clone(&self.dispatch), shutdown.clone()));
        tasks.spawn("dispatch feed trim", run_trim(Shared::clone(&self.dispatch), shutdown.clone()));
        tasks.spawn("dispatch consent expiry", expiry::run(Shared::clone(&self.dispatch), shutdown.clone()));
        let doors = Doors {
            routes: api::routes(&self.dispatch, &shutdown),
            router: http::router(&self.dispatch, &shutdown),
            consume: Arc::new(Events { dispatch: self.dispatch }),
            tasks,
        };
        self.foundation.run(doors, shutdown).await
    }
}

fn load_keys(folder: &Path) -> Result<(SealingKeyPair, LocalKeys), SealError> {
    let file = MasterKey::load_or_create(&folder.join(CONTENT_KEY_FILE))?;
    let pair = SealingKeyPair::from_secret_bytes(file.derive("dispatch sealing key pair")?.as_bytes())?;
    let keys = LocalKeys::derive(&MasterKey::load_or_create(&folder.join(TOKEN_KEY_FILE))?)?;
    Ok((pair, keys))
}

/// Says the public key at every start, so that triage learns it again when its database was made anew.
async fn publish_key(dispatch: &Dispatch) -> Result<(), DbErr> {
    let key = dispatch.contents.public();
    let now = dispatch.clock.now();
    let message = KeyPublished { key: Some(key.into()), published_at: Some(timestamp(now)) };
    let event = OutgoingEvent::new(&DISPATCH_KEY_PUBLISHED, Lane::Normal, key.id.clone(), to_ms(now), &message, now);
    let transaction = dispatch.database.begin().await?;
    dispatch.outbox.record(&transaction, &[event]).await?;
    tocsin_platform::database::commit(transaction, "dispatch.publish_key").await?;
    dispatch.outbox.wake();
    Ok(())
}

async fn run_trim(dispatch: Shared, shutdown: Shutdown) -> Result<(), Infallible> {
    let work = move || {
        let dispatch = Shared::clone(&dispatch);
        async move { trim(&dispatch).await }
    };
    Reconciler::new("dispatch_feed_trim", TRIM_EVERY).run(shutdown, work).await
}

/// Ends the serving of changes that are older than the setting says. The alerts themselves stay.
pub(crate) async fn trim(dispatch: &Dispatch) -> Result<Option<Duration>, DbErr> {
    let kept = TimeDelta::days(i64::from(dispatch.config.feed_kept_days));
    let transaction = dispatch.database.begin().await?;
    let now = agreed_now(&transaction, &dispatch.clock).await?;
    let before = now.checked_sub_signed(kept).map_or(i64::MIN, to_ms);
    let trimmed = store::feed::trim(&transaction, before).await?;
    tocsin_platform::database::commit(transaction, "dispatch.trim_feed").await?;
    if let Some(position) = trimmed {
        tracing::info!(position, "old changes are no longer served from the feed");
    }
    Ok(None)
}
