//! Receivers for all three channels that keep what arrives and answer only when they may: whoever dies meanwhile dies
//! between send and record.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What arrived: `channel id`, and how often.
pub(super) type Copies = HashMap<String, usize>;

/// The receivers.
pub(super) struct Doors {
    pub(super) mail: SocketAddr,
    pub(super) sms: SocketAddr,
    pub(super) webhooks: Vec<SocketAddr>,
    inside: Arc<Inside>,
}

struct Inside {
    copies: Mutex<Copies>,
    answers: watch::Sender<bool>,
}

impl Inside {
    /// Keeps it, and returns when it may be answered.
    async fn take(&self, key: String) {
        *self.copies.lock().unwrap().entry(key).or_insert(0) += 1;
        self.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
    }
}

impl Doors {
    pub(super) async fn open(hosts: usize) -> Self {
        let inside = Arc::new(Inside { copies: Mutex::default(), answers: watch::Sender::new(true) });
        let mut webhooks = Vec::new();
        for _ in 0..hosts {
            webhooks.push(serve(Router::new().route("/", post(webhook)).with_state(Arc::clone(&inside))).await);
        }
        let sms = serve(Router::new().route("/send", get(sms)).with_state(Arc::clone(&inside))).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mail = listener.local_addr().unwrap();
        let kept = Arc::clone(&inside);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                // It ends with its client.
                tokio::spawn(async move { dialogue(stream, &kept).await });
            }
        });
        Self { mail, sms, webhooks, inside }
    }

    /// Whether what arrives is answered.
    pub(super) fn answer(&self, answers: bool) {
        self.inside.answers.send_replace(answers);
    }

    pub(super) fn copies(&self) -> Copies {
        self.inside.copies.lock().unwrap().clone()
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn webhook(State(inside): State<Arc<Inside>>, headers: HeaderMap) -> StatusCode {
    inside.take(format!("webhook {}", headers["webhook-id"].to_str().unwrap())).await;
    StatusCode::NO_CONTENT
}

async fn sms(
    State(inside): State<Arc<Inside>>,
    Query(query): Query<HashMap<String, String>>,
) -> (StatusCode, &'static str) {
    let id = query["dlr-url"].split("id=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    inside.take(format!("sms {id}")).await;
    (StatusCode::ACCEPTED, "0: Accepted for delivery")
}

/// A mail server of few words, by which a message is known by its Message-ID.
async fn dialogue(stream: TcpStream, inside: &Inside) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 door.example ESMTP\r\n").await.ok()?;
    loop {
        let line = read_line(&mut stream).await?;
        let answer: &[u8] = match line.get(..4)?.to_ascii_uppercase().as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut id = None;
                loop {
                    let line = read_line(&mut stream).await?;
                    if line == "." {
                        break;
                    }
                    id = id.or_else(|| line.strip_prefix("Message-ID: ").map(str::to_owned));
                }
                inside.take(format!("email {}", id.unwrap())).await;
                b"250 2.0.0 kept\r\n"
            }
            "QUIT" => return None,
            _ => b"250 door.example\r\n",
        };
        stream.write_all(answer).await.ok()?;
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}
