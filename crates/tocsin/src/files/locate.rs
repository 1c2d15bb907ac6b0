//! Finds the line of a JSON path, for faults that show only after the whole file was read.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Line and column, counted from 1, of the end of the value at `path` (as `contacts[2].id`); `None` when the text
/// holds no such path.
pub(super) fn position(text: &str, path: &str) -> Option<(usize, usize)> {
    let steps = steps(path);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The walk always ends in an error: at the place itself (then it carries our word), or before it.
    let error = Walk { steps: &steps }.deserialize(&mut deserializer).err()?;
    error.to_string().contains(HERE).then(|| (error.line(), error.column()))
}

const HERE: &str = "a sign of where it stands";

/// Refuses every value, so that the parser's own error says where it stood.
struct Here;

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(HERE)
    }
}

enum Step {
    Key(String),
    Index(usize),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        if let Some(key) = pieces.next().filter(|key| !key.is_empty()) {
            steps.push(Step::Key(key.to_owned()));
        }
        steps.extend(pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok()).map(Step::Index));
    }
    steps
}

struct Walk<'a> {
    steps: &'a [Step],
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.steps.first() {
            None => deserializer.deserialize_any(Here),
            Some(Step::Key(_)) => deserializer.deserialize_map(self),
            Some(Step::Index(_)) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the path that was asked for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (Some(Step::Key(wanted)), Some(rest)) = (self.steps.first(), self.steps.get(1..)) else {
            return Err(A::Error::custom("no such path"));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *wanted {
                return map.next_value_seed(Walk { steps: rest });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("no such path"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let (Some(Step::Index(wanted)), Some(rest)) = (self.steps.first(), self.steps.get(1..)) else {
            return Err(A::Error::custom("no such path"));
        };
        for _ in 0..*wanted {
            if sequence.next_element::<IgnoredAny>()?.is_none() {
                return Err(A::Error::custom("no such path"));
            }
        }
        sequence.next_element_seed(Walk { steps: rest }).map(|_| ())
    }
}
