//! Bodies that are no report, and reports with wrong fields.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tocsin_tests::Outcome;
use tocsin_tests::trouble::{ensure, ensure_equal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Attacker, fresh, set};

#[tokio::test]
async fn bodies_of_every_wrong_kind_are_refused_with_words() -> Outcome<()> {
    let mut attacker = Attacker::arrive().await?;
    let good = attacker.good.clone();
    let deep = |opening: &str, closing: &str| format!("{}{}", opening.repeat(10_000), closing.repeat(10_000));
    let mut bad_utf8 = good.to_string().into_bytes();
    let position = bad_utf8.windows(5).position(|window| window == b"hotel").expect("a place type");
    bad_utf8[position] = 0xff;
    let json_media = "application/json";
    for (name, body, media, status, reason) in [
        ("empty", Vec::new(), json_media, 400, "BODY_NOT_JSON"),
        ("no JSON", b"narrative=help".to_vec(), json_media, 400, "BODY_NOT_JSON"),
        ("a list", b"[]".to_vec(), json_media, 400, ""),
        ("a text", b"\"help\"".to_vec(), json_media, 400, ""),
        ("null", b"null".to_vec(), json_media, 400, ""),
        ("cut off", good.to_string().into_bytes()[..200].to_vec(), json_media, 400, "BODY_NOT_JSON"),
        ("bad UTF-8", bad_utf8, json_media, 400, "BODY_NOT_UTF8"),
        ("UTF-16", good.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect(), json_media, 400, ""),
        ("lists 10,000 deep", deep("[", "]").into_bytes(), json_media, 400, "BODY_TOO_DEEP"),
        ("objects 10,000 deep", deep("{\"a\":", "}").into_bytes(), json_media, 400, "BODY_TOO_DEEP"),
        (
            "70 KiB of text",
            set(&good, "/narrative", json!("x".repeat(70 * 1024))).to_string().into_bytes(),
            json_media,
            413,
            "TEXT_TOO_LONG",
        ),
        ("another media type", good.to_string().into_bytes(), "text/plain", 415, "CONTENT_TYPE_UNSUPPORTED"),
        (
            "a field twice",
            good.to_string().replacen('{', "{\"country\":\"XB\",", 1).into_bytes(),
            json_media,
            400,
            "BODY_NOT_JSON",
        ),
    ] {
        let answer = attacker.post(body, Some(&fresh()), media).await.map_err(|trouble| trouble.during(name))?;
        ensure_equal(answer.status, status, name)?;
        ensure(reason.is_empty() || answer.reason == reason, || format!("{name}: {}", answer.body))?;
        ensure(answer.body.len() < 4096, || format!("{name}: an answer of {} bytes", answer.body.len()))?;
    }
    let intake = attacker.stage.installation.doors.intake.http;
    let spaces = vec![b' '; 10 * 1024 * 1024];
    let words = set(&good, "/narrative", json!("x".repeat(10 * 1024 * 1024))).to_string().into_bytes();
    for body in [&spaces, &words] {
        for announced in [true, false] {
            let answer = stubborn(intake, body, announced).await?;
            ensure(answer.starts_with("HTTP/1.1 413") && answer.contains("BODY_TOO_LARGE"), || {
                format!("10 MiB: `{answer:.300}`")
            })?;
        }
    }
    wrong_fields(&attacker, &good).await?;
    attacker.survives().await
}

async fn wrong_fields(attacker: &Attacker, good: &Value) -> Outcome<()> {
    for (pointer, value, field, told) in [
        ("/kinds/0", json!("killling"), "kinds[0]", "killing"),
        ("/country", json!("XÄ"), "country", ""),
        ("/country", json!(7), "country", ""),
        ("/kinds", json!("killing"), "kinds", ""),
        ("/kinds", json!([]), "kinds", ""),
        ("/kinds/1", json!(null), "kinds[1]", ""),
        ("/subject/count", json!(-1), "subject.count", ""),
        ("/subject/count", json!(1.5), "subject.count", ""),
        ("/subject/count", json!("ten"), "subject.count", ""),
        ("/subject/count", json!(99_999_999_999_u64), "subject.count", ""),
        ("/subject/unit", json!("individuel"), "subject.unit", "individual"),
        ("/actors/0/code", json!("polize"), "actors[0].code", "police"),
        ("/actors/0", json!("police"), "actors[0]", ""),
        ("/groups/0", json!("digital_right"), "groups[0]", "digital_rights"),
        ("/phase", json!("whilst"), "phase", ""),
        ("/support_asked/0", json!("legall"), "support_asked[0]", "legal"),
        ("/adversary_date/kind", json!("haering"), "adversary_date.kind", "hearing"),
        ("/adversary_date/at", json!("tomorrow"), "adversary_date.at", ""),
        ("/adversary_date/at", json!("2026-07-12T09:00:00"), "adversary_date.at", ""),
        ("/safe_contact/hours", json!("8 to 10"), "safe_contact.hours", ""),
        ("/safe_contact/time_zone", json!("Mars/Olympus"), "safe_contact.time_zone", ""),
        ("/naratives", json!("x"), "naratives", "narrative"),
        ("/safe_contact/cover_txt", json!("x"), "safe_contact.cover_txt", "cover_text"),
        ("/reporter/relation", json!("colleage"), "reporter.relation", "colleague"),
        ("/narrative", json!(null), "narrative", ""),
        ("/kinds", json!(vec!["killing"; 5000]), "kinds", ""),
        ("/__proto__", json!({"polluted": true}), "__proto__", ""),
    ] {
        let answer = attacker.report(&set(good, pointer, value)).await?;
        let named = answer.fields.iter().find(|(named, _)| named == field);
        ensure(answer.status == 400 && named.is_some(), || format!("{pointer}: {} {}", answer.status, answer.body))?;
        ensure(named.is_some_and(|(_, detail)| detail.contains(told)), || {
            format!("{pointer} does not name {told}: {}", answer.body)
        })?;
    }
    // All at once: each wrong field is named, and no text of the report comes back.
    let worse =
        set(&set(&set(good, "/country", json!("xa")), "/phase", json!("x")), "/kinds/2", json!("device_siezed"));
    let answer = attacker.report(&worse).await?;
    let named: BTreeSet<_> = answer.fields.iter().map(|(field, _)| field.as_str()).collect();
    ensure_equal(named, ["country", "kinds[2]", "phase"].into_iter().collect(), "fields named at once")?;
    ensure(!answer.body.contains("plain clothes"), || "the narrative comes back".to_owned())
}

/// Posts a body and goes on sending whatever the other side says; returns what it said.
async fn stubborn(address: SocketAddr, body: &[u8], announced: bool) -> Outcome<String> {
    let length =
        if announced { format!("content-length: {}", body.len()) } else { "transfer-encoding: chunked".to_owned() };
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nhost: intake\r\ncontent-type: application/json\r\nidempotency-key: {}\r\n{length}\r\n\r\n",
        fresh()
    );
    let (mut reading, mut writing) = TcpStream::connect(address).await?.into_split();
    let body = if announced { body.to_vec() } else { [format!("{:x}\r\n", body.len()).as_bytes(), body].concat() };
    let sending = tokio::spawn(async move {
        writing.write_all(head.as_bytes()).await?;
        writing.write_all(&body).await
    });
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(15), reading.read(&mut answer)).await??;
    sending.abort();
    Ok(String::from_utf8_lossy(answer.get(..read).unwrap_or_default()).into_owned())
}
