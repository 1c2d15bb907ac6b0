//! Page sizes and tokens, the same for every list.

use tocsin_platform::failure::Failure;

const DEFAULT: u32 = 50;
const MOST: u32 = 500;

/// How many entries a page has: 50 unless asked otherwise, at most 500.
pub(super) fn size(asked: u32) -> usize {
    let size = if asked == 0 { DEFAULT } else { asked.min(MOST) };
    usize::try_from(size).unwrap_or(1)
}

/// Reads a page token, which is the id of the last entry of the page before; empty for the first page.
pub(super) fn token<T: std::str::FromStr>(given: &str) -> Result<Option<T>, Failure> {
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| {
        Failure::invalid("PAGE_TOKEN", "this is not a page token")
            .field("page_token", "give back next_page_token as it was received, or none")
    })
}
