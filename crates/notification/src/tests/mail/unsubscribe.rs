//! One press ends e-mail to a contact; looking at the page does not; and people see it and can undo it.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::mail_suppression_service_client::MailSuppressionServiceClient;
use tocsin_proto::notification::v1::{
    AddMailSuppressionRequest, ListMailSuppressionsRequest, MailSuppression, RemoveMailSuppressionRequest,
};
use tonic::Code;

use super::super::harness::{Alert, Harness, PATIENCE};

/// The link in a message.
fn link(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: <")).expect("a link");
    line.trim_end_matches(['>', '\r']).to_owned()
}

pub(in crate::tests) async fn suppressions(harness: &Harness, role: Role) -> Vec<MailSuppression> {
    let mut client = MailSuppressionServiceClient::connect(harness.grpc().to_owned()).await.unwrap();
    let request = harness.authorised(role, ListMailSuppressionsRequest::default()).await;
    client.list_mail_suppressions(request).await.unwrap().into_inner().suppressions
}

pub(in crate::tests) async fn lift(harness: &Harness, contact_id: &str) -> Result<(), tonic::Status> {
    let mut client = MailSuppressionServiceClient::connect(harness.grpc().to_owned()).await.unwrap();
    let message = RemoveMailSuppressionRequest { contact_id: contact_id.to_owned(), reason: String::new() };
    client.remove_mail_suppression(harness.authorised(Role::Coordinator, message).await).await.map(|_| ())
}

#[tokio::test]
async fn one_press_unsubscribes_and_a_person_can_undo_it() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![harness.contact("org-1", 1, "fr", &["email"])];
        harness.import(contacts.clone()).await.unwrap();
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        wait_until("it arrived", PATIENCE, async || harness.mail.log().count() == 1).await;
        let url = link(&harness.mail.log().all()[0].item.data);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let other = if url.ends_with('0') { '1' } else { '0' };
        for wrong in [format!("{}{other}", &url[..url.len() - 1]), format!("{url}00"), url[..url.len() - 64].to_owned()]
        {
            let answer = client.post(&wrong).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{wrong}");
        }
        let shown = client.get(&url).send().await.unwrap().text().await.unwrap();
        assert!(shown.contains("lang=\"fr\"") && shown.contains("<form method=\"post\">"), "{shown}");
        assert!(suppressions(&harness, Role::Coordinator).await.is_empty(), "looking changes nothing");
        for _ in 0..2 {
            let press = client.post(&url).form(&[("List-Unsubscribe", "One-Click")]).send().await.unwrap();
            assert_eq!(press.status(), 200);
        }
        let seen = suppressions(&harness, Role::Administrator).await;
        assert_eq!((seen.len(), seen[0].contact_id.as_str(), seen[0].kind.as_str()), (1, "org-1-c1", "unsubscribed"));
        assert_eq!(suppressions(&harness, Role::Operator).await[0].contact_id, "", "an operator sees nobody's id");
        let mut client = MailSuppressionServiceClient::connect(harness.grpc().to_owned()).await.unwrap();
        let ask = AddMailSuppressionRequest { contact_id: "org-1-c1".to_owned(), reason: "left".to_owned() };
        let refused = client.add_mail_suppression(harness.authorised(Role::Coordinator, ask).await).await.unwrap_err();
        assert!(refused.message().contains("has unsubscribed"), "{refused:?}");
        assert_eq!(suppressions(&harness, Role::Administrator).await[0].kind, "unsubscribed");
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let states = ["org-1-c1 email accepted", "org-1-c1 email suppressed_consent"];
        harness.until(&states).await;
        assert_eq!(harness.mail.log().count(), 1);
        lift(&harness, "org-1-c1").await.unwrap();
        assert_eq!(lift(&harness, "org-1-c1").await.unwrap_err().code(), Code::NotFound);
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        harness.until(&[states[0], states[0], states[1]]).await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_link_in_an_old_message_does_not_unsubscribe_a_new_address() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    wait_until("it arrived", PATIENCE, async || harness.mail.log().count() == 1).await;
    let url = link(&harness.mail.log().all()[0].item.data);
    contacts[0].email = "other@org-1.example".to_owned();
    harness.import(contacts.clone()).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let press = client.post(&url).form(&[("List-Unsubscribe", "One-Click")]).send().await.unwrap();
    assert_eq!(press.status(), 200);
    assert!(suppressions(&harness, Role::Coordinator).await.is_empty(), "that address is another's");
    harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
    harness.until(&["org-1-c1 email accepted"; 2]).await;
    let url = link(&harness.mail.log().all()[1].item.data);
    assert_eq!(client.post(&url).send().await.unwrap().status(), 200);
    assert_eq!(suppressions(&harness, Role::Coordinator).await.len(), 1, "its own link does");
    harness.stop().await;
}

#[tokio::test]
async fn a_new_address_is_written_to_and_staff_stay_on_duty() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut contacts = vec![harness.contact("org-1", 1, "en", &["email"]), harness.contact("", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.page(&["staff-1"]).await;
    wait_until("the call arrived", PATIENCE, async || harness.mail.log().count() == 1).await;
    let call = String::from_utf8(harness.mail.log().all()[0].item.data.clone()).unwrap();
    assert!(!call.contains("List-Unsubscribe"), "nobody unsubscribes from a duty");
    let mut client = MailSuppressionServiceClient::connect(harness.grpc().to_owned()).await.unwrap();
    let add = |reason: &str| AddMailSuppressionRequest { contact_id: "org-1-c1".to_owned(), reason: reason.to_owned() };
    let refused = client.add_mail_suppression(harness.authorised(Role::Operator, add("gone")).await).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let wrong = client.add_mail_suppression(harness.authorised(Role::Coordinator, add("Mr. X left")).await).await;
    assert_eq!(wrong.unwrap_err().code(), Code::InvalidArgument);
    client.add_mail_suppression(harness.authorised(Role::Coordinator, add("left")).await).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts[..1]).await;
    harness.until(&["org-1-c1 email rejected_permanent"]).await;
    let failed = harness.progress().remove(0);
    assert_eq!((failed.reason.as_str(), failed.handed_to.as_str()), ("address_suppressed", "Coordinator One"));
    contacts[0].email = "other@org-1.example".to_owned();
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert::new("p1", "AMBER"), &contacts[..1]).await;
    harness.until(&["org-1-c1 email accepted", "org-1-c1 email rejected_permanent"]).await;
    harness.stop().await;
}
