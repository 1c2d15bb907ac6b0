//! Lists in pages: how many rows one has, and the token that says where it begins, the same for every list.

use std::str::FromStr;

use crate::failure::Failure;

/// Rows in a page when none is asked for.
const SIZE: u32 = 50;
/// The most rows in a page.
pub(crate) const SIZE_MAX: u32 = 200;

/// How many rows a page has: 50 when none is asked for, at most 200.
pub fn page_size(asked: u32) -> u32 {
    if asked == 0 { SIZE } else { asked.min(SIZE_MAX) }
}

/// Where a page begins: a token is what names the last row of the page before; the first page has none.
///
/// # Errors
/// `PAGE_TOKEN_INVALID` when it is not one of ours.
pub fn page_token<T: FromStr>(text: &str) -> Result<Option<T>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let says = "this page token is not one of ours; begin again without it";
        Failure::invalid("PAGE_TOKEN_INVALID", says).field("page_token", says)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_a_size_and_a_beginning() {
        assert_eq!([0, 1, 200, 201].map(page_size), [50, 1, 200, 200]);
        assert_eq!(page_token::<i64>("").unwrap(), None);
        assert_eq!(page_token::<i64>("7").unwrap(), Some(7));
        assert!(format!("{:?}", page_token::<i64>("x").unwrap_err()).contains("PAGE_TOKEN_INVALID"));
    }
}
