//! The one error of journeys: a sentence that says what was not as it should be.

use std::fmt;

/// What went wrong, with its causes.
pub struct Trouble(String);

/// A result of a journey's step.
pub type Outcome<T> = Result<T, Trouble>;

impl Trouble {
    /// Something that is not as it should be.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The same with what was being done.
    #[must_use]
    pub fn during(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }

    /// The sentence.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        Self(text)
    }
}

/// Fails with the sentence unless `fine`.
pub fn ensure(fine: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    if fine { Ok(()) } else { Err(Trouble(otherwise())) }
}

/// Fails unless both are equal, showing both.
#[expect(clippy::needless_pass_by_value, reason = "calls read best with plain values")]
pub fn ensure_equal<T: PartialEq + fmt::Debug>(found: T, expected: T, what: &str) -> Outcome<()> {
    ensure(found == expected, || format!("{what}: found {found:?}, expected {expected:?}"))
}
