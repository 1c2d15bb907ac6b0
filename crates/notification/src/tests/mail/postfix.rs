//! Through a real Postfix with its own configuration folder: delivery, refusals, greylisting, STARTTLS, and a bounce that
//! Postfix wrote itself.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_sinks::MailSink;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::super::harness::{Alert, Harness, PATIENCE};
use super::sinks::{attempt, smarthosts};
use super::tools::{Running, free_port, run, smtp_sink, until_listening};
use super::unsubscribe::suppressions;

const MESSAGE: &[u8] = b"From: alerts@tocsin.example\r\nSubject: x\r\n\r\nbody\r\n";

/// A Postfix of its own.
struct Postfix {
    folder: tempfile::TempDir,
    port: u16,
}

/// What a test wants of it.
#[derive(Default)]
struct Wishes {
    /// `recipient action` lines.
    access: String,
    /// `domain transport` lines.
    transport: String,
    /// The port of a policy service.
    policy: Option<u16>,
    /// Requires STARTTLS, with this certificate and key.
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Postfix {
    async fn start(wishes: Wishes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["queue", "data"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        // Its processes run as an ordinary user and must get in.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        run(Command::new("chown").arg("postfix").arg(at("data")));
        std::fs::write(at("access"), &wishes.access).unwrap();
        std::fs::write(at("transport"), &wishes.transport).unwrap();
        let port = free_port();
        std::fs::write(at("main.cf"), main_settings(folder.path(), &wishes)).unwrap();
        std::fs::write(at("master.cf"), master_settings(port)).unwrap();
        let postfix = Self { folder, port };
        postfix.control("start");
        until_listening(port, "Postfix").await;
        postfix
    }

    fn control(&self, verb: &str) {
        let mut command = Command::new("/usr/sbin/postfix");
        let status = command.arg("-c").arg(self.folder.path()).arg(verb).output();
        let output = status.unwrap_or_else(|error| panic!("Postfix does not start ({error}): run tests/tools"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || verb == "stop", "{errors}{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.control("stop");
    }
}

fn main_settings(folder: &Path, wishes: &Wishes) -> String {
    let folder = folder.display();
    let policy = wishes.policy.map(|port| format!(", check_policy_service inet:127.0.0.1:{port}")).unwrap_or_default();
    let tls = wishes.certificate.as_ref().map_or_else(
        || "smtpd_tls_security_level = none\n".to_owned(),
        |(certificate, key)| {
            format!(
                "smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n",
                certificate.display(),
                key.display()
            )
        },
    );
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/log\nmaillog_file_prefixes = {folder}\nmyhostname = mail.tocsin.example\n\
         mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         relay_domains = org-1.example, gone.example, tocsin.example\nalias_maps =\nlocal_recipient_maps =\n\
         transport_maps = texthash:{folder}/transport\nrecipient_delimiter = +\nsmtp_dns_support_level = disabled\n\
         smtp_host_lookup = native\nsmtpd_delay_reject = yes\nsmtpd_client_restrictions =\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/access{policy}, permit_mynetworks, reject\n\
         smtpd_peername_lookup = no\nminimal_backoff_time = 5s\nqueue_run_delay = 5s\n{tls}"
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
        ("lmtp", "unix  - - n - - lmtp"),
        ("error", "unix  - - n - - error"),
        ("retry", "unix  - - n - - error"),
        ("anvil", "unix  - - n - 1 anvil"),
        ("scache", "unix  - - n - 1 scache"),
        ("postlog", "unix-dgram n - n - 1 postlogd"),
    ];
    services.map(|(name, rest)| format!("{name} {rest}\n")).concat().replace("PORT", &port.to_string())
}

/// A greylisting policy service: whoever comes for the first time is to come again.
async fn greylist() -> (u16, Arc<Mutex<HashSet<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::<Mutex<HashSet<String>>>::default());
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut recipient = String::new();
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if let Some(given) = line.strip_prefix("recipient=") {
                        given.trim().clone_into(&mut recipient);
                    }
                    if line.trim().is_empty() {
                        let first = kept.lock().unwrap().insert(recipient.clone());
                        let action = if first { "DEFER 4.7.1 greylisted, come again" } else { "DUNNO" };
                        if stream.write_all(format!("action={action}\n\n").as_bytes()).await.is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (port, seen)
}

fn plain(postfix: &Postfix) -> String {
    format!("host = '127.0.0.1'\nport = {}\ntls = 'none'", postfix.port)
}

#[tokio::test]
async fn it_delivers_refuses_and_postpones() {
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let postfix = Postfix::start(Wishes {
        access: "unknown@org-1.example 550 5.1.1 unknown\nfull@org-1.example 452 4.2.2 full\n\
                 policy@org-1.example 554 5.7.1 not from you\n"
            .to_owned(),
        transport: format!("org-1.example smtp:[127.0.0.1]:{}\n", sink.address().port()),
        ..Wishes::default()
    })
    .await;
    let smarthosts = smarthosts(&plain(&postfix));
    for (to, expected) in [
        ("unknown@org-1.example", "refused 550"),
        ("full@org-1.example", "later 452"),
        ("policy@org-1.example", "later 554"),
        ("duty@org-1.example", "accepted 250"),
        ("duty@org-1.example", "accepted 250"),
    ] {
        assert_eq!(attempt(&smarthosts, to, MESSAGE).await, expected, "{to}");
    }
    wait_until("both arrived", PATIENCE, async || sink.log().count() == 2).await;
    let arrived = sink.log().all();
    for one in arrived {
        let text = String::from_utf8(one.item.data).unwrap();
        assert_eq!(one.item.from, "alerts+token@tocsin.example");
        assert!(text.trim_end().ends_with("\r\n\r\nbody"), "{text}");
    }
}

#[tokio::test]
async fn greylisted_notices_come_again_and_arrive_once() {
    let (policy, seen) = greylist().await;
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let transport = format!("org-1.example smtp:[127.0.0.1]:{}\n", sink.address().port());
    let postfix = Postfix::start(Wishes { transport, policy: Some(policy), ..Wishes::default() }).await;
    let more = "retry = { email_temporary_seconds = [0], email_then_every_seconds = 0 }";
    let address = (Ipv4Addr::LOCALHOST, postfix.port).into();
    let harness = Harness::start_before(TestDatabase::sqlite(), more, address, sink).await;
    let contacts: Vec<_> = (1..=3).map(|number| harness.contact("org-1", number, "en", &["email"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted", "org-1-c2 email accepted", "org-1-c3 email accepted"]).await;
    wait_until("all arrived", PATIENCE, async || harness.mail.log().count() == 3).await;
    assert_eq!(seen.lock().unwrap().len(), 3, "each was turned away once");
    assert!(suppressions(&harness, Role::Operator).await.is_empty(), "and it counts against nobody");
    harness.stop().await;
}

#[tokio::test]
async fn starttls_is_used_and_its_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let path = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority = path("authority.pem", issuer.pem());
    let certificate = Some((path("leaf.pem", leaf.pem()), path("leaf.key", key.serialize_pem())));
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let transport = format!("org-1.example smtp:[127.0.0.1]:{}\n", sink.address().port());
    let postfix = Postfix::start(Wishes { transport, certificate, ..Wishes::default() }).await;
    let at = |host: &str, tls: &str, authority: Option<&Path>| {
        let authority = authority.map(|path| format!("authority = '{}'\n", path.display())).unwrap_or_default();
        smarthosts(&format!("host = '{host}'\nport = {}\ntls = '{tls}'\n{authority}", postfix.port))
    };
    let to = "duty@org-1.example";
    assert_eq!(attempt(&at("localhost", "starttls", Some(&authority)), to, MESSAGE).await, "accepted 250");
    // Nobody vouches for it; it is somebody else; it is not TLS from the first byte; clear text is refused by itself.
    assert_eq!(attempt(&at("localhost", "starttls", None), to, MESSAGE).await, "later tls_failed");
    assert_eq!(attempt(&at("127.0.0.1", "starttls", Some(&authority)), to, MESSAGE).await, "later tls_failed");
    assert_eq!(attempt(&at("localhost", "implicit", Some(&authority)), to, MESSAGE).await, "later tls_failed");
    assert_eq!(attempt(&at("localhost", "none", None), to, MESSAGE).await, "later 530");
    wait_until("one arrived", PATIENCE, async || sink.log().count() == 1).await;
}

#[tokio::test]
async fn a_bounce_that_postfix_wrote_ends_its_notice() {
    let (_refuses, refuses): (Running, _) = smtp_sink(&["-f", "RCPT", "-B", "550 5.1.1 no such user"]).await;
    let door = free_port();
    let postfix = Postfix::start(Wishes {
        transport: format!(
            "gone.example smtp:[127.0.0.1]:{}\ntocsin.example lmtp:inet:127.0.0.1:{door}\n",
            refuses.port()
        ),
        ..Wishes::default()
    })
    .await;
    let sink = MailSink::start(Duration::ZERO).await.unwrap();
    let more = format!("[notification.email.bounces]\nlisten = '127.0.0.1:{door}'\n");
    let address = (Ipv4Addr::LOCALHOST, postfix.port).into();
    let harness = Harness::start_before(TestDatabase::sqlite(), &more, address, sink).await;
    let mut contact = harness.contact("org-1", 1, "en", &["email"]);
    contact.email = "duty@gone.example".to_owned();
    harness.import(vec![contact.clone()]).await.unwrap();
    let mut states = Vec::new();
    for _ in 0..2 {
        harness.request(&Alert::new("p1", "AMBER"), std::slice::from_ref(&contact)).await;
        states.push("org-1-c1 email rejected_permanent");
        harness.until(&states).await;
    }
    let failed = harness.progress().remove(0);
    assert_eq!((failed.reason.as_str(), failed.handed_to.as_str()), ("bounced_5.1.1", "Coordinator One"));
    let seen = suppressions(&harness, Role::Coordinator).await;
    assert_eq!((seen[0].contact_id.as_str(), seen[0].kind.as_str()), ("org-1-c1", "hard_bounces"));
    harness.stop().await;
}
