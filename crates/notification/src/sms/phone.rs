//! Telephone numbers: E.164 and nothing else goes out; what comes in is brought to the same form.

/// Whether a text is a number in E.164 form: a plus and 7 to 15 digits, of which the first is not 0.
pub(crate) fn is_e164(given: &str) -> bool {
    given.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// The number of a sender as gateways write it: with a plus, with 00, or with neither.
pub(crate) fn from_gateway(given: &str) -> Option<String> {
    let given = given.trim();
    let digits = given.strip_prefix('+').or_else(|| given.strip_prefix("00")).unwrap_or(given);
    let number = format!("+{digits}");
    is_e164(&number).then_some(number)
}

/// Whether this installation sends to a number: its country is listed, or all are.
pub(crate) fn is_allowed(phone: &str, prefixes: &[String]) -> bool {
    is_e164(phone) && (prefixes.is_empty() || prefixes.iter().any(|prefix| phone.starts_with(prefix.as_str())))
}

/// The range that a number belongs to: its first digits.
pub(crate) fn range_of(phone: &str, digits: usize) -> &str {
    phone.get(..=digits).unwrap_or(phone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_goes_out() {
        for good in ["+447700900000", "+1234567", "+123456789012345"] {
            assert!(is_e164(good), "{good}");
        }
        for wrong in [
            "",
            "+",
            "447700900000",
            "0044770090000",
            "+0447700900000",
            "+44 7700 900000",
            "+44-7700-900000",
            "+44(0)7700900000",
            "+123456",
            "+1234567890123456",
            "+44770090000a",
            "+44770090000\n",
            "+44770090000\0",
            "+٤٤٧٧٠٠٩٠٠٠٠٠",
            "+４４７７００９０００００",
            "\u{202e}+447700900000",
            "+447700900000,+447700900001",
            "+447700900000;ext=1",
            "+447700900000&to=+447700900001",
            "++447700900000",
            "tel:+447700900000",
        ] {
            assert!(!is_e164(wrong), "{wrong:?}");
            assert!(!is_allowed(wrong, &[]), "{wrong:?}");
        }
    }

    #[test]
    fn countries_are_listed_by_prefix() {
        let listed = ["+44".to_owned(), "+1".to_owned()];
        assert!(is_allowed("+447700900000", &listed) && is_allowed("+12025550100", &listed));
        assert!(!is_allowed("+33612345678", &listed));
        assert_eq!(range_of("+447700900123", 8), "+44770090");
        assert_eq!(range_of("+447700", 14), "+447700");
    }

    #[test]
    fn senders_come_in_several_forms() {
        for given in ["+447700900001", "447700900001", "00447700900001", " 447700900001 "] {
            assert_eq!(from_gateway(given).as_deref(), Some("+447700900001"), "{given}");
        }
        for given in ["", "Tocsin", "12345", "+44 7700 900001", "07700900001"] {
            assert_eq!(from_gateway(given), None, "{given}");
        }
    }
}
