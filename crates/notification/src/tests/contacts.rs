//! Import, preview and listing through the gRPC door.

use tocsin_domain::role::Role;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::common::v1::AlertText;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{ImportContactsRequest, ListNoticesRequest, PreviewNoticesRequest};
use tonic::Code;

use super::harness::{Alert, Harness};

#[tokio::test]
async fn the_same_import_twice_changes_nothing() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let mut contacts: Vec<_> =
            (1..=1_200).map(|number| harness.contact("org-1", number, "en", &["email", "sms", "webhook"])).collect();
        let first = harness.import(contacts.clone()).await.unwrap();
        assert_eq!((first.created, first.changed, first.unchanged, first.secrets.len()), (1_200, 0, 0, 1_200));
        let again = harness.import(contacts.clone()).await.unwrap();
        assert_eq!((again.created, again.changed, again.unchanged, again.secrets.len()), (0, 0, 1_200, 0));
        contacts[5].email = "other@org-1.example".to_owned();
        let changed = harness.import(contacts).await.unwrap();
        assert_eq!((changed.created, changed.changed, changed.unchanged, changed.secrets.len()), (0, 1, 1_199, 0));
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_bad_import_names_every_field_and_changes_nothing() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut contacts = vec![harness.contact("org-1", 1, "en", &["email"]), harness.contact("org-1", 1, "en", &["fax"])];
    contacts[1].email = "a@b.example\r\nBcc: c@d.example".to_owned();
    let status = harness.import(contacts.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = String::from_utf8_lossy(status.details()).into_owned();
    assert!(details.contains("contacts[1].email") && details.contains("contacts[1].channels[0]"), "{details}");
    assert!(!details.contains("Bcc") && !status.message().contains("Bcc"));
    let good = harness.import(contacts[..1].to_vec()).await.unwrap();
    assert_eq!(good.created, 1);
    let twice = harness.import(vec![contacts[0].clone(), contacts[0].clone()]).await.unwrap_err();
    assert!(String::from_utf8_lossy(twice.details()).contains("contacts[1].contact_id"));
    harness.stop().await;
}

#[tokio::test]
async fn each_verb_asks_for_its_role() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let empty = ImportContactsRequest::default();
    let nobody = harness.contacts().await.import_contacts(empty.clone()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let coordinator = harness.authorised(Role::Coordinator, empty).await;
    let refused = harness.contacts().await.import_contacts(coordinator).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let administrator = harness.authorised(Role::Administrator, PreviewNoticesRequest::default()).await;
    let refused = harness.notices_client().await.preview_notices(administrator).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let approver = harness.authorised(Role::Approver, ListNoticesRequest::default()).await;
    let refused = harness.notices_client().await.list_notices(approver).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    harness.stop().await;
}

#[tokio::test]
async fn a_preview_shows_what_each_would_literally_read() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let contacts = vec![
        harness.contact("org-1", 1, "es", &["email", "sms"]),
        harness.contact("org-2", 2, "ar", &["email", "webhook"]),
        harness.contact("org-3", 3, "en", &["sms"]),
    ];
    harness.import(contacts.clone()).await.unwrap();
    let text = |language: &str, translation: &str| AlertText {
        language: language.to_owned(),
        headline: format!("headline {language}"),
        body: format!("body {language}"),
        translation: translation.to_owned(),
    };
    let ask = |tlp: &str| PreviewNoticesRequest {
        contact_ids: contacts.iter().map(|contact| contact.contact_id.clone()).collect(),
        tlp: tlp.to_owned(),
        priority: "p1".to_owned(),
        deadline: Some(timestamp("2026-07-12T06:00:00Z".parse().unwrap())),
        source_language: "en".to_owned(),
        texts: vec![text("en", "reviewed"), text("es", "reviewed"), text("ar", "machine_draft")],
        drill: false,
    };
    let mut client = harness.notices_client().await;
    let green = harness.authorised(Role::Coordinator, ask("GREEN")).await;
    let green = client.preview_notices(green).await.unwrap().into_inner();
    let shown: Vec<_> = green.previews.iter().map(|one| format!("{} {}", one.channel, one.language)).collect();
    assert_eq!(shown, ["email en", "email es", "sms en", "sms es", "webhook en"]);
    assert!(green.previews[1].text.contains("body es"));
    assert!(green.previews[0].text.contains("لا توجد بعد ترجمة") && green.previews[0].text.contains("body en"));
    assert!(!green.previews.iter().any(|one| one.text.contains("body ar")), "an unreviewed text is never shown");
    assert_eq!(green.contacts_by_language.get("en"), Some(&2));
    let red = harness.authorised(Role::Approver, ask("RED")).await;
    let red = client.preview_notices(red).await.unwrap().into_inner();
    assert_eq!(red.notices_by_channel.get("none"), Some(&1));
    assert_eq!(red.notices_by_channel.get("email"), Some(&2));
    assert!(!red.previews.iter().any(|one| one.text.contains("body")));
    let bad = harness.authorised(Role::Approver, ask("amber")).await;
    let bad = client.preview_notices(bad).await.unwrap_err();
    assert!(String::from_utf8_lossy(bad.details()).contains("tlp"));
    harness.stop().await;
}

#[tokio::test]
async fn notices_are_listed_page_by_page() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let contacts: Vec<_> = (1..=5).map(|number| harness.contact("org-1", number, "en", &["webhook"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    let alert = Alert::new("p1", "AMBER");
    harness.request(&alert, &contacts).await;
    let expected: Vec<_> = (1..=5).map(|number| format!("org-1-c{number} webhook delivered")).collect();
    harness.until(&expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut client = harness.notices_client().await;
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let ask = ListNoticesRequest {
            page_size: 2,
            page_token,
            alert_id: alert.id.to_string(),
            state: "delivered".to_owned(),
            ..ListNoticesRequest::default()
        };
        let page = client.list_notices(harness.authorised(Role::Coordinator, ask).await).await.unwrap().into_inner();
        seen.extend(page.notices.into_iter().map(|notice| (notice.contact_id, notice.attempts)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    seen.sort();
    let expected: Vec<_> = (1..=5).map(|number| (format!("org-1-c{number}"), 1)).collect();
    assert_eq!(seen, expected);
    let all = harness.authorised(Role::Operator, ListNoticesRequest::default()).await;
    let all = client.list_notices(all).await.unwrap().into_inner();
    assert_eq!(all.notices.len(), 5);
    assert!(all.notices.iter().all(|notice| notice.contact_id.is_empty()), "an operator sees nobody's id");
    let bad = ListNoticesRequest { page_token: "?".to_owned(), ..ListNoticesRequest::default() };
    let bad = client.list_notices(harness.authorised(Role::Operator, bad).await).await.unwrap_err();
    assert_eq!(bad.code(), Code::InvalidArgument);
    harness.stop().await;
}
