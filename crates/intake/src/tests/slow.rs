//! Clients that announce a body and do not send it keep nobody else waiting.

use std::time::Duration;

use futures::future::join_all;
use tocsin_platform::testing::TestDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Harness, scenario};

#[tokio::test]
async fn silent_connections_do_not_close_the_door() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let report = scenario("workshop-detention");
    assert_eq!(harness.submit("before-the-silence", &report).await.status, 201);
    let announced = "content-length: 262144\r\n\r\n";
    let beginnings = [announced, "transfer-encoding: chunked\r\n\r\n", "content-length: 262144\r\n\r\n{\"narrative\""];
    let connections = (0..201).map(|number| begin(&harness, number, beginnings[number % 3]));
    let mut silent = join_all(connections).await;
    // All of them are being waited for when the honest report comes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let honest = harness.submit("amid-the-silence", &report);
    let answer = tokio::time::timeout(Duration::from_secs(1), honest).await.expect("it is answered at once");
    assert_eq!(answer.status, 201);

    let mut told = vec![0; 2_048];
    let read = silent[0].read(&mut told);
    let length = tokio::time::timeout(Duration::from_secs(5), read).await.expect("it is told in time").unwrap();
    let told = String::from_utf8_lossy(&told[..length]);
    assert!(told.contains("BODY_TOO_SLOW") && told.contains("did not begin to arrive within 2 s"), "{told}");
    drop(silent);
    harness.stop().await;
}

/// Sends the head of a report and what is given after it, and nothing more.
async fn begin(harness: &Harness, number: usize, rest: &str) -> TcpStream {
    let mut stream = TcpStream::connect(harness.http_address()).await.unwrap();
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: intake\r\ncontent-type: application/json\r\nidempotency-key: silent-{number}\r\n"
    );
    stream.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
    stream
}
