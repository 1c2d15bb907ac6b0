//! A reply by SMS acknowledges as one press on the page does; a forged one does not.

use tocsin_platform::clock::to_ms;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{Lane, NOTICES_WITHDRAWN, REPLY_RECEIVED, RESPONSE_RECORDED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::{NoticesWithdrawn, ReplyReceived, ResponseRecorded};

use super::harness::{LIMIT, World, draft, small_network};

async fn say(world: &World, reply: &ReplyReceived) {
    world.notification.say(&REPLY_RECEIVED, Lane::Urgent, to_ms(world.now()), reply).await;
}

#[tokio::test]
async fn a_reply_acknowledges_once() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let recipient = world.requested(4).await[0].recipients[0].clone();
        let reply = ReplyReceived {
            alert_id: draft.alert.to_string(),
            contact_id: recipient.contact_id.clone(),
            acknowledge_token: recipient.acknowledge_token.clone(),
            channel: "sms".to_owned(),
            at: Some(timestamp(world.now())),
        };
        for _ in 0..3 {
            say(&world, &reply).await;
        }
        let answers = || world.triage.heard::<ResponseRecorded>(&RESPONSE_RECORDED);
        wait_until("triage hears of it", LIMIT, async || !answers().is_empty()).await;
        wait_until("all is settled", LIMIT, async || world.notification.owed().await == 0).await;
        wait_until("all is heard", LIMIT, async || world.dispatch.outbox.lag().await.unwrap().owed == 0).await;
        let heard = answers();
        assert_eq!(heard.len(), 1);
        assert_eq!((heard[0].organisation_id.as_str(), heard[0].response.as_str()), ("org-001", "acknowledged"));
        let stopped = world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
        assert_eq!((stopped.len(), stopped[0].reason.as_str()), (1, "acknowledged"));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_reply_that_nobody_was_asked_for_changes_nothing() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let draft = draft(&world);
    world.release(&draft).await;
    let recipients = world.requested(4).await.remove(0).recipients;
    let of = |organisation: &str| {
        let recipient = recipients.iter().find(|one| one.organisation_id == organisation).unwrap().clone();
        ReplyReceived {
            alert_id: draft.alert.to_string(),
            contact_id: recipient.contact_id,
            acknowledge_token: recipient.acknowledge_token,
            channel: "sms".to_owned(),
            at: Some(timestamp(world.now())),
        }
    };
    // Forged: both are faults of the event, and are tried again for a while.
    say(&world, &ReplyReceived { acknowledge_token: String::new(), ..of("org-001") }).await;
    say(&world, &ReplyReceived { contact_id: "org-002-c1".to_owned(), ..of("org-001") }).await;
    // Known, and not in the audience.
    let partner = world.dispatch.keys.issue(draft.alert, &"org-003-c1".parse().unwrap());
    say(&world, &ReplyReceived { contact_id: "org-003-c1".to_owned(), acknowledge_token: partner, ..of("org-001") })
        .await;
    world.withdraw(draft.alert, 0).await;
    // Too late.
    say(&world, &of("org-002")).await;
    wait_until("what can be settled is", LIMIT, async || world.notification.owed().await == 2).await;
    assert!(world.triage.heard::<ResponseRecorded>(&RESPONSE_RECORDED).is_empty());
    world.stop().await;
}
