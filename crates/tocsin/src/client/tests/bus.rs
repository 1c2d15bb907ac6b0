//! The forms of what operators read about the bus.

use prost_types::Timestamp;
use tocsin_proto::catalogue::Service;
use tocsin_proto::operations::v1::{
    Advisory, Consumer, DeadLetter, Drift, GetBusResponse, ListAdvisoriesResponse, ListDeadLettersResponse,
    OversizeEvent, Owed, RedriveDeadLettersResponse, Stream,
};

use super::super::pages::bus;

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_783_266_000 + seconds, nanos: 0 }
}

fn drift(setting: &str, found: &str, wanted: &str) -> Drift {
    Drift { setting: setting.into(), found: found.into(), wanted: wanted.into() }
}

#[test]
fn the_status_says_what_needs_a_person() {
    let intake = GetBusResponse {
        service: "intake".into(),
        kind: "nats".into(),
        connected: true,
        stream: Some(Stream {
            name: "TOCSIN_INTAKE".into(),
            exists: true,
            messages: 12,
            bytes: 4_096,
            drift: vec![drift("storage", "Memory", "File")],
        }),
        consumers: vec![Consumer {
            name: "intake-on-triage-urgent".into(),
            exists: true,
            waiting: 1,
            unanswered: 2,
            ..Consumer::default()
        }],
        owed: vec![Owed { consumer: "triage".into(), events: 3, oldest_seconds: 70 }],
        dead_letters: 1,
        oversize_events: vec![OversizeEvent { event_id: "e".into(), kind: "report.received".into(), bytes: 2_000_000 }],
        message_bytes_max: 1_048_576,
        ..GetBusResponse::default()
    };
    let triage = GetBusResponse { service: "triage".into(), kind: "nats".into(), ..GetBusResponse::default() };
    let embedded = GetBusResponse { kind: "in_process".into(), connected: true, ..GetBusResponse::default() };
    let answers = [(Service::Intake, intake), (Service::Triage, triage), (Service::Dispatch, embedded)];
    insta::assert_snapshot!(bus::status(&answers), @r"
    intake
    broker          connected
    stream          TOCSIN_INTAKE: 12 events, 4096 bytes
    stream drift    storage is Memory and should be File
    owed to triage  3 events, the oldest for 70 s
    dead letters    1
    too large       report.received e has 2000000 bytes and the broker takes 1048576: raise its max_payload
    consumer                 state  waiting  unanswered  drift
    intake-on-triage-urgent  there  1        2           -

    triage
    broker  away: events wait in the outbox

    dispatch
    broker  within this process
    ");
}

#[test]
fn dead_letters_and_advisories_are_tables() {
    let letter = DeadLetter {
        event_id: "e".into(),
        kind: "report.received".into(),
        attempts: 5,
        fault: "the payload does not decode\u{1b}[2J".into(),
        died_at: Some(at(0)),
        ..DeadLetter::default()
    };
    let letters = ListDeadLettersResponse { dead_letters: vec![letter], ..ListDeadLettersResponse::default() };
    insta::assert_snapshot!(bus::dead_letters(&[(Service::Triage, letters)]).plain(), @r"
    service  event  kind             attempts  died                  redrive asked  fault
    triage   e      report.received  5         2026-07-05T15:40:00Z  -              the payload does not decode\u{1b}[2J
    ");
    let advisory = Advisory {
        kind: "terminated".into(),
        stream: "TOCSIN_INTAKE".into(),
        consumer: "triage-on-intake-urgent".into(),
        stream_sequence: 7,
        deliveries: 1,
        at: Some(at(60)),
    };
    let advisories = ListAdvisoriesResponse { advisories: vec![advisory], ..ListAdvisoriesResponse::default() };
    insta::assert_snapshot!(bus::advisories(&[(Service::Triage, advisories)]).plain(), @r"
    service  at                    kind        consumer                 stream         place  deliveries
    triage   2026-07-05T15:41:00Z  terminated  triage-on-intake-urgent  TOCSIN_INTAKE  7      1
    ");
    let redriven = [
        (Service::Intake, RedriveDeadLettersResponse { dead_letters: 0 }),
        (Service::Notification, RedriveDeadLettersResponse { dead_letters: 2 }),
    ];
    insta::assert_snapshot!(bus::redriven(&redriven), @r"
    intake        0 dead letters run again
    notification  2 dead letters run again
    ");
}
