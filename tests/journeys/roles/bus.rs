//! What each service can do on the bus beyond its part: nothing. Every attempt is made with the service's own key and
//! certificate, and the server's refusal of that very subject is awaited.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use tocsin_proto::catalogue::{CATALOGUE, Lane, Service, consumed_by};
use tocsin_tests::process::http;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};
use tokio::sync::mpsc;

use super::house::House;

const LIMIT: Duration = Duration::from_secs(20);

/// A connection and what the server refused on it.
struct Voice {
    client: Client,
    refusals: mpsc::UnboundedReceiver<String>,
}

/// Files by which somebody signs in.
struct Papers {
    seed: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
    authority: PathBuf,
}

impl Papers {
    fn of(house: &House, name: &str) -> Self {
        let made = house.made();
        let certificate = |end: &str| made.join("certificates").join(format!("{name}.{end}"));
        Self {
            seed: Some(made.join("secrets/nats").join(format!("{name}.nk"))),
            certificate: Some((certificate("pem"), certificate("key"))),
            authority: made.join("certificates/authority.pem"),
        }
    }

    async fn sign_in(&self, url: &str, inbox: &str) -> Outcome<Voice> {
        let (sender, refusals) = mpsc::unbounded_channel();
        let mut options = ConnectOptions::new().custom_inbox_prefix(inbox).require_tls(true);
        options = options.add_root_certificates(self.authority.clone()).connection_timeout(Duration::from_secs(5));
        if let Some(seed) = &self.seed {
            options = options.nkey(std::fs::read_to_string(seed)?.trim().to_owned());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let options = options.event_callback(move |event| {
            let sender = sender.clone();
            async move {
                if let Event::ServerError(error) = event {
                    let _ = sender.send(error.to_string());
                }
            }
        });
        Ok(Voice { client: options.connect(url).await?, refusals })
    }
}

impl Voice {
    /// Waits until the server has refused each of these subjects.
    async fn all_refused(&mut self, what: &str, subjects: &[String]) -> Outcome<()> {
        let quoted = |subject: &str| format!("\"{}\"", subject.to_lowercase());
        let mut open: BTreeSet<String> = subjects.iter().map(|subject| quoted(subject)).collect();
        ensure_equal(open.len(), subjects.len(), "different subjects")?;
        while !open.is_empty() {
            let refusal = tokio::time::timeout(LIMIT, self.refusals.recv()).await;
            let refusal = refusal.ok().flatten().map(|text| text.to_lowercase());
            let Some(refusal) = refusal else { return Err(Trouble::new(format!("{what}: allowed: {open:?}"))) };
            open.retain(|subject| !refusal.contains(subject));
        }
        Ok(())
    }

    async fn cannot_publish(&mut self, who: Service, subjects: &[String]) -> Outcome<()> {
        for subject in subjects {
            self.client.publish(subject.clone(), "not to be taken".into()).await?;
        }
        self.client.flush().await?;
        self.all_refused(&format!("{who} publishes"), subjects).await
    }

    async fn cannot_subscribe(&mut self, who: Service, subjects: &[String]) -> Outcome<()> {
        let mut kept = Vec::new();
        for subject in subjects {
            kept.push(self.client.subscribe(subject.clone()).await?);
        }
        self.client.flush().await?;
        self.all_refused(&format!("{who} subscribes"), subjects).await
    }
}

fn stream(producer: Service) -> String {
    format!("TOCSIN_{}", producer.as_str().to_ascii_uppercase())
}

fn others(service: Service) -> impl Iterator<Item = Service> {
    Service::ALL.into_iter().filter(move |other| *other != service)
}

/// The producers that a service hears.
fn heard_by(service: Service) -> BTreeSet<Service> {
    consumed_by(service).map(|kind| kind.producer).collect()
}

/// What a service must not be able to say.
fn forbidden_to_say(service: Service) -> Vec<String> {
    let mut subjects = Vec::new();
    let foreign = CATALOGUE.iter().filter(|kind| kind.producer != service);
    subjects.extend(foreign.flat_map(|kind| Lane::ALL.map(|lane| kind.subject(lane))));
    for producer in Service::ALL {
        let of = stream(producer);
        // Not even its own stream may a service delete, empty or read by place.
        let verbs = ["DELETE", "PURGE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "LEADER.STEPDOWN", "PEER.REMOVE"];
        subjects.extend(verbs.map(|verb| format!("$JS.API.STREAM.{verb}.{of}")));
        subjects.push(format!("$JS.API.DIRECT.GET.{of}"));
        subjects.push(format!("$JS.API.CONSUMER.CREATE.{of}"));
        subjects.push(format!("$JS.API.CONSUMER.CREATE.{of}.thief"));
        subjects.push(format!("$JS.API.CONSUMER.DURABLE.CREATE.{of}.thief"));
        if producer != service {
            subjects.extend(["CREATE", "UPDATE"].map(|verb| format!("$JS.API.STREAM.{verb}.{of}")));
            subjects.push(format!("_INBOX_{of}.answer"));
            if !heard_by(service).contains(&producer) {
                subjects.push(format!("$JS.API.STREAM.INFO.{of}"));
                subjects.push(format!("tocsin.v1.settle.{producer}"));
            }
        }
    }
    for other in others(service) {
        for producer in heard_by(other) {
            let (of, durable) = (stream(producer), format!("{other}-on-{producer}-urgent"));
            let verbs = ["CREATE", "DELETE", "MSG.NEXT", "PAUSE"];
            subjects.extend(verbs.map(|verb| format!("$JS.API.CONSUMER.{verb}.{of}.{durable}")));
            subjects.push(format!("$JS.ACK.{of}.{durable}.1.1.1.1.0"));
        }
    }
    subjects.extend(["$SYS.REQ.SERVER.PING", "$JS.API.STREAM.LIST", "_INBOX.anybody"].map(str::to_owned));
    subjects
}

/// What a service must not be able to hear.
fn forbidden_to_hear(service: Service) -> Vec<String> {
    let mut subjects: Vec<String> = CATALOGUE.iter().map(|kind| kind.subject(Lane::Urgent)).collect();
    for other in others(service) {
        subjects.push(format!("_INBOX_{}.>", stream(other)));
        subjects.push(format!("tocsin.v1.settle.{other}"));
    }
    // Its own settlements it hears only as one of its replicas.
    subjects.push(format!("tocsin.v1.settle.{service}"));
    subjects.extend([">", "tocsin.>", "_INBOX.>", "$SYS.>", "$JS.>", "$JS.EVENT.ADVISORY.>"].map(str::to_owned));
    subjects
}

pub(super) async fn check(house: &House) -> Outcome<()> {
    let url = house.nats_url();
    for service in Service::ALL {
        let mut voice =
            Papers::of(house, service.as_str()).sign_in(&url, &format!("_INBOX_{}", stream(service))).await?;
        // It is the refusals that are looked for: what is allowed is answered.
        voice.client.request(format!("$JS.API.STREAM.INFO.{}", stream(service)), "".into()).await?;
        ensure(voice.refusals.try_recv().is_err(), || format!("{service} was refused its own stream"))?;
        voice.cannot_publish(service, &forbidden_to_say(service)).await?;
        voice.cannot_subscribe(service, &forbidden_to_hear(service)).await?;
    }
    check_ways_in(house, &url).await?;
    check_closed_doors(house).await
}

/// A key without a certificate opens nothing, nor a certificate without a key; the operator sees the servers, and
/// nothing of what they carry.
async fn check_ways_in(house: &House, url: &str) -> Outcome<()> {
    let whole = || Papers::of(house, "intake");
    let no_certificate = Papers { certificate: None, ..whole() };
    ensure(no_certificate.sign_in(url, "_INBOX").await.is_err(), || {
        "a key without a certificate was let in".to_owned()
    })?;
    let no_key = Papers { seed: None, ..whole() };
    ensure(no_key.sign_in(url, "_INBOX").await.is_err(), || "a certificate without a key was let in".to_owned())?;
    let operator = Papers { seed: Papers::of(house, "operator").seed, ..Papers::of(house, "client") };
    let operator = operator.sign_in(url, "_INBOX").await?;
    operator.client.request("$SYS.REQ.SERVER.PING", "".into()).await?;
    let stream = operator.client.request("$JS.API.STREAM.INFO.TOCSIN_INTAKE", "".into()).await;
    let hidden = match stream {
        Err(_) => true,
        Ok(answer) => String::from_utf8_lossy(&answer.payload).contains("error"),
    };
    ensure(hidden, || "the operator sees the streams of Tocsin".to_owned())
}

/// MQTT, WebSocket and leaf nodes are off.
async fn check_closed_doors(house: &House) -> Outcome<()> {
    let address = format!("http://{}/varz", house.nats.monitor);
    let figures: serde_json::Value = serde_json::from_str(&http()?.get(address).send().await?.text().await?)?;
    for door in ["mqtt", "websocket", "leaf"] {
        ensure(figures[door]["port"].is_null(), || format!("{door} is open: {}", figures[door]))?;
    }
    ensure_equal(&figures["max_payload"], &serde_json::json!(8 * 1024 * 1024), "max_payload")?;
    ensure_equal(&figures["tls_required"], &serde_json::json!(true), "tls_required")
}
