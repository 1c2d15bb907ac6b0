//! Countries by their two-letter code, and the region of the network that each belongs to.

use std::fmt;
use std::str::FromStr;

use crate::codes::code_list;
use crate::id::serde_as_text;

code_list! {
    /// A region of the network.
    Region in "regions" {
        Africa = "africa", Americas = "americas", Asia = "asia", Europe = "europe", Mena = "mena",
    }
}

/// Why a text is not a country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two upper-case letters, such as XA")]
pub struct CountryCodeError;

/// A country: two upper-case letters (ISO 3166-1; XA to XZ are invented ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The two letters.
    pub fn as_str(&self) -> &str {
        // The two bytes are ASCII letters, as `from_str` checked, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for CountryCode {
    type Err = CountryCodeError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        match given.as_bytes() {
            &[first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => Ok(Self([first, second])),
            _ => Err(CountryCodeError),
        }
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

serde_as_text!(CountryCode);

/// The region of a country, known for the invented countries only: by second letter africa A to F, americas G to L,
/// asia M to R, europe S to V, mena W to Z.
pub fn region_of(country: CountryCode) -> Option<Region> {
    let CountryCode([b'X', letter]) = country else { return None };
    Some(match letter {
        b'A'..=b'F' => Region::Africa,
        b'G'..=b'L' => Region::Americas,
        b'M'..=b'R' => Region::Asia,
        b'S'..=b'V' => Region::Europe,
        _ => Region::Mena,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invented_country_has_its_region() {
        let regions: Vec<_> = ('A'..='Z').map(|letter| region(&format!("X{letter}")).unwrap().as_str()).collect();
        let expected = [("africa", 6), ("americas", 6), ("asia", 6), ("europe", 4), ("mena", 4)];
        let expected: Vec<_> = expected.iter().flat_map(|(name, times)| vec![*name; *times]).collect();
        assert_eq!(regions, expected);
        assert_eq!(region("AX"), None);
    }

    #[test]
    fn a_country_is_two_capitals() {
        for given in ["", "X", "xa", "XAA", "X1", "É"] {
            assert_eq!(given.parse::<CountryCode>(), Err(CountryCodeError), "{given}");
        }
    }

    fn region(country: &str) -> Option<Region> {
        region_of(country.parse().unwrap())
    }
}
