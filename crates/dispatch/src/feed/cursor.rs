//! The cursor of the feed: where a reader has got to, as an opaque text `<epoch>-<position>`.

use std::fmt;

/// A place in one feed. It works on every replica, because positions come from one locked row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Which feed; a database made anew has another one.
    pub(crate) epoch: String,
    /// The position of the last entry seen; 0 before the first.
    pub(crate) position: i64,
}

/// Why a reader cannot go on from a cursor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CursorError {
    /// It was not made by this service.
    #[error("this is not a cursor of the alert feed: give back a cursor as it was received, or none")]
    Malformed,
    /// What follows it is no longer kept whole, or it belongs to another feed.
    #[error("this cursor has expired: start again without a cursor and list the alerts that you missed")]
    Expired,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.epoch, self.position)
    }
}

/// The epoch of a feed that is made anew: eight hexadecimal digits at random.
pub(crate) fn new_epoch() -> String {
    hex::encode(rand::random::<[u8; 4]>())
}

/// Where the feed stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedBounds {
    /// The epoch of this feed.
    pub(crate) epoch: String,
    /// The last position given out.
    pub(crate) position: i64,
    /// Entries up to this position are no longer served.
    pub(crate) trimmed_to: i64,
}

/// The position after which a reader goes on; an empty cursor means the beginning of what is kept.
pub(crate) fn resume(cursor: &str, bounds: &FeedBounds) -> Result<i64, CursorError> {
    if cursor.is_empty() {
        return Ok(bounds.trimmed_to);
    }
    let (epoch, position) = cursor.split_once('-').ok_or(CursorError::Malformed)?;
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = !position.is_empty() && position.len() <= 18 && position.bytes().all(|byte| byte.is_ascii_digit());
    if epoch.len() != 8 || !epoch.bytes().all(hexadecimal) || !digits {
        return Err(CursorError::Malformed);
    }
    let position: i64 = position.parse().map_err(|_| CursorError::Malformed)?;
    // A position that was never given out belongs to a database that has since been restored from an older copy.
    if epoch != bounds.epoch || position < bounds.trimmed_to || position > bounds.position {
        return Err(CursorError::Expired);
    }
    Ok(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_resumes_only_within_what_is_kept() {
        let bounds = FeedBounds { epoch: "00ab12ff".to_owned(), position: 9, trimmed_to: 3 };
        let check = |cursor: &str, expected| assert_eq!(resume(cursor, &bounds), expected, "{cursor}");
        check("", Ok(3));
        check("00ab12ff-3", Ok(3));
        check("00ab12ff-9", Ok(9));
        check("00ab12ff-2", Err(CursorError::Expired));
        check("00ab12ff-10", Err(CursorError::Expired));
        check("11ab12ff-5", Err(CursorError::Expired));
        for cursor in
            ["x", "-", "00ab12ff-", "00ab12ff--1", "00ab12ff-+5", "00AB12FF-5", "00ab12ff-9999999999999999999", "é-1"]
        {
            check(cursor, Err(CursorError::Malformed));
        }
    }

    #[test]
    fn a_cursor_survives_text() {
        let bounds = FeedBounds { epoch: "00ab12ff".to_owned(), position: 9, trimmed_to: 0 };
        let cursor = Cursor { epoch: bounds.epoch.clone(), position: 7 };
        assert_eq!(resume(&cursor.to_string(), &bounds), Ok(7));
    }
}
