//! The one table from a class of failure to its gRPC code, its HTTP status, its title and whether to try again.

use ::http::StatusCode;
use tonic::Code;

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The request itself is wrong.
    Invalid,
    /// The request contradicts an earlier one.
    Mismatch,
    /// It does not exist.
    NotFound,
    /// A rule refuses it in the present state.
    Refused,
    /// The caller may not.
    Forbidden,
    /// The caller is not known.
    Unauthenticated,
    /// It exists already.
    Conflict,
    /// Something needed is away.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// More bytes than the limit.
    TooLarge,
    /// A body of a kind that is not taken.
    UnsupportedMedia,
    /// A quota or buffer is full.
    Exhausted,
    /// A position that no longer exists.
    OutOfRange,
    /// Two writers met, or the same request is in progress.
    Aborted,
    /// The work did not end in its time.
    TimedOut,
}

impl FailureCode {
    /// Every class.
    pub const ALL: [Self; 15] = [
        Self::Invalid,
        Self::Mismatch,
        Self::NotFound,
        Self::Refused,
        Self::Forbidden,
        Self::Unauthenticated,
        Self::Conflict,
        Self::Unavailable,
        Self::Internal,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::Exhausted,
        Self::OutOfRange,
        Self::Aborted,
        Self::TimedOut,
    ];

    /// The table: gRPC code, HTTP status, retryable, title.
    const fn row(self) -> (Code, StatusCode, bool, &'static str) {
        match self {
            Self::Invalid => (Code::InvalidArgument, StatusCode::BAD_REQUEST, false, "The request is not valid"),
            Self::Mismatch => (
                Code::InvalidArgument,
                StatusCode::UNPROCESSABLE_ENTITY,
                false,
                "The request contradicts an earlier one",
            ),
            Self::NotFound => (Code::NotFound, StatusCode::NOT_FOUND, false, "Not found"),
            Self::Refused => (Code::FailedPrecondition, StatusCode::CONFLICT, false, "Refused in the present state"),
            Self::Forbidden => (Code::PermissionDenied, StatusCode::FORBIDDEN, false, "Not allowed"),
            Self::Unauthenticated => (Code::Unauthenticated, StatusCode::UNAUTHORIZED, false, "Not signed in"),
            Self::Conflict => (Code::AlreadyExists, StatusCode::CONFLICT, false, "It exists already"),
            Self::Unavailable => (Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, true, "Away for the moment"),
            Self::Internal => (Code::Internal, StatusCode::INTERNAL_SERVER_ERROR, false, "A fault of ours"),
            Self::TooLarge => (Code::InvalidArgument, StatusCode::PAYLOAD_TOO_LARGE, false, "Too large"),
            Self::UnsupportedMedia => {
                (Code::InvalidArgument, StatusCode::UNSUPPORTED_MEDIA_TYPE, false, "The kind of body is not taken")
            }
            Self::Exhausted => (Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, true, "Too much at once"),
            Self::OutOfRange => (Code::OutOfRange, StatusCode::GONE, false, "The position no longer exists"),
            Self::Aborted => (Code::Aborted, StatusCode::CONFLICT, true, "Something else is in progress"),
            Self::TimedOut => (Code::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT, true, "It took too long"),
        }
    }

    /// The gRPC code.
    pub const fn grpc(self) -> Code {
        self.row().0
    }

    /// The HTTP status.
    pub const fn http(self) -> StatusCode {
        self.row().1
    }

    /// Whether the same request may succeed later.
    pub const fn retryable(self) -> bool {
        self.row().2
    }

    /// A short title, the same for every failure of the class.
    pub const fn title(self) -> &'static str {
        self.row().3
    }
}
