//! Long lists of commands in groups, in the order in which they are needed.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::Arguments;

/// Headings and the commands under them.
type Groups = &'static [(&'static str, &'static [&'static str])];

const TOP: Groups = &[
    ("See it", &["demo"]),
    (
        "Run it",
        &[
            "up",
            "serve",
            "health",
            "migrate",
            "doctor",
            "backup",
            "restore",
            "certs",
            "secrets",
            "config",
            "completions",
        ],
    ),
    ("Use it", &["report", "case", "alert"]),
    ("Administer it", &["org", "staff", "contact", "key"]),
    ("Look after deliveries", &["notice", "gateway", "suppression", "bus"]),
];

const CASE: Groups = &[
    ("See", &["list", "show"]),
    ("First answer", &["acknowledge", "answer"]),
    ("Verify and weigh", &["verify", "assess", "consent"]),
    ("Draft and approve", &["draft", "submit", "approve", "reject"]),
    ("Release", &["preview", "release", "stop"]),
];

/// The whole command line, its long lists grouped.
pub(crate) fn command() -> clap::Command {
    grouped(Arguments::command(), TOP).mut_subcommand("case", |case| grouped(case, CASE))
}

/// Writes the commands of one level under headings. A command that no group names would vanish from the help; a test
/// holds that there is none.
fn grouped(command: clap::Command, groups: Groups) -> clap::Command {
    let about = |name: &str| {
        let found = command.get_subcommands().find(|known| known.get_name() == name);
        found.and_then(clap::Command::get_about).map(ToString::to_string).unwrap_or_default()
    };
    let width = command.get_subcommands().map(|known| known.get_name().len()).max().unwrap_or_default();
    let mut list = String::new();
    for (heading, names) in groups {
        let _ = writeln!(list, "{heading}:");
        for name in *names {
            let _ = writeln!(list, "  {name:<width$}  {}", about(name));
        }
        list.push('\n');
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}Options:\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_one_group() {
        let whole = Arguments::command();
        let case = whole.find_subcommand("case").unwrap().clone();
        for (command, groups) in [(whole, TOP), (case, CASE)] {
            let mut known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            let mut named: Vec<_> = groups.iter().flat_map(|(_, names)| names.iter().copied()).collect();
            known.sort_unstable();
            named.sort_unstable();
            assert_eq!(known, named);
        }
    }
}
