//! The PEM files of the services and of the bus: that they are there, fit together, name whom they should, and until
//! when they are good.

use std::path::Path;

use chrono::{DateTime, Utc};
use tocsin_platform::clock::Clock;
use tocsin_platform::config::{Settings, TlsSettings};
use tocsin_platform::seal::is_open_to_others;
use tocsin_platform::tls::service_name;
use tocsin_proto::catalogue::Service;

use super::Finding;
use crate::certs::{Certificate, read_certificate};
use crate::exit::with_causes;

/// An operator needs this long to have a certificate renewed without haste.
const DAYS_LEFT_LOW: i64 = 21;

/// Looks at the files of every service that has some, and at those for the bus.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let now = Clock::system().now();
    let mut findings = Vec::new();
    for service in Service::ALL {
        if let Some(tls) = &settings.services.of(service).tls {
            findings.extend(files(service, tls, now));
        }
    }
    for path in [&settings.bus.certificate, &settings.bus.authority].into_iter().flatten() {
        findings.push(expiry("bus", path, now));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("tls", "none set: every door is on this machine only"));
    }
    findings
}

fn files(service: Service, tls: &TlsSettings, now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = tocsin_platform::tls::check(tls) {
        let advice = format!("correct `services.{service}.tls`: PEM files, the key belonging to the certificate");
        findings.push(Finding::fail("tls", format!("{service}: {}", with_causes(&error)), advice));
    }
    if std::fs::metadata(&tls.key).is_ok_and(|metadata| is_open_to_others(&metadata)) {
        let name = tls.key.display();
        findings.push(Finding::warn("tls", format!("{name} is open to others"), format!("run `chmod 600 {name}`")));
    }
    if let Ok(certificate) = read_certificate(&tls.certificate) {
        findings.extend(naming(service, tls, &certificate));
    }
    for path in [Some(&tls.certificate), tls.authority.as_ref()].into_iter().flatten() {
        findings.push(expiry(service.as_str(), path, now));
    }
    findings
}

/// Services know each other by a name of their own, whatever host they are found at.
fn naming(service: Service, tls: &TlsSettings, certificate: &Certificate) -> Option<Finding> {
    let name = service_name(service);
    if certificate.names.contains(&name) {
        return None;
    }
    let found = format!("{} does not name {name}", tls.certificate.display());
    let advice = format!("have its authority add the name, or make one with `tocsin certs new` (now it names {})", {
        if certificate.names.is_empty() { "nobody".to_owned() } else { certificate.names.join(", ") }
    });
    match service {
        Service::Dispatch | Service::Notification => {
            Some(Finding::fail("tls", format!("{found}: triage will not ask it, so nothing is released"), advice))
        }
        // Nobody asks these; their name only tells others who is asking.
        Service::Intake | Service::Triage => tls.authority.is_some().then(|| Finding::warn("tls", found, advice)),
    }
}

/// When the first certificate of a file ends.
fn expiry(of: &str, path: &Path, now: DateTime<Utc>) -> Finding {
    let name = path.display();
    let certificate = match read_certificate(path) {
        Ok(certificate) => certificate,
        Err(failed) => {
            return Finding::fail("tls", failed.message, format!("correct the TLS settings of {of}: PEM is expected"));
        }
    };
    let days = certificate.days_left(now);
    let found = format!("{name} of {of} is good for {days} more days");
    match days {
        ..0 => Finding::fail("tls", format!("{name} of {of} has expired"), "renew it; no client connects"),
        0..DAYS_LEFT_LOW => Finding::warn("tls", found, "renew it, as with `tocsin certs renew`"),
        _ => Finding::ok("tls", found),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

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
        let ends = read_certificate(&certificate).unwrap().ends;
        let early = ends - TimeDelta::days(100);
        // The key was written with the rights of any file.
        assert_eq!(verdicts(early), [Verdict::Warn, Verdict::Ok]);
        assert_eq!(verdicts(ends - TimeDelta::days(5)), [Verdict::Warn, Verdict::Warn]);
        assert_eq!(verdicts(ends + TimeDelta::seconds(1)), [Verdict::Warn, Verdict::Fail]);
        let other = rcgen::generate_simple_self_signed(vec!["other.example".to_owned()]).unwrap();
        std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert_eq!(verdicts(early), [Verdict::Fail, Verdict::Warn, Verdict::Ok]);
        std::fs::write(&certificate, "nothing").unwrap();
        assert_eq!(verdicts(early).last(), Some(&Verdict::Fail));
    }

    #[test]
    fn a_certificate_must_name_its_service() {
        let check = |service, names: &[&str], authority: Option<&str>, expected: Option<Verdict>| {
            let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.pem");
            std::fs::write(&path, rcgen::generate_simple_self_signed(names).unwrap().cert.pem()).unwrap();
            let certificate = read_certificate(&path).unwrap();
            let tls = TlsSettings { certificate: path.clone(), key: path, authority: authority.map(Into::into) };
            assert_eq!(naming(service, &tls, &certificate).map(|finding| finding.verdict), expected);
        };
        check(Service::Dispatch, &["dispatch.tocsin.internal", "localhost"], None, None);
        check(Service::Dispatch, &["dispatch.example"], None, Some(Verdict::Fail));
        check(Service::Notification, &["dispatch.tocsin.internal"], None, Some(Verdict::Fail));
        check(Service::Triage, &["triage.example"], None, None);
        check(Service::Triage, &["triage.example"], Some("authority.pem"), Some(Verdict::Warn));
    }
}
