//! A real Kannel: bearerbox, smsbox and its fake carrier, with a configuration of their own on free loopback ports.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use tempfile::TempDir;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Alert, Harness, PATIENCE};
use super::sms_providers::an_alert;

const TOKEN: &str = "a-long-token-in-the-path";
/// Numbers of the carrier that refuses everything.
const REFUSED_PREFIX: &str = "+4477009001";

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A program that ends with the test.
struct Program(Child);

impl Program {
    fn start(program: &str, arguments: &[&str], folder: &Path, log: &str) -> Self {
        let log = std::fs::File::create(folder.join(log)).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{program} does not start ({error}): run tests/tools")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The gateway and the phone network behind it.
struct Kannel {
    folder: TempDir,
    smsc_port: u16,
    ports: [u16; 4],
    programs: Vec<Program>,
    phone: Option<Program>,
}

impl Kannel {
    fn prepare() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            smsc_port: free_port(),
            ports: [free_port(), free_port(), free_port(), free_port()],
            programs: Vec::new(),
            phone: None,
        }
    }

    fn settings(&self) -> String {
        format!(
            "[[notification.sms.gateways]]\nname = 'kannel'\nkind = 'kannel'\nusername = 'tester'\npassword = 'foobar'\n\
             callback_token = '{TOKEN}'\nurl = 'http://127.0.0.1:{}/cgi-bin/sendsms'\n",
            self.ports[2]
        )
    }

    /// Starts everything, with `http` for what comes in and a carrier that refuses the numbers of one range.
    async fn start(&mut self, http: &str, carrier: SocketAddr) {
        let [admin, box_port, sendsms, carrier_receipts] = self.ports;
        let smsc = self.smsc_port;
        let configuration = format!(
            "group = core\nadmin-port = {admin}\nadmin-interface = 127.0.0.1\nadmin-password = tester\n\
             smsbox-port = {box_port}\nsmsbox-interface = 127.0.0.1\nbox-allow-ip = 127.0.0.1\nbox-deny-ip = *.*.*.*\n\n\
             group = smsc\nsmsc = fake\nsmsc-id = fake\nhost = 127.0.0.1\nport = {smsc}\nconnect-allow-ip = 127.0.0.1\n\
             denied-prefix = \"{REFUSED_PREFIX}\"\n\n\
             group = smsc\nsmsc = http\nsmsc-id = carrier\nsystem-type = kannel\nsmsc-username = u\nsmsc-password = p\n\
             port = {carrier_receipts}\nsend-url = \"http://{carrier}/send\"\nallowed-prefix = \"{REFUSED_PREFIX}\"\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {sendsms}\nsendsms-interface = 127.0.0.1\n\
             http-request-retry = 20\nhttp-queue-delay = 1\n\n\
             group = sendsms-user\nusername = tester\npassword = foobar\ndefault-sender = 1234\n\n\
             group = sms-service\nkeyword = default\ncatch-all = true\nmax-messages = 0\nomit-empty = true\n\
             get-url = \"{http}/inbound/kannel/{TOKEN}?from=%p&text=%a&id=%I&charset=%C\"\n"
        );
        std::fs::write(self.folder.path().join("kannel.conf"), configuration).unwrap();
        self.run("bearerbox", "bearerbox.log");
        listens(box_port).await;
        self.run("smsbox", "smsbox.log");
        listens(sendsms).await;
        let smsc = smsc.to_string();
        let arguments = ["-H", "127.0.0.1", "-r", &smsc];
        let fake = "/usr/lib/kannel/test/fakesmsc";
        self.phone = Some(Program::start(fake, &arguments, self.folder.path(), "phone.log"));
    }

    fn run(&mut self, program: &str, log: &str) {
        let path = format!("/usr/sbin/{program}");
        self.programs.push(Program::start(&path, &["-v", "1", "kannel.conf"], self.folder.path(), log));
    }

    /// What reached the phones.
    fn phones(&self) -> String {
        let log = std::fs::read(self.folder.path().join("phone.log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// A phone writes.
    fn write(&mut self, from: &str, text: &str) {
        let phone = self.phone.as_mut().unwrap();
        writeln!(phone.0.stdin.as_mut().unwrap(), "{from} 1234 text {text}").unwrap();
    }
}

async fn listens(port: u16) {
    let open = async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    wait_until("a part of Kannel listens", PATIENCE, open).await;
}

/// A carrier with an HTTP interface that refuses everything; what it was asked is kept.
async fn refusing_carrier() -> (SocketAddr, Arc<Mutex<u32>>) {
    let asked: Arc<Mutex<u32>> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counted = Arc::clone(&asked);
    let router = axum::Router::new().fallback(move || async move {
        *counted.lock().unwrap() += 1;
        (StatusCode::FORBIDDEN, "Authorization failed for sendsms")
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

#[tokio::test]
async fn kannel_delivers_refuses_and_brings_replies() {
    for database in TestDatabase::both().await {
        let mut kannel = Kannel::prepare();
        let harness = Harness::start_only(database, &kannel.settings()).await;
        let (carrier, asked) = refusing_carrier().await;
        kannel.start(harness.http(), carrier).await;
        let contacts = vec![
            harness.contact("org-1", 1, "en", &["sms"]),
            harness.contact("org-2", 2, "ar", &["sms"]),
            harness.contact("org-3", 100, "en", &["sms"]),
        ];
        let imported = harness.import(contacts.clone()).await.unwrap();
        harness.request(&an_alert("p1", "AMBER"), &contacts).await;
        harness.until(&["org-1-c1 sms delivered", "org-2-c2 sms delivered", "org-3-c100 sms rejected_permanent"]).await;
        assert!(*asked.lock().unwrap() >= 1, "the refusal came from the carrier");
        let word = &imported.secrets[0].shared_word;
        let arrived = async || {
            let phones = kannel.phones();
            phones.contains("TOCSIN A7F3-K2W CRITICAL. Answer by ") && phones.contains(word)
        };
        wait_until("the phone shows it", PATIENCE, arrived).await;

        kannel.write("+447700900001", "ack a7f3k2w");
        let replies = || harness.dispatch.heard.lock().unwrap().replies.clone();
        wait_until("dispatch hears of the acknowledgement", PATIENCE, async || replies().len() == 1).await;
        assert_eq!((replies()[0].contact_id.as_str(), replies()[0].channel.as_str()), ("org-1-c1", "sms"));

        kannel.write("447700900001", "Stop");
        let confirmed = async || kannel.phones().contains("you will get no more text messages");
        wait_until("the phone has a confirmation", PATIENCE, confirmed).await;
        harness.request(&Alert { revision: 1, ..an_alert("p1", "AMBER") }, &contacts[..1]).await;
        let suppressed = || harness.states().iter().any(|state| state == "org-1-c1 sms suppressed_consent");
        wait_until("the number gets no more", PATIENCE, async || suppressed()).await;
        assert_eq!(kannel.phones().matches("no more text messages").count(), 1);
        harness.stop().await;
    }
}
