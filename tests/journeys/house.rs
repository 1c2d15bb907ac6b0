//! What holds for the whole house. The direction of dependencies, from the workspace's own metadata: `domain <- proto <-
//! platform <- services <- tocsin`. The places at which a test can end the process, from the sources.

use std::collections::{BTreeMap, BTreeSet};

use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};
use tocsin_platform::fail_points::{COMMITS, STEPS};
use tocsin_tests::program::root;

/// What each crate of the house may name in its `[dependencies]`, of the crates of the house. A new edge is a decision
/// for `docs/adr`.
const ALLOWED: [(&str, &[&str]); 12] = [
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
    ("tocsin-bench", &["tocsin-domain", "tocsin-proto", "tocsin-platform", "tocsin-sinks", "tocsin-tests"]),
    ("tocsin-cluster", &["tocsin-proto", "tocsin-platform", "tocsin-sinks", "tocsin-tests"]),
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

/// The sources of what is shipped, each with its path: no tests, and no servers for tests.
fn shipped_sources() -> Vec<(String, String)> {
    fn gather(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() && name != "tests" && name != "testing" {
                gather(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).expect("the source is text");
                // Tests stand at the end of a file.
                let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
                found.push((path.display().to_string(), shipped));
            }
        }
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("the crates are there").flatten() {
        gather(&entry.path().join("src"), &mut found);
    }
    assert!(found.len() > 200, "only {} sources were found", found.len());
    found
}

/// The first text in quotes of each call that begins so, where it has one.
fn names_given_to<'a>(text: &'a str, call: &str) -> Vec<&'a str> {
    let arguments = text.split(call).skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    arguments.filter_map(|arguments| arguments.split('"').nth(1)).collect()
}

#[test]
fn every_commit_goes_through_the_one_place() {
    for (path, text) in shipped_sources() {
        if path.contains("platform/src/database/") {
            continue;
        }
        let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        assert!(!compact.contains(".commit().await"), "{path} commits past `database::commit`");
        // A commit without a name could not be killed at.
        let unnamed = compact.match_indices("database::commit(").any(|(at, _)| {
            let arguments = compact[at..].split(')').next().unwrap_or_default();
            !arguments.contains('"')
        });
        assert!(!unnamed, "{path} has a commit without a name");
    }
}

#[test]
fn every_place_to_die_is_listed_and_reached() {
    let (mut commits, mut steps) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in shipped_sources() {
        if path.ends_with("platform/src/fail_points.rs") {
            continue;
        }
        let in_house = |name: &&str| name.contains('.') && !name.contains(' ');
        commits.extend(names_given_to(&text, "commit(").into_iter().filter(in_house).map(str::to_owned));
        steps.extend(names_given_to(&text, "reach(").into_iter().filter(in_house).map(str::to_owned));
    }
    for (what, listed, found) in [("COMMITS", COMMITS, commits), ("STEPS", STEPS, steps)] {
        assert!(listed.is_sorted(), "{what} is not sorted");
        let listed: BTreeSet<String> = listed.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(listed, found, "{what} and the sources say different things");
    }
}
