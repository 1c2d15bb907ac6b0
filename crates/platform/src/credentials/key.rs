//! The form of a key: `tcs_` and 43 characters of base 62, which is 256 random bits.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::Secret;
use crate::failure::Failure;

const PREFIX: &str = "tcs_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62 to the power of 43 is the first that exceeds 2 to the power of 256.
const LENGTH: usize = 43;
/// The largest multiple of 62 in a byte: bytes from here on are thrown away, so that all digits are equally likely.
const FAIR_BELOW: u8 = 248;

/// A fresh key and the hash under which it is stored.
pub(super) fn generate() -> Result<(Secret, [u8; 32]), Failure> {
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + LENGTH));
    text.push_str(PREFIX);
    while text.len() < PREFIX.len() + LENGTH {
        let mut bytes = Zeroizing::new([0_u8; 64]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| Failure::internal("NO_RANDOMNESS"))?;
        let missing = PREFIX.len() + LENGTH - text.len();
        for byte in bytes.iter().filter(|byte| **byte < FAIR_BELOW).take(missing) {
            text.push(char::from(DIGITS.get(usize::from(byte % 62)).copied().unwrap_or(b'0')));
        }
    }
    let hash = digest(&text);
    Ok((Secret::new(text.as_str()), hash))
}

/// The hash of what a caller sent; nothing when it cannot be a key.
pub(super) fn hash(secret: &str) -> Option<[u8; 32]> {
    let digits = secret.strip_prefix(PREFIX)?;
    (digits.len() == LENGTH && digits.bytes().all(|digit| digit.is_ascii_alphanumeric())).then(|| digest(secret))
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_form() {
        let (secret, stored) = generate().unwrap();
        assert_eq!(hash(secret.expose()), Some(stored));
        let (other, _) = generate().unwrap();
        assert_ne!(secret.expose(), other.expose());
        let with_umlaut = format!("tcs_{}ü", "a".repeat(41));
        for wrong in
            ["", "tcs_", "tcs_short", "xxx_", &secret.expose()[4..], &format!("{}x", secret.expose()), &with_umlaut]
        {
            assert_eq!(hash(wrong), None, "{wrong}");
        }
    }
}
