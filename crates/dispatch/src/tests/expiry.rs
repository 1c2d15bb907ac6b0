//! A consent that expires after the release: nobody reads the texts from then on, and everybody hears why.

use chrono::TimeDelta;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tocsin_platform::clock::{Clock, to_ms};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{Lane, NOTICES_WITHDRAWN};
use tocsin_proto::dispatch::v1::{GetAlertRequest, RespondToAlertRequest};
use tocsin_proto::event::v1::NoticesWithdrawn;

use super::harness::{Draft, LIMIT, World, asked, draft, refusal, small_network};
use crate::feed::subscription::{OpenKey, Subscription};
use crate::store;
use crate::view;

/// A world with its own clock, and a draft whose consent expires in an hour.
async fn start(database: TestDatabase) -> (World, Clock, Draft) {
    let clock = Clock::system();
    let world = World::start_with(database, tempfile::tempdir().unwrap(), "", clock.clone()).await;
    world.say_notification_key().await;
    world.import(small_network()).await.unwrap();
    let draft = Draft { consent_expires_at: Some(world.now() + TimeDelta::hours(1)), ..draft(&world) };
    (world, clock, draft)
}

#[tokio::test]
async fn an_expired_consent_withdraws_the_alert() {
    for database in TestDatabase::both().await {
        let (world, clock, draft) = start(database).await;
        world.release(&draft).await;
        world.requested(4).await;
        let key = world.member("org-001").await;
        let get = async || {
            let request = asked(&key, GetAlertRequest { alert: draft.alert.to_string() });
            world.alerts().get_alert(request).await.unwrap().into_inner().alert.unwrap()
        };
        assert_eq!((get().await.state.as_str(), get().await.texts.len()), ("released", 1));
        clock.advance(TimeDelta::hours(1));
        assert!(get().await.texts.is_empty(), "no text is served, withdrawn already or not");
        wait_until("the alert is withdrawn", LIMIT, async || get().await.state == "withdrawn").await;
        assert_eq!(get().await.withdrawn_reason, "consent_expired");
        let heard = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
        wait_until("notification hears of it", LIMIT, async || heard().len() == 1).await;
        let said = heard().remove(0);
        assert_eq!((said.organisation_id.as_str(), said.reason.as_str()), ("", "consent_expired"));
        assert_eq!(world.notification.lanes(&NOTICES_WITHDRAWN), [Lane::Urgent]);
        let request = RespondToAlertRequest { alert: draft.alert.to_string(), response: "signed".to_owned() };
        let status = world.alerts().respond_to_alert(asked(&key, request)).await.unwrap_err();
        assert_eq!(refusal(&status).1, "ALERT_WITHDRAWN");
        world.stop().await;
    }
}

#[tokio::test]
async fn texts_are_hidden_from_the_moment_itself() {
    let (world, _, draft) = start(TestDatabase::sqlite()).await;
    world.release(&draft).await;
    let reader = world.dispatch.database.reader();
    let row = store::alerts::find(reader, draft.alert.as_uuid()).await.unwrap().unwrap();
    let content = world.dispatch.contents.of(&row).unwrap().unwrap();
    let expiry = to_ms(draft.consent_expires_at.unwrap());
    let shown = |now_ms| view::full(&row, &content, now_ms);
    assert_eq!((shown(expiry - 1).texts.len(), shown(expiry - 1).asks.len()), (1, 2));
    assert!(shown(expiry).texts.is_empty() && shown(expiry).asks.is_empty());
}

#[tokio::test]
async fn a_change_that_waited_past_the_expiry_is_not_handed_on() {
    let (world, clock, draft) = start(TestDatabase::sqlite()).await;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&world.member("org-001").await).unwrap());
    let open = OpenKey::check(&world.dispatch, headers).await.unwrap();
    let mut slow = Subscription::open(&world.dispatch, &world.shutdown, open, "").await.unwrap();
    // It goes live and then does not read until the consent of what came has expired.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), slow.next()).await.is_err());
    let watcher = world.dispatch.tail.subscribe();
    world.release(&draft).await;
    wait_until("the release has been handed on", LIMIT, async || watcher.len() == 1).await;
    clock.advance(TimeDelta::hours(1));
    let next = tokio::time::timeout(LIMIT, slow.next()).await.unwrap().unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(next.message.change, "withdrawn");
    assert!(next.message.alert.as_ref().unwrap().texts.is_empty());
}
