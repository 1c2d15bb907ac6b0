//! What an attempt's end says about its destination.

use crate::channel::Outcome;

/// What an attempt's end says about its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Word {
    /// It answers.
    Well,
    /// It does not: a timeout, a broken connection, a 5xx or 429.
    Failed,
    /// Nothing: it was not asked, or the fault is ours.
    Nothing,
}

/// What an outcome says about the destination. A refusal is an answer: whoever refuses one recipient serves others.
pub(in crate::engine) fn word(outcome: &Outcome) -> Word {
    match outcome {
        Outcome::Taken { .. } | Outcome::Gone { .. } => Word::Well,
        Outcome::Refused { code, .. } if is_reply(code) => Word::Well,
        Outcome::Temporary { code, .. } => word_of_code(code),
        Outcome::Refused { .. } | Outcome::Withheld { .. } | Outcome::Postponed { .. } => Word::Nothing,
    }
}

/// Whether a code is what the other side said, and not our own word: a mail server's reply or an HTTP status.
fn is_reply(code: &str) -> bool {
    code.starts_with(|first: char| first.is_ascii_digit()) || code.starts_with("http_")
}

fn word_of_code(code: &str) -> Word {
    if let Some(status) = code.strip_prefix("http_") {
        return if status.starts_with('5') || status == "429" { Word::Failed } else { Word::Well };
    }
    match code {
        // A mail server's 4xx is about one recipient, but for 421, by which it closes.
        reply if reply.starts_with('4') && reply != "421" => Word::Well,
        // Any other reply that ended no notice says that it will not deal with us.
        reply if is_reply(reply) => Word::Failed,
        "timeout" | "connect_timeout" | "connect_failed" | "connection_broken" | "connection_closed" | "tls_failed"
        | "name_unknown" | "answer_malformed" | "command_timeout" | "data_timeout" | "greeting_failed"
        | "unexpected_reply" | "starttls_missing" | "reply_out_of_turn" => Word::Failed,
        _ => Word::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_about_the_destination_count() {
        let temporary = |code: &str| word(&Outcome::temporary(code));
        for code in ["timeout", "connect_failed", "http_500", "http_503", "http_429", "421", "535", "data_timeout"] {
            assert_eq!(temporary(code), Word::Failed, "{code}");
        }
        for code in ["450", "452", "http_425", "http_408"] {
            assert_eq!(temporary(code), Word::Well, "{code}");
        }
        for code in ["broke", "lease_over", "no_gateway", "no_smarthost", "no_randomness", "address_refused"] {
            assert_eq!(temporary(code), Word::Nothing, "{code}");
        }
        let refused = |code: &str| word(&Outcome::Refused { code: code.to_owned(), tries: 1 });
        assert_eq!((refused("550"), refused("http_404")), (Word::Well, Word::Well), "one recipient is refused");
        assert_eq!((refused("no_address"), refused("webhook_disabled")), (Word::Nothing, Word::Nothing));
        assert_eq!(word(&Outcome::Gone { code: "http_410".to_owned() }), Word::Well);
        assert_eq!(word(&Outcome::Postponed { code: "host_paused", seconds: 1 }), Word::Nothing);
    }
}
