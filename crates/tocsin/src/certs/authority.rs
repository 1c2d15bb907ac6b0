//! The local authority: made once, then only read.

use std::fs::File;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use zeroize::Zeroizing;

use super::read::{self, Certificate};
use super::{AUTHORITY, both};
use crate::exit::{Exit, Failed};

/// An authority lives for ten years: changing it means touching every client.
const DAYS: i64 = 3650;

/// An authority that can sign.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    /// Nothing that it signs is good for longer.
    pub(super) ends: DateTime<Utc>,
    /// Its key's file, locked against a second renewal while this lives.
    _held: Option<File>,
}

/// A new authority and its files.
pub(super) struct Made {
    pub(super) authority: Authority,
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

impl Authority {
    /// A new authority.
    pub(super) fn make(now: DateTime<Utc>) -> Result<Made, Failed> {
        let ends = now + TimeDelta::days(DAYS);
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let mut parameters = CertificateParams::default();
        // Two authorities of one house must not be taken for each other.
        let number = hex::encode(random()?);
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, format!("Tocsin local authority {number}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        super::leaf::set_time(&mut parameters, now, ends);
        let certificate = parameters.self_signed(&key).map_err(|error| failed(&error))?.pem();
        let key_text = Zeroizing::new(key.serialize_pem());
        let authority = Self { issuer: Issuer::new(parameters, key), ends, _held: None };
        Ok(Made { authority, certificate, key: key_text })
    }

    /// The authority of a folder, held for this process alone.
    pub(super) fn load(folder: &Path, now: DateTime<Utc>) -> Result<Self, Failed> {
        let [certificate_path, key_path] = both(folder, AUTHORITY);
        let absent = |path: &Path, error: &std::io::Error| {
            Failed::new(Exit::NotFound, format!("cannot read {}: {error}", path.display()))
                .advise("put the authority's certificate and key into the folder for the renewal; `tocsin certs new` makes a new authority")
        };
        let held = File::open(&key_path).map_err(|error| absent(&key_path, &error))?;
        if held.try_lock().is_err() {
            return Err(Failed::new(Exit::Refused, format!("{} is in use by another renewal", folder.display())));
        }
        let pem = std::fs::read_to_string(&certificate_path).map_err(|error| absent(&certificate_path, &error))?;
        let key = std::fs::read_to_string(&key_path).map(Zeroizing::new).map_err(|error| absent(&key_path, &error))?;
        let certificate = read::read_certificate(&certificate_path)?;
        let key = KeyPair::from_pem(&key)
            .map_err(|_| Failed::usage(format!("{} holds no private key in PEM form", key_path.display())))?;
        check(&certificate, &key, &certificate_path, now)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(|error| failed(&error))?;
        Ok(Self { issuer, ends: certificate.ends, _held: Some(held) })
    }
}

fn check(certificate: &Certificate, key: &KeyPair, path: &Path, now: DateTime<Utc>) -> Result<(), Failed> {
    if certificate.public_key != key.public_key_raw() {
        return Err(Failed::new(
            Exit::Refused,
            format!("the key beside {} belongs to another authority", path.display()),
        )
        .advise("put the two files of one authority into the folder"));
    }
    if certificate.ends <= now {
        return Err(Failed::new(Exit::Refused, format!("the authority {} has expired", path.display())).advise(
            "make a new one in another folder: `tocsin certs new`, and give its authority.pem to every client",
        ));
    }
    Ok(())
}

fn random() -> Result<[u8; 4], Failed> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|_| Failed::new(Exit::Other, "the system gave no randomness"))?;
    Ok(bytes)
}

pub(super) fn failed(error: &rcgen::Error) -> Failed {
    Failed::other("a certificate could not be made", error)
}
