//! A search for texts that must not be anywhere: raw, in hexadecimal, and in base64 at each of its three alignments.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::Outcome;

/// A text to look for, with a name that says where it was planted.
#[derive(Debug, Clone)]
pub struct Canary {
    /// Where it was planted.
    pub planted: String,
    patterns: Vec<(&'static str, Vec<u8>)>,
}

impl Canary {
    /// Makes the forms of a text.
    pub fn new(planted: &str, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut patterns = vec![
            ("raw", bytes.to_vec()),
            ("hexadecimal", hex::encode(bytes).into_bytes()),
            ("hexadecimal", hex::encode_upper(bytes).into_bytes()),
            ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ];
        for alignment in 0..3 {
            for encoded in
                [STANDARD_NO_PAD.encode(shifted(bytes, alignment)), URL_SAFE_NO_PAD.encode(shifted(bytes, alignment))]
            {
                patterns.push(("base64", inner(&encoded, alignment, bytes.len())));
            }
        }
        patterns.sort();
        patterns.dedup();
        Self { planted: planted.to_owned(), patterns }
    }

    /// In which form it stands in these bytes, if it does.
    pub fn form_in(&self, haystack: &[u8]) -> Option<&'static str> {
        self.patterns.iter().find(|(_, pattern)| contains(haystack, pattern)).map(|(form, _)| *form)
    }
}

/// The bytes after `alignment` bytes of something else.
fn shifted(bytes: &[u8], alignment: usize) -> Vec<u8> {
    [&vec![0; alignment], bytes].concat()
}

/// The characters of a base64 text that depend on nothing but the planted bytes.
fn inner(encoded: &str, alignment: usize, length: usize) -> Vec<u8> {
    let first = (alignment * 8).div_ceil(6);
    let last = (alignment + length) * 8 / 6;
    encoded.as_bytes().get(first..last).unwrap_or_default().to_vec()
}

/// Whether a pattern stands somewhere in the bytes.
pub fn contains(haystack: &[u8], pattern: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return false };
    let mut from = 0;
    while let Some(found) = haystack.get(from..).and_then(|tail| tail.iter().position(|byte| *byte == first)) {
        let after = from + found + 1;
        if haystack.get(after..).is_some_and(|tail| tail.starts_with(rest)) {
            return true;
        }
        from = after;
    }
    false
}

/// By how many of its first bytes a form is looked up; every form is longer.
const BEGINNING: usize = 4;

/// A canary, the name of one of its forms, and that form.
type Form<'a> = (&'a Canary, &'a str, &'a [u8]);

/// The first two bytes as a number.
fn pair(bytes: &[u8]) -> usize {
    bytes.iter().take(2).fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Everything that a run left behind, each part with a name.
#[derive(Debug, Default)]
pub struct Remains(Vec<(String, Vec<u8>)>);

impl Remains {
    /// Adds bytes.
    pub fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// Adds every file below a folder, and the files' names themselves.
    pub fn add_folder(&mut self, folder: &Path) -> Outcome<()> {
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in std::fs::read_dir(&next)? {
                let path = entry?.path();
                self.add("the name of a file", path.to_string_lossy().as_bytes());
                if path.is_dir() {
                    waiting.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    self.add(path.display().to_string(), bytes);
                }
            }
        }
        Ok(())
    }

    /// How many bytes there are to search.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    /// Every canary that stands somewhere, as a sentence. All are looked for in one pass, by how their forms begin.
    pub fn search(&self, canaries: &[Canary]) -> Vec<String> {
        let mut beginnings: HashMap<[u8; BEGINNING], Vec<Form<'_>>> = HashMap::new();
        let mut possible = vec![false; 1 << 16];
        for canary in canaries {
            for (form, pattern) in &canary.patterns {
                if let Some(beginning) = pattern.first_chunk::<BEGINNING>() {
                    beginnings.entry(*beginning).or_default().push((canary, form, pattern));
                    possible[pair(beginning)] = true;
                }
            }
        }
        let mut found = BTreeSet::new();
        for (name, bytes) in &self.0 {
            for (position, window) in bytes.windows(BEGINNING).enumerate() {
                if !possible[pair(window)] {
                    continue;
                }
                for (canary, form, pattern) in beginnings.get(window).into_iter().flatten() {
                    if bytes.get(position..).is_some_and(|tail| tail.starts_with(pattern)) {
                        found.insert(format!("{} stands in {name} ({form})", canary.planted));
                    }
                }
            }
        }
        found.into_iter().collect()
    }
}
