//! How many segments of an SMS a text takes (3GPP TS 23.038 and 23.040): 160 septets in one, 153 in each of several; or,
//! with a character that GSM-7 does not have, 70 and 67 units of UCS-2.

/// The basic set of GSM-7.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ\
                     ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension table: each character costs two septets.
const EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// How a text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segments {
    /// Whether it is GSM-7; else UCS-2.
    pub(crate) gsm7: bool,
    /// Septets or units in all.
    pub(crate) units: usize,
    /// Messages that are paid.
    pub(crate) count: u32,
}

/// Counts. A character that costs two never stands half in one segment and half in the next.
pub(crate) fn segments(text: &str) -> Segments {
    let septets: Option<Vec<usize>> = text.chars().map(septets_of).collect();
    let gsm7 = septets.is_some();
    let (costs, single, several) = match septets {
        Some(septets) => (septets, 160, 153),
        None => (text.chars().map(char::len_utf16).collect(), 70, 67),
    };
    let units: usize = costs.iter().sum();
    if units <= single {
        return Segments { gsm7, units, count: 1 };
    }
    let (mut count, mut filled) = (1, 0);
    for cost in costs {
        if filled + cost > several {
            count += 1;
            filled = 0;
        }
        filled += cost;
    }
    Segments { gsm7, units, count }
}

fn septets_of(character: char) -> Option<usize> {
    if BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_of_a_segment() {
        check(&"a".repeat(160), true, 160, 1);
        check(&"a".repeat(161), true, 161, 2);
        check(&"a".repeat(306), true, 306, 2);
        check(&"a".repeat(307), true, 307, 3);
        check(&"م".repeat(70), false, 70, 1);
        check(&"م".repeat(71), false, 71, 2);
        check(&"م".repeat(135), false, 135, 3);
        check("", true, 0, 1);
    }

    #[test]
    fn what_costs_two_and_what_turns_a_message_to_ucs2() {
        for character in ['{', '}', '[', ']', '\\', '^', '~', '|', '€'] {
            check(&character.to_string(), true, 2, 1);
        }
        for character in "áíóúêçÁÍÓÚû`’“…".chars() {
            check(&character.to_string(), false, 1, 1);
        }
        for character in "éàèùìòñÑüöäß¿¡Ç".chars() {
            check(&character.to_string(), true, 1, 1);
        }
        check("😀", false, 2, 1);
    }

    #[test]
    fn nothing_is_cut_in_the_middle() {
        check(&format!("{}{}{}", "a".repeat(152), "€", "a".repeat(10)), true, 164, 2);
        check(&format!("{}€{}€", "a".repeat(152), "a".repeat(150)), true, 306, 3);
        check(&format!("{}😀{}", "م".repeat(66), "م".repeat(10)), false, 78, 2);
        check(&format!("{}😀{}😀", "م".repeat(66), "م".repeat(64)), false, 134, 3);
    }

    fn check(text: &str, gsm7: bool, units: usize, count: u32) {
        assert_eq!(segments(text), Segments { gsm7, units, count }, "{text}");
    }
}
