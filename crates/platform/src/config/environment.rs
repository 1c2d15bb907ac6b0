//! Settings from the environment: `TOCSIN_SERVICES__INTAKE__HTTP` is `services.intake.http`.

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

/// What every variable begins with.
pub(super) const PREFIX: &str = "TOCSIN_";
/// Variables of the command line, the tests and the benchmark that share the prefix and are no settings.
const OTHERS: [&str; 12] = [
    "config",
    "key",
    "server",
    "key_file",
    "receipt",
    "authority",
    "certificate",
    "certificate_key",
    "intake_url",
    "triage_url",
    "dispatch_url",
    "notification_url",
];
/// Beginnings of more such variables.
const OTHER_PREFIXES: [&str; 4] = ["client_", "test_", "bench_", "demo_"];

/// Variables by the key that they set.
#[derive(Debug)]
pub(super) struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// Of this process. What is not UTF-8 is no setting of ours.
    pub(super) fn of_process() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_variables(variables)
    }

    /// Of the given variables.
    pub(super) fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), value)))
            .filter(|(name, _)| !is_other(name))
            .map(|(name, value)| (name.replace("__", "."), value))
            .collect();
        Self { variables }
    }
}

fn is_other(name: &str) -> bool {
    !name.contains("__") && (OTHERS.contains(&name) || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut settings = Dict::new();
        for (key, text) in &self.variables {
            // A text that reads as a number, a boolean or a list is one; the parser cannot fail.
            let value: Value = text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
            insert(&mut settings, key, value);
        }
        Ok(Profile::Default.collect(settings))
    }
}

/// Puts a value under a dotted key; a table takes the place of a value that stood where it must be.
fn insert(table: &mut Dict, key: &str, value: Value) {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let inner = table.entry(first.to_owned()).or_insert_with(|| Value::from(Dict::new()));
    if inner.as_dict().is_none() {
        *inner = Value::from(Dict::new());
    }
    if let Value::Dict(_, inner) = inner {
        insert(inner, rest, value);
    }
}
