//! A thousand kills between send and record on each channel: at most one repeat for each recipient and crash, and nobody
//! who hears nothing.
//!
//! Counted is a notice that its receiver has and of which the process dies before it could record the end: 50 crashes with
//! 20 notices in flight on each of e-mail, SMS and webhooks. In every second crash the receivers answer, and the process
//! dies somewhere about the record.

use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_sinks::MailSink;

use super::door::Doors;
use super::harness::{Alert, Harness, PATIENCE, contact_with_hook};

const CRASHES: usize = 50;
const CONTACTS: u32 = 20;
const CHANNELS: [&str; 3] = ["email", "sms", "webhook"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_kills_between_send_and_record_on_each_channel() {
    // A webhook's host has four places and one for what is urgent.
    let doors = Doors::open(4).await;
    let more = format!(
        "[[only]]\nname = 'door'\nkind = 'kannel'\nusername = 'u'\nurl = 'http://{}/send'\n# patient\n",
        doors.sms
    );
    let mail = MailSink::start(std::time::Duration::ZERO).await.unwrap();
    let mut harness = Harness::start_before(TestDatabase::sqlite(), &more, doors.mail, mail).await;
    let contacts: Vec<_> = (1..=CONTACTS)
        .zip(doors.webhooks.iter().cycle())
        .map(|(number, host)| contact_with_hook("org-1", number, "en", &CHANNELS, format!("http://{host}/")))
        .collect();
    harness.import(contacts.clone()).await.unwrap();
    let a_crash = contacts.len() * CHANNELS.len();
    for crash in 0..CRASHES {
        let dies_before_the_answer = crash % 2 == 0;
        doors.answer(!dies_before_the_answer);
        harness.request(&Alert::new("p1", "AMBER"), &contacts).await;
        let sent = a_crash * (crash + 1);
        wait_until("all are sent", PATIENCE, async || doors.copies().len() == sent).await;
        harness = harness.killed_and_started_again().await;
        doors.answer(true);
        let ended = |state: &&String| state.ends_with("accepted") || state.ends_with("delivered");
        let all_ended = async || harness.states().iter().filter(ended).count() == sent;
        wait_until("all have ended well", PATIENCE, all_ended).await;
        let copies = doors.copies();
        assert_eq!(copies.len(), sent, "crash {crash}: nothing else is sent");
        let repeated = copies.values().filter(|copies| **copies == 2).count();
        assert!(copies.values().all(|copies| *copies <= 2), "crash {crash}: {copies:?}");
        // Each notice without an answer is sent again, exactly once.
        assert!(repeated >= a_crash * (crash / 2 + 1), "crash {crash}: {repeated} repeats");
    }
    let copies = doors.copies();
    for channel in CHANNELS {
        let sent = copies.keys().filter(|key| key.starts_with(channel)).count();
        assert_eq!(sent, CRASHES * contacts.len(), "{channel}");
    }
    harness.stop().await;
}
