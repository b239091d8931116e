//! The one table of AWS's error codes.

use http::StatusCode;

use super::Dialect;

/// Failures that belong to no single operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Common {
    /// The policies do not allow it.
    AccessDenied,
    /// No such operation in this service.
    UnknownOperation,
    /// The request can't be read as what the operation takes.
    Malformed,
    /// A member is missing or breaks its constraint.
    Invalid,
    /// The body is larger than the service takes.
    TooLarge,
    /// AWS has it, we do not.
    Unsupported,
    /// Try again later: back-pressure, a full disk.
    Unavailable,
    /// Our fault; details are in the log.
    Internal,
    /// The request carries no credentials.
    Unsigned,
    /// The credentials are scoped to another service, or to what is no region.
    WrongScope,
}

impl Common {
    /// The dialect's code and status.
    pub(super) fn spelled(self, dialect: Dialect) -> (&'static str, StatusCode) {
        use Dialect::{Iceberg, Json, Query, Rest, S3};
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
        match (self, dialect) {
            (Self::AccessDenied, Json) => ("AccessDeniedException", BAD),
            (Self::AccessDenied, Rest) => ("AccessDeniedException", FORBIDDEN),
            (Self::AccessDenied, Iceberg) => ("ForbiddenException", FORBIDDEN),
            (Self::Unsigned | Self::WrongScope, Iceberg) => {
                ("NotAuthorizedException", StatusCode::UNAUTHORIZED)
            }
            (Self::Unsupported, Iceberg) => ("UnsupportedOperationException", StatusCode::NOT_ACCEPTABLE),
            (kind, Iceberg) => kind.spelled(Rest),
            (Self::AccessDenied, Query | S3) | (Self::Unsigned, S3) => ("AccessDenied", FORBIDDEN),
            (Self::UnknownOperation, Json) => ("UnknownOperationException", BAD),
            (Self::UnknownOperation, Rest) => ("UnknownOperationException", StatusCode::NOT_FOUND),
            (Self::UnknownOperation, Query) => ("InvalidAction", BAD),
            (Self::UnknownOperation, S3) => ("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED),
            (Self::Malformed, Json | Rest) => ("SerializationException", BAD),
            (Self::Malformed, Query) => ("MalformedInput", BAD),
            (Self::Malformed, S3) => ("InvalidRequest", BAD),
            (Self::Invalid, Json | Rest) => ("ValidationException", BAD),
            (Self::Invalid, Query) => ("ValidationError", BAD),
            (Self::Invalid, S3) => ("InvalidArgument", BAD),
            (Self::TooLarge, Json | Rest) => {
                ("RequestEntityTooLargeException", StatusCode::PAYLOAD_TOO_LARGE)
            }
            (Self::TooLarge, Query) => ("RequestEntityTooLarge", StatusCode::PAYLOAD_TOO_LARGE),
            (Self::TooLarge, S3) => ("EntityTooLarge", BAD),
            (Self::Unsupported, Json | Rest) => ("UnsupportedOperationException", BAD),
            (Self::Unsupported, Query) => ("UnsupportedOperation", BAD),
            (Self::Unsupported, S3) => ("NotImplemented", StatusCode::NOT_IMPLEMENTED),
            (Self::Unavailable, Json | Rest) => {
                ("ServiceUnavailableException", StatusCode::SERVICE_UNAVAILABLE)
            }
            (Self::Unavailable, Query) => ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE),
            (Self::Unavailable, S3) => ("SlowDown", StatusCode::SERVICE_UNAVAILABLE),
            (Self::Internal, Json | Rest | Query) => ("InternalFailure", StatusCode::INTERNAL_SERVER_ERROR),
            (Self::Internal, S3) => ("InternalError", StatusCode::INTERNAL_SERVER_ERROR),
            (Self::WrongScope, Json | Rest) => ("InvalidSignatureException", BAD),
            (Self::WrongScope, Query) => ("SignatureDoesNotMatch", FORBIDDEN),
            (Self::WrongScope, S3) => ("AuthorizationHeaderMalformed", BAD),
            (Self::Unsigned, Json) => ("MissingAuthenticationTokenException", BAD),
            (Self::Unsigned, Rest) => ("MissingAuthenticationTokenException", FORBIDDEN),
            (Self::Unsigned, Query) => ("MissingAuthenticationToken", FORBIDDEN),
        }
    }
}

/// Codes that AWS's models declare with a status other than 400, or that CloudTrail spells otherwise
/// in a record than on the wire: (wire, status, record).
const DECLARED: &[(&str, u16, &str)] = &[
    ("ConcurrentModification", 409, "ConcurrentModificationException"),
    ("DeleteConflict", 409, "DeleteConflictException"),
    ("EntityAlreadyExists", 409, "EntityAlreadyExistsException"),
    ("EntityTemporarilyUnmodifiable", 409, "EntityTemporarilyUnmodifiableException"),
    ("ExpiredTokenException", 400, "ExpiredTokenException"),
    ("IDPCommunicationError", 400, "IDPCommunicationErrorException"),
    ("IDPRejectedClaim", 403, "IDPRejectedClaimException"),
    ("InvalidAuthenticationCode", 403, "InvalidAuthenticationCodeException"),
    ("InvalidIdentityToken", 400, "InvalidIdentityTokenException"),
    ("InvalidInput", 400, "InvalidInputException"),
    ("LimitExceeded", 409, "LimitExceededException"),
    ("InvalidUserType", 400, "InvalidUserTypeException"),
    ("MalformedPolicyDocument", 400, "MalformedPolicyDocumentException"),
    ("NoSuchEntity", 404, "NoSuchEntityException"),
    ("PackedPolicyTooLarge", 400, "PackedPolicyTooLargeException"),
    ("PasswordPolicyViolation", 400, "PasswordPolicyViolationException"),
    ("PolicyNotAttachable", 400, "PolicyNotAttachableException"),
    ("ReportExpired", 410, "CredentialReportExpiredException"),
    ("ReportNotPresent", 410, "CredentialReportNotPresentException"),
    ("ServiceFailure", 500, "ServiceFailureException"),
    ("UnmodifiableEntity", 400, "UnmodifiableEntityException"),
];

/// The status of a declared code, and the way a record spells it.
pub(super) fn declared(code: &'static str) -> (StatusCode, &'static str) {
    DECLARED
        .iter()
        .find(|(wire, ..)| *wire == code)
        .and_then(|(_, status, recorded)| Some((StatusCode::from_u16(*status).ok()?, *recorded)))
        .unwrap_or((StatusCode::BAD_REQUEST, code))
}
