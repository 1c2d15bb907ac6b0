//! Group commit: what waits goes together, in order, and nobody waits for more.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::group_commit::{GroupClosed, GroupCommit};
use crate::lifecycle::{Shutdown, Tasks};

#[tokio::test]
async fn what_waits_is_committed_together() {
    let mut tasks = Tasks::new(Duration::from_secs(5));
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let seen = Arc::clone(&sizes);
    let group = GroupCommit::spawn("test", 16, &mut tasks, move |items: Vec<u32>| {
        seen.lock().unwrap().push(items.len());
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            items.into_iter().map(|item| item * 2).collect()
        }
    });
    let submitted = (0..50u32).map(|item| {
        let group = group.clone();
        async move { group.submit(item).await }
    });
    let outcomes = futures::future::join_all(submitted).await;
    let expected: Vec<_> = (0..50u32).map(|item| Ok(item * 2)).collect();
    assert_eq!(outcomes, expected);
    let sizes = sizes.lock().unwrap().clone();
    assert_eq!(sizes.iter().sum::<usize>(), 50);
    assert!(sizes.len() <= 6 && sizes.iter().all(|size| *size <= 16), "{sizes:?}");

    // The task ends with the last way in, after what was submitted.
    let (handle, shutdown) = Shutdown::pair();
    handle.drain();
    drop(group);
    tasks.run_until(shutdown).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_hangs_holds_up_nobody_for_ever() {
    let mut tasks = Tasks::new(Duration::from_secs(5));
    let group = GroupCommit::spawn("test", 1, &mut tasks, |items: Vec<u32>| async move {
        if items == [0] {
            std::future::pending::<()>().await;
        }
        items
    });
    let since = tokio::time::Instant::now();
    let (hung, behind) = tokio::join!(group.submit(0), group.submit(7));
    assert_eq!((hung, behind), (Err(GroupClosed::TooSlow), Ok(7)));
    assert!(since.elapsed() <= Duration::from_secs(5));
}

#[tokio::test]
async fn an_outcome_that_is_missing_is_an_error() {
    let mut tasks = Tasks::new(Duration::from_secs(5));
    let group = GroupCommit::spawn("test", 4, &mut tasks, |_: Vec<u32>| async { Vec::<u32>::new() });
    assert_eq!(group.submit(1).await, Err(GroupClosed::Ended));
}
