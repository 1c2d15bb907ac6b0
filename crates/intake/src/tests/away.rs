//! While the database is away nothing is answered with success, and everything goes on when it is back.

use std::time::Duration;

use tocsin_platform::testing::{TestDatabase, wait_until};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::harness::{Harness, scenario};

#[tokio::test]
async fn a_database_that_is_away_is_never_success() {
    let database = TestDatabase::postgres().await;
    let (url, reachable) = by_way_of_a_cable(&database.settings().url).await;
    let harness = Harness::start_at(database, url, "").await;
    let report = scenario("dam-eviction");
    assert_eq!(harness.submit("before-the-cut", &report).await.status, 201);

    reachable.send_replace(false);
    let refused = harness.submit("during-the-cut", &report).await;
    assert_eq!((refused.status, refused.reason()), (503, "DATABASE_AWAY"));
    assert_eq!(refused.body["retryable"], true);

    reachable.send_replace(true);
    let accepted = async || harness.submit("during-the-cut", &report).await.status == 201;
    wait_until("it is taken again", Duration::from_secs(30), accepted).await;
    wait_until("triage has both", Duration::from_secs(30), async || harness.heard_reports() == 2).await;
    harness.stop().await;
}

/// An address that leads to the database for as long as the cable is whole.
async fn by_way_of_a_cable(url: &str) -> (String, watch::Sender<bool>) {
    let (front, database) = url.rsplit_once('/').unwrap();
    let (scheme, server) = front.rsplit_once('@').unwrap();
    let (whole, cable) = watch::channel(true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = format!("{scheme}@{}/{database}", listener.local_addr().unwrap());
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (server, mut cable) = (server.clone(), cable.clone());
            tokio::spawn(async move {
                if !*cable.borrow_and_update() {
                    return;
                }
                let Ok(mut far) = TcpStream::connect(server).await else { return };
                tokio::select! {
                    _ = cable.wait_for(|whole| !whole) => {}
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                }
            });
        }
    });
    (through, whole)
}
