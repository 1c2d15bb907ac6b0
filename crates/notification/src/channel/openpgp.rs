//! A contact's OpenPGP key: what makes one usable, and a message encrypted to it.
//!
//! A key is usable when its own signatures say so now: not revoked, not expired, with a part that is meant for
//! encryption. Whatever cannot be verified counts for nothing.

use std::fmt;

use chrono::{DateTime, Utc};
use pgp::composed::{ArmorOptions, Deserializable, MessageBuilder, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{EncryptionKey, KeyDetails, KeyVersion, PublicParams, Tag, Timestamp};
use rand_core::OsRng;

/// The longest armored key; a key with many signatures of others is larger than it needs to be.
const ARMORED_BYTES_MAX: usize = 128 * 1024;
/// The shortest RSA key that is still taken, in bytes.
const RSA_BYTES_MIN: usize = 256;

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenPgpError {
    /// Too long.
    #[error("is longer than 128 KiB: export it without the signatures of others (gpg --export-options export-minimal)")]
    TooLong,
    /// Somebody sent the wrong half.
    #[error("is a private key: send the public half, and treat this private key as exposed")]
    Private,
    /// No key at all.
    #[error("must be one armored OpenPGP public key, as `gpg --armor --export` writes it")]
    NotAKey,
    /// Its own signatures do not hold.
    #[error("has no valid signature of its own owner")]
    Unsigned,
    /// Revoked.
    #[error("is revoked: ask its owner for the present one")]
    Revoked,
    /// Expired.
    #[error("has expired: ask its owner to extend it, and import it again")]
    Expired,
    /// Nothing to encrypt to.
    #[error("has no part for encryption that is valid now, or one that is too weak (RSA below 2048 bits)")]
    NoEncryption,
    /// The cipher failed.
    #[error("could not be encrypted to")]
    Cipher,
}

impl OpenPgpError {
    /// One word for the attempt log.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Revoked => "openpgp_key_revoked",
            Self::Expired => "openpgp_key_expired",
            _ => "openpgp_key_unusable",
        }
    }
}

/// A public key. `Debug` shows nothing: its user ids are names and addresses.
pub(crate) struct OpenPgpKey {
    key: SignedPublicKey,
}

impl fmt::Debug for OpenPgpKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl OpenPgpKey {
    /// Reads one armored key.
    pub(crate) fn parse(armored: &str) -> Result<Self, OpenPgpError> {
        if armored.len() > ARMORED_BYTES_MAX {
            return Err(OpenPgpError::TooLong);
        }
        if armored.contains("PRIVATE KEY BLOCK") {
            return Err(OpenPgpError::Private);
        }
        // What follows the first block is not read, so it is not passed over in silence.
        if armored.matches("-----BEGIN").count() != 1 {
            return Err(OpenPgpError::NotAKey);
        }
        let (mut keys, _) = SignedPublicKey::from_armor_many(armored.as_bytes()).map_err(|_| OpenPgpError::NotAKey)?;
        match (keys.next(), keys.next()) {
            (Some(Ok(key)), None) => Ok(Self { key }),
            _ => Err(OpenPgpError::NotAKey),
        }
    }

    /// Whether it may be used now.
    pub(crate) fn check(&self, now: DateTime<Utc>) -> Result<(), OpenPgpError> {
        self.part_for_encryption(now).map(|_| ())
    }

    /// The text, armored and encrypted to this key.
    pub(crate) fn encrypt(&self, text: Vec<u8>, now: DateTime<Utc>) -> Result<String, OpenPgpError> {
        let part = self.part_for_encryption(now)?;
        let builder = MessageBuilder::from_bytes("", text);
        let armored = if self.key.version() == KeyVersion::V6 {
            let aes = SymmetricKeyAlgorithm::AES256;
            let mut builder = builder.seipd_v2(OsRng, aes, AeadAlgorithm::Ocb, ChunkSize::default());
            match part {
                Part::Primary => builder.encrypt_to_key(OsRng, &self.key).map(|_| ()),
                Part::Subkey(subkey) => builder.encrypt_to_key(OsRng, subkey).map(|_| ()),
            }
            .and_then(|()| builder.to_armored_string(OsRng, ArmorOptions::default()))
        } else {
            let mut builder = builder.seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
            match part {
                Part::Primary => builder.encrypt_to_key(OsRng, &self.key).map(|_| ()),
                Part::Subkey(subkey) => builder.encrypt_to_key(OsRng, subkey).map(|_| ()),
            }
            .and_then(|()| builder.to_armored_string(OsRng, ArmorOptions::default()))
        };
        armored.map_err(|_| OpenPgpError::Cipher)
    }

    fn part_for_encryption(&self, now: DateTime<Utc>) -> Result<Part<'_>, OpenPgpError> {
        let now = seconds(now);
        let primary = &self.key.primary_key;
        let mine = |signature: &&Signature| signature.verify_key(primary).is_ok();
        let is_revocation = |signature: &Signature| signature.typ() == Some(SignatureType::KeyRevocation);
        if self.key.details.revocation_signatures.iter().filter(mine).any(is_revocation) {
            return Err(OpenPgpError::Revoked);
        }
        let newest = self.newest_of_owner(now).ok_or(OpenPgpError::Unsigned)?;
        if is_over(primary.created_at(), newest, now) {
            return Err(OpenPgpError::Expired);
        }
        let subkey = self
            .key
            .public_subkeys
            .iter()
            .filter(|subkey| self.takes_mail(subkey, now))
            .max_by_key(|subkey| subkey.created_at().as_secs());
        if let Some(subkey) = subkey {
            return Ok(Part::Subkey(subkey));
        }
        let flags = newest.key_flags();
        if (flags.encrypt_comms() || flags.encrypt_storage()) && is_strong(primary) {
            return Ok(Part::Primary);
        }
        Err(OpenPgpError::NoEncryption)
    }

    /// The owner's newest valid signature over the key or a name of it, which says when it expires.
    fn newest_of_owner(&self, now: u32) -> Option<&Signature> {
        let primary = &self.key.primary_key;
        let direct = self.key.details.direct_signatures.iter().filter(|one| one.verify_key(primary).is_ok());
        let named = self.key.details.users.iter().filter_map(|user| {
            let holds = |one: &&Signature| one.verify_certification(primary, Tag::UserId, &user.id).is_ok();
            let newest = user.signatures.iter().filter(holds).max_by_key(|one| created(one));
            // A name whose newest signature revokes it says nothing more.
            newest.filter(|one| one.typ() != Some(SignatureType::CertRevocation))
        });
        direct.chain(named).filter(|one| created(one) <= now && lasts(one, now)).max_by_key(|one| created(one))
    }

    fn takes_mail(&self, subkey: &SignedPublicSubKey, now: u32) -> bool {
        let primary = &self.key.primary_key;
        let valid: Vec<&Signature> =
            subkey.signatures.iter().filter(|one| one.verify_subkey_binding(primary, &subkey.key).is_ok()).collect();
        if valid.iter().any(|one| one.typ() == Some(SignatureType::SubkeyRevocation)) {
            return false;
        }
        let bindings = valid.into_iter().filter(|one| created(one) <= now && lasts(one, now));
        let Some(binding) = bindings.max_by_key(|one| created(one)) else { return false };
        let flags = binding.key_flags();
        (flags.encrypt_comms() || flags.encrypt_storage())
            && !is_over(subkey.created_at(), binding, now)
            && is_strong(&subkey.key)
    }
}

/// What a message is encrypted to.
enum Part<'a> {
    Primary,
    Subkey(&'a SignedPublicSubKey),
}

fn is_strong(key: &impl EncryptionKey) -> bool {
    use rsa::traits::PublicKeyParts as _;
    let long = match key.public_params() {
        PublicParams::RSA(parameters) => parameters.key.size() >= RSA_BYTES_MIN,
        PublicParams::ECDH(_) | PublicParams::X25519(_) | PublicParams::X448(_) => true,
        _ => false,
    };
    long && key.algorithm().can_encrypt()
}

fn created(signature: &Signature) -> u32 {
    signature.created().map_or(0, Timestamp::as_secs)
}

fn lasts(signature: &Signature, now: u32) -> bool {
    let seconds = signature.signature_expiration_time().map_or(0, pgp::types::Duration::as_secs);
    seconds == 0 || created(signature).saturating_add(seconds) > now
}

fn is_over(created_at: Timestamp, signature: &Signature, now: u32) -> bool {
    let seconds = signature.key_expiration_time().map_or(0, pgp::types::Duration::as_secs);
    seconds != 0 && created_at.as_secs().saturating_add(seconds) <= now
}

fn seconds(now: DateTime<Utc>) -> u32 {
    u32::try_from(now.timestamp()).unwrap_or(u32::MAX)
}
