//! Nothing that a reporter wrote, no receipt and no key can be found in intake's files, in any spelling.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use tocsin_platform::testing::{TestDatabase, wait_until};

use super::harness::{Harness, scenario};

#[tokio::test]
async fn no_words_rest_in_the_database() {
    let harness = Harness::start(TestDatabase::sqlite()).await;
    let mut report = scenario("workshop-detention");
    let canaries = [
        "canary-narrative-4711",
        "canary-cover-4712",
        "canary-word-4713",
        "canary-duress-4714",
        "canary-shared-4715",
        "canary-proxy-4716",
        "canary-address-4717",
        "canary-message-4718",
        "canary-answer-4719",
        "canary-report-key-4720",
    ];
    report["narrative"] = json!(format!("It was {} who came.", canaries[0]));
    for (field, canary) in ["cover_text", "code_word_safe", "code_word_duress", "shared_with", "proxy", "address"]
        .iter()
        .zip(&canaries[1..])
    {
        report["safe_contact"][*field] = json!(canary);
    }
    report["place_type"] = json!("canary_place");
    let accepted = harness.submit(canaries[9], &report).await;
    assert_eq!(accepted.status, 201);
    let receipt = accepted.body["receipt"].as_str().unwrap().to_owned();
    let id = accepted.body["report_id"].as_str().unwrap().to_owned();
    assert_eq!(harness.add_message(&receipt, "canary-message-key", canaries[7]).await.status, 201);
    wait_until("triage has it", Duration::from_secs(20), async || harness.has_heard(&id)).await;
    harness.triage().answer(&id, 1, "acknowledged", Some(("answer-1", canaries[8]))).await;
    wait_until("all is settled", Duration::from_secs(20), async || harness.triage().owed().await == 0).await;
    assert_eq!(harness.own_report(&receipt).await.body["answers"][0]["text"], canaries[8]);

    let files = files_under(harness.folder());
    let everything: Vec<u8> = files.concat();
    assert!(contains(&everything, id.replace('-', "").as_bytes()) || everything.len() > 50_000, "the files were read");
    assert!(contains(&everything, b"report.received"), "the outbox is in what was searched");
    let words = [receipt.clone(), receipt.replace(' ', "-"), "canary_place".to_owned(), "mass_roundup".to_owned()];
    for canary in canaries.iter().map(ToString::to_string).chain(words) {
        for spelling in spellings(&canary) {
            assert!(!contains(&everything, spelling.as_bytes()), "{canary} is there as {spelling}");
        }
    }
    harness.stop().await;
}

/// The text raw, in hexadecimal, and in base64 at each of the three places a group may begin.
fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned(), hex::encode(text), hex::encode_upper(text)];
    for skipped in 0..3 {
        let inner = text.as_bytes().get(skipped..).unwrap_or_default();
        let whole = inner.len() / 3 * 3;
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            spellings.push(engine.encode(&inner[..whole]));
        }
    }
    spellings
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn files_under(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The stand-in for triage is not intake.
            if !path.ends_with("triage") {
                files.extend(files_under(&path));
            }
        } else {
            files.push(std::fs::read(&path).unwrap());
        }
    }
    files
}
