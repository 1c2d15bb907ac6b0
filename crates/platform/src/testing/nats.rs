//! A NATS server with `JetStream` and a store of its own.

use std::path::PathBuf;

use tempfile::TempDir;

use super::process::{self, Server};
use crate::bus::NatsSettings;

/// A NATS server on a free loopback port; it ends when this is dropped.
#[derive(Debug)]
pub struct NatsServer {
    server: Option<Server>,
    program: PathBuf,
    folder: TempDir,
    port: u16,
}

impl NatsServer {
    /// Starts a server and waits until it listens.
    ///
    /// # Panics
    /// When the program is missing or does not start.
    pub fn start() -> Self {
        let mut server = Self::prepare();
        server.start_again();
        server
    }

    /// Chooses a port but starts nothing yet: [`NatsServer::start_again`] does.
    ///
    /// # Panics
    /// When the program is missing.
    pub fn prepare() -> Self {
        let program = process::find("nats-server", &[]);
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        Self { server: None, program, folder, port: process::free_port() }
    }

    /// Says more about the server, in the words of its configuration file, from the next start on.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn configure(&mut self, text: &str) {
        let written = std::fs::write(self.configuration(), text);
        written.unwrap_or_else(|error| panic!("the configuration of NATS cannot be written: {error}"));
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("nats.conf")
    }

    /// Stops the server and keeps its store.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts the server on the same port and store.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let log = self.folder.path().join("log");
        let store = self.folder.path().join("store");
        let mut command = vec![
            self.program.display().to_string(),
            "--jetstream".to_owned(),
            format!("--store_dir={}", store.display()),
            "--addr=127.0.0.1".to_owned(),
            format!("--port={}", self.port),
        ];
        if self.configuration().exists() {
            command.push(format!("--config={}", self.configuration().display()));
        }
        let mut server = Server::start(&command, "KILL", &log, None);
        server.wait_for_port(self.port, &log);
        self.server = Some(server);
    }

    /// Removes everything that the stopped server has stored.
    pub fn wipe(&self) {
        // A store that does not exist is as empty as can be.
        let _ = std::fs::remove_dir_all(self.folder.path().join("store"));
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The settings for a bus on it.
    pub fn settings(&self) -> NatsSettings {
        NatsSettings { url: self.url(), ..NatsSettings::default() }
    }
}
