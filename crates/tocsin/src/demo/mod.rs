//! `tocsin demo`: rings the bell once, from the reporter to every contact of an invented network.
//!
//! Everything is real but the world outside: the four services run as they do in `up`, over SQLite in a temporary
//! folder, and send to a mail server, an SMS gateway and a webhook receiver on loopback. The clock starts when the
//! scenario says that its report was written.

mod cast;
mod fanout;
mod feeds;
mod receivers;
mod show;
mod stage;
mod summary;
mod tell;
mod walk;

use std::error::Error;

use chrono::{SecondsFormat, Utc};
use tocsin_proto::convert::from_timestamp;

use cast::Cast;
use fanout::Fanout;
use feeds::Feeds;
use stage::Stage;
use summary::{Notices, Seconds, Summary};
use tell::Tell;
use walk::Walked;

use crate::arguments::Demo;
use crate::exit::{Exit, Failed, with_causes};
use crate::files::FileError;
use crate::files::network::Network;
use crate::files::scenario::Scenario;

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A scenario or network file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// A service refused a step that is not the gate's.
    #[error(transparent)]
    Refused(#[from] tonic::Status),
    /// intake refused the report.
    #[error("intake refused the report: {answer}")]
    Report {
        /// intake's own words.
        answer: String,
    },
    /// Something did not happen in time.
    #[error("{what} in time")]
    Late {
        /// What did not happen.
        what: &'static str,
    },
    /// Something under the demo failed.
    #[error("the demo could not go on: {0}")]
    Other(String),
}

impl DemoError {
    fn other(error: impl Error) -> Self {
        Self::Other(with_causes(&error))
    }
}

const SCENARIO: &str = include_str!("../../../../fixtures/scenarios/workshop-detention.json");
const NETWORK: &str = include_str!("../../../../fixtures/network.json");

/// Rings the bell once.
pub(crate) async fn run(arguments: Demo) -> Result<(), Failed> {
    show(arguments).await.map_err(Failed::from)
}

impl From<DemoError> for Failed {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::File(error) => error.into(),
            DemoError::Refused(status) => Self::from_status("a service", &status),
            DemoError::Report { .. } => Self::usage(error.to_string()),
            other => Self::new(Exit::Other, other.to_string()),
        }
    }
}

async fn show(arguments: Demo) -> Result<(), DemoError> {
    let tell = if arguments.summary.is_some() { Tell::Error } else { Tell::Output };
    let scenario = match &arguments.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::parse(&crate::files::Text::new("the compiled-in scenario", SCENARIO))?,
    };
    let network = match &arguments.network {
        Some(path) => Network::read(path)?,
        None => Network::parse(&crate::files::Text::new("the compiled-in network", NETWORK))?,
    };
    tell.heading(&scenario.title);
    let stage = Stage::build(&scenario, &network, arguments.folder.as_deref(), tell).await?;
    let played = play(&scenario, &network, &stage, arguments.drill, tell).await;
    let outcome = match played {
        Ok(played) => conclude(&arguments, &stage, &scenario, played, tell).await,
        Err(error) => Err(error),
    };
    stage.strike().await?;
    outcome
}

/// What happened on the stage.
struct Played {
    cast: Cast,
    walked: Walked,
    fanout: Option<Fanout>,
}

async fn play(
    scenario: &Scenario,
    network: &Network,
    stage: &Stage,
    drill: bool,
    tell: Tell,
) -> Result<Played, DemoError> {
    let cast = stage.cast(network, tell).await?;
    let feeds = Feeds::open(&stage.dispatch_url, &cast.delegates).await?;
    tell.heading("The walk");
    let walked = walk::walk(scenario, &stage.intake_http, stage.triage.clone(), &cast, drill, &tell).await?;
    let fanout = if walked.release.released {
        tell.heading(&format!("Released as {}, short code {}", walked.release.reference, walked.release.short_code));
        let parties = (&stage.receivers, &feeds);
        let alert = &walked.release.alert_id;
        Some(fanout::follow(alert, stage.dispatch.clone(), &cast.coordinator, &stage.clock, parties, tell).await?)
    } else {
        show::refusals(&walked.release.refusals, tell);
        None
    };
    Ok(Played { cast, walked, fanout })
}

async fn conclude(
    arguments: &Demo,
    stage: &Stage,
    scenario: &Scenario,
    played: Played,
    tell: Tell,
) -> Result<(), DemoError> {
    let summary = summarise(&scenario.title, stage, &played.walked, played.fanout.as_ref());
    if let Some(fanout) = &played.fanout {
        show::coverage(&fanout.coverage, tell);
        show::samples(&stage.receivers, tell);
    }
    show::times(&summary, tell);
    if arguments.summary.is_some() {
        println!("{}", serde_json::to_string(&summary).map_err(DemoError::other)?);
    }
    if !arguments.exit {
        let reached = played.fanout.as_ref().and_then(|fanout| fanout.coverage.organisations.first());
        let recipient = reached.map(|organisation| organisation.organisation_id.as_str());
        stage.wait(&played.cast, &played.walked, recipient, tell).await?;
    }
    Ok(())
}

fn summarise(title: &str, stage: &Stage, walked: &Walked, fanout: Option<&Fanout>) -> Summary {
    let release = &walked.release;
    let deadline = from_timestamp(release.deadline.as_ref()).filter(|_| release.released);
    let span = stage.receivers.span().filter(|_| release.released);
    let since = |moment: std::time::Instant| moment.saturating_duration_since(walked.released_at).as_secs_f64();
    let mut summary = Summary {
        scenario: title.to_owned(),
        report_id: walked.report_id.clone(),
        reference: walked.reference.clone(),
        priority: walked.assessment.priority.clone(),
        score: walked.assessment.score,
        independent_sources: walked.independent_sources,
        release_by: walked.release_by.clone(),
        deadline: deadline.map(|moment| moment.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::AutoSi, false)),
        released: release.released,
        refusal: release.refusals.first().cloned(),
        refusals: release.refusals.clone(),
        sinks: stage.receivers.counts(),
        seconds: Seconds {
            submit_to_receipt: walked.submit_to_receipt.as_secs_f64(),
            release_to_first: span.map(|(first, _)| since(first)),
            release_to_last: span.map(|(_, last)| since(last)),
        },
        ..Summary::default()
    };
    if let Some(fanout) = fanout {
        let coverage = &fanout.coverage;
        summary.organisations = coverage.organisations.len();
        summary.contacts = coverage.contacts;
        summary.recipients = coverage.organisations.iter().map(|one| one.organisation_id.clone()).collect();
        summary.recipients.sort_unstable();
        summary.languages = coverage.languages.clone().into_iter().collect();
        summary.notices = Notices::of(&coverage.notices);
        summary.stream_received = fanout.stream_received;
    }
    summary
}
