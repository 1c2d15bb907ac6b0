//! What people write back: it is honoured once, acknowledges through dispatch, or waits for a person without a word in the
//! log.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::{Contact, ListRepliesRequest, Reply};

use super::harness::{Harness, PATIENCE};
use super::sms_providers::an_alert;

const TOKEN: &str = "a-long-token-in-the-path";
const PHONE: &str = "+447700900001";

/// A harness whose gateway is the sink, with a token for what comes in.
async fn ready(database: TestDatabase) -> (Harness, Vec<Contact>) {
    let sink = tocsin_sinks::SmsSink::start().await.unwrap();
    let more = format!(
        "[[notification.sms.gateways]]\nname = 'sink'\nkind = 'kannel'\nusername = 'u'\npassword = 'p'\n\
         callback_token = '{TOKEN}'\nurl = 'http://{}/cgi-bin/sendsms'\n",
        sink.address()
    );
    let mut harness = Harness::start_only(database, &more).await;
    harness.sms = sink;
    let contacts = vec![harness.contact("org-1", 1, "fr", &["sms"]), harness.contact("org-2", 2, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    (harness, contacts)
}

async fn bring(harness: &Harness, from: &str, text: &str, id: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let query = [("from", from), ("text", text), ("id", id)];
    let request = client.get(format!("{}/inbound/sink/{TOKEN}", harness.http())).query(&query);
    request.send().await.unwrap().status().as_u16()
}

async fn waiting(harness: &Harness) -> Vec<Reply> {
    let request = harness.authorised(Role::DutyOfficer, ListRepliesRequest::default()).await;
    harness.replies().await.list_replies(request).await.unwrap().into_inner().replies
}

fn texts(harness: &Harness) -> Vec<String> {
    harness.sms.log().all().into_iter().map(|sms| sms.item.text).collect()
}

#[tokio::test]
async fn stop_is_honoured_and_confirmed_once_and_start_takes_it_back() {
    for database in TestDatabase::both().await {
        let (harness, contacts) = ready(database).await;
        for id in ["1", "1", "2"] {
            assert_eq!(bring(&harness, PHONE, "STOP", id).await, 200);
        }
        wait_until("it is confirmed", PATIENCE, async || harness.sms.log().count() == 1).await;
        harness.request(&an_alert("p1", "AMBER"), &contacts).await;
        harness.until(&["org-1-c1 sms suppressed_consent", "org-2-c2 sms delivered"]).await;
        let stopped = harness.progress().into_iter().find(|notice| notice.contact_id == "org-1-c1").unwrap();
        assert_eq!(stopped.reason, "stopped_by_recipient");
        assert_eq!(bring(&harness, "447700900001", "start", "3").await, 200);
        wait_until("that is confirmed too", PATIENCE, async || harness.sms.log().count() == 3).await;
        harness.request(&an_alert("p1", "AMBER"), &contacts[..1]).await;
        harness.until(&["org-1-c1 sms delivered", "org-1-c1 sms suppressed_consent", "org-2-c2 sms delivered"]).await;
        let said = texts(&harness);
        assert_eq!(said.iter().filter(|text| text.contains("vous ne recevrez plus de SMS")).count(), 1, "{said:?}");
        assert_eq!(said.iter().filter(|text| text.contains("recevrez de nouveau")).count(), 1, "{said:?}");
        assert!(waiting(&harness).await.is_empty());
        harness.stop().await;
    }
}

#[tokio::test]
async fn help_is_given_to_those_we_know_once_a_day() {
    let (harness, _) = ready(TestDatabase::sqlite()).await;
    for (from, id) in [(PHONE, "1"), (PHONE, "2"), ("+447700900099", "3")] {
        assert_eq!(bring(&harness, from, "Help", id).await, 200);
    }
    wait_until("help is given", PATIENCE, async || harness.sms.log().count() == 1).await;
    assert_eq!(bring(&harness, PHONE, "HELP", "4").await, 200);
    assert_eq!(bring(&harness, "+447700900002", "help", "5").await, 200);
    wait_until("help is given in another language", PATIENCE, async || harness.sms.log().count() == 2).await;
    let said = texts(&harness);
    assert!(said[0].contains("TOCSIN envoie") && said[1].contains("TOCSIN sends"), "{said:?}");
    let strangers = waiting(&harness).await;
    assert_eq!((strangers.len(), strangers[0].phone.as_str()), (1, "+447700900099"));
    harness.stop().await;
}

#[tokio::test]
async fn a_code_acknowledges_only_for_whom_was_told_of_it() {
    for database in TestDatabase::both().await {
        let (harness, contacts) = ready(database).await;
        let alert = an_alert("p1", "AMBER");
        harness.request(&alert, &contacts[..1]).await;
        harness.until(&["org-1-c1 sms delivered"]).await;
        // Not told of it; a stranger; no such alert; mistyped.
        assert_eq!(bring(&harness, "+447700900002", "ACK A7F3-K2W", "1").await, 200);
        assert_eq!(bring(&harness, "+447700900077", "ACK A7F3-K2W", "2").await, 200);
        assert_eq!(bring(&harness, PHONE, "ACK 0000-000", "3").await, 200);
        assert_eq!(bring(&harness, PHONE, "ACK A7F3-K2D", "4").await, 200);
        assert_eq!(waiting(&harness).await.len(), 4);
        for id in ["5", "5", "6"] {
            assert_eq!(bring(&harness, PHONE, "ack a7f3 k2w", id).await, 200);
        }
        let replies = || harness.dispatch.heard.lock().unwrap().replies.clone();
        wait_until("dispatch hears of it", PATIENCE, async || !replies().is_empty()).await;
        for reply in replies() {
            assert_eq!(
                (reply.alert_id.as_str(), reply.contact_id.as_str()),
                (alert.id.to_string().as_str(), "org-1-c1")
            );
            assert_eq!(reply.acknowledge_token, "token-org-1-c1");
        }
        assert_eq!(waiting(&harness).await.len(), 4);
        harness.stop().await;
    }
}

#[tokio::test]
async fn what_no_rule_understands_waits_for_a_person_and_stands_nowhere_in_clear() {
    let (harness, _) = ready(TestDatabase::sqlite()).await;
    let text = "canary: they are at the door, please stop\r\nSTOP";
    for id in ["7", "7"] {
        assert_eq!(bring(&harness, PHONE, text, id).await, 200);
    }
    let replies = waiting(&harness).await;
    assert_eq!(replies.len(), 1, "it was told twice and is kept once");
    assert_eq!((replies[0].text.as_str(), replies[0].contact_id.as_str()), (text, "org-1-c1"));
    assert_eq!(format!("{:?}", replies[0]), "Reply [redacted]");
    for role in [Role::Operator, Role::SignatoryDelegate] {
        let request = harness.authorised(role, ListRepliesRequest::default()).await;
        let refused = harness.replies().await.list_replies(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    }
    let mut searched = 0;
    for folder in harness.folders() {
        super::journey::search(folder, &["canary", "they are at the door", "447700900001"], &mut searched);
    }
    assert!(searched > 3, "the files were found");
    assert_eq!(harness.sms.log().count(), 0, "nobody is answered");
    harness.stop().await;
}
