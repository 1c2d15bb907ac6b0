//! The two stages, tasks that die in every way, and reconcilers, in paused time.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;

const GRACE: Duration = Duration::from_secs(5);

async fn until_drained(shutdown: Shutdown) -> Result<(), std::io::Error> {
    shutdown.draining().await;
    Ok(())
}

#[tokio::test]
async fn stages_only_move_forward() {
    let (handle, shutdown) = Shutdown::pair();
    assert!(!shutdown.is_draining());
    handle.stop();
    handle.drain();
    assert!(shutdown.is_draining());
    shutdown.draining().await;
    shutdown.clone().stopped().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_everybody_follows_is_a_good_end() {
    let (handle, shutdown) = Shutdown::pair();
    let mut tasks = Tasks::new(GRACE);
    tasks.spawn("one", until_drained(shutdown.clone()));
    tasks.spawn("two", until_drained(shutdown.clone()));
    handle.drain();
    tasks.run_until(shutdown).await.unwrap();
}

/// The error when this task runs beside a healthy one, which must be drained too.
async fn check(name: &str, task: impl Future<Output = Result<(), std::io::Error>> + Send + 'static) -> String {
    let (_handle, shutdown) = Shutdown::pair();
    let mut tasks = Tasks::new(GRACE);
    tasks.spawn("healthy", until_drained(shutdown.clone()));
    tasks.spawn(name, task);
    let error = tasks.run_until(shutdown.clone()).await.unwrap_err();
    assert!(shutdown.is_draining(), "the others are told");
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_early_takes_the_process_down_by_name() {
    assert_eq!(check("relay", async { Ok(()) }).await, "the task `relay` ended although nobody asked it to");
    let failed = async { Err(std::io::Error::other("disk")) };
    assert_eq!(check("consumer", failed).await, "the task `consumer` failed");
    assert_eq!(check("door", async { panic!("canary") }).await, "the task `door` panicked");
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_draining_is_still_told() {
    let (handle, shutdown) = Shutdown::pair();
    let mut tasks = Tasks::new(GRACE);
    let draining = shutdown.clone();
    tasks.spawn("late", async move {
        draining.draining().await;
        Err(std::io::Error::other("lost"))
    });
    handle.drain();
    assert_eq!(tasks.run_until(shutdown).await.unwrap_err().to_string(), "the task `late` failed");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_end_is_stopped_then_aborted() {
    let (handle, shutdown) = Shutdown::pair();
    let mut tasks = Tasks::new(GRACE);
    let stopping = shutdown.clone();
    tasks.spawn("slow", async move {
        stopping.stopped().await;
        Ok::<(), Infallible>(())
    });
    tasks.spawn("deaf", std::future::pending::<Result<(), Infallible>>());
    let started = tokio::time::Instant::now();
    handle.drain();
    tasks.run_until(shutdown).await.unwrap();
    assert_eq!(started.elapsed(), GRACE + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_reconciler_works_when_woken_when_due_and_by_its_interval() {
    let (handle, shutdown) = Shutdown::pair();
    let reconciler = Reconciler::new("test", Duration::from_mins(1));
    let waker = reconciler.wake_handle();
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let running = tokio::spawn(reconciler.run(shutdown, async move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(Some(Duration::from_secs(5))),
        1 => Ok(Some(Duration::ZERO)),
        3 => Err("away"),
        _ => Ok(None),
    }));
    let after = async |seconds: u64, expect: u32| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert_eq!(runs.load(Ordering::SeqCst), expect);
    };
    after(4, 1).await; // Started at once.
    after(2, 3).await; // Due after 5 s, then more to do at once.
    waker.wake();
    after(1, 5).await; // Woken; the error is tried again after a pause.
    after(58, 5).await;
    after(3, 6).await; // The interval.
    handle.drain();
    running.await.unwrap().unwrap();
}
