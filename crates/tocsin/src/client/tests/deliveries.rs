//! The forms of what people read about notices, contacts and gateways.

use prost_types::Timestamp;
use tocsin_proto::notification::v1::{
    Attempt, Bounce, Change, ContactAddress, ContactSummary, DegradedDestination, Gateway, GetContactResponse,
    GetNoticeProgressResponse, GetNoticeResponse, MailSuppression, Notice, NoticeCount, RedriveNoticesResponse,
    Submission, WithdrawNoticesResponse,
};

use super::super::pages::{contact, gateway, notice};

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_783_266_000 + seconds, nanos: 0 }
}

fn a_notice() -> Notice {
    Notice {
        notice_id: "n-1".into(),
        alert_id: "alert-1".into(),
        contact_id: "org-014-c1".into(),
        organisation_id: "org-014".into(),
        channel: "sms".into(),
        lane: "urgent".into(),
        state: "accepted".into(),
        attempts: 2,
        changed_at: Some(at(30)),
        ..Notice::default()
    }
}

#[test]
fn the_table_of_notices() {
    let waiting = Notice {
        notice_id: "n-2".into(),
        contact_id: String::new(),
        state: "queued".into(),
        reason: "gateways_paused".into(),
        due_at: Some(at(60)),
        ..a_notice()
    };
    let in_hand = Notice { notice_id: "n-3".into(), state: "queued".into(), in_hand: true, ..a_notice() };
    insta::assert_snapshot!(notice::table(&[a_notice(), waiting, in_hand]).plain(), @r"
    notice  contact     channel  lane    state     attempts  changed               next                  reason
    n-1     org-014-c1  sms      urgent  accepted  2         2026-07-05T15:40:30Z  -                     -
    n-2     -           sms      urgent  queued    2         2026-07-05T15:40:30Z  2026-07-05T15:41:00Z  gateways_paused
    n-3     org-014-c1  sms      urgent  queued    2         2026-07-05T15:40:30Z  now                   -
    ");
}

#[test]
fn a_notice_shows_every_attempt() {
    let attempt = |number, outcome: &str, code: &str, answer: &str| Attempt {
        number,
        started_at: Some(at(i64::from(number))),
        milliseconds: 120,
        gateway: "kannel".into(),
        outcome: outcome.into(),
        code: code.into(),
        answer: answer.into(),
    };
    let change = Change {
        at: Some(at(5)),
        actor_id: "staff-ana".into(),
        kind: "notices.redrive".into(),
        subject: "contact org-014-c1".into(),
        reason: "new_number".into(),
        notices: 3,
        ..Change::default()
    };
    let answer = GetNoticeResponse {
        notice: Some(a_notice()),
        short_code: "A7F3-K2W".into(),
        expires_at: Some(at(86_400)),
        attempts: vec![attempt(1, "temporary", "http_503", "busy \u{1b}[2J"), attempt(2, "accepted", "202", "")],
        submissions: vec![Submission {
            gateway: "kannel".into(),
            tries: 2,
            taken_at: Some(at(30)),
            standing: "on_its_way".into(),
        }],
        bounce: Some(Bounce { class: "soft".into(), status: "4.2.2".into(), at: Some(at(40)) }),
        changes: vec![change],
    };
    insta::assert_snapshot!(notice::page(&answer), @r"
    notice        n-1
    alert         A7F3-K2W (alert-1)
    contact       org-014-c1
    organisation  org-014
    channel       sms
    lane          urgent
    state         accepted
    since         2026-07-05T15:40:30Z
    not after     2026-07-06T15:40:00Z

    Attempts
    attempt  began                 took    gateway  outcome    code      answer
    1        2026-07-05T15:40:01Z  120 ms  kannel   temporary  http_503  busy \u{1b}[2J
    2        2026-07-05T15:40:02Z  120 ms  kannel   accepted   202       -

    What each gateway said
    gateway  sends  taken                 receipt
    kannel   2      2026-07-05T15:40:30Z  the carrier has it

    It came back at 2026-07-05T15:40:40Z: a soft bounce, status 4.2.2.

    Changed by hand
    at                    who        what             to                  why         notices
    2026-07-05T15:40:05Z  staff-ana  notices.redrive  contact org-014-c1  new_number  3
    ");
}

#[test]
fn how_far_an_alert_has_come() {
    let count = |channel: &str, state: &str, notices| NoticeCount {
        channel: channel.into(),
        state: state.into(),
        notices,
        ..NoticeCount::default()
    };
    let answer = GetNoticeProgressResponse {
        alert_id: "alert-1".into(),
        short_code: "A7F3-K2W".into(),
        counts: vec![count("email", "accepted", 280), count("email", "queued", 3), count("sms", "delivered", 920)],
        first_attempt_at: Some(at(0)),
        last_attempt_at: Some(at(90)),
        attempts: 1_207,
        still_due: 3,
        next_due_at: Some(at(120)),
    };
    insta::assert_snapshot!(notice::progress(&answer), @r"
    alert          A7F3-K2W (alert-1)
    notices        1203
    still due      3
    next attempt   2026-07-05T15:42:00Z
    attempts       1207
    first attempt  2026-07-05T15:40:00Z
    last attempt   2026-07-05T15:41:30Z

    By channel and state
    channel  state      notices
    email    accepted   280
    email    queued     3
    sms      delivered  920
    ");
}

#[test]
fn what_was_sent_again_or_withdrawn() {
    let redriven = RedriveNoticesResponse {
        notices_by_state: [("failed_temporary".to_owned(), 2), ("expired".to_owned(), 1)].into(),
        left_by_reason: [("too_late".to_owned(), 4), ("withdrawn".to_owned(), 1)].into(),
    };
    let withdrawn = WithdrawNoticesResponse { withdrawn: 12, in_hand: 2 };
    insta::assert_snapshot!(format!("{}\n{}", notice::redriven(&redriven), notice::withdrawn(&withdrawn)), @r"
    sent again                                   3
      were expired                               1
      were failed_temporary                      2
    left alone, their alert has expired          4
    left alone, they were withdrawn or answered  1

    withdrawn   12
    being sent  2
    What is being sent cannot be held back any more; if the attempt fails, no other follows.
    ");
}

#[test]
fn the_table_of_gateways() {
    let smarthost = Gateway {
        name: "mail.example:587".into(),
        kind: "smarthost".into(),
        channel: "email".into(),
        state: "resting".into(),
        rests_until: Some(at(15)),
        last_failure_at: Some(at(0)),
        last_failure_code: "connect_timeout".into(),
        ..Gateway::default()
    };
    let kannel = Gateway {
        name: "kannel".into(),
        kind: "kannel".into(),
        channel: "sms".into(),
        state: "ready".into(),
        in_flight: 4,
        awaiting_receipts: 17,
        last_success_at: Some(at(9)),
        ..Gateway::default()
    };
    let suppression = MailSuppression {
        contact_id: "org-014-c1".into(),
        kind: "hard_bounces".into(),
        detail: "5.1.1".into(),
        since: Some(at(0)),
        until: None,
    };
    let tables = format!(
        "{}\n\n{}",
        gateway::table(&[smarthost, kannel]).plain(),
        gateway::suppressions(&[suppression]).plain()
    );
    insta::assert_snapshot!(tables, @r"
    channel  gateway           kind       state                               on its way  no receipt  last took             last failed
    email    mail.example:587  smarthost  resting until 2026-07-05T15:40:15Z  0           -           -                     2026-07-05T15:40:00Z connect_timeout
    sms      kannel            kannel     ready                               4           17          2026-07-05T15:40:09Z  -

    contact     kind          detail  since                 until
    org-014-c1  hard_bounces  5.1.1   2026-07-05T15:40:00Z  -
    ");
}

#[test]
fn the_table_of_destinations_that_fail() {
    let failing = |channel: &str, failures, contacts: u32| DegradedDestination {
        channel: channel.into(),
        since: Some(at(0)),
        failures,
        contact_ids: (1..=contacts).map(|number| format!("org-{number:03}-c1")).collect(),
    };
    // An operator sees nobody's id.
    let list = [failing("webhook", 1_204, 0), failing("webhook", 5, 2), failing("email", 12, 100)];
    insta::assert_snapshot!(format!("{}\n{}", gateway::degraded(&list).plain(), gateway::seen(Some(&at(0)))), @r"
    channel  fails since           failures  contacts
    webhook  2026-07-05T15:40:00Z  1204      -
    webhook  2026-07-05T15:40:00Z  5         org-001-c1, org-002-c1
    email    2026-07-05T15:40:00Z  12        org-001-c1, org-002-c1, org-003-c1 and 97 more
    as the asked process has seen it since 2026-07-05T15:40:00Z; another process may see others
    ");
}

#[test]
fn contacts_and_their_addresses() {
    let address = |channel: &str, address: &str, place, verified: bool, suppressed: &str| ContactAddress {
        channel: channel.into(),
        address: address.into(),
        place,
        verified_at: verified.then(|| at(0)),
        suppressed: suppressed.into(),
    };
    let one = ContactSummary {
        contact_id: "org-014-c1".into(),
        organisation_id: "org-014".into(),
        language: "es".into(),
        time_zone: "America/Bogota".into(),
        quiet_hours: "22:00-07:00".into(),
        urgent_overrides_quiet_hours: true,
        addresses: vec![
            address("sms", "+44***23", 1, true, ""),
            address("email", "a***@org-014.example", 2, false, "hard_bounces"),
            address("signal", "an***", 0, false, ""),
        ],
        updated_at: Some(at(60)),
        unreadable: false,
    };
    let lost = ContactSummary { contact_id: "staff-1".into(), unreadable: true, ..ContactSummary::default() };
    let page = GetContactResponse {
        contact: Some(one.clone()),
        role: "duty".into(),
        has_openpgp_key: true,
        webhook_signatures: Vec::new(),
    };
    insta::assert_snapshot!(format!("{}\n\n{}", contact::table(&[one, lost]).plain(), contact::page(&page)), @r"
    contact     organisation  language  channel  address                      used    verified              suppressed
    org-014-c1  org-014       es        sms      +44***23                     first   2026-07-05T15:40:00Z  -
    org-014-c1  org-014       es        email    a***@org-014.example         second  no                    hard_bounces
    org-014-c1  org-014       es        signal   an***                        -       -                     -
    staff-1     -             -         -        unreadable: import it again  -       -                     -

    contact       org-014-c1
    organisation  org-014
    role          duty
    language      es
    time zone     America/Bogota
    quiet hours   22:00-07:00
    urgent        may come in quiet hours
    e-mail        is encrypted with OpenPGP
    changed       2026-07-05T15:41:00Z

    Addresses
    channel  address               used    verified              suppressed
    sms      +44***23              first   2026-07-05T15:40:00Z  -
    email    a***@org-014.example  second  no                    hard_bounces
    signal   an***                 -       -                     -
    ");
}
