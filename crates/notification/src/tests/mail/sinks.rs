//! Postfix's test server refuses, postpones or hangs up at each command: no message is ever thought to be taken.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use tocsin_domain::notice::NoticeState;
use tocsin_platform::config::Settings;

use super::tools::smtp_sink;
use crate::channel::{Outcome, Smarthosts, judge_mail};
use crate::config::NotificationConfig;
use crate::gateways::Pauses;

/// The smarthosts of these settings, impatient.
pub(super) fn smarthosts(settings: &str) -> Smarthosts {
    let text = format!("[notification.email]\ncommand_seconds = 3\ndata_seconds = 3\n{settings}\n");
    Smarthosts::new(&NotificationConfig::read(&Settings::from_text(&text).unwrap()).unwrap().email).unwrap()
}

pub(super) fn at(address: SocketAddr) -> Smarthosts {
    smarthosts(&format!("host = '127.0.0.1'\nport = {}\ntls = 'none'", address.port()))
}

/// How one attempt for one recipient ends.
pub(super) async fn attempt(smarthosts: &Smarthosts, to: &str, message: &[u8]) -> String {
    let from = "alerts+token@tocsin.example".parse().unwrap();
    let envelope = Envelope::new(Some(from), vec![to.parse().unwrap()]).unwrap();
    let outcome = match smarthosts
        .send(&envelope, message, Instant::now() + Duration::from_secs(30), &Pauses::default())
        .await
        .outcome
    {
        Ok(code) => Outcome::taken(NoticeState::Accepted, code.to_string()),
        Err(failure) => judge_mail(&failure),
    };
    match outcome {
        Outcome::Taken { code, .. } => format!("accepted {code}"),
        Outcome::Temporary { code, .. } => format!("later {code}"),
        Outcome::Refused { code, .. } => format!("refused {code}"),
        other => format!("{other:?}"),
    }
}

const MESSAGE: &[u8] = b"Subject: x\r\n\r\nbody\r\n";

#[tokio::test]
async fn an_error_in_each_command_has_its_meaning() {
    for (option, command, expected) in [
        ("-f", "CONNECT", "later 500"),
        ("-f", "EHLO", "later 500"),
        ("-f", "MAIL", "later 500"),
        ("-f", "RCPT", "refused 500"),
        ("-f", "DATA", "refused 500"),
        ("-f", ".", "refused 500"),
        ("-r", "CONNECT", "later 450"),
        ("-r", "EHLO", "later 450"),
        ("-r", "MAIL", "later 450"),
        ("-r", "RCPT", "later 450"),
        ("-r", "DATA", "later 450"),
        ("-r", ".", "later 450"),
        ("-Q", "CONNECT", "later 421"),
        ("-Q", "EHLO", "later 421"),
        ("-Q", "MAIL", "later 421"),
        ("-Q", "RCPT", "later 421"),
        ("-Q", "DATA", "later 421"),
        ("-Q", ".", "later 421"),
        ("-q", "CONNECT", "later greeting_failed"),
        ("-q", "EHLO", "later greeting_failed"),
        ("-q", "MAIL", "later connection_broken"),
        ("-q", "RCPT", "later connection_broken"),
        ("-q", "DATA", "later connection_broken"),
        ("-q", ".", "later connection_broken"),
    ] {
        let (_running, address) = smtp_sink(&[option, command]).await;
        assert_eq!(attempt(&at(address), "duty@org-1.example", MESSAGE).await, expected, "{option} {command}");
    }
}

#[tokio::test]
async fn a_server_that_answers_is_believed_and_its_session_is_kept() {
    for options in [&[][..], &["-p"], &["-8"], &["-e"]] {
        let (_running, address) = smtp_sink(options).await;
        let smarthosts = at(address);
        for _ in 0..3 {
            let outcome = attempt(&smarthosts, "duty@org-1.example", MESSAGE).await;
            // Without ESMTP it is no server that we could ask for anything.
            let expected = if options == ["-e"] { "later 5" } else { "accepted 250" };
            assert!(outcome.starts_with(expected), "{options:?}: {outcome}");
        }
    }
}
