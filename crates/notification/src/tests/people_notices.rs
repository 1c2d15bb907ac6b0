//! Notices as people look after them: listed, shown with every attempt, sent again and withdrawn, with who and why.

use tocsin_domain::role::Role;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{
    AddMailSuppressionRequest, GetNoticeProgressRequest, GetNoticeProgressResponse, GetNoticeRequest,
    GetNoticeResponse, ListChangesRequest, ListNoticesRequest, Notice, NoticeSelection, RedriveNoticesRequest,
    RedriveNoticesResponse, WithdrawNoticesRequest, WithdrawNoticesResponse,
};
use tonic::{Code, Response, Status};

use super::harness::{Alert, Harness};
use super::mail::lift;

async fn listed(harness: &Harness, ask: ListNoticesRequest) -> Result<Vec<Notice>, Status> {
    let ask = harness.authorised(Role::Coordinator, ask).await;
    Ok(harness.notices_client().await.list_notices(ask).await?.into_inner().notices)
}

async fn shown(harness: &Harness, role: Role, notice_id: &str) -> Result<GetNoticeResponse, Status> {
    let ask = harness.authorised(role, GetNoticeRequest { notice_id: notice_id.to_owned() }).await;
    harness.notices_client().await.get_notice(ask).await.map(Response::into_inner)
}

async fn progress(harness: &Harness, alert: &str) -> Result<GetNoticeProgressResponse, Status> {
    let ask = harness.authorised(Role::Operator, GetNoticeProgressRequest { alert_id: alert.to_owned() }).await;
    harness.notices_client().await.get_notice_progress(ask).await.map(Response::into_inner)
}

async fn redrive(
    harness: &Harness,
    selection: NoticeSelection,
    dry_run: bool,
) -> Result<RedriveNoticesResponse, Status> {
    let reason = "mailbox_mended".to_owned();
    let ask = RedriveNoticesRequest { selection: Some(selection), reason, dry_run };
    let ask = harness.authorised(Role::Operator, ask).await;
    harness.notices_client().await.redrive_notices(ask).await.map(Response::into_inner)
}

async fn withdraw(harness: &Harness, selection: NoticeSelection) -> Result<WithdrawNoticesResponse, Status> {
    let ask =
        WithdrawNoticesRequest { selection: Some(selection), reason: "wrong_recipient".to_owned(), dry_run: false };
    let ask = harness.authorised(Role::Coordinator, ask).await;
    harness.notices_client().await.withdraw_notices(ask).await.map(Response::into_inner)
}

fn by_contact(contact_id: &str) -> NoticeSelection {
    NoticeSelection { contact_id: contact_id.to_owned(), ..NoticeSelection::default() }
}

/// Two contacts whose e-mail is suppressed, so that their notices have ended as refused.
async fn refused(database: TestDatabase) -> (Harness, Alert) {
    let harness = Harness::start(database).await;
    let contacts: Vec<_> = (1..=3).map(|number| harness.contact("org-1", number, "en", &["email"])).collect();
    harness.import(contacts.clone()).await.unwrap();
    for contact in &contacts[..2] {
        let contact_id = contact.contact_id.clone();
        let ask = AddMailSuppressionRequest { contact_id, reason: "mailbox_full".to_owned() };
        let ask = harness.authorised(Role::Coordinator, ask).await;
        harness.suppressions().await.add_mail_suppression(ask).await.unwrap();
    }
    let alert = Alert { short_code: "A7F3-K2W", ..Alert::new("p1", "AMBER") };
    harness.request(&alert, &contacts).await;
    harness
        .until(&["org-1-c1 email rejected_permanent", "org-1-c2 email rejected_permanent", "org-1-c3 email accepted"])
        .await;
    (harness, alert)
}

#[tokio::test]
async fn what_ended_unheard_is_sent_again_and_its_log_tells_all() {
    for database in TestDatabase::both().await {
        let (harness, alert) = refused(database).await;
        let of = |contact_id: &str| ListNoticesRequest {
            alert_id: "a7f3k2w".to_owned(),
            contact_id: contact_id.to_owned(),
            lane: "urgent".to_owned(),
            channel: "email".to_owned(),
            ..ListNoticesRequest::default()
        };
        let first = listed(&harness, of("org-1-c1")).await.unwrap().remove(0);
        assert_eq!((first.reason.as_str(), first.handed_to.as_str()), ("address_suppressed", "Coordinator One"));
        lift(&harness, "org-1-c1").await.unwrap();
        let dry = redrive(&harness, by_contact("org-1-c1"), true).await.unwrap();
        assert_eq!(dry.notices_by_state.get("rejected_permanent"), Some(&1));
        assert_eq!(harness.mail.log().count(), 1, "counting sends nothing");
        assert_eq!(redrive(&harness, by_contact("org-1-c1"), false).await.unwrap(), dry);
        let states = ["org-1-c1 email accepted", "org-1-c2 email rejected_permanent", "org-1-c3 email accepted"];
        harness.until(&states).await;
        assert_eq!(harness.mail.log().count(), 2);
        assert!(harness.progress().iter().any(|one| one.contact_id == "org-1-c1" && one.handed_to.is_empty()));
        let log = shown(&harness, Role::Coordinator, &first.notice_id).await.unwrap();
        let attempts: Vec<_> =
            log.attempts.iter().map(|one| format!("{} {} {}", one.number, one.outcome, one.code)).collect();
        assert_eq!(attempts, ["1 refused address_suppressed", "1 accepted 250"]);
        assert!(log.attempts[1].gateway.starts_with("127.0.0.1:"), "{}", log.attempts[1].gateway);
        let change = &log.changes[0];
        assert_eq!((change.kind.as_str(), change.reason.as_str()), ("notices.redrive", "mailbox_mended"));
        assert_eq!((change.actor_id.as_str(), change.notices), ("test-actor", 1));
        // What has arrived or is under way is not sent again, however often it is asked for.
        let again = redrive(&harness, by_contact("org-1-c1"), false).await.unwrap();
        assert_eq!(again, RedriveNoticesResponse::default());
        let told = progress(&harness, &alert.id.to_string()).await.unwrap();
        let counts: Vec<_> = told.counts.iter().map(|one| format!("{} {}", one.state, one.notices)).collect();
        assert_eq!(counts, ["accepted 2", "rejected_permanent 1"]);
        assert_eq!((told.short_code.as_str(), told.attempts, told.still_due), ("A7F3-K2W", 4, 0));
        assert!(told.first_attempt_at.is_some() && told.last_attempt_at.is_some());
        let changes = harness.authorised(Role::Operator, ListChangesRequest::default()).await;
        let changes = harness.notices_client().await.list_changes(changes).await.unwrap().into_inner().changes;
        assert_eq!(changes[0].kind, "notices.redrive");
        assert_eq!(changes[0].subject, "", "an operator sees nobody's id");
        harness.stop().await;
    }
}

#[tokio::test]
async fn what_was_withdrawn_or_is_no_news_any_more_is_left_alone() {
    for database in TestDatabase::both().await {
        let (harness, alert) = refused(database).await;
        harness.withdraw(&alert, "org-1", "acknowledged").await;
        harness.settled().await;
        let all = NoticeSelection { alert_id: alert.id.to_string(), ..NoticeSelection::default() };
        let left = redrive(&harness, all, false).await.unwrap();
        assert_eq!((left.notices_by_state.len(), left.left_by_reason.get("withdrawn")), (0, Some(&2)));
        harness.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_news_any_more_is_left_alone() {
    let harness = Harness::start_with(TestDatabase::sqlite(), "expire_after_hours = 0").await;
    let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
    harness.import(contacts.clone()).await.unwrap();
    harness.request(&Alert { deadline_hours: -1, ..Alert::new("p1", "AMBER") }, &contacts).await;
    harness.until(&["org-1-c1 email expired"]).await;
    let left = redrive(&harness, by_contact("org-1-c1"), false).await.unwrap();
    assert_eq!((left.notices_by_state.len(), left.left_by_reason.get("too_late")), (0, Some(&1)));
    assert_eq!(harness.mail.log().count(), 0);
    harness.stop().await;
}

#[tokio::test]
async fn only_what_is_still_queued_is_withdrawn() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let mut contacts: Vec<_> = (1..=4).map(|number| harness.contact("org-1", number, "en", &["email"])).collect();
        for asleep in &mut contacts[..3] {
            asleep.quiet_hours = "00:00-23:59".to_owned();
        }
        harness.import(contacts.clone()).await.unwrap();
        let alert = Alert { short_code: "A7F3-K2W", ..Alert::new("p3", "AMBER") };
        harness.request(&alert, &contacts).await;
        let queued = ["org-1-c1 email queued", "org-1-c2 email queued", "org-1-c3 email queued"];
        harness.until(&[&queued[..], &["org-1-c4 email accepted"]].concat()).await;
        assert_eq!(progress(&harness, "A7F3-K2W").await.unwrap().still_due, 3);
        let ended = withdraw(&harness, by_contact("org-1-c1")).await.unwrap();
        assert_eq!((ended.withdrawn, ended.in_hand), (1, 0));
        let gone = ["org-1-c1 email withdrawn", queued[1], queued[2], "org-1-c4 email accepted"];
        harness.until(&gone).await;
        assert!(harness.progress().iter().any(|one| one.reason == "wrong_recipient"));
        assert_eq!(withdraw(&harness, by_contact("org-1-c4")).await.unwrap(), WithdrawNoticesResponse::default());
        let alert_too = NoticeSelection { alert_id: alert.id.to_string(), ..NoticeSelection::default() };
        assert_eq!(withdraw(&harness, alert_too).await.unwrap().withdrawn, 2);
        let gone = ["org-1-c1 email withdrawn", "org-1-c2 email withdrawn", "org-1-c3 email withdrawn", gone[3]];
        harness.until(&gone).await;
        // A batch of the same alert that comes later ends as well.
        let later = vec![harness.contact("org-2", 9, "en", &["email"])];
        harness.import(later.clone()).await.unwrap();
        harness.request(&alert, &later).await;
        harness.until(&[&gone[..], &["org-2-c9 none withdrawn"]].concat()).await;
        assert_eq!(harness.mail.log().count(), 1);
        harness.stop().await;
    }
}

#[tokio::test]
async fn each_verb_asks_for_its_role_a_selection_and_a_reason() {
    let (harness, _) = refused(TestDatabase::sqlite()).await;
    let nothing = redrive(&harness, NoticeSelection::default(), false).await.unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let blank = NoticeSelection { webhook_host: " ".to_owned(), ..NoticeSelection::default() };
    assert!(redrive(&harness, blank, false).await.unwrap_err().message().contains("say which"));
    let mut broken = NoticeSelection { since: Some(timestamp(harness.clock.now())), ..NoticeSelection::default() };
    broken.since.as_mut().unwrap().nanos = -1;
    assert_eq!(redrive(&harness, broken, false).await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = NoticeSelection { alert_id: "A7F3-K2C".to_owned(), ..NoticeSelection::default() };
    assert_eq!(redrive(&harness, unknown, false).await.unwrap_err().code(), Code::InvalidArgument, "a typing error");
    let reason = RedriveNoticesRequest { selection: Some(by_contact("org-1-c1")), ..Default::default() };
    let reason = harness.authorised(Role::Operator, reason).await;
    let refused = harness.notices_client().await.redrive_notices(reason).await.unwrap_err();
    assert!(refused.message().contains("short word"), "{}", refused.message());
    let mut client = harness.notices_client().await;
    let ask = harness.authorised(Role::Coordinator, RedriveNoticesRequest::default()).await;
    assert_eq!(client.redrive_notices(ask).await.unwrap_err().code(), Code::PermissionDenied);
    let ask = harness.authorised(Role::Operator, WithdrawNoticesRequest::default()).await;
    assert_eq!(client.withdraw_notices(ask).await.unwrap_err().code(), Code::PermissionDenied);
    let ask = ListNoticesRequest { contact_id: "org-1-c1".to_owned(), ..ListNoticesRequest::default() };
    let ask = harness.authorised(Role::Operator, ask).await;
    assert_eq!(client.list_notices(ask).await.unwrap_err().code(), Code::PermissionDenied);
    let notice = listed(&harness, ListNoticesRequest::default()).await.unwrap().remove(0);
    let seen = shown(&harness, Role::Operator, &notice.notice_id).await.unwrap().notice.unwrap();
    assert_eq!((seen.contact_id.as_str(), seen.organisation_id.as_str(), seen.handed_to.as_str()), ("", "", ""));
    assert_eq!(shown(&harness, Role::Operator, "x").await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = uuid::Uuid::now_v7().to_string();
    assert_eq!(shown(&harness, Role::Operator, &unknown).await.unwrap_err().code(), Code::NotFound);
    harness.stop().await;
}
