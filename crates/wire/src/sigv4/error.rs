//! Why a request's signature was refused, and AWS's words for it.

use chrono::{DateTime, Utc};

use super::timestamp;

/// The error vocabulary of the service that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Amazon S3's REST errors.
    S3,
    /// Services of the Query protocol (IAM, STS, SNS): common errors without a suffix.
    Query,
    /// Services of the JSON protocols (CloudTrail, KMS): common errors ending in `Exception`.
    Json,
}

/// What is wrong with an `Authorization` header that does name Signature Version 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationFault {
    /// The header appears more than once or is not ASCII text.
    #[error("The authorization header is malformed; it must be one line of ASCII text.")]
    NotOneLine,
    /// A part between commas is not `name=value`.
    #[error("'{0}' not a valid key=value pair (missing equal-sign) in Authorization header.")]
    NotKeyValue(String),
    /// The same part is given twice.
    #[error("The authorization header is malformed; {0} appears more than once.")]
    Repeated(&'static str),
    /// The credential has not five parts, or a part is empty or holds other characters than its kind allows.
    #[error(
        "The authorization header is malformed; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
    )]
    Credential,
    /// `SignedHeaders` is empty or names something that cannot be a header.
    #[error("The authorization header is malformed; SignedHeaders is not a list of header names.")]
    SignedHeaders,
}

/// What is wrong with the authentication parameters of a presigned URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// A required parameter is absent.
    #[error(
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
    )]
    Missing(&'static str),
    /// A parameter is given twice.
    #[error("{0} must be given once.")]
    Repeated(&'static str),
    /// `X-Amz-Credential` has not the form of a credential scope.
    #[error(
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
    )]
    Credential,
    /// `X-Amz-Date` is not in ISO 8601 basic form.
    #[error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")]
    Date,
    /// `X-Amz-Expires` is not a number.
    #[error("X-Amz-Expires should be a number")]
    ExpiresNotNumber,
    /// `X-Amz-Expires` is zero or negative.
    #[error("X-Amz-Expires must be non-negative")]
    ExpiresNotPositive,
    /// `X-Amz-Expires` is more than a week.
    #[error(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
    )]
    ExpiresTooLong,
    /// `X-Amz-SignedHeaders` is empty or names something that cannot be a header.
    #[error("X-Amz-SignedHeaders must be a list of header names separated by ';'")]
    SignedHeaders,
}

/// Why a request could not be authenticated. Each variant is one cause.
///
/// `Display` is the message in S3's words; [`SignatureError::message`] gives the words of another family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The request carries no credentials, where the operation takes no anonymous calls.
    #[error("Access Denied")]
    MissingCredentials,
    /// An `Authorization` header of another scheme (Basic, Bearer).
    #[error("Unsupported Authorization Type")]
    UnsupportedAuthorization,
    /// Signature Version 2 or 4A, or another algorithm.
    #[error("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")]
    UnsupportedAlgorithm,
    /// Both an `Authorization` header and presigned parameters.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
    )]
    BothHeaderAndQuery,
    /// The `Authorization` header breaks its grammar.
    #[error("{0}")]
    MalformedAuthorization(AuthorizationFault),
    /// Parts of the `Authorization` header, or the date that goes with it, are absent.
    #[error("{}", incomplete(missing))]
    IncompleteSignature {
        /// The absent parts: `Credential`, `SignedHeaders`, `Signature`, `X-Amz-Date`.
        missing: Vec<&'static str>,
    },
    /// The parameters of a presigned URL break their grammar.
    #[error("{0}")]
    MalformedQueryAuth(QueryFault),
    /// The credential scope does not end in `aws4_request`.
    #[error(
        "The authorization header is malformed; incorrect terminator \"{got}\". This endpoint belongs to \"aws4_request\"."
    )]
    WrongTerminator {
        /// What stands there.
        got: String,
    },
    /// The day of the credential scope is not the day of the request.
    #[error(
        "The authorization header is malformed; Invalid credential date \"{scope}\". This date is not the same as X-Amz-Date: \"{date}\"."
    )]
    ScopeDate {
        /// The scope's day, `YYYYMMDD`.
        scope: String,
        /// The request's day, `YYYYMMDD`.
        date: String,
    },
    /// The header that should date the request cannot be read.
    #[error("AWS authentication requires a valid Date or x-amz-date header")]
    MalformedDate,
    /// S3 needs `x-amz-content-sha256` when signing by header.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    MissingContentSha256,
    /// `x-amz-content-sha256` is neither a hash nor a marker that is known here.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value."
    )]
    InvalidContentSha256,
    /// Headers that must be signed are not.
    #[error("There were headers present in the request which were not signed")]
    HeaderNotSigned {
        /// Their names in lower case.
        names: Vec<String>,
    },
    /// The request's date is more than 15 minutes from the server's clock.
    #[error("The difference between the request time and the current time is too large.")]
    RequestTimeTooSkewed {
        /// The date the request carries.
        request_time: DateTime<Utc>,
        /// The server's clock.
        server_time: DateTime<Utc>,
    },
    /// A presigned URL after its end.
    #[error("Request has expired")]
    PresignedExpired {
        /// When it ended.
        expired_at: DateTime<Utc>,
        /// The server's clock.
        server_time: DateTime<Utc>,
    },
    /// A presigned URL dated more than 15 minutes in the future.
    #[error("Request is not valid yet")]
    PresignedNotYetValid {
        /// When it begins.
        valid_from: DateTime<Utc>,
        /// The server's clock.
        server_time: DateTime<Utc>,
    },
    /// The signature is not the one these credentials give for this request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    SignatureMismatch {
        /// The canonical request as the server built it.
        canonical_request: String,
        /// The string the server signed.
        string_to_sign: String,
    },
    /// The body is not the one whose hash was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadMismatch {
        /// The signed hash, lower-case hex.
        declared: String,
        /// The body's hash, lower-case hex.
        actual: String,
    },
}

/// AWS's sentence for each absent part, in its order.
fn incomplete(missing: &[&'static str]) -> String {
    let sentences: Vec<String> = missing
        .iter()
        .map(|&part| match part {
            "X-Amz-Date" => {
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                    .to_owned()
            }
            part => format!("Authorization header requires '{part}' parameter."),
        })
        .collect();
    sentences.join(" ")
}

impl SignatureError {
    /// AWS's error code and HTTP status for this cause.
    ///
    /// Sources: S3 API reference, "List of error codes"; IAM and CloudTrail API references, "Common errors".
    pub fn code(&self, family: Family) -> (&'static str, u16) {
        match family {
            Family::S3 => self.s3_code(),
            Family::Query => self.query_code(),
            Family::Json => self.json_code(),
        }
    }

    fn s3_code(&self) -> (&'static str, u16) {
        match self {
            Self::MissingCredentials
            | Self::HeaderNotSigned { .. }
            | Self::MalformedDate
            | Self::PresignedExpired { .. }
            | Self::PresignedNotYetValid { .. } => ("AccessDenied", 403),
            Self::UnsupportedAuthorization | Self::BothHeaderAndQuery | Self::InvalidContentSha256 => {
                ("InvalidArgument", 400)
            }
            Self::UnsupportedAlgorithm | Self::MissingContentSha256 => ("InvalidRequest", 400),
            Self::IncompleteSignature { missing } if missing == &["X-Amz-Date"] => ("AccessDenied", 403),
            Self::MalformedAuthorization(_)
            | Self::IncompleteSignature { .. }
            | Self::WrongTerminator { .. }
            | Self::ScopeDate { .. } => ("AuthorizationHeaderMalformed", 400),
            Self::MalformedQueryAuth(_) => ("AuthorizationQueryParametersError", 400),
            Self::RequestTimeTooSkewed { .. } => ("RequestTimeTooSkewed", 403),
            Self::SignatureMismatch { .. } => ("SignatureDoesNotMatch", 403),
            Self::PayloadMismatch { .. } => ("XAmzContentSHA256Mismatch", 400),
        }
    }

    fn query_code(&self) -> (&'static str, u16) {
        match self {
            Self::MissingCredentials | Self::UnsupportedAuthorization => ("MissingAuthenticationToken", 403),
            _ if self.is_incomplete() => ("IncompleteSignature", 400),
            _ => ("SignatureDoesNotMatch", 403),
        }
    }

    fn json_code(&self) -> (&'static str, u16) {
        match self {
            Self::MissingCredentials | Self::UnsupportedAuthorization => {
                ("MissingAuthenticationTokenException", 400)
            }
            _ if self.is_incomplete() => ("IncompleteSignatureException", 400),
            _ => ("InvalidSignatureException", 400),
        }
    }

    /// Whether the request lacks or garbles a part that a signature needs.
    fn is_incomplete(&self) -> bool {
        matches!(
            self,
            Self::UnsupportedAlgorithm
                | Self::BothHeaderAndQuery
                | Self::MalformedAuthorization(_)
                | Self::IncompleteSignature { .. }
                | Self::MalformedQueryAuth(_)
                | Self::MalformedDate
                | Self::MissingContentSha256
                | Self::InvalidContentSha256
        )
    }

    /// The message in the words of `family`.
    pub fn message(&self, family: Family) -> String {
        if family == Family::S3 {
            return self.to_string();
        }
        match self {
            Self::MissingCredentials | Self::UnsupportedAuthorization => "Missing Authentication Token".to_owned(),
            Self::UnsupportedAlgorithm => "Unsupported AWS 'algorithm'. Please use AWS4-HMAC-SHA256.".to_owned(),
            Self::WrongTerminator { got } => {
                format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{got}'.")
            }
            Self::ScopeDate { scope, date } => format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != '{date}'."
            ),
            Self::HeaderNotSigned { names } if names.iter().any(|name| name == "host") => {
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned()
            }
            Self::HeaderNotSigned { names } => {
                format!("'{}' must be a 'SignedHeader' in the AWS Authorization.", names.join("', '"))
            }
            Self::RequestTimeTooSkewed { request_time, server_time } => skew(*request_time, *server_time),
            Self::PresignedNotYetValid { valid_from, server_time } => skew(*valid_from, *server_time),
            Self::PresignedExpired { expired_at, server_time } => format!(
                "Signature expired: {} is now earlier than {}",
                timestamp::format(*expired_at),
                timestamp::format(*server_time)
            ),
            Self::SignatureMismatch { .. } | Self::PayloadMismatch { .. } => {
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.".to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// The common wording for a date outside the window around `server`.
fn skew(request: DateTime<Utc>, server: DateTime<Utc>) -> String {
    let window = super::CLOCK_WINDOW;
    let (request_text, server_text) = (timestamp::format(request), timestamp::format(server));
    if request < server {
        let bound = timestamp::format(server - window);
        format!("Signature expired: {request_text} is now earlier than {bound} ({server_text} - 15 min.)")
    } else {
        let bound = timestamp::format(server + window);
        format!(
            "Signature not yet current: {request_text} is still later than {bound} ({server_text} + 15 min.)"
        )
    }
}
