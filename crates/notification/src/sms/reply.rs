//! What somebody wrote back. Only a whole message is a command: "please stop the eviction" is none. Pure.

use tocsin_domain::reference::ShortCode;

/// Words that end messages to a number.
const STOP: &[&str] =
    &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ARRET", "ARRÊT", "قف"];
/// Words that let them begin again.
const START: &[&str] = &["START", "UNSTOP"];
/// Words that ask what this is.
const HELP: &[&str] = &["HELP", "INFO", "AYUDA", "AIDE", "مساعدة"];
/// The word before a short code.
const ACKNOWLEDGE: &str = "ACK";

/// A message to us, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    /// What is this?
    Help,
    /// The alert of this code was received and read.
    Acknowledge(ShortCode),
    /// A person must read it.
    Unknown,
}

/// Understands a text.
pub(crate) fn understand(text: &str) -> Reply {
    let bare = text.trim_matches(|character: char| {
        character.is_whitespace() || matches!(character, '.' | '!' | '"' | '\'' | '\u{200e}' | '\u{200f}' | '\u{feff}')
    });
    let word = bare.to_uppercase();
    let is = |list: &[&str]| list.contains(&word.as_str());
    if is(STOP) {
        return Reply::Stop;
    }
    if is(START) {
        return Reply::Start;
    }
    if is(HELP) {
        return Reply::Help;
    }
    let code = word.strip_prefix(ACKNOWLEDGE).and_then(|rest| {
        let code = rest.trim_start_matches(|character: char| character.is_whitespace() || character == ':');
        (code.len() < rest.len()).then(|| code.parse().ok()).flatten()
    });
    code.map_or(Reply::Unknown, Reply::Acknowledge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_whole_messages() {
        for stop in ["STOP", "stop", " Stop. ", "StopAll", "UNSUBSCRIBE", "cancel", "end", "QUIT", "revoke", "optout!"]
        {
            assert_eq!(understand(stop), Reply::Stop, "{stop}");
        }
        assert_eq!(understand("Arrêt"), Reply::Stop);
        assert_eq!(understand("ARRET"), Reply::Stop);
        assert_eq!(understand("help"), Reply::Help);
        assert_eq!(understand("START"), Reply::Start);
        for text in ["please stop", "stop it", "STOP STOP", "", "   ", "help me", "no", "the end is near", "ST OP"] {
            assert_eq!(understand(text), Reply::Unknown, "{text}");
        }
    }

    #[test]
    fn a_code_is_taken_as_people_type_it() {
        let code = ShortCode::generate([10, 7, 15, 3, 19, 2]);
        let shown = code.to_string();
        let bare = shown.replace('-', "");
        for text in [
            format!("ACK {shown}"),
            format!("ack {}", shown.to_lowercase()),
            format!(" Ack: {bare}. "),
            format!("ACK  {bare}\n"),
            format!("\u{200f}ACK {shown}"),
        ] {
            assert_eq!(understand(&text), Reply::Acknowledge(code), "{text:?}");
        }
        for text in [
            shown.clone(),
            format!("ACK{shown}"),
            format!("ACK {shown} thanks"),
            "ACK".to_owned(),
            "ACK AAAA-AAA".to_owned(),
            format!("BACK {shown}"),
        ] {
            assert_eq!(understand(&text), Reply::Unknown, "{text:?}");
        }
    }
}
