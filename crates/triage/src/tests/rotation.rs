//! Key pairs: a new one each day, the old one kept while something may be sealed to it, then gone.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tocsin_domain::id::ReportId;
use tocsin_platform::database::Database;
use tocsin_platform::seal::Receipt;
use tocsin_platform::testing::wait_until;

use super::fixtures::Scenario;
use super::house::{House, LIMIT, Stored, morning};

/// The wrapped private half of each pair, as the key store holds it now.
async fn private_halves(stored: &Stored) -> Vec<(String, Option<Vec<u8>>)> {
    let database = Database::open_named(stored.settings(), "triage_keys").await.unwrap();
    let query = "SELECT key_id, wrapped_secret FROM key_pairs ORDER BY made_at_ms";
    let rows = database.reader().query_all_raw(Statement::from_string(database.backend(), query)).await.unwrap();
    rows.iter().map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())).collect()
}

/// Waits until the private half of a pair is gone. It is not destroyed soon after a start.
async fn is_destroyed(house: &House, key_id: &str) {
    let kept = async || {
        let halves = private_halves(&house.stored).await;
        halves.into_iter().any(|(id, wrapped)| id == key_id && wrapped.is_some())
    };
    assert!(kept().await, "the start destroyed a key before the consumers could take what waited");
    house.clock.advance(TimeDelta::minutes(11));
    wait_until("the private half is destroyed", LIMIT, async || !kept().await).await;
}

#[tokio::test]
async fn a_day_makes_a_new_pair_and_nine_days_destroy_the_old() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let first = house.triage_key().await;
        let stored = house.stop().await;
        let wrapped = private_halves(&stored).await[0].1.clone().unwrap();

        // A day later there is a new key.
        let house = House::start_at(stored, morning() + TimeDelta::hours(25)).await;
        let second = house.new_triage_key().await;
        assert_ne!(first.id, second.id);
        let stored = house.stop().await;

        // After more than seven days, for which intake keeps events, what is sealed to the old one still opens.
        let house = House::start_at(stored, morning() + TimeDelta::hours(25 + 191)).await;
        house.clock.advance(TimeDelta::minutes(11));
        let (id, _) = house.say_report(&Scenario::workshop().report(), &first).await;
        house.wait_for_case(&id.to_string()).await;
        let stored = house.stop().await;
        assert!(private_halves(&stored).await.iter().all(|(_, wrapped)| wrapped.is_some()));

        // Then the private half goes, from the file too; the case is still readable.
        let house = House::start_at(stored, morning() + TimeDelta::hours(25 + 193)).await;
        is_destroyed(&house, &first.id).await;
        let report = house.get(&id.to_string()).await.report.unwrap();
        assert_eq!(report.narrative, Scenario::workshop().report().narrative);
        let stored = house.stop().await;
        let halves = private_halves(&stored).await;
        assert_eq!(halves[0], (first.id.clone(), None));
        assert_eq!(halves.len(), 3);
        if let Some(folder) = stored.database.folder() {
            for entry in std::fs::read_dir(folder).unwrap() {
                // A log goes with the last connection, which may be closing now.
                let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
                assert!(!bytes.windows(wrapped.len()).any(|window| window == wrapped), "the private half is in a file");
            }
        }
    }
}

#[tokio::test]
async fn a_report_whose_data_key_is_kept_opens_without_its_pair() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let key = house.triage_key().await;
        let (id, receipt) = (ReportId::new(house.clock.now()), Receipt::generate().unwrap());
        let said = house.sealed_report(id, &receipt, &Scenario::workshop().report(), &key);
        house.say_sealed_report(&said).await;
        house.wait_for_case(&id.to_string()).await;
        let stored = house.stop().await;

        // Triage's database comes back from before the report; the key store has lost the pair, not the data key.
        for table in ["cases", "report_contents", "escalations", "audit"] {
            assert!(stored.rewrite("triage", &format!("DELETE FROM {table}")).await > 0, "{table}");
        }
        assert_eq!(stored.rewrite("triage_keys", "UPDATE key_pairs SET wrapped_secret = NULL").await, 1);

        let house = House::start(stored).await;
        house.say_sealed_report(&said).await;
        house.wait_for_case(&id.to_string()).await;
        let report = house.get(&id.to_string()).await.report.unwrap();
        assert_eq!(report.narrative, Scenario::workshop().report().narrative);
        house.stop().await;
    }
}

#[tokio::test]
async fn every_start_says_the_current_key() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let said = house.new_triage_key().await;
        let stored = house.stop().await;
        let house = House::start(stored).await;
        assert_eq!(house.new_triage_key().await, said);
        house.stop().await;
    }
}

#[tokio::test]
async fn a_message_without_a_report_keeps_its_key_alive() {
    let house = House::start(Stored::sqlite()).await;
    let first = house.triage_key().await;
    let id = ReportId::new(house.clock.now());
    house.say_message(id, "Please hurry.", &first).await;
    let mut stored = house.stop_after_early_message().await;

    for hours in [30, 60] {
        stored = House::start_at(stored, morning() + TimeDelta::hours(hours)).await.stop().await;
    }
    let second = private_halves(&stored).await[1].0.clone();
    let house = House::start_at(stored, morning() + TimeDelta::hours(300)).await;
    // The second pair is younger than the first, and nothing waits for it.
    is_destroyed(&house, &second).await;
    let receipt = Receipt::generate().unwrap();
    house.say_report_as(id, &receipt, &Scenario::workshop().report(), &first).await;
    house.wait_for_case(&id.to_string()).await;
    assert!(house.get(&id.to_string()).await.messages.iter().any(|message| message.text == "Please hurry."));
    house.stop().await;
}

impl House {
    /// Stops once the message that came without its report is kept.
    async fn stop_after_early_message(self) -> Stored {
        let database = Database::open_named(self.stored.settings(), "triage").await.unwrap();
        wait_until("the message is kept", LIMIT, async || {
            let query = Statement::from_string(DbBackend::Sqlite, "SELECT 1 FROM early_messages");
            database.reader().query_one_raw(query).await.unwrap().is_some()
        })
        .await;
        self.stop().await
    }
}
