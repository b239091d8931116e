//! Signature Version 4 against the requests that botocore signs.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderName, HeaderValue, Method, Request, request::Parts};
use opentrail_wire::sigv4::{PayloadKind, SignatureError, SignedRequest};
use serde::Deserialize;

const SEED: &str = "20131101";
const CASES: usize = 400;

#[derive(Clone, Debug, Deserialize)]
struct Case {
    kind: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    access_key_id: String,
    secret: String,
    token: Option<String>,
    region: String,
    service: String,
    now: i64,
}

impl Case {
    fn parts(&self) -> Parts {
        let mut request = Request::builder().method(self.method.as_str()).uri(self.target.as_str());
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        request.body(()).unwrap_or_else(|error| panic!("{error}: {self:?}")).into_parts().0
    }

    fn body(&self) -> Vec<u8> {
        BASE64_STANDARD.decode(&self.body).unwrap()
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.now, 0).unwrap()
    }
}

fn cases() -> Vec<Case> {
    let python = std::env::var("OPENTRAIL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sign_with_botocore.py");
    let output = Command::new(&python).args([script, SEED, &CASES.to_string()]).output();
    let output = output
        .unwrap_or_else(|error| panic!("{python}: {error}; `make test` prepares a Python with botocore"));
    assert!(
        output.status.success(),
        "{python} cannot sign with botocore; `make test` prepares a Python that can (OPENTRAIL_TEST_PYTHON).\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sha256(data: &[u8]) -> [u8; 32] {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data).as_ref().try_into().unwrap()
}

fn verify(case: &Case, parts: &Parts, body: &[u8]) -> Result<SignedRequest, SignatureError> {
    let signed = SignedRequest::read(parts)?.expect("the request carries a signature");
    let hash = if signed.payload().is_streaming() { None } else { Some(sha256(body)) };
    signed.verify(parts, &case.secret, case.now(), hash)?;
    Ok(signed)
}

#[test]
fn takes_what_botocore_signs_and_refuses_what_was_changed() {
    let cases = cases();
    assert_eq!(cases.len(), CASES);
    for case in &cases {
        let parts = case.parts();
        let signed =
            verify(case, &parts, &case.body()).unwrap_or_else(|error| panic!("{error:?}\n{case:#?}"));
        assert_eq!(signed.access_key_id(), case.access_key_id);
        assert_eq!((signed.region(), signed.service()), (case.region.as_str(), case.service.as_str()));
        assert_eq!(signed.session_token(), case.token.as_deref());
        assert_eq!(signed.date(), case.now());
        assert_eq!(signed.is_presigned(), case.kind.ends_with("query"));
        refuses_changes(case, &parts, &signed);
    }
}

fn refuses_changes(case: &Case, parts: &Parts, signed: &SignedRequest) {
    let body = case.body();
    let refused = |what: &str, change: &dyn Fn(&mut Parts)| {
        let mut changed = parts.clone();
        change(&mut changed);
        assert!(verify(case, &changed, &body).is_err(), "{what} changed, yet verified: {changed:?}");
    };
    refused("method", &|parts| {
        parts.method = if parts.method == Method::GET { Method::PUT } else { Method::GET };
    });
    let path = parts.uri.path();
    let query = parts.uri.query().map_or(String::new(), |query| format!("?{query}"));
    refused("path", &|parts| parts.uri = format!("{path}x{query}").parse().unwrap());
    let separator = if query.is_empty() { "?" } else { "&" };
    refused("query", &|parts| parts.uri = format!("{path}{query}{separator}zz=1").parse().unwrap());
    for name in signed.signed_headers() {
        let name: HeaderName = name.parse().unwrap();
        refused(name.as_str(), &|parts| {
            let mut value = parts.headers[&name].as_bytes().to_vec();
            value.push(b'x');
            parts.headers.insert(name.clone(), HeaderValue::from_bytes(&value).unwrap());
        });
    }
    if matches!(signed.payload(), PayloadKind::Hash(_)) {
        let mut other = body.clone();
        other.push(b'x');
        let error = verify(case, parts, &other).unwrap_err();
        assert!(matches!(error, SignatureError::PayloadMismatch { .. }), "{error:?}");
    } else if signed.payload() == PayloadKind::Absent && case.service != "s3" {
        assert!(verify(case, parts, b"another body").is_err());
    }
    refused("signature", &|parts| flip_signature(parts, signed));
    refuses_other_secret_and_time(case, parts, signed, &body);
}

fn flip_signature(parts: &mut Parts, signed: &SignedRequest) {
    let mut flipped = signed.signature().to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == '0' { '1' } else { '0' });
    if signed.is_presigned() {
        let target = parts.uri.to_string().replace(signed.signature(), &flipped);
        parts.uri = target.parse().unwrap();
    } else {
        let value = parts.headers["authorization"].to_str().unwrap().replace(signed.signature(), &flipped);
        parts.headers.insert("authorization", value.parse().unwrap());
    }
}

fn refuses_other_secret_and_time(case: &Case, parts: &Parts, signed: &SignedRequest, body: &[u8]) {
    let hash = if signed.payload().is_streaming() { None } else { Some(sha256(body)) };
    let error = signed.verify(parts, "another secret", case.now(), hash).unwrap_err();
    assert!(matches!(error, SignatureError::SignatureMismatch { .. }), "{error:?}");
    let later = case.now() + TimeDelta::days(8);
    let error = signed.verify(parts, &case.secret, later, hash).unwrap_err();
    assert!(
        matches!(
            error,
            SignatureError::PresignedExpired { .. } | SignatureError::RequestTimeTooSkewed { .. }
        ),
        "{error:?}"
    );
    let mut other_second = case.clone();
    let stamp = case.now().format("%Y%m%dT%H%M%SZ").to_string();
    let moved =
        case.now().format("%Y%m%dT%H%M").to_string() + if stamp.ends_with("00Z") { "01Z" } else { "00Z" };
    other_second.target = other_second.target.replace(&stamp, &moved);
    for (name, value) in &mut other_second.headers {
        if name.eq_ignore_ascii_case("x-amz-date") || name.eq_ignore_ascii_case("date") {
            *value = moved.clone();
        }
    }
    assert!(verify(case, &other_second.parts(), body).is_err(), "date changed, yet verified: {case:?}");
}
