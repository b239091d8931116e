//! Signing requests: what a client does.

use chrono::{DateTime, Utc};
use http::{
    HeaderName, HeaderValue, Uri,
    header::{AUTHORIZATION, HOST, InvalidHeaderValue},
    request::Parts,
    uri::PathAndQuery,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    MAX_EXPIRES, X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, authorization::ALGORITHM, canonical,
    payload, presigned, signing_key::SigningKey, timestamp, verify,
};

/// Headers that proxies and HTTP clients change or add after signing.
const UNSIGNED_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// What a caller signs with.
#[derive(Clone)]
pub struct Credentials {
    /// Public; names the secret.
    pub access_key_id: String,
    /// Never leaves this process.
    pub secret: String,
    /// Comes with temporary credentials.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Why a request cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Neither a `Host` header nor a URI with an authority.
    #[error("the request names no host")]
    NoHost,
    /// Credentials, region or service hold characters that a header cannot.
    #[error("the credentials, region or service cannot stand in a header")]
    Header(#[from] InvalidHeaderValue),
    /// The presigned URL would not be one.
    #[error("the presigned URL is malformed")]
    Uri(#[from] http::Error),
    /// A life of zero, or of more than seven days.
    #[error("a presigned URL lives 1 to {MAX_EXPIRES} seconds, not {0}")]
    Expires(u32),
}

/// Signs `parts` by header: sets `host`, `x-amz-date`, with S3 `x-amz-content-sha256`, with temporary credentials
/// `x-amz-security-token`, and `authorization`. Signs every header that is there but those that are known to change
/// on the way.
///
/// `payload` is the body's SHA-256 in lower-case hex, or a marker such as [`super::UNSIGNED_PAYLOAD`].
///
/// # Errors
/// [`SignError`].
pub fn sign(
    parts: &mut Parts,
    credentials: &Credentials,
    region: &str,
    service: &str,
    payload: &str,
    now: DateTime<Utc>,
) -> Result<(), SignError> {
    set_host(parts)?;
    parts.headers.remove(AUTHORIZATION);
    let date = timestamp::format(now);
    parts.headers.insert(HeaderName::from_static(X_AMZ_DATE), HeaderValue::from_str(&date)?);
    if service == "s3" || parts.headers.contains_key(X_AMZ_CONTENT_SHA256) {
        let value = HeaderValue::from_str(payload)?;
        parts.headers.insert(HeaderName::from_static(X_AMZ_CONTENT_SHA256), value);
    }
    parts.headers.remove(X_AMZ_SECURITY_TOKEN);
    if let Some(token) = &credentials.session_token {
        let mut value = HeaderValue::from_str(token)?;
        value.set_sensitive(true);
        parts.headers.insert(HeaderName::from_static(X_AMZ_SECURITY_TOKEN), value);
    }
    let names = signable(parts);
    let scope = verify::scope(&date[..8], region, service);
    let signature = signature(parts, credentials, (region, service), &names, payload, &date);
    let value = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id,
        names.join(";")
    );
    parts.headers.insert(AUTHORIZATION, HeaderValue::from_str(&value)?);
    Ok(())
}

/// Presigns `parts`: appends the authentication parameters to its URI. Only `host` and the `x-amz-*` headers that are
/// there are signed; whoever uses the URL must send the same ones. With S3 the body is not signed; elsewhere it must
/// be empty.
///
/// # Errors
/// [`SignError`].
pub fn presign(
    parts: &mut Parts,
    credentials: &Credentials,
    region: &str,
    service: &str,
    expires_seconds: u32,
    now: DateTime<Utc>,
) -> Result<(), SignError> {
    if !(1..=MAX_EXPIRES).contains(&expires_seconds) {
        return Err(SignError::Expires(expires_seconds));
    }
    set_host(parts)?;
    parts.headers.remove(AUTHORIZATION);
    let mut names = signable(parts);
    names.retain(|name| name == HOST.as_str() || name.starts_with("x-amz-"));
    let date = timestamp::format(now);
    let scope = verify::scope(&date[..8], region, service);
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut query = match parts.uri.query() {
        Some(query) if !query.is_empty() => format!("{query}&"),
        _ => String::new(),
    };
    let credential = encode(&format!("{}/{scope}", credentials.access_key_id));
    query.push_str(&format!(
        "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential={credential}&X-Amz-Date={date}&X-Amz-Expires={expires_seconds}&X-Amz-SignedHeaders={}",
        encode(&names.join(";"))
    ));
    if let Some(token) = &credentials.session_token {
        query.push_str(&format!("&X-Amz-Security-Token={}", encode(token)));
    }
    set_query(parts, &query)?;
    let payload = if service == "s3" { payload::UNSIGNED_PAYLOAD } else { payload::EMPTY_SHA256 };
    let signature = signature(parts, credentials, (region, service), &names, payload, &date);
    set_query(parts, &format!("{query}&{}={signature}", presigned::SIGNATURE))
}

/// The names of the headers to sign, sorted.
fn signable(parts: &Parts) -> Vec<String> {
    let names = parts.headers.keys().map(HeaderName::as_str);
    let mut names: Vec<String> =
        names.filter(|name| !UNSIGNED_HEADERS.contains(name)).map(str::to_owned).collect();
    names.sort_unstable();
    names
}

fn signature(
    parts: &Parts,
    credentials: &Credentials,
    (region, service): (&str, &str),
    names: &[String],
    payload: &str,
    date: &str,
) -> String {
    let lines = canonical::header_lines(&parts.headers, &parts.uri, names);
    let path = canonical::path_spellings(parts.uri.path(), service == "s3").swap_remove(0);
    let query = canonical::query_spellings(parts.uri.query().unwrap_or("")).swap_remove(0);
    let request = canonical::request(parts.method.as_str(), &path, &query, &lines, &names.join(";"), payload);
    let scope = verify::scope(&date[..8], region, service);
    let key = SigningKey::derive(&credentials.secret, &date[..8], region, service);
    key.sign(verify::string_to_sign(date, &scope, &request).as_bytes())
}

/// Sets `Host` from the URI where it is absent, without the scheme's own port, as HTTP clients send it.
fn set_host(parts: &mut Parts) -> Result<(), SignError> {
    if parts.headers.contains_key(HOST) {
        return Ok(());
    }
    let authority = parts.uri.authority().ok_or(SignError::NoHost)?;
    let default_port = match parts.uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    };
    let host = match authority.port_u16() {
        Some(port) if Some(port) != default_port => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    parts.headers.insert(HOST, HeaderValue::from_str(&host)?);
    Ok(())
}

fn set_query(parts: &mut Parts, query: &str) -> Result<(), SignError> {
    let path = PathAndQuery::try_from(format!("{}?{query}", parts.uri.path())).map_err(http::Error::from)?;
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(path);
    parts.uri = Uri::from_parts(uri).map_err(http::Error::from)?;
    Ok(())
}
