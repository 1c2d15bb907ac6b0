//! An installation as `deploy/` makes it: secrets from `deploy/prepare`, each given to the service that needs it, the
//! settings of `deploy/settings`, the rules and roles of `deploy/postgresql`, the nodes of `deploy/nats`.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::installation::{Doors, SERVICES};
use crate::program::{binary, root};
use crate::tools::{find_postgresql, run};
use crate::trouble::ensure;
use crate::{Outcome, Trouble};

/// Where the settings of `deploy/` say that secrets are.
pub const SECRETS: &str = "/run/secrets";

/// What `deploy/prepare` made.
#[derive(Debug, Clone)]
pub struct Deployed {
    folder: PathBuf,
}

/// Where the settings of one process point on this machine.
#[derive(Debug)]
pub struct Places<'a> {
    /// What it finds instead of `/run/secrets`.
    pub secrets: &'a Path,
    /// Its data folder.
    pub data: &'a Path,
    /// The addresses of NATS, separated by commas.
    pub nats: &'a str,
    /// Where it and the services that it asks listen.
    pub doors: &'a Doors,
}

/// Where one node of NATS listens.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// For clients.
    pub client: SocketAddr,
    /// For the other nodes.
    pub routes: SocketAddr,
    /// For whoever looks how it is.
    pub monitor: SocketAddr,
}

impl Deployed {
    /// The command that makes it. Where PostgreSQL and NATS are is said in its environment, as its head explains.
    pub fn command(folder: &Path) -> Outcome<Command> {
        let mut prepare = Command::new(root().join("deploy/prepare"));
        prepare.arg(folder).env("TOCSIN", binary()?).env("SECRETS_FOLDER", SECRETS);
        Ok(prepare)
    }

    /// What such a command made in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder around everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of the certificates.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join("certificates").join(name)
    }

    /// Gives a service its secrets, under the names that the compose file gives them, in a folder instead of
    /// `/run/secrets`.
    pub fn lay_out_secrets(&self, service: &str, own: &Path) -> Outcome<()> {
        std::fs::create_dir_all(own)?;
        let mut files = vec![
            ("certificates/authority.pem".to_owned(), "authority"),
            (format!("certificates/{service}.pem"), "certificate"),
            (format!("certificates/{service}.key"), "certificate-key"),
            (format!("secrets/nats/{service}.nk"), "nats-seed"),
        ];
        let keys: &[&str] = match service {
            "triage" => &["triage-master.key"],
            "dispatch" => &["dispatch.key", "dispatch-token.key"],
            "notification" => &["notification-master.key"],
            _ => &[],
        };
        files.extend(keys.iter().map(|key| (format!("secrets/{key}"), *key)));
        for (from, to) in files {
            std::fs::copy(self.folder.join(from), own.join(to))?;
        }
        let url = std::fs::read_to_string(self.folder.join("database-urls").join(service))?;
        Ok(std::fs::write(own.join("database-url"), url.replace(SECRETS, &own.display().to_string()))?)
    }

    /// Writes the configuration of `deploy/nats` into a folder, for one server and for a cluster, with the keys of this
    /// installation.
    pub fn lay_out_nats(&self, own: &Path) -> Outcome<()> {
        std::fs::create_dir_all(own)?;
        for file in ["nats.conf", "accounts.conf", "cluster.conf"] {
            std::fs::write(own.join(file), text_of(&format!("nats/{file}"))?)?;
        }
        for file in ["keys.conf", "route.conf"] {
            std::fs::copy(self.folder.join("nats").join(file), own.join(file))?;
        }
        Ok(())
    }

    /// What that configuration asks of the environment.
    pub fn nats_environment(&self, name: &str, node: &Node, store: &Path) -> Vec<(String, String)> {
        let path = |path: &Path| path.display().to_string();
        let settings = [
            ("NATS_NAME", name.to_owned()),
            ("NATS_CLIENT", node.client.to_string()),
            ("NATS_MONITOR", node.monitor.to_string()),
            ("NATS_ROUTE", node.routes.to_string()),
            ("NATS_STORE", path(store)),
            ("NATS_CERTIFICATE", path(&self.certificate("nats.pem"))),
            ("NATS_KEY", path(&self.certificate("nats.key"))),
            ("NATS_AUTHORITY", path(&self.certificate("authority.pem"))),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// What makes a client trust the services, with the certificate of people and programs.
    pub fn tls(&self) -> Outcome<ClientTlsConfig> {
        let read = |name: &str| std::fs::read(self.certificate(name));
        Ok(ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("authority.pem")?))
            .identity(Identity::from_pem(read("client.pem")?, read("client.key")?)))
    }

    /// A client of the HTTPS doors that trusts this installation's authority alone.
    pub fn web(&self) -> Outcome<reqwest::ClientBuilder> {
        let authority = reqwest::Certificate::from_pem(&std::fs::read(self.certificate("authority.pem"))?)?;
        Ok(reqwest::Client::builder().no_proxy().tls_certs_only([authority]))
    }

    /// Makes roles, database and passwords as `deploy/postgresql` says; `url` is a superuser's.
    pub fn make_roles(&self, url: &str) -> Outcome<()> {
        psql(url, "tocsin.sql", &[])?;
        let mut variables = Vec::new();
        for service in SERVICES {
            let password = std::fs::read_to_string(self.folder.join("passwords").join(service))?;
            variables.extend(["--set".to_owned(), format!("{service}={}", password.trim())]);
        }
        psql(url, "passwords.sql", &variables)
    }

    /// The settings of `deploy/postgresql` as `name=value`, with rules and certificates in `folder`, where whoever owns
    /// the folder can read them. `rule` lets the test's own administrator in.
    pub fn postgresql(&self, folder: &Path, rule: &str) -> Outcome<Vec<String>> {
        let written = folder.join("rules");
        std::fs::write(&written, format!("{rule}\n{}", text_of("postgresql/pg_hba.conf")?))?;
        let rules = give(&written, folder, "pg_hba.conf")?;
        let certificate = give(&self.certificate("postgres.pem"), folder, "certificate")?;
        let key = give(&self.certificate("postgres.key"), folder, "certificate-key")?;
        let authority = give(&self.certificate("authority.pem"), folder, "authority")?;
        let mut settings = Vec::new();
        for line in text_of("postgresql/postgresql.conf")?.lines() {
            let setting = line.split('#').next().unwrap_or_default();
            let Some((name, value)) = setting.split_once('=') else { continue };
            let place = match name.trim() {
                "listen_addresses" => continue,
                "hba_file" => Some(&rules),
                "ssl_cert_file" => Some(&certificate),
                "ssl_key_file" => Some(&key),
                "ssl_ca_file" => Some(&authority),
                _ => None,
            };
            let value = value.trim().trim_matches('\'');
            let value = place.map_or_else(|| value.to_owned(), |path| path.display().to_string());
            settings.push(format!("{}={value}", name.trim()));
        }
        Ok(settings)
    }
}

/// Runs a file of `deploy/postgresql`.
pub fn psql(url: &str, file: &str, variables: &[String]) -> Outcome<()> {
    let mut command = Command::new(find_postgresql("psql")?);
    command.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url]).args(variables);
    run(command.arg("--file").arg(root().join("deploy/postgresql").join(file))).map(|_| ())
}

/// The text of a file of `deploy/`.
pub fn text_of(file: &str) -> Outcome<String> {
    let path = root().join("deploy").join(file);
    std::fs::read_to_string(&path).map_err(|error| Trouble::from(error).during(&path.display().to_string()))
}

/// The settings of `deploy/settings` with the places of this machine, where nobody collects traces.
pub fn settings_at(places: &Places<'_>) -> Outcome<String> {
    let doors = places.doors;
    let mut text = replace(&text_of("settings/tocsin.toml")?, SECRETS, &places.secrets.display().to_string())?;
    for (theirs, ours) in [
        ("data_folder = \"/tmp\"", format!("data_folder = \"{}\"", places.data.display())),
        ("https://localhost:7413", format!("https://{}", doors.dispatch.http)),
        ("nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222", places.nats.to_owned()),
        ("otlp_endpoint", "# otlp_endpoint".to_owned()),
    ] {
        text = replace(&text, theirs, &ours)?;
    }
    for (number, (name, door)) in (1..).zip(doors.all()) {
        text = replace(&text, &format!("0.0.0.0:740{number}"), &door.grpc.to_string())?;
        text = replace(&text, &format!("0.0.0.0:741{number}"), &door.http.to_string())?;
        text = replace(&text, &format!("https://{name}:740{number}"), &format!("https://{}", door.grpc))?;
    }
    Ok(text)
}

/// Copies a file so that the owner of the folder, and nobody else, may read it.
fn give(from: &Path, folder: &Path, name: &str) -> Outcome<PathBuf> {
    let (owner, path) = (std::fs::metadata(folder)?, folder.join(name));
    std::fs::copy(from, &path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    chown(&path, Some(owner.uid()), Some(owner.gid()))?;
    Ok(path)
}

/// Puts a place of this machine where the settings of `deploy/` name one of theirs. A name that is not there any more is
/// an error: the test would start something else than it says.
pub fn replace(text: &str, theirs: &str, ours: &str) -> Outcome<String> {
    ensure(text.contains(theirs), || format!("deploy/settings/tocsin.toml does not hold `{theirs}` any more"))?;
    Ok(text.replace(theirs, ours))
}
