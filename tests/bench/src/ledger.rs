//! What notification has written down, read from its database while it runs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tocsin_platform::clock::Clock;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// This moment in milliseconds since 1970, as the product counts them.
pub(crate) fn now_ms() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
    let now = Clock::system().now_ms() as f64;
    now
}

/// A reader of the embedded form's database.
pub(crate) struct Ledger {
    pool: SqlitePool,
}

impl Ledger {
    /// Opens the database of an installation's data folder.
    pub(crate) async fn open(data: &Path) -> Result<Self> {
        let file = data.join("database").join("notification.sqlite");
        let options = SqliteConnectOptions::new().filename(&file).read_only(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        Ok(Self { pool: pool.with_context(|| file.display().to_string())? })
    }

    /// Attempts written for alerts of this lane (0 urgent, 1 normal, 2 bulk).
    pub(crate) async fn attempts(&self, lane: i64) -> Result<usize> {
        self.count(
            "SELECT count(*) FROM attempts JOIN notices USING (notice_id) WHERE lane = ? AND organisation_id <> ''",
            lane,
        )
        .await
    }

    /// Notices of alerts of this lane that wait or are on their way.
    pub(crate) async fn moving(&self, lane: i64) -> Result<usize> {
        let sql = "SELECT count(*) FROM notices WHERE lane = ? AND next_at_ms IS NOT NULL AND organisation_id <> ''";
        self.count(sql, lane).await
    }

    /// Notices of alerts of this lane that are known to have been delivered.
    pub(crate) async fn delivered(&self, lane: i64) -> Result<usize> {
        let sql = "SELECT count(*) FROM notices WHERE lane = ? AND state = 'delivered' AND organisation_id <> ''";
        self.count(sql, lane).await
    }

    async fn count(&self, sql: &'static str, lane: i64) -> Result<usize> {
        let count: i64 = sqlx::query_scalar(sql).bind(lane).fetch_one(&self.pool).await?;
        Ok(usize::try_from(count)?)
    }

    /// When a notice of an alert of this lane last changed its state, in milliseconds since 1970: exact, however seldom the
    /// database is looked at.
    pub(crate) async fn last_change_ms(&self, lane: i64) -> Result<f64> {
        let sql = "SELECT max(changed_at_ms) FROM notices WHERE lane = ? AND organisation_id <> ''";
        let last: i64 = sqlx::query_scalar(sql).bind(lane).fetch_one(&self.pool).await?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
        let last = last as f64;
        Ok(last)
    }

    /// Of every urgent notice, the milliseconds from its release to the start of its first attempt.
    pub(crate) async fn first_starts_ms(&self) -> Result<Vec<f64>> {
        self.times(
            "SELECT started_at_ms - released_at_ms FROM attempts JOIN notices USING (notice_id) \
             JOIN bulletins USING (bulletin_id, revision) WHERE number = 1 AND lane = 0 AND kind = 'alert'",
        )
        .await
    }

    /// When each urgent attempt of an alert began, in milliseconds since 1970.
    pub(crate) async fn urgent_starts_ms(&self) -> Result<Vec<f64>> {
        self.times(
            "SELECT started_at_ms FROM attempts JOIN notices USING (notice_id) WHERE lane = 0 AND organisation_id <> ''",
        )
        .await
    }

    /// Where the time of the newest urgent alert went, in milliseconds since its release: when its first notice was
    /// known, when its first and its last attempt began, and when the last one ended.
    pub(crate) async fn newest_urgent_road_ms(&self) -> Result<[i64; 4]> {
        let road: (i64, i64, i64, i64) = sqlx::query_as(
            "SELECT created_at_ms - released_at_ms, min(started_at_ms) - released_at_ms, \
             max(started_at_ms) - released_at_ms, max(ended_at_ms) - released_at_ms \
             FROM attempts JOIN notices USING (notice_id) JOIN bulletins USING (bulletin_id, revision) \
             WHERE lane = 0 AND kind = 'alert' GROUP BY bulletin_id, revision ORDER BY released_at_ms DESC LIMIT 1",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok([road.0, road.1, road.2, road.3])
    }

    async fn times(&self, sql: &'static str) -> Result<Vec<f64>> {
        let times: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&self.pool).await?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
        let times = times.into_iter().map(|milliseconds| milliseconds as f64).collect();
        Ok(times)
    }

    /// Waits until a look finds what it looks for; the error says what was awaited.
    pub(crate) async fn until(
        &self,
        what: &str,
        limit: Duration,
        mut found: impl AsyncFnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let started = Instant::now();
        while !found(self).await? {
            ensure!(started.elapsed() < limit, "waited {limit:?} in vain: {what}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }
}
