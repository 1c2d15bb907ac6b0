//! Finds the program under test, and the files that come with the source.

use std::path::{Path, PathBuf};

use crate::{Outcome, Trouble};

/// The root of the source tree.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The real `tocsin`: `TOCSIN_BINARY`, else the one of the quick profile in cargo's target folder.
pub fn binary() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("TOCSIN_BINARY") {
        return Ok(PathBuf::from(named));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let built = target.join("quick").join("tocsin");
    if built.is_file() {
        return Ok(built);
    }
    Err(Trouble::new(format!(
        "{} is missing: `make test` builds it (cargo build --profile quick --package tocsin --features tocsin/fail-points), or name one in TOCSIN_BINARY",
        built.display()
    )))
}

/// A file of `fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

/// A JSON file of `fixtures/`.
pub fn fixture_json(name: &str) -> Outcome<serde_json::Value> {
    let path = fixture(name);
    let text =
        std::fs::read_to_string(&path).map_err(|error| Trouble::from(error).during(&path.display().to_string()))?;
    Ok(serde_json::from_str(&text)?)
}
