//! Signal and Matrix through gateways that demand what their documentation says.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::{Contact, TestContactRequest, TestContactResponse};
use tocsin_sinks::{MatrixSink, SignalSink};

use super::harness::{Alert, Harness, PATIENCE};

const NUMBER: &str = "+447700900999";
const TOKEN: &str = "canary-token";

async fn start(signal: &SignalSink, matrix: &MatrixSink, retry: &str) -> Harness {
    let more = format!(
        "{retry}\nsignal.url = 'http://{}/'\nsignal.number = '{NUMBER}'\nmatrix.url = 'http://{}'\n\
         matrix.access_token = '{TOKEN}'",
        signal.address(),
        matrix.address()
    );
    Harness::start_with(TestDatabase::sqlite(), &more).await
}

async fn sinks() -> (SignalSink, MatrixSink) {
    let rooms = ["!alerts:matrix.example"];
    (SignalSink::start(NUMBER).await.unwrap(), MatrixSink::start(TOKEN, &rooms).await.unwrap())
}

fn contact(harness: &Harness, number: u32, channels: &[&str], room: &str) -> Contact {
    let contact = harness.contact("org-1", number, "es", channels);
    Contact { signal: format!("+4477009001{number:02}"), matrix: room.to_owned(), ..contact }
}

async fn test(harness: &Harness, contact_id: &str, channel: &str) -> TestContactResponse {
    let ask = TestContactRequest { contact_id: contact_id.to_owned(), channel: channel.to_owned() };
    let ask = harness.authorised(Role::Operator, ask).await;
    harness.contacts().await.test_contact(ask).await.unwrap().into_inner()
}

#[tokio::test]
async fn both_reach_their_recipient_and_hold_a_text_at_green_only() {
    let (signal, matrix) = sinks().await;
    let harness = start(&signal, &matrix, "").await;
    let contacts = vec![contact(&harness, 1, &["signal", "matrix"], "!alerts:matrix.example")];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "GREEN"), &contacts).await;
    harness.until(&["org-1-c1 signal accepted", "org-1-c1 matrix accepted"]).await;
    let said = signal.log().all().pop().unwrap().item;
    assert_eq!(said.to, "+447700900101");
    let posted = matrix.log().all().pop().unwrap().item;
    assert_eq!(posted.room, "!alerts:matrix.example");
    for text in [&said.text, &posted.text] {
        assert!(
            text.contains("canary-body-es") && text.contains("A7F3-K2C") && text.contains("/acknowledge/"),
            "{text}"
        );
    }
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    signal.log().reached(2).await;
    matrix.log().reached(2).await;
    for text in [signal.log().all().pop().unwrap().item.text, matrix.log().all().pop().unwrap().item.text] {
        assert!(!text.contains("canary") && text.contains("A7F3-K2C"), "{text}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_captcha_holds_signal_back_until_somebody_solved_it() {
    let (signal, matrix) = sinks().await;
    let harness = start(&signal, &matrix, "retry = { urgent_seconds = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] }").await;
    let contacts = vec![contact(&harness, 1, &["signal"], "")];
    harness.import(contacts.clone()).await.unwrap();
    signal.ask_captcha();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    let told = async || harness.progress().iter().any(|notice| notice.reason == "signal_captcha");
    wait_until("the reason is told", PATIENCE, told).await;
    assert_eq!(test(&harness, "org-1-c1", "signal").await.code, "signal_captcha");
    signal.recover();
    harness.until(&["org-1-c1 signal accepted"]).await;
    assert_eq!(signal.log().count(), 1);
    harness.stop().await;
}

#[tokio::test]
async fn a_repeat_makes_no_second_message_in_a_room() {
    let (signal, matrix) = sinks().await;
    let harness = start(&signal, &matrix, "retry = { urgent_seconds = [0, 0, 0, 0] }").await;
    let contacts = vec![contact(&harness, 1, &["matrix"], "!alerts:matrix.example")];
    harness.import(contacts.clone()).await.unwrap();
    matrix.lose_next_answers(2);
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 matrix accepted"]).await;
    assert_eq!(matrix.log().count(), 1, "three attempts, one message");
    harness.stop().await;
}

#[tokio::test]
async fn limits_and_logins_of_matrix_are_told_and_waited_for() {
    let (signal, matrix) = sinks().await;
    let harness = start(&signal, &matrix, "retry = { urgent_seconds = [0, 0, 0] }").await;
    let contacts = vec![
        contact(&harness, 1, &["matrix"], "!alerts:matrix.example"),
        contact(&harness, 2, &["matrix"], "!elsewhere:matrix.example"),
    ];
    harness.import(contacts.clone()).await.unwrap();
    matrix.limit_next(1);
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 matrix accepted", "org-1-c2 matrix rejected_permanent"]).await;
    let refused = harness.progress().into_iter().find(|notice| notice.contact_id == "org-1-c2").unwrap();
    assert_eq!(refused.reason, "matrix_forbidden");
    matrix.log_out();
    let ended = test(&harness, "org-1-c1", "matrix").await;
    assert_eq!((ended.outcome.as_str(), ended.code.as_str()), ("temporary", "matrix_logged_out"));
    harness.stop().await;
}
