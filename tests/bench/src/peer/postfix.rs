//! A Postfix with a configuration folder of its own that relays whatever it is given to one server.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::{free_address, is_root, until_listening};

const PROGRAM: &str = "/usr/sbin/postfix";

/// A running Postfix; it ends when dropped.
pub(crate) struct Postfix {
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // If it did not start, there is nothing to stop.
        let _ = self.control("stop");
    }
}

impl Postfix {
    /// Starts it with at most `sessions` to `relay`; none, with a word, where it cannot be started.
    pub(crate) async fn start(relay: SocketAddr, sessions: usize) -> Result<Option<Self>> {
        if !Path::new(PROGRAM).exists() || !is_root() {
            eprintln!("Postfix is not installed, or this is not root, who must start it: it is left out");
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        // Its processes run as an ordinary user and must get in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        for name in ["queue", "data"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        let owned = Command::new("chown").arg("postfix").arg(folder.path().join("data")).status()?;
        ensure!(owned.success(), "the folder could not be given to Postfix");
        let address = free_address()?;
        std::fs::write(folder.path().join("main.cf"), main_settings(folder.path(), relay, sessions))?;
        std::fs::write(folder.path().join("master.cf"), master_settings(address.port()))?;
        let postfix = Self { folder, address };
        postfix.control("start")?;
        until_listening(address, "Postfix").await?;
        Ok(Some(postfix))
    }

    fn control(&self, verb: &str) -> Result<()> {
        let output = Command::new(PROGRAM).arg("-c").arg(self.folder.path()).arg(verb).output()?;
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        ensure!(output.status.success(), "Postfix: {}{log}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

fn main_settings(folder: &Path, relay: SocketAddr, sessions: usize) -> String {
    let (folder, host, port) = (folder.display(), relay.ip(), relay.port());
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/log\nmaillog_file_prefixes = {folder}\nmyhostname = mail.tocsin.example\n\
         mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         relayhost = [{host}]:{port}\nalias_maps =\nlocal_recipient_maps =\nsmtp_dns_support_level = disabled\n\
         smtp_host_lookup = native\nsmtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_peername_lookup = no\n\
         smtpd_tls_security_level = none\nsmtp_tls_security_level = none\n\
         initial_destination_concurrency = {sessions}\ndefault_destination_concurrency_limit = {sessions}\n\
         smtpd_client_connection_count_limit = 0\ndefault_process_limit = 200\n"
    )
}

/// The services that a relaying server needs, none of them in a changed root.
fn master_settings(port: u16) -> String {
    let services = [
        ("127.0.0.1:PORT", "inet  n - n - - smtpd"),
        ("pickup", "unix  n - n 60 1 pickup"),
        ("cleanup", "unix  n - n - 0 cleanup"),
        ("qmgr", "unix  n - n 5 1 qmgr"),
        ("tlsmgr", "unix  - - n 1000? 1 tlsmgr"),
        ("rewrite", "unix  - - n - - trivial-rewrite"),
        ("bounce", "unix  - - n - 0 bounce"),
        ("defer", "unix  - - n - 0 bounce"),
        ("trace", "unix  - - n - 0 bounce"),
        ("proxymap", "unix  - - n - - proxymap"),
        ("smtp", "unix  - - n - - smtp"),
        ("relay", "unix  - - n - - smtp"),
        ("error", "unix  - - n - - error"),
        ("retry", "unix  - - n - - error"),
        ("anvil", "unix  - - n - 1 anvil"),
        ("scache", "unix  - - n - 1 scache"),
        ("postlog", "unix-dgram n - n - 1 postlogd"),
    ];
    services.map(|(name, rest)| format!("{name} {rest}\n")).concat().replace("PORT", &port.to_string())
}
