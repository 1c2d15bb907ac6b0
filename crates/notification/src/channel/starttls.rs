//! The part of a dialogue that is in clear text: greeting, EHLO, STARTTLS, and not one byte more.
//!
//! It is our own because whoever sits on the line can send replies ahead of the encryption, to be taken for replies to
//! commands inside it (a refused message would count as taken). Here whatever is left over when encryption begins ends
//! the session.

use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::session::SessionFailure;

/// The longest reply.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// Brings the server to the point where TLS begins. The caller bounds the time.
pub(super) async fn negotiate<S>(stream: &mut S, hello: &ClientId) -> Result<(), SessionFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    expect(&reply(stream).await?, 220)?;
    let offers = ask(stream, &format!("EHLO {hello}\r\n")).await?;
    expect(&offers, 250)?;
    let offered = |line: &str| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"));
    // A server that does not offer it may be a stranger in the middle: there is no falling back.
    if !offers.lines().any(offered) {
        return Err(SessionFailure::word("starttls_missing"));
    }
    expect(&ask(stream, "STARTTLS\r\n").await?, 220)
}

async fn ask<S>(stream: &mut S, command: &str) -> Result<String, SessionFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |_| SessionFailure::word("greeting_failed");
    stream.write_all(command.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    reply(stream).await
}

/// One whole reply; anything behind it is out of turn.
async fn reply<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, SessionFailure> {
    let mut buffer = Vec::new();
    loop {
        if let Some(length) = reply_length(&buffer) {
            if length < buffer.len() {
                return Err(SessionFailure::word("reply_out_of_turn"));
            }
            return String::from_utf8(buffer).map_err(|_| SessionFailure::word("greeting_failed"));
        }
        if buffer.len() >= REPLY_BYTES_MAX {
            return Err(SessionFailure::word("greeting_failed"));
        }
        let read = stream.read_buf(&mut buffer).await.map_err(|_| SessionFailure::word("greeting_failed"))?;
        if read == 0 {
            return Err(SessionFailure::word("greeting_failed"));
        }
    }
}

/// How long the first reply in the buffer is, if it is whole: its last line has no hyphen behind the code.
fn reply_length(buffer: &[u8]) -> Option<usize> {
    let mut length = 0;
    for line in buffer.split_inclusive(|byte| *byte == b'\n') {
        length += line.len();
        if line.last() != Some(&b'\n') {
            return None;
        }
        if line.get(3) != Some(&b'-') {
            return Some(length);
        }
    }
    None
}

fn expect(reply: &str, code: u16) -> Result<(), SessionFailure> {
    let found = reply.get(..3).and_then(|digits| digits.parse::<u16>().ok());
    match found {
        Some(found) if found == code => Ok(()),
        Some(found) => Err(SessionFailure::reply(found)),
        None => Err(SessionFailure::word("greeting_failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_with_its_last_line() {
        for (buffer, expected) in [
            ("", None),
            ("220 he", None),
            ("220 hello\r\n", Some(11)),
            ("250-a\r\n", None),
            ("250-a\r\n250 b\r\n", Some(14)),
            ("220 go\r\n250 injected\r\n", Some(8)),
            ("\r\n", Some(2)),
        ] {
            assert_eq!(reply_length(buffer.as_bytes()), expected, "{buffer:?}");
        }
    }
}
