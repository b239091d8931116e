//! From each room's errors to AWS's codes.

use opentrail_identity::{CredentialError, IdentityError, federation::TokenRefusal, mfa::Proof};
use opentrail_state::StateError;
use opentrail_wire::sigv4::SignatureError;

use super::{Common, Dialect, Fault};

impl Fault {
    /// The journal or the documents did not take a change, or a record.
    pub(crate) fn of_state(error: StateError, dialect: Dialect) -> Self {
        match error {
            StateError::Refused { .. } | StateError::TooLong(_) => {
                Self::common(Common::TooLarge, dialect, error.to_string())
            }
            _ if error.is_retryable() => Self::common(
                Common::Unavailable,
                dialect,
                "There is no space to record the call; try again later.",
            ),
            StateError::Journal(_) | StateError::Interrupted => {
                tracing::error!(%error, "a call can't be recorded");
                Self::common(Common::Unavailable, dialect, "The call can't be recorded at the moment.")
            }
            _ => {
                tracing::error!(%error, "the documents can't be used");
                Self::common(Common::Internal, dialect, "An internal error occurred.")
            }
        }
    }

    /// IAM's and STS's own failures.
    pub(crate) fn of_identity(error: IdentityError, dialect: Dialect) -> Self {
        let text = error.to_string();
        match error {
            IdentityError::NoSuchEntity(_) => Self::declared("NoSuchEntity", text),
            IdentityError::AlreadyExists(_) => Self::declared("EntityAlreadyExists", text),
            IdentityError::DeleteConflict(_) => Self::declared("DeleteConflict", text),
            IdentityError::LimitExceeded(_) => Self::declared("LimitExceeded", text),
            IdentityError::MalformedPolicy(_) => Self::declared("MalformedPolicyDocument", text),
            IdentityError::InvalidInput(_) => Self::declared("InvalidInput", text),
            IdentityError::WrongPassword(None) | IdentityError::PasswordLocked { .. } => {
                Self::common(Common::AccessDenied, dialect, text)
            }
            IdentityError::WrongPassword(Some(wrong)) => {
                Self::common(Common::AccessDenied, dialect, text).with_wrong_password(wrong)
            }
            IdentityError::ReportNotPresent => Self::declared("ReportNotPresent", text),
            IdentityError::ReportExpired => Self::declared("ReportExpired", text),
            IdentityError::PasswordPolicy(_) => Self::declared("PasswordPolicyViolation", text),
            IdentityError::TemporarilyUnmodifiable(_) => {
                Self::declared("EntityTemporarilyUnmodifiable", text)
            }
            IdentityError::Busy => Self::common(Common::Unavailable, dialect, text),
            IdentityError::Unmodifiable(_) => Self::declared("UnmodifiableEntity", text),
            IdentityError::NotAttachable => Self::declared("PolicyNotAttachable", text),
            IdentityError::PackedPolicyTooLarge { .. } => Self::declared("PackedPolicyTooLarge", text),
            IdentityError::Validation(_) => Self::common(Common::Invalid, dialect, text),
            IdentityError::Credential(cause) => Self::of_credential(cause, dialect),
            IdentityError::AccessDenied(_)
            | IdentityError::RootMayNotAssumeRole
            | IdentityError::SessionMayNotGetSession
            | IdentityError::SessionMayNotFederate
            | IdentityError::NotAuthorized { .. }
            | IdentityError::MfaUnknownDevice
            | IdentityError::MfaIncomplete
            | IdentityError::MfaLocked { proof: Proof::Code, .. } => {
                Self::common(Common::AccessDenied, dialect, text)
            }
            IdentityError::MfaLocked { proof: Proof::Pair, .. } => {
                Self::declared("InvalidAuthenticationCode", text)
            }
            IdentityError::WrongMfaCode(wrong) => match wrong.proof() {
                Proof::Code => Self::common(Common::AccessDenied, dialect, text),
                Proof::Pair => Self::declared("InvalidAuthenticationCode", text),
            }
            .with_wrong_code(wrong),
            IdentityError::WebIdentity(refusal) => Self::declared(token_code(&refusal), text),
            IdentityError::AuthorizationMessage => {
                Self::declared("InvalidAuthorizationMessageException", text)
            }
            IdentityError::NotAnIdentity => Self::common(Common::Unsigned, dialect, text),
            IdentityError::Organization(refusal) => Self::of_organization(&refusal),
            IdentityError::State(cause) => Self::of_state(cause, dialect),
            IdentityError::Keyring(_)
            | IdentityError::Token(_)
            | IdentityError::MfaUri
            | IdentityError::PasswordHash
            | IdentityError::Event(_) => {
                tracing::error!(error = %text, "identity failed");
                Self::common(Common::Internal, dialect, "An internal error occurred.")
            }
        }
    }

    /// Credentials that stand for nobody.
    pub(crate) fn of_credential(error: CredentialError, dialect: Dialect) -> Self {
        use CredentialError as Cause;
        use http::StatusCode as Status;
        let (code, status) = match (error, dialect) {
            (Cause::ExpiredSession, Dialect::S3) => ("ExpiredToken", Status::BAD_REQUEST),
            (Cause::ExpiredSession, Dialect::Query) => ("ExpiredToken", Status::FORBIDDEN),
            (Cause::ExpiredSession, Dialect::Json | Dialect::Rest | Dialect::Iceberg) => {
                ("ExpiredTokenException", Status::BAD_REQUEST)
            }
            (
                Cause::UnknownAccessKey
                | Cause::InactiveAccessKey
                | Cause::ClosedAccount
                | Cause::SessionTokenMissing,
                Dialect::S3,
            ) => ("InvalidAccessKeyId", Status::FORBIDDEN),
            (_, Dialect::S3) => ("InvalidToken", Status::BAD_REQUEST),
            (_, Dialect::Query) => ("InvalidClientTokenId", Status::FORBIDDEN),
            (_, Dialect::Json | Dialect::Rest | Dialect::Iceberg) => {
                ("UnrecognizedClientException", Status::BAD_REQUEST)
            }
        };
        Self::exact(code, status, error.to_string())
    }

    /// A signature that does not hold.
    pub(crate) fn of_signature(error: &SignatureError, dialect: Dialect) -> Self {
        let (code, status) = error.code(dialect.family());
        let status = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::FORBIDDEN);
        Self::exact(code, status, error.message(dialect.family()))
    }
}

/// STS's code for a web identity token that opens no session.
fn token_code(refusal: &TokenRefusal) -> &'static str {
    match refusal {
        TokenRefusal::Expired { .. } => "ExpiredTokenException",
        TokenRefusal::Claim(_) => "IDPRejectedClaim",
        TokenRefusal::Unreachable(_) => "IDPCommunicationError",
        TokenRefusal::NotAToken
        | TokenRefusal::NoProvider(_)
        | TokenRefusal::MissingClaim(_)
        | TokenRefusal::Audience
        | TokenRefusal::NoKey
        | TokenRefusal::Signature => "InvalidIdentityToken",
    }
}
