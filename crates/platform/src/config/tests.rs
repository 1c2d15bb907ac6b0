//! Settings from text: what is in force, and what each mistake is told.

use super::*;

#[test]
fn the_default_file_is_the_defaults() {
    let settings = Settings::from_text("").unwrap();
    assert_eq!(settings.database.url, "sqlite:tocsin-data/database");
    assert_eq!(settings.key_folder, settings.data_folder);
    assert_eq!(settings.bus.kind, BusKind::InProcess);
    assert_eq!(settings.services.intake.grpc.to_string(), "127.0.0.1:7401");
    assert_eq!(settings.services.triage.peer_url(), "http://127.0.0.1:7402");
    assert_eq!(settings.telemetry.log, LogForm::Text);
    let (given, defaults) = (settings.limits, LimitSettings::default());
    assert_eq!(format!("{given:?}"), format!("{defaults:?}"));
}

#[test]
fn a_file_wins_over_the_defaults() {
    let text = "data_folder = \"/srv/tocsin\"\n[bus]\nkind = \"nats\"\n[services.intake]\ngrpc = \"127.0.0.1:9\"\n";
    let settings = Settings::from_text(text).unwrap();
    assert_eq!(settings.database.url, "sqlite:/srv/tocsin/database");
    assert_eq!(settings.key_folder, PathBuf::from("/srv/tocsin"));
    assert_eq!(settings.bus.kind, BusKind::Nats);
    assert_eq!(settings.services.intake.grpc.port(), 9);
    assert_eq!(settings.services.intake.http.port(), 7411, "the other keys of the table stay");
}

/// The error for this text, in one line with its key's source.
fn check(text: &str, expect: &str) {
    let error = Settings::from_text(text).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, expect);
}

#[test]
fn mistakes_name_the_key_and_what_was_expected() {
    check("[bus]\nknid = \"nats\"", "`bus.knid` in the text given is not a setting; did you mean `bus.kind`?");
    check("[bux]\nkind = \"nats\"", "`bux` in the text given is not a setting; did you mean `bus`?");
    check("[zzzzzz]\n", "`zzzzzz` in the text given is not a setting");
    check(
        "[database]\nconnections_max = \"hunter2\"",
        "`database.connections_max` in the text given: expected a whole number, 0 or more, found a text",
    );
    check("[bus]\nkind = \"kafka\"", "`bus.kind` in the text given: expected one of in_process, nats");
    check(
        "[services.intake]\nhttp = \"localhost\"",
        "`services.intake.http` in the text given: invalid socket address syntax",
    );
    check(
        "[services.triage]\ngrpc = \"0.0.0.0:7402\"",
        "`services.triage.grpc` in the text given: 0.0.0.0:7402 is off loopback, where TLS is required: set \
         `services.triage.tls` (certificate and key), or listen on 127.0.0.1",
    );
    check(
        "[limits]\nrequest_seconds_max = 0",
        "`limits.request_seconds_max` in the text given: 0 is out of range: expected 1 to 600",
    );
    check(
        "[database]\nurl = \"mysql://root:hunter2@db\"",
        "`database.url` in the text given: expected `sqlite:<folder>` or `postgres://...`",
    );
    check(
        "public_url = \"tocsin.example\"",
        "`public_url` in the text given: expected an address that begins with https:// or http://",
    );
}

#[test]
fn a_syntax_error_does_not_quote_the_line() {
    let error = Settings::from_text("[database]\nurl = \"postgres://a:hunter2@db").map(|_| ()).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error:?}");
    assert!(!error.to_string().contains("hunter2") && error.to_string().contains("line 2"), "{error}");
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quorum {
    quorum: u32,
}

#[test]
fn a_service_reads_its_own_section() {
    // A table of its own, because the default file holds the real keys of each service.
    let read = |text: &str| Settings::from_text(text).unwrap().section::<Quorum>("triage.rules");
    assert_eq!(read("[triage.rules]\nquorum = 2").unwrap().quorum, 2);
    let check = |text: &str, expect: &str| assert_eq!(read(text).unwrap_err().to_string(), expect);
    check(
        "[triage.rules]\nquorum = 2\nqourum = 2",
        "`triage.rules.qourum` in the text given is not a setting; did you mean `triage.rules.quorum`?",
    );
    check(
        "[triage.rules]\n",
        "`triage.rules.quorum` is missing: set it in the configuration file or as TOCSIN_TRIAGE__RULES__QUORUM",
    );
    check(
        "[triage.rules]\nquorum = -2",
        "`triage.rules.quorum` in the text given: this value is not allowed; expected a whole number, 0 or more",
    );
}

/// Loads with these variables.
fn load_in(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load_with(file, Environment::from_variables(owned))
}

#[test]
fn files_and_the_environment_are_named_as_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tocsin.toml");
    std::fs::write(&path, "[limits]\nrequest_seconds_max = 10\ndrain_seconds_max = \"x\"\n").unwrap();
    let error = load_in(Some(&path), &[]).map(|_| ()).unwrap_err().to_string();
    let expect = format!(
        "`limits.drain_seconds_max` in the file {}: expected a whole number, 0 or more, found a text",
        path.display()
    );
    assert_eq!(error, expect);

    let variables = [
        ("TOCSIN_LIMITS__DRAIN_SECONDS_MAX", "5"),
        ("TOCSIN_TEST_TOOLS", "/somewhere"),
        ("TOCSIN_CONFIG", "tocsin.toml"),
        ("HOME", "/root"),
    ];
    let settings = load_in(Some(&path), &variables).unwrap();
    assert_eq!((settings.limits.request_seconds_max, settings.limits.drain_seconds_max), (10, 5));

    let error = load_in(None, &[("TOCSIN_LIMITS__DRAIN_SECONDS_MAX", "soon")]).map(|_| ()).unwrap_err().to_string();
    let expect = "`limits.drain_seconds_max` in the environment variable TOCSIN_LIMITS__DRAIN_SECONDS_MAX: expected a \
                  whole number, 0 or more, found a text";
    assert_eq!(error, expect);
    let error = load_in(None, &[("TOCSIN_DATAFOLDER", "/x")]).map(|_| ()).unwrap_err().to_string();
    let expect = "`datafolder` in the environment variable TOCSIN_DATAFOLDER is not a setting; did you mean \
                  `data_folder`?";
    assert_eq!(error, expect);
    let error = load_in(Some(Path::new("/nowhere/tocsin.toml")), &[]).map(|_| ()).unwrap_err();
    assert!(matches!(error, ConfigError::File { .. }));
}

#[test]
fn secrets_come_from_files_and_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://intake:hunter2@db/tocsin\n").unwrap();
    let text = format!("[database]\nurl_file = {path:?}\n[bus]\npassword = \"hunter2\"\n");
    let settings = Settings::from_text(&text).unwrap();
    assert_eq!(settings.database.url, "postgres://intake:hunter2@db/tocsin");
    assert!(!settings.effective().to_string().contains("hunter2"));
    assert_eq!(settings.effective()["bus"]["password"], "[set]");
    assert!(!format!("{:?} {:?}", settings.bus, settings.database).contains("hunter2"));
    let missing = Settings::from_text("[database]\nurl_file = \"/nowhere\"").map(|_| ()).unwrap_err();
    assert_eq!(missing.to_string(), "`database.url_file` names the file /nowhere, which cannot be read");
}
