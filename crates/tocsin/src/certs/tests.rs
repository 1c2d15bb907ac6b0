//! Authorities and certificates as files: made once, renewed in one step, never written over.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use chrono::TimeDelta;
use tocsin_platform::config::TlsSettings;

use super::*;
use crate::arguments::certs::Wanted;

fn wanted(hosts: &[&str], days: u32) -> Wanted {
    Wanted { hosts: hosts.iter().map(|&host| host.to_owned()).collect(), days }
}

fn make(folder: &Path, hosts: &[&str], days: u32) -> Result<(), Failed> {
    new(Form::Json, &NewCerts { folder: folder.to_owned(), wanted: wanted(hosts, days) }, now())
}

fn again(folder: &Path, names: &[&str], hosts: &[&str], at: DateTime<Utc>) -> Result<(), Failed> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    renew(Form::Json, &RenewCerts { folder: folder.to_owned(), names, wanted: wanted(hosts, 30) }, at)
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn tls(folder: &Path, name: &str) -> TlsSettings {
    let [certificate, key] = both(folder, name);
    TlsSettings { certificate, key, authority: Some(folder.join("authority.pem")) }
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn each_part_has_a_certificate_that_the_doors_take() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("certs");
    make(&place, &["tocsin.example", "192.0.2.7"], 90).unwrap();
    assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    for part in PARTS {
        let [certificate, key] = both(&place, part.name);
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        tocsin_platform::tls::check(&tls(&place, part.name)).unwrap();
        let read = read_certificate(&certificate).unwrap();
        assert!((89..=90).contains(&read.days_left(now())));
        let own = [format!("{}.tocsin.internal", part.name), part.name.to_owned()];
        let rest = ["localhost", "127.0.0.1", "::1", "tocsin.example", "192.0.2.7"].map(str::to_owned);
        let expected = if part.name == "client" { own.to_vec() } else { [&own[..], &rest].concat() };
        assert_eq!(read.names, expected);
    }
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    make(place, &[], 90).unwrap();
    let before = contents(place);
    assert_eq!(make(place, &[], 90).unwrap_err().exit, Exit::Refused);
    std::fs::remove_file(place.join("authority.pem")).unwrap();
    std::fs::remove_file(place.join("authority.key")).unwrap();
    assert_eq!(make(place, &[], 90).unwrap_err().exit, Exit::Refused, "a leaf that is there stays too");
    assert_eq!(contents(place).len(), before.len() - 2);
    let other = tempfile::tempdir().unwrap();
    for host in ["", "https://tocsin.example", "tocsin.example:443", "two words"] {
        assert_eq!(make(other.path(), &[host], 90).unwrap_err().exit, Exit::Usage, "{host}");
    }
    assert!(contents(other.path()).is_empty(), "what is refused leaves nothing behind");
}

#[test]
fn a_renewal_keeps_authority_names_and_rights() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    make(place, &["tocsin.example"], 1).unwrap();
    let [certificate, key] = both(place, "intake");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = contents(place);
    again(place, &["intake", "nats"], &["198.51.100.4"], now()).unwrap();
    let changed: Vec<_> = contents(place)
        .into_iter()
        .zip(before)
        .filter(|(new, old)| new != old)
        .map(|(new, _)| new.0.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(changed, ["intake.key", "intake.pem", "nats.key", "nats.pem"]);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o640);
    let read = read_certificate(&certificate).unwrap();
    assert!(read.names.contains(&"tocsin.example".to_owned()) && read.names.contains(&"198.51.100.4".to_owned()));
    assert!((29..=30).contains(&read.days_left(now())));
    tocsin_platform::tls::check(&tls(place, "intake")).unwrap();
    assert_eq!(again(place, &["postman"], &[], now()).unwrap_err().exit, Exit::Usage);
}

#[test]
fn a_renewal_that_cannot_write_everything_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    make(place, &[], 90).unwrap();
    let in_the_way = place.join(format!("nats.pem.new-{}", std::process::id()));
    std::fs::write(&in_the_way, "of somebody else").unwrap();
    let before = contents(place);
    let failed = again(place, &["intake", "nats"], &[], now()).unwrap_err();
    assert!(failed.message.contains("nats.pem"), "{}", failed.message);
    assert_eq!(contents(place), before, "neither the pair before it nor its own key was replaced, and nothing is left");
    std::fs::remove_file(in_the_way).unwrap();
    again(place, &["intake", "nats"], &[], now()).unwrap();
    assert_eq!(contents(place).len(), before.len() - 1);
    tocsin_platform::tls::check(&tls(place, "nats")).unwrap();
}

#[test]
fn only_the_authority_that_made_them_renews_them() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (place, elsewhere) = (folder.path(), other.path());
    make(place, &[], 90).unwrap();
    make(elsewhere, &[], 90).unwrap();
    let key = std::fs::read(place.join("authority.key")).unwrap();
    std::fs::copy(elsewhere.join("authority.key"), place.join("authority.key")).unwrap();
    let before = contents(place);
    assert!(again(place, &[], &[], now()).unwrap_err().message.contains("belongs to another authority"));
    std::fs::remove_file(place.join("authority.key")).unwrap();
    assert_eq!(again(place, &[], &[], now()).unwrap_err().exit, Exit::NotFound);
    std::fs::write(place.join("authority.key"), key).unwrap();
    let late = now() + TimeDelta::days(3651);
    assert!(again(place, &[], &[], late).unwrap_err().message.contains("has expired"));
    let held = std::fs::File::open(place.join("authority.key")).unwrap();
    held.try_lock().unwrap();
    assert!(again(place, &[], &[], now()).unwrap_err().message.contains("another renewal"));
    drop(held);
    assert_eq!(contents(place).len(), before.len());
    // Close to the authority's end a certificate ends with it.
    let close = now() + TimeDelta::days(3645);
    again(place, &["intake"], &[], close).unwrap();
    let ends = |name: &str| read_certificate(&place.join(name)).unwrap().ends;
    assert_eq!(ends("intake.pem"), ends("authority.pem"));
}

#[test]
fn what_has_expired_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    assert_eq!(show::show(Form::Json, place, now()).unwrap_err().exit, Exit::NotFound);
    make(place, &[], 5).unwrap();
    show::show(Form::Json, place, now()).unwrap();
    let failed = show::show(Form::Text, place, now() + TimeDelta::days(6)).unwrap_err();
    assert_eq!(failed.exit, Exit::Other);
    assert_eq!(failed.message, "expired: intake, triage, dispatch, notification, nats, postgres, client");
    std::fs::write(place.join("nats.pem"), "half").unwrap();
    assert!(show::show(Form::Text, place, now()).unwrap_err().message.contains("nats.pem holds no certificate"));
}
