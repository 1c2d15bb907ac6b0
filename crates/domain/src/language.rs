//! Languages: the four that Tocsin itself speaks, and the tags of all others that a text or a person may have.

use std::fmt;
use std::str::FromStr;

use crate::codes::code_list;
use crate::id::serde_as_text;

code_list! {
    /// A language that Tocsin itself speaks: labels, notices and pages exist in each of the four.
    Language in "languages" { En = "en", Es = "es", Fr = "fr", Ar = "ar" }
}

impl Language {
    /// The language's name in itself.
    pub const fn native_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Es => "español",
            Self::Fr => "français",
            Self::Ar => "العربية",
        }
    }
}

/// Why a text is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is two or three lower-case letters (ISO 639), such as en or quc")]
pub struct LanguageTagError;

/// Any language by its ISO 639 code: two or three lower-case letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageTag(String);

impl LanguageTag {
    /// The ISO 639 code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language of Tocsin itself that this is, if it is one of the four.
    pub fn spoken(&self) -> Option<Language> {
        Language::ALL.iter().copied().find(|language| language.as_str() == self.0)
    }
}

impl From<Language> for LanguageTag {
    fn from(language: Language) -> Self {
        Self(language.as_str().to_owned())
    }
}

impl FromStr for LanguageTag {
    type Err = LanguageTagError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let fits = matches!(given.len(), 2 | 3) && given.bytes().all(|byte| byte.is_ascii_lowercase());
        if fits { Ok(Self(given.to_owned())) } else { Err(LanguageTagError) }
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

serde_as_text!(LanguageTag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_two_or_three_letters() {
        assert_eq!("ar".parse::<LanguageTag>().unwrap().spoken(), Some(Language::Ar));
        assert_eq!("quc".parse::<LanguageTag>().unwrap().spoken(), None);
        for given in ["", "e", "EN", "en-GB", "e1", "engl", "é"] {
            assert_eq!(given.parse::<LanguageTag>(), Err(LanguageTagError), "{given}");
        }
    }
}
