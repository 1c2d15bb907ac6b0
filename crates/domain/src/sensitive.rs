//! Text that can hurt a person if it leaks: it cannot be printed or serialised by accident, and it is wiped when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

macro_rules! sensitive {
    ($($(#[$about:meta])* $name:ident;)+) => {$(
        $(#[$about])*
        ///
        /// It has no `Display` and no `Serialize`; `Debug` prints `[redacted]`; the memory is wiped on drop.
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Takes the text over.
            pub fn new(text: String) -> Self {
                Self(text)
            }

            /// Shows the text. Every call is a place where it could leak, so there are few.
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("[redacted]")
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self)
            }
        }
    )+};
}

sensitive! {
    /// What a person told us, or what we write about them before it is released.
    Narrative;
    /// A telephone number, an address, a name or anything else by which a person can be found.
    ContactDetail;
    /// A key, a password, a code word.
    Secret;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let shown = format!("{:?} {:?}", Some(Narrative::new("canary".into())), Secret::new("canary".into()));
        assert_eq!(shown, "Some([redacted]) [redacted]");
        assert_eq!(ContactDetail::new("canary".into()).reveal(), "canary");
    }
}
