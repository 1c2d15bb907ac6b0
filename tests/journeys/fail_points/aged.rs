//! What only time or an accident brings: an expired consent, an unanswered alarm, old texts, a message that waits, dead
//! letters, events said again, and a restore.

use prost::Message as _;
use tocsin_platform::clock::Clock;
use tocsin_platform::seal::Sealed;
use tocsin_proto::event::v1::MessageReceived;
use tocsin_proto::operations::v1::operations_service_client::OperationsServiceClient;
use tocsin_proto::operations::v1::redrive_dead_letters_request::Which;
use tocsin_proto::operations::v1::{RedriveDeadLettersRequest, RedriveEventsRequest};
use tocsin_tests::clients::channel;
use tocsin_tests::process::{FAIL_POINTS, command, wait_until};
use tocsin_tests::trouble::{ensure, ensure_equal};
use tocsin_tests::{Outcome, Trouble};

use super::clients::{PATIENCE, People, ask_again};
use super::database::{Tables, blob};
use super::mortal::Mortal;
use super::places;

/// Reports that are submitted at once.
const BURST: usize = 6;
/// How a dead letter is put into custody: a copy of a report's event under another id, and one that nobody can read.
const LETTERS: [(&str, bool); 2] =
    [("01900000-0000-7000-8000-00000000000a", true), ("01900000-0000-7000-8000-00000000000b", false)];

impl People<'_> {
    /// Several reports at once.
    pub(super) async fn burst(&self) -> Outcome<()> {
        futures::future::try_join_all((0..BURST).map(|_| self.open_case())).await.map(|_| ())
    }
}

pub(super) async fn walk(people: &People<'_>, tables: &Tables, process: &mut Mortal<'_>) -> Outcome<()> {
    process.walk(places::EXPIRY, async || expire(people, tables).await).await?;
    process.walk(places::PAGES, async || page(people, tables).await).await?;
    process.walk(places::TEXTS, async || delete_texts(people, tables).await).await?;
    process.walk(places::EARLY, async || adopt(people, tables).await).await?;
    redrive(people, tables, process).await?;
    process.walk(places::OWE_AGAIN, async || owe_again(people).await).await
}

/// The consent of an alert expires: it is withdrawn.
async fn expire(people: &People<'_>, tables: &Tables) -> Outcome<()> {
    let released = people.release().await?;
    let id = blob(&released.alert_id);
    let expired = format!("UPDATE alerts SET consent_expires_at_ms = 1 WHERE alert_id = {id}");
    tables.must_change("dispatch", &expired).await?;
    let withdrawn = format!("SELECT count(*) FROM alerts WHERE alert_id = {id} AND state = 'withdrawn'");
    wait_until("an expired consent withdraws its alert", PATIENCE, async || {
        Ok((tables.count("dispatch", &withdrawn).await? == 1).then_some(()))
    })
    .await
}

/// Nobody answers a case: each clock of it pages once.
async fn page(people: &People<'_>, tables: &Tables) -> Outcome<()> {
    let (_, case) = people.open_case().await?;
    let of_case = format!("FROM escalations WHERE case_id = {}", blob(&case));
    let clocks = tables.count("triage", &format!("SELECT count(*) {of_case}")).await?;
    let due = format!("UPDATE escalations SET due_at_ms = 1 WHERE case_id = {}", blob(&case));
    tables.must_change("triage", &due).await?;
    let asked = |what: &str| format!("SELECT count(*) {of_case} AND {what}");
    wait_until("every clock of an unanswered case has paged", PATIENCE, async || {
        Ok((tables.count("triage", &asked("outcome = 'paged'")).await? == clocks).then_some(()))
    })
    .await?;
    // The first page comes with the case, and one more with each clock.
    let names_case = format!("kind = 'page.requested' AND instr(payload, CAST('{case}' AS BLOB)) > 0");
    let pages = format!("SELECT count(*) FROM outbox WHERE {names_case}");
    ensure_equal(tables.count("triage", &pages).await?, 1 + clocks, "pages of one case")
}

/// Texts go when their notices have ended.
async fn delete_texts(people: &People<'_>, tables: &Tables) -> Outcome<()> {
    let released = people.release().await?;
    let id = blob(&released.alert_id);
    let texts = format!("SELECT count(*) FROM bulletins WHERE bulletin_id = {id} AND sealed_texts IS NOT NULL");
    ensure_equal(tables.count("notification", &texts).await?, 1, "bulletins with texts")?;
    let old = format!("UPDATE bulletins SET created_at_ms = 1 WHERE bulletin_id = {id}");
    tables.must_change("notification", &old).await?;
    wait_until("old texts are deleted", PATIENCE, async || {
        Ok((tables.count("notification", &texts).await? == 0).then_some(()))
    })
    .await
}

/// A message of a case is put back to those that wait for their report, as two replicas at once could have left it.
async fn adopt(people: &People<'_>, tables: &Tables) -> Outcome<()> {
    let (report, case) = people.open_case().await?;
    people.add_message(&report).await?;
    let of_case = format!("case_id = {} AND author = 'reporter'", blob(&case));
    let count = format!("SELECT count(*) FROM messages WHERE {of_case}");
    let arrives = async || {
        wait_until("the message is with its case", PATIENCE, async || {
            Ok((tables.count("triage", &count).await? == 1).then_some(()))
        })
        .await
    };
    arrives().await?;
    let said = "SELECT payload FROM outbox WHERE kind = 'message.received' ORDER BY event_id DESC LIMIT 1";
    let payload = tables.bytes("intake", said).await?.ok_or_else(|| Trouble::new("no message was said"))?;
    let event = MessageReceived::decode(payload.as_slice())?;
    ensure_equal(&event.report_id, &report.report_id, "the report of the newest message")?;
    let sealed = Sealed::from(event.content.unwrap_or_default());
    let waits = format!(
        "INSERT OR IGNORE INTO early_messages (message_id, report_id, key_id, at_ms, sealed) VALUES ({}, {}, '{}', 1, X'{}')",
        blob(&event.message_id),
        blob(&report.report_id),
        sealed.key_id,
        hex::encode(sealed.to_bytes())
    );
    tables.must_change("triage", &format!("DELETE FROM messages WHERE {of_case}; {waits}")).await?;
    arrives().await?;
    let early = tables.count("triage", "SELECT count(*) FROM early_messages").await?;
    ensure_equal(early, 0, "messages that still wait")
}

/// Dead letters run again: the good one is taken, the other one stays in custody and says so.
async fn redrive(people: &People<'_>, tables: &Tables, process: &mut Mortal<'_>) -> Outcome<()> {
    let report = people.report().await?;
    people.case_of(&report.report_id).await?;
    let said = "SELECT payload FROM outbox WHERE kind = 'report.received' ORDER BY event_id DESC LIMIT 1";
    let payload = tables.bytes("intake", said).await?.ok_or_else(|| Trouble::new("no report was said"))?;
    process
        .walk(places::REDRIVE, async || {
            for (id, is_good) in LETTERS {
                let payload = if is_good { hex::encode(&payload) } else { "ff".to_owned() };
                let buried = format!(
                    "INSERT OR IGNORE INTO dead_letters (consumer, event_id, kind, lane, aggregate, version, at_ms, \
                     payload, attempts, fault, died_at_ms) VALUES ('triage', {}, 'report.received', 0, 'x', 1, 1, \
                     X'{payload}', 5, 'a fault', 1)",
                    blob(id)
                );
                tables.change("triage", &buried).await?;
            }
            let door = OperationsServiceClient::new(channel(people.installation.doors.triage)?);
            let request = RedriveDeadLettersRequest { which: Some(Which::All(true)) };
            let call = async |request| door.clone().redrive_dead_letters(request).await;
            ask_again("redriving", &people.operator, request, call).await?;
            let asked = "SELECT count(*) FROM dead_letters WHERE redrive_at_ms IS NOT NULL";
            wait_until("dead letters have run", PATIENCE, async || {
                Ok((tables.count("triage", asked).await? == 0).then_some(()))
            })
            .await?;
            let kept = tables.count("triage", "SELECT count(*) FROM dead_letters").await?;
            ensure_equal(kept, 1, "dead letters that cannot be read")
        })
        .await?;
    // It was ours, and nobody will ever read it.
    tables.must_change("triage", "DELETE FROM dead_letters").await
}

/// An operator has a service say its newest events once more: nothing happens twice.
async fn owe_again(people: &People<'_>) -> Outcome<()> {
    let since = Clock::system().now();
    let since = prost_types::Timestamp { seconds: since.timestamp(), nanos: 0 };
    people.open_case().await?;
    let client = OperationsServiceClient::new(channel(people.installation.doors.intake)?);
    let request = RedriveEventsRequest { since: Some(since) };
    let call = async |request| client.clone().redrive_events(request).await;
    ask_again("saying events again", &people.operator, request, call).await.map(|_| ())
}

/// A copy is put back: where that dies it is begun anew, and the restored house has every case.
pub(super) async fn restore(people: &People<'_>, process: &mut Mortal<'_>) -> Outcome<()> {
    let installation = people.installation;
    let cases = people.cases().await?;
    let run = |arguments: &[&str], armed: &str| -> Outcome<std::process::ExitStatus> {
        let mut command = command(&installation.settings())?;
        command.args(arguments).env(FAIL_POINTS, armed);
        Ok(command.output()?.status)
    };
    let copy = installation.folder().join("copy").display().to_string();
    ensure(run(&["backup", &copy], "")?.success(), || "the backup failed".to_owned())?;
    process.kill()?;
    let target = |name: &str| installation.folder().join(name).display().to_string();
    for (place, name) in places::RESTORE.iter().zip(["restored-1", "restored-2"]) {
        let status = run(&["restore", &copy, "--data-folder", &target(name)], &format!("{place}=return"))?;
        ensure(status.code().is_none(), || format!("{place} was never reached by `tocsin restore`"))?;
    }
    let data = installation.data();
    std::fs::rename(&data, installation.folder().join("before"))?;
    let status = run(&["restore", &copy, "--data-folder", &data.display().to_string()], "")?;
    ensure(status.success(), || "the restore failed".to_owned())?;
    process.live().await?;
    ensure_equal(people.cases().await?, cases, "cases after the restore")
}
