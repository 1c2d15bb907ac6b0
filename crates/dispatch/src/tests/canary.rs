//! No text, reference or country of an alert stands in the database or in what dispatch says, other than sealed.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::common::v1::{Addressee, AlertText};
use tocsin_proto::dispatch::v1::WatchAlertsRequest;

use super::harness::{LIMIT, World, asked, draft, small_network};

const CANARIES: [&str; 5] = ["canaryheadline", "canarybody", "canaryaddressee", "canarydraft", "XA-2026-0417"];

/// The plain text and its common encodings; base64 at each of the three alignments, without the ends that depend on
/// neighbours.
fn forms(canary: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![canary.as_bytes().to_vec(), hex::encode(canary).into_bytes()];
    for shift in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&b"\0\0"[..shift], canary.as_bytes()].concat());
        forms.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
    }
    forms
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

#[tokio::test]
async fn nothing_of_an_alert_is_stored_or_said_in_clear() {
    let world = World::start(TestDatabase::sqlite()).await;
    world.import(small_network()).await.unwrap();
    let mut draft = draft(&world);
    draft.tlp = "GREEN";
    draft.content.reference = "XA-2026-0417".to_owned();
    draft.content.addressees =
        vec![Addressee { kind: "state".to_owned(), name: "canaryaddressee".to_owned(), reply_days: 60 }];
    draft.content.texts = vec![
        AlertText {
            language: "en".to_owned(),
            headline: "canaryheadline".to_owned(),
            body: "canarybody".to_owned(),
            translation: "reviewed".to_owned(),
        },
        AlertText {
            language: "fr".to_owned(),
            headline: "canarydraft".to_owned(),
            body: "canarydraft".to_owned(),
            translation: "machine_draft".to_owned(),
        },
    ];
    world.release(&draft).await;
    world.requested(4).await;
    // The text is really there for those who may read it.
    let request = asked(&world.member("org-001").await, WatchAlertsRequest::default());
    let mut stream = world.alerts().watch_alerts(request).await.unwrap().into_inner();
    let seen = stream.message().await.unwrap().unwrap().alert.unwrap();
    assert_eq!(seen.texts[0].headline, "canaryheadline");
    drop(stream);
    wait_until("all is settled", LIMIT, async || world.dispatch.outbox.lag().await.unwrap().owed == 0).await;
    let said = world.notification.payloads().into_iter().chain(world.triage.payloads());
    let mut searched: Vec<(String, Vec<u8>)> = said.map(|payload| ("an event".to_owned(), payload)).collect();
    searched.extend(files(world.database.folder().unwrap()));
    searched.extend(files(world.folder.path()));
    assert!(searched.iter().any(|(name, bytes)| name.contains("dispatch") && holds(bytes, b"Name of org-001")));
    for canary in CANARIES {
        for form in forms(canary) {
            for (name, bytes) in &searched {
                assert!(!holds(bytes, &form), "{canary} stands in {name}");
            }
        }
    }
    world.stop().await;
}
