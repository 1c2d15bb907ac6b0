//! What organisations answer, and what follows from it.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{Lane, NOTICES_REQUESTED, NOTICES_WITHDRAWN, RESPONSE_RECORDED};
use tocsin_proto::dispatch::v1::{RespondToAlertRequest, RespondToAlertResponse};
use tocsin_proto::event::v1::{NoticesWithdrawn, ResponseRecorded};
use tonic::{Code, Status};

use super::harness::{LIMIT, World, asked, draft, refusal, short_code, small_network};

async fn respond(world: &World, key: &str, alert: &str, response: &str) -> Result<RespondToAlertResponse, Status> {
    let message = RespondToAlertRequest { alert: alert.to_owned(), response: response.to_owned() };
    world.alerts().respond_to_alert(asked(key, message)).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn one_acknowledgement_stops_the_notices_of_its_organisation() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let key = world.member("org-001").await;
        let name = short_code(draft.alert);
        let first = respond(&world, &key, &name, "acknowledged").await.unwrap();
        assert_eq!((first.organisation_id.as_str(), first.response.as_str()), ("org-001", "acknowledged"));
        let again = respond(&world, &key, "XA-2026-0001", "acknowledged").await.unwrap();
        assert_eq!(first, again, "the same answer again says the same");
        let signed = respond(&world, &key, &name, "signed").await.unwrap();
        assert_eq!(signed.response, "signed");
        let after = respond(&world, &key, &name, "acknowledged").await.unwrap();
        assert_eq!(after, signed, "an acknowledgement does not replace a signature");
        let answers = || world.triage.heard::<ResponseRecorded>(&RESPONSE_RECORDED);
        wait_until("triage hears both answers", LIMIT, async || answers().len() == 2).await;
        let mut heard: Vec<_> = answers().into_iter().map(|said| (said.version, said.response)).collect();
        heard.sort();
        assert_eq!(heard, [(1, "acknowledged".to_owned()), (2, "signed".to_owned())]);
        let withdrawn = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
        wait_until("notification hears of it", LIMIT, async || !withdrawn().is_empty()).await;
        wait_until("all is settled", LIMIT, async || world.dispatch.outbox.lag().await.unwrap().owed == 0).await;
        let withdrawn = withdrawn();
        assert_eq!(withdrawn.len(), 1);
        assert_eq!((withdrawn[0].organisation_id.as_str(), withdrawn[0].reason.as_str()), ("org-001", "acknowledged"));
        world.stop().await;
    }
}

#[tokio::test]
async fn answers_meet_the_asks_the_role_and_the_audience() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let draft = draft(&world);
    world.release(&draft).await;
    let id = draft.alert.to_string();
    let member = world.member("org-001").await;
    let both = world.key(&[Role::SignatoryDelegate, Role::PartnerDesk], Some("org-002")).await;
    let outside = world.key(&[Role::PartnerDesk], Some("org-003")).await;
    let staff = world.coordinator().await;
    let check = async |key: &str, response: &str, code: Code, reason: &str| {
        let status = respond(&world, key, &id, response).await.unwrap_err();
        assert_eq!(refusal(&status), (code, reason.to_owned()), "{response}");
    };
    check(&member, "yes", Code::InvalidArgument, "RESPONSE_UNKNOWN").await;
    check(&member, "referral_accepted", Code::PermissionDenied, "ROLE_NEEDED").await;
    check(&both, "referral_accepted", Code::FailedPrecondition, "NOT_ASKED").await;
    check(&outside, "acknowledged", Code::NotFound, "ALERT_NOT_FOUND").await;
    assert_eq!(respond(&world, &staff, &id, "acknowledged").await.unwrap_err().code(), Code::PermissionDenied);
    world.withdraw(draft.alert, 0).await;
    check(&member, "acknowledged", Code::FailedPrecondition, "ALERT_WITHDRAWN").await;
}

#[tokio::test]
async fn stopping_is_urgent_whatever_the_alert_is() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut draft = draft(&world);
    draft.priority = "p3";
    world.release(&draft).await;
    let id = draft.alert.to_string();
    respond(&world, &world.member("org-001").await, &id, "signed").await.unwrap();
    world.withdraw(draft.alert, 0).await;
    let lanes = || world.notification.lanes(&NOTICES_WITHDRAWN);
    wait_until("both stops are heard", LIMIT, async || lanes().len() == 2).await;
    assert_eq!(lanes(), [Lane::Urgent, Lane::Urgent]);
    assert!(!world.notification.lanes(&NOTICES_REQUESTED).contains(&Lane::Urgent));
}

#[tokio::test]
async fn an_update_asks_again() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut draft = draft(&world);
    world.release(&draft).await;
    let key = world.member("org-001").await;
    let id = draft.alert.to_string();
    respond(&world, &key, &id, "signed").await.unwrap();
    draft.revision = 1;
    world.release(&draft).await;
    let kept = respond(&world, &key, &id, "acknowledged").await.unwrap();
    assert_eq!(kept.response, "signed");
    let withdrawn = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
    wait_until("the notices of the update are stopped too", LIMIT, async || withdrawn().len() == 2).await;
    let mut revisions: Vec<u32> = withdrawn().iter().map(|said| said.revision).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [0, 1]);
}

#[tokio::test]
async fn answers_at_the_same_moment_count_once() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let key = world.member("org-001").await;
        let id = draft.alert.to_string();
        let answers = futures::future::join_all((0..16).map(|_| respond(&world, &key, &id, "signed"))).await;
        let first = answers[0].as_ref().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
        wait_until("all is settled", LIMIT, async || world.dispatch.outbox.lag().await.unwrap().owed == 0).await;
        assert_eq!(world.triage.heard::<ResponseRecorded>(&RESPONSE_RECORDED).len(), 1);
        world.stop().await;
    }
}
