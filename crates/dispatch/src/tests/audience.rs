//! Importing the network and asking whom an alert would reach.

use std::collections::BTreeSet;

use tocsin_domain::role::Role;
use tocsin_platform::failure::received;
use tocsin_platform::testing::TestDatabase;
use tocsin_proto::dispatch::v1::{
    ImportOrganisationsRequest, ListOrganisationsRequest, Organisation, PreviewAudienceRequest, PreviewAudienceResponse,
};
use tonic::{Code, Status};

use super::harness::{World, asked, network, refusal};

fn question() -> PreviewAudienceRequest {
    PreviewAudienceRequest {
        track: "members".to_owned(),
        tlp: "AMBER".to_owned(),
        priority: "p1".to_owned(),
        country: "XA".to_owned(),
        groups: vec!["digital_rights".to_owned(), "women_rights".to_owned()],
        named_partners: Vec::new(),
    }
}

async fn preview(world: &World, question: PreviewAudienceRequest) -> Result<PreviewAudienceResponse, Status> {
    let key = world.coordinator().await;
    world.alerts().preview_audience(asked(&key, question)).await.map(tonic::Response::into_inner)
}

/// The rules once more, written against the fixture and not against the code.
fn expected(track: &str, tlp: &str) -> BTreeSet<String> {
    let order = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"];
    let rank = |label: &str| order.iter().position(|known| *known == label).unwrap();
    let reached = |organisation: &Organisation| {
        let wanted = organisation.subscription.as_ref().unwrap();
        let kind = track == "public" || organisation.kind == "signatory_member";
        let region = wanted.regions.is_empty() || wanted.regions.iter().any(|region| region == "africa");
        let of_report = ["digital_rights", "women_rights"];
        let groups = wanted.groups.is_empty() || wanted.groups.iter().any(|group| of_report.contains(&group.as_str()));
        kind && region && groups && rank(&organisation.clearance) >= rank(tlp)
    };
    network().into_iter().filter(reached).map(|organisation| organisation.organisation_id).collect()
}

#[tokio::test]
async fn the_audience_is_what_the_rules_say() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        let imported = world.import(network()).await.unwrap();
        assert_eq!((imported.created, imported.changed, imported.unchanged), (320, 0, 0));
        for (track, tlp) in
            [("members", "AMBER"), ("members", "CLEAR"), ("public", "GREEN"), ("members", "AMBER+STRICT")]
        {
            let asked = PreviewAudienceRequest { track: track.to_owned(), tlp: tlp.to_owned(), ..question() };
            let answer = preview(&world, asked).await.unwrap();
            let chosen: BTreeSet<String> = answer.organisation_ids.iter().cloned().collect();
            assert_eq!(chosen, expected(track, tlp), "{track} {tlp}");
            assert!(chosen.len() > 10, "{track} {tlp} reaches {}", chosen.len());
            assert_eq!(answer.contacts as usize, answer.contact_ids.len());
            assert!(answer.contact_ids.iter().all(|contact| chosen.contains(&contact[..7])));
        }
        world.stop().await;
    }
}

#[tokio::test]
async fn a_named_list_replaces_the_filters_but_not_the_clearance() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(network()).await.unwrap();
    let with = |label: &str| network().into_iter().find(|o| o.kind == "partner" && o.clearance == label).unwrap();
    let (red, green) = (with("RED").organisation_id, with("GREEN").organisation_id);
    let asked = PreviewAudienceRequest {
        track: "support".to_owned(),
        tlp: "RED".to_owned(),
        priority: "p4".to_owned(),
        named_partners: vec![red.clone(), green.clone(), "org-999".to_owned()],
        ..question()
    };
    let answer = preview(&world, asked).await.unwrap();
    assert_eq!(answer.organisation_ids, [red]);
    assert_eq!(answer.without_clearance, [green, "org-999".to_owned()]);
}

#[tokio::test]
async fn the_same_import_twice_changes_nothing() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(network()).await.unwrap();
        let again = world.import(network()).await.unwrap();
        assert_eq!((again.created, again.changed, again.unchanged), (0, 0, 320));
        let mut changed = network();
        changed[4].clearance = "RED".to_owned();
        let third = world.import(changed.clone()).await.unwrap();
        assert_eq!((third.created, third.changed, third.unchanged), (0, 1, 319));
        let key = world.key(&[Role::Auditor], None).await;
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = asked(&key, ListOrganisationsRequest { page_size: 100, page_token });
            let page = world.organisations().list_organisations(request).await.unwrap().into_inner();
            listed.extend(page.organisations);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, changed);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_bad_import_names_every_field_and_imports_nothing() {
    let world = World::start(TestDatabase::sqlite()).await;
    let mut given = network();
    given.truncate(3);
    given[1].country = "somewhere".to_owned();
    given[2].contact_ids = given[0].contact_ids.clone();
    let status = world.import(given.clone()).await.unwrap_err();
    assert_eq!(refusal(&status), (Code::InvalidArgument, "ORGANISATIONS_INVALID".to_owned()));
    assert_eq!(received(&status).fields[0].field, "organisations[1].country");
    given[1].country = "XB".to_owned();
    let status = world.import(given.clone()).await.unwrap_err();
    let fields: Vec<String> = received(&status).fields.into_iter().map(|fault| fault.field).collect();
    assert_eq!(fields[0], "organisations[2].contact_ids[0]");
    assert_eq!(fields.len(), given[0].contact_ids.len());
    assert!(preview(&world, question()).await.unwrap().organisation_ids.is_empty());
}

#[tokio::test]
async fn verbs_need_their_role_and_questions_their_codes() {
    let world = World::start(TestDatabase::sqlite()).await;
    let key = world.coordinator().await;
    let request = asked(&key, ImportOrganisationsRequest::default());
    let status = world.organisations().import_organisations(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let status = world.alerts().preview_audience(question()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let wrong = PreviewAudienceRequest { track: "mumbers".to_owned(), country: "xa".to_owned(), ..question() };
    let status = preview(&world, wrong).await.unwrap_err();
    let fields: Vec<String> = received(&status).fields.into_iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["track", "country"]);
}
