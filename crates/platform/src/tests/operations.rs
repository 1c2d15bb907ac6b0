//! The door for operators: who may, what it shows, and that it works.

use chrono::TimeDelta;
use tocsin_domain::id::ActorId;
use tocsin_domain::role::Role;
use tocsin_proto::catalogue::{Lane, Service};
use tocsin_proto::convert::timestamp;
use tocsin_proto::operations::v1 as wire;
use tocsin_proto::operations::v1::operations_service_server::OperationsService as _;
use tocsin_proto::operations::v1::redrive_dead_letters_request::Which;
use tonic::{Code, Request};

use super::world::{BAD, Form, LIMIT, World};
use crate::credentials::{Credentials, NewKey};
use crate::operations::OperationsDoor;
use crate::testing::{TestDatabase, wait_until};

/// A world with a store of keys and the doors of both services.
struct House {
    world: World,
    credentials: Credentials,
    _keys: TestDatabase,
}

impl House {
    async fn new(form: Form) -> Self {
        let keys = TestDatabase::sqlite();
        let world = World::new(form).await;
        let credentials = Credentials::open(keys.settings(), world.clock.clone()).await.unwrap();
        Self { world, credentials, _keys: keys }
    }

    async fn door(&self, service: Service) -> OperationsDoor {
        let database = if service == Service::Intake { &self.world.intake } else { &self.world.triage };
        let bus = self.world.form.bus(service).await;
        let outbox = crate::outbox::Outbox::new(service, database.clone(), bus, self.world.clock.clone());
        OperationsDoor {
            service,
            database: database.clone(),
            outbox,
            clock: self.world.clock.clone(),
            credentials: self.credentials.clone(),
        }
    }

    async fn ask<M>(&self, role: Role, message: M) -> Request<M> {
        let new = NewKey {
            actor: "ola".parse::<ActorId>().unwrap(),
            name: "Ola".to_owned(),
            roles: vec![role],
            organisation: None,
            country: None,
            expires_at: None,
        };
        let key = self.credentials.issue(new).await.unwrap();
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", key.secret.expose());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whoever_may_reads_and_redrives() {
    let house = House::new(Form::in_process()).await;
    let door = house.door(Service::Triage).await;
    let asked = wire::GetBusRequest {};
    let refused = door.get_bus(Request::new(asked)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = door.get_bus(house.ask(Role::Coordinator, asked).await).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let all = wire::RedriveDeadLettersRequest { which: Some(Which::All(true)) };
    let refused = door.redrive_dead_letters(house.ask(Role::Administrator, all.clone()).await).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let answer = door.get_bus(house.ask(Role::Administrator, asked).await).await.unwrap().into_inner();
    assert_eq!((answer.kind.as_str(), answer.connected, answer.service.as_str()), ("in_process", true, "triage"));
    let answer = door.redrive_dead_letters(house.ask(Role::Operator, all).await).await.unwrap().into_inner();
    assert_eq!(answer.dead_letters, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named() {
    let house = House::new(Form::in_process()).await;
    let door = house.door(Service::Triage).await;
    for which in [None, Some(Which::All(false)), Some(Which::EventId("x".into())), Some(Which::Kind("cat.fed".into()))]
    {
        let request = house.ask(Role::Operator, wire::RedriveDeadLettersRequest { which }).await;
        assert_eq!(door.redrive_dead_letters(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let unknown = Some(Which::EventId(uuid::Uuid::nil().to_string()));
    let request = house.ask(Role::Operator, wire::RedriveDeadLettersRequest { which: unknown }).await;
    assert_eq!(door.redrive_dead_letters(request).await.unwrap_err().code(), Code::NotFound);
    let request = house.ask(Role::Operator, wire::RedriveEventsRequest { since: None }).await;
    assert_eq!(door.redrive_events(request).await.unwrap_err().code(), Code::InvalidArgument);
    let page = wire::ListDeadLettersRequest { page_size: 1, page_token: "x".into() };
    let request = house.ask(Role::Operator, page).await;
    assert_eq!(door.list_dead_letters(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_in_pages_and_redriven() {
    let house = House::new(Form::in_process()).await;
    let world = &house.world;
    let consumer = world.consumer().await;
    let (outbox, relay) = world.relay().await;
    let events: Vec<_> = (1..=3).map(|version| world.event(Lane::Normal, BAD, version)).collect();
    world.commit(&outbox, &events).await;
    wait_until("all are in custody", LIMIT, async || world.owed().await == 0).await;
    let door = house.door(Service::Triage).await;
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = wire::ListDeadLettersRequest { page_size: 2, page_token };
        let answer = door.list_dead_letters(house.ask(Role::Operator, page).await).await.unwrap().into_inner();
        listed.extend(answer.dead_letters);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 3);
    assert!(
        listed.iter().all(|letter| letter.fault == "a bad one" && letter.attempts == 5 && letter.redrive_at.is_none())
    );
    let which = Some(Which::Kind("report.received".to_owned()));
    let request = house.ask(Role::Operator, wire::RedriveDeadLettersRequest { which }).await;
    assert_eq!(door.redrive_dead_letters(request).await.unwrap().into_inner().dead_letters, 3);
    wait_until("they have failed again", LIMIT, async || {
        World::number(&world.triage, "SELECT COUNT(*) FROM dead_letters WHERE attempts = 6").await == 3
    })
    .await;
    consumer.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_a_real_broker_is_shown() {
    let house = House::new(Form::nats()).await;
    let world = &house.world;
    let (outbox, relay) = world.relay().await;
    world.commit_many(&outbox, Lane::Urgent, 4).await;
    wait_until("all are published", LIMIT, async || world.published().await == 4).await;
    let (intake, triage) = (house.door(Service::Intake).await, house.door(Service::Triage).await);
    let get_bus = async |door: &OperationsDoor| {
        let request = house.ask(Role::Operator, wire::GetBusRequest {}).await;
        door.get_bus(request).await.unwrap().into_inner()
    };
    wait_until("the doors are connected", LIMIT, async || {
        get_bus(&intake).await.connected && get_bus(&triage).await.connected
    })
    .await;
    let state = get_bus(&intake).await;
    let stream = state.stream.unwrap();
    assert_eq!((stream.name.as_str(), stream.exists, stream.messages), ("TOCSIN_INTAKE", true, 4));
    assert_eq!(
        state.owed.iter().map(|owed| (owed.consumer.as_str(), owed.events)).collect::<Vec<_>>(),
        [("triage", 4)]
    );
    assert_eq!(state.message_bytes_max, 1024 * 1024);
    // Nobody has started triage's consumers yet, nor created its own stream.
    let state = get_bus(&triage).await;
    assert!(!state.stream.unwrap().exists);
    assert!(state.consumers.iter().all(|consumer| !consumer.exists));
    let consumer = world.consumer().await;
    world.settled(4).await;
    wait_until("the consumer is there", LIMIT, async || {
        get_bus(&triage).await.consumers.iter().any(|it| it.name == "triage-on-intake-urgent" && it.exists)
    })
    .await;
    assert_eq!(get_bus(&intake).await.owed, []);

    // What was settled is said once more.
    let since = Some(timestamp(world.clock.now() - TimeDelta::hours(1)));
    let request = house.ask(Role::Operator, wire::RedriveEventsRequest { since }).await;
    assert_eq!(intake.redrive_events(request).await.unwrap().into_inner().owed, 4);
    world.settled(4).await;
    let request = house.ask(Role::Operator, wire::ListAdvisoriesRequest::default()).await;
    assert_eq!(triage.list_advisories(request).await.unwrap().into_inner().advisories, []);
    consumer.stop().await;
    relay.stop().await;
}
