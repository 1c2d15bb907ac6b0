//! A release and a withdrawal of one alert at the same moment: whichever commits first, nobody is left with the alert.

use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tocsin_domain::id::{AlertId, EventId};
use tocsin_platform::consume::{Consume as _, IncomingEvent};
use tocsin_platform::seal;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::catalogue::{ALERT_RELEASED, ALERT_WITHDRAWN, EventKind, Lane};
use tocsin_proto::convert::timestamp;
use tocsin_proto::event::v1::AlertWithdrawn;

use super::harness::{World, draft, release_said, small_network};
use crate::consume::Events;
use crate::entity::alert;
use crate::store;

fn event(world: &World, kind: &'static EventKind, message: &impl Message) -> IncomingEvent {
    IncomingEvent {
        id: EventId::new(world.now()),
        kind,
        lane: Lane::Urgent,
        aggregate: "aggregate".to_owned(),
        version: 0,
        at: world.now(),
        payload: message.encode_to_vec().into(),
        traceparent: None,
        attempt: 1,
    }
}

fn release_and_withdrawal(world: &World) -> (AlertId, [IncomingEvent; 2]) {
    let draft = draft(world);
    let associated = format!("alert:{}:{}", draft.alert, draft.revision);
    let key = world.dispatch.contents.public();
    let sealed = seal::seal(key, &associated, &draft.content.encode_to_vec()).unwrap();
    let withdrawn = AlertWithdrawn {
        alert_id: draft.alert.to_string(),
        revision: draft.revision,
        reason: "stopped".to_owned(),
        at: Some(timestamp(world.now())),
    };
    let release = event(world, &ALERT_RELEASED, &release_said(world.now(), &draft, sealed.into()));
    (draft.alert, [release, event(world, &ALERT_WITHDRAWN, &withdrawn)])
}

/// The second event is taken while the transaction of the first is open. What the alert is afterwards.
async fn overlapped(world: &World, alert: AlertId, [first, second]: [IncomingEvent; 2]) -> alert::Model {
    let events = Arc::new(Events { dispatch: Arc::clone(&world.dispatch) });
    let database = &world.dispatch.database;
    let transaction = database.begin().await.unwrap();
    events.consume(&transaction, &first).await.unwrap();
    let (other_events, other_database) = (Arc::clone(&events), database.clone());
    let other = tokio::spawn(async move {
        let transaction = other_database.begin().await.unwrap();
        other_events.consume(&transaction, &second).await.unwrap();
        transaction.commit().await.unwrap();
    });
    // Long enough for the other to read whatever it may read now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    transaction.commit().await.unwrap();
    other.await.unwrap();
    store::alerts::find(database.reader(), alert.as_uuid()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_withdrawal_holds_whichever_event_is_first() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let (alert, [release, withdrawal]) = release_and_withdrawal(&world);
        let row = overlapped(&world, alert, [release, withdrawal]).await;
        assert_eq!((row.state.as_str(), row.feed_change.as_str()), ("withdrawn", "withdrawn"));
        assert!(row.content.is_some() && row.feed_position.is_some(), "those who were told hear of the recall");
        let (alert, [release, withdrawal]) = release_and_withdrawal(&world);
        let row = overlapped(&world, alert, [withdrawal, release]).await;
        assert_eq!((row.state.as_str(), row.withdrawn_reason.as_str()), ("withdrawn", "stopped"));
        let told = store::recipients::of_alerts(world.dispatch.database.reader(), &[alert.as_uuid()]).await.unwrap();
        assert!(told.is_empty());
        world.stop().await;
    }
}
