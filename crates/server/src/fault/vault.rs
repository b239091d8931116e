//! From the vault's refusals to S3's codes and statuses.

use http::StatusCode;
use opentrail_vault::VaultError;

use super::{Common, Dialect, Fault};

impl Fault {
    /// The vault refused, or could not do, what was asked.
    pub(crate) fn of_vault(error: VaultError) -> Self {
        match error {
            VaultError::State(cause) => Self::of_state(cause, Dialect::S3),
            VaultError::DiskFull
            | VaultError::IndexUnavailable
            | VaultError::NotAppliedYet
            | VaultError::Closing => Self::common(
                Common::Unavailable,
                Dialect::S3,
                format!("Please reduce your request rate: {error}."),
            ),
            refusal if refusal.code() == "InternalError" => {
                tracing::error!(error = %refusal, "the vault failed");
                Self::common(
                    Common::Internal,
                    Dialect::S3,
                    "We encountered an internal error. Please try again.",
                )
            }
            refusal => Self::of_s3(refusal.code(), refusal.to_string()),
        }
    }

    /// A failure in S3's words; the status is the one that S3 answers with this code.
    pub(crate) fn of_s3(code: &'static str, message: impl Into<String>) -> Self {
        Self::exact(code, status(code), message)
    }

    /// A failure that S3's protocol layer found; code and status are its own.
    pub(crate) fn of_protocol(code: String, status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            recorded: code.clone().into(),
            code: code.into(),
            status,
            message: message.into().into_boxed_str(),
            more: None,
        }
    }
}

/// The status of a code (S3 API reference, "Error responses"); those that are not listed here are 400.
fn status(code: &str) -> StatusCode {
    match code {
        "NotModified" => StatusCode::NOT_MODIFIED,
        "AccessDenied"
        | "InvalidObjectState"
        | "CrossLocationLoggingProhibited"
        | "ObjectNotInActiveTierError"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch" => StatusCode::FORBIDDEN,
        "NoSuchBucket"
        | "NoSuchBucketPolicy"
        | "NoSuchConfiguration"
        | "NoSuchCORSConfiguration"
        | "NoSuchKey"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchObjectLockConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchTagSet"
        | "NoSuchUpload"
        | "NoSuchVersion"
        | "NoSuchWebsiteConfiguration"
        | "ObjectLockConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => StatusCode::NOT_FOUND,
        "MethodNotAllowed" => StatusCode::METHOD_NOT_ALLOWED,
        "BucketAlreadyExists" | "BucketAlreadyOwnedByYou" | "BucketNotEmpty" | "InvalidBucketState" => {
            StatusCode::CONFLICT
        }
        "MissingContentLength" => StatusCode::LENGTH_REQUIRED,
        "PreconditionFailed" => StatusCode::PRECONDITION_FAILED,
        "InvalidRange" | "InvalidPartNumber" => StatusCode::RANGE_NOT_SATISFIABLE,
        "NotImplemented" => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::BAD_REQUEST,
    }
}
