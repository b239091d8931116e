//! Nothing that a client can send makes the door panic, and what is signed is taken back.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod chunk_writer;
mod streams;

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use chunk_writer::{signed_chunks, signed_trailer, unsigned_chunks, verified};
use http::{HeaderValue, Request, request::Parts};
use opentrail_wire::{
    body::{Checksum, ChecksumAlgorithm, PayloadBody},
    sigv4::{Credentials, Family, SignedRequest, UNSIGNED_PAYLOAD, presign, sign},
};
use proptest::prelude::*;
use streams::{drain, in_frames};

fn now() -> DateTime<Utc> {
    "2024-01-02T03:04:05Z".parse().unwrap()
}

fn credentials(session_token: Option<String>) -> Credentials {
    Credentials { access_key_id: "AKIAEXAMPLE".into(), secret: "secret".into(), session_token }
}

/// Pieces of the grammar, so that arbitrary text gets past its first characters.
fn authorization() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("AWS4-HMAC-SHA256 ".to_owned()),
        Just("Credential=AKIA/20240102/us-east-1/s3/aws4_request".to_owned()),
        Just("SignedHeaders=host;x-amz-date".to_owned()),
        Just("Signature=00".to_owned()),
        Just(", ".to_owned()),
        "[ -~]{0,12}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned()),
        Just("X-Amz-Credential=AKIA%2F20240102%2Fus-east-1%2Fs3%2Faws4_request".to_owned()),
        Just("X-Amz-Date=20240102T030405Z".to_owned()),
        Just("X-Amz-Expires=60".to_owned()),
        Just("X-Amz-SignedHeaders=host".to_owned()),
        Just("X-Amz-Signature=00".to_owned()),
        "[A-Za-z-]{0,4}=[a-zA-Z0-9%+&=._~-]{0,12}",
    ];
    prop::collection::vec(name, 0..8).prop_map(|pairs| pairs.join("&"))
}

fn judge(parts: &Parts) {
    let result = match SignedRequest::read(parts) {
        Ok(Some(signed)) => signed.verify(parts, "secret", now(), None).map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        for family in [Family::S3, Family::Query, Family::Json] {
            let (code, status) = error.code(family);
            assert!(!code.is_empty() && (400..500).contains(&status) && !error.message(family).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_header_is_judged(text in authorization(), date in "[0-9TZ:éa-z -]{0,20}", hash in "[A-Za-z0-9-]{0,70}") {
        let mut request = Request::get("/a?b=c");
        for (name, value) in [("authorization", &text), ("x-amz-date", &date), ("x-amz-content-sha256", &hash)] {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                request = request.header(name, value);
            }
        }
        judge(&request.body(()).unwrap().into_parts().0);
    }

    #[test]
    fn any_url_is_judged(path in "/[a-zA-Z0-9%/.+!*'()-]{0,20}", query in query()) {
        judge(&Request::get(format!("{path}?{query}")).body(()).unwrap().into_parts().0);
    }

    #[test]
    fn what_is_signed_is_taken(
        path in "/[a-zA-Z0-9%/.+!*'()-]{0,20}",
        query in "[a-zA-Z0-9%+&=._~/-]{0,30}",
        value in "[ -~]{0,20}",
        token in prop::option::of("[a-zA-Z0-9+/=]{1,40}"),
        service in prop_oneof![Just("s3"), Just("cloudtrail")],
        by_url in any::<bool>(),
    ) {
        prop_assume!(!query.contains("X-Amz") && !query.contains("Signature"));
        let request = Request::get(format!("http://localhost:4566{path}?{query}")).header("x-amz-meta-a", value);
        let mut parts = request.body(()).unwrap().into_parts().0;
        let credentials = credentials(token.clone());
        if by_url {
            presign(&mut parts, &credentials, "us-east-1", service, 60, now()).unwrap();
        } else {
            sign(&mut parts, &credentials, "us-east-1", service, UNSIGNED_PAYLOAD, now()).unwrap();
        }
        let signed = SignedRequest::read(&parts).unwrap().unwrap();
        prop_assert_eq!(signed.session_token(), token.as_deref());
        if by_url || service == "s3" {
            prop_assert!(signed.verify(&parts, "secret", now(), None).is_ok());
        }
    }

    #[test]
    fn any_body_is_judged(body in "[0-9a-f;=\r\nx-]{0,200}", frame in 1usize..50, marker in 0usize..3) {
        let marker = [
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        ][marker];
        let (verified, headers) = verified(marker, 10, None);
        let (data, error) =
            drain(PayloadBody::new(in_frames(body.as_bytes(), frame), Some(&verified), &headers).unwrap());
        prop_assert!(data.len() <= 10);
        prop_assert!(error.is_none_or(|error| !error.code().0.is_empty()));
    }

    #[test]
    fn what_clients_write_is_read(
        data in prop::collection::vec(any::<u8>(), 0..300),
        chunk in 1usize..100,
        frame in 1usize..400,
        algorithm in prop::sample::select(&ChecksumAlgorithm::ALL[..]),
        signed in any::<bool>(),
    ) {
        let mut checksum = Checksum::new(algorithm);
        checksum.update(&data);
        let (name, value) = (algorithm.header_name(), BASE64_STANDARD.encode(checksum.finish()));
        let marker = if signed {
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        } else {
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        };
        let (verified, headers) = verified(marker, data.len(), Some(name));
        let (mut body, tail) = if signed {
            let (body, last) = signed_chunks(&verified, &data, chunk);
            (body, signed_trailer(&last, name, &value))
        } else {
            (unsigned_chunks(&data, chunk), format!("{name}:{value}\r\n\r\n"))
        };
        body.extend_from_slice(tail.as_bytes());
        let decoded = PayloadBody::new(in_frames(&body, frame), Some(&verified), &headers).unwrap();
        let trailers = decoded.trailers();
        let (decoded, error) = drain(decoded);
        prop_assert!(error.is_none(), "{:?}", error);
        prop_assert_eq!(decoded, data);
        prop_assert_eq!(trailers.value(name), Some(value.as_str()));
    }

    #[test]
    fn one_changed_byte_never_passes_as_the_body(
        data in prop::collection::vec(any::<u8>(), 1..300),
        chunk in 1usize..100,
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (verified, headers) = verified("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", data.len(), None);
        let mut body = signed_chunks(&verified, &data, chunk).0;
        let at = at.index(body.len());
        body[at] ^= flip;
        let (decoded, error) = drain(PayloadBody::new(in_frames(&body, 64), Some(&verified), &headers).unwrap());
        // A change that means the same (the case of a hexadecimal digit) may pass; the data may not differ.
        prop_assert!(error.is_some() || decoded == data);
    }
}
