//! A real Kannel (bearerbox, smsbox) with its fake carrier, in a folder of its own on free loopback ports.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{free_address, until_listening};

const BEARERBOX: &str = "/usr/sbin/bearerbox";
const SMSBOX: &str = "/usr/sbin/smsbox";
const FAKE_CARRIER: &str = "/usr/lib/kannel/test/fakesmsc";
const USER: &str = "tester";
const PASSWORD: &str = "foobar";

/// A running Kannel; its programs end when it is dropped, the fake carrier first.
pub(crate) struct Kannel {
    programs: Vec<Child>,
    folder: TempDir,
    sending: SocketAddr,
}

impl Drop for Kannel {
    fn drop(&mut self) {
        for program in self.programs.iter_mut().rev() {
            // It may have ended by itself; either way it is gone afterwards.
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

impl Kannel {
    /// Starts it; none, with a word, where it is not installed.
    pub(crate) async fn start() -> Result<Option<Self>> {
        if ![BEARERBOX, SMSBOX, FAKE_CARRIER].into_iter().all(|program| Path::new(program).exists()) {
            eprintln!("Kannel with its fake carrier is not installed: it is left out");
            return Ok(None);
        }
        let (admin, boxes, sending, carrier) = (free_address()?, free_address()?, free_address()?, free_address()?);
        let mut kannel = Self { programs: Vec::new(), folder: tempfile::tempdir()?, sending };
        let configuration = format!(
            "group = core\nadmin-port = {}\nadmin-interface = 127.0.0.1\nadmin-password = {PASSWORD}\n\
             smsbox-port = {}\nsmsbox-interface = 127.0.0.1\nbox-allow-ip = 127.0.0.1\nbox-deny-ip = *.*.*.*\n\n\
             group = smsc\nsmsc = fake\nsmsc-id = fake\nhost = 127.0.0.1\nport = {}\nconnect-allow-ip = 127.0.0.1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {}\nsendsms-interface = 127.0.0.1\n\
             http-request-retry = 20\nhttp-queue-delay = 1\n\n\
             group = sendsms-user\nusername = {USER}\npassword = {PASSWORD}\ndefault-sender = 1234\n\n\
             group = sms-service\nkeyword = default\nmax-messages = 0\ntext = \"\"\n",
            admin.port(),
            boxes.port(),
            carrier.port(),
            sending.port(),
        );
        std::fs::write(kannel.folder.path().join("kannel.conf"), configuration)?;
        kannel.run(BEARERBOX, &["-v", "4", "kannel.conf"], "bearerbox.log")?;
        until_listening(boxes, "bearerbox").await?;
        kannel.run(SMSBOX, &["-v", "4", "kannel.conf"], "smsbox.log")?;
        until_listening(sending, "smsbox").await?;
        kannel.run(FAKE_CARRIER, &["-H", "127.0.0.1", "-r", &carrier.port().to_string()], "phones.log")?;
        Ok(Some(kannel))
    }

    fn run(&mut self, program: &str, arguments: &[&str], log: &str) -> Result<()> {
        let log = std::fs::File::create(self.folder.path().join(log))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::piped());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        self.programs.push(child.with_context(|| format!("{program} does not start"))?);
        Ok(())
    }

    /// The section of the settings that names it.
    pub(crate) fn settings(&self) -> String {
        format!(
            "[[notification.sms.gateways]]\nname = \"kannel\"\nkind = \"kannel\"\nusername = \"{USER}\"\n\
             password = \"{PASSWORD}\"\nurl = \"{}\"\n",
            self.url()
        )
    }

    /// Its sending door.
    fn url(&self) -> String {
        format!("http://{}/cgi-bin/sendsms", self.sending)
    }

    /// A request by the barest client, for both receipts.
    pub(crate) fn request(
        &self,
        client: &reqwest::Client,
        to: &str,
        text: &str,
        receipts: &str,
    ) -> reqwest::RequestBuilder {
        client.get(self.url()).query(&[
            ("username", USER),
            ("password", PASSWORD),
            ("to", to),
            ("text", text),
            ("charset", "UTF-8"),
            ("coding", "0"),
            ("dlr-mask", "31"),
            ("dlr-url", receipts),
        ])
    }

    /// How many messages have come to each of these numbers so far.
    pub(crate) fn at_phones(&self, numbers: &[String]) -> Result<HashMap<String, usize>> {
        let log = std::fs::read(self.folder.path().join("phones.log"))?;
        let log = String::from_utf8_lossy(&log);
        let mut found: HashMap<String, usize> = numbers.iter().map(|number| (number.clone(), 0)).collect();
        for word in log.split(|character: char| !character.is_ascii_digit() && character != '+') {
            if let Some(count) = found.get_mut(word) {
                *count += 1;
            }
        }
        Ok(found)
    }
}
