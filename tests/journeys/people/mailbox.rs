//! A mailbox that refuses for good: the notice ends failed, is handed to the case's coordinator by name, and the
//! coordinator is told.

use std::net::{Ipv4Addr, SocketAddr};

use tocsin_tests::Outcome;
use tocsin_tests::network::{list, open, text};
use tocsin_tests::process::wait_until;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::STEP_LIMIT;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{House, members_scenario};

/// A mail server that answers 550 to one recipient and keeps who got the rest.
async fn refusing(refused: &'static str) -> Outcome<(SocketAddr, mpsc::UnboundedReceiver<String>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (kept, arrived) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                // A client that goes away is no error of ours.
                let _ = talk(stream, refused, kept).await;
            });
        }
    });
    Ok((address, arrived))
}

async fn talk(stream: TcpStream, refused: &str, kept: mpsc::UnboundedSender<String>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 refusing.example ESMTP\r\n").await?;
    let (mut recipient, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.to_ascii_uppercase();
        let answer: &[u8] = if verb.starts_with("EHLO") {
            b"250-refusing.example\r\n250 8BITMIME\r\n"
        } else if verb.starts_with("RCPT") && line.contains(refused) {
            b"550 5.1.1 no such mailbox\r\n"
        } else if verb.starts_with("RCPT") {
            recipient.clone_from(&line);
            b"250 2.1.5 fine\r\n"
        } else if verb.starts_with("DATA") {
            stream.write_all(b"354 go on\r\n").await?;
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") && stream.read_line(&mut text).await? > 0 {}
            let _ = kept.send(format!("{recipient}{text}"));
            b"250 2.0.0 kept\r\n"
        } else {
            b"250 2.0.0 fine\r\n"
        };
        stream.write_all(answer).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finally_fails_is_handed_to_the_coordinator_by_name() -> Outcome<()> {
    let mut network = open(2, 2);
    for organisation in network.0["organisations"].as_array_mut().into_iter().flatten() {
        for contact in organisation["contacts"].as_array_mut().into_iter().flatten() {
            contact["channels"] = serde_json::json!(["email"]);
        }
    }
    let (address, mut arrived) = refusing("c2@org-002.example").await?;
    let receivers = Receivers::start(network.webhook_hosts()).await?.with_mail_at(address);
    let house = House::found(network, receivers).await?;
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    let failed = |coverage: &serde_json::Value| {
        list(coverage, "notices")
            .iter()
            .find(|notice| notice["contact_id"] == "org-002-c2")
            .cloned()
            .unwrap_or_default()
    };
    let coverage = house
        .coverage(&code, "the refused notice is handed over", |coverage| {
            !text(&failed(coverage), "handed_to").is_empty()
        })
        .await?;
    let notice = failed(&coverage);
    ensure_equal(text(&notice, "state"), "rejected_permanent".to_owned(), "the state of the refused notice")?;
    ensure_equal(text(&notice, "handed_to"), "The coordinator of the house".to_owned(), "who takes over")?;
    let others = list(&coverage, "notices")
        .iter()
        .filter(|notice| matches!(text(notice, "state").as_str(), "accepted" | "delivered"));
    ensure_equal(others.count(), 3, "notices to the others")?;
    let mut told = false;
    wait_until("the coordinator is told", STEP_LIMIT, async || {
        while let Ok(mail) = arrived.try_recv() {
            told |= mail.contains("staff-coordinator@staff.example") && mail.contains(&code);
        }
        Ok(told.then_some(()))
    })
    .await?;
    let shown = house.good("coordinator", &["alert", "coverage", &code, "--notices"])?;
    ensure(shown.out.contains("The coordinator of the house"), || {
        format!("the page does not name who acts: {}", shown.out)
    })
}
