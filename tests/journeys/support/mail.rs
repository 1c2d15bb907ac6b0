//! An e-mail as its reader sees it: transfer encodings undone, nothing else interpreted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The whole message as it came, then each part decoded.
pub fn readable(message: &[u8]) -> String {
    let raw = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let mut text = raw.clone();
    for part in raw.split("\n--") {
        let Some((head, body)) = part.split_once("\n\n") else { continue };
        let head = head.to_ascii_lowercase();
        let decoded = if head.contains("content-transfer-encoding: base64") {
            let compact: String = body.split_whitespace().collect();
            STANDARD.decode(compact).unwrap_or_default()
        } else if head.contains("content-transfer-encoding: quoted-printable") {
            unquoted(body)
        } else {
            continue;
        };
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&decoded));
    }
    text
}

/// The value of a header, folded lines joined.
pub fn header(message: &[u8], name: &str) -> Option<String> {
    let raw = String::from_utf8_lossy(message).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let head = raw.split("\n\n").next().unwrap_or_default().to_owned();
    let prefix = format!("{}:", name.to_ascii_lowercase());
    head.lines()
        .find(|line| line.to_ascii_lowercase().starts_with(&prefix))
        .map(|line| line[prefix.len()..].trim().to_owned())
}

fn unquoted(body: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = body.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (b'=', [b'\n', after @ ..]) => rest = after,
            (b'=', [high, low, after @ ..]) => {
                if let Ok(code) = hex::decode([*high, *low]) {
                    decoded.extend(code);
                }
                rest = after;
            }
            _ => {
                decoded.push(byte);
                rest = tail;
            }
        }
    }
    decoded
}
