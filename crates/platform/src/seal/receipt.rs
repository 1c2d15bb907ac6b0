//! Receipts: eight words that a reporter can write down, say over the telephone, or remember.
//!
//! A receipt opens the answers to one report. We keep its hash and the public half of the key pair that follows from
//! it, so nobody but the reporter can read what was answered.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{SealError, SealingKeyPair, random};

/// Words in a receipt: 8 of 11 bits each, 88 bits.
pub const RECEIPT_WORDS: usize = 8;
/// Bits that one word carries.
const WORD_BITS: usize = 11;
/// Bytes of randomness in a receipt.
const RECEIPT_BYTES: usize = RECEIPT_WORDS * WORD_BITS / 8;
/// The longest text that is looked at; eight words of eight letters need 71 characters.
const TEXT_BYTES_MAX: usize = 512;

/// The list: 2,048 sorted words of 3 to 8 letters, distinct in their first four.
static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// Why a text is not a receipt. Shown only to the one who typed it; never log it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not eight words.
    #[error("a receipt has {RECEIPT_WORDS} words; this has {given}")]
    WordCount {
        /// Words given.
        given: usize,
    },
    /// A word that is not in the list.
    #[error("word {position}, `{given}`, is not a word of any receipt; did you mean `{nearest}`?")]
    UnknownWord {
        /// Which word, from 1.
        position: usize,
        /// What was given, at most 24 characters.
        given: String,
        /// The most similar word of the list.
        nearest: String,
    },
}

/// Eight words, kept as the bits they stand for. Wiped from memory when dropped and never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Receipt {
    bytes: [u8; RECEIPT_BYTES],
}

impl fmt::Debug for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Receipt([redacted])")
    }
}

impl Receipt {
    /// A fresh random receipt.
    pub fn generate() -> Result<Self, SealError> {
        Ok(Self { bytes: *random()? })
    }

    /// Reads eight words as people write them: any case, with spaces, hyphens, commas or line ends between, and each
    /// word whole or cut anywhere after its fourth letter.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let text = text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default();
        let given: Vec<&str> = text
            .split(|character: char| character.is_whitespace() || "-,.;_+".contains(character))
            .filter(|word| !word.is_empty())
            .collect();
        if given.len() != RECEIPT_WORDS {
            return Err(ReceiptError::WordCount { given: given.len() });
        }
        let mut bits: u128 = 0;
        for (position, word) in given.into_iter().enumerate() {
            let word = Zeroizing::new(word.to_lowercase());
            let index = find(&word).ok_or_else(|| ReceiptError::UnknownWord {
                position: position + 1,
                given: word.escape_debug().take(24).collect(),
                nearest: nearest(&word).to_owned(),
            })?;
            bits = (bits << WORD_BITS) | index as u128;
        }
        let mut receipt = Self { bytes: [0; RECEIPT_BYTES] };
        for byte in receipt.bytes.iter_mut().rev() {
            *byte = (bits & 0xff) as u8;
            bits >>= 8;
        }
        Ok(receipt)
    }

    /// The eight words with spaces between, to be shown once.
    pub fn phrase(&self) -> Zeroizing<String> {
        let bits = self.bytes.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let mut phrase = Zeroizing::new(String::with_capacity(RECEIPT_WORDS * 9));
        for position in (0..RECEIPT_WORDS).rev() {
            let index = (bits >> (position * WORD_BITS)) & ((1 << WORD_BITS) - 1);
            let word = usize::try_from(index).ok().and_then(|index| WORDS.get(index));
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word.copied().unwrap_or_default());
        }
        phrase
    }

    /// What is stored to recognise the receipt: SHA-256 under a domain of its own.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"tocsin receipt hash v1\0").chain_update(self.bytes).finalize().into()
    }

    /// The key pair to which answers are sealed; the same each time for the same receipt.
    pub fn key_pair(&self) -> Result<SealingKeyPair, SealError> {
        let mut secret = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(b"tocsin receipt v1"), &self.bytes)
            .expand(b"sealing key pair", secret.as_mut_slice())
            .map_err(|_| SealError::InvalidKey { kind: "receipt" })?;
        SealingKeyPair::from_secret_bytes(secret.as_slice())
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The place of a word in the list. Four letters are enough, because no two words share them.
fn find(word: &str) -> Option<usize> {
    match WORDS.binary_search(&word) {
        Ok(index) => Some(index),
        Err(index) if word.len() >= 4 => WORDS.get(index).filter(|known| known.starts_with(word)).map(|_| index),
        Err(_) => None,
    }
}

/// The most similar word; ties go to the first in the list.
fn nearest(word: &str) -> &'static str {
    let short: String = word.chars().take(24).collect();
    WORDS.iter().copied().min_by_key(|known| strsim::osa_distance(known, &short)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_what_receipts_need() {
        assert_eq!(WORDS.len(), 1 << WORD_BITS);
        assert!(WORDS.is_sorted_by(|left, right| left < right), "sorted and unique");
        let mut starts: Vec<&str> = WORDS.iter().map(|word| &word[..word.len().min(4)]).collect();
        starts.dedup();
        assert_eq!(starts.len(), WORDS.len(), "distinct in the first four letters");
        for word in WORDS.iter() {
            assert!((3..=8).contains(&word.len()), "{word} has 3 to 8 letters");
            assert!(word.bytes().all(|letter| letter.is_ascii_lowercase()), "{word} is lower-case ASCII");
        }
        let has = |word: &&str| WORDS.contains(word);
        // A frightened person reads these words: none may threaten or insult.
        let alarming = "kill dead death gun bomb blood rape hang rope jail knife axe prison police torture murder attack \
                        abuse corpse grave shoot victim slave weapon trap siren fire storm hunt exile escort wound";
        assert_eq!(alarming.split_whitespace().filter(has).collect::<Vec<_>>(), Vec::<&str>::new());
        // A receipt may be said over the telephone: of words that sound alike at most one is in the list.
        let alike = "flower flour, hare hair, pear pair, write right, peace piece, sea see, sun son, meat meet, \
                     night knight, whole hole, plane plain, two too, eight ate, our hour, role roll, tail tale, \
                     week weak, wait weight, here hear, sail sale, deer dear, rain reign, leaf lief, medal metal";
        for group in alike.split(',') {
            assert!(group.split_whitespace().filter(has).count() <= 1, "{group} sound alike");
        }
    }

    #[test]
    fn people_may_write_it_as_they_like() {
        let receipt = Receipt::generate().unwrap();
        let phrase = receipt.phrase();
        let cut: Vec<&str> = phrase.split(' ').map(|word| &word[..word.len().min(4)]).collect();
        for written in [
            phrase.to_string(),
            phrase.to_uppercase(),
            phrase.replace(' ', "-"),
            phrase.replace(' ', ",  "),
            format!("\n {} \n", phrase.replace(' ', "\n")),
            cut.join(" "),
        ] {
            assert_eq!(Receipt::parse(&written).as_ref(), Ok(&receipt), "{written}");
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_the_nearest() {
        let word = WORDS[1000];
        let wrong = format!("{}q", &word[..word.len() - 1]);
        let text = format!("{word} {word} {wrong} {word} {word} {word} {word} {word}");
        let Err(ReceiptError::UnknownWord { position, given, .. }) = Receipt::parse(&text) else {
            panic!("{wrong} must be refused")
        };
        assert_eq!((position, given), (3, wrong));
        assert_eq!(Receipt::parse("one two three"), Err(ReceiptError::WordCount { given: 3 }));
        assert_eq!(Receipt::parse(""), Err(ReceiptError::WordCount { given: 0 }));
        assert!(Receipt::parse(&"é".repeat(100_000)).is_err());
    }

    #[test]
    fn the_key_pair_and_the_hash_follow_from_the_words() {
        let receipt = Receipt::generate().unwrap();
        let again = Receipt::parse(&receipt.phrase()).unwrap();
        assert_eq!(receipt.hash(), again.hash());
        assert_eq!(receipt.key_pair().unwrap().public(), again.key_pair().unwrap().public());
        let other = Receipt::generate().unwrap();
        assert_ne!(receipt.hash(), other.hash());
        assert_eq!(format!("{receipt:?}"), "Receipt([redacted])");
    }

    proptest::proptest! {
        #[test]
        fn every_receipt_reads_back(bytes: [u8; RECEIPT_BYTES]) {
            let receipt = Receipt { bytes };
            proptest::prop_assert_eq!(Receipt::parse(&receipt.phrase()), Ok(receipt));
        }
    }
}
