//! Authorities and certificates for tests, and what is said of bad files.

use std::path::PathBuf;

use rcgen::{CertificateParams, Issuer, KeyPair};

use super::*;

/// An authority that lives as long as the test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }
}

/// A certificate with its key and authority, as files.
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Of a fresh authority, for `localhost`.
    pub(crate) fn new() -> Self {
        Self::of(&Authority::new(), &["localhost"])
    }

    /// With these names.
    pub(crate) fn of(authority: &Authority, names: &[&str]) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(authority, names, 2100);
        files
    }

    /// The same, but it ended long ago.
    pub(crate) fn expired(authority: &Authority, names: &[&str]) -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write(authority, names, 2001);
        files
    }

    /// Puts another certificate in place, good until that year.
    pub(crate) fn write(&self, authority: &Authority, names: &[&str], until: i32) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = parameters.signed_by(&key, &authority.issuer).unwrap();
        for (name, text) in [
            ("authority.pem", authority.pem.clone()),
            ("certificate.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(self.path(name), text).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        TlsSettings {
            certificate: self.path("certificate.pem"),
            key: self.path("key.pem"),
            authority: Some(self.path("authority.pem")),
        }
    }
}

#[test]
fn a_bad_file_is_named() {
    let files = Files::new();
    let good = files.settings();
    super::check(&good).unwrap();
    let check = |settings: TlsSettings, expect: &str| {
        let error = super::check(&settings).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(TlsSettings { certificate: files.path("nowhere.pem"), ..good.clone() }, "nowhere.pem cannot be read");
    check(TlsSettings { certificate: good.key.clone(), ..good.clone() }, "key.pem holds no certificate in PEM form");
    check(TlsSettings { key: good.certificate.clone(), ..good.clone() }, "certificate.pem holds no private key");
    let other = Files::new();
    check(TlsSettings { key: other.settings().key, ..good.clone() }, "cannot be used together");
    check(TlsSettings { authority: Some(good.key.clone()), ..good }, "key.pem holds no certificate in PEM form");
}
