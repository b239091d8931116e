//! AWS Signature Version 4: who signed a request, and whether they did.
//!
//! [`SignedRequest::read`] takes the claim out of a request without judging it; the caller looks up the secret of
//! [`SignedRequest::access_key_id`] and calls [`SignedRequest::verify`]. [`sign`] and [`presign`] are the other side.
//!
//! Source: IAM User Guide, "AWS Signature Version 4 for API requests"; Amazon S3 API reference, "Authenticating
//! requests (AWS Signature Version 4)".

mod authorization;
mod canonical;
mod credential;
mod error;
mod payload;
mod presigned;
mod signer;
mod signing_key;
mod timestamp;
mod verify;

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, header::DATE, request::Parts};

pub use error::{AuthorizationFault, Family, QueryFault, SignatureError};
pub use payload::{EMPTY_SHA256, PayloadKind, UNSIGNED_PAYLOAD};
pub use presigned::MAX_EXPIRES;
pub use signer::{Credentials, SignError, presign, sign};
pub use verify::Verified;

/// How far a request's date may be from the server's clock, either way.
/// Source: the window of AWS's `RequestTimeTooSkewed` and `RequestExpired`.
pub const CLOCK_WINDOW: TimeDelta = TimeDelta::minutes(15);

const X_AMZ_DATE: &str = "x-amz-date";
const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
const X_AMZ_SECURITY_TOKEN: &str = "x-amz-security-token";

/// Where the signature stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Header,
    Presigned {
        /// Life from the date on, in seconds.
        expires: u32,
    },
}

/// What a request says about who signed it; nothing of it is verified yet.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    access_key_id: String,
    scope_date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: String,
    session_token: Option<String>,
    date: DateTime<Utc>,
    timestamp: String,
    payload: PayloadKind,
    /// `x-amz-content-sha256` as sent.
    payload_line: Option<String>,
    form: Form,
}

impl SignedRequest {
    /// Reads the signature of a request: its `Authorization` header or its presigned query. `None` when it has
    /// neither.
    ///
    /// # Errors
    /// Both forms at once, another algorithm, malformed or absent parts, a scope of another day than the request's.
    pub fn read(parts: &Parts) -> Result<Option<SignedRequest>, SignatureError> {
        let header = authorization::find(&parts.headers)?;
        let query = presigned::Parameters::read(parts.uri.query().unwrap_or(""))?;
        let request = match (header, query.claim_signature()) {
            (None, false) => return Ok(None),
            (Some(_), true) => return Err(SignatureError::BothHeaderAndQuery),
            (Some(text), false) => Self::from_header(text, &parts.headers)?,
            (None, true) => Self::from_query(query, &parts.headers)?,
        };
        request.check_scope_date().map(Some)
    }

    fn from_header(text: &str, headers: &HeaderMap) -> Result<SignedRequest, SignatureError> {
        let dated = headers.contains_key(X_AMZ_DATE) || headers.contains_key(DATE);
        let authorization = authorization::parse(text, dated)?;
        let date = match single(headers, X_AMZ_DATE) {
            Some(text) => timestamp::parse(text.trim()),
            None => single(headers, DATE.as_str()).and_then(timestamp::parse_http),
        };
        let payload_line = single(headers, X_AMZ_CONTENT_SHA256).map(|text| text.trim().to_owned());
        let session_token = single(headers, X_AMZ_SECURITY_TOKEN).map(|text| text.trim().to_owned());
        let request = Self::of(
            &authorization.credential,
            authorization.signed_headers,
            authorization.signature.to_owned(),
            date.ok_or(SignatureError::MalformedDate)?,
            (payload_line, session_token),
            Form::Header,
        )?;
        if request.is_s3() && request.payload == PayloadKind::Absent {
            return Err(SignatureError::MissingContentSha256);
        }
        Ok(request)
    }

    fn from_query(
        query: presigned::Parameters,
        headers: &HeaderMap,
    ) -> Result<SignedRequest, SignatureError> {
        use presigned::{fault, required};
        query.check_algorithm()?;
        let credential_text = required(query.credential.clone(), "X-Amz-Credential")?;
        let credential =
            credential::Credential::parse(&credential_text).ok_or_else(|| fault(QueryFault::Credential))?;
        let date = required(query.date.clone(), "X-Amz-Date")?;
        let date = timestamp::parse(&date).ok_or_else(|| fault(QueryFault::Date))?;
        let names = required(query.signed_headers.clone(), "X-Amz-SignedHeaders")?;
        let names = credential::signed_headers(&names).ok_or_else(|| fault(QueryFault::SignedHeaders))?;
        let signature = required(query.signature.clone(), presigned::SIGNATURE)?;
        let form = Form::Presigned { expires: query.expires(credential.service == "s3")? };
        let declared = single(headers, X_AMZ_CONTENT_SHA256).map(|text| text.trim().to_owned());
        let payload_line = declared.or(query.content_sha256);
        let token = single(headers, X_AMZ_SECURITY_TOKEN).map(|text| text.trim().to_owned());
        let session_token = query.security_token.or(token);
        Self::of(&credential, names, signature, date, (payload_line, session_token), form)
    }

    fn of(
        credential: &credential::Credential<'_>,
        signed_headers: Vec<String>,
        signature: String,
        date: DateTime<Utc>,
        (payload_line, session_token): (Option<String>, Option<String>),
        form: Form,
    ) -> Result<SignedRequest, SignatureError> {
        if credential.terminator != credential::TERMINATOR {
            return Err(SignatureError::WrongTerminator { got: credential.terminator.to_owned() });
        }
        let payload = payload_line.as_deref().map_or(Ok(PayloadKind::Absent), PayloadKind::parse)?;
        Ok(SignedRequest {
            access_key_id: credential.access_key_id.to_owned(),
            scope_date: credential.date.to_owned(),
            region: credential.region.to_owned(),
            service: credential.service.to_owned(),
            signed_headers,
            signature,
            session_token,
            date,
            timestamp: timestamp::format(date),
            payload,
            payload_line,
            form,
        })
    }

    fn check_scope_date(self) -> Result<SignedRequest, SignatureError> {
        let day = verify::day(self.date);
        if self.scope_date != day {
            return Err(SignatureError::ScopeDate { scope: self.scope_date, date: day });
        }
        Ok(self)
    }

    /// The access key id that claims the request.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The region of the credential scope.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The service of the credential scope, as it signs: `s3`, `cloudtrail`, `sts`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The session token of temporary credentials.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// The request's date, to the second.
    pub fn date(&self) -> DateTime<Utc> {
        self.date
    }

    /// The signature as sent; lower-case hex if it is to be right.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The signed headers' names, lower case, sorted.
    pub fn signed_headers(&self) -> &[String] {
        &self.signed_headers
    }

    /// Whether the signature stands in the URL.
    pub fn is_presigned(&self) -> bool {
        matches!(self.form, Form::Presigned { .. })
    }

    /// What the request says about its body.
    pub fn payload(&self) -> PayloadKind {
        self.payload
    }

    fn is_s3(&self) -> bool {
        self.service == "s3"
    }
}

/// The header's value where it is text and given once. A repeated or unreadable one reads as absent here and still
/// takes its part in the signature.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    first.to_str().ok()
}
