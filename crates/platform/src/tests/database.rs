//! Databases: permissions, the queue of writers, readers that cannot write, copies, and migrations by many at once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tocsin_proto::catalogue::Service;

use super::world::{Migrator, World};
use crate::clock::Clock;
use crate::consume::ConsumeError;
use crate::database::{Database, DatabaseError, DatabaseSettings, agreed_now, is_busy_or_away};
use crate::testing::{PostgresServer, TestDatabase, wait_until};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn sqlite_files_are_for_their_owner_only_and_synced() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let settings = DatabaseSettings { url: format!("sqlite:{}", folder.display()), connections_max: 1 };
    let database = Database::open(&settings, Service::Intake).await.unwrap();
    database.migrate::<Migrator>().await.unwrap();
    assert_eq!(mode(&folder), 0o700);
    for file in ["intake.sqlite", "intake.sqlite-wal", "intake.sqlite-shm"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    let transaction = database.begin().await.unwrap();
    for (pragma, value) in [("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 1000)] {
        let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"));
        let row = transaction.query_one_raw(statement).await.unwrap().unwrap();
        let found: i64 = row.try_get_by_index::<i32>(0).map(i64::from).unwrap();
        assert_eq!(found, value, "{pragma}");
    }
    let refused = database.reader().execute_unprepared("DELETE FROM inbox").await;
    assert!(refused.is_err(), "a reader does not write");
}

/// SQLite's own limit stands for a disk: the same code says that there is no room.
#[tokio::test]
async fn a_full_disk_is_told_and_everything_goes_on_when_there_is_room() {
    let test = TestDatabase::sqlite();
    let database = test.open::<Migrator>(Service::Intake).await;
    let pages = World::number(&database, "PRAGMA page_count").await;
    database.writer().execute_unprepared(&format!("PRAGMA max_page_count = {}", pages + 2)).await.unwrap();
    let large = format!("INSERT INTO effects (event_id, version) VALUES ('{}', 1)", "x".repeat(100_000));
    let refused = async {
        let transaction = database.begin().await?;
        transaction.execute_unprepared(&large).await?;
        crate::database::commit(transaction, "intake.accept").await
    };
    let error = refused.await.unwrap_err();
    assert!(is_busy_or_away(&error), "{error}");
    assert_eq!(World::number(&database, "SELECT COUNT(*) FROM effects").await, 0);
    database.writer().execute_unprepared("PRAGMA max_page_count = 100000").await.unwrap();
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared(&large).await.unwrap();
    crate::database::commit(transaction, "intake.accept").await.unwrap();
    assert_eq!(World::number(&database, "SELECT COUNT(*) FROM effects").await, 1);
}

/// The server ends without a word, comes back, and nobody has to be restarted.
#[tokio::test]
async fn a_server_that_comes_and_goes_is_told_promptly() {
    let mut server = PostgresServer::prepare().await;
    server.start_again();
    let settings = DatabaseSettings { url: server.create_database().await, connections_max: 4 };
    let database = Database::open(&settings, Service::Intake).await.unwrap();
    database.migrate::<Migrator>().await.unwrap();
    let write = async || {
        let transaction = database.begin().await?;
        transaction.execute_unprepared("INSERT INTO effects (event_id, version) VALUES ('x', 1)").await?;
        crate::database::commit(transaction, "intake.accept").await
    };
    write().await.unwrap();
    let open = database.begin().await.unwrap();
    open.execute_unprepared("INSERT INTO effects (event_id, version) VALUES ('y', 1)").await.unwrap();
    server.stop();
    let lost = crate::database::commit(open, "intake.accept").await.unwrap_err();
    assert!(is_busy_or_away(&lost), "{lost}");
    for _ in 0..6 {
        let since = std::time::Instant::now();
        let error = write().await.unwrap_err();
        assert!(is_busy_or_away(&error), "{error}");
        assert!(since.elapsed() < std::time::Duration::from_secs(5), "{:?}", since.elapsed());
    }
    assert!(is_busy_or_away(&database.ping().await.unwrap_err()));
    server.start_again();
    wait_until("it writes again", std::time::Duration::from_secs(20), async || write().await.is_ok()).await;
    assert_eq!(World::number(&database, "SELECT COUNT(*) FROM effects WHERE event_id = 'y'").await, 0);
}

/// Whoever finds every connection in use is told so soon.
#[tokio::test]
async fn a_pool_that_is_used_up_is_told_promptly() {
    let url = PostgresServer::shared().await.create_database().await;
    let database = Database::open(&DatabaseSettings { url, connections_max: 2 }, Service::Intake).await.unwrap();
    let held = (database.begin().await.unwrap(), database.begin().await.unwrap());
    let since = std::time::Instant::now();
    let error = database.begin().await.unwrap_err();
    assert!(is_busy_or_away(&error), "{error}");
    assert!(since.elapsed() < std::time::Duration::from_secs(5), "{:?}", since.elapsed());
    drop(held);
    wait_until("there is one again", std::time::Duration::from_secs(5), async || database.begin().await.is_ok()).await;
}

/// What is kept of an error names its kind and code, and no value.
#[tokio::test]
async fn an_error_is_told_in_short() {
    for test in TestDatabase::both().await {
        let database = test.open::<Migrator>(Service::Intake).await;
        let insert = "INSERT INTO inbox (consumer, event_id, seen_at_ms) VALUES \
                      ('canary', '01977d3a-5f00-7000-8000-000000000000', 1)";
        database.writer().execute_unprepared(insert).await.unwrap();
        let error = database.writer().execute_unprepared(insert).await.unwrap_err();
        let told = ConsumeError::from(error).to_string();
        assert!(told.contains("execution, code ") && !told.contains("canary"), "{told}");
    }
}

/// Several processes go by the server's time, whatever their machines say.
#[tokio::test]
async fn processes_agree_on_the_time() {
    let database = TestDatabase::postgres().await.open::<Migrator>(Service::Intake).await;
    let clock = Clock::starting_at("2017-06-08T12:00:00Z".parse().unwrap());
    let other = clock.on_another_machine();
    other.step(chrono::TimeDelta::hours(7));
    let one = agreed_now(database.reader(), &clock).await.unwrap();
    let two = agreed_now(database.reader(), &other).await.unwrap();
    assert!((two - one).num_seconds().abs() < 20, "{one} {two}");
    assert!((clock.now() - one).num_seconds().abs() < 20, "the server runs on this machine");
    let alone = TestDatabase::sqlite();
    let alone = alone.open::<Migrator>(Service::Intake).await;
    let three = agreed_now(alone.reader(), &other).await.unwrap();
    assert!((three - one).num_hours() >= 6, "one process alone goes by its own");
}

#[tokio::test]
async fn what_is_committed_after_a_full_disk_is_committed_for_everybody() {
    let test = TestDatabase::sqlite();
    let database = test.open::<Migrator>(Service::Intake).await;
    let transaction = database.begin().await.unwrap();
    // The file may not grow any more, as on a full disk; SQLite ends the transaction by itself.
    transaction.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let sql = "INSERT INTO effects (event_id, version) VALUES (hex(zeroblob(200000)), 1)";
    let full = transaction.execute_unprepared(sql).await.unwrap_err();
    assert!(is_busy_or_away(&full), "{full}");
    drop(transaction);
    // The next one finds nothing to do.
    drop(database.begin().await.unwrap());
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared("INSERT INTO effects (event_id, version) VALUES ('x', 1)").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(World::number(&database, "SELECT COUNT(*) FROM effects").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_queue_and_none_fails() {
    for test in TestDatabase::both().await {
        let database = test.open::<Migrator>(Service::Intake).await;
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..100 {
            let database = database.clone();
            writers.spawn(async move {
                let transaction = database.begin().await.unwrap();
                let read = Statement::from_string(database.backend(), "SELECT COUNT(*) FROM effects");
                transaction.query_one_raw(read).await.unwrap();
                let sql = format!("INSERT INTO effects (event_id, version) VALUES ('x', {number})");
                transaction.execute_unprepared(&sql).await.unwrap();
                transaction.commit().await.unwrap();
            });
        }
        while let Some(written) = writers.join_next().await {
            written.unwrap();
        }
        assert_eq!(World::number(&database, "SELECT COUNT(*) FROM effects").await, 100);
        database.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_may_migrate_at_once() {
    let test = TestDatabase::postgres().await;
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let settings = test.settings().clone();
        replicas.spawn(async move {
            let database = Database::open(&settings, Service::Triage).await.unwrap();
            database.migrate::<Migrator>().await.unwrap();
        });
    }
    while let Some(migrated) = replicas.join_next().await {
        migrated.unwrap();
    }
    // Each service has its own schema in the same database, and another can be named.
    let database = test.open::<Migrator>(Service::Dispatch).await;
    let schemas = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'outbox'";
    assert_eq!(World::number(&database, schemas).await, 2);
    let mut settings = test.settings().clone();
    settings.url.push_str("?schema=elsewhere");
    Database::open(&settings, Service::Dispatch).await.unwrap().migrate::<Migrator>().await.unwrap();
    let named =
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'outbox' AND table_schema = 'elsewhere'";
    assert_eq!(World::number(&database, named).await, 1);
}

#[tokio::test]
async fn a_copy_is_whole_and_never_overwrites() {
    let test = TestDatabase::sqlite();
    let database = test.open::<Migrator>(Service::Intake).await;
    let transaction = database.begin().await.unwrap();
    transaction.execute_unprepared("INSERT INTO effects (event_id) VALUES ('kept')").await.unwrap();
    transaction.commit().await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    let path = copies.path().join("intake.sqlite");
    // A writer in the middle of a transaction does not hinder the copy and is not in it.
    let open = database.begin().await.unwrap();
    open.execute_unprepared("INSERT INTO effects (event_id) VALUES ('not yet')").await.unwrap();
    database.backup_to(&path).await.unwrap();
    open.commit().await.unwrap();
    assert_eq!(mode(&path), 0o600);
    let settings = DatabaseSettings { url: format!("sqlite:{}", copies.path().display()), connections_max: 1 };
    let copy = Database::open(&settings, Service::Intake).await.unwrap();
    assert_eq!(World::number(&copy, "SELECT COUNT(*) FROM effects").await, 1);
    assert!(matches!(database.backup_to(&path).await, Err(DatabaseError::Backup { .. })));

    let postgres = TestDatabase::postgres().await.open::<Migrator>(Service::Intake).await;
    assert!(matches!(postgres.backup_to(&copies.path().join("x")).await, Err(DatabaseError::BackupElsewhere)));
}

#[tokio::test]
async fn a_wrong_address_says_what_to_do() {
    let settings = DatabaseSettings { url: "mysql://secret@host/x".to_owned(), connections_max: 1 };
    let error = Database::open(&settings, Service::Intake).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database url begins with `mysql:`: use sqlite:<folder> or postgres://user:password@host/database"
    );
    assert!(!format!("{settings:?}").contains("secret"));
    assert!(Database::open_named(&settings, "../keys").await.is_err());
}

#[tokio::test]
async fn a_database_that_is_away_is_told_from_a_wrong_statement() {
    for test in TestDatabase::both().await {
        let database = test.open::<Migrator>(Service::Intake).await;
        let wrong = database.reader().execute_unprepared("SELECT * FROM nowhere").await.unwrap_err();
        assert!(!is_busy_or_away(&wrong), "{wrong:?}");
        database.reader().clone().close().await.unwrap();
        let away = database.ping().await.unwrap_err();
        assert!(is_busy_or_away(&away), "{away:?}");
    }
}
