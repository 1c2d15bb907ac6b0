//! The direction of dependencies, from the workspace's own metadata: `domain <- proto <- platform <- services <- tocsin`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate of the house may name in its `[dependencies]`, of the crates of the house. A new edge is a decision
/// for `docs/adr`.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("tocsin-domain", &[]),
    ("tocsin-proto", &["tocsin-domain"]),
    ("tocsin-platform", &["tocsin-domain", "tocsin-proto"]),
    ("tocsin-intake", &SERVICE),
    ("tocsin-triage", &SERVICE),
    ("tocsin-dispatch", &SERVICE),
    ("tocsin-notification", &SERVICE),
    ("tocsin-sinks", &[]),
    ("tocsin", &EVERYTHING),
    ("tocsin-tests", &EVERYTHING),
    ("tocsin-bench", &["tocsin-proto", "tocsin-platform", "tocsin-sinks", "tocsin-tests"]),
];
const SERVICE: [&str; 3] = ["tocsin-domain", "tocsin-proto", "tocsin-platform"];
const EVERYTHING: [&str; 8] = [
    "tocsin-domain",
    "tocsin-proto",
    "tocsin-platform",
    "tocsin-intake",
    "tocsin-triage",
    "tocsin-dispatch",
    "tocsin-notification",
    "tocsin-sinks",
];

/// Crates that mean a runtime, a database, a bus or a wire; `domain` decides without any of them.
const RUNTIMES: [&str; 12] = [
    "tokio",
    "futures",
    "async-trait",
    "sea-orm",
    "sqlx",
    "async-nats",
    "tonic",
    "prost",
    "axum",
    "hyper",
    "reqwest",
    "tracing",
];

/// Each workspace crate with the names in its `[dependencies]`, tests and builds aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata answers");
    metadata
        .packages
        .into_iter()
        .map(|package| {
            let names = package.dependencies.into_iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            (package.name.to_string(), names.map(|dependency| dependency.name).collect())
        })
        .collect()
}

#[test]
fn dependencies_run_one_way() {
    let found = dependencies();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let present: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(present, known, "a crate came or went: say in this table on what it may depend");
    for (name, allowed) in ALLOWED {
        for dependency in found[name].iter().filter(|dependency| present.contains(dependency.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_domain_names_no_runtime() {
    let domain = &dependencies()["tocsin-domain"];
    for runtime in RUNTIMES {
        assert!(!domain.contains(runtime), "tocsin-domain must not depend on {runtime}");
    }
}
