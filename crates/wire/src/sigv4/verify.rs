//! Checking a signature.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use chrono::{DateTime, TimeDelta, Utc};
use http::{header::HOST, request::Parts};

use super::{
    CLOCK_WINDOW, Form, PayloadKind, SignatureError, SignedRequest, authorization::ALGORITHM, canonical,
    credential::TERMINATOR, payload, signing_key, signing_key::SigningKey, timestamp,
};

/// A request whose signature was right, and what the check of its chunks needs.
#[derive(Clone, Debug)]
pub struct Verified {
    key: SigningKey,
    seed_signature: String,
    timestamp: String,
    scope: String,
    payload: PayloadKind,
}

impl Verified {
    /// How the signature covers the body. Never [`PayloadKind::Absent`]: that has become the hash that was signed.
    pub fn payload(&self) -> PayloadKind {
        self.payload
    }

    /// The request's signature, lower-case hex: the first link of the chain of chunks.
    pub fn seed_signature(&self) -> &str {
        &self.seed_signature
    }

    /// `DATE/REGION/SERVICE/aws4_request`.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The signed date, `YYYYMMDDTHHMMSSZ`.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// The key that signs this request and its chunks.
    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl SignedRequest {
    /// Checks the signature over `parts`, in constant time, and the dates against `now`.
    ///
    /// `body_sha256` is the hash of the whole body where it has been read. Without it, a literal hash is not compared
    /// with the body and an absent one is taken as that of an empty body: then [`Verified::payload`] says which hash
    /// the body must turn out to have ([`crate::body::PayloadBody`] checks it).
    ///
    /// # Errors
    /// Headers that are not signed, dates outside their window, a wrong signature, a body of another hash; in this order.
    pub fn verify(
        &self,
        parts: &Parts,
        secret: &str,
        now: DateTime<Utc>,
        body_sha256: Option<[u8; 32]>,
    ) -> Result<Verified, SignatureError> {
        self.check_signed_headers(parts)?;
        self.check_window(now)?;
        let (line, payload) = self.payload_line(body_sha256);
        let key = self.check_signature(parts, secret, &line)?;
        if let (PayloadKind::Hash(declared), Some(actual)) = (payload, body_sha256)
            && verify_slices_are_equal(&declared, &actual).is_err()
        {
            return Err(SignatureError::PayloadMismatch {
                declared: hex::encode(declared),
                actual: hex::encode(actual),
            });
        }
        Ok(Verified {
            key,
            seed_signature: self.signature.clone(),
            timestamp: self.timestamp.clone(),
            scope: self.scope(),
            payload,
        })
    }

    /// `host` must be signed; with S3 every `x-amz-*` header too, elsewhere `x-amz-target`, which names the operation.
    fn check_signed_headers(&self, parts: &Parts) -> Result<(), SignatureError> {
        let signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let must = |name: &str| match self.is_s3() {
            true => name.starts_with("x-amz-"),
            false => name == "x-amz-target",
        };
        let mut names: Vec<String> = Vec::new();
        if !signed(HOST.as_str()) {
            names.push(HOST.as_str().to_owned());
        }
        let present = parts.headers.keys().map(http::HeaderName::as_str);
        names.extend(present.filter(|&name| must(name) && !signed(name)).map(str::to_owned));
        if names.is_empty() { Ok(()) } else { Err(SignatureError::HeaderNotSigned { names }) }
    }

    fn check_window(&self, now: DateTime<Utc>) -> Result<(), SignatureError> {
        match self.form {
            Form::Header => {
                if (now - self.date).abs() > CLOCK_WINDOW {
                    return Err(SignatureError::RequestTimeTooSkewed {
                        request_time: self.date,
                        server_time: now,
                    });
                }
            }
            Form::Presigned { expires } => {
                let expired_at = self.date + TimeDelta::seconds(i64::from(expires));
                if self.date > now + CLOCK_WINDOW {
                    return Err(SignatureError::PresignedNotYetValid {
                        valid_from: self.date,
                        server_time: now,
                    });
                }
                if now > expired_at {
                    return Err(SignatureError::PresignedExpired { expired_at, server_time: now });
                }
            }
        }
        Ok(())
    }

    /// The last line of the canonical request, and what it says about the body.
    fn payload_line(&self, body_sha256: Option<[u8; 32]>) -> (String, PayloadKind) {
        if let Some(line) = &self.payload_line {
            return (line.clone(), self.payload);
        }
        if self.is_presigned() && self.is_s3() {
            return (payload::UNSIGNED_PAYLOAD.to_owned(), PayloadKind::Unsigned);
        }
        let hash = body_sha256.unwrap_or_else(|| sha256(b""));
        (hex::encode(hash), PayloadKind::Hash(hash))
    }

    /// Tries the spellings that signers use; on failure reports the documented one.
    fn check_signature(
        &self,
        parts: &Parts,
        secret: &str,
        payload: &str,
    ) -> Result<SigningKey, SignatureError> {
        let name = signing_key::name(secret, &self.scope_date, &self.region, &self.service);
        let recalled = signing_key::recall(&name);
        let known = recalled.is_some();
        let key = recalled
            .unwrap_or_else(|| SigningKey::derive(secret, &self.scope_date, &self.region, &self.service));
        let header_lines = canonical::header_lines(&parts.headers, &parts.uri, &self.signed_headers);
        let signed_headers = self.signed_headers.join(";");
        let paths = canonical::path_spellings(parts.uri.path(), self.is_s3());
        let queries = canonical::query_spellings(parts.uri.query().unwrap_or(""));
        let mut documented = None;
        for path in &paths {
            for query in &queries {
                let method = parts.method.as_str();
                let request =
                    canonical::request(method, path, query, &header_lines, &signed_headers, payload);
                let string = string_to_sign(&self.timestamp, &self.scope(), &request);
                if key.agrees(string.as_bytes(), &self.signature) {
                    if !known {
                        signing_key::remember(name, key.clone());
                    }
                    return Ok(key);
                }
                documented.get_or_insert((request, string));
            }
        }
        let (request, string_to_sign) = documented.unwrap_or_default();
        let canonical_request = String::from_utf8_lossy(&request).into_owned();
        Err(SignatureError::SignatureMismatch { canonical_request, string_to_sign })
    }

    fn scope(&self) -> String {
        scope(&self.scope_date, &self.region, &self.service)
    }
}

/// `DATE/REGION/SERVICE/aws4_request`.
pub(super) fn scope(day: &str, region: &str, service: &str) -> String {
    format!("{day}/{region}/{service}/{TERMINATOR}")
}

/// What the signing key signs for a whole request.
pub(super) fn string_to_sign(timestamp: &str, scope: &str, canonical_request: &[u8]) -> String {
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", hex::encode(sha256(canonical_request)))
}

pub(super) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    hash
}

/// The day of a date in the form of a scope.
pub(super) fn day(at: DateTime<Utc>) -> String {
    timestamp::format(at)[..8].to_owned()
}
