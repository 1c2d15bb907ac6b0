//! An ordinary user for those who refuse to run as root, and short commands.

use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use tocsin_tests::{Outcome, Trouble, tools};

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

/// Runs a short command to its end.
pub fn run(command: &[&str]) -> Outcome<String> {
    let (program, arguments) = command.split_first().ok_or_else(|| Trouble::new("no command"))?;
    tools::run(Command::new(program).args(arguments))
}
