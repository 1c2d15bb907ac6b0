//! Endpoints that do harm on purpose: each attempt ends within its time, and nobody's answer fills our memory.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tocsin_sinks::Authority;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::webhook_client::{client, post, shown};

/// The time limit in these tests; an attempt may take a little longer, never much.
const TOTAL: Duration = Duration::from_secs(2);
const SLACK: Duration = Duration::from_millis(1_500);

/// A server that reads the beginning of a request and then does as told with the stream.
async fn server<F, A>(act: F) -> SocketAddr
where
    F: Fn(TcpStream) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let act = act.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                act(stream).await;
            });
        }
    });
    address
}

/// Writes a beginning, then a piece again and again until nobody takes it.
async fn pour(mut stream: impl AsyncWrite + Unpin, beginning: &str, piece: &[u8], pause: Duration) {
    if stream.write_all(beginning.as_bytes()).await.is_err() {
        return;
    }
    while stream.write_all(piece).await.is_ok() {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Writes an answer once and keeps the connection open.
async fn say(mut stream: TcpStream, answer: Vec<u8>) {
    let _ = stream.write_all(&answer).await;
    std::future::pending::<()>().await;
}

/// Says nothing and keeps the connection open.
async fn hold(stream: TcpStream) {
    say(stream, Vec::new()).await;
}

async fn check(what: &str, to: SocketAddr, expected: &str) {
    let client = client("total_seconds = 2\nconnect_seconds = 1");
    let started = Instant::now();
    let ended = post(&client, &format!("http://{to}/")).await;
    let took = started.elapsed();
    assert_eq!(shown(&ended), expected, "{what}");
    assert!(took < TOTAL + SLACK, "{what} took {took:?}");
    assert!(ended.answer.as_ref().is_none_or(|answer| answer.len() <= 2_048), "{what}");
}

#[tokio::test]
async fn slow_ones_are_cut_off() {
    let hung = server(hold).await;
    check("hung", hung, "later timeout").await;
    let second = Duration::from_secs(1);
    let head = server(move |stream| pour(stream, "", b"H", second)).await;
    check("a head that drips", head, "later timeout").await;
    let body = server(move |stream| pour(stream, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x", second)).await;
    check("a body that drips", body, "later timeout").await;
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = server(move |stream| pour(stream, chunks, b"1\r\nx\r\n", second)).await;
    check("chunks that drip", chunked, "later timeout").await;
    let early = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let hints = server(move |stream| pour(stream, "", early, Duration::from_millis(1))).await;
    check("hints without an answer", hints, "later timeout").await;
}

#[tokio::test]
async fn endless_ones_are_left() {
    let none = Duration::ZERO;
    let large = vec![b'x'; 64 * 1024];
    let endless = large.clone();
    let body = server(move |stream| {
        let large = endless.clone();
        async move {
            pour(stream, "HTTP/1.1 200 OK\r\n\r\n", &large, none).await;
        }
    })
    .await;
    check("an endless body of a success", body, "taken http_200").await;
    let failing = large.clone();
    let body = server(move |stream| {
        let large = failing.clone();
        async move {
            pour(stream, "HTTP/1.1 500 Broken\r\n\r\n", &large, none).await;
        }
    })
    .await;
    check("an endless body of a failure", body, "later http_500").await;
    let one = "HTTP/1.1 200 OK\r\n";
    let headers = server(move |stream| pour(stream, one, b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", none)).await;
    check("endless headers", headers, "later answer_malformed").await;
    let header =
        server(move |stream| pour(stream, "HTTP/1.1 200 OK\r\nX-Filler: ", b"aaaaaaaaaaaaaaaaaaaaaaaa", none)).await;
    check("an endless header", header, "later answer_malformed").await;
    let giant = format!("HTTP/1.1 200 OK\r\nX-Giant: {}\r\n\r\n", "a".repeat(1024 * 1024)).into_bytes();
    let giant = server(move |stream| say(stream, giant.clone())).await;
    check("a giant header", giant, "later answer_malformed").await;
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = server(move |stream| async move {
        pour(stream, &format!("{chunks}1;a="), b"aaaaaaaaaaaaaaaa", none).await;
    })
    .await;
    check("an endless chunk extension", extension, "later connection_broken").await;
    let trailers = server(move |stream| async move {
        pour(stream, &format!("{chunks}0\r\n"), b"X-Filler: aaaaaaaaaaaaaaaa\r\n", none).await;
    })
    .await;
    check("endless trailers", trailers, "later connection_broken").await;
}

#[tokio::test]
async fn broken_ones_are_tried_later() {
    let closed = server(|stream| async move { drop(stream) }).await;
    check("closed without a word", closed, "later connection_closed").await;
    let reset = server(|stream| async move {
        let stream = stream.into_std().unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    })
    .await;
    check("a reset", reset, "later connection_closed").await;
    let short = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nxx").await;
    })
    .await;
    check("a body shorter than it says", short, "later connection_broken").await;
    for (what, answer) in [
        ("garbage", &b"\x00\x01\x02garbage\r\n\r\n"[..]),
        ("another protocol", b"220 mail.example ESMTP\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
        (
            "HTTP/2 settings and a reset of the stream",
            b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x03\x00\x00\x00\x01\x00\x00\x00\x08",
        ),
    ] {
        let to = server(move |stream| say(stream, answer.to_vec())).await;
        check(what, to, "later answer_malformed").await;
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    check("nobody", nobody, "later connect_failed").await;
}

#[tokio::test]
async fn refusals_keep_a_few_words() {
    let answer =
        |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 21\r\n\r\nquota used up, sorry.").into_bytes();
    for (status, expected) in
        [("429 Slow down", "throttled http_429"), ("500 Broken", "later http_500"), ("404 No", "refused http_404")]
    {
        let text = answer(status);
        let to = server(move |stream| say(stream, text.clone())).await;
        check(status, to, expected).await;
        let ended = post(&client(""), &format!("http://{to}/")).await;
        assert_eq!(ended.answer.as_deref(), Some("quota used up, sorry."));
    }
}

#[tokio::test]
async fn tls_that_is_none_or_not_theirs_is_refused() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("authority.pem");
    std::fs::write(&pem, authority.pem()).unwrap();
    let settings = |target: SocketAddr| {
        format!(
            "connect_seconds = 1\ntotal_seconds = 2\nextra_authority = '{}'\nconnect_to = {{ '*' = '{target}' }}",
            pem.display()
        )
    };
    let check = async |what: &str, target: SocketAddr, expected: &str| {
        let ended = post(&client(&settings(target)), "https://hooks.org-1.example/").await;
        assert_eq!(shown(&ended), expected, "{what}");
    };
    let garbage = server(|stream| say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
    check("no TLS", garbage, "later tls_failed").await;
    let hung = server(hold).await;
    check("a handshake that hangs", hung, "later connect_timeout").await;
    let other = TlsAcceptor::from(authority.server_for(vec!["hooks.org-2.example".to_owned()]).unwrap());
    check("a certificate of somebody else", tls_server(other).await, "later tls_failed").await;
    let stranger = Authority::new().unwrap().server_for(vec!["hooks.org-1.example".to_owned()]).unwrap();
    check("an authority that nobody trusts", tls_server(TlsAcceptor::from(stranger)).await, "later tls_failed").await;
    let good = authority.server_for(vec!["hooks.org-1.example".to_owned()]).unwrap();
    check("the right one", tls_server(TlsAcceptor::from(good)).await, "taken http_204").await;
}

async fn tls_server(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    address
}

#[tokio::test]
async fn connections_are_kept_and_a_closed_one_is_replaced_without_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/", listener.local_addr().unwrap());
    // Answers twice on each connection, then closes it without a word.
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            for _ in 0..2 {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
        }
    });
    let client = client("");
    for _ in 0..10 {
        assert_eq!(shown(&post(&client, &to).await), "taken http_204");
    }
    assert_eq!(accepted.load(std::sync::atomic::Ordering::Relaxed), 5);
}
