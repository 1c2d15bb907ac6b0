//! Finds the servers that a cluster is made of, and an ordinary user for those that refuse to run as root.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use tocsin_tests::program::root;
use tocsin_tests::{Outcome, Trouble};

/// A program in `PATH`, in the folder of test tools, or in one of `elsewhere`.
pub fn find(program: &str, elsewhere: &[PathBuf]) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = std::env::var_os("TOCSIN_TEST_TOOLS").map_or_else(|| root().join(".tools"), PathBuf::from).join("bin");
    let mut folders = std::env::split_paths(&path).chain([tools]).chain(elsewhere.iter().cloned());
    let found = folders.find_map(|folder| Some(folder.join(program)).filter(|candidate| candidate.is_file()));
    found.ok_or_else(|| Trouble::new(format!("`{program}` is missing: `make tools` installs it")))
}

/// Debian keeps the programs of each PostgreSQL in a folder of their own; the newest comes first.
pub fn postgres_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// The words before a command that make it run as somebody else.
#[derive(Debug, Clone, Default)]
pub struct User {
    identity: Option<(u32, u32)>,
}

impl User {
    /// This user, or an ordinary one when this user is root.
    pub fn ordinary() -> Outcome<Self> {
        if !is_root() {
            return Ok(Self::default());
        }
        for name in ["postgres", "nobody"] {
            if let (Some(user), Some(group)) = (number("-u", name), number("-g", name)) {
                return Ok(Self { identity: Some((user, group)) });
            }
        }
        Err(Trouble::new("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody"))
    }

    /// What stands before the command.
    pub fn prefix(&self) -> Vec<String> {
        let Some((user, group)) = self.identity else { return Vec::new() };
        ["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Gives a folder to this user.
    pub fn give(&self, folder: &Path) -> Outcome<()> {
        if let Some((user, group)) = self.identity {
            chown(folder, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn number(option: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([option, name]).output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Runs a short command to its end; a failure shows what it said.
pub fn run(command: &[&str]) -> Outcome<String> {
    let (program, arguments) = command.split_first().ok_or_else(|| Trouble::new("no command"))?;
    let output =
        Command::new(program).args(arguments).output().map_err(|error| Trouble::from(error).during(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Trouble::new(format!("`{}` failed: {said}", command.join(" "))))
}
