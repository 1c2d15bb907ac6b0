//! One report from its receipt to the release, on both databases, and over a restart.

use tocsin_domain::role::Role;
use tocsin_platform::database::Database;
use tocsin_platform::seal;
use tocsin_platform::testing::wait_until;
use tocsin_proto::catalogue::{ALERT_RELEASED, ANSWER_RECORDED, PAGE_REQUESTED};
use tocsin_proto::event::v1 as event;
use tocsin_proto::triage::v1 as wire;

use super::fixtures::Scenario;
use super::house::{House, LIMIT, Stored};
use crate::store::messages;

#[tokio::test]
async fn a_report_becomes_an_alert_on_both_databases() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let scenario = Scenario::workshop();
        let (report_id, _) = house.submit(&scenario.report()).await;
        let draft = house.walk_to_draft(&scenario, &report_id).await;
        assert_eq!((draft.version, draft.state.as_str()), (1, "drafting"));
        house.approve(&report_id, 1).await;
        let released = house.release(&report_id).await.unwrap();
        assert!(released.released, "{:?}", released.refusals);
        assert_eq!(released.reference, "XA-2026-0001");
        assert!(released.short_code.len() == 8 && released.short_code.contains('-'));
        check_event(&house, &released).await;
        check_case(&house, &released).await;
        house.stop().await;
    }
}

async fn check_event(house: &House, released: &wire::ReleaseAlertResponse) {
    let alert = house.hears::<event::AlertReleased>(&ALERT_RELEASED, 1).await.remove(0);
    assert_eq!((alert.alert_id.as_str(), alert.revision), (released.alert_id.as_str(), 0));
    assert_eq!((alert.priority.as_str(), alert.tlp.as_str(), alert.drill), ("p1", "AMBER", false));
    assert_eq!(alert.consents.len(), 1);
    assert_eq!(alert.consents[0].version, 1);
    assert_eq!(alert.coordinator.unwrap().name, "Person coordinator-1");
    // The sign-on window is 12 h, long before the hearing.
    let seconds = released.deadline.unwrap().seconds - released.released_at.unwrap().seconds;
    assert_eq!(seconds, 12 * 3600);

    let place = format!("alert:{}:0", alert.alert_id);
    let content = seal::open(&house.dispatch_pair, &place, &alert.content.unwrap().into()).unwrap();
    let content = <event::AlertContent as prost::Message>::decode(content.as_slice()).unwrap();
    assert_eq!((content.reference.as_str(), content.country.as_str()), ("XA-2026-0001", "XA"));
    let languages: Vec<_> = content.texts.iter().map(|text| text.language.as_str()).collect();
    assert_eq!(languages, ["en", "es", "fr"], "the Arabic draft is not reviewed");
    assert_eq!(content.organisation_ids, ["org-001", "org-002"]);
    assert_eq!(content.groups, ["digital_rights", "women_rights", "truth_justice_memory"]);

    let asked = house.answers.asked().pop().unwrap();
    assert_eq!((asked.track.as_str(), asked.priority.as_str(), asked.country.as_str()), ("members", "p1", "XA"));
    assert!(house.answers.keys()[0].starts_with("Bearer tcs_"), "the caller's own key goes along");
}

async fn check_case(house: &House, released: &wire::ReleaseAlertResponse) {
    let case = house.get("XA-2026-0001").await;
    let summary = case.summary.unwrap();
    assert_eq!((summary.state.as_str(), summary.reference.as_str()), ("monitoring", "XA-2026-0001"));
    assert_eq!(summary.coordinator.unwrap().actor_id, "coordinator-1");
    assert_eq!(case.report.unwrap().narrative, Scenario::workshop().report().narrative);
    assert_eq!((case.sources.len(), case.independent_sources, case.sources_sufficient), (2, 2, true));
    assert_eq!(case.assessment.unwrap().contributions.iter().map(|one| one.points).sum::<i32>(), 71);
    assert_eq!(case.release_by, "2026-07-09T09:00:00+03:00");
    assert_eq!(case.consents.iter().map(|consent| consent.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(case.draft.unwrap().state, "released");
    assert_eq!(case.alerts[0].alert_id, released.alert_id);
    let actions: Vec<_> = case.audit.iter().map(|entry| entry.action.as_str()).collect();
    for action in ["report_received", "acknowledged", "source_recorded", "assessed", "approved", "released"] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
    // The reading before this one is in the trail by now.
    let again = house.get("XA-2026-0001").await;
    assert_eq!(again.audit.last().unwrap().action, "content_read");
}

#[tokio::test]
async fn the_reporter_is_answered_and_the_duty_officer_paged() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let (report_id, receipt) = house.submit(&Scenario::dam().report()).await;
        let page = house.hears::<event::PageRequested>(&PAGE_REQUESTED, 1).await.remove(0);
        assert_eq!((page.contact_ids, page.level, page.priority.as_str()), (vec!["duty-1".to_owned()], 0, "p1"));
        let answer = house.hears::<event::AnswerRecorded>(&ANSWER_RECORDED, 1).await.remove(0);
        assert_eq!(
            (answer.report_id.as_str(), answer.version, answer.state.as_str()),
            (report_id.as_str(), 1, "received")
        );
        let place = format!("answer:{}", answer.answer_id);
        let text = seal::open(&receipt.key_pair().unwrap(), &place, &answer.content.unwrap().into()).unwrap();
        let text = String::from_utf8(text.to_vec()).unwrap();
        assert!(text.contains("Guarde su recibo") && text.contains("30 minutos"), "{text}");

        let duty = house.person("duty-1", &[Role::DutyOfficer]).await;
        let mut cases = house.cases.clone();
        let asks = wire::AnswerReporterRequest {
            case: report_id.clone(),
            text: "¿Están a salvo ahora?".to_owned(),
            question: true,
        };
        let early = cases.answer_reporter(duty.asks(asks.clone())).await;
        assert_eq!(super::house::reason(early), "NOT_ACKNOWLEDGED");
        cases.acknowledge_case(duty.asks(wire::AcknowledgeCaseRequest { case: report_id.clone() })).await.unwrap();
        let summary = cases.answer_reporter(duty.asks(asks)).await.unwrap().into_inner().summary.unwrap();
        assert_eq!(summary.state, "needs_info");
        let answers = house.hears::<event::AnswerRecorded>(&ANSWER_RECORDED, 3).await;
        let states: Vec<_> = answers.iter().map(|answer| (answer.version, answer.state.as_str())).collect();
        assert_eq!(states, [(1, "received"), (2, "acknowledged"), (3, "needs_info")]);

        let key = house.triage_key().await;
        house.say_message(report_id.parse().unwrap(), "Sí, por ahora.", &key).await;
        let answers = house.hears::<event::AnswerRecorded>(&ANSWER_RECORDED, 4).await;
        assert_eq!(answers[3].state, "verifying");
        let messages = house.get(&report_id).await.messages;
        let texts: Vec<_> = messages.iter().map(|message| (message.from.as_str(), message.text.as_str())).collect();
        assert_eq!(texts[1..], [("network", "¿Están a salvo ahora?"), ("reporter", "Sí, por ahora.")]);
        house.stop().await;
    }
}

#[tokio::test]
async fn a_message_that_overtakes_its_report_waits_for_it() {
    let house = House::start(Stored::sqlite()).await;
    let key = house.triage_key().await;
    let id = tocsin_domain::id::ReportId::new(house.clock.now());
    let receipt = seal::Receipt::generate().unwrap();
    house.say_message(id, "They came back.", &key).await;
    house.say_report_as(id, &receipt, &Scenario::workshop().report(), &key).await;
    house.wait_for_case(&id.to_string()).await;
    wait_until("the message is with the case", LIMIT, async || {
        house.get(&id.to_string()).await.messages.iter().any(|message| message.text == "They came back.")
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_message_that_was_taken_together_with_its_report_is_not_left_behind() {
    for stored in Stored::both().await {
        let house = House::start(stored).await;
        let (report_id, _) = house.submit(&Scenario::workshop().report()).await;
        let duty = house.person("duty-1", &[Role::DutyOfficer]).await;
        let mut cases = house.cases.clone();
        cases.acknowledge_case(duty.asks(wire::AcknowledgeCaseRequest { case: report_id.clone() })).await.unwrap();
        let ask = wire::AnswerReporterRequest { case: report_id.clone(), text: "Where?".to_owned(), question: true };
        cases.answer_reporter(duty.asks(ask)).await.unwrap();

        // What a second replica writes that saw no case yet.
        let (id, key) = (uuid::Uuid::now_v7(), house.triage_key().await);
        let sealed = seal::seal(&key, &format!("message:{id}"), b"They came back.").unwrap();
        let database = Database::open_named(house.stored.settings(), "triage").await.unwrap();
        let report = report_id.parse().unwrap();
        let at_ms = house.clock.now_ms();
        let transaction = database.begin().await.unwrap();
        messages::keep_early(&transaction, id, report, &sealed, at_ms).await.unwrap();
        transaction.commit().await.unwrap();
        wait_until("the message is with the case", LIMIT, async || {
            let case = house.get(&report_id).await;
            case.messages.iter().any(|message| message.message_id == id.to_string())
        })
        .await;
        let case = house.get(&report_id).await;
        assert_eq!(case.messages.last().unwrap().text, "They came back.");
        assert_eq!(case.summary.unwrap().state, "verifying");
        assert!(messages::overdue(database.reader()).await.unwrap().is_empty());
        house.stop().await;
    }
}

#[tokio::test]
async fn a_restart_between_two_steps_loses_nothing() {
    for stored in Stored::both().await {
        let scenario = Scenario::dam();
        let house = House::start(stored).await;
        let (report_id, _) = house.submit(&scenario.report()).await;
        house.walk_to_draft(&scenario, &report_id).await;
        let first_key = house.triage_key().await;
        let stored = house.stop().await;

        let house = House::start(stored).await;
        house.approve(&report_id, 1).await;
        wait_until("dispatch's new key is known", LIMIT, async || {
            let released = house.release(&report_id).await;
            released.is_ok_and(|released| released.released)
        })
        .await;
        assert_eq!(house.get(&report_id).await.consents.len(), 3);
        // What is sealed to the key that was said before the restart still opens.
        let (id, _) = house.say_report(&scenario.report(), &first_key).await;
        house.wait_for_case(&id.to_string()).await;
        house.stop().await;
    }
}

#[tokio::test]
async fn a_second_case_of_the_country_has_the_next_number_and_a_drill_is_marked() {
    let house = House::start(Stored::sqlite()).await;
    let scenario = Scenario::workshop();
    for number in 1..=2 {
        let (report_id, _) = house.submit(&scenario.report()).await;
        house.walk_to_draft(&scenario, &report_id).await;
        house.approve(&report_id, 1).await;
        let coordinator = house.coordinator().await;
        let request = wire::ReleaseAlertRequest { case: report_id, drill: number == 2 };
        let released = house.cases.clone().release_alert(coordinator.asks(request)).await.unwrap().into_inner();
        assert_eq!(released.reference, format!("XA-2026-000{number}"));
    }
    let alerts = house.hears::<event::AlertReleased>(&ALERT_RELEASED, 2).await;
    assert_eq!(alerts.iter().map(|alert| alert.drill).collect::<Vec<_>>(), [false, true]);
    house.stop().await;
}
