//! `tocsin secrets`: the key files that all processes of a service share, and a key pair at NATS for each service and for
//! its operator.

use std::path::{Path, PathBuf};

use serde_json::json;
use tocsin_platform::seal::MasterKey;
use tocsin_proto::catalogue::Service;
use zeroize::Zeroizing;

use crate::arguments::certs::SecretsCommand;
use crate::created::{Created, PUBLIC_MODE, SECRET_MODE};
use crate::exit::{Exit, Failed};
use crate::output::{self, Form};

/// Where the key pairs for NATS go.
const NATS_FOLDER: &str = "nats";
/// The people who look after NATS sign in to its system account under this name.
const OPERATOR: &str = "operator";

/// Carries the command out.
pub(crate) fn run(form: Form, command: SecretsCommand) -> Result<(), Failed> {
    let SecretsCommand::New(new) = command;
    let made = make(&new.folder)?;
    match form {
        Form::Json => {
            let files: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
            output::print(&format!("{:#}", json!({"files": files})));
        }
        Form::Text => {
            let lines: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
            output::print(&lines.join("\n"));
            eprintln!("without these files no case can be read: copy them to a safe place, apart from the databases");
        }
    }
    Ok(())
}

/// Makes every file, over none that exists: a key that is lost takes what it opens with it.
fn make(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let keys: Vec<PathBuf> = key_file_names().map(|name| folder.join(name)).collect();
    let pair = |name: &str| ["nk", "pub"].map(|end| folder.join(NATS_FOLDER).join(format!("{name}.{end}")));
    let pairs: Vec<_> = Service::ALL.map(Service::as_str).into_iter().chain([OPERATOR]).map(pair).collect();
    if let Some(path) = keys.iter().chain(pairs.as_flattened()).find(|path| path.exists()) {
        return Err(Failed::new(Exit::Refused, format!("{} exists already, and is not written over", path.display()))
            .advise("name another folder; secrets in use must stay what they are"));
    }
    let mut created = Created::default();
    created.folder(folder)?;
    created.folder(&folder.join(NATS_FOLDER))?;
    for path in &keys {
        let text = MasterKey::new_file_text();
        let text = text.map_err(|error| Failed::other("a key could not be made", &error))?;
        created.file(path, &text, SECRET_MODE)?;
    }
    for [seed_path, public_path] in &pairs {
        let pair = nkeys::KeyPair::new_user();
        let seed = pair.seed().map(Zeroizing::new);
        let seed = seed.map_err(|error| Failed::other("a key pair for NATS could not be made", &error))?;
        created.file(seed_path, &Zeroizing::new(format!("{}\n", seed.as_str())), SECRET_MODE)?;
        created.file(public_path, &format!("{}\n", pair.public_key()), PUBLIC_MODE)?;
    }
    created.keep()?;
    Ok(keys.into_iter().chain(pairs.into_iter().flatten()).collect())
}

/// The names of the key files of every service.
pub(crate) fn key_file_names() -> impl Iterator<Item = &'static str> {
    tocsin_triage::KEY_FILES.into_iter().chain(tocsin_dispatch::KEY_FILES).chain(tocsin_notification::KEY_FILES)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn every_file_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("secrets");
        let files = make(&place).unwrap();
        assert_eq!(files.len(), 4 + 2 * (4 + 1));
        for path in &files {
            let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let expected = if path.extension().is_some_and(|end| end == "pub") { 0o644 } else { 0o600 };
            assert_eq!(mode, expected, "{}", path.display());
        }
        for name in Service::ALL.map(Service::as_str).into_iter().chain([OPERATOR]) {
            let read = |end: &str| std::fs::read_to_string(place.join(format!("nats/{name}.{end}"))).unwrap();
            let pair = nkeys::KeyPair::from_seed(read("nk").trim()).unwrap();
            assert_eq!(pair.public_key(), read("pub").trim());
            assert!(pair.public_key().starts_with('U'), "a user of NATS");
        }
        let before = std::fs::read(place.join("triage-master.key")).unwrap();
        let refused = make(&place).unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        std::fs::remove_file(place.join("dispatch.key")).unwrap();
        assert!(make(&place).is_err(), "a folder that lacks one is not filled up with another's");
        assert_eq!(std::fs::read(place.join("triage-master.key")).unwrap(), before);
        assert!(!place.join("dispatch.key").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_filled_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let nats = folder.path().join(NATS_FOLDER);
        std::fs::create_dir(&nats).unwrap();
        // The last file: its name is taken, though nothing is found there.
        std::os::unix::fs::symlink("nowhere", nats.join("operator.pub")).unwrap();
        let failed = make(folder.path()).unwrap_err();
        assert!(failed.message.contains("operator.pub"), "{}", failed.message);
        let left = |place: &Path| std::fs::read_dir(place).unwrap().count();
        assert_eq!((left(folder.path()), left(&nats)), (1, 1), "the folder for NATS and the link in it");
        std::fs::remove_file(nats.join("operator.pub")).unwrap();
        make(folder.path()).unwrap();
        MasterKey::load_or_create(&folder.path().join("triage-master.key")).unwrap();
    }
}
