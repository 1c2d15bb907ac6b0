//! `tocsin certs`: a local authority and the certificates of an installation of several processes.

mod authority;
mod leaf;
mod place;
mod read;
mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use tocsin_platform::clock::Clock;

use crate::arguments::certs::{CertsCommand, NewCerts, RenewCerts};
use crate::created::{Created, PUBLIC_MODE, SECRET_MODE};
use crate::exit::{Exit, Failed};
use crate::output::Form;
use authority::Authority;
use place::Staged;

pub(crate) use read::{Certificate, read_certificate};

/// Who has a certificate, and for what.
const PARTS: [Part; 7] = [
    Part { name: "intake", use_for: Use::Both },
    Part { name: "triage", use_for: Use::Both },
    Part { name: "dispatch", use_for: Use::Both },
    Part { name: "notification", use_for: Use::Both },
    // The servers of a cluster are clients of each other too.
    Part { name: "nats", use_for: Use::Both },
    Part { name: "postgres", use_for: Use::Both },
    // It is given to people and partners, so it must never pass for a server.
    Part { name: "client", use_for: Use::Client },
];
/// The authority's certificate and key.
const AUTHORITY: &str = "authority";

/// One holder of a certificate.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    use_for: Use,
}

/// What a certificate may be shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// As a server and as a client.
    Both,
    /// As a client only.
    Client,
}

/// Carries the command out.
pub(crate) fn run(form: Form, command: CertsCommand) -> Result<(), Failed> {
    let now = Clock::system().now();
    match command {
        CertsCommand::New(new) => self::new(form, &new, now),
        CertsCommand::Renew(renew) => self::renew(form, &renew, now),
        CertsCommand::Show(show) => show::show(form, &show.folder, now),
    }
}

/// Everything is made in memory first, so that what can fail has failed before the first file is there.
fn new(form: Form, wanted: &NewCerts, now: DateTime<Utc>) -> Result<(), Failed> {
    let hosts = leaf::hosts(&wanted.wanted.hosts)?;
    let folder = &wanted.folder;
    let files = || PARTS.iter().map(|part| part.name).chain([AUTHORITY]);
    if let Some(path) = files().flat_map(|name| both(folder, name)).find(|path| path.exists()) {
        return Err(Failed::new(Exit::Refused, format!("{} exists already, and is not written over", path.display()))
            .advise("name another folder, or make new certificates under the same authority: `tocsin certs renew`"));
    }
    let made = Authority::make(now)?;
    let mut leaves = Vec::new();
    for part in PARTS {
        let names = leaf::names(part, &hosts);
        leaves.push((part, leaf::make(&made.authority, part, names, wanted.wanted.days, now)?));
    }
    let mut created = Created::default();
    created.folder(folder)?;
    let mut pair = |name, certificate: &str, key: &str| {
        let [certificate_path, key_path] = both(folder, name);
        created.file(&key_path, key, SECRET_MODE)?;
        created.file(&certificate_path, certificate, PUBLIC_MODE)
    };
    pair(AUTHORITY, &made.certificate, &made.key)?;
    for (part, leaf) in &leaves {
        pair(part.name, &leaf.certificate, &leaf.key)?;
    }
    created.keep()?;
    show::list(form, folder, now).map(drop)
}

fn renew(form: Form, wanted: &RenewCerts, now: DateTime<Utc>) -> Result<(), Failed> {
    let hosts = leaf::hosts(&wanted.wanted.hosts)?;
    let parts = parts(&wanted.names)?;
    let folder = &wanted.folder;
    // Held to the end: two renewals at once could leave a key of one beside a certificate of the other.
    let authority = Authority::load(folder, now)?;
    let mut leaves = Vec::new();
    for part in parts {
        let [certificate, _] = both(folder, part.name);
        let names = if certificate.exists() {
            read_certificate(&certificate)?.names.into_iter().chain(hosts.iter().cloned()).collect()
        } else {
            leaf::names(part, &hosts)
        };
        leaves.push((part, leaf::make(&authority, part, names, wanted.wanted.days, now)?));
    }
    let mut staged = Staged::in_folder(folder);
    for (part, leaf) in &leaves {
        staged.pair(part.name, &leaf.certificate, &leaf.key)?;
    }
    staged.replace()?;
    show::list(form, folder, now).map(drop)
}

/// The parts of these names; all if none is given.
fn parts(names: &[String]) -> Result<Vec<Part>, Failed> {
    let known = || PARTS.map(|part| part.name).join(", ");
    let wanted: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|name| PARTS.iter().all(|part| part.name != **name)) {
        return Err(Failed::usage(format!("`{unknown}` has no certificate: the names are {}", known())));
    }
    Ok(PARTS.into_iter().filter(|part| wanted.is_empty() || wanted.contains(part.name)).collect())
}

/// The paths of a certificate and of its key.
fn both(folder: &Path, name: &str) -> [std::path::PathBuf; 2] {
    [folder.join(format!("{name}.pem")), folder.join(format!("{name}.key"))]
}
