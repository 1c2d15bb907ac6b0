//! Promises against evidence: what was promised minus what was kept or explained, and how often somebody got the same
//! message twice. Pure, so that its own tests can show that it finds what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tocsin_proto::dispatch::v1::NoticeProgress;
use tocsin_proto::notification::v1::Contact;
use tocsin_tests::arrivals::recipient;

use super::Promises;
use super::evidence::Evidence;

/// A process of notification died, was cut off, or was stopped for longer than its lease: from the one moment to the
/// other it could send and not record.
#[derive(Debug, Clone, Copy)]
pub struct Crash {
    /// From when.
    pub from: Instant,
    /// Until when.
    pub until: Instant,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Reports that were answered with success.
    pub reports: usize,
    /// Alerts of which triage said "released".
    pub alerts: usize,
    /// Notices that these alerts owed.
    pub notices: usize,
    /// How many notices ended in which state.
    pub states: BTreeMap<String, usize>,
    /// Messages that arrived a second time.
    pub repeats: usize,
    /// The most that one recipient got of one alert beyond the first.
    pub repeats_worst: usize,
    /// The longest from a release to a first arrival, and whose that was.
    pub slowest: (Duration, String),
    /// Responses that members gave.
    pub responses: usize,
    /// Promises that were not kept.
    pub lost: Vec<String>,
    /// Effects that happened more often than they may.
    pub doubled: Vec<String>,
    /// Other things that must not be.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.wrong.is_empty()
    }
}

/// Compares. `contacts` are those whom every alert should reach, each on each of its channels.
pub fn judge(promises: &Promises, evidence: &Evidence, contacts: &[Contact], crashes: &[Crash]) -> Verdict {
    let mut verdict = Verdict {
        reports: promises.answers.accepted.len(),
        alerts: promises.released.len(),
        responses: promises.responses.len(),
        ..Verdict::default()
    };
    reports(promises, evidence, &mut verdict);
    for (alert, released) in &promises.released {
        let notices = evidence.notices.get(alert).map(Vec::as_slice).unwrap_or_default();
        let judged = Judged { alert, short_code: &released.short_code, at: released.at, promises, evidence, crashes };
        for contact in contacts {
            for channel in &contact.channels {
                judged.notice(contact, channel, notices, &mut verdict);
            }
        }
    }
    members(promises, evidence, &mut verdict);
    if evidence.owed > 0 {
        verdict.wrong.push(format!("{} events are still owed to a consumer", evidence.owed));
    }
    if evidence.dead_letters > 0 {
        verdict.wrong.push(format!("{} events became dead letters", evidence.dead_letters));
    }
    verdict.wrong.extend(promises.surprises.iter().cloned());
    verdict
}

/// Every report answered with success is a case exactly once, and its reporter can read the automatic answer.
fn reports(promises: &Promises, evidence: &Evidence, verdict: &mut Verdict) {
    let mut cases: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &evidence.cases {
        *cases.entry(report).or_default() += 1;
    }
    for (key, accepted) in &promises.answers.accepted {
        let report = accepted.report_id.as_str();
        match cases.get(report).copied().unwrap_or_default() {
            0 => verdict.lost.push(format!("the report {report} ({key}) is no case")),
            1 => {}
            count => verdict.doubled.push(format!("the report {report} is {count} cases")),
        }
        match evidence.answers.get(report).copied().unwrap_or_default() {
            0 => verdict.lost.push(format!("the reporter of {report} has no answer")),
            count if count > 1 && !promises.worked_on.contains(report) => {
                verdict.doubled.push(format!("the reporter of {report} has {count} automatic answers"));
            }
            _ => {}
        }
    }
    // Keys are kept until they are answered, so each has become one report, and each report one case.
    let keys = promises.answers.accepted.len() + promises.answers.unanswered.len();
    let held = usize::try_from(evidence.reports).unwrap_or_default();
    if held > keys {
        verdict.doubled.push(format!("intake holds {held} reports for {keys} idempotency keys"));
    }
    if held != evidence.cases.len() {
        verdict.lost.push(format!("intake holds {held} reports, triage {} cases", evidence.cases.len()));
    }
    verdict.wrong.extend(promises.answers.contradictions.iter().map(|key| format!("the key {key} had two answers")));
    verdict.wrong.extend(promises.answers.refused.iter().map(|answer| format!("a good report was refused: {answer}")));
}

/// Members were shown every alert, and triage knows every response that dispatch took.
fn members(promises: &Promises, evidence: &Evidence, verdict: &mut Verdict) {
    for (organisation, shown) in &promises.shown {
        let missing = promises.released.keys().filter(|alert| !shown.contains(*alert));
        verdict.lost.extend(missing.map(|alert| format!("the feed of {organisation} never showed the alert {alert}")));
    }
    for given in promises.responses.difference(&evidence.responses) {
        verdict.lost.push(format!("the response `{}` of {} to {} did not reach triage", given.2, given.1, given.0));
    }
}

/// One alert under judgement.
struct Judged<'a> {
    alert: &'a str,
    short_code: &'a str,
    at: Instant,
    promises: &'a Promises,
    evidence: &'a Evidence,
    crashes: &'a [Crash],
}

impl Judged<'_> {
    fn notice(&self, contact: &Contact, channel: &str, notices: &[NoticeProgress], verdict: &mut Verdict) {
        verdict.notices += 1;
        let name = || format!("{channel} of {} for the alert {}", contact.contact_id, self.alert);
        let mut found = notices.iter().filter(|one| one.contact_id == contact.contact_id && one.channel == channel);
        let Some(notice) = found.next() else {
            // An organisation that answered its feed first is not told what it has read: one notice says so for all
            // channels.
            let told = notices.iter().any(|one| one.contact_id == contact.contact_id && one.state == "withdrawn");
            if told && self.has_responded(&contact.organisation_id) {
                *verdict.states.entry("answered before".to_owned()).or_default() += 1;
            } else {
                verdict.lost.push(format!("there is no notice by {}", name()));
            }
            return;
        };
        if found.next().is_some() {
            verdict.doubled.push(format!("there are two notices by {}", name()));
        }
        *verdict.states.entry(notice.state.clone()).or_default() += 1;
        let key = (self.short_code.to_owned(), recipient(contact, channel));
        let arrived = self.evidence.arrivals.get(&key).map(Vec::as_slice).unwrap_or_default();
        match notice.state.as_str() {
            "accepted" | "delivered" | "opened_in_portal" if arrived.is_empty() => {
                verdict.lost.push(format!("the notice by {} is {} and never arrived", name(), notice.state));
            }
            "accepted" | "delivered" | "opened_in_portal" | "acknowledged" | "acted" | "unknown_no_receipt" => {}
            // One answer of an organisation stops what was still to be sent to it.
            "withdrawn" if self.has_responded(&contact.organisation_id) => {}
            state => {
                let why = &notice.reason;
                verdict.lost.push(format!("the notice by {} ended as {state} ({why}) though it could be sent", name()));
            }
        }
        self.repeats(arrived, &name, verdict);
    }

    fn has_responded(&self, organisation: &str) -> bool {
        self.promises.responses.iter().any(|(alert, by, _)| alert == self.alert && by == organisation)
    }

    /// Between two arrivals of the same message lies a crash: sent, and not recorded any more.
    fn repeats(&self, arrived: &[Instant], name: &dyn Fn() -> String, verdict: &mut Verdict) {
        if let Some(first) = arrived.first() {
            let took = first.saturating_duration_since(self.at);
            if took > verdict.slowest.0 {
                verdict.slowest = (took, name());
            }
        }
        let repeats = arrived.len().saturating_sub(1);
        verdict.repeats += repeats;
        verdict.repeats_worst = verdict.repeats_worst.max(repeats);
        let mut used = BTreeSet::new();
        for pair in arrived.windows(2) {
            let [before, after] = pair else { continue };
            let between = |crash: &Crash| crash.from <= *after && crash.until >= *before;
            let fits = self.crashes.iter().enumerate().filter(|(index, crash)| !used.contains(index) && between(crash));
            // The one that ends first: a longer one may still explain a later repeat.
            let cause = fits.min_by_key(|(_, crash)| crash.until);
            if let Some((index, _)) = cause {
                used.insert(index);
            } else {
                let apart = after.saturating_duration_since(*before);
                verdict.doubled.push(format!("{} arrived twice, {apart:?} apart, without a crash between", name()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tocsin_tests::answers::Answered;
    use tocsin_tests::walk::Accepted;

    use super::*;
    use crate::ledger::Released;

    /// A world in which every promise was kept; each test takes one thing away.
    fn kept() -> (Promises, Evidence, Vec<Contact>) {
        let mut promises = Promises::default();
        let accepted = Accepted { report_id: "r1".into(), receipt: "eight words".into() };
        // Nobody answered at first; a key that was answered in the end counts once.
        promises.answers.note("key-1".into(), Answered::Nothing);
        promises.answers.note("key-1".into(), Answered::Accepted(accepted));
        let at = Instant::now();
        let released = Released { case_id: "c1".into(), short_code: "AAAA-AAA".into(), at };
        promises.released.insert("a1".into(), released);
        promises.shown.insert("org-001".into(), BTreeSet::from(["a1".to_owned()]));
        promises.responses.insert(("a1".into(), "org-001".into(), "signed".into()));
        let notice = NoticeProgress {
            contact_id: "k1".into(),
            channel: "email".into(),
            state: "accepted".into(),
            ..NoticeProgress::default()
        };
        let evidence = Evidence {
            cases: vec!["r1".into()],
            reports: 1,
            answers: BTreeMap::from([("r1".to_owned(), 1)]),
            notices: BTreeMap::from([("a1".to_owned(), vec![notice])]),
            responses: promises.responses.clone(),
            arrivals: BTreeMap::from([(("AAAA-AAA".to_owned(), "email k1@x.example".to_owned()), vec![at])]),
            ..Evidence::default()
        };
        let contact = Contact {
            contact_id: "k1".into(),
            organisation_id: "org-002".into(),
            email: "k1@x.example".into(),
            channels: vec!["email".into()],
            ..Contact::default()
        };
        (promises, evidence, vec![contact])
    }

    /// Breaks one thing, and expects exactly one sentence that says so.
    fn check(expect: &str, breaks: impl FnOnce(&mut Promises, &mut Evidence)) {
        let (mut promises, mut evidence, contacts) = kept();
        breaks(&mut promises, &mut evidence);
        let verdict = judge(&promises, &evidence, &contacts, &[]);
        let said = [verdict.lost, verdict.doubled, verdict.wrong].concat();
        assert!(said.len() == 1 && said[0].contains(expect), "expected `{expect}`, found {said:?}");
    }

    #[test]
    fn a_kept_promise_is_good() {
        let (promises, evidence, contacts) = kept();
        let verdict = judge(&promises, &evidence, &contacts, &[]);
        assert!(verdict.is_good(), "{verdict:?}");
        assert_eq!((verdict.reports, verdict.alerts, verdict.notices, verdict.repeats), (1, 1, 1, 0));
    }

    #[test]
    fn whatever_is_missing_or_doubled_is_named() {
        check("triage 2 cases", |_, evidence| evidence.cases.push("r2".into()));
        check("has no answer", |_, evidence| evidence.answers.clear());
        check("has 2 automatic answers", |_, evidence| *evidence.answers.get_mut("r1").unwrap() = 2);
        check("there is no notice by email of k1", |_, evidence| evidence.notices.clear());
        check("is accepted and never arrived", |_, evidence| evidence.arrivals.clear());
        check("the feed of org-001 never showed", |promises, _| {
            promises.shown.get_mut("org-001").unwrap().clear();
        });
        check("did not reach triage", |_, evidence| evidence.responses.clear());
        check("3 events are still owed", |_, evidence| evidence.owed = 3);
        check("1 events became dead letters", |_, evidence| evidence.dead_letters = 1);
        check("an odd answer", |promises, _| promises.surprises.push("an odd answer".into()));
        for state in ["queued", "failed_temporary", "expired", "withdrawn"] {
            check(state, |_, evidence| evidence.notices.get_mut("a1").unwrap()[0].state = state.into());
        }
        check("two notices", |_, evidence| {
            let notices = evidence.notices.get_mut("a1").unwrap();
            notices.push(notices[0].clone());
        });
    }

    #[test]
    fn a_report_that_vanished_or_multiplied_is_named() {
        let lost = |breaks: &dyn Fn(&mut Evidence)| {
            let (promises, mut evidence, contacts) = kept();
            breaks(&mut evidence);
            judge(&promises, &evidence, &contacts, &[])
        };
        let verdict = lost(&|evidence| evidence.cases.clear());
        assert!(verdict.lost.iter().any(|text| text.contains("r1 (key-1) is no case")), "{verdict:?}");
        let verdict = lost(&|evidence| {
            evidence.cases.push("r1".into());
            evidence.reports = 2;
        });
        assert!(verdict.doubled.iter().any(|text| text.contains("r1 is 2 cases")), "{verdict:?}");
        assert!(verdict.doubled.iter().any(|text| text.contains("2 reports for 1 idempotency keys")), "{verdict:?}");
    }

    #[test]
    fn each_repeat_needs_a_crash_of_its_own() {
        let check = |arrived: [u64; 3], crashes: &[(u64, u64)], good: bool| {
            let (promises, mut evidence, contacts) = kept();
            let kept = evidence.arrivals.values_mut().next().unwrap();
            let start = kept[0];
            let at = |second: u64| start + Duration::from_secs(second);
            *kept = arrived.map(at).to_vec();
            let crashes: Vec<_> =
                crashes.iter().map(|&(from, until)| Crash { from: at(from), until: at(until) }).collect();
            let verdict = judge(&promises, &evidence, &contacts, &crashes);
            assert_eq!(verdict.doubled.is_empty(), good, "{crashes:?}: {:?}", verdict.doubled);
            assert_eq!((verdict.repeats, verdict.repeats_worst), (2, 2));
        };
        let even = [0, 10, 20];
        check(even, &[(5, 5), (15, 15)], true);
        check(even, &[(5, 5), (5, 5), (15, 15)], true);
        check(even, &[(5, 5)], false);
        check(even, &[(15, 15), (25, 25)], false);
        check(even, &[], false);
        // One crash at the very moment of the middle arrival explains only one of the two.
        check(even, &[(10, 10)], false);
        // A kill during a long cut: the kill explains the first repeat, and the cut the second, in whatever order they
        // were noted.
        check([1, 25, 45], &[(0, 52), (20, 22)], true);
        check([1, 25, 45], &[(20, 22), (0, 52)], true);
        check([1, 25, 45], &[(0, 52)], false);
    }
}
