//! `tocsin certs show`: what is there and how long it lasts.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{AUTHORITY, Certificate, PARTS, both, read_certificate};
use crate::exit::{Exit, Failed};
use crate::output::{self, Form, Table};

/// Prints the certificates of a folder; fails if one has expired or there is none.
pub(super) fn show(form: Form, folder: &Path, now: DateTime<Utc>) -> Result<(), Failed> {
    let found = list(form, folder, now)?;
    if found.is_empty() {
        return Err(Failed::new(Exit::NotFound, format!("there are no certificates in {}", folder.display()))
            .advise("make some with `tocsin certs new`"));
    }
    let expired: Vec<&str> =
        found.iter().filter(|(_, certificate)| certificate.ends <= now).map(|(name, _)| *name).collect();
    if expired.is_empty() {
        return Ok(());
    }
    let advice = if expired.contains(&AUTHORITY) {
        "make a new authority in another folder: `tocsin certs new`, and give its authority.pem to every client"
    } else {
        "renew them: `tocsin certs renew`"
    };
    Err(Failed::new(Exit::Other, format!("expired: {}", expired.join(", "))).advise(advice))
}

/// Prints the certificates of a folder.
pub(super) fn list(form: Form, folder: &Path, now: DateTime<Utc>) -> Result<Vec<(&'static str, Certificate)>, Failed> {
    let found = find(folder)?;
    match form {
        Form::Text => output::print(&table(&found, now).to_string()),
        Form::Json => output::print(&format!("{:#}", document(&found, now))),
    }
    Ok(found)
}

/// The certificates that are there. A host may hold only those of its own services.
fn find(folder: &Path) -> Result<Vec<(&'static str, Certificate)>, Failed> {
    let mut found = Vec::new();
    for name in [AUTHORITY].into_iter().chain(PARTS.map(|part| part.name)) {
        let [path, _] = both(folder, name);
        if path.exists() {
            found.push((name, read_certificate(&path)?));
        }
    }
    Ok(found)
}

fn table(found: &[(&'static str, Certificate)], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(["certificate", "until", "days left", "names"]);
    for (name, certificate) in found {
        let days = if certificate.ends <= now { "expired".to_owned() } else { certificate.days_left(now).to_string() };
        table.row([(*name).to_owned(), until(certificate), days, certificate.names.join(" ")]);
    }
    table
}

fn document(found: &[(&'static str, Certificate)], now: DateTime<Utc>) -> Value {
    let certificates: Vec<Value> = found
        .iter()
        .map(|(name, certificate)| {
            json!({
                "certificate": name, "until": until(certificate), "days_left": certificate.days_left(now),
                "expired": certificate.ends <= now, "names": certificate.names,
            })
        })
        .collect();
    json!({"certificates": certificates})
}

fn until(certificate: &Certificate) -> String {
    certificate.ends.to_rfc3339_opts(SecondsFormat::Secs, true)
}
