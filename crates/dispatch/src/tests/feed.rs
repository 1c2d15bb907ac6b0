//! The feed over gRPC: from the beginning, live, resumed, expired, too slow, and ended.

use chrono::TimeDelta;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tocsin_domain::role::Role;
use tocsin_platform::clock::Clock;
use tocsin_platform::failure::received;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::dispatch::v1::{ListAlertsRequest, WatchAlertsRequest, WatchAlertsResponse};
use tonic::{Code, Status, Streaming};

use super::harness::{Draft, LIMIT, World, asked, draft, refusal, small_network};
use crate::feed::subscription::{OpenKey, Subscription};

async fn watch(world: &World, key: &str, cursor: &str) -> Result<Streaming<WatchAlertsResponse>, Status> {
    let request = asked(key, WatchAlertsRequest { cursor: cursor.to_owned() });
    world.alerts().watch_alerts(request).await.map(tonic::Response::into_inner)
}

async fn next(stream: &mut Streaming<WatchAlertsResponse>) -> Result<WatchAlertsResponse, Status> {
    let next = tokio::time::timeout(LIMIT, stream.message()).await.expect("the stream goes on");
    next.map(|message| message.expect("the stream does not end without a reason"))
}

fn alert_id(message: &WatchAlertsResponse) -> String {
    message.alert.as_ref().unwrap().alert_id.clone()
}

async fn released(world: &World) -> Draft {
    let draft = draft(world);
    world.release(&draft).await;
    draft
}

#[tokio::test]
async fn a_reader_gets_what_it_missed_then_what_comes_and_resumes() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let first = released(&world).await;
        let key = world.member("org-001").await;
        let mut stream = watch(&world, &key, "").await.unwrap();
        let one = next(&mut stream).await.unwrap();
        assert_eq!((alert_id(&one), one.change.as_str()), (first.alert.to_string(), "released"));
        assert_eq!(one.alert.as_ref().unwrap().texts[0].headline, "canary-headline-en");
        let second = released(&world).await;
        let two = next(&mut stream).await.unwrap();
        assert_eq!(alert_id(&two), second.alert.to_string());
        drop(stream);
        let third = released(&world).await;
        let mut stream = watch(&world, &key, &one.cursor).await.unwrap();
        assert_eq!(alert_id(&next(&mut stream).await.unwrap()), second.alert.to_string());
        assert_eq!(alert_id(&next(&mut stream).await.unwrap()), third.alert.to_string());
        world.withdraw(second.alert, 0).await;
        let recalled = next(&mut stream).await.unwrap();
        assert_eq!((alert_id(&recalled), recalled.change.as_str()), (second.alert.to_string(), "withdrawn"));
        assert!(recalled.alert.unwrap().texts.is_empty());
        world.stop().await;
    }
}

#[tokio::test]
async fn each_organisation_gets_its_own_and_staff_all() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut streams = Vec::new();
    for organisation in ["org-001", "org-002"] {
        streams.push(watch(&world, &world.member(organisation).await, "").await.unwrap());
    }
    let mut staff = watch(&world, &world.key(&[Role::DutyOfficer], None).await, "").await.unwrap();
    let mut only_second = draft(&world);
    only_second.content.organisation_ids = vec!["org-002".to_owned()];
    world.release(&only_second).await;
    let both = released(&world).await;
    assert_eq!(alert_id(&next(&mut streams[0]).await.unwrap()), both.alert.to_string());
    for stream in [&mut staff, &mut streams[1]] {
        assert_eq!(alert_id(&next(stream).await.unwrap()), only_second.alert.to_string());
        assert_eq!(alert_id(&next(stream).await.unwrap()), both.alert.to_string());
    }
    let operator = world.key(&[Role::Operator], None).await;
    assert_eq!(watch(&world, &operator, "").await.unwrap_err().code(), Code::PermissionDenied);
    let nobody = world.alerts().watch_alerts(WatchAlertsRequest::default()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_cursor_expires_with_what_it_points_at() {
    for database in TestDatabase::both().await {
        let clock = Clock::system();
        let world = World::start_with(database, tempfile::tempdir().unwrap(), "", clock.clone()).await;
        world.say_notification_key().await;
        world.import(small_network()).await.unwrap();
        released(&world).await;
        let key = world.member("org-001").await;
        let start = format!("{}-0", crate::store::feed::state(world.dispatch.database.reader()).await.unwrap().epoch);
        let one = next(&mut watch(&world, &key, &start).await.unwrap()).await.unwrap();
        clock.advance(TimeDelta::days(91));
        crate::app::trim(&world.dispatch).await.unwrap();
        let expired = (Code::OutOfRange, "CURSOR_EXPIRED".to_owned());
        assert_eq!(refusal(&watch(&world, &key, &start).await.unwrap_err()), expired);
        assert_eq!(refusal(&watch(&world, &key, "0123abcd-1").await.unwrap_err()), expired);
        let far = one.cursor.replace("-1", "-99");
        assert_eq!(refusal(&watch(&world, &key, &far).await.unwrap_err()), expired);
        let malformed = (Code::InvalidArgument, "CURSOR_MALFORMED".to_owned());
        assert_eq!(refusal(&watch(&world, &key, "x").await.unwrap_err()), malformed);
        let mut from_the_last_seen = watch(&world, &key, &one.cursor).await.unwrap();
        let mut from_the_beginning = watch(&world, &key, "").await.unwrap();
        let second = released(&world).await;
        assert_eq!(alert_id(&next(&mut from_the_last_seen).await.unwrap()), second.alert.to_string());
        assert_eq!(alert_id(&next(&mut from_the_beginning).await.unwrap()), second.alert.to_string());
        drop((from_the_last_seen, from_the_beginning));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_restored_feed_refuses_the_cursors_of_before() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let first = released(&world).await;
        let key = world.member("org-001").await;
        let one = next(&mut watch(&world, &key, "").await.unwrap()).await.unwrap();
        drop(watch(&world, &key, &one.cursor).await.unwrap());
        crate::renew_feed_epoch(&world.dispatch.database).await.unwrap();
        let expired = (Code::OutOfRange, "CURSOR_EXPIRED".to_owned());
        assert_eq!(refusal(&watch(&world, &key, &one.cursor).await.unwrap_err()), expired);
        let again = next(&mut watch(&world, &key, "").await.unwrap()).await.unwrap();
        assert_eq!(alert_id(&again), first.alert.to_string());
        drop(watch(&world, &key, &again.cursor).await.unwrap());
        world.stop().await;
    }
}

#[tokio::test]
async fn a_slow_reader_is_told_where_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[dispatch]\nfeed_buffer = 2";
    let world = World::start_with(TestDatabase::sqlite(), folder, settings, Clock::system()).await;
    world.import(small_network()).await.unwrap();
    let first = released(&world).await;
    let key = world.member("org-001").await;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&key).unwrap());
    let open = OpenKey::check(&world.dispatch, headers).await.unwrap();
    let mut slow = Subscription::open(&world.dispatch, &world.shutdown, open, "").await.unwrap();
    let seen = slow.next().await.unwrap();
    assert_eq!(alert_id(&seen.message), first.alert.to_string());
    // It goes live and then does not read while more changes come than its buffer holds.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), slow.next()).await.is_err());
    let watcher = world.dispatch.tail.subscribe();
    let mut missed = Vec::new();
    for _ in 0..4 {
        missed.push(released(&world).await.alert.to_string());
    }
    wait_until("the changes have been handed on", LIMIT, async || watcher.len() >= 4).await;
    let Err(failure) = slow.next().await else { panic!("a slow reader is not served past its buffer") };
    assert_eq!(failure.reason, "READER_TOO_SLOW");
    let cursor = &seen.message.cursor;
    assert!(failure.message.contains(cursor.as_str()), "{}", failure.message);
    let mut stream = watch(&world, &key, cursor).await.unwrap();
    for expected in missed {
        assert_eq!(alert_id(&next(&mut stream).await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_its_stream() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[dispatch]\nstream_recheck_seconds = 1";
    let world = World::start_with(TestDatabase::sqlite(), folder, settings, Clock::system()).await;
    world.import(small_network()).await.unwrap();
    let mut stream = watch(&world, &world.member("org-001").await, "").await.unwrap();
    let issued = world.credentials.list().await.unwrap();
    let of_member = issued.iter().find(|key| key.principal.organisation.is_some()).unwrap();
    world.credentials.revoke(of_member.id).await.unwrap();
    let status = next(&mut stream).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_drain_ends_streams_with_a_word_to_resume() {
    let world = World::start(TestDatabase::sqlite()).await;
    let mut stream = watch(&world, &world.coordinator().await, "").await.unwrap();
    world.drain();
    let status = next(&mut stream).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::Unavailable, "STREAM_ENDED".to_owned()));
    assert!(received(&status).retryable);
    drop(stream);
    world.stop().await;
}

#[tokio::test]
async fn lists_are_paged_the_newest_first() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let mut released_ids = Vec::new();
        for _ in 0..5 {
            released_ids.push(released(&world).await.alert.to_string());
            // Ids of the same millisecond have no order among them.
            world.dispatch.clock.advance(TimeDelta::milliseconds(1));
        }
        let key = world.member("org-002").await;
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = asked(&key, ListAlertsRequest { page_size: 2, page_token });
            let page = world.alerts().list_alerts(request).await.unwrap().into_inner();
            assert!(page.alerts.len() <= 2);
            listed.extend(page.alerts.into_iter().map(|alert| alert.alert_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        released_ids.reverse();
        assert_eq!(listed, released_ids);
        let request = asked(&key, ListAlertsRequest { page_size: 2, page_token: "x".to_owned() });
        assert_eq!(world.alerts().list_alerts(request).await.unwrap_err().code(), Code::InvalidArgument);
        let partner = world.key(&[Role::PartnerDesk], Some("org-003")).await;
        let request = asked(&partner, ListAlertsRequest::default());
        assert!(world.alerts().list_alerts(request).await.unwrap().into_inner().alerts.is_empty());
        world.stop().await;
    }
}
