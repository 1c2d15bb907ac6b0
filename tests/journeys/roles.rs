//! The distributed form under the very files of `deploy/`: its settings, its PostgreSQL, its NATS, and the secrets that
//! `deploy/prepare` makes. Each service can do its part and nothing more, in the database and on the bus.

mod bus;
mod database;
mod house;
mod servers;

use std::time::Duration;

use serde_json::Value;
use tocsin_tests::network::open;
use tocsin_tests::process::wait_until;
use tocsin_tests::program::fixture_json;
use tocsin_tests::receivers::Receivers;
use tocsin_tests::scenario::Scenario;
use tocsin_tests::stage::people;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::walk::{Accepted, Office, STEP_LIMIT, coverage_when, is_settled};
use tocsin_tests::{Outcome, Trouble};

use house::House;

/// The last notice, with everything on one machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Submits a report over the HTTPS door.
async fn submit(house: &House, report: &Value) -> Outcome<Accepted> {
    let request = house.web()?.post(format!("{}/v1/reports", house.web_address("intake")?));
    let request = request.header("idempotency-key", uuid::Uuid::now_v7().to_string()).json(report);
    let answer = request.send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    ensure(status == reqwest::StatusCode::CREATED, || format!("intake answered {status}: {body}"))?;
    Ok(serde_json::from_str(&body)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_least_rights_a_report_still_reaches_everybody_and_nobody_can_do_more() -> Outcome<()> {
    let network = open(3, 2);
    let receivers = Receivers::start(network.webhook_hosts()).await?;
    let mut house = House::start(&receivers).await?;
    let clients = house.clients()?;
    let cast = people(&clients, &house.first_key().await?, &network).await?;
    let scenario = Scenario(fixture_json("scenarios/workshop-detention.json")?);

    let accepted =
        wait_until("a first report is taken", STEP_LIMIT, async || submit(&house, scenario.report()).await.map(Some))
            .await?;
    let released = Office::of(&clients, &cast, &accepted.report_id).await?.release(&scenario).await?;
    let what = "the fan-out settles";
    let coverage = coverage_when(&clients, &cast.coordinator, &released.alert_id, what, LIMIT, is_settled).await?;
    let arrived = |state: &str| matches!(state, "accepted" | "delivered");
    let count = coverage.notices.iter().filter(|notice| arrived(&notice.state)).count();
    ensure(count > 0, || format!("no notice arrived: {:?}", coverage.by_state))?;
    ensure_equal(receivers.webhook.log().count() > 0, true, "webhooks arrived")?;

    // Everything that the services did was allowed: none of them met a refusal.
    for service in tocsin_tests::installation::SERVICES {
        let log = house.log(service)?;
        for refusal in ["ermission", "iolation", "denied", "the broker refused"] {
            ensure(!log.contains(refusal), || format!("{service} met a refusal:\n{log}"))?;
        }
    }
    database::check(&house)?;
    bus::check(&house).await?;
    house.stop().await.map_err(|trouble: Trouble| trouble.during("the end"))
}
