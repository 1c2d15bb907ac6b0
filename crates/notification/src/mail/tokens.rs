//! Tokens that name a notice and the address it went to, and prove that we wrote them: in the return path, and in the
//! link that unsubscribes.
//!
//! A contact may have another address by the time one comes back; what comes back says nothing about that one.

use data_encoding::BASE32_DNSSEC;
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

    /// Bytes of the mark of the address, and of the proof. Together with the id each token is a multiple of five bytes, so
    /// that its digits (base 32, which mail servers may write in capitals) have no spare bits.
    const fn sizes(self) -> (usize, usize) {
        match self {
            Self::Bounce => (6, 8),
            Self::Unsubscribe => (8, 16),
        }
    }
}

/// Bytes of a notice's id.
const ID: usize = 16;

/// What a token of ours names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) notice_id: Uuid,
    mark: Vec<u8>,
}

impl Named {
    /// Whether it was made for this address of the notice's contact.
    pub(crate) fn is_of(&self, secrets: &LocalSecrets, address: &str) -> bool {
        secrets.proof_holds(b"address of a notice\0", &marked(secrets, self.notice_id, address), &self.mark)
    }
}

/// What a mark is made of: two notices to the same address have nothing in common.
fn marked(secrets: &LocalSecrets, notice_id: Uuid, address: &str) -> Vec<u8> {
    [notice_id.as_bytes(), secrets.address_mac(address).as_bytes()].concat()
}

/// The token of a notice to an address.
pub(crate) fn token(secrets: &LocalSecrets, purpose: Purpose, notice_id: Uuid, address: &str) -> String {
    let (mark, proof) = purpose.sizes();
    let mut bytes = notice_id.as_bytes().to_vec();
    bytes.extend(secrets.proof(b"address of a notice\0", &marked(secrets, notice_id, address)).iter().take(mark));
    let proven = secrets.proof(purpose.label(), &bytes);
    bytes.extend(proven.iter().take(proof));
    BASE32_DNSSEC.encode(&bytes)
}

/// What a token names, if it is ours and for this purpose.
pub(crate) fn named(secrets: &LocalSecrets, purpose: Purpose, shown: &str) -> Option<Named> {
    let (mark, proof) = purpose.sizes();
    let bytes = BASE32_DNSSEC.decode(shown.as_bytes()).ok().filter(|bytes| bytes.len() == ID + mark + proof)?;
    let (told, shown) = bytes.split_at_checked(ID + mark)?;
    if !secrets.proof_holds(purpose.label(), told, shown) {
        return None;
    }
    let (id, mark) = told.split_at_checked(ID)?;
    Some(Named { notice_id: Uuid::from_slice(id).ok()?, mark: mark.to_vec() })
}
