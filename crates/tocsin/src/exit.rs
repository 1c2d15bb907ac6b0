//! How a command ends: the exit codes, and the one form in which a failure is told.

use std::error::Error;
use std::process::ExitCode;

use serde_json::json;
use tocsin_platform::config::ConfigError;
use tocsin_platform::failure::received;
use tonic::{Code, Status};

use crate::files::FileError;
use crate::output::{Form, JsonError, clean};

/// The codes, as `--help` explains them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for another reason
  2  wrong usage, or input that a service finds invalid
  3  refused in the present state, for instance by the release gate
  4  not allowed, or no valid key
  5  not found
  6  a service is away or overloaded: try again";

/// Why a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything else.
    Other = 1,
    /// Wrong usage or invalid input.
    Usage = 2,
    /// A rule of the domain refused it.
    Refused = 3,
    /// Not allowed, or not signed in.
    NotAllowed = 4,
    /// It does not exist.
    NotFound = 5,
    /// Something is away: trying again may help.
    Unavailable = 6,
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What is wrong, in a sentence.
    pub(crate) message: String,
    /// What more is known.
    pub(crate) details: Box<Details>,
}

/// What is known of a failure beyond its sentence.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// The fields at fault and what is wrong with each.
    pub(crate) fields: Vec<(String, String)>,
    /// The service's word for programs; empty when no service said one.
    pub(crate) reason: String,
    /// What to do.
    pub(crate) advice: Option<String>,
    /// Under which the service logged the request.
    pub(crate) request_id: Option<String>,
}

impl Failed {
    /// A failure with nothing but its sentence.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), details: Box::default() }
    }

    /// Wrong usage or wrong input.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Any other failure, with what caused it.
    pub(crate) fn other(message: &str, cause: &dyn Error) -> Self {
        Self::new(Exit::Other, format!("{message}: {}", with_causes(cause)))
    }

    /// Says what to do.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.details.advice = Some(advice.into());
        self
    }

    /// A service's refusal, and what can be done about it.
    pub(crate) fn from_status(service: &str, status: &Status) -> Self {
        let read = received(status);
        let exit = exit_of(read.code);
        // A service that cannot be reached has no words of its own; what the transport says is for engineers.
        let message = match (exit, read.reason.is_empty()) {
            (Exit::Unavailable, true) => format!("{service} did not answer: {}", transport_words(status)),
            _ => read.message,
        };
        let details = Details {
            fields: read.fields.into_iter().map(|field| (field.field, field.description)).collect(),
            advice: Some(advice(exit, &read.reason, service)),
            reason: read.reason,
            request_id: read.request_id,
        };
        Self { exit, message, details: Box::new(details) }
    }

    /// Tells it on standard error; for programs as one JSON object.
    pub(crate) fn tell(&self, form: Form) {
        eprint!("{}", self.text(form));
    }

    fn text(&self, form: Form) -> String {
        let details = &self.details;
        if form == Form::Json {
            let fields: Vec<_> =
                details.fields.iter().map(|(field, what)| json!({"field": field, "detail": what})).collect();
            let error = json!({
                "exit_code": self.exit as u8, "message": self.message, "reason": details.reason, "fields": fields,
                "advice": details.advice, "request_id": details.request_id,
            });
            return format!("{}\n", json!({"error": error}));
        }
        let mut lines = vec![format!("error: {}", clean(&self.message))];
        lines.extend(details.fields.iter().map(|(field, what)| format!("  {}: {}", clean(field), clean(what))));
        if !details.reason.is_empty() {
            lines.push(format!("  reason: {}", clean(&details.reason)));
        }
        if let Some(advice) = &details.advice {
            lines.push(format!("  what to do: {}", clean(advice)));
        }
        if let Some(id) = details.request_id.as_ref().filter(|_| self.exit == Exit::Other) {
            lines.push(format!("  request id: {}", clean(id)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<FileError> for Failed {
    fn from(error: FileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        Self::usage(format!("the configuration cannot be used: {}", with_causes(&error)))
            .advise("correct it; `tocsin config default` prints every setting with its meaning")
    }
}

impl From<JsonError> for Failed {
    fn from(error: JsonError) -> Self {
        Self::new(Exit::Other, error.to_string())
    }
}

/// The table from a service's code to ours.
fn exit_of(code: Code) -> Exit {
    match code {
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::FailedPrecondition | Code::AlreadyExists => Exit::Refused,
        Code::PermissionDenied | Code::Unauthenticated => Exit::NotAllowed,
        Code::NotFound => Exit::NotFound,
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => Exit::Unavailable,
        _ => Exit::Other,
    }
}

fn advice(exit: Exit, reason: &str, service: &str) -> String {
    let words = match (exit, reason) {
        (Exit::Usage, "CURSOR_EXPIRED") => "watch again without --cursor, and read what was missed with `alert list`",
        (Exit::Usage, _) => "correct what is named and send it again",
        (
            Exit::Refused,
            "CONTACT_EXISTS" | "CODE_WRONG" | "CODE_NOT_AWAITED" | "ADDRESS_CHANGED" | "NO_ADDRESS" | "NO_WEBHOOK",
        ) => "do what the message says; `tocsin contact show CONTACT` shows the contact",
        (Exit::Refused, _) => "do first what is missing; `tocsin case show CASE` shows where the case stands",
        (Exit::NotAllowed, _) => "use a key whose role may do this: --key-file FILE, or the variable TOCSIN_KEY",
        (Exit::NotFound, _) => "check the id, and that the key you use may see it",
        (Exit::Unavailable, "") => {
            return format!("check that {service} runs and where (`tocsin doctor`), then try again");
        }
        (Exit::Unavailable, _) => "try again shortly",
        (Exit::Other, _) => "look up the request id in the service's log",
    };
    words.to_owned()
}

/// The end of the transport's chain of causes, which says the most: `Connection refused`.
fn transport_words(status: &Status) -> String {
    let mut words = status.message().to_owned();
    let mut cause = Error::source(status);
    while let Some(next) = cause {
        words = next.to_string();
        cause = next.source();
    }
    words
}

/// An error with everything that caused it, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use tocsin_platform::failure::{Failure, FailureCode};

    use super::*;

    #[test]
    fn every_class_of_failure_has_its_exit_code() {
        let expected = |code: FailureCode| match code {
            FailureCode::Invalid
            | FailureCode::Mismatch
            | FailureCode::TooLarge
            | FailureCode::OutOfRange
            | FailureCode::UnsupportedMedia => 2,
            FailureCode::Refused | FailureCode::Conflict => 3,
            FailureCode::Forbidden | FailureCode::Unauthenticated => 4,
            FailureCode::NotFound => 5,
            FailureCode::Unavailable | FailureCode::Exhausted | FailureCode::Aborted | FailureCode::TimedOut => 6,
            FailureCode::Internal => 1,
        };
        for code in FailureCode::ALL {
            let status = Status::from(Failure::new(code, "WORD", "a sentence"));
            assert_eq!(Failed::from_status("triage", &status).exit as u8, expected(code), "{code:?}");
        }
    }

    #[test]
    fn a_failure_names_fields_reason_and_what_to_do() {
        let failure = Failure::invalid("REPORT_INVALID", "one field is wrong")
            .field("kinds[0]", "`killling` is not known; did you mean `killing`?\u{1b}[2J");
        let failed = Failed::from_status("intake", &Status::from(failure));
        insta::assert_snapshot!(failed.text(Form::Text), @r"
        error: one field is wrong
          kinds[0]: `killling` is not known; did you mean `killing`?\u{1b}[2J
          reason: REPORT_INVALID
          what to do: correct what is named and send it again
        ");
        let json: serde_json::Value = serde_json::from_str(&failed.text(Form::Json)).unwrap();
        assert_eq!((&json["error"]["exit_code"], &json["error"]["reason"]), (&2.into(), &"REPORT_INVALID".into()));
    }

    #[test]
    fn a_service_that_is_away_is_named() {
        let failed = Failed::from_status("triage", &Status::unavailable("tcp connect error"));
        insta::assert_snapshot!(failed.text(Form::Text), @r"
        error: triage did not answer: tcp connect error
          what to do: check that triage runs and where (`tocsin doctor`), then try again
        ");
    }
}
