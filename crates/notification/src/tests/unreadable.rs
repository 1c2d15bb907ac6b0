//! Bulletins that are damaged or lost: their notices end at once, explained and in a person's hands, and may be sent
//! again when the bulletin is mended.

use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, Statement};
use tocsin_domain::role::Role;
use tocsin_platform::database::Database;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::{Contact, NoticeSelection, RedriveNoticesRequest, RedriveNoticesResponse};

use super::harness::{Alert, Harness, PATIENCE};
use super::leases::another_process;
use crate::audit::{Found, audit};
use crate::entity::notice;

/// The bulletins of the alerts themselves, without the calls to staff that followed.
const OF_MEMBERS: &str = "SELECT bulletin_id FROM notices WHERE organisation_id <> ''";

async fn execute(database: &Database, sql: &str) {
    let transaction = database.begin().await.unwrap();
    transaction.execute_raw(Statement::from_string(database.backend(), sql)).await.unwrap();
    transaction.commit().await.unwrap();
}

/// A contact who is not written to now, so that there is time to damage what it would be told.
fn asleep(harness: &Harness, number: u32) -> Contact {
    Contact {
        quiet_hours: "00:00-23:59".to_owned(),
        urgent_overrides_quiet_hours: false,
        ..harness.contact("org-1", number, "en", &["email"])
    }
}

/// Makes all that waits due, with nothing of this alert in memory.
async fn claim_anew(harness: &Harness, database: &Database, alert: &Alert) {
    harness.running.office.bulletins.forget(alert.id, 0);
    execute(database, "UPDATE notices SET next_at_ms = 0 WHERE next_at_ms IS NOT NULL AND lease_owner IS NULL").await;
    harness.running.office.engine.wake();
}

async fn rows(database: &Database) -> Vec<notice::Model> {
    let all = notice::Entity::find().order_by_asc(notice::Column::ContactId).all(database.reader()).await.unwrap();
    all.into_iter().filter(|row| !row.organisation_id.is_empty()).collect()
}

async fn redrive(harness: &Harness, alert: &Alert) -> RedriveNoticesResponse {
    let selection = NoticeSelection { alert_id: alert.id.to_string(), ..NoticeSelection::default() };
    let ask = RedriveNoticesRequest { selection: Some(selection), reason: "mended".to_owned(), dry_run: false };
    let ask = harness.authorised(Role::Operator, ask).await;
    harness.notices_client().await.redrive_notices(ask).await.unwrap().into_inner()
}

#[tokio::test]
async fn what_cannot_be_read_ends_in_a_persons_hands_until_it_is_mended() {
    for damage in ["kind = 'rumour'", "tlp = 'PURPLE', source_language = ''", "priority = 'p9'"] {
        for database in TestDatabase::both().await {
            let harness = Harness::start(database).await;
            let mut coordinator = harness.contact("", 9, "en", &["email"]);
            coordinator.contact_id = "coordinator-1".to_owned();
            let contacts = vec![asleep(&harness, 1), asleep(&harness, 2)];
            harness.import([contacts.clone(), vec![coordinator]].concat()).await.unwrap();
            let alert = Alert::new("p1", "AMBER");
            harness.request(&alert, &contacts).await;
            harness.until(&["org-1-c1 email queued", "org-1-c2 email queued"]).await;
            let other = another_process(&harness).await;
            execute(&other, &format!("UPDATE bulletins SET {damage}")).await;
            // As it stands when somebody withdraws what a process holds.
            execute(&other, "UPDATE notices SET withdrawn_reason = 'recalled' WHERE contact_id = 'org-1-c2'").await;
            claim_anew(&harness, &other, &alert).await;
            harness.until(&["org-1-c1 email failed_temporary", "org-1-c2 email withdrawn"]).await;

            let rows = rows(&other).await;
            let ends: Vec<_> = rows.iter().map(|row| (row.reason.as_deref(), row.handed_to.as_deref())).collect();
            assert_eq!(
                ends,
                [(Some("bulletin_unreadable"), Some("Coordinator One")), (Some("recalled"), None)],
                "{damage}"
            );
            assert!(rows.iter().all(|row| row.next_at_ms.is_none() && row.lease_owner.is_none() && row.attempts == 0));
            assert_eq!(audit(&harness.running.office).await.unwrap(), Found::default(), "explained, not moving");
            wait_until("the coordinator is called", PATIENCE, async || harness.mail.log().count() == 1).await;
            assert_eq!(harness.mail.log().take()[0].item.to, ["canary-9@staff.example"]);

            let left = redrive(&harness, &alert).await;
            assert_eq!((left.notices_by_state.len(), left.left_by_reason["bulletin_unreadable"]), (0, 1), "{damage}");
            let whole = "kind = 'alert', tlp = 'AMBER', source_language = 'en', priority = 'p1'";
            execute(&other, &format!("UPDATE bulletins SET {whole} WHERE bulletin_id IN ({OF_MEMBERS})")).await;
            assert_eq!(redrive(&harness, &alert).await.notices_by_state["failed_temporary"], 1);
            claim_anew(&harness, &other, &alert).await;
            harness.until(&["org-1-c1 email accepted", "org-1-c2 email withdrawn"]).await;
            harness.stop().await;
        }
    }
}

#[tokio::test]
async fn what_is_lost_ends_too_and_keeps_nothing_else_waiting() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![asleep(&harness, 1)];
        let others = vec![asleep(&harness, 2)];
        harness.import([contacts.clone(), others.clone()].concat()).await.unwrap();
        let (lost, kept) = (Alert::new("p1", "AMBER"), Alert::new("p1", "AMBER"));
        harness.request(&lost, &contacts).await;
        harness.until(&["org-1-c1 email queued"]).await;
        let other = another_process(&harness).await;
        execute(&other, "DELETE FROM bulletins").await;
        harness.request(&kept, &others).await;
        harness.until(&["org-1-c1 email queued", "org-1-c2 email queued"]).await;
        // Both come in one claim.
        claim_anew(&harness, &other, &lost).await;
        harness.until(&["org-1-c1 email failed_temporary", "org-1-c2 email accepted"]).await;
        let rows = rows(&other).await;
        assert_eq!(rows[0].reason.as_deref(), Some("bulletin_unreadable"));
        assert_eq!((rows[0].handed_to.as_deref(), rows[0].next_at_ms), (None, None), "nobody knows whose it was");
        assert_eq!(audit(&harness.running.office).await.unwrap(), Found::default());
        harness.stop().await;
    }
}
