//! Coverage: notices in any order of arrival, and what each role may see.

use chrono::TimeDelta;
use tocsin_domain::id::NoticeId;
use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{Lane, NOTICES_PROGRESSED};
use tocsin_proto::convert::timestamp;
use tocsin_proto::dispatch::v1::{GetCoverageRequest, GetCoverageResponse, NoticeProgress, RespondToAlertRequest};
use tocsin_proto::event::v1::NoticesProgressed;
use tonic::Code;

use super::harness::{Draft, LIMIT, World, asked, draft, small_network};

async fn coverage(world: &World, key: &str, draft: &Draft) -> GetCoverageResponse {
    let request = GetCoverageRequest { alert: draft.alert.to_string(), notices: true };
    world.alerts().get_coverage(asked(key, request)).await.unwrap().into_inner()
}

fn notice(world: &World, contact: &str, channel: &str) -> NoticeProgress {
    NoticeProgress {
        notice_id: NoticeId::new(world.now()).to_string(),
        contact_id: contact.to_owned(),
        organisation_id: contact[..7].to_owned(),
        channel: channel.to_owned(),
        state: "queued".to_owned(),
        language: if contact.ends_with("c2") { "ar" } else { "en" }.to_owned(),
        at: Some(timestamp(world.now())),
        version: 1,
        ..NoticeProgress::default()
    }
}

fn later(notice: &NoticeProgress, version: u32, state: &str) -> NoticeProgress {
    NoticeProgress { version, state: state.to_owned(), ..notice.clone() }
}

async fn say(world: &World, draft: &Draft, notices: Vec<NoticeProgress>) {
    let said = NoticesProgressed {
        batch_id: NoticeId::new(world.now()).to_string(),
        alert_id: draft.alert.to_string(),
        revision: draft.revision,
        notices,
    };
    world.notification.say(&NOTICES_PROGRESSED, Lane::Urgent, 1, &said).await;
    wait_until("dispatch has taken the progress", LIMIT, async || world.notification.owed().await == 0).await;
}

fn of(map: &std::collections::HashMap<String, u32>) -> Vec<String> {
    let mut pairs: Vec<String> = map.iter().map(|(key, count)| format!("{key} {count}")).collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn the_newest_version_of_each_notice_counts_in_any_order() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let mail = notice(&world, "org-001-c1", "email");
        let text = notice(&world, "org-001-c1", "sms");
        let none = later(&notice(&world, "org-001-c2", "none"), 1, "suppressed_unsafe");
        let failed = NoticeProgress {
            handed_to: "Noor".to_owned(),
            due_at: Some(timestamp(world.now() + TimeDelta::hours(1))),
            ..later(&notice(&world, "org-002-c1", "email"), 2, "failed_temporary")
        };
        // The newest first, one batch with two versions of one notice, then what is old.
        say(&world, &draft, vec![later(&mail, 3, "delivered"), failed.clone()]).await;
        say(&world, &draft, vec![later(&mail, 2, "accepted"), mail.clone(), later(&failed, 1, "queued")]).await;
        say(&world, &draft, vec![text.clone(), none]).await;
        let seen = coverage(&world, &world.coordinator().await, &draft).await;
        assert_eq!((seen.contacts, seen.contacts_planned, seen.notices_total), (4, 3, 4));
        assert_eq!(of(&seen.by_channel), ["email 2", "none 1", "sms 1"]);
        assert_eq!(of(&seen.by_state), ["delivered 1", "failed_temporary 1", "queued 1", "suppressed_unsafe 1"]);
        assert_eq!(of(&seen.languages), ["ar 1", "en 2"]);
        let organisations: Vec<(&str, &str, &str)> = seen
            .organisations
            .iter()
            .map(|one| (one.organisation_id.as_str(), one.state.as_str(), one.handed_to.as_str()))
            .collect();
        assert_eq!(organisations, [("org-001", "delivered", ""), ("org-002", "failed_temporary", "Noor")]);
        let reported = seen.notices.iter().find(|notice| notice.notice_id == failed.notice_id).unwrap();
        assert_eq!(*reported, NoticeProgress { at: reported.at, due_at: reported.due_at, ..failed.clone() });
        let message = RespondToAlertRequest { alert: draft.alert.to_string(), response: "declined".to_owned() };
        world.alerts().respond_to_alert(asked(&world.member("org-002").await, message)).await.unwrap();
        let seen = coverage(&world, &world.coordinator().await, &draft).await;
        let answered = &seen.organisations[1];
        assert_eq!((answered.state.as_str(), answered.response.as_str()), ("acknowledged", "declined"));
        assert!(answered.responded_at.is_some() && answered.handed_to.is_empty());
        world.stop().await;
    }
}

#[tokio::test]
async fn an_organisation_without_a_contact_is_handed_to_the_coordinator() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        let mut network = small_network();
        network[1].contact_ids.clear();
        world.import(network).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        world.requested(2).await;
        let seen = coverage(&world, &world.coordinator().await, &draft).await;
        assert_eq!((seen.contacts, seen.contacts_planned, seen.notices_total), (2, 0, 1));
        assert_eq!((of(&seen.by_channel), of(&seen.languages)), (vec!["none 1".to_owned()], Vec::new()));
        let unreached = &seen.organisations[1];
        assert_eq!((unreached.organisation_id.as_str(), unreached.contacts), ("org-002", 0));
        assert_eq!((unreached.state.as_str(), unreached.handed_to.as_str()), ("rejected_permanent", "Noor"));
        assert_eq!((seen.notices[0].contact_id.as_str(), seen.notices[0].reason.as_str()), ("", "no_contact"));
        world.stop().await;
    }
}

#[tokio::test]
async fn each_role_sees_its_part() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let draft = draft(&world);
    world.release(&draft).await;
    say(&world, &draft, vec![notice(&world, "org-001-c1", "email")]).await;
    let approver = coverage(&world, &world.key(&[Role::Approver], None).await, &draft).await;
    assert_eq!(approver.alert.unwrap().texts.len(), 1);
    let auditor = coverage(&world, &world.key(&[Role::Auditor], None).await, &draft).await;
    let alert = auditor.alert.unwrap();
    assert!(alert.texts.is_empty() && alert.reference.is_empty());
    assert_eq!((auditor.organisations.len(), auditor.notices.len()), (2, 1));
    let operator = coverage(&world, &world.key(&[Role::Operator], None).await, &draft).await;
    assert!(operator.alert.unwrap().texts.is_empty());
    assert_eq!((operator.organisations.len(), operator.notices.len(), operator.notices_total), (0, 0, 1));
    let request = GetCoverageRequest { alert: draft.alert.to_string(), notices: false };
    let status = world.alerts().get_coverage(asked(&world.member("org-001").await, request)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}
