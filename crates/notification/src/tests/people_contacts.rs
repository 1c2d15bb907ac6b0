//! Contacts as people look after them: masked, added one by one, and proved by a code on each channel.

use tocsin_domain::role::Role;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::notification::v1::{
    ConfirmContactCodeRequest, ConfirmContactCodeResponse, ContactSummary, GetContactRequest, GetContactResponse,
    ImportContactsRequest, ListContactsRequest, SendContactCodeRequest, SendContactCodeResponse, TestContactRequest,
};
use tonic::{Code, Response, Status};

use super::harness::Harness;

async fn show(harness: &Harness, role: Role, show_addresses: bool) -> Result<GetContactResponse, Status> {
    let ask = GetContactRequest { contact_id: "org-1-c1".to_owned(), show_addresses };
    let ask = harness.authorised(role, ask).await;
    harness.contacts().await.get_contact(ask).await.map(Response::into_inner)
}

async fn list(harness: &Harness, ask: ListContactsRequest) -> (Vec<ContactSummary>, String) {
    let ask = harness.authorised(Role::Administrator, ask).await;
    let listed = harness.contacts().await.list_contacts(ask).await.unwrap().into_inner();
    (listed.contacts, listed.next_page_token)
}

async fn send_code(harness: &Harness, channel: &str) -> Result<SendContactCodeResponse, Status> {
    let ask = SendContactCodeRequest { contact_id: "org-1-c1".to_owned(), channel: channel.to_owned() };
    let ask = harness.authorised(Role::Administrator, ask).await;
    harness.contacts().await.send_contact_code(ask).await.map(Response::into_inner)
}

async fn confirm(harness: &Harness, channel: &str, code: &str) -> Result<ConfirmContactCodeResponse, Status> {
    let ask = ConfirmContactCodeRequest {
        contact_id: "org-1-c1".to_owned(),
        channel: channel.to_owned(),
        code: code.to_owned(),
    };
    let ask = harness.authorised(Role::Administrator, ask).await;
    harness.contacts().await.confirm_contact_code(ask).await.map(Response::into_inner)
}

/// The six digits after these words.
fn code_after(words: &str, text: &str) -> String {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("{words} in {text}"));
    rest.chars().take(6).collect()
}

fn verified(contact: &ContactSummary) -> Vec<(&str, bool)> {
    contact.addresses.iter().map(|one| (one.channel.as_str(), one.verified_at.is_some())).collect()
}

#[tokio::test]
async fn addresses_are_masked_unless_an_administrator_asks() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let contacts: Vec<_> = (1..=5).map(|number| harness.contact("org-1", number, "en", &["email"])).collect();
    harness.import([contacts, vec![harness.contact("org-2", 6, "en", &["sms", "webhook"])]].concat()).await.unwrap();
    let masked = show(&harness, Role::Coordinator, false).await.unwrap();
    let shown = masked.contact.unwrap();
    let addresses: Vec<_> = shown.addresses.iter().map(|one| (one.address.as_str(), one.place)).collect();
    assert_eq!(addresses, [("c***@org-1.example", 1), ("+44***01", 0)]);
    assert_eq!(masked.role, "duty");
    assert_eq!(show(&harness, Role::Coordinator, true).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(show(&harness, Role::Operator, false).await.unwrap_err().code(), Code::PermissionDenied);
    let full = show(&harness, Role::Administrator, true).await.unwrap().contact.unwrap();
    assert_eq!(full.addresses[0].address, "canary-1@org-1.example");
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let ask = ListContactsRequest { page_size: 2, page_token, unverified: true, ..ListContactsRequest::default() };
        let (contacts, next) = list(&harness, ask).await;
        seen.extend(contacts.into_iter().map(|one| one.contact_id));
        page_token = next;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["org-1-c1", "org-1-c2", "org-1-c3", "org-1-c4", "org-1-c5", "org-2-c6"]);
    let of_one = ListContactsRequest { organisation_id: "org-2".to_owned(), ..ListContactsRequest::default() };
    assert_eq!(list(&harness, of_one).await.0.len(), 1);
    let again = ImportContactsRequest { contacts: vec![harness.contact("org-1", 1, "es", &["email"])], only_new: true };
    let again = harness.authorised(Role::Administrator, again).await;
    assert_eq!(harness.contacts().await.import_contacts(again).await.unwrap_err().code(), Code::AlreadyExists);
    harness.stop().await;
}

#[tokio::test]
async fn a_code_proves_an_address_until_it_changes() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contact = harness.contact("org-1", 1, "en", &["email", "sms", "webhook"]);
        harness.import(vec![contact.clone()]).await.unwrap();
        for channel in ["email", "sms", "webhook"] {
            let sent = send_code(&harness, channel).await.unwrap();
            assert!(["accepted", "delivered"].contains(&sent.outcome.as_str()), "{sent:?}");
            let code = match channel {
                "email" => {
                    let mail = harness.mail.log().take().remove(0).item;
                    code_after("Your code is ", &String::from_utf8_lossy(&mail.data))
                }
                "sms" => code_after("your code is ", &harness.sms.log().take().remove(0).item.text),
                _ => {
                    let body = harness.webhooks.log().take().remove(0).item.body;
                    code_after("\"code\":\"", &String::from_utf8_lossy(&body))
                }
            };
            assert_eq!(send_code(&harness, channel).await.unwrap_err().code(), Code::ResourceExhausted);
            let other = if code == "000000" { "000001" } else { "000000" };
            let wrong = confirm(&harness, channel, other).await.unwrap_err();
            assert!(wrong.message().contains("4 of 5"), "{}", wrong.message());
            assert!(confirm(&harness, channel, &code).await.unwrap().verified_at.is_some());
            assert_eq!(confirm(&harness, channel, &code).await.unwrap_err().code(), Code::FailedPrecondition);
        }
        let shown = show(&harness, Role::Administrator, false).await.unwrap().contact.unwrap();
        assert_eq!(verified(&shown), [("email", true), ("sms", true), ("webhook", true)]);
        let unverified = ListContactsRequest { unverified: true, ..ListContactsRequest::default() };
        assert_eq!(list(&harness, unverified.clone()).await.0.len(), 0);
        let mut moved = contact;
        moved.email = "elsewhere@org-1.example".to_owned();
        harness.import(vec![moved]).await.unwrap();
        let shown = show(&harness, Role::Administrator, false).await.unwrap().contact.unwrap();
        assert_eq!(verified(&shown), [("email", false), ("sms", true), ("webhook", true)]);
        assert_eq!(list(&harness, unverified).await.0.len(), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_code_cannot_be_guessed() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    harness.import(vec![harness.contact("org-1", 1, "ar", &["sms"])]).await.unwrap();
    assert_eq!(confirm(&harness, "sms", "123456").await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(confirm(&harness, "sms", "12345").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(send_code(&harness, "matrix").await.unwrap_err().code(), Code::FailedPrecondition);
    send_code(&harness, "sms").await.unwrap();
    let code = code_after("رمزكم ", &harness.sms.log().take().remove(0).item.text);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        assert!(confirm(&harness, "sms", wrong).await.is_err());
    }
    let late = confirm(&harness, "sms", &code).await.unwrap_err();
    assert!(late.message().contains("no code is awaited"), "{}", late.message());
    harness.stop().await;
}

#[tokio::test]
async fn every_channel_has_a_test() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    harness.import(vec![harness.contact("org-1", 1, "fr", &["email", "sms", "webhook"])]).await.unwrap();
    for (channel, outcome) in [("email", "accepted"), ("sms", "accepted"), ("webhook", "delivered")] {
        let ask = TestContactRequest { contact_id: "org-1-c1".to_owned(), channel: channel.to_owned() };
        let ask = harness.authorised(Role::Operator, ask).await;
        let tested = harness.contacts().await.test_contact(ask).await.unwrap().into_inner();
        assert_eq!(tested.outcome, outcome, "{channel}");
    }
    let text = harness.sms.log().take().remove(0).item.text;
    assert!(text.starts_with("TOCSIN: ceci est un essai.") && text.contains("Mot: "), "{text}");
    assert_eq!((harness.mail.log().count(), harness.webhooks.log().count()), (1, 1));
    harness.stop().await;
}
