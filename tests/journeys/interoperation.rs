//! Programs that others wrote speak with a running installation of four processes: a NATS client and the CloudEvents
//! SDK read an event, and a gRPC client that knows only what reflection tells calls every method of every service.

use std::collections::BTreeMap;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::{Installation, SERVICES};
use tocsin_tests::network::open;
use tocsin_tests::process::{Running, bootstrap_key, http, wait_until};
use tocsin_tests::program::{fixture_json, root};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::{people, roster};
use tocsin_tests::tools::python;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{STEP_LIMIT, submit};
use tocsin_tests::{Outcome, Trouble};

/// Methods that take reports need no key: the receipt is the key.
const INTAKE: &str = "tocsin.intake.v1.IntakeService";

/// Runs one of the scripts, and reads the JSON that it prints.
fn script<T: for<'a> Deserialize<'a>>(name: &str, arguments: &[String], key: &str) -> Outcome<T> {
    let mut command = Command::new(python()?);
    command.arg(root().join("tests/interoperation").join(name)).args(arguments).env("TOCSIN_TEST_KEY", key);
    for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    let output = command.output()?;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure(output.status.success(), || format!("{name} ended with {}:\n{said}\n{errors}", output.status))?;
    serde_json::from_str(&said).map_err(|error| Trouble::from(error).during(&format!("{name} said {said}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn independent_clients_understand_what_we_say() -> Outcome<()> {
    let nats = NatsServer::start();
    let database = PostgresServer::shared().await.create_database().await;
    let network = open(1, 1);
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let installation = Installation::distributed(&receivers, &database, &nats.url(), &roster())?;
    let _processes = Running::all(&installation).await?;
    let clients = Clients::of(&installation.doors)?;
    let administrator = bootstrap_key(&installation).await?;
    people(&clients, &administrator, &network).await?;
    let scenario = fixture_json("scenarios/workshop-detention.json")?;
    let accepted = wait_until("a report is taken", STEP_LIMIT, async || {
        submit(&http()?, &installation.doors, &scenario["report"]).await.map(Some)
    })
    .await?;
    let url = nats.url();
    tokio::task::spawn_blocking(move || check_event(&url, &accepted.report_id)).await??;
    let doors: Vec<String> =
        installation.doors.all().iter().map(|(name, door)| format!("{name}={}", door.grpc)).collect();
    tokio::task::spawn_blocking(move || check_calls(&doors, &administrator)).await?
}

#[derive(Debug, Deserialize)]
struct Heard {
    subject: String,
    message_id: String,
    event: BTreeMap<String, Value>,
    payload: String,
}

/// One event of a report, read and found valid by others.
fn check_event(url: &str, report_id: &str) -> Outcome<()> {
    let heard: Heard = script("read_event.py", &[url.to_owned(), "tocsin.v1.report.received.*".to_owned()], "")?;
    let attribute = |name: &str| heard.event.get(name).and_then(Value::as_str).unwrap_or_default();
    for (name, expected) in [
        ("specversion", "1.0"),
        ("type", "tocsin.v1.report.received"),
        ("source", "urn:tocsin:intake"),
        ("subject", report_id),
        ("datacontenttype", "application/protobuf"),
        ("aggregateversion", "1"),
    ] {
        ensure_equal(attribute(name), expected, name)?;
    }
    uuid::Uuid::parse_str(attribute("id"))?;
    ensure(heard.message_id.starts_with(attribute("id")), || format!("Nats-Msg-Id is {}", heard.message_id))?;
    ensure(heard.subject.ends_with(attribute("lane")), || format!("{} is not in its lane", heard.subject))?;
    let payload = STANDARD.decode(&heard.payload)?;
    ensure(payload.windows(report_id.len()).any(|part| part == report_id.as_bytes()), || {
        "the payload does not name the report".to_owned()
    })
}

#[derive(Debug, Deserialize)]
struct Called {
    without: String,
    with: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Health {
    code: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Calls {
    services: BTreeMap<String, BTreeMap<String, Called>>,
    health: BTreeMap<String, Health>,
}

/// Every method that the protos name was reachable, and answered as the rules of the house say.
fn check_calls(doors: &[String], key: &str) -> Outcome<()> {
    let calls: Calls = script("call_services.py", doors, key)?;
    let mut expected = methods_of_the_protos()?;
    for (service, methods) in &calls.services {
        let named = expected.remove(service.as_str()).unwrap_or_default();
        ensure_equal(methods.keys().cloned().collect::<Vec<_>>(), named, &format!("methods of {service}"))?;
        for (method, called) in methods {
            let what = || format!("{service}/{method}: {called:?}");
            if service == INTAKE {
                ensure_equal(&called.without, &called.with, &what())?;
            } else {
                ensure_equal(called.without.as_str(), "UNAUTHENTICATED", &what())?;
            }
            // An administrator may not do everything, and empty requests are refused; but each is understood.
            let answers =
                ["OK", "INVALID_ARGUMENT", "NOT_FOUND", "PERMISSION_DENIED", "FAILED_PRECONDITION", "UNAUTHENTICATED"];
            let answers = if service == INTAKE { &answers[..] } else { &answers[..5] };
            ensure(answers.contains(&called.with.as_str()), what)?;
            ensure(called.with == "OK" || !called.reason.is_empty(), || format!("no ErrorInfo in {}", what()))?;
        }
    }
    ensure(expected.is_empty(), || format!("not served anywhere: {expected:?}"))?;
    for service in SERVICES {
        let health = calls.health.get(service).ok_or_else(|| Trouble::new(format!("no health of {service}")))?;
        ensure(health.code == "OK" && health.status == "SERVING", || format!("{service}: {health:?}"))?;
    }
    let well = calls.services.values().flat_map(BTreeMap::values).filter(|called| called.with == "OK").count();
    ensure(well >= 4, || format!("only {well} calls went well: {:?}", calls.services))
}

/// The services of the protos with their methods, sorted, as the sources name them.
fn methods_of_the_protos() -> Outcome<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in std::fs::read_dir(root().join("proto/tocsin"))? {
        for file in std::fs::read_dir(folder?.path().join("v1"))? {
            let text = std::fs::read_to_string(file?.path())?;
            let package = text.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
            let package = package.ok_or_else(|| Trouble::new("a proto names no package"))?;
            let mut service = String::new();
            for line in text.lines() {
                if let Some(name) = line.strip_prefix("service ") {
                    service = format!("{package}.{}", name.trim_end_matches(" {"));
                } else if let Some((name, _)) = line.trim().strip_prefix("rpc ").and_then(|rest| rest.split_once('(')) {
                    found.entry(service.clone()).or_default().push(name.to_owned());
                }
            }
        }
    }
    for methods in found.values_mut() {
        methods.sort();
    }
    Ok(found)
}
