//! The distributed form: four processes on PostgreSQL and NATS. The same walk, with `kill -9` of one service after
//! another on the way, and a search of everything that passed over the bus.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::canary::Remains;
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::open;
use tocsin_tests::process::{Running, bootstrap_key, http, wait_until};
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::{people, roster};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Office, STEP_LIMIT, coverage_when, is_settled, submit};
use tocsin_tests::{Outcome, Trouble};

use crate::canaries::{Planter, Talk};

/// The lease of a killed worker's notices ends after 30 s.
const LIMIT: Duration = Duration::from_secs(90);

/// The four processes.
struct House {
    running: Vec<(&'static str, Running)>,
    installation: Installation,
}

impl House {
    async fn start(installation: Installation) -> Outcome<Self> {
        Ok(Self { running: Running::all(&installation).await?, installation })
    }

    fn process(&mut self, service: &str) -> Outcome<&mut Running> {
        let found = self.running.iter_mut().find(|(name, _)| *name == service);
        found.map(|(_, process)| process).ok_or_else(|| Trouble::new(format!("{service} does not run")))
    }

    fn kill(&mut self, service: &str) -> Outcome<()> {
        self.process(service)?.kill()
    }

    async fn start_again(&mut self, service: &str) -> Outcome<()> {
        let mut process = Running::serve(&self.installation, service)?;
        process.ready().await?;
        *self.process(service)? = process;
        Ok(())
    }
}

/// Keeps everything that passes over the bus.
async fn listen(url: &str) -> Outcome<Arc<Mutex<Remains>>> {
    let client = async_nats::connect(url).await?;
    let mut messages = client.subscribe(">").await?;
    client.flush().await?;
    let heard = Arc::new(Mutex::new(Remains::default()));
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        let _client = client;
        while let Some(message) = messages.next().await {
            let mut kept = kept.lock().expect("nobody panics with it");
            kept.add(format!("the headers of {}", message.subject), format!("{:?}", message.headers));
            kept.add("a subject", message.subject.as_bytes());
            kept.add(format!("a payload of {}", message.subject), message.payload.to_vec());
        }
    });
    Ok(heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_carry_one_report_to_everybody_though_each_is_killed_once() -> Outcome<()> {
    let nats = NatsServer::start();
    let database = PostgresServer::shared().await.create_database().await;
    let heard = listen(&nats.url()).await?;
    let network = open(6, 3);
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let further = format!("{}\n[telemetry]\nlevel = \"debug\"\n", roster());
    let installation = Installation::distributed(&receivers, &database, &nats.url(), &further)?;
    let mut house = House::start(installation).await?;
    let doors = house.installation.doors;
    let clients = Clients::of(&doors)?;
    let cast = people(&clients, &bootstrap_key(&house.installation).await?, &network).await?;
    let mut planter = Planter::new("apart");
    let scenario = planter.scenario("GREEN")?;

    // intake takes reports from the moment on that triage's key has reached it.
    wait_until("a first report is taken", STEP_LIMIT, async || {
        submit(&http()?, &doors, scenario.report()).await.map(Some)
    })
    .await?;
    // triage is away: the report is accepted all the same and becomes a case when triage is back.
    house.kill("triage")?;
    let accepted = submit(&http()?, &doors, scenario.report()).await?;
    house.kill("intake")?;
    house.start_again("intake").await?;
    house.start_again("triage").await?;
    let office = Office::of(&clients, &cast, &accepted.report_id).await?;
    office.prepare(&scenario).await?;
    planter.talk(&Talk { clients: &clients, cast: &cast, scenario: &scenario }, &office, &accepted.receipt).await?;
    office.draft_and_approve(scenario.draft()).await?;

    // notification and dispatch die while the alert is on its way through them.
    let released = office.ask_release(false).await?;
    ensure(released.released, || format!("the gate refused: {:?}", released.refusals))?;
    house.kill("dispatch")?;
    house.start_again("dispatch").await?;
    tokio::time::sleep(Duration::from_millis(30)).await;
    house.kill("notification")?;
    house.start_again("notification").await?;
    let coverage =
        coverage_when(&clients, &cast.coordinator, &released.alert_id, "the fan-out settles", LIMIT, is_settled)
            .await?;
    let contacts = network.contacts().len();
    ensure_equal(coverage.notices.len(), 3 * contacts, "notices")?;
    let arrived =
        coverage.notices.iter().filter(|notice| matches!(notice.state.as_str(), "accepted" | "delivered")).count();
    ensure_equal(arrived, 3 * contacts, &format!("notices that arrived, of {:?}", coverage.by_state))?;
    check_arrivals(&receivers, contacts, &released.short_code)?;
    check_bus(&heard, &planter, &house).await
}

/// Everybody got it, and nobody more often than once and once more for the crash.
fn check_arrivals(receivers: &Receivers, contacts: usize, short_code: &str) -> Outcome<()> {
    let mails = receivers.mail.log().all();
    let of_alert = |mail: &[u8]| String::from_utf8_lossy(mail).contains(short_code);
    let mails = mails.iter().filter(|mail| of_alert(&mail.item.data)).count();
    let sms = receivers.sms.log().all().iter().filter(|sms| sms.item.text.contains(short_code)).count();
    let hooks = receivers.webhook.log().count();
    for (count, what) in [(mails, "e-mails"), (sms, "SMS"), (hooks, "webhooks")] {
        ensure((contacts..=2 * contacts).contains(&count), || format!("{count} {what} for {contacts} contacts"))?;
    }
    Ok(())
}

async fn check_bus(heard: &Mutex<Remains>, planter: &Planter, house: &House) -> Outcome<()> {
    let mut metrics = Remains::default();
    let client = http()?;
    for (name, door) in house.installation.doors.all() {
        let text = client.get(format!("http://{}/metrics", door.http)).send().await?.text().await?;
        metrics.add(format!("the metrics of {name}"), text);
    }
    metrics.add_folder(&house.installation.logs())?;
    metrics.add_folder(&house.installation.data())?;
    let heard = heard.lock().expect("nobody panics with it");
    ensure(heard.bytes() > 20_000, || format!("only {} bytes were heard on the bus", heard.bytes()))?;
    let found = [heard.search(planter.canaries()), metrics.search(planter.canaries())].concat();
    ensure(found.is_empty(), || found.join("\n"))?;
    // What the bus should show is there, so the ear was open.
    let mut subject = Planter::new("bus");
    subject.watch("the subject of reports", "tocsin.v1.report.received.urgent");
    ensure(!heard.search(subject.canaries()).is_empty(), || json!(heard.bytes()).to_string())
}
