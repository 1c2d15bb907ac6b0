//! `tocsin doctor`: tries everything that Tocsin stands on, says what it found and what to do. It changes nothing.

mod auditor;
mod bus;
mod clocks;
mod deliveries;
mod dns;
mod gateways;
mod mail_records;
mod services;
mod storage;
#[cfg(test)]
mod tests;
mod tls;

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tocsin_platform::config::{ConfigError, Settings};

use crate::arguments::Common;
use crate::client::Client;
use crate::exit::{Exit, Failed, with_causes};
use crate::output::{self, Form, clean};

/// How long one try at something on the network may take.
const TRY_TIME: Duration = Duration::from_secs(3);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and something should be looked at.
    Warn,
    /// It cannot work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    verdict: Verdict,
    area: &'static str,
    found: String,
    /// What to do; empty when nothing is to be done.
    advice: String,
}

impl Finding {
    fn ok(area: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, area, found: found.into(), advice: String::new() }
    }

    fn warn(area: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, area, found: found.into(), advice: advice.into() }
    }

    fn fail(area: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, area, found: found.into(), advice: advice.into() }
    }
}

/// Looks at everything and prints what was found; fails if anything cannot work.
pub(crate) async fn run(common: Common, loaded: Result<Settings, ConfigError>) -> Result<(), Failed> {
    let form = if common.json { Form::Json } else { Form::Text };
    let mut findings = Vec::new();
    match loaded {
        Ok(settings) => {
            findings.extend(configuration(&settings, &common));
            findings.extend(storage::check(&settings).await);
            findings.push(bus::check(&settings).await);
            findings.extend(services::check(&settings, &Client::new(common)).await);
            findings.extend(tls::check(&settings));
            findings.extend(gateways::check(&settings).await);
            findings.extend(auditor::check(&settings));
            if let Ok(config) = tocsin_notification::NotificationConfig::read(&settings) {
                findings.extend(mail_records::check(&config.email).await);
            }
            findings.extend(deliveries::addresses(&settings).await);
        }
        Err(error) => {
            let advice = "correct it; `tocsin config default` prints every setting with its meaning";
            findings.push(Finding::fail("configuration", with_causes(&error), advice));
        }
    }
    findings.extend(deliveries::templates());
    findings.extend(clocks::check().await);
    tell(form, &findings);
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count() {
        0 => Ok(()),
        failed => Err(Failed::new(Exit::Other, format!("{failed} of {} checks failed", findings.len()))),
    }
}

/// The settings of the platform were read; the sections of the services are read here, by their own forms.
fn configuration(settings: &Settings, common: &Common) -> Vec<Finding> {
    let source = match &common.config {
        Some(path) => format!("{} over the defaults", path.display()),
        None => "the defaults".to_owned(),
    };
    let advice = "correct the key; `tocsin config default` explains each";
    let wrong: Vec<_> =
        sections(settings).into_iter().map(|problem| Finding::fail("configuration", problem, advice)).collect();
    if wrong.is_empty() {
        return vec![Finding::ok("configuration", format!("{source}, no unknown keys"))];
    }
    wrong
}

/// What the services themselves would refuse at their start.
fn sections(settings: &Settings) -> Vec<String> {
    let dispatch = match settings.section::<tocsin_dispatch::DispatchConfig>("dispatch") {
        Ok(config) => config.check().err().map(|error| error.to_string()),
        Err(error) => Some(with_causes(&error)),
    };
    let words = |error: ConfigError| with_causes(&error);
    [
        tocsin_intake::IntakeConfig::load(settings).err().map(words),
        tocsin_triage::TriageConfig::read(settings).err().map(words),
        dispatch,
        tocsin_notification::NotificationConfig::read(settings).err().map(words),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn tell(form: Form, findings: &[Finding]) {
    match form {
        Form::Json => {
            let ok = findings.iter().all(|finding| finding.verdict != Verdict::Fail);
            output::print(&format!("{:#}", json!({"ok": ok, "checks": findings})));
        }
        Form::Text => output::print(&text(findings)),
    }
}

fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.area.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        lines.push(format!("{word}  {:<width$}  {}", finding.area, clean(&finding.found)));
        if !finding.advice.is_empty() {
            lines.push(format!("      {:<width$}  -> {}", "", clean(&finding.advice)));
        }
    }
    lines.join("\n")
}
