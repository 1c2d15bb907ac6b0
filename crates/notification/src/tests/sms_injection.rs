//! Nothing that stands in a slot of a message can leave it: not in a query, a form, JSON or a template, and not on the way
//! back in.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use std::sync::{Arc, Mutex};

use tocsin_platform::testing::TestDatabase;

use super::harness::Harness;
use crate::channel::{Gateways, Outcome, SmsMessage};
use crate::config::SmsConfig;
use crate::sms::is_e164;

/// What is put into every slot.
const CASES: [&str; 20] = [
    "\r\nBcc: x@y.example",
    "\n",
    "\r",
    "a\0b",
    "100%",
    "%0d%0a%00",
    "%d%s%n%p",
    "a&to=+447700900099",
    "a+b c",
    "a=b&text=c",
    "\u{2028}\u{2029}\u{85}",
    "\u{200f}\u{202e}abc\u{202c}",
    "\",\"to\":\"+447700900099",
    "{to}{text}{id}{receipt_url}",
    "\\u0022\\",
    "http://x.example/?a=1#b@c",
    "<Response><Message>x</Message></Response>",
    "';--",
    "😀\u{feff}é€",
    "../../receipts/x?id=1&mac=2",
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    json: serde_json::Value,
}

async fn gateway() -> (std::net::SocketAddr, Arc<Mutex<Vec<Seen>>>) {
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let keep = async |State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request| {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 100_000).await.unwrap();
        let pairs = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect();
        seen.lock().unwrap().push(Seen {
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form: pairs(&body),
            json: serde_json::from_slice(&body).unwrap_or_default(),
        });
        StatusCode::OK
    };
    let router = axum::Router::new().fallback(keep).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

fn config(address: std::net::SocketAddr) -> SmsConfig {
    let gateway = |name: &str, kind: &str| {
        serde_json::json!({
            "name": name, "kind": kind, "url": format!("http://{address}/send"), "username": "u", "password": "p",
            "from": "+12025550100", "signature_secret": "s", "callback_token": "a-long-token-in-the-path",
            "body": r#"{"to":"{to}","text":"{text}","ref":"{id}","cb":"{receipt_url}"}"#, "success_status": [200],
        })
    };
    serde_json::from_value(serde_json::json!({
        "in_flight_max": 1, "answer_seconds": 5, "receipt_url": "", "receipt_seconds": 1, "receipt_hours_max": 1,
        "spend_per_day_max": 0, "range_per_day_max": 0, "range_digits": 8,
        "gateways": [
            gateway("kannel", "kannel"), gateway("twilio", "twilio"), gateway("vonage", "vonage"),
            gateway("africas", "africas_talking"), gateway("generic", "generic"),
        ],
    }))
    .unwrap()
}

/// The slots of a message as a gateway reads them: number, text, our id, the address for receipts.
fn slots(kind: &str, seen: &Seen) -> [Option<String>; 4] {
    let pair = |pairs: &[(String, String)], name: &str| {
        let found: Vec<_> = pairs.iter().filter(|(known, _)| known == name).collect();
        assert!(found.len() <= 1, "{name} stands {} times", found.len());
        found.first().map(|(_, value)| value.clone())
    };
    let json = |name: &str| seen.json[name].as_str().map(str::to_owned);
    match kind {
        "kannel" => [pair(&seen.query, "to"), pair(&seen.query, "text"), None, pair(&seen.query, "dlr-url")],
        "twilio" => [pair(&seen.form, "To"), pair(&seen.form, "Body"), None, pair(&seen.form, "StatusCallback")],
        "vonage" => [json("to").map(|to| format!("+{to}")), json("text"), json("client_ref"), json("webhook_url")],
        "africas" => [pair(&seen.form, "to"), pair(&seen.form, "message"), None, None],
        _ => [json("to"), json("text"), json("ref"), json("cb")],
    }
}

#[tokio::test]
async fn no_slot_of_a_message_reaches_into_another() {
    let (address, seen) = gateway().await;
    let config = config(address);
    let gateways = Gateways::new(&config).unwrap();
    let overlong = "x".repeat(5_000);
    let mut checked = 0;
    for case in CASES.into_iter().chain([overlong.as_str()]) {
        for gateway in gateways.all() {
            // The case alone in each slot, and in all of them at once.
            let plus = format!("+{case}");
            let usual = ["+447700900001", "TOCSIN", "n1", "http://127.0.0.1/receipts/x?id=1"];
            let mut rows = vec![usual; 5];
            rows[0][0] = plus.as_str();
            rows[1][1] = case;
            rows[2][2] = case;
            rows[3][3] = case;
            rows[4] = [plus.as_str(), case, case, case];
            for row in rows {
                seen.lock().unwrap().clear();
                let message = SmsMessage { to: row[0], text: row[1], id: row[2], receipt_url: row[3] };
                let outcome = gateways.send(gateway, &message).await;
                assert!(matches!(outcome, Outcome::Taken { .. } | Outcome::Refused { .. }), "{case:?} {outcome:?}");
                let seen = seen.lock().unwrap().clone();
                assert_eq!(seen.len(), 1);
                let read = slots(&gateway.name, &seen[0]);
                for (slot, expected) in read.iter().zip(row) {
                    assert!(slot.as_deref().is_none_or(|slot| slot == expected), "{} {case:?}: {slot:?}", gateway.name);
                }
                assert!(read[0].is_some() && read[1].is_some());
                checked += 1;
            }
        }
    }
    assert!(checked >= 60, "{checked}");
}

#[test]
fn no_case_is_a_number() {
    for case in CASES {
        for number in
            [case.to_owned(), format!("+{case}"), format!("+447700900001{case}"), format!("{case}+447700900001")]
        {
            assert!(!is_e164(&number), "{number:?}");
        }
    }
}

#[tokio::test]
async fn whatever_comes_in_is_kept_as_it_is_or_refused() {
    let sink = tocsin_sinks::SmsSink::start().await.unwrap();
    let more = format!(
        "[[notification.sms.gateways]]\nname = 'sink'\nkind = 'kannel'\nusername = 'u'\npassword = 'p'\n\
         callback_token = 'a-long-token-in-the-path'\nurl = 'http://{}/cgi-bin/sendsms'\n",
        sink.address()
    );
    let harness = Harness::start_only(TestDatabase::sqlite(), &more).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let door = format!("{}/inbound/sink/a-long-token-in-the-path", harness.http());
    let mut kept = 0;
    for (number, case) in CASES.into_iter().enumerate() {
        for (from, text, id) in [
            ("+447700900001", case, format!("t{number}")),
            (case, "a text", format!("f{number}")),
            ("+447700900001", "another text", format!("i{number}{case}")),
        ] {
            let query = [("from", from), ("text", text), ("id", &id)];
            let answer = client.get(&door).query(&query).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{case:?}");
            kept += 1;
        }
    }
    let request = tocsin_proto::notification::v1::ListRepliesRequest { page_size: 500, ..Default::default() };
    let request = harness.authorised(tocsin_domain::role::Role::Coordinator, request).await;
    let replies = harness.replies().await.list_replies(request).await.unwrap().into_inner().replies;
    assert_eq!(replies.len(), kept);
    assert!(CASES.iter().all(|case| replies.iter().any(|reply| reply.text == *case)));
    assert_eq!(client.get(&door).query(&[("from", "+447700900001")]).send().await.unwrap().status().as_u16(), 400);
    let long = "x".repeat(200_000);
    let answer = client.post(&door).body(long).send().await.unwrap();
    assert!(answer.status().is_client_error());
    assert_eq!(harness.sms.log().count() + sink.log().count(), 0, "nobody is answered");
    harness.stop().await;
}
