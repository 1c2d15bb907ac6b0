//! The permissions of `deploy/nats/accounts.conf` against the catalogue of events: every service has what its part
//! needs, and nothing more.

use std::collections::BTreeSet;

use tocsin_proto::catalogue::{Lane, Service, consumed_by, produced_by};
use tocsin_tests::program::root;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

/// What one user may do: subjects to publish, and subjects to subscribe to (with their queue group).
#[derive(Debug, Default, PartialEq, Eq)]
struct Allowed {
    publish: BTreeSet<String>,
    subscribe: BTreeSet<String>,
}

fn stream(producer: Service) -> String {
    format!("TOCSIN_{}", producer.as_str().to_ascii_uppercase())
}

/// What the catalogue says that a service must be able to do.
fn expected(service: Service) -> Allowed {
    let own = stream(service);
    let mut allowed = Allowed::default();
    allowed.publish.extend(produced_by(service).map(|kind| format!("tocsin.v1.{}.*", kind.name)));
    allowed.publish.extend(["CREATE", "UPDATE", "INFO"].map(|verb| format!("$JS.API.STREAM.{verb}.{own}")));
    allowed.publish.insert(format!("$JS.API.CONSUMER.INFO.{own}.*"));
    allowed.subscribe.insert(format!("_INBOX_{own}.>"));
    allowed.subscribe.insert(format!("tocsin.v1.settle.{service} {service}"));
    let producers: BTreeSet<Service> = consumed_by(service).map(|kind| kind.producer).collect();
    for producer in producers {
        let of = stream(producer);
        allowed.publish.insert(format!("tocsin.v1.settle.{producer}"));
        allowed.publish.insert(format!("$JS.API.STREAM.INFO.{of}"));
        for lane in Lane::ALL {
            let durable = format!("{service}-on-{producer}-{}", lane.as_str());
            let verbs = ["CREATE", "INFO", "DELETE", "PAUSE", "MSG.NEXT"];
            allowed.publish.extend(verbs.map(|verb| format!("$JS.API.CONSUMER.{verb}.{of}.{durable}")));
            allowed.publish.insert(format!("$JS.ACK.{of}.{durable}.>"));
            allowed.subscribe.insert(format!("$JS.EVENT.ADVISORY.CONSUMER.*.{of}.{durable} {service}"));
        }
    }
    allowed
}

/// Everything in double quotes, each only once: a file in which subjects are repeated is read by nobody.
fn quoted(text: &str) -> Outcome<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for subject in text.split('"').skip(1).step_by(2) {
        ensure(found.insert(subject.to_owned()), || format!("accounts.conf says `{subject}` twice for one user"))?;
    }
    Ok(found)
}

/// What the file allows the user with this variable as its key.
fn written(text: &str, variable: &str) -> Outcome<Allowed> {
    let missing = || Trouble::new(format!("accounts.conf has no user ${variable} with permissions"));
    let (_, rest) = text.split_once(&format!("nkey: ${variable}\n")).ok_or_else(missing)?;
    let rest = rest.split("nkey:").next().unwrap_or_default();
    let (publish, subscribe) = rest.split_once("subscribe {").ok_or_else(missing)?;
    Ok(Allowed { publish: quoted(publish)?, subscribe: quoted(subscribe)? })
}

#[test]
fn every_service_may_do_its_part_on_the_bus_and_nothing_more() -> Outcome<()> {
    let text = std::fs::read_to_string(root().join("deploy/nats/accounts.conf"))?;
    for service in Service::ALL {
        let found = written(&text, &format!("NKEY_{}", service.as_str().to_ascii_uppercase()))?;
        let wanted = expected(service);
        for (found, wanted, what) in
            [(&found.publish, &wanted.publish, "publish"), (&found.subscribe, &wanted.subscribe, "subscribe")]
        {
            let lacks: Vec<_> = wanted.difference(found).collect();
            let beyond: Vec<_> = found.difference(wanted).collect();
            ensure(lacks.is_empty() && beyond.is_empty(), || {
                format!("{service}, {what}: accounts.conf lacks {lacks:?} and has beyond that {beyond:?}")
            })?;
        }
    }
    ensure_equal(text.matches("nkey: $NKEY_").count(), Service::ALL.len() + 1, "users, one of them the operator")
}
