//! Independent programs that journeys run: found in `PATH`, where Debian keeps those for administrators, and in the
//! folder of test tools. A missing one fails the journey and says how it comes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, Trouble};

/// Where programs are looked for, in this order.
fn folders() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = tools().map(|folder| folder.join("bin"));
    let administrators = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(tools).chain(administrators).collect()
}

fn tools() -> Option<PathBuf> {
    std::env::var_os("TOCSIN_TEST_TOOLS").map(PathBuf::from)
}

/// A program that may be missing.
pub fn look_for(program: &str) -> Option<PathBuf> {
    folders().into_iter().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// A program that `make tools` installs.
pub fn find(program: &str) -> Outcome<PathBuf> {
    look_for(program).ok_or_else(|| {
        Trouble::new(format!(
            "`{program}` is neither in PATH nor in $TOCSIN_TEST_TOOLS/bin: `make test` installs it and sets that variable"
        ))
    })
}

/// A program of PostgreSQL, of the newest version where Debian keeps each in a folder of its own.
pub fn find_postgresql(program: &str) -> Outcome<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(program)).collect();
    folders.sort();
    match folders.pop().filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => find(program),
    }
}

/// The Python with the independent clients.
pub fn python() -> Outcome<PathBuf> {
    let own = tools().map(|folder| folder.join("python/bin/python"));
    own.filter(|path| path.is_file()).ok_or_else(|| {
        Trouble::new("$TOCSIN_TEST_TOOLS/python is missing: `make test` makes it and sets that variable")
    })
}

/// Runs a program to its end and returns what it said; the trouble shows everything it said.
pub fn run(command: &mut Command) -> Outcome<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command.output().map_err(|error| Trouble::from(error).during(&format!("starting {name}")))?;
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(Trouble::new(format!("{name} ended with {}:\n{said}", output.status)))
}
