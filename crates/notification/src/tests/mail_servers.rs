//! Mail servers that refuse, stall, hang up or answer out of turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use tocsin_domain::notice::NoticeState;
use tocsin_domain::role::Role;
use tocsin_platform::config::Settings;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_sinks::MailSink;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{Alert, Harness, PATIENCE};
use crate::channel::{Outcome, Smarthosts, judge_mail};
use crate::config::NotificationConfig;
use crate::gateways::Pauses;
use crate::mail::rows::bounce;

/// What the server answers, in place of the usual, to its connection's commands; an empty answer hangs up, `...` stalls.
#[derive(Debug, Clone, Copy, Default)]
struct Script {
    /// Offers to take commands ahead of its replies.
    pipelining: bool,
    ehlo: Option<&'static str>,
    starttls: Option<&'static str>,
    mail: Option<&'static str>,
    rcpt: Option<&'static str>,
    data: Option<&'static str>,
    end: Option<&'static str>,
}

/// A server that plays one script a connection, the last one for all that follow.
struct Server {
    address: std::net::SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(scripts: &[Script]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<String>>> = Arc::default();
        let (scripts, kept) = (scripts.to_vec(), Arc::clone(&taken));
        let connections: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let script = scripts.get(number).or(scripts.last()).copied().unwrap_or_default();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { play(stream, script, kept).await });
            }
        });
        Self { address, taken, connections }
    }

    fn smarthosts(&self, tls: &str) -> Smarthosts {
        smarthosts(&format!("host = '127.0.0.1'\nport = {}\ntls = '{tls}'", self.address.port()))
    }
}

/// The smarthosts of these settings, impatient.
fn smarthosts(settings: &str) -> Smarthosts {
    let text =
        format!("[notification.email]\nconnections_max = 4\ncommand_seconds = 1\ndata_seconds = 1\n{settings}\n");
    Smarthosts::new(&NotificationConfig::read(&Settings::from_text(&text).unwrap()).unwrap().email).unwrap()
}

/// One attempt for one recipient.
async fn send(smarthosts: &Smarthosts, to: &str) -> Outcome {
    send_within(smarthosts, to, Duration::from_secs(20)).await
}

/// One attempt for one recipient, in so much time.
async fn send_within(smarthosts: &Smarthosts, to: &str, time: Duration) -> Outcome {
    let from = "alerts+token@tocsin.example".parse().unwrap();
    let envelope = Envelope::new(Some(from), vec![to.parse().unwrap()]).unwrap();
    match smarthosts.send(&envelope, MESSAGE, Instant::now() + time, &Pauses::default()).await.outcome {
        Ok(code) => Outcome::taken(NoticeState::Accepted, code.to_string()),
        Err(failure) => judge_mail(&failure),
    }
}

async fn play(stream: TcpStream, script: Script, taken: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 server.example\r\n").await.ok()?;
    let mut recipient = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let (answer, usual) = match line.get(..4)? {
            "EHLO" if script.pipelining => (script.ehlo, "250-server.example\r\n250-PIPELINING\r\n250 8BITMIME"),
            "EHLO" => (script.ehlo, "250-server.example\r\n250 8BITMIME"),
            "MAIL" => (script.mail, "250 sender"),
            "RCPT" => {
                recipient.clone_from(&line);
                (script.rcpt, "250 recipient")
            }
            "DATA" => (script.data, "354 go on"),
            ".\r\n" | "." => (script.end, "250 kept"),
            "STAR" => (script.starttls, "220 go on"),
            "QUIT" => (None, "221 bye"),
            _ => (None, "500 what"),
        };
        say(&mut stream, answer.unwrap_or(usual)).await?;
        if line.starts_with("DATA") && answer.unwrap_or(usual).starts_with("354") {
            read_message(&mut stream).await?;
            say(&mut stream, script.end.unwrap_or("250 kept")).await?;
            taken.lock().unwrap().push(recipient.trim().to_owned());
        }
    }
}

async fn read_message(stream: &mut BufReader<TcpStream>) -> Option<()> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(());
        }
    }
}

/// Nothing when the connection should end here.
async fn say(stream: &mut BufReader<TcpStream>, answer: &str) -> Option<()> {
    match answer {
        "" => None,
        "..." => std::future::pending().await,
        answer => stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok(),
    }
}

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

async fn outcome(server: &Server, tls: &str) -> String {
    shown(send(&server.smarthosts(tls), "duty@org-1.example").await)
}

fn shown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Taken { state: NoticeState::Accepted, code, .. } => format!("accepted {code}"),
        Outcome::Temporary { code, .. } => format!("later {code}"),
        Outcome::Refused { code, .. } => format!("refused {code}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn only_250_after_the_message_is_success() {
    let usual = Script::default();
    for (script, expected) in [
        (usual, "accepted 250"),
        (Script { end: Some("354 what"), ..usual }, "later 354"),
        (Script { end: Some("251 elsewhere"), ..usual }, "later 251"),
        (Script { end: Some("451 later"), ..usual }, "later 451"),
        (Script { end: Some("554 no"), ..usual }, "refused 554"),
        (Script { end: Some(""), ..usual }, "later connection_broken"),
        (Script { end: Some("..."), ..usual }, "later data_timeout"),
        (Script { end: Some("gibberish"), ..usual }, "later connection_broken"),
        (Script { data: Some("250 fine"), ..usual }, "later 250"),
        (Script { rcpt: Some("550 unknown"), ..usual }, "refused 550"),
        (Script { rcpt: Some("550 5.1.1 unknown, said the relay"), ..usual }, "refused 550"),
        (Script { rcpt: Some("554 5.7.1 Relay access denied"), ..usual }, "later 554"),
        (Script { rcpt: Some("550 Relaying denied"), ..usual }, "later 550"),
        (Script { rcpt: Some("530 Authentication required"), ..usual }, "later 530"),
        (Script { data: Some("554 5.7.0 not from you"), ..usual }, "later 554"),
        (Script { end: Some("550 5.7.26 not from you"), ..usual }, "later 550"),
        (Script { rcpt: Some("450 grey"), ..usual }, "later 450"),
        (Script { rcpt: Some("354 what"), ..usual }, "later 354"),
        (Script { mail: Some("..."), ..usual }, "later command_timeout"),
        (Script { mail: Some("421 closing"), ..usual }, "later 421"),
        (Script { ehlo: Some("..."), ..usual }, "later connect_timeout"),
        (Script { ehlo: Some(""), ..usual }, "later greeting_failed"),
    ] {
        for pipelining in [false, true] {
            let script = Script { pipelining, ..script };
            let server = Server::start(&[script]).await;
            assert_eq!(outcome(&server, "none").await, expected, "{script:?}");
        }
    }
}

#[tokio::test]
async fn a_kept_session_takes_one_message_after_the_other_in_either_way() {
    for pipelining in [false, true] {
        let server = Server::start(&[Script { pipelining, ..Script::default() }]).await;
        let smarthosts = server.smarthosts("none");
        for name in ["first", "second", "third"] {
            let to = format!("{name}@org-1.example");
            assert_eq!(send(&smarthosts, &to).await, Outcome::taken(NoticeState::Accepted, "250"));
        }
        let taken = server.taken.lock().unwrap().clone();
        let expected = ["first", "second", "third"].map(|name| format!("RCPT TO:<{name}@org-1.example>"));
        assert_eq!(taken, expected);
    }
}

#[tokio::test]
async fn there_is_no_falling_back_to_clear_text() {
    let usual = Script::default();
    let server = Server::start(&[usual]).await;
    assert_eq!(outcome(&server, "starttls").await, "later starttls_missing");
    assert_eq!(outcome(&server, "implicit").await, "later tls_failed");
    let offers = Some("250-server.example\r\n250 STARTTLS");
    for (starttls, expected) in [
        // It says yes and then talks on in clear text, or nonsense.
        (Some("220 go on"), "later tls_failed"),
        (Some("454 not now"), "later 454"),
        (Some("500 what"), "later 500"),
        // Whoever sits on the line answers ahead of the encryption.
        (Some("220 go on\r\n250-server.example\r\n250 8BITMIME"), "later reply_out_of_turn"),
        (Some("..."), "later connect_timeout"),
        (Some(""), "later greeting_failed"),
    ] {
        let server = Server::start(&[Script { ehlo: offers, starttls, ..usual }]).await;
        assert_eq!(outcome(&server, "starttls").await, expected, "{starttls:?}");
        assert!(server.taken.lock().unwrap().is_empty(), "{starttls:?}");
    }
    assert!(server.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_next_smarthost_is_asked_when_one_does_not_answer() {
    let usual = Script::default();
    let second = Server::start(&[usual]).await;
    let list = |port: u16| {
        let one =
            |port: u16| format!("[[notification.email.smarthosts]]\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n");
        smarthosts(&format!("{}{}", one(port), one(second.address.port())))
    };
    let mut expected = 0;
    for script in [
        Script { ehlo: Some("..."), ..usual },
        Script { ehlo: Some(""), ..usual },
        Script { mail: Some("550 who are you"), ..usual },
        Script { mail: Some("421 closing"), ..usual },
        Script { rcpt: Some("554 5.7.1 <duty@org-1.example>: Relay access denied"), ..usual },
        Script { rcpt: Some("550 relay not permitted"), ..usual },
        Script { rcpt: Some("530 Authentication required"), ..usual },
        Script { end: Some("550 5.7.26 not from you"), ..usual },
    ] {
        let first = Server::start(&[script]).await;
        assert_eq!(shown(send(&list(first.address.port()), "duty@org-1.example").await), "accepted 250", "{script:?}");
        expected += 1;
        assert_eq!(second.taken.lock().unwrap().len(), expected, "{script:?}");
    }
    let first = Server::start(&[Script { rcpt: Some("550 5.1.1 unknown"), ..usual }]).await;
    assert_eq!(shown(send(&list(first.address.port()), "duty@org-1.example").await), "refused 550");
    // A word about the recipient or the message is an answer, and nobody else is asked.
    for script in [
        Script { rcpt: Some("550 unknown"), ..usual },
        Script { rcpt: Some("450 grey"), ..usual },
        Script { end: Some("554 no"), ..usual },
        Script { end: Some(""), ..usual },
    ] {
        let first = Server::start(&[script]).await;
        let outcome = shown(send(&list(first.address.port()), "duty@org-1.example").await);
        assert!(outcome.starts_with("refused") || outcome.starts_with("later"), "{script:?}: {outcome}");
        assert_eq!(second.taken.lock().unwrap().len(), expected, "{script:?}");
    }
}

#[tokio::test]
async fn a_smarthost_that_does_not_answer_is_left_alone_for_a_while() {
    let usual = Script::default();
    let (first, second) =
        (Server::start(&[Script { mail: Some("421 closing"), ..usual }]).await, Server::start(&[usual]).await);
    let one = |server: &Server| {
        let port = server.address.port();
        format!("[[notification.email.smarthosts]]\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n")
    };
    let smarthosts = smarthosts(&format!("{}{}", one(&first), one(&second)));
    for _ in 0..12 {
        assert_eq!(shown(send(&smarthosts, "duty@org-1.example").await), "accepted 250");
    }
    assert_eq!(first.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn with_the_usual_seconds_a_mute_smarthost_leaves_time_for_the_next_within_one_lease() {
    // The system takes the connection, and nobody ever greets.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = Server::start(&[Script::default()]).await;
    let one =
        |port: u16| format!("[[notification.email.smarthosts]]\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n");
    let text = format!("{}{}", one(mute.local_addr().unwrap().port()), one(second.address.port()));
    let config = NotificationConfig::read(&Settings::from_text(&text).unwrap()).unwrap();
    let smarthosts = Smarthosts::new(&config.email).unwrap();
    let lease = Duration::from_secs(config.lease_seconds.into());
    assert_eq!(shown(send_within(&smarthosts, "duty@org-1.example", lease).await), "accepted 250");
    let again = Instant::now();
    assert_eq!(shown(send_within(&smarthosts, "duty@org-1.example", lease).await), "accepted 250");
    let spent = again.elapsed();
    assert!(spent.as_secs() < u64::from(config.email.command_seconds), "it is not asked first again: {spent:?}");
}

#[tokio::test]
async fn a_session_is_kept_and_never_used_after_a_doubt() {
    let usual = Script::default();
    let server = Server::start(&[Script { end: Some("..."), ..usual }, usual]).await;
    let smarthosts = server.smarthosts("none");
    let send = async |name: &str| send(&smarthosts, &format!("{name}@org-1.example")).await;
    // Cancelled in mid-dialogue, as when the process drains.
    assert!(tokio::time::timeout(Duration::from_millis(200), send("first")).await.is_err());
    for name in ["second", "third"] {
        assert_eq!(send(name).await, Outcome::taken(NoticeState::Accepted, "250"));
    }
    let taken = server.taken.lock().unwrap().clone();
    assert_eq!(taken, ["RCPT TO:<second@org-1.example>", "RCPT TO:<third@org-1.example>"]);
}

#[tokio::test]
async fn a_refusal_of_us_is_tried_again_and_does_not_count_against_the_address() {
    let usual = Script::default();
    let denied = Script { rcpt: Some("554 5.7.1 Relay access denied"), ..usual };
    let server = Server::start(&[denied, denied, denied, denied, usual]).await;
    let more = "retry = { urgent_seconds = [0, 0, 0, 0, 0, 0] }";
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let harness = Harness::start_before(TestDatabase::sqlite(), more, server.address, sink).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted"]).await;
    assert!(super::mail::suppressions(&harness, Role::Operator).await.is_empty());
    let bounces = bounce::Entity::find().count(harness.running.office.database.reader()).await.unwrap();
    assert_eq!(bounces, 0, "nothing was said about the address");
    harness.stop().await;
}

#[tokio::test]
async fn a_temporary_refusal_is_tried_again_and_a_final_one_goes_to_a_person() {
    let usual = Script::default();
    let server = Server::start(&[Script { rcpt: Some("450 grey"), ..usual }, usual]).await;
    let more = "retry = { email_temporary_seconds = [0], email_then_every_seconds = 0 }";
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let harness = Harness::start_before(TestDatabase::sqlite(), more, server.address, sink).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted"]).await;
    wait_until("the message was taken once", PATIENCE, async || server.taken.lock().unwrap().len() == 1).await;
    harness.stop().await;
    let server = Server::start(&[Script { rcpt: Some("550 unknown"), ..usual }]).await;
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let harness = Harness::start_before(TestDatabase::sqlite(), more, server.address, sink).await;
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email rejected_permanent"]).await;
    let failed = harness.progress().remove(0);
    assert_eq!((failed.reason.as_str(), failed.handed_to.as_str()), ("550", "Coordinator One"));
    harness.stop().await;
}
