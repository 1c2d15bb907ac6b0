//! A group-commit log that seals: each record is sealed with X-Wing and appended, and one fdatasync makes a whole group
//! durable before its callers go on.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use tocsin_platform::seal::{PublicSealingKey, SealingKeyPair, seal};
use tokio::sync::{mpsc, oneshot};

/// What the log reached.
pub(crate) struct LogFigures {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The most records in one group.
const GROUP_MAX: usize = 256;

/// Appends sealed records with `in_flight` callers for `time`.
pub(crate) async fn append(folder: &Path, in_flight: usize, time: Duration) -> Result<LogFigures> {
    let pair = SealingKeyPair::generate()?;
    let key = pair.public().clone();
    let (sender, receiver) = mpsc::channel(GROUP_MAX * 2);
    let file = File::create(folder.join("floor.log"))?;
    let writer = tokio::task::spawn_blocking(move || write_groups(file, receiver));
    let until = Instant::now() + time;
    let started = Instant::now();
    let callers = (0..in_flight).map(|_| tokio::spawn(call(sender.clone(), key.clone(), until)));
    let mut waits: Vec<f64> = Vec::new();
    for caller in futures::future::join_all(callers).await {
        waits.extend(caller??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    drop(sender);
    writer.await??;
    #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let per_second = waits.len() as f64 / elapsed;
    Ok(LogFigures {
        per_second,
        p50_ms: crate::statistics::percentile(&waits, 0.5),
        p99_ms: crate::statistics::percentile(&waits, 0.99),
    })
}

type Waiting = (Vec<u8>, oneshot::Sender<()>);

async fn call(sender: mpsc::Sender<Waiting>, key: PublicSealingKey, until: Instant) -> Result<Vec<f64>> {
    let record = vec![7_u8; 1024];
    let mut waits = Vec::new();
    while Instant::now() < until {
        let started = Instant::now();
        let sealed = seal(&key, "report:floor", &record)?;
        let (durable, waiting) = oneshot::channel();
        sender.send((sealed.to_bytes(), durable)).await?;
        waiting.await?;
        waits.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(waits)
}

fn write_groups(mut file: File, mut receiver: mpsc::Receiver<Waiting>) -> Result<()> {
    let mut group = Vec::new();
    while receiver.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let bytes: Vec<u8> = group.iter().flat_map(|(record, _)| record.iter().copied()).collect();
        file.write_all(&bytes)?;
        file.sync_data()?;
        for (_, durable) in group.drain(..) {
            // A caller that has gone away does not need to know.
            let _ = durable.send(());
        }
    }
    Ok(())
}
