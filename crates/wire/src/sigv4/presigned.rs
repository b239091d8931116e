//! The authentication parameters of a presigned URL.

use percent_encoding::percent_decode_str;

use super::{QueryFault, SignatureError, authorization::ALGORITHM};

pub(super) const SIGNATURE: &str = "X-Amz-Signature";

/// Longest life of a presigned URL in seconds: seven days.
/// Source: Amazon S3 API reference, "Authenticating requests: using query parameters".
pub const MAX_EXPIRES: u32 = 604_800;

/// Life of a presigned URL of another service than S3 that names none, in seconds: the clock window.
const DEFAULT_EXPIRES: u32 = 900;

/// The parameters, decoded; absent ones are `None`.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    algorithm: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) date: Option<String>,
    expires: Option<String>,
    pub(super) signed_headers: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) security_token: Option<String>,
    pub(super) content_sha256: Option<String>,
    signature_v2: bool,
}

impl Parameters {
    /// Collects the parameters from a query as sent.
    pub(super) fn read(query: &str) -> Result<Parameters, SignatureError> {
        let mut found = Parameters::default();
        let (mut access_key, mut signature) = (false, false);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (slot, name) = match name {
                "X-Amz-Algorithm" => (&mut found.algorithm, "X-Amz-Algorithm"),
                "X-Amz-Credential" => (&mut found.credential, "X-Amz-Credential"),
                "X-Amz-Date" => (&mut found.date, "X-Amz-Date"),
                "X-Amz-Expires" => (&mut found.expires, "X-Amz-Expires"),
                "X-Amz-SignedHeaders" => (&mut found.signed_headers, "X-Amz-SignedHeaders"),
                SIGNATURE => (&mut found.signature, SIGNATURE),
                "X-Amz-Security-Token" => (&mut found.security_token, "X-Amz-Security-Token"),
                "X-Amz-Content-Sha256" => (&mut found.content_sha256, "X-Amz-Content-Sha256"),
                "AWSAccessKeyId" => {
                    access_key = true;
                    continue;
                }
                "Signature" => {
                    signature = true;
                    continue;
                }
                _ => continue,
            };
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            if slot.replace(value).is_some() {
                return Err(fault(QueryFault::Repeated(name)));
            }
        }
        found.signature_v2 = access_key && signature;
        Ok(found)
    }

    /// Whether the URL claims to be signed, by any version.
    pub(super) fn claim_signature(&self) -> bool {
        self.signature_v2 || self.algorithm.is_some() || self.credential.is_some() || self.signature.is_some()
    }

    /// Refuses other algorithms than Signature Version 4.
    pub(super) fn check_algorithm(&self) -> Result<(), SignatureError> {
        match self.algorithm.as_deref() {
            Some(ALGORITHM) => Ok(()),
            None if !self.signature_v2 => Err(fault(QueryFault::Missing("X-Amz-Algorithm"))),
            Some(_) | None => Err(SignatureError::UnsupportedAlgorithm),
        }
    }

    /// The life of the URL in seconds, 1 to [`MAX_EXPIRES`].
    pub(super) fn expires(&self, s3: bool) -> Result<u32, SignatureError> {
        let Some(text) = self.expires.as_deref() else {
            return if s3 { Err(fault(QueryFault::Missing("X-Amz-Expires"))) } else { Ok(DEFAULT_EXPIRES) };
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(fault(QueryFault::ExpiresNotNumber));
        }
        if text.starts_with('-') || digits.bytes().all(|digit| digit == b'0') {
            return Err(fault(QueryFault::ExpiresNotPositive));
        }
        digits.parse().ok().filter(|&seconds| seconds <= MAX_EXPIRES).ok_or(fault(QueryFault::ExpiresTooLong))
    }
}

/// The parameter's value, or the error that it is absent.
pub(super) fn required(value: Option<String>, name: &'static str) -> Result<String, SignatureError> {
    value.ok_or(fault(QueryFault::Missing(name)))
}

pub(super) fn fault(fault: QueryFault) -> SignatureError {
    SignatureError::MalformedQueryAuth(fault)
}
