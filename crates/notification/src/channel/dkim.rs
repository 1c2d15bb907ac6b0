//! DKIM (RFC 6376; RFC 8463 for ed25519): signatures over the bytes that leave, one for each key.
//!
//! The mail library signs with one key only and by the machine's clock; the ciphers are those of our TLS.

use std::fmt::Write as _;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::config::DkimKeyConfig;

/// The shortest RSA key, in bytes (RFC 8301 asks for 1,024 bits and advises 2,048).
const RSA_BYTES_MIN: usize = 256;
/// Characters of a signature in one line.
const LINE: usize = 72;
/// What is signed. A header that is named once more than it stands in the message cannot be added on the way.
const SIGNED: &str = "from:to:subject:date:message-id:mime-version:content-type:auto-submitted:list-id:list-unsubscribe:\
                      list-unsubscribe-post:importance:from:to:subject:date:message-id:list-unsubscribe:\
                      list-unsubscribe-post";

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DkimError {
    /// The file.
    #[error("notification.email.dkim: the file {0} holds no PEM private key")]
    File(String),
    /// What is in it.
    #[error("notification.email.dkim: the key in {0} is neither ed25519 nor RSA of at least 2048 bits")]
    Key(String),
}

enum Key {
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

struct Signer {
    selector: String,
    key: Key,
}

/// Everything that signs.
pub(crate) struct DkimSigners {
    domain: String,
    signers: Vec<Signer>,
}

impl DkimSigners {
    /// Reads the keys of a domain.
    pub(crate) fn load(keys: &[DkimKeyConfig], domain: &str) -> Result<Self, DkimError> {
        let signers = keys
            .iter()
            .map(|config| Ok(Signer { selector: config.selector.clone(), key: read_key(&config.key_file)? }))
            .collect::<Result<_, _>>()?;
        Ok(Self { domain: domain.to_owned(), signers })
    }

    /// Where the public half of each key must stand in the DNS, and what must stand there.
    pub(crate) fn records(&self) -> Vec<(String, String)> {
        let record = |signer: &Signer| {
            let name = format!("{}._domainkey.{}", signer.selector, self.domain);
            let (kind, key) = signer.key.public()?;
            Some((name, format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(key))))
        };
        self.signers.iter().filter_map(record).collect()
    }

    /// The message with a signature of each key before it. A key that fails adds none: an unsigned notice is better than
    /// silence.
    pub(crate) fn sign(&self, message: Vec<u8>, at: DateTime<Utc>) -> Vec<u8> {
        if self.signers.is_empty() {
            return message;
        }
        let (headers, body) = halves(&message);
        let body_hash = STANDARD.encode(digest(&SHA256, &relaxed_body(body)));
        let headers = signed_headers(headers);
        let mut signed = Vec::with_capacity(message.len() + 1024);
        for signer in &self.signers {
            let unsigned = self.header(signer, &body_hash, at);
            let text = [headers.as_slice(), relaxed_header(unsigned.as_bytes()).as_slice()].concat();
            if let Some(signature) = signer.key.sign(&text) {
                signed.extend_from_slice(complete(unsigned, &signature).as_bytes());
            } else {
                tracing::error!("a DKIM key does not sign; the message leaves without its signature");
            }
        }
        signed.extend_from_slice(&message);
        signed
    }

    fn header(&self, signer: &Signer, body_hash: &str, at: DateTime<Utc>) -> String {
        let algorithm = match signer.key {
            Key::Ed25519(_) => "ed25519-sha256",
            Key::Rsa(_) => "rsa-sha256",
        };
        let (domain, selector) = (&self.domain, &signer.selector);
        let names = SIGNED.replace(":list-id", ":\r\n\tlist-id").replace(":from:", ":\r\n\tfrom:");
        format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t={};\r\n\
             \th={names};\r\n\tbh={body_hash};\r\n\tb=",
            at.timestamp()
        )
    }
}

impl Key {
    /// Its kind and its public half, as RFC 6376 and RFC 8463 publish them.
    fn public(&self) -> Option<(&'static str, Vec<u8>)> {
        match self {
            Self::Ed25519(pair) => Some(("ed25519", pair.public_key().as_ref().to_vec())),
            Self::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                Some(("rsa", der.as_ref().to_vec()))
            }
        }
    }

    fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            // RFC 8463: the hash is signed, as if it were the message.
            Self::Ed25519(pair) => Some(pair.sign(digest(&SHA256, text).as_ref()).as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

fn read_key(path: &Path) -> Result<Key, DkimError> {
    let name = path.display().to_string();
    let der = PrivateKeyDer::from_pem_file(path).map_err(|_| DkimError::File(name.clone()))?;
    let rsa = match &der {
        PrivateKeyDer::Pkcs8(der) => {
            if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()) {
                return Ok(Key::Ed25519(pair));
            }
            RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()
        }
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    };
    let rsa = rsa.filter(|pair| pair.public_modulus_len() >= RSA_BYTES_MIN);
    rsa.map(|pair| Key::Rsa(Box::new(pair))).ok_or(DkimError::Key(name))
}

/// Puts the signature, in lines, where `b=` waits for it.
fn complete(mut header: String, signature: &[u8]) -> String {
    let text = STANDARD.encode(signature);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, later) = rest.split_at(rest.len().min(LINE));
        // A string takes whatever is written to it.
        let _ = write!(header, "{line}");
        if !later.is_empty() {
            header.push_str("\r\n\t");
        }
        rest = later;
    }
    header.push_str("\r\n");
    header
}

/// The headers, each line with its end, and the body.
fn halves(message: &[u8]) -> (&[u8], &[u8]) {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n");
    end.and_then(|end| Some((message.get(..end + 2)?, message.get(end + 4..)?))).unwrap_or((message, &[]))
}

/// The signed headers in the order of their names, each by the relaxed form, the last of a name first.
fn signed_headers(headers: &[u8]) -> Vec<u8> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for line in headers.split_inclusive(|byte| *byte == b'\n') {
        match fields.last_mut() {
            Some(field) if matches!(line.first(), Some(b' ' | b'\t')) => field.extend_from_slice(line),
            _ => fields.push(line.to_vec()),
        }
    }
    let mut signed = Vec::new();
    for name in SIGNED.split(':') {
        let named = |field: &Vec<u8>| {
            field.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
                && field.get(name.len()) == Some(&b':')
        };
        if let Some(index) = fields.iter().rposition(named) {
            signed.extend_from_slice(&relaxed_header(&fields.remove(index)));
            signed.extend_from_slice(b"\r\n");
        }
    }
    signed
}

/// A header by the relaxed form, without the end of its line.
fn relaxed_header(field: &[u8]) -> Vec<u8> {
    let colon = field.iter().position(|byte| *byte == b':').unwrap_or(field.len());
    let (name, value) = field.split_at(colon);
    let mut relaxed: Vec<u8> = name.trim_ascii_end().to_ascii_lowercase();
    relaxed.push(b':');
    let value = value.get(1..).unwrap_or_default();
    let mut words = value.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        relaxed.extend_from_slice(first);
    }
    for word in words {
        relaxed.push(b' ');
        relaxed.extend_from_slice(word);
    }
    relaxed
}

/// A body by the relaxed form: runs of blanks are one, those at the end of lines none, and no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(body.len());
    let mut empty_lines = 0;
    for line in body.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let Some(last) = line.iter().rposition(|byte| !blank(byte)) else {
            empty_lines += 1;
            continue;
        };
        for _ in 0..std::mem::take(&mut empty_lines) {
            relaxed.extend_from_slice(b"\r\n");
        }
        let mut was_blank = false;
        for byte in line.iter().take(last + 1) {
            let is_blank = blank(byte);
            match (is_blank, was_blank) {
                (true, true) => {}
                (true, false) => relaxed.push(b' '),
                (false, _) => relaxed.push(*byte),
            }
            was_blank = is_blank;
        }
        relaxed.extend_from_slice(b"\r\n");
    }
    relaxed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relaxed_forms_are_those_of_the_specification() {
        // RFC 6376, section 3.4.5.
        assert_eq!(relaxed_header(b"A: X\r\n"), b"a:X");
        assert_eq!(relaxed_header(b"B : Y\t\r\n\tZ  \r\n".as_slice()), b"b:Y Z");
        assert_eq!(relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n"), b" C\r\nD E\r\n");
        assert_eq!(relaxed_body(b""), b"");
        assert_eq!(relaxed_body(b"\r\n\r\n"), b"");
        assert_eq!(relaxed_body(b"a\r\n\r\nb"), b"a\r\n\r\nb\r\n");
    }

    #[test]
    fn a_value_keeps_its_colons() {
        assert_eq!(relaxed_header(b"Subject: a :b: c\r\n"), b"subject:a :b: c");
    }

    #[test]
    fn a_header_is_signed_once_and_its_absence_too() {
        let headers = b"From: a\r\nX-Other: b\r\nSubject: c\r\n d\r\n";
        assert_eq!(signed_headers(headers), b"from:a\r\nsubject:c d\r\n");
    }
}
