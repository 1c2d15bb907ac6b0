//! The macro that turns a table of codes into enums, so that a code, its text and its parser cannot drift apart.

/// Makes one enum for each list of codes, with `LIST`, `ALL`, `as_str`, `Display`, `FromStr` and serde as a string.
///
/// The order of the table is the order of the enum (`Ord`).
macro_rules! code_list {
    ($($(#[$about:meta])* $name:ident in $list:literal {
        $($(#[$mark:meta])* $variant:ident = $code:literal),+ $(,)?
    })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("The code `", $code, "`.")] $(#[$mark])* $variant,)+
        }

        impl $name {
            /// The name of this list, as it stands in errors and in the keys of the label files.
            pub const LIST: &'static str = $list;

            /// Every code of the list, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable text of the code.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::codes::UnknownCode;

            fn from_str(given: &str) -> Result<Self, Self::Err> {
                match given {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::codes::UnknownCode::new($list, given, &[$($code),+])),
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let given = <String as ::serde::Deserialize>::deserialize(deserializer)?;
                given.parse().map_err(::serde::de::Error::custom)
            }
        }
    )+};
}

pub(crate) use code_list;
