//! Databases: permissions, the queue of writers, readers that cannot write, copies, and migrations by many at once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tocsin_proto::catalogue::Service;

use super::world::{Migrator, World};
use crate::database::{Database, DatabaseError, DatabaseSettings, is_busy_or_away};
use crate::testing::TestDatabase;

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
