//! What a request addresses: the bucket in its host, and the request without what only its signature needs.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts, uri::PathAndQuery};
use opentrail_vault::check_bucket_name;
use opentrail_wire::body::content_encoding_without_chunking;

use super::public_access;

/// Under this name, `BUCKET.localhost` is a bucket (RFC 6761: every name below it is this machine).
const DOMAIN: &str = ".localhost";

/// Query parameters that sign a request.
const SIGNING: &[&str] = &[
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// Headers that the protocol layer must not read: they sign or wrap the body, or are read by us, as HTTP
/// defines them and it does not.
const READ_BY_US: &[&str] = &[
    "authorization",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "x-amz-content-sha256",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
];

/// A request as its operation sees it.
pub(super) struct Addressed {
    /// The query's parameters, decoded, without those that sign.
    pub(super) query: Vec<(String, String)>,
    /// The signing parameters that a record shows.
    pub(super) signing: Vec<(String, String)>,
    /// Every header, and the headers that a presigned URL carries as parameters.
    pub(super) headers: HeaderMap,
    /// Path style, whatever the style was.
    pub(super) uri: Uri,
}

/// Reads what a request addresses; `None` where its URI can't be one of S3.
pub(super) fn read(parts: &Parts) -> Option<Addressed> {
    let mut headers = parts.headers.clone();
    let (mut query, mut signing, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for pair in parts.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = decoded(pair)?;
        let lower = name.to_ascii_lowercase();
        if SIGNING.contains(&lower.as_str()) {
            if matches!(&*lower, "x-amz-algorithm" | "x-amz-date" | "x-amz-expires" | "x-amz-signedheaders") {
                signing.push((name, value));
            }
            continue;
        }
        if lower.starts_with("x-amz-") {
            let name = HeaderName::from_bytes(lower.as_bytes()).ok()?;
            headers.entry(name).or_insert(HeaderValue::from_str(&value).ok()?);
        }
        kept.push(pair);
        query.push((name, value));
    }
    let is_control = public_access::is_of_control(parts.uri.path(), &parts.headers);
    let path = match bucket_in_host(parts).filter(|_| !is_control) {
        Some(bucket) => format!("/{bucket}{}", parts.uri.path()),
        None => parts.uri.path().to_owned(),
    };
    let target = if kept.is_empty() { path } else { format!("{path}?{}", kept.join("&")) };
    let uri = Uri::from(target.parse::<PathAndQuery>().ok()?);
    Some(Addressed { query, signing, headers, uri })
}

fn decoded(pair: &str) -> Option<(String, String)> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(pair).ok()?;
    pairs.into_iter().next()
}

/// The bucket that a virtual-hosted-style request names in its host.
fn bucket_in_host(parts: &Parts) -> Option<&str> {
    let host = match parts.headers.get(header::HOST) {
        Some(host) => host.to_str().ok()?,
        None => parts.uri.authority()?.as_str(),
    };
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let bucket = name.map_or(host, |(name, _)| name).strip_suffix(DOMAIN)?;
    check_bucket_name(bucket).is_ok().then_some(bucket)
}

/// The headers for the protocol layer: `length` is the content's, once it is unwrapped.
pub(super) fn plain_headers(headers: &HeaderMap, length: Option<u64>) -> HeaderMap {
    let mut plain = headers.clone();
    for name in READ_BY_US {
        plain.remove(*name);
    }
    let encoding = plain.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    if let Some(encoding) = encoding.map(content_encoding_without_chunking) {
        plain.remove(header::CONTENT_ENCODING);
        if let Some(value) = encoding.and_then(|encoding| HeaderValue::from_str(&encoding).ok()) {
            plain.insert(header::CONTENT_ENCODING, value);
        }
    }
    if let Some(length) = length {
        plain.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    plain
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::read;

    fn parts(uri: &str, host: &str) -> http::request::Parts {
        let request = Request::builder().uri(uri).header("host", host).body(()).expect("a request");
        request.into_parts().0
    }

    #[test]
    fn a_bucket_in_the_host_moves_into_the_path() {
        let addressed = read(&parts("/a%2Fb//c?tagging", "my.bucket.localhost:9000")).expect("read");
        assert_eq!(addressed.uri, "/my.bucket/a%2Fb//c?tagging");
        assert_eq!(read(&parts("/b/k", "localhost:9000")).expect("read").uri, "/b/k");
        assert_eq!(read(&parts("/b/k", "s3.localhost")).expect("read").uri, "/b/k", "s3 is no bucket's name");
    }

    #[test]
    fn what_signs_a_url_is_no_parameter_of_its_operation() {
        let addressed = read(&parts(
            "/b/k?X-Amz-Signature=f00&X-Amz-Credential=a&X-Amz-Expires=60&versionId=1&x-amz-acl=private",
            "h",
        ))
        .expect("read");
        assert_eq!(addressed.uri, "/b/k?versionId=1&x-amz-acl=private");
        assert_eq!(addressed.signing, [("X-Amz-Expires".to_owned(), "60".to_owned())]);
        assert_eq!(addressed.headers.get("x-amz-acl").map(|v| v.as_bytes()), Some(&b"private"[..]));
    }
}
