//! Writes aws-chunked bodies as clients do, with its own reading of the documentation.

use aws_lc_rs::{digest, hmac};
use chrono::{DateTime, Utc};
use http::{HeaderMap, Request};
use opentrail_wire::sigv4::{Credentials, SignedRequest, Verified, sign};

const SECRET: &str = "secret";

fn now() -> DateTime<Utc> {
    "2024-01-02T03:04:05Z".parse().unwrap()
}

/// A verified request that announces `length` decoded bytes by `marker`, and its headers.
pub(crate) fn verified(marker: &str, length: usize, trailer: Option<&str>) -> (Verified, HeaderMap) {
    let length = length.to_string();
    let mut request = Request::put("/bucket/key").header("host", "localhost");
    request = request.header("x-amz-decoded-content-length", &length);
    if let Some(trailer) = trailer {
        request = request.header("x-amz-trailer", trailer);
    }
    let mut parts = request.body(()).unwrap().into_parts().0;
    let credentials =
        Credentials { access_key_id: "AKIAEXAMPLE".into(), secret: SECRET.into(), session_token: None };
    sign(&mut parts, &credentials, "us-east-1", "s3", marker, now()).unwrap();
    let signed = SignedRequest::read(&parts).unwrap().unwrap();
    (signed.verify(&parts, SECRET, now(), None).unwrap(), parts.headers)
}

/// The chunks of `data`, unsigned, with the last one; trailers are to follow.
pub(crate) fn unsigned_chunks(data: &[u8], size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in data.chunks(size) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    body
}

/// The chunks of `data`, signed, with the last one, and the last signature; trailers are to follow.
pub(crate) fn signed_chunks(verified: &Verified, data: &[u8], size: usize) -> (Vec<u8>, String) {
    let mut body = Vec::new();
    let mut previous = verified.seed_signature().to_owned();
    for chunk in data.chunks(size).chain([&[][..]]) {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n20240102T030405Z\n20240102/us-east-1/s3/aws4_request\n{previous}\n{}\n{}",
            sha256(b""),
            sha256(chunk)
        );
        previous = signature(&text);
        body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        if !chunk.is_empty() {
            body.extend_from_slice(b"\r\n");
        }
    }
    (body, previous)
}

/// `name:value` and its signature as the trailers of a body whose last chunk's signature is `previous`.
pub(crate) fn signed_trailer(previous: &str, name: &str, value: &str) -> String {
    let hash = sha256(format!("{name}:{value}\n").as_bytes());
    let text = format!(
        "AWS4-HMAC-SHA256-TRAILER\n20240102T030405Z\n20240102/us-east-1/s3/aws4_request\n{previous}\n{hash}"
    );
    format!("{name}:{value}\r\nx-amz-trailer-signature:{}\r\n\r\n", signature(&text))
}

fn signature(text: &str) -> String {
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in ["20240102", "us-east-1", "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    hex::encode(mac(&key, text))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}
