//! The same with a process for each service over PostgreSQL and NATS, where a relay marks what the broker took, a broker
//! delivers again what was not acknowledged, and the others live on while one dies.

use tocsin_platform::testing::{NatsServer, PostgresServer};
use tocsin_tests::Outcome;
use tocsin_tests::cast::{delegate, issue};
use tocsin_tests::clients::Clients;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::open;
use tocsin_tests::process::bootstrap_key;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::{people, roster};
use tocsin_tests::trouble::ensure;

use tocsin_proto::triage::v1::Key;

use super::clients::People;
use super::database::Tables;
use super::mortal::Mortal;
use super::{places, proof};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_four_processes_dies_on_the_road_and_nothing_is_lost() -> Outcome<()> {
    let (network, nats) = (open(2, 2), NatsServer::start());
    let database = PostgresServer::shared().await.create_database().await;
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let further = format!("{}\n[telemetry]\nlevel = \"warn\"\n", roster());
    let installation = Installation::distributed(&receivers, &database, &nats.url(), &further)?;
    let mut processes = places::DISTRIBUTED.map(|(service, _)| Mortal::new(&installation, service));
    for process in &mut processes {
        process.live().await?;
    }
    let clients = Clients::of(&installation.doors)?;
    let cast = people(&clients, &bootstrap_key(&installation).await?, &network).await?;
    let delegate = delegate(&clients, &cast.administrator, "org-001", "signatory_delegate").await?;
    let operator = Key {
        actor_id: "staff-operator".to_owned(),
        name: "Operator".to_owned(),
        roles: vec!["operator".to_owned()],
        ..Key::default()
    };
    let operator = issue(&clients, &cast.administrator, operator).await?;
    let people = People::new(&installation, cast, delegate, operator)?;

    for (process, (service, places)) in processes.iter_mut().zip(places::DISTRIBUTED) {
        let walked = process.walk(places, async || people.whole_road().await).await;
        walked.map_err(|trouble| trouble.during(service))?;
    }

    let reports = people.prove_reports().await?;
    people.prove_talk().await?;
    // Nobody but notification sends, so only its deaths may repeat anything.
    let sender = processes.iter().find(|process| process.name() == "notification");
    let lives = sender.map(|process| process.lives.clone()).unwrap_or_default();
    let repeats = people.prove_alerts(&receivers, &network, &lives).await?;
    proof::prove_rest(&Tables::at(&database)).await?;
    let deaths: usize = processes.iter().map(Mortal::deaths).sum();
    let alerts = people.ledger.borrow().released.len();
    println!("fail points, four processes | deaths {deaths} | reports {reports} | alerts {alerts} | repeats {repeats}");
    ensure(alerts >= places::DISTRIBUTED.len(), || format!("only {alerts} alerts were released"))
}
