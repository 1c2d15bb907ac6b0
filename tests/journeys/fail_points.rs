//! A process dies at every place of `platform::fail_points`, before and after each commit and between all other acts,
//! and the promise holds: nothing that was answered with success is lost, effects happen once, and each death repeats
//! at most one message to a recipient. A place that is never reached fails the journey by its name.

mod aged;
mod clients;
mod custody;
mod database;
mod distributed;
mod ledger;
mod mortal;
mod office;
mod places;
mod proof;
mod start;

use tocsin_platform::fail_points::{COMMITS, STEPS};
use tocsin_tests::Outcome;
use tocsin_tests::installation::Installation;
use tocsin_tests::network::open;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::stage::roster;
use tocsin_tests::trouble::ensure;

use database::Tables;
use mortal::{Mortal, name_of};

#[test]
fn every_place_to_die_is_walked_or_says_why_not() {
    let commits = COMMITS.iter().flat_map(|name| [format!("{name}.before"), format!("{name}.after")]);
    let mut expected: Vec<String> = commits.chain(STEPS.iter().map(|name| (*name).to_owned())).collect();
    let walked = places::EMBEDDED.into_iter().chain(places::DISTRIBUTED.map(|(_, places)| places)).flatten();
    let mut listed: Vec<String> = walked.map(|place| name_of(place).to_owned()).collect();
    listed.extend(places::NOT_WALKED.iter().map(|(name, _)| (*name).to_owned()));
    listed.sort_unstable();
    listed.dedup();
    expected.sort_unstable();
    assert_eq!(listed, expected, "places that are walked or excused, and places that the product has");
    for (name, reason) in places::NOT_WALKED {
        let also = places::EMBEDDED.into_iter().flatten().any(|place| name_of(place) == *name);
        assert!(!also && !reason.is_empty(), "{name} is walked and excused");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_dies_at_every_place_and_nothing_is_lost() -> Outcome<()> {
    let network = open(2, 2);
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let further = format!("{}\n[telemetry]\nlevel = \"warn\"\n", roster());
    let installation = Installation::embedded(&receivers, &further)?;
    let tables = Tables::of(&installation);
    let mut process = Mortal::new(&installation, "up");
    process.walk(places::START, async || Ok(())).await?;
    let people = start::people(&installation, &network, &mut process).await?;

    process.walk(places::REPORT, async || people.open_case().await.map(|_| ())).await?;
    process.walk(places::BURST, async || people.burst().await).await?;
    process.walk(places::CASE, async || people.whole_road().await).await?;
    process.walk(places::DELIVERY, async || people.whole_road().await).await?;
    aged::walk(&people, &tables, &mut process).await?;

    let reports = people.prove_reports().await?;
    people.prove_talk().await?;
    people.prove_keys().await?;
    let repeats = people.prove_alerts(&receivers, &network, &process.lives).await?;
    proof::prove_rest(&tables).await?;
    aged::restore(&people, &mut process).await?;
    let deaths = process.deaths();
    let alerts = people.ledger.borrow().released.len();
    println!("fail points | deaths {deaths} | reports {reports} | alerts {alerts} | repeats {repeats}");
    ensure(alerts > 2, || format!("only {alerts} alerts were released"))
}
