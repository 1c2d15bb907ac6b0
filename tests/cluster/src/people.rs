//! Who uses the cluster: everybody's key, and a network that was imported.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tocsin_tests::Outcome;
use tocsin_tests::cast::{Cast, delegate};
use tocsin_tests::clients::Clients;
use tocsin_tests::network::Network;
use tocsin_tests::process::first_key;
use tocsin_tests::stage::people;

use crate::cluster::logs;

/// Imports the network and gives everybody a key; the first comes from the log of the process that printed it.
pub async fn assemble(folder: &Path, clients: &Clients, network: &Network) -> Outcome<Cast> {
    let administrator = first_key(&logs(folder)).await?;
    people(clients, &administrator, network).await
}

/// Writes a file for each person's key, for its owner alone, and returns their folder.
pub async fn write_keys(folder: &Path, clients: &Clients, cast: &Cast, organisation: &str) -> Outcome<PathBuf> {
    let keys = folder.join("keys");
    std::fs::create_dir_all(&keys)?;
    let member = delegate(clients, &cast.administrator, organisation, "signatory_delegate").await?;
    let [first, second] = &cast.approvers;
    for (name, secret) in [
        ("administrator", &cast.administrator),
        ("coordinator", &cast.coordinator),
        ("verifier", &cast.verifier),
        ("approver-1", first),
        ("approver-2", second),
        ("member", &member),
    ] {
        let path = keys.join(format!("{name}.key"));
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
        writeln!(file, "{secret}")?;
    }
    Ok(keys)
}
