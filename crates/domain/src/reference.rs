//! The two names of an alert: its reference, which names the country, and its short code, which says nothing.

use std::fmt;
use std::str::FromStr;

use crate::country::CountryCode;
use crate::id::serde_as_text;

/// Why a text is not a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference is country, year and number, such as XA-2026-0114, and .1 for an update")]
pub struct ReferenceError;

/// A reference such as `XA-2026-0114`, an update of it `XA-2026-0114.1`. It names the country, so it never leaves the
/// system above TLP:GREEN, nor in any SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The alert's country.
    pub country: CountryCode,
    /// The year of its case, four digits.
    pub year: u16,
    /// Its number in the country and year, from 1.
    pub number: u32,
    /// 0 for the first release, then 1, 2 for its updates.
    pub revision: u32,
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:04}-{:04}", self.country, self.year, self.number)?;
        if self.revision > 0 {
            write!(formatter, ".{}", self.revision)?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let parsed = parse(given).ok_or(ReferenceError)?;
        // One reference has one spelling: `XA-2026-00114` and `XA-2026-0114.0` are refused.
        if parsed.to_string() == given { Ok(parsed) } else { Err(ReferenceError) }
    }
}

fn parse(given: &str) -> Option<Reference> {
    let (base, revision) = given.split_once('.').map_or((given, None), |(base, revision)| (base, Some(revision)));
    let mut parts = base.split('-');
    let country = parts.next()?.parse().ok()?;
    let year: u16 = parts.next()?.parse().ok()?;
    let number: u32 = parts.next()?.parse().ok()?;
    let revision = revision.map_or(Some(0), |revision| revision.parse().ok())?;
    let whole = parts.next().is_none() && year <= 9_999 && number > 0;
    whole.then_some(Reference { country, year, number, revision })
}

serde_as_text!(Reference);

/// Why a text is not a short code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShortCodeError {
    /// It has another length or a character outside the alphabet.
    #[error("a short code is 7 letters and digits, written as XXXX-XXX")]
    Form,
    /// Its last character does not fit the others, so one was mistyped.
    #[error("this short code has a typing error; compare it with the message")]
    Check,
}

/// Crockford's base32: no I, L, O or U, which are mistaken for others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The characters before the check character.
const PAYLOAD: usize = 6;

/// An alert's short code: six random characters of Crockford's base32 and a Luhn mod 32 check character. It is opaque,
/// so it may stand in an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortCode([u8; 7]);

impl ShortCode {
    /// Makes a code of six random bytes, of each of which five bits are used.
    pub fn generate(random: [u8; PAYLOAD]) -> Self {
        let payload = random.map(|byte| byte & 31);
        let mut values = [0; PAYLOAD + 1];
        let all = payload.into_iter().chain([check_value(payload)]);
        values.iter_mut().zip(all).for_each(|(place, value)| *place = value);
        Self(values)
    }
}

/// Luhn modulo 32: from the right, every second value counts twice, its two base-32 digits added up. It finds every
/// single wrong character and nearly every swap of two neighbours.
fn check_value(payload: [u8; PAYLOAD]) -> u8 {
    let sum = payload.iter().rev().enumerate().fold(0_u8, |sum, (position, value)| {
        let counted = if position % 2 == 0 { value * 2 } else { *value };
        (sum + counted / 32 + counted % 32) % 32
    });
    (32 - sum) % 32
}

impl fmt::Display for ShortCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, value) in self.0.iter().enumerate() {
            if position == 4 {
                formatter.write_str("-")?;
            }
            let letter = ALPHABET.get(usize::from(*value)).copied().unwrap_or(b'0');
            write!(formatter, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl FromStr for ShortCode {
    type Err = ShortCodeError;

    /// Takes any case, with or without hyphens and blanks, O for 0, and I or L for 1.
    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let values = given
            .bytes()
            .filter(|byte| !matches!(byte, b'-' | b' '))
            .take(PAYLOAD + 2)
            .map(value_of)
            .collect::<Option<Vec<u8>>>()
            .ok_or(ShortCodeError::Form)?;
        let values: [u8; PAYLOAD + 1] = values.try_into().map_err(|_| ShortCodeError::Form)?;
        let payload: [u8; PAYLOAD] = *values.first_chunk().ok_or(ShortCodeError::Form)?;
        if Self::generate(payload).0 == values { Ok(Self(values)) } else { Err(ShortCodeError::Check) }
    }
}

fn value_of(byte: u8) -> Option<u8> {
    let letter = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    ALPHABET.iter().zip(0..).find(|(known, _)| **known == letter).map(|(_, value)| value)
}

serde_as_text!(ShortCode);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_have_one_spelling() {
        for given in ["XA-2026-0114", "XA-2026-0114.1", "XE-2026-12345.12"] {
            assert_eq!(given.parse::<Reference>().unwrap().to_string(), given);
        }
        for given in [
            "",
            "XA-2026",
            "XA-2026-114",
            "XA-2026-0114.0",
            "XA-2026-0114.01",
            "XA-2026-00114",
            "xa-2026-0114",
            "XA-2026-0000",
            "XA-2026-0114-1",
            "XA-2026-+114",
            "XA-2026-0114.1.2",
            "XA-2026-0114.",
            "XA-26-0114",
        ] {
            assert_eq!(given.parse::<Reference>(), Err(ReferenceError), "{given}");
        }
    }

    #[test]
    fn the_check_character_is_luhn_modulo_32() {
        assert_eq!(ShortCode::generate([0; 6]).to_string(), "0000-000");
        // From the right: 1 twice is 2, so the check value is 30, which is Y.
        assert_eq!(ShortCode::generate([0, 0, 0, 0, 0, 1]).to_string(), "0000-01Y");
        // 31 twice is 62, in base 32 the digits 1 and 30, so 31, and the check value is 1.
        assert_eq!(ShortCode::generate([0, 0, 0, 0, 0, 255]).to_string(), "0000-0Z1");
        assert_eq!(ShortCode::generate([0, 0, 0, 0, 1, 0]).to_string(), "0000-10Z");
    }

    #[test]
    fn people_write_codes_in_many_ways() {
        let code = ShortCode::generate([0, 0, 0, 0, 0, 1]);
        for given in ["0000-01Y", "000001y", "OOOO-OIY", "ooooOly", " 0000 01Y"] {
            assert_eq!(given.parse(), Ok(code), "{given}");
        }
        for given in ["", "0000-01", "0000-01YY", "0000-01U", "0000-01é"] {
            assert_eq!(given.parse::<ShortCode>(), Err(ShortCodeError::Form), "{given}");
        }
        assert_eq!("0000-01Z".parse::<ShortCode>(), Err(ShortCodeError::Check));
    }

    proptest! {
        #[test]
        fn codes_survive_text_and_one_wrong_character_is_found(
            random: [u8; 6], position in 0_usize..7, other in 0_usize..32,
        ) {
            let code = ShortCode::generate(random);
            prop_assert_eq!(code.to_string().parse::<ShortCode>(), Ok(code));
            let mut letters: Vec<u8> = code.to_string().bytes().filter(|byte| *byte != b'-').collect();
            if letters[position] != ALPHABET[other] {
                letters[position] = ALPHABET[other];
                let wrong = String::from_utf8(letters).unwrap();
                prop_assert_eq!(wrong.parse::<ShortCode>(), Err(ShortCodeError::Check));
            }
        }

        #[test]
        fn no_text_makes_a_parser_panic(given in ".{0,40}") {
            let _ = given.parse::<ShortCode>();
            let _ = given.parse::<Reference>();
        }
    }
}
