//! The fixtures are read whole, and each fault is named with its place.

use super::network::{Network, Staff};
use super::scenario::Scenario;
use super::{FileError, Text};

fn fixture(name: &str) -> Text {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    super::read(&path).unwrap()
}

fn scenario(text: &str) -> Result<Scenario, FileError> {
    Scenario::parse(&Text::new("scenario.json", text))
}

#[test]
fn the_three_scenarios_are_read_without_a_word_left_over() {
    for (name, sources, consents, score, languages) in [
        ("workshop-detention", 2, 3, "p1", vec!["en", "ar", "es", "fr"]),
        ("dam-eviction", 3, 3, "p1", vec!["es", "en", "fr"]),
        ("lawyer-harassment", 1, 3, "p2", vec!["fr"]),
    ] {
        let scenario = Scenario::parse(&fixture(&format!("scenarios/{name}.json"))).unwrap();
        assert_eq!(scenario.ignored, Vec::<String>::new(), "{name}");
        assert_eq!((scenario.sources().len(), scenario.consents().len()), (sources, consents), "{name}");
        assert_eq!(scenario.expected_priority(), Some(score), "{name}");
        assert!(scenario.submitted_at().is_some(), "{name}");
        let draft = scenario.draft();
        assert_eq!(draft.texts.iter().map(|text| text.language.as_str()).collect::<Vec<_>>(), languages, "{name}");
        let report = &scenario.report_message;
        assert_eq!(report.narrative, scenario.report["narrative"].as_str().unwrap(), "{name}");
        assert_eq!(report.kinds.len(), scenario.report["kinds"].as_array().unwrap().len(), "{name}");
    }
}

#[test]
fn the_workshop_says_what_its_file_says() {
    let scenario = Scenario::parse(&fixture("scenarios/workshop-detention.json")).unwrap();
    let draft = scenario.draft();
    assert_eq!((draft.track.as_str(), draft.tlp.as_str(), draft.sign_on_hours), ("members", "AMBER", Some(12)));
    let report = &scenario.report_message;
    let date = report.adversary_date.as_ref().unwrap();
    assert_eq!((date.kind.as_str(), date.at.as_str()), ("hearing", "2026-07-12T09:00:00+03:00"));
    assert_eq!(report.safe_contact.as_ref().unwrap().code_word_safe, "olive");
    assert_eq!(scenario.factors().imminence, 15);
    assert!(scenario.factors().rising_series && !scenario.factors().specific_direct_threat);
    assert_eq!(scenario.claim(), "confirmed");
}

#[test]
fn the_network_divides_between_dispatch_and_notification() {
    let network = Network::parse(&fixture("network.json")).unwrap();
    let (organisations, contacts) = (network.organisations(), network.contacts());
    assert_eq!((organisations.len(), contacts.len()), (320, 920));
    assert_eq!(network.ignored, Vec::<String>::new());
    assert_eq!(organisations[0].contact_ids, ["org-001-c1", "org-001-c2", "org-001-c3"]);
    assert_eq!(contacts[0].organisation_id, "org-001");
    assert!(contacts.iter().any(|contact| contact.quiet_hours.is_empty()));
    assert!(contacts.iter().any(|contact| contact.quiet_hours == "22:00-07:00"));
}

#[test]
fn staff_belong_to_nobody() {
    let staff =
        Staff::parse(&Text::new("staff.json", r#"[{"id": "duty-1", "channels": ["sms"], "phone": "+447700900001"}]"#));
    let contacts = staff.unwrap().contacts();
    assert_eq!((contacts[0].contact_id.as_str(), contacts[0].organisation_id.as_str()), ("duty-1", ""));
}

#[test]
fn sources_are_recorded_before_what_relays_them() {
    let scenario = scenario(
        r#"{"report": {}, "sources": [{"link": "ngo", "relays": 2}, {"link": "lawyer"}, {"link": "victim", "information": 1}]}"#,
    )
    .unwrap();
    let order: Vec<_> = scenario.sources().iter().map(|it| (it.message.link.as_str(), it.relays)).collect();
    assert_eq!(order, [("lawyer", None), ("victim", None), ("ngo", Some(1))]);
    assert_eq!(scenario.sources()[1].message.information, "1");
}

#[test]
fn limits_that_no_program_can_check_are_kept_in_words() {
    for (limits, organisations, languages, unchecked) in [
        (r#"{"organisations": ["org-1"], "languages": ["es"]}"#, vec!["org-1"], vec!["es"], vec![]),
        (r#"{"languages": ["es"], "until": "Friday"}"#, vec![], vec!["es"], vec!["until: Friday"]),
        (r#"{"organisations": "only friends"}"#, vec![], vec![], vec!["organisations: only friends"]),
        (r#"{"languages": [1]}"#, vec![], vec![], vec!["languages: [1]"]),
        (r#""no photographs""#, vec![], vec![], vec!["no photographs"]),
        (r#"["no photographs", "no names"]"#, vec![], vec![], vec!["no photographs", "no names"]),
    ] {
        let scenario = scenario(&format!(r#"{{"report": {{}}, "consent": [{{"limits": {limits}}}]}}"#)).unwrap();
        let read = scenario.consents().remove(0).limits.unwrap();
        assert_eq!((read.organisations, read.languages), (strings(&organisations), strings(&languages)), "{limits}");
        assert_eq!(read.unchecked, strings(&unchecked), "{limits}");
    }
    let without = scenario(r#"{"report": {}, "consent": [{"limits": null}, {"limits": {}}, {}]}"#).unwrap();
    assert!(without.consents().iter().all(|consent| consent.limits.is_none()));
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn keys_that_nobody_reads_are_named_outside_the_report() {
    let scenario = scenario(
        r#"{"report": {}, "mood": "grim", "sources": [{"link": "ngo", "colour": 1}], "alert": {"texts": {"en": {"footer": ""}}}}"#,
    )
    .unwrap();
    let mut ignored = scenario.ignored;
    ignored.sort();
    assert_eq!(ignored, ["alert.texts.en.footer", "mood", "sources[0].colour"]);
}

#[test]
fn a_file_that_leaves_much_out_is_read() {
    let scenario =
        scenario(r#"{"report": {"narrative": "x", "adversary_date": null}, "sources": null, "alert": null}"#).unwrap();
    assert_eq!(scenario.draft().tlp, "AMBER+STRICT");
    assert_eq!((scenario.sources().len(), scenario.submitted_at()), (0, None));
}

#[test]
fn each_fault_is_named_with_its_place() {
    for (text, expected) in [
        ("", "scenario.json, line 1, column 0, at `.`: EOF while parsing a value"),
        ("{\n \"title\": \"x\"\n}", "scenario.json, line 3, column 1, at `.`: missing field `report`"),
        (
            "{\n \"report\": {},\n \"sources\": [{\"first_hand\": \"secret\"}]\n}",
            "scenario.json, line 3, column 36, at `sources[0].first_hand`: found string, expected a boolean",
        ),
        (
            "{\n \"report\": {\n  \"kinds\": [\"killing\", 7]\n }\n}",
            "scenario.json, line 3, column 24, at `report.kinds[1]`: found integer, expected a string",
        ),
        (
            "{\n \"report\": {\n  \"colour\": 7\n }\n}",
            "scenario.json, line 3, column 13, at `report.colour`: unknown field `colour`, expected one of",
        ),
        (
            "{\"report\": {}, \"consent\": [{\"expires_at\": \"Friday\"}]}",
            "scenario.json, line 1, column 51, at `consent[0].expires_at`: expected a moment with its offset",
        ),
        (
            "{\"report\": {},\n\"sources\": [{\"relays\": 1},\n {\"relays\": 0}]}",
            "scenario.json, line 2, column 24, at `sources[0].relays`: expected the index",
        ),
    ] {
        let error = scenario(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n  is: {error}\nnot: {expected}");
    }
}

#[test]
fn an_id_twice_would_replace_the_first_and_is_refused() {
    let text = Text::new(
        "network.json",
        "{\"organisations\": [\n {\"id\": \"org-1\", \"contacts\": [{\"id\": \"c\"}]},\n {\"id\": \"org-2\", \"contacts\": [{\"id\": \"c\"}]}]}",
    );
    let error = Network::parse(&text).unwrap_err().to_string();
    assert!(error.starts_with("network.json, line 3, column 40, at `organisations[1].contacts[0].id`: "), "{error}");
    assert!(error.ends_with("it stands at `organisations[0].contacts[0].id` already"), "{error}");
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin1.json");
    std::fs::write(&path, b"{\"title\": \"caf\xe9\"}").unwrap();
    let error = Scenario::read(&path).unwrap_err().to_string();
    assert!(error.ends_with("it is not UTF-8 from byte 14 on; save it as UTF-8"), "{error}");
    let error = Scenario::read(&folder.path().join("absent.json")).unwrap_err().to_string();
    assert!(error.contains("absent.json: No such file"), "{error}");
}
