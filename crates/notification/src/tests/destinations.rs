//! Webhook receivers that misbehave harm themselves only.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_sinks::{Authority, WebhookSink};

use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};

/// A receiver that answers as told; it keeps when each request came and its `webhook-id`.
struct Receiver {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Receiver {
    async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(usize) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response> + Send,
    {
        let requests: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let kept = Arc::clone(&requests);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(move |headers: HeaderMap| {
            let (answer, kept) = (answer.clone(), Arc::clone(&kept));
            async move {
                let id = headers["webhook-id"].to_str().unwrap().to_owned();
                let number = {
                    let mut kept = kept.lock().unwrap();
                    kept.push((Instant::now(), id));
                    kept.len()
                };
                answer(number).await
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, requests }
    }

    fn hook(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[tokio::test]
async fn a_hung_host_does_not_delay_the_others() {
    let hung = Receiver::start(|_| async { std::future::pending::<Response>().await }).await;
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut contacts: Vec<_> =
        (1..=50).map(|number| contact_with_hook("org-1", number, "en", &["webhook"], hung.hook())).collect();
    contacts.extend((101..=200).map(|number| harness.contact("org-2", number, "en", &["webhook"])));
    harness.import(contacts.clone()).await.unwrap();
    let start = Instant::now();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("all others are served", PATIENCE, async || harness.webhooks.log().count() == 100).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(hung.count() <= 5, "at most four in flight and one more for urgent: {}", hung.count());
    harness.stop().await;
}

#[tokio::test]
async fn real_https_names_can_be_sent_to_a_loopback_sink_of_a_test_authority() {
    let authority = Authority::new().unwrap();
    let names = vec!["hooks.org-1.example".to_owned(), "hooks.org-2.example".to_owned()];
    let sink = WebhookSink::start(Some(authority.server_for(names).unwrap()), Duration::ZERO).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("authority.pem");
    std::fs::write(&pem, authority.pem()).unwrap();
    let more = format!(
        "retry = {{ urgent_seconds = [] }}\nwebhook.extra_authority = '{}'\nwebhook.connect_to = {{ '*' = '{}' }}",
        pem.display(),
        sink.address()
    );
    let harness = Harness::start_with(TestDatabase::sqlite(), &more).await;
    let contacts: Vec<_> = (1..=3)
        .map(|number| {
            let hook = format!("https://hooks.org-{number}.example/tocsin");
            contact_with_hook(&format!("org-{number}"), number, "en", &["webhook"], hook)
        })
        .collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    // The certificate does not hold the third name, so it is not trusted.
    harness
        .until(&["org-1-c1 webhook delivered", "org-2-c2 webhook delivered", "org-3-c3 webhook failed_temporary"])
        .await;
    let mut hosts: Vec<_> = sink.log().all().into_iter().map(|hook| hook.item.host).collect();
    hosts.sort();
    assert_eq!(hosts, ["hooks.org-1.example", "hooks.org-2.example"]);
    harness.stop().await;
}

#[tokio::test]
async fn answers_decide_what_comes_next() {
    let busy = Receiver::start(|number| async move {
        if number == 1 {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response()
        } else {
            StatusCode::OK.into_response()
        }
    })
    .await;
    let gone = Receiver::start(|_| async { StatusCode::GONE.into_response() }).await;
    let moved =
        Receiver::start(|_| async { (StatusCode::FOUND, [(header::LOCATION, "http://127.0.0.1:9/")]).into_response() })
            .await;
    let broken = Receiver::start(|number| async move {
        if number < 3 {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        } else {
            StatusCode::NO_CONTENT.into_response()
        }
    })
    .await;
    let harness = Harness::start_with(TestDatabase::sqlite(), "retry = { urgent_seconds = [0, 0, 0, 0] }").await;
    let contacts = vec![
        contact_with_hook("org-1", 1, "en", &["webhook"], busy.hook()),
        contact_with_hook("org-2", 2, "en", &["webhook"], gone.hook()),
        contact_with_hook("org-3", 3, "en", &["webhook"], moved.hook()),
        contact_with_hook("org-4", 4, "en", &["webhook"], broken.hook()),
    ];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    let expected = [
        "org-1-c1 webhook delivered",
        "org-2-c2 webhook rejected_permanent",
        "org-3-c3 webhook rejected_permanent",
        "org-4-c4 webhook delivered",
    ];
    harness.until(&expected).await;
    assert_eq!((busy.count(), gone.count(), moved.count(), broken.count()), (2, 1, 1, 3));
    {
        let requests = busy.requests.lock().unwrap();
        assert!(requests[1].0 - requests[0].0 >= Duration::from_millis(950), "Retry-After is honoured");
        assert_eq!(requests[0].1, requests[1].1, "webhook-id stays the same over retries");
    }
    harness.request(&Alert::new("p1", "AMBER"), &contacts[1..2]).await;
    harness.until(&[&expected[..], &["org-2-c2 webhook rejected_permanent"]].concat()).await;
    assert_eq!(gone.count(), 1, "410 ends the use of a webhook");
    harness.stop().await;
}

#[tokio::test]
async fn a_dripping_answer_is_cut_and_an_endless_one_is_not_read() {
    let dripping = Receiver::start(|_| async { (StatusCode::OK, drip()).into_response() }).await;
    let huge = Receiver::start(|_| async { (StatusCode::OK, vec![b'x'; 8 * 1024 * 1024]).into_response() }).await;
    let harness = Harness::start_with(TestDatabase::sqlite(), "retry = { urgent_seconds = [] }").await;
    let contacts = vec![
        contact_with_hook("org-1", 1, "en", &["webhook"], dripping.hook()),
        contact_with_hook("org-2", 2, "en", &["webhook"], huge.hook()),
    ];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 webhook failed_temporary", "org-2-c2 webhook delivered"]).await;
    let failed = harness.progress().into_iter().find(|notice| notice.contact_id == "org-1-c1").unwrap();
    assert_eq!((failed.reason.as_str(), failed.handed_to.as_str()), ("timeout", "Coordinator One"));
    harness.stop().await;
}

/// A body that gives one byte each 100 ms and never ends.
fn drip() -> axum::body::Body {
    let drops = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(b"x")), ()))
    });
    axum::body::Body::from_stream(drops)
}
