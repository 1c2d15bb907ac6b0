//! Delivery reports (RFC 3464): what a bounce says. Pure.

use mail_parser::{MessageParser, MimeHeaders as _, PartType};

use crate::channel::EnhancedStatus;

/// The most lines of a report that are read.
const LINES_MAX: usize = 1_000;

/// What a message says about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// It failed for good, with this status; a mail server that gave up says 4.x.x here.
    Failed(EnhancedStatus),
    /// It arrived, or it is late; nothing has ended.
    Other,
    /// It is no report: an automatic answer, or somebody's letter.
    None,
}

/// Reads a message. One report may speak of several recipients; ours went to one, so the hardest failure counts.
pub(crate) fn read(message: &[u8]) -> Report {
    let Some(parsed) = MessageParser::default().parse(message) else { return Report::None };
    let is_status = |part: &&mail_parser::MessagePart<'_>| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind.subtype().is_some_and(|subtype| {
                    subtype.eq_ignore_ascii_case("delivery-status")
                        || subtype.eq_ignore_ascii_case("global-delivery-status")
                })
        })
    };
    let mut report = Report::None;
    for part in parsed.parts.iter().filter(is_status) {
        let text = match &part.body {
            PartType::Text(text) | PartType::Html(text) => text.to_string(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            // Read as a message of its own, its fields stand where that message's headers do.
            PartType::Message(_) | PartType::Multipart(_) => {
                let raw = message.get(at(part.offset_body)..at(part.offset_end)).unwrap_or_default();
                String::from_utf8_lossy(raw).into_owned()
            }
        };
        report = harder(report, fields(&text));
    }
    report
}

fn at(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Groups of fields between empty lines: the first speaks of the message, each other of a recipient.
fn fields(text: &str) -> Report {
    let mut report = Report::Other;
    let (mut action, mut status) = (String::new(), None);
    for line in text.lines().take(LINES_MAX).chain([""]) {
        if line.trim().is_empty() {
            report = harder(report, recipient(&action, status));
            (action, status) = (String::new(), None);
        } else if let Some((name, value)) = line.split_once(':') {
            let value = value.split('(').next().unwrap_or_default().trim();
            if name.eq_ignore_ascii_case("action") {
                value.clone_into(&mut action);
            } else if name.eq_ignore_ascii_case("status") {
                status = value.split_whitespace().next().and_then(|status| status.parse().ok());
            }
        }
    }
    report
}

fn recipient(action: &str, status: Option<EnhancedStatus>) -> Report {
    match status {
        Some(status) if action.eq_ignore_ascii_case("failed") && status.bounce().is_some() => Report::Failed(status),
        _ => Report::Other,
    }
}

fn harder(one: Report, other: Report) -> Report {
    match (one, other) {
        (Report::Failed(one), Report::Failed(other)) => {
            Report::Failed(if other.bounce() > one.bounce() { other } else { one })
        }
        (Report::Failed(_), _) | (Report::Other, Report::None) => one,
        _ => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECIPIENT: &str = "Final-Recipient: rfc822; duty@org-1.example\n";

    #[test]
    fn reports_are_read() {
        check("Action: failed\nStatus: 5.1.1\n", "failed 5.1.1");
        check("Action: failed\nStatus: 4.4.7 (gave up)\nDiagnostic-Code: smtp; 451 4.3.0 later\n", "failed 4.4.7");
        check("Action: Failed (bad address)\nSTATUS: 5.2.2\n", "failed 5.2.2");
        check("Action: delayed\nStatus: 4.4.1\n", "other");
        check("Action: delivered\nStatus: 2.0.0\n", "other");
        check("Action: failed\nStatus: 2.0.0\n", "other");
        check("Action: failed\n", "other");
        check(
            "Action: failed\nStatus: 4.2.1\n\nFinal-Recipient: rfc822; b@c.example\nAction: failed\nStatus: 5.1.1\n",
            "failed 5.1.1",
        );
        check("Action: failed\n\nStatus: 5.1.1\n", "other");
    }

    #[test]
    fn other_mail_is_no_report() {
        for text in [
            "",
            "Subject: away\r\n\r\nStatus: 5.1.1\r\nAction: failed\r\n",
            "\u{0}\u{1}",
            "Content-Type: message/delivery-status",
        ] {
            let shown = shown(read(text.as_bytes()));
            assert!(shown == "none" || shown == "other", "{text:?}: {shown}");
        }
    }

    fn check(fields: &str, expected: &str) {
        let fields = format!("Reporting-MTA: dns; mail.example\n\n{RECIPIENT}{fields}").replace('\n', "\r\n");
        let message = format!(
            "From: MAILER-DAEMON@mail.example\r\nTo: alerts+token@tocsin.example\r\nSubject: Undelivered\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nStatus: 9.9.9\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
             {fields}\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nStatus: 5.9.9\r\n--b--\r\n"
        );
        assert_eq!(shown(read(message.as_bytes())), expected, "{fields}");
    }

    fn shown(report: Report) -> String {
        match report {
            Report::Failed(status) => format!("failed {status}"),
            Report::Other => "other".to_owned(),
            Report::None => "none".to_owned(),
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let whole = [b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n".as_slice(), &bytes].concat();
            let _ = read(&bytes);
            let _ = read(&whole);
        }
    }
}
