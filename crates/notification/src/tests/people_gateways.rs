//! Smarthosts and messengers paused by hand, over restarts too; tests by hand; and what an operator sees of each.

use tocsin_domain::role::Role;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::notification::v1::{
    Gateway, ListGatewaysRequest, PauseGatewayRequest, ResumeGatewayRequest, TestGatewayRequest, TestGatewayResponse,
};
use tonic::{Code, Response, Status};

use super::harness::{Alert, Harness, PATIENCE};

async fn gateways(harness: &Harness) -> Vec<Gateway> {
    let ask = harness.authorised(Role::Operator, ListGatewaysRequest {}).await;
    harness.gateways().await.list_gateways(ask).await.unwrap().into_inner().gateways
}

async fn pause(harness: &Harness, name: &str) -> Result<Gateway, Status> {
    let ask = PauseGatewayRequest { name: name.to_owned(), reason: "maintenance".to_owned() };
    let ask = harness.authorised(Role::Operator, ask).await;
    Ok(harness.gateways().await.pause_gateway(ask).await?.into_inner().gateway.unwrap())
}

async fn try_out(harness: &Harness, name: &str, to: &str) -> Result<TestGatewayResponse, Status> {
    let ask = TestGatewayRequest { name: name.to_owned(), to: to.to_owned(), language: "es".to_owned() };
    let ask = harness.authorised(Role::Operator, ask).await;
    harness.gateways().await.test_gateway(ask).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_paused_smarthost_gets_nothing_until_it_is_resumed_whoever_restarts() {
    for database in TestDatabase::both().await {
        let harness = Harness::start(database).await;
        let contacts = vec![harness.contact("org-1", 1, "en", &["email"])];
        harness.import(contacts.clone()).await.unwrap();
        let name = format!("127.0.0.1:{}", harness.mail.address().port());
        let paused = pause(&harness, &name).await.unwrap();
        assert_eq!(
            (paused.channel.as_str(), paused.kind.as_str(), paused.state.as_str()),
            ("email", "smarthost", "paused")
        );
        let harness = harness.killed_and_started_again().await;
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let waits = async || harness.progress().iter().any(|one| one.reason == "gateways_paused");
        wait_until("the notice waits", PATIENCE, waits).await;
        assert_eq!(harness.mail.log().count(), 0);
        // Trying it is how one knows that it may be resumed.
        let tried = try_out(&harness, &name, "operator@org.example").await.unwrap();
        assert_eq!((tried.outcome.as_str(), tried.code.as_str()), ("accepted", "250"));
        let mail = harness.mail.log().take().remove(0).item;
        assert_eq!(mail.to, ["operator@org.example"]);
        assert!(String::from_utf8_lossy(&mail.data).contains("[Tocsin] prueba"));
        let ask = ResumeGatewayRequest { name: name.clone(), reason: "mended".to_owned() };
        let ask = harness.authorised(Role::Operator, ask).await;
        harness.gateways().await.resume_gateway(ask).await.unwrap();
        harness.until(&["org-1-c1 email accepted"]).await;
        let shown = gateways(&harness).await.into_iter().find(|one| one.name == name).unwrap();
        assert_eq!((shown.state.as_str(), shown.in_flight), ("ready", 0));
        assert!(shown.last_success_at.is_some() && shown.last_failure_at.is_none());
        harness.stop().await;
    }
}

#[tokio::test]
async fn another_process_hears_of_a_pause_within_moments() {
    for database in TestDatabase::both().await.into_iter().filter(|database| database.folder().is_none()) {
        let harness = Harness::start(database).await;
        let second = harness.another(harness.clock.clone()).await;
        let contacts: Vec<_> = (1..=20).map(|number| harness.contact("org-1", number, "en", &["email"])).collect();
        harness.import(contacts.clone()).await.unwrap();
        let name = format!("127.0.0.1:{}", harness.mail.address().port());
        pause(&harness, &name).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let waits = async || harness.progress().iter().filter(|one| one.reason == "gateways_paused").count() == 20;
        wait_until("all wait", PATIENCE, waits).await;
        assert_eq!(harness.mail.log().count(), 0);
        second.stop().await;
        harness.stop().await;
    }
}

#[tokio::test]
async fn a_test_goes_through_the_named_gateway_and_keeps_the_rules_of_every_message() {
    let harness = Harness::start_with(TestDatabase::sqlite(), "phone_prefixes = ['+44']").await;
    let tried = try_out(&harness, "kannel", "+447700900123").await.unwrap();
    assert_eq!(tried.outcome, "accepted");
    let text = harness.sms.log().take().remove(0).item;
    assert_eq!(
        (text.to.as_str(), text.text.as_str()),
        ("+447700900123", "TOCSIN: esto es una prueba. No ha pasado nada.")
    );
    let abroad = try_out(&harness, "kannel", "+33612345678").await.unwrap();
    assert_eq!((abroad.outcome.as_str(), abroad.code.as_str()), ("refused", "number_not_allowed"));
    assert_eq!(try_out(&harness, "kannel", "07700").await.unwrap_err().code(), Code::InvalidArgument);
    let smarthost = format!("127.0.0.1:{}", harness.mail.address().port());
    for wrong in ["nobody", "a@b.example\r\nBcc: c@d.example", "A <a@b.example>"] {
        assert_eq!(try_out(&harness, &smarthost, wrong).await.unwrap_err().code(), Code::InvalidArgument, "{wrong}");
    }
    assert_eq!(try_out(&harness, "nobody", "x").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(harness.sms.log().count() + harness.mail.log().count(), 0);
    let reason = PauseGatewayRequest { name: "kannel".to_owned(), reason: "Because Ana said so".to_owned() };
    let reason = harness.authorised(Role::Operator, reason).await;
    assert_eq!(harness.gateways().await.pause_gateway(reason).await.unwrap_err().code(), Code::InvalidArgument);
    harness.stop().await;
}
