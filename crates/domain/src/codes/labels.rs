//! The labels of codes in the four languages, from resource files with one `list.code = label` on each line.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Actor, Degree};
use crate::language::Language;

const EN: &str = include_str!("../../labels/en.txt");
const ES: &str = include_str!("../../labels/es.txt");
const FR: &str = include_str!("../../labels/fr.txt");
const AR: &str = include_str!("../../labels/ar.txt");

type Labels = HashMap<&'static str, &'static str>;

/// What a person reads in place of a code: the label of `list.code`, such as `kinds.killing`.
///
/// A code without a label reads as itself; the tests see to it that no code of the labelled lists is without one.
pub fn label<'a>(language: Language, list: &str, code: &'a str) -> &'a str {
    labels(language).get(format!("{list}.{code}").as_str()).copied().unwrap_or(code)
}

/// How a generated text names an actor: the label with the degree, which always says "alleged".
pub fn alleged(language: Language, actor: Actor, degree: Degree) -> String {
    let who = label(language, Actor::LIST, actor.as_str());
    format!("{who} ({})", label(language, Degree::LIST, degree.as_str()))
}

fn labels(language: Language) -> &'static Labels {
    static OF_EN: OnceLock<Labels> = OnceLock::new();
    static OF_ES: OnceLock<Labels> = OnceLock::new();
    static OF_FR: OnceLock<Labels> = OnceLock::new();
    static OF_AR: OnceLock<Labels> = OnceLock::new();
    let parsed = match language {
        Language::En => &OF_EN,
        Language::Es => &OF_ES,
        Language::Fr => &OF_FR,
        Language::Ar => &OF_AR,
    };
    parsed.get_or_init(|| entries(language).collect())
}

fn entries(language: Language) -> impl Iterator<Item = (&'static str, &'static str)> {
    let text = match language {
        Language::En => EN,
        Language::Es => ES,
        Language::Fr => FR,
        Language::Ar => AR,
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, label)| (key.trim(), label.trim()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::codes::{Actor, Ask, DefenderGroup, Degree, Demand, Kind, Outcome, Phase, SubjectUnit, Support};
    use crate::priority::Priority;

    fn labelled_keys() -> Vec<String> {
        fn keys<T: std::fmt::Display>(list: &str, codes: &[T]) -> Vec<String> {
            codes.iter().map(|code| format!("{list}.{code}")).collect()
        }
        [
            keys(Kind::LIST, Kind::ALL),
            keys(Actor::LIST, Actor::ALL),
            keys(Degree::LIST, Degree::ALL),
            keys(DefenderGroup::LIST, DefenderGroup::ALL),
            keys(SubjectUnit::LIST, SubjectUnit::ALL),
            keys(Support::LIST, Support::ALL),
            keys(Demand::LIST, Demand::ALL),
            keys(Phase::LIST, Phase::ALL),
            keys(Outcome::LIST, Outcome::ALL),
            keys(Ask::LIST, Ask::ALL),
            keys(Priority::LIST, Priority::ALL),
        ]
        .concat()
    }

    #[test]
    fn every_file_holds_the_keys_of_the_table_in_its_order() {
        for language in Language::ALL {
            let keys: Vec<_> = entries(*language).map(|(key, _)| key.to_owned()).collect();
            assert_eq!(keys, labelled_keys(), "{language}");
        }
    }

    #[test]
    fn no_label_stands_for_two_codes_of_a_list() {
        for language in Language::ALL {
            let mut seen = BTreeMap::new();
            for (key, label) in entries(*language) {
                assert!(!label.is_empty(), "{language} {key}");
                let list = key.split('.').next();
                let before = seen.insert((list, label.to_lowercase()), key);
                assert_eq!(before, None, "{language} {key} {label}");
            }
        }
    }

    #[test]
    fn every_line_is_an_entry_or_a_comment() {
        for (language, text) in [(Language::En, EN), (Language::Es, ES), (Language::Fr, FR), (Language::Ar, AR)] {
            let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            assert_eq!(lines, entries(language).count(), "{language}");
        }
    }

    #[test]
    fn a_degree_is_always_alleged() {
        for (language, word) in
            [(Language::En, "alleged"), (Language::Es, "presunt"), (Language::Fr, "présumé"), (Language::Ar, "يُزعم")]
        {
            for degree in Degree::ALL {
                let label = label(language, Degree::LIST, degree.as_str());
                assert!(label.contains(word), "{language} {label}");
            }
        }
    }

    #[test]
    fn a_label_is_written_in_the_script_of_its_language() {
        let latin: BTreeSet<_> = entries(Language::Ar)
            .filter(|(_, label)| !label.chars().any(|character| ('\u{600}'..='\u{6ff}').contains(&character)))
            .collect();
        assert!(latin.is_empty(), "{latin:?}");
        assert_eq!(label(Language::Es, "kinds", "eviction"), "Desalojo");
        assert_eq!(label(Language::En, "kinds", "nothing"), "nothing");
        assert_eq!(alleged(Language::En, Actor::Police, Degree::Ordered), "Police (alleged to have ordered it)");
    }
}
