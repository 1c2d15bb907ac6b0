//! `JetStream` by itself: publications with a window of unanswered ones, one kibibyte each.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::jetstream::stream;
use futures::stream::{FuturesUnordered, StreamExt};

const WINDOW: usize = 256;

/// Publishes for `time`, and returns acknowledged publications a second.
pub(crate) async fn publications_per_second(url: &str, time: Duration) -> Result<f64> {
    let client = async_nats::connect(url).await.context("NATS does not answer")?;
    let context = async_nats::jetstream::new(client);
    let name = "FLOOR".to_owned();
    let config = stream::Config { name: name.clone(), subjects: vec!["floor".to_owned()], ..stream::Config::default() };
    context.create_stream(config).await?;
    let payload = bytes::Bytes::from(vec![7_u8; 1024]);
    let started = Instant::now();
    let (mut acknowledged, mut waiting) = (0_u32, FuturesUnordered::new());
    while started.elapsed() < time {
        while waiting.len() < WINDOW {
            waiting.push(context.publish("floor", payload.clone()).await?.into_future());
        }
        if let Some(answer) = waiting.next().await {
            answer?;
            acknowledged += 1;
        }
    }
    let rate = f64::from(acknowledged) / started.elapsed().as_secs_f64();
    while let Some(answer) = waiting.next().await {
        answer?;
    }
    context.delete_stream(name).await?;
    Ok(rate)
}
