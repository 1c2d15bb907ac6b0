//! Twilio, Vonage and Africa's Talking: what they are sent, what their answers and receipts mean, and that nobody else can
//! speak in their name.

use std::collections::BTreeMap;

use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::Contact;

use super::harness::{Harness, PATIENCE};
use super::sms_providers::{Provider, Style, TOKEN, an_alert, claims, pairs, twilio_signature, vonage_token};

const STYLES: [Style; 3] = [Style::Twilio, Style::Vonage, Style::AfricasTalking];

/// A notice that a provider took.
async fn sent(style: Style, database: TestDatabase) -> (Harness, Provider, Vec<Contact>) {
    let provider = Provider::start(style).await;
    let harness = Harness::start_only(database, &provider.settings()).await;
    let contacts = vec![harness.contact("org-1", 1, "es", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&an_alert("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    (harness, provider, contacts)
}

/// The words of a provider for: on its way, with the carrier, delivered, failed.
fn words(style: Style) -> [&'static str; 4] {
    match style {
        Style::Twilio => ["sending", "sent", "delivered", "undelivered"],
        Style::Vonage => ["submitted", "submitted", "delivered", "undeliverable"],
        Style::AfricasTalking => ["Sent", "Submitted", "Success", "Failed"],
    }
}

#[tokio::test]
async fn each_takes_what_we_send_and_its_receipts_count() {
    for style in STYLES {
        for database in TestDatabase::both().await {
            let (harness, provider, _) = sent(style, database).await;
            assert_eq!(provider.refused(), Vec::<String>::new(), "{style:?}");
            let taken = provider.taken();
            assert_eq!((taken.len(), taken[0].to.as_str()), (1, "+447700900001"), "{style:?}");
            assert!(taken[0].text.starts_with("TOCSIN A7F3-K2W MUY URGENTE."), "{}", taken[0].text);
            let tell = async |status: &str| {
                provider.tell(harness.http(), &taken[0], status).send().await.unwrap().status().as_u16()
            };
            let [moving, carrier, delivered, failed] = words(style);
            for status in [moving, carrier, carrier] {
                assert_eq!(tell(status).await, 200, "{style:?} {status}");
            }
            assert_eq!(tell("dancing").await, 400, "{style:?}");
            harness.until(&["org-1-c1 sms accepted"]).await;
            assert_eq!(tell(failed).await, 200);
            harness.until(&["org-1-c1 sms rejected_permanent"]).await;
            assert_eq!(tell(delivered).await, 200);
            harness.until(&["org-1-c1 sms delivered"]).await;
            for status in [failed, moving, carrier, delivered] {
                assert_eq!(tell(status).await, 200);
            }
            harness.until(&["org-1-c1 sms delivered"]).await;
            harness.stop().await;
        }
    }
}

#[tokio::test]
async fn errors_are_told_apart() {
    for (style, answer, expected) in [
        (Style::Twilio, (400, r#"{"code":21610,"status":400}"#), "twilio_21610"),
        (
            Style::AfricasTalking,
            (201, r#"{"SMSMessageData":{"Recipients":[{"statusCode":406}]}}"#),
            "africas_talking_406",
        ),
    ] {
        let provider = Provider::start(style).await;
        provider.answer_with(Some(answer));
        let harness = Harness::start_only(TestDatabase::sqlite(), &provider.settings()).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&an_alert("p1", "AMBER"), &contacts).await;
        harness.until(&["org-1-c1 sms rejected_permanent"]).await;
        assert_eq!(harness.progress()[0].reason, expected);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_receipt_may_come_before_its_message_is_known() {
    for database in TestDatabase::both().await {
        let provider = Provider::start(Style::AfricasTalking).await;
        let harness = Harness::start_only(database, &provider.settings()).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
        harness.import(contacts.clone()).await.unwrap();
        // The first message that it will take has this id.
        let coming = super::sms_providers::Submitted { id: format!("ATXid_{:032x}", 0), ..Default::default() };
        for status in ["Sent", "Success", "Submitted"] {
            let told = provider.tell(harness.http(), &coming, status).send().await.unwrap();
            assert_eq!(told.status().as_u16(), 200);
        }
        harness.request(&an_alert("p1", "AMBER"), &contacts).await;
        harness.until(&["org-1-c1 sms delivered"]).await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn nobody_else_speaks_for_twilio() {
    let (harness, provider, _) = sent(Style::Twilio, TestDatabase::sqlite()).await;
    let of = provider.taken().remove(0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = pairs(&[("MessageSid", &of.id), ("MessageStatus", "undelivered")]);
    let good = twilio_signature("a-secret-of-the-account", &of.receipt_url, &form);
    let mut other = form.clone();
    other.insert("MessageStatus".to_owned(), "delivered".to_owned());
    let elsewhere = of.receipt_url.replace("provider", "other");
    let more = format!("{}&x=1", of.receipt_url);
    let check = async |url: &str, signature: Option<&str>, form: &BTreeMap<String, String>, expected: u16| {
        let mut request = client.post(url).form(form);
        if let Some(signature) = signature {
            request = request.header("x-twilio-signature", signature);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{url}");
    };
    check(&of.receipt_url, None, &form, 404).await;
    check(&of.receipt_url, Some(""), &form, 404).await;
    check(&of.receipt_url, Some("AAAA"), &form, 404).await;
    check(&of.receipt_url, Some(&good), &other, 404).await;
    check(&more, Some(&good), &form, 404).await;
    check(&elsewhere, Some(&good), &form, 404).await;
    let wrong_secret = twilio_signature("a-secret-of-somebody", &of.receipt_url, &form);
    check(&of.receipt_url, Some(&wrong_secret), &form, 404).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    check(&of.receipt_url, Some(&good), &form, 200).await;
    harness.until(&["org-1-c1 sms rejected_permanent"]).await;
    harness.stop().await;
}

#[test]
fn signatures_are_those_of_the_published_example() {
    let form = pairs(&[
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]);
    let signature = twilio_signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &form);
    assert_eq!(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
}

#[tokio::test]
async fn nobody_else_speaks_for_vonage() {
    let (harness, provider, _) = sent(Style::Vonage, TestDatabase::sqlite()).await;
    let of = provider.taken().remove(0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = serde_json::json!({"message_uuid": of.id, "status": "rejected"}).to_string();
    let secret = "another-secret-that-signs-callbacks";
    let check = async |token: &str, body: &str, expected: u16| {
        let mut request = client.post(&of.receipt_url).header("content-type", "application/json").body(body.to_owned());
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{token}");
    };
    let good = vonage_token(secret, "HS256", &claims(&body, 0));
    check("", &body, 404).await;
    check("a.b.c", &body, 404).await;
    check(&vonage_token("another", "HS256", &claims(&body, 0)), &body, 404).await;
    check(&vonage_token(secret, "none", &claims(&body, 0)), &body, 404).await;
    check(&vonage_token(secret, "HS512", &claims(&body, 0)), &body, 404).await;
    check(&vonage_token(secret, "HS256", &claims(&body, 200_000)), &body, 404).await;
    check(&vonage_token(secret, "HS256", &claims(&body, -4_000)), &body, 404).await;
    check(&good, &body.replace("rejected", "delivered"), 404).await;
    let mut unsigned = good.rsplit_once('.').unwrap().0.to_owned();
    unsigned.push('.');
    check(&unsigned, &body, 404).await;
    let mut foreign = claims(&body, 0);
    foreign["api_key"] = "somebody".into();
    check(&vonage_token(secret, "HS256", &foreign), &body, 404).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    check(&good, &body, 200).await;
    harness.until(&["org-1-c1 sms rejected_permanent"]).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_token_counts_only_from_a_listed_source() {
    let provider = Provider::start(Style::AfricasTalking).await;
    let elsewhere = format!("{}allowed_sources = ['192.0.2.0/24']\n", provider.settings());
    let harness = Harness::start_only(TestDatabase::sqlite(), &elsewhere).await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["sms"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&an_alert("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 sms accepted"]).await;
    let of = provider.taken().remove(0);
    assert_eq!(provider.tell(harness.http(), &of, "Success").send().await.unwrap().status().as_u16(), 404);
    let brought = provider.bring(harness.http(), "+447700900001", "STOP", "1").send().await.unwrap();
    assert_eq!(brought.status().as_u16(), 404);
    harness.stop().await;

    let (harness, provider, _) = sent(Style::AfricasTalking, TestDatabase::sqlite()).await;
    let of = provider.taken().remove(0);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = pairs(&[("id", &of.id), ("status", "Success")]);
    for path in ["provider", "provider/", "provider/wrong", &format!("provider/{TOKEN}x"), &format!("other/{TOKEN}")] {
        let told = client.post(format!("{}/receipts/{path}", harness.http())).form(&form).send().await.unwrap();
        assert_eq!(told.status().as_u16(), 404, "{path}");
    }
    harness.until(&["org-1-c1 sms accepted"]).await;
    harness.stop().await;
}

#[tokio::test]
async fn a_message_is_brought_by_each() {
    for style in STYLES {
        let (harness, provider, _) = sent(style, TestDatabase::sqlite()).await;
        let brought = provider.bring(harness.http(), "+447700900001", "ack a7f3k2w", "m1").send().await.unwrap();
        assert_eq!(brought.status().as_u16(), 200, "{style:?}");
        let answer = brought.text().await.unwrap();
        assert_eq!(answer, if style == Style::Twilio { "<Response/>" } else { "" });
        let heard = async || harness.dispatch.heard.lock().unwrap().replies.len() == 1;
        wait_until("dispatch hears of it", PATIENCE, heard).await;
        let reply = harness.dispatch.heard.lock().unwrap().replies.remove(0);
        assert_eq!((reply.contact_id.as_str(), reply.channel.as_str()), ("org-1-c1", "sms"));
        assert_eq!(reply.acknowledge_token, "token-org-1-c1");
        harness.stop().await;
    }
}
