//! The certificate of one part of an installation: its names, its time, its key.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::ServerName;
use tocsin_platform::tls::certificate_name;
use zeroize::Zeroizing;

use super::authority::{Authority, failed};
use super::{Part, Use};
use crate::exit::Failed;

/// Clocks of other hosts may be behind by this much.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::hours(1);
/// Under these every server of one machine is reached.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A certificate and its key, as PEM.
pub(super) struct Leaf {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

/// Checks what was given as hosts.
pub(super) fn hosts(given: &[String]) -> Result<Vec<String>, Failed> {
    if let Some(wrong) = given.iter().find(|host| ServerName::try_from(host.as_str()).is_err()) {
        return Err(Failed::usage(format!("`{wrong}` is neither a host name nor an IP address"))
            .advise("write it without scheme and port, as --host tocsin.example or --host 192.0.2.7"));
    }
    Ok(given.to_vec())
}

/// The names of a part. A client is reached under none, so it carries only its own.
pub(super) fn names(part: Part, hosts: &[String]) -> Vec<String> {
    let own = [certificate_name(part.name), part.name.to_owned()];
    match part.use_for {
        Use::Client => own.to_vec(),
        Use::Both => {
            let machine = THIS_MACHINE.iter().map(|&name| name.to_owned());
            own.into_iter().chain(machine).chain(hosts.iter().cloned()).collect()
        }
    }
}

/// A certificate under a fresh key (ECDSA P-256).
pub(super) fn make(
    authority: &Authority,
    part: Part,
    mut names: Vec<String>,
    days: u32,
    now: DateTime<Utc>,
) -> Result<Leaf, Failed> {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let key = KeyPair::generate().map_err(|error| failed(&error))?;
    let mut parameters = CertificateParams::new(names).map_err(|error| failed(&error))?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, certificate_name(part.name));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = match part.use_for {
        Use::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        Use::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    parameters.use_authority_key_identifier_extension = true;
    set_time(&mut parameters, now, (now + TimeDelta::days(i64::from(days))).min(authority.ends));
    let certificate = parameters.signed_by(&key, &authority.issuer).map_err(|error| failed(&error))?;
    Ok(Leaf { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// Makes a certificate good from now until then.
pub(super) fn set_time(parameters: &mut CertificateParams, now: DateTime<Utc>, ends: DateTime<Utc>) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let seconds = |at: DateTime<Utc>| Duration::from_secs(u64::try_from(at.timestamp()).unwrap_or_default());
    parameters.not_before = epoch + seconds(now - CLOCK_DIFFERENCE);
    parameters.not_after = epoch + seconds(ends);
}
