//! `tocsin case`: for those who work on a case.

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset};
use clap::{Args, Subcommand};

use super::parse;

/// `tocsin case`
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Case {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CaseCommand,
}

/// What people do with a case.
#[derive(Debug, Subcommand)]
pub(crate) enum CaseCommand {
    /// List cases, the newest first.
    #[command(after_help = "Examples:\n  tocsin case list\n  tocsin case list --state received --json")]
    List(List),
    /// Show a case with its report, if your role may read it. The reading is recorded.
    #[command(after_help = "Example:\n  tocsin case show XA-2026-0001")]
    Show(Name),
    /// Say that a person has seen it: stops the clock of the first answer.
    #[command(after_help = "Example:\n  tocsin case acknowledge XA-2026-0001")]
    Acknowledge(Name),
    /// Record a source and how far it can be relied on.
    #[command(after_help = "Examples:
  tocsin case verify XA-2026-0001 --link lawyer --reliability A \\
      --information 1 --first-hand
  tocsin case verify XA-2026-0001 --link ngo --reliability B \\
      --information 2 --relays SOURCE_ID")]
    Verify(Verify),
    /// Weigh the risk: score, priority, and when a release is due.
    #[command(after_help = "The factors file is the `factors` object of a scenario file.

Examples:
  tocsin case assess XA-2026-0001 --factors factors.json --claim confirmed
  tocsin case assess XA-2026-0001 --gravity 13 --imminence 15 --vulnerability 15 --claim likely
  tocsin case assess XA-2026-0001 --factors - --claim likely \\
      --priority p1 --reason 'third arrest this week'")]
    Assess(Assess),
    /// Record who consents to what. Versions are never changed, only followed by newer ones.
    #[command(after_help = "Examples:
  tocsin case consent XA-2026-0001 --who affected_person \\
      --purpose members_alert --audience all_members --identity-level initials \\
      --status granted --form oral_with_witness
  tocsin case consent XA-2026-0001 --who affected_person \\
      --purpose members_alert --audience all_members --identity-level none \\
      --status withdrawn --form voice --reason 'asked on the phone'")]
    Consent(Consent),
    /// Write a new version of the alert; earlier approvals no longer count.
    #[command(
        after_help = "The file is the `alert` object of a scenario file: track, tlp, identity_level, asks, demands, \
addressees, texts.

Example:
  tocsin case draft XA-2026-0001 alert.json"
    )]
    Draft(Draft),
    /// Submit the draft for two approvals.
    #[command(after_help = "Example:\n  tocsin case submit XA-2026-0001")]
    Submit(Name),
    /// Approve the version of the draft that you have read.
    #[command(after_help = "Example:\n  tocsin case approve XA-2026-0001 --draft-version 2")]
    Approve(Approve),
    /// Reject the version of the draft that you have read, with the reason.
    #[command(after_help = "Example:\n  tocsin case reject XA-2026-0001 --draft-version 2 --reason 'names a village'")]
    Reject(Reject),
    /// Show whom a release would reach, what each would read, and every reason against it.
    #[command(after_help = "Example:\n  tocsin case preview XA-2026-0001")]
    Preview(Name),
    /// Release the approved alert. Exits with 3 and every reason if the gate refuses.
    #[command(after_help = "Examples:\n  tocsin case release XA-2026-0001\n  tocsin case release XA-2026-0001 --drill")]
    Release(Release),
    /// Write to the reporter.
    #[command(after_help = "Examples:
  tocsin case answer XA-2026-0001 'A lawyer will call you tonight.'
  tocsin case answer XA-2026-0001 - --question < question.txt")]
    Answer(Answer),
    /// Stop the action: what is queued is withdrawn, released alerts are recalled.
    #[command(after_help = "Example:\n  tocsin case stop XA-2026-0001 --reason 'released this morning'")]
    Stop(Stop),
}

/// Names a case.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// A case id, a report id or a reference.
    #[arg(value_name = "CASE")]
    pub(crate) case: String,
}

/// `tocsin case list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only cases in this state, as received, verifying or monitoring.
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
}

/// `tocsin case verify`
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// victim, witness, relative, colleague, `same_organisation`, relayed, lawyer, medical, ngo or media.
    #[arg(long, value_name = "LINK")]
    pub(crate) link: String,
    /// How reliable the source is: A (completely) to F (cannot be judged).
    #[arg(long, value_name = "A..F")]
    pub(crate) reliability: String,
    /// How credible what it says is: 1 (confirmed) to 6 (cannot be judged).
    #[arg(long, value_name = "1..6")]
    pub(crate) information: String,
    /// The source saw or suffered it.
    #[arg(long)]
    pub(crate) first_hand: bool,
    /// The recorded source that this one only passes on: two relays of one call are one source.
    #[arg(long, value_name = "SOURCE_ID")]
    pub(crate) relays: Option<String>,
}

/// `tocsin case assess`
#[derive(Debug, Args)]
pub(crate) struct Assess {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// A JSON file with the factors; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = FACTORS)]
    pub(crate) factors: Option<PathBuf>,
    /// The factors, one by one.
    #[command(flatten)]
    pub(crate) flags: FactorFlags,
    /// A fact that makes it P1 whatever the score, as `dated_death_threat`; may be given several times.
    #[arg(long = "override", value_name = "CODE")]
    pub(crate) overrides: Vec<String>,
    /// How certain the claim is: confirmed, likely, possible, unlikely or unknown.
    #[arg(long, value_name = "CLAIM")]
    pub(crate) claim: String,
    /// Your own decision against the computed priority: p1, p2, p3 or p4.
    #[arg(long, value_name = "PRIORITY", requires = "reason")]
    pub(crate) priority: Option<String>,
    /// Why you decide against the computed priority.
    #[arg(long, value_name = "TEXT", requires = "priority")]
    pub(crate) reason: Option<String>,
}

/// The names of the flags of [`FactorFlags`].
const FACTORS: [&str; 10] = [
    "gravity",
    "imminence",
    "intent_and_means",
    "specific_direct_threat",
    "earlier_attack_on_person",
    "earlier_attack_on_colleagues",
    "rising_series",
    "vulnerability",
    "irreparability",
    "capacity",
];

/// Factors of the risk score, one by one.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and the wire has the same")]
#[command(next_help_heading = "Factors, instead of a file")]
pub(crate) struct FactorFlags {
    /// 0 to 15.
    #[arg(long, value_name = "POINTS")]
    pub(crate) gravity: Option<u32>,
    /// 0 to 15.
    #[arg(long, value_name = "POINTS")]
    pub(crate) imminence: Option<u32>,
    /// 0 to 10.
    #[arg(long, value_name = "POINTS")]
    pub(crate) intent_and_means: Option<u32>,
    /// The person has been threatened directly and specifically.
    #[arg(long)]
    pub(crate) specific_direct_threat: bool,
    /// The person has been attacked before.
    #[arg(long)]
    pub(crate) earlier_attack_on_person: bool,
    /// Colleagues, or others in the area, have been attacked before.
    #[arg(long)]
    pub(crate) earlier_attack_on_colleagues: bool,
    /// Incidents become more frequent or graver.
    #[arg(long)]
    pub(crate) rising_series: bool,
    /// 0 to 20.
    #[arg(long, value_name = "POINTS")]
    pub(crate) vulnerability: Option<u32>,
    /// 0 to 20.
    #[arg(long, value_name = "POINTS")]
    pub(crate) irreparability: Option<u32>,
    /// What protects the person already: 0 to 15, taken off.
    #[arg(long, value_name = "POINTS")]
    pub(crate) capacity: Option<u32>,
}

/// `tocsin case consent`
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// Whose consent, as `affected_person` or community.
    #[arg(long, value_name = "WHO")]
    pub(crate) who: String,
    /// For what, as `members_alert`, `public_letter` or `share_for_support`.
    #[arg(long, value_name = "PURPOSE")]
    pub(crate) purpose: String,
    /// Towards whom, as `named_partner`, `all_members` or public.
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: String,
    /// What may be told of the person: full, `name_only`, initials, pseudonym, `role_and_region`, `group_only` or none.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) identity_level: String,
    /// asked, granted, `granted_with_limits`, refused, `not_asked_unsafe`, `unable_reason_given`, `proxy_granted` or withdrawn.
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: String,
    /// How it was obtained: written, voice, `oral_with_witness`, proxy or `community_assembly`.
    #[arg(long, value_name = "FORM")]
    pub(crate) form: String,
    /// Until when, with the offset, as 2026-08-01T00:00:00+03:00.
    #[arg(long, value_name = "MOMENT", value_parser = parse::moment)]
    pub(crate) expires_at: Option<DateTime<FixedOffset>>,
    /// Only for this organisation; may be given several times.
    #[arg(long, value_name = "ID")]
    pub(crate) limit_organisation: Vec<String>,
    /// Only in this language; may be given several times.
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) limit_language: Vec<String>,
    /// A limit in words. No program can check it, so a release under it is refused.
    #[arg(long, value_name = "TEXT")]
    pub(crate) limit_note: Vec<String>,
    /// Why, where the status asks for a reason.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

/// `tocsin case draft`
#[derive(Debug, Args)]
pub(crate) struct Draft {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// The alert as JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `tocsin case approve`
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// The version that you have read; `case show` says which is current.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) draft_version: u32,
}

/// `tocsin case reject`
#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// The version that you have read.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) draft_version: u32,
    /// What must change.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// `tocsin case release`
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// An exercise: everything that goes out is marked as one, in every channel.
    #[arg(long)]
    pub(crate) drill: bool,
}

/// `tocsin case answer`
#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// What to write; `-` reads it from standard input.
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// It asks for something: the case waits for the reporter.
    #[arg(long)]
    pub(crate) question: bool,
}

/// `tocsin case stop`
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// The case.
    #[command(flatten)]
    pub(crate) name: Name,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}
