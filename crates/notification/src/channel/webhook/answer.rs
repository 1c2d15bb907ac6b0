//! Reading an answer, within limits, and what may be kept of it.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper::{Response, StatusCode};

use super::connection::ExchangeError;

/// The most bytes of an answer's body that are read; the rest is left on the line and the connection with it.
const READ_BYTES_MAX: usize = 16 * 1024;
/// The most bytes of it that are kept.
const KEPT_BYTES_MAX: usize = 2 * 1024;
/// The longest word that is kept; longer ones are tokens, keys or hashes.
const WORD_CHARS_MAX: usize = 24;
/// The most digits of a word that is kept; more are a telephone number.
const DIGITS_MAX: usize = 5;
/// Words up to this long say nothing by themselves, so they are not looked for in what was sent.
const SMALL_WORD_CHARS: usize = 3;

/// An answer as it was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
    /// Whether the body was read to its end, so that the connection can be used again.
    pub(super) whole: bool,
}

/// Reads head and body.
pub(super) async fn read(
    response: impl Future<Output = Result<Response<Incoming>, hyper::Error>>,
) -> Result<Answer, ExchangeError> {
    let response = response.await.map_err(|error| ExchangeError::of_head(&error))?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answer = Answer { status, retry_after, body: Vec::new(), whole: false };
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        // A success whose body never ends well is not known to be one.
        let frame = frame.map_err(|_| ExchangeError::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        let room = READ_BYTES_MAX - answer.body.len();
        answer.body.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            return Ok(answer);
        }
    }
    answer.whole = true;
    Ok(answer)
}

/// What may be kept of an answer: plain words that tell what went wrong. Whatever could be a part of what was sent, an
/// address, a number or a secret is left out, and so is every word that is not ASCII.
pub(super) fn excerpt(answer: &[u8], sent: &[u8]) -> Option<String> {
    let sent = String::from_utf8_lossy(sent).to_lowercase();
    let beginning = String::from_utf8_lossy(answer.get(..KEPT_BYTES_MAX).unwrap_or(answer));
    let mut kept = String::new();
    let mut left_out = false;
    for word in beginning.split(|character: char| character.is_whitespace() || character.is_control()) {
        if word.is_empty() {
            continue;
        }
        if is_harmless(word, &sent) {
            push(&mut kept, word);
            left_out = false;
        } else if !std::mem::replace(&mut left_out, true) {
            push(&mut kept, "[...]");
        }
    }
    kept.truncate(KEPT_BYTES_MAX);
    (!kept.is_empty()).then_some(kept)
}

fn push(kept: &mut String, word: &str) {
    if !kept.is_empty() {
        kept.push(' ');
    }
    kept.push_str(word);
}

/// `sent` is in lower case.
fn is_harmless(word: &str, sent: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_'.,:;!?(){}[]\"<>/=".contains(&byte);
    let short = word.len() <= WORD_CHARS_MAX && word.bytes().all(plain) && !word.contains("//");
    if !short || word.bytes().filter(u8::is_ascii_digit).count() > DIGITS_MAX {
        return false;
    }
    let parts = word.split(|character: char| !character.is_ascii_alphanumeric());
    parts.filter(|part| part.len() > SMALL_WORD_CHARS).all(|part| !sent.contains(&part.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"{"type":"alert.released","data":{"text":"La lideresa Estela fue detenida en Villa Norte"}}"#;

    #[test]
    fn only_harmless_words_are_kept() {
        check("<html><h1>Bad Gateway</h1></html>", Some("<html><h1>Bad Gateway</h1></html>"));
        check("{\"error\":\"unknown field\"}", Some("{\"error\":\"unknown field\"}"));
        check("unknown name Estela!", Some("unknown name [...]"));
        check("ESTELA detenida en VILLA,NORTE", Some("[...] en [...]"));
        check("token 0123456789abcdef0123456789abcdef expired", Some("token [...] expired"));
        check("mail ana@org-1.example or call +447700900123", Some("mail [...] or call [...]"));
        check("see https://inside.example/a?b=c", Some("see [...]"));
        check("número no válido", Some("[...] no [...]"));
        check("\u{0}\u{1b}[31mred\r\n\r\n", Some("[31mred"));
        check("", None);
        check(" \n ", None);
    }

    #[test]
    fn an_echo_keeps_nothing_and_a_long_answer_little() {
        let kept = excerpt(SENT.as_bytes(), SENT.as_bytes()).unwrap();
        assert!(!["lideresa", "Estela", "detenida", "Villa", "Norte"].iter().any(|word| kept.contains(word)), "{kept}");
        assert!(excerpt("no ".repeat(10_000).as_bytes(), b"").unwrap().len() <= KEPT_BYTES_MAX);
        assert_eq!(excerpt(&[0xff; 5_000], b"").as_deref(), Some("[...]"));
    }

    fn check(answer: &str, expected: Option<&str>) {
        assert_eq!(excerpt(answer.as_bytes(), SENT.as_bytes()).as_deref(), expected, "{answer:?}");
    }
}
