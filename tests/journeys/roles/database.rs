//! What each role can do in PostgreSQL, asked with psql and the very address that the service has.

use std::process::Command;

use tocsin_tests::Outcome;
use tocsin_tests::installation::SERVICES;
use tocsin_tests::tools::{find_postgresql, run};
use tocsin_tests::trouble::{ensure, ensure_equal};

use super::house::House;

/// A statement as one of the services.
fn ask(url: &str, sql: &str) -> Outcome<String> {
    let mut command = Command::new(find_postgresql("psql")?);
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password", "--command", sql]);
    run(command.arg("--dbname").arg(url)).map(|said| said.trim().to_owned())
}

/// A statement that must be refused in these words.
fn refused(url: &str, sql: &str, words: &str) -> Outcome<()> {
    match ask(url, sql) {
        Ok(said) => ensure(false, || format!("`{sql}` was allowed: {said}")),
        Err(trouble) => ensure(trouble.text().contains(words), || format!("`{sql}`: {}", trouble.text())),
    }
}

pub(super) fn check(house: &House) -> Outcome<()> {
    for service in SERVICES {
        let url = std::fs::read_to_string(house.secrets(service).join("database-url"))?.trim().to_owned();
        own(service, &url)?;
        others(service, &url)?;
        nothing_else(&url)?;
        store_of_keys(service, &url)?;
        ways_in(&url)?;
    }
    Ok(())
}

fn own(service: &str, url: &str) -> Outcome<()> {
    ensure_equal(ask(url, "SELECT current_user")?.as_str(), service, "the role")?;
    ensure_equal(ask(url, &format!("SELECT count(*) >= 0 FROM {service}.outbox"))?.as_str(), "t", "its outbox")?;
    ensure_equal(ask(url, "SHOW synchronous_commit")?.as_str(), "on", "synchronous_commit")
}

fn others(service: &str, url: &str) -> Outcome<()> {
    for other in SERVICES.into_iter().filter(|other| *other != service) {
        let denied = format!("permission denied for schema {other}");
        for sql in
            ["SELECT * FROM {}.outbox", "SELECT * FROM {}.inbox", "DELETE FROM {}.outbox", "CREATE TABLE {}.x (y int)"]
        {
            refused(url, &sql.replace("{}", other), &denied)?;
        }
        refused(url, &format!("SET ROLE {other}"), "permission denied to set role")?;
    }
    if service != "triage" {
        refused(url, "SELECT * FROM triage_keys.data_keys", "permission denied for schema triage_keys")?;
    }
    Ok(())
}

fn nothing_else(url: &str) -> Outcome<()> {
    for (sql, words) in [
        ("CREATE TABLE public.x (y int)", "permission denied for schema public"),
        ("CREATE SCHEMA x", "permission denied for database"),
        ("CREATE TEMPORARY TABLE x (y int)", "permission denied to create temporary tables"),
        ("CREATE ROLE x", "permission denied to create role"),
        ("CREATE DATABASE x", "permission denied to create database"),
        ("SELECT pg_read_file('/etc/hostname')", "permission denied"),
        ("COPY (SELECT 1) TO PROGRAM 'true'", "pg_execute_server_program"),
    ] {
        refused(url, sql, words)?;
    }
    Ok(())
}

/// Everybody reads it, and only triage writes it.
fn store_of_keys(service: &str, url: &str) -> Outcome<()> {
    ensure_equal(ask(url, "SELECT count(*) > 0 FROM keys.api_keys")?.as_str(), "t", "keys that it sees")?;
    if service == "triage" {
        return ask(url, "UPDATE keys.api_keys SET name = name").map(|_| ());
    }
    for sql in ["UPDATE keys.api_keys SET name = name", "DELETE FROM keys.api_keys", "TRUNCATE keys.api_keys"] {
        refused(url, sql, "permission denied for table api_keys")?;
    }
    refused(url, "CREATE TABLE keys.x (y int)", "permission denied for schema keys")
}

/// No way in without TLS, without a certificate of the authority, or with another password.
fn ways_in(url: &str) -> Outcome<()> {
    let without = |parameter: &str| {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(parameter)).collect();
        format!("{base}?{}", kept.join("&"))
    };
    refused(&url.replace("sslmode=verify-full", "sslmode=disable"), "SELECT 1", "rejects connection")?;
    // Without these psql would look for files in the home folder.
    let no_certificate = format!("{}&sslcert=/nowhere&sslkey=/nowhere", without("sslcert=").replace("&sslkey=", "&x="));
    let no_certificate: Vec<_> = no_certificate.split('&').filter(|pair| !pair.starts_with("x=")).collect();
    refused(&no_certificate.join("&"), "SELECT 1", "valid client certificate")?;
    let (user, rest) = url.split_once('@').unwrap_or((url, ""));
    let user = user.rsplit_once(':').map_or(user, |(user, _)| user);
    refused(&format!("{user}:wrong@{rest}"), "SELECT 1", "password authentication failed")?;
    refused(&url.replace("/tocsin?", "/postgres?"), "SELECT 1", "rejects connection")
}
