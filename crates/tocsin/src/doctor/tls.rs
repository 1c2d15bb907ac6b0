//! The PEM files of the services: that they are there, fit together, and until when they are good.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tocsin_platform::clock::Clock;
use tocsin_platform::config::{Settings, TlsSettings};
use tocsin_proto::catalogue::Service;

use super::Finding;
use crate::exit::with_causes;

/// An operator needs this long to have a certificate renewed without haste.
const DAYS_LEFT_LOW: i64 = 21;
const SECONDS_A_DAY: i64 = 86_400;

/// Looks at the files of every service that has some.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in Service::ALL {
        if let Some(tls) = &settings.services.of(service).tls {
            findings.extend(files(service, tls, Clock::system().now().timestamp()));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("tls", "none set: every door is on this machine only"));
    }
    findings
}

fn files(service: Service, tls: &TlsSettings, now: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = tocsin_platform::tls::check(tls) {
        let advice = format!("correct `services.{service}.tls`: PEM files, the key belonging to the certificate");
        findings.push(Finding::fail("tls", format!("{service}: {}", with_causes(&error)), advice));
    }
    if std::fs::metadata(&tls.key).is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        let name = tls.key.display();
        findings.push(Finding::warn("tls", format!("{name} is open to others"), format!("run `chmod 600 {name}`")));
    }
    for path in [Some(&tls.certificate), tls.authority.as_ref()].into_iter().flatten() {
        findings.push(expiry(service, path, now));
    }
    findings
}

/// When the first certificate of a file ends.
fn expiry(service: Service, path: &Path, now: i64) -> Finding {
    let name = path.display();
    let Some(ends) = end_of(path) else {
        let advice = format!("correct `services.{service}.tls`: a certificate in PEM form is expected");
        return Finding::fail("tls", format!("{name} holds no certificate that can be read"), advice);
    };
    let days = (ends - now).div_euclid(SECONDS_A_DAY);
    let found = format!("{name} of {service} is good for {days} more days");
    match days {
        ..0 => Finding::fail("tls", format!("{name} of {service} has expired"), "renew it; no client connects"),
        0..DAYS_LEFT_LOW => Finding::warn("tls", found, "renew it"),
        _ => Finding::ok("tls", found),
    }
}

fn end_of(path: &Path) -> Option<i64> {
    let certificate = CertificateDer::pem_file_iter(path).ok()?.next()?.ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_pair_is_tried_and_its_end_told() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["triage.example".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = TlsSettings { certificate: certificate.clone(), key: key.clone(), authority: None };
        let verdicts = |now| files(Service::Triage, &tls, now).into_iter().map(|it| it.verdict).collect::<Vec<_>>();
        let ends = end_of(&certificate).unwrap();
        // The key was written with the rights of any file.
        assert_eq!(verdicts(ends - 100 * SECONDS_A_DAY), [Verdict::Warn, Verdict::Ok]);
        assert_eq!(verdicts(ends - 5 * SECONDS_A_DAY), [Verdict::Warn, Verdict::Warn]);
        assert_eq!(verdicts(ends + 1), [Verdict::Warn, Verdict::Fail]);
        let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert_eq!(verdicts(ends - 100 * SECONDS_A_DAY), [Verdict::Fail, Verdict::Warn, Verdict::Ok]);
        std::fs::write(&certificate, "nothing").unwrap();
        assert_eq!(verdicts(0).last(), Some(&Verdict::Fail));
    }
}
