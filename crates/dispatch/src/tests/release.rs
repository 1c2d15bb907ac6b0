//! A release: who is told, with what, and who is not.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use prost::Message as _;
use tocsin_platform::clock::Clock;
use tocsin_platform::seal;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{DISPATCH_KEY_PUBLISHED, NOTICES_REQUESTED, NOTICES_WITHDRAWN};
use tocsin_proto::dispatch::v1::{Alert, GetAlertRequest};
use tocsin_proto::event::v1::{AlertTexts, KeyPublished, NoticesRequested, NoticesWithdrawn};
use tonic::{Code, Status};

use super::harness::{LIMIT, World, asked, draft, network, refusal, short_code, small_network};

async fn get(world: &World, key: &str, alert: &str) -> Result<Alert, Status> {
    let request = asked(key, GetAlertRequest { alert: alert.to_owned() });
    world.alerts().get_alert(request).await.map(|answer| answer.into_inner().alert.unwrap())
}

fn alone(requested: &[NoticesRequested]) -> &NoticesRequested {
    assert_eq!(requested.len(), 1);
    &requested[0]
}

#[tokio::test]
async fn every_contact_of_the_audience_is_asked_for_once_in_batches() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        let mut open = network();
        for organisation in &mut open {
            organisation.clearance = "RED".to_owned();
            organisation.subscription.as_mut().unwrap().regions.clear();
            organisation.subscription.as_mut().unwrap().groups.clear();
        }
        world.import(open.clone()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let members: Vec<_> = open.iter().filter(|organisation| organisation.kind == "signatory_member").collect();
        let contacts: BTreeSet<&String> = members.iter().flat_map(|member| &member.contact_ids).collect();
        assert_eq!(contacts.len(), 840);
        let requested = world.requested(840).await;
        let sizes: Vec<usize> = requested.iter().map(|batch| batch.recipients.len()).collect();
        assert_eq!(sizes, [100, 500, 240]);
        let asked: BTreeSet<&String> =
            requested.iter().flat_map(|batch| &batch.recipients).map(|recipient| &recipient.contact_id).collect();
        assert_eq!(asked, contacts);
        for batch in &requested {
            assert_eq!((batch.priority.as_str(), batch.tlp.as_str(), batch.texts.is_some()), ("p1", "AMBER", false));
            assert_eq!(batch.reviewed_languages, ["en"]);
            assert_eq!(batch.coordinator.as_ref().unwrap().name, "Noor");
            for recipient in &batch.recipients {
                let (alert, contact) = world.dispatch.keys.verify(&recipient.acknowledge_token).unwrap();
                assert_eq!((alert, contact.to_string()), (draft.alert, recipient.contact_id.clone()));
                assert!(recipient.contact_id.starts_with(&recipient.organisation_id));
            }
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn nobody_beyond_the_decision_of_the_gate_is_told() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut draft = draft(&world);
    // The partner is in the gate's list but not in the audience of the track; the second member is not in the list.
    draft.content.organisation_ids = vec!["org-001".to_owned(), "org-003".to_owned()];
    world.release(&draft).await;
    let requested = world.requested(2).await;
    assert!(alone(&requested).recipients.iter().all(|recipient| recipient.organisation_id == "org-001"));
    let id = draft.alert.to_string();
    let seen = get(&world, &world.member("org-001").await, &id).await.unwrap();
    assert_eq!((seen.reference.as_str(), seen.state.as_str()), ("XA-2026-0001", "released"));
    let languages: Vec<&str> = seen.texts.iter().map(|text| text.language.as_str()).collect();
    assert_eq!(languages, ["en"], "only reviewed texts are shown");
    for other in ["org-002", "org-003"] {
        let status = get(&world, &world.member(other).await, &id).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::NotFound, "ALERT_NOT_FOUND".to_owned()), "{other}");
    }
}

#[tokio::test]
async fn texts_travel_sealed_at_green_and_wait_for_the_key() {
    for database in TestDatabase::both().await {
        let world = World::start_with(database, tempfile::tempdir().unwrap(), "", Clock::system()).await;
        world.import(small_network()).await.unwrap();
        let mut draft = draft(&world);
        draft.tlp = "GREEN";
        world.say_release(&draft).await;
        world.say_notification_key().await;
        wait_until("the release was taken", LIMIT, async || world.triage.owed().await == 0).await;
        let requested = world.requested(4).await;
        let sealed = alone(&requested).texts.clone().unwrap().into();
        let associated = format!("texts:{}:0", draft.alert);
        let opened = seal::open(&world.notification_pair, &associated, &sealed).unwrap();
        let texts = AlertTexts::decode(opened.as_slice()).unwrap();
        assert_eq!(texts.reference, "XA-2026-0001");
        assert_eq!(texts.texts.len(), 1, "an unreviewed text never leaves");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_consent_that_has_expired_tells_nobody() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut draft = draft(&world);
    draft.consent_expires_at = Some(world.now() - TimeDelta::milliseconds(1));
    world.release(&draft).await;
    let seen = get(&world, &world.coordinator().await, &draft.alert.to_string()).await.unwrap();
    assert_eq!((seen.state.as_str(), seen.withdrawn_reason.as_str()), ("withdrawn", "consent_expired"));
    assert!(seen.texts.is_empty());
    assert!(world.notification.heard::<NoticesRequested>(&NOTICES_REQUESTED).is_empty());
    let status = get(&world, &world.member("org-001").await, &draft.alert.to_string()).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_withdrawal_that_comes_first_stops_the_alert() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.withdraw(draft.alert, 0).await;
        world.release(&draft).await;
        let seen = get(&world, &world.coordinator().await, &draft.alert.to_string()).await.unwrap();
        assert_eq!((seen.state.as_str(), seen.withdrawn_reason.as_str()), ("withdrawn", "consent_withdrawn"));
        assert!(world.notification.heard::<NoticesRequested>(&NOTICES_REQUESTED).is_empty());
        let status = get(&world, &world.member("org-001").await, &draft.alert.to_string()).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_withdrawal_recalls_from_those_who_were_told() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        world.requested(4).await;
        world.withdraw(draft.alert, 0).await;
        let heard = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
        wait_until("notification hears of it", LIMIT, async || heard().len() == 1).await;
        let withdrawn = heard().remove(0);
        assert_eq!((withdrawn.organisation_id.as_str(), withdrawn.reason.as_str()), ("", "consent_withdrawn"));
        let seen = get(&world, &world.member("org-001").await, &draft.alert.to_string()).await.unwrap();
        assert_eq!((seen.state.as_str(), seen.texts.len(), seen.addressees.len()), ("withdrawn", 0, 0));
        world.stop().await;
    }
}

#[tokio::test]
async fn repeated_and_older_revisions_change_nothing() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let first = draft(&world);
    let mut second = first.clone();
    second.revision = 1;
    second.content.reference = "XA-2026-0001.1".to_owned();
    world.release(&second).await;
    world.release(&second).await;
    world.release(&first).await;
    assert_eq!(alone(&world.requested(4).await).revision, 1);
    let coordinator = world.coordinator().await;
    for name in
        [first.alert.to_string(), short_code(first.alert), "XA-2026-0001".to_owned(), "XA-2026-0001.1".to_owned()]
    {
        let seen = get(&world, &coordinator, &name).await.unwrap();
        assert_eq!((seen.revision, seen.reference.as_str()), (1, "XA-2026-0001.1"), "{name}");
    }
    for (name, code) in [("XA-2026-0002", Code::NotFound), ("nothing", Code::InvalidArgument)] {
        assert_eq!(get(&world, &coordinator, name).await.unwrap_err().code(), code, "{name}");
    }
    for (name, hint) in [("A7F3-K2C", "check the last character"), ("not a name", "a short code such as A7F3-K2W")] {
        let failure = world.dispatch.alert_name(name).unwrap_err();
        assert!(failure.fields[0].description.contains(hint), "{name}: {failure:?}");
    }
    assert!(world.dispatch.alert_name("A7F3-K2W").is_ok(), "the example is a short code");
}

#[tokio::test]
async fn an_update_is_for_its_own_audience_only() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let first = draft(&world);
    world.release(&first).await;
    world.requested(4).await;
    let mut second = first.clone();
    second.revision = 1;
    second.content.organisation_ids = vec!["org-001".to_owned()];
    world.release(&second).await;
    let id = first.alert.to_string();
    assert_eq!(get(&world, &world.member("org-001").await, &id).await.unwrap().revision, 1);
    let left_out = world.member("org-002").await;
    assert_eq!(get(&world, &left_out, &id).await.unwrap_err().code(), Code::NotFound);
    world.withdraw(first.alert, 1).await;
    assert_eq!(get(&world, &left_out, &id).await.unwrap().state, "withdrawn", "the recall reaches those once told");
}

#[tokio::test]
async fn the_key_is_said_at_every_start_and_stays_the_same() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let draft = draft(&world);
        world.release(&draft).await;
        let keys = world.triage.heard::<KeyPublished>(&DISPATCH_KEY_PUBLISHED);
        let (database, folder) = world.stop().await;
        let world = World::start_with(database, folder, "", Clock::system()).await;
        // What was sealed to the key before still opens.
        let seen = get(&world, &world.coordinator().await, &draft.alert.to_string()).await.unwrap();
        assert_eq!(seen.reference, "XA-2026-0001");
        assert_eq!(keys[0].key.as_ref().unwrap().id, world.dispatch.contents.public().id);
        let said = || world.triage.heard::<KeyPublished>(&DISPATCH_KEY_PUBLISHED);
        wait_until("triage hears the key again", LIMIT, async || said().len() == 1).await;
        assert_eq!(said()[0].key, keys[0].key);
        world.stop().await;
    }
}
