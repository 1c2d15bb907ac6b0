//! The doctor against real listeners on loopback.

use std::fmt::Write as _;

use tocsin_platform::config::Settings;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use tocsin_proto::catalogue::Service;

use super::*;

/// A mail server that says `offers` to EHLO, once.
async fn mail_server(offers: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        writer.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        let mut lines = BufReader::new(reader).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "EHLO localhost");
        writer.write_all(offers.as_bytes()).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "QUIT");
    });
    port
}

async fn smarthost_with(offers: &'static str, tls: &str) -> (Verdict, String) {
    let port = mail_server(offers).await;
    let text = format!("[notification.email]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"{tls}\"\n");
    let finding = gateways::check(&Settings::from_text(&text).unwrap()).await.remove(0);
    (finding.verdict, finding.found)
}

#[tokio::test]
async fn a_smarthost_must_offer_starttls() {
    let (verdict, found) = smarthost_with("250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", "starttls").await;
    assert_eq!(verdict, Verdict::Ok, "{found}");
    let (verdict, found) = smarthost_with("250-mail.example\r\n250 PIPELINING\r\n", "starttls").await;
    assert_eq!(verdict, Verdict::Fail);
    assert!(found.ends_with("it offers no STARTTLS, and nothing is sent in clear text"), "{found}");
    let (verdict, found) = smarthost_with("250 mail.example\r\n", "none").await;
    assert_eq!(verdict, Verdict::Ok, "{found}");
}

#[tokio::test]
async fn an_sms_gateway_that_is_away_is_named() {
    // Bound and dropped, so that nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let text = format!(
        "[[notification.sms.gateways]]\nname = \"kannel\"\nkind = \"kannel\"\nurl = \"http://127.0.0.1:{port}/\"\n"
    );
    let findings = gateways::check(&Settings::from_text(&text).unwrap()).await;
    assert_eq!(findings[0].verdict, Verdict::Warn, "no smarthost is set");
    assert_eq!(findings[1].verdict, Verdict::Fail);
    assert!(
        findings[1].found.starts_with(&format!("the SMS gateway kannel at 127.0.0.1:{port}: ")),
        "{}",
        findings[1].found
    );
}

#[tokio::test]
async fn a_nats_server_is_known_by_its_greeting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"INFO {\"version\":\"2.12.1\",\"jetstream\":true}\r\n").await.unwrap();
    });
    let settings =
        Settings::from_text(&format!("[bus]\nkind = \"nats\"\nurl = \"nats://u:secret@127.0.0.1:{port}\"\n")).unwrap();
    let finding = bus::check(&settings).await;
    assert_eq!(finding.found, format!("NATS 2.12.1 at 127.0.0.1:{port}, with JetStream"));
    let finding = bus::check(&settings).await;
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(!finding.found.contains("secret"));
}

#[tokio::test]
async fn a_folder_that_does_not_exist_yet_is_fine_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("later");
    let settings = Settings::from_text(&format!("data_folder = \"{}\"\n", data.display())).unwrap();
    let findings = storage::check(&settings).await;
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Fail), "{findings:?}");
    assert!(!data.exists());
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_or_is_a_file_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let of = |path: &std::path::Path| Settings::from_text(&format!("data_folder = \"{}\"\n", path.display())).unwrap();
    assert_eq!(storage::check(&of(folder.path())).await[0].verdict, Verdict::Warn);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(storage::check(&of(&file)).await[0].verdict, Verdict::Fail);
}

#[tokio::test]
async fn doors_are_free_or_taken_by_a_stranger() {
    let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = stranger.local_addr().unwrap().port();
    let mut ports = Vec::new();
    for _ in 0..7 {
        ports.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let free: Vec<u16> = ports.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    drop(ports);
    let names = Service::ALL.map(Service::as_str);
    let mut text = format!("[services.{}]\ngrpc = \"127.0.0.1:{}\"\nhttp = \"127.0.0.1:{taken}\"\n", names[0], free[0]);
    for (name, pair) in names[1..].iter().zip(free[1..].chunks(2)) {
        writeln!(text, "[services.{name}]\ngrpc = \"127.0.0.1:{}\"\nhttp = \"127.0.0.1:{}\"", pair[0], pair[1])
            .unwrap();
    }
    let settings = Settings::from_text(&text).unwrap();
    let findings = services::check(&settings, &Client::new(Common::default())).await;
    let verdicts: Vec<_> = findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::Fail, Verdict::Ok, Verdict::Ok, Verdict::Ok], "{findings:?}");
    assert!(findings[0].found.contains(&taken.to_string()));
}

#[test]
fn findings_align_and_say_what_to_do() {
    let findings = [
        Finding::ok("clocks", "fine"),
        Finding::warn("data folder", "open \u{1b}[2J", "close it"),
        Finding::fail("bus", "away", "start it"),
    ];
    insta::assert_snapshot!(text(&findings), @r"
    ok    clocks       fine
    warn  data folder  open \u{1b}[2J
                       -> close it
    FAIL  bus          away
                       -> start it
    ");
}

#[test]
fn the_doctor_misses_a_dead_man_address() {
    let check = |text: &str| auditor::check(&Settings::from_text(text).unwrap()).unwrap().verdict;
    assert_eq!(check(""), Verdict::Warn);
    let set = "[notification.auditor]\nping_url = \"https://ping.example/secret-word\"\n";
    assert_eq!(check(set), Verdict::Ok);
    let finding = auditor::check(&Settings::from_text(set).unwrap()).unwrap();
    assert!(!finding.found.contains("secret-word"));
}
