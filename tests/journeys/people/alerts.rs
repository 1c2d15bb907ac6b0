//! Answers to an alert: the feed, an acknowledgement, the link in an e-mail, an exercise.

use serde_json::json;
use tocsin_tests::mail::{header, readable};
use tocsin_tests::network::{list, open, text};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

use super::{House, is_settled, members_scenario};

/// The response of an organisation in a coverage document.
fn response(coverage: &serde_json::Value, organisation: &str) -> String {
    let found = list(coverage, "organisations").iter().find(|one| one["organisation_id"] == organisation);
    found.map(|one| text(one, "response")).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_watch_read_and_acknowledge() -> Outcome<()> {
    let house = House::of(open(2, 2)).await?;
    house.good("administrator", &["org", "key", "org-001", "--save", "org-001.key"])?;
    house.good("administrator", &["org", "key", "org-002", "--save", "org-002.key"])?;
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    let seen = house.good("org-001", &["alert", "watch", "--count", "1", "--json"])?;
    ensure_equal(seen.out.trim_end().lines().count(), 1, "lines of one entry")?;
    let entry = seen.json()?;
    ensure_equal(
        (text(&entry, "change"), text(&entry["alert"], "short_code")),
        ("released".to_owned(), code.clone()),
        "the entry",
    )?;
    let languages: Vec<_> = list(&entry["alert"], "texts").iter().map(|one| text(one, "language")).collect();
    ensure(!languages.contains(&"ar".to_owned()) && languages.contains(&"en".to_owned()), || {
        format!("texts in {languages:?}")
    })?;
    let cursor = text(&entry, "cursor");
    let later = house.good("org-001", &["alert", "watch", "--cursor", &cursor, "--follow=false", "--json"])?;
    ensure(later.out.is_empty(), || format!("the entry comes again: {}", later.out))?;
    let shown = house.good("org-001", &["alert", "show", &code])?;
    ensure(shown.out.contains("Ten defenders detained"), || format!("no headline: {}", shown.out))?;

    house.coverage(&code, "the fan-out settles", is_settled).await?;
    house.good("org-001", &["alert", "ack", &code])?;
    house.good("org-001", &["alert", "ack", &code])?;
    let coverage =
        house.coverage(&code, "the answer shows", |coverage| response(coverage, "org-001") == "acknowledged").await?;
    ensure_equal(response(&coverage, "org-002"), String::new(), "the other organisation")?;
    house.good("org-002", &["alert", "respond", &code, "signed"])?;
    house.coverage(&code, "the signature shows", |coverage| response(coverage, "org-002") == "signed").await?;
    house.ended("org-001", &["alert", "respond", &code, "maybe"], 2)?;
    house.ended("org-001", &["alert", "show", "A7F3-K2W"], 5)?;
    house.ended("org-001", &["alert", "coverage", &code], 4)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_of_an_e_mail_acknowledges_by_one_press_only() -> Outcome<()> {
    let house = House::of(open(2, 2)).await?;
    let (_, released) = house.release(&members_scenario()?, &[]).await?;
    let code = text(&released, "short_code");
    house.coverage(&code, "the fan-out settles", is_settled).await?;
    let mails = house.receivers.mail.log().all();
    let mail = mails.iter().find(|mail| mail.item.to.iter().any(|to| to == "c1@org-002.example"));
    let mail = readable(&mail.ok_or_else(|| Trouble::new("no mail to c1@org-002.example"))?.item.data);
    // The raw form breaks long lines, so the longest is the whole one.
    let links = mail.split_whitespace().filter(|word| word.starts_with("http") && word.contains("/acknowledge/"));
    let link = links.max_by_key(|link| link.len());
    let link = link.ok_or_else(|| Trouble::new(format!("no link in {mail}")))?;
    let client = tocsin_tests::process::http()?;
    for method in [reqwest::Method::GET, reqwest::Method::HEAD, reqwest::Method::GET] {
        let answer = client.request(method.clone(), link).send().await?;
        ensure(answer.status().is_success(), || format!("{method} {link}: {}", answer.status()))?;
        ensure(answer.headers().contains_key("content-security-policy"), || "no content security policy".to_owned())?;
        let page = answer.text().await?;
        ensure(method == reqwest::Method::HEAD || (page.contains(&code) && page.contains("<form")), || page.clone())?;
        ensure(!page.contains("XA-20") && !page.contains("detained") && !page.contains("<script"), || page.clone())?;
    }
    let coverage = house.json("coordinator", &["alert", "coverage", &code])?;
    ensure_equal(response(&coverage, "org-002"), String::new(), "after looking")?;
    for _ in 0..2 {
        ensure(client.post(link).send().await?.status().is_success(), || "the press failed".to_owned())?;
    }
    house.coverage(&code, "the press shows", |coverage| response(coverage, "org-002") == "acknowledged").await?;
    let (path, language) = link.split_once('?').unwrap_or((link, ""));
    let forged = format!("{}AAAA?{language}", &path[..path.len() - 4]);
    ensure_equal(client.post(&forged).send().await?.status().as_u16(), 404, "a forged link")?;
    let coverage = house.json("coordinator", &["alert", "coverage", &code])?;
    ensure_equal(response(&coverage, "org-001"), String::new(), "the other organisation")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exercise_says_so_in_every_channel() -> Outcome<()> {
    let house = House::of(open(1, 4)).await?;
    house.good("administrator", &["org", "key", "org-001", "--save", "org-001.key"])?;
    let mut scenario = members_scenario()?;
    scenario["alert"]["tlp"] = json!("GREEN");
    let (_, released) = house.release(&scenario, &["--drill"]).await?;
    let code = text(&released, "short_code");
    house.coverage(&code, "the fan-out settles", is_settled).await?;
    let marks = ["EXERCISE", "EJERCICIO", "EXERCICE", "تمرين"];
    for (index, mark) in marks.into_iter().enumerate() {
        let address = format!("c{}@org-001.example", index + 1);
        let mails = house.receivers.mail.log().all();
        let mail = mails.iter().find(|mail| mail.item.to.contains(&address));
        let mail = &mail.ok_or_else(|| Trouble::new(format!("no mail to {address}")))?.item.data;
        ensure(readable(mail).matches(mark).count() >= 2, || {
            format!("{mark} does not mark the e-mail: {}", readable(mail))
        })?;
        let subject = header(mail, "subject").unwrap_or_default();
        ensure(subject.contains(mark) || subject.contains("=?"), || {
            format!("{mark} does not mark the subject: {subject}")
        })?;
        let phone = format!("+447700900{index:03}");
        let texts = house.receivers.sms.log().all();
        let sms =
            texts.iter().find(|sms| sms.item.to == phone).ok_or_else(|| Trouble::new(format!("no SMS to {phone}")))?;
        ensure(sms.item.text.contains(mark), || format!("{mark} does not mark the SMS: {}", sms.item.text))?;
    }
    for hook in house.receivers.webhook.log().all() {
        let body: serde_json::Value = serde_json::from_slice(&hook.item.body)?;
        ensure_equal(body["data"]["drill"].clone(), json!(true), "drill in a webhook")?;
    }
    let entry = house.json("org-001", &["alert", "watch", "--count", "1"])?;
    ensure_equal(entry["alert"]["drill"].clone(), json!(true), "drill in the feed")?;
    let shown = house.good("org-001", &["alert", "show", &code])?;
    ensure(shown.out.to_uppercase().contains("EXERCISE"), || format!("the page does not mark it: {}", shown.out))
}
