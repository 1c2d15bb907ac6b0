//! Tokens that name a notice to us and prove that we wrote them: in the return path, and in the link that unsubscribes.

use uuid::Uuid;

use crate::secrets::LocalSecrets;

/// What a token is for; one of one purpose is none of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The address to which a notice's bounces go. A local part holds 64 characters, so its proof is short; it is tried
    /// one connection at a time, and wins nothing but a bounce of that one notice.
    Bounce,
    /// The link that ends e-mail to a contact.
    Unsubscribe,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Bounce => b"bounce\0",
            Self::Unsubscribe => b"unsubscribe\0",
        }
    }

    /// Bytes of the proof.
    const fn proof(self) -> usize {
        match self {
            Self::Bounce => 8,
            Self::Unsubscribe => 16,
        }
    }
}

/// Digits of a notice's id.
const ID_DIGITS: usize = 32;

/// The token of a notice, in hexadecimal digits.
pub(crate) fn token(secrets: &LocalSecrets, purpose: Purpose, notice_id: Uuid) -> String {
    let proof = secrets.proof(purpose.label(), notice_id.as_bytes());
    let shown = proof.get(..purpose.proof()).unwrap_or_default();
    format!("{}{}", notice_id.simple(), hex::encode(shown))
}

/// The notice that a token names, if it is ours and for this purpose. Mail servers may change capitals.
pub(crate) fn notice_of(secrets: &LocalSecrets, purpose: Purpose, shown: &str) -> Option<Uuid> {
    let (id, proof) = shown.split_at_checked(ID_DIGITS)?;
    let notice_id = Uuid::try_parse(id).ok()?;
    let proof = hex::decode(proof).ok().filter(|proof| proof.len() == purpose.proof())?;
    secrets.proof_holds(purpose.label(), notice_id.as_bytes(), &proof).then_some(notice_id)
}
