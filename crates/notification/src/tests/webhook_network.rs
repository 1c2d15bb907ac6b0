//! Names that change their answer, redirects and proxies of the environment: none of them moves a webhook elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tocsin_sinks::{Authority, WebhookSink};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::webhook_client::{Names, NotedNetwork, client, client_with, post, shown};
use crate::channel::is_special_purpose;

/// How many answers of the name server are tried.
const FLIPS: usize = 1_000;

/// A name server that answers public, inside, or both, in an order that looks random.
#[derive(Debug)]
struct FlippingNames {
    state: AtomicU64,
    answers: Mutex<Vec<Vec<IpAddr>>>,
}

impl Names for FlippingNames {
    fn of(&self, _name: &str) -> Vec<IpAddr> {
        let state = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let drawn = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
        let public = IpAddr::from([93, 184, 215, u8::try_from(drawn % 200).unwrap()]);
        let inside: [IpAddr; 6] = [
            [127, 0, 0, 1].into(),
            [10, 0, 0, 1].into(),
            [169, 254, 169, 254].into(),
            "::1".parse().unwrap(),
            "::ffff:127.0.0.1".parse().unwrap(),
            "fd00:ec2::254".parse().unwrap(),
        ];
        let inside = inside[usize::try_from(drawn / 7 % 6).unwrap()];
        let answer = match drawn % 4 {
            0 | 1 => vec![public],
            2 => vec![inside],
            _ => vec![public, inside],
        };
        self.answers.lock().unwrap().push(answer.clone());
        answer
    }
}

#[tokio::test]
async fn a_name_that_flips_a_thousand_times_never_leads_inside() {
    let authority = Authority::new().unwrap();
    let server = authority.server_for(vec!["hooks.org-1.example".to_owned()]).unwrap();
    let sink = WebhookSink::start(Some(server), Duration::ZERO).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("authority.pem");
    std::fs::write(&pem, authority.pem()).unwrap();
    let network = Arc::new(NotedNetwork {
        lookup: FlippingNames { state: AtomicU64::new(7), answers: Mutex::default() },
        target: sink.address(),
        connected: Mutex::default(),
    });
    let more = format!("extra_authority = '{}'", pem.display());
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..FLIPS {
        // A client of its own each time: a kept connection would ask no name.
        let client = client_with(&more, network.clone());
        match shown(&post(&client, "https://hooks.org-1.example/").await).as_str() {
            "taken http_204" => taken += 1,
            "later address_refused" => refused += 1,
            other => panic!("{other}"),
        }
    }
    let answers = network.lookup.answers.lock().unwrap();
    let clean = answers.iter().filter(|answer| !answer.iter().any(|address| is_special_purpose(*address))).count();
    assert_eq!((answers.len(), taken, refused), (FLIPS, clean, FLIPS - clean));
    assert!(taken > FLIPS / 4 && refused > FLIPS / 4, "{taken} and {refused}");
    let connected = network.connected.lock().unwrap();
    assert_eq!(connected.len(), taken);
    let expected: Vec<SocketAddr> = answers
        .iter()
        .filter(|answer| answer.len() == 1 && !is_special_purpose(answer[0]))
        .map(|answer| (answer[0], 443).into())
        .collect();
    assert_eq!(*connected, expected, "each connection goes to the address that was checked");
}

#[derive(Debug)]
struct OneName(Vec<IpAddr>);

impl Names for OneName {
    fn of(&self, _name: &str) -> Vec<IpAddr> {
        self.0.clone()
    }
}

#[tokio::test]
async fn public_names_that_lead_inside_are_not_called() {
    for inside in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "100.64.0.1", "::1", "64:ff9b::a00:1"] {
        let lookup = OneName(vec![inside.parse().unwrap()]);
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let network = Arc::new(NotedNetwork { lookup, target: nobody, connected: Mutex::default() });
        let client = client_with("", network.clone());
        let ended = post(&client, "https://localtest.example/").await;
        assert_eq!(shown(&ended), "later address_refused", "{inside}");
        assert!(network.connected.lock().unwrap().is_empty(), "{inside}");
    }
}

/// A listener that counts who knocks.
async fn sentinel() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, knocks) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&knocks);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (address, knocks)
}

/// A server that gives this answer to every connection.
async fn answering(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn twelve_redirects_are_not_followed() {
    let (inside, knocks) = sentinel().await;
    let redirects = [
        (300, format!("Location: http://{inside}/\r\n")),
        (301, format!("Location: http://{inside}/\r\n")),
        (302, format!("Location: http://{inside}/latest/meta-data/\r\n")),
        (303, format!("Location: http://{inside}/\r\n")),
        (304, format!("Location: http://{inside}/\r\n")),
        (305, format!("Location: http://{inside}/\r\n")),
        (307, format!("Location: http://{inside}/\r\n")),
        (308, format!("Location: http://{inside}/\r\n")),
        (308, format!("Location: //{inside}/\r\n")),
        (307, format!("Location: http://{inside}/\r\nLocation: https://{inside}/\r\n")),
        (301, format!("Refresh: 0; url=http://{inside}/\r\nContent-Location: http://{inside}/\r\n")),
        (302, format!("Location: http://{inside}/\r\nAlt-Svc: h3=\"{inside}\"; ma=3600\r\n")),
    ];
    for (status, headers) in redirects {
        let to = answering(format!("HTTP/1.1 {status} Elsewhere\r\n{headers}Content-Length: 0\r\n\r\n")).await;
        let ended = post(&client("total_seconds = 3"), &format!("http://{to}/")).await;
        assert_eq!(shown(&ended), format!("refused http_{status}"), "{headers}");
    }
    assert_eq!(knocks.load(Ordering::Relaxed), 0);
}

/// Says to the test below, started again as a process of its own, where to post.
const DIRECT_TO: &str = "TOCSIN_TEST_POST_TO";

#[tokio::test]
async fn proxies_of_the_environment_are_not_asked() {
    if let Ok(to) = std::env::var(DIRECT_TO) {
        assert!(std::env::var("HTTPS_PROXY").is_ok(), "the outer test has set it");
        assert_eq!(shown(&post(&client(""), &to).await), "taken http_204");
        return;
    }
    let (proxy, knocks) = sentinel().await;
    let sink = WebhookSink::start(None, Duration::ZERO).await.unwrap();
    let mut inner = tokio::process::Command::new(std::env::current_exe().unwrap());
    inner.args(["--exact", "tests::webhook_network::proxies_of_the_environment_are_not_asked"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        inner.env(name, format!("http://{proxy}"));
    }
    inner.env_remove("NO_PROXY").env_remove("no_proxy");
    inner.env(DIRECT_TO, format!("http://{}/", sink.address()));
    let ended = inner.output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    assert_eq!((sink.log().count(), knocks.load(Ordering::Relaxed)), (1, 0));
}
