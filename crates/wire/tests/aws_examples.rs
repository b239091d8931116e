//! The signatures that AWS's own documentation gives.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod streams;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Request, request::Parts};
use opentrail_wire::{
    body::{ChunkedBody, PayloadBody},
    sigv4::{Credentials, EMPTY_SHA256, PayloadKind, SignedRequest, Verified, presign, sign},
};
use streams::{drain, in_frames};

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn documented_time() -> DateTime<Utc> {
    "2013-05-24T00:00:00Z".parse().unwrap()
}

fn credentials() -> Credentials {
    Credentials { access_key_id: ACCESS_KEY.to_owned(), secret: SECRET.to_owned(), session_token: None }
}

fn parts(method: &str, url: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn signature(parts: &Parts) -> String {
    let signed = SignedRequest::read(parts).unwrap().unwrap();
    signed.verify(parts, SECRET, documented_time(), None).unwrap();
    signed.signature().to_owned()
}

/// Amazon S3 API reference, "Signature calculations … Transferring payload in a single chunk".
#[test]
fn signs_the_single_chunk_examples() {
    let base = "https://examplebucket.s3.amazonaws.com";
    let put_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    for (method, target, headers, payload, expected) in [
        (
            "GET",
            "/test.txt",
            vec![("range", "bytes=0-9")],
            EMPTY_SHA256,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            vec![("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            put_hash,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            vec![],
            EMPTY_SHA256,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            vec![],
            EMPTY_SHA256,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let mut parts = parts(method, &format!("{base}{target}"), &headers);
        sign(&mut parts, &credentials(), "us-east-1", "s3", payload, documented_time()).unwrap();
        assert_eq!(signature(&parts), expected, "{target}");
    }
}

/// Amazon S3 API reference, "Authenticating requests: using query parameters".
#[test]
fn presigns_the_documented_url() {
    let mut parts = parts("GET", "https://examplebucket.s3.amazonaws.com/test.txt", &[]);
    presign(&mut parts, &credentials(), "us-east-1", "s3", 86_400, documented_time()).unwrap();
    assert_eq!(signature(&parts), "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

/// The request of the streaming examples (66,560 bytes of `a` in chunks of 65,536), signed as they say.
fn streaming_request(marker: &str, extra: (&str, &str), seed: &str) -> (Verified, HeaderMap) {
    let mut headers = vec![
        ("host", "s3.amazonaws.com"),
        ("content-encoding", "aws-chunked"),
        extra,
        ("x-amz-content-sha256", marker),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request,SignedHeaders={},Signature={seed}",
        names.join(";")
    );
    headers.push(("authorization", &authorization));
    let parts = parts("PUT", "/examplebucket/chunkObject.txt", &headers);
    let signed = SignedRequest::read(&parts).unwrap().unwrap();
    let verified = signed.verify(&parts, SECRET, documented_time(), None).unwrap();
    (verified, parts.headers)
}

fn documented_chunks(signatures: [&str; 3]) -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [65_536usize, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        if size > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body
}

/// Amazon S3 API reference, "Transferring payload in multiple chunks".
#[test]
fn decodes_the_documented_chunked_upload() {
    let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    let extra = ("content-length", "66824");
    let (verified, headers) = streaming_request("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", extra, seed);
    let mut body = documented_chunks([
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]);
    body.extend_from_slice(b"\r\n");
    assert_eq!(body.len(), 66_824);
    for size in [1, 100, 8192, 100_000] {
        let decoded = PayloadBody::new(in_frames(&body, size), Some(&verified), &headers).unwrap();
        assert_eq!(decoded.decoded_length(), Some(66_560));
        let (data, error) = drain(decoded);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(data, vec![b'a'; 66_560]);
    }
}

/// Amazon S3 API reference, "Including trailing headers".
#[test]
fn decodes_the_documented_trailing_upload() {
    let marker = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let (verified, headers) = streaming_request(marker, ("x-amz-trailer", "x-amz-checksum-crc32c"), seed);
    let chunks = documented_chunks([
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]);
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    for line_end in ["\r\n", "\n\r\n"] {
        let trailers =
            format!("x-amz-checksum-crc32c:sOO8/Q=={line_end}x-amz-trailer-signature:{signature}\r\n\r\n");
        let body = [chunks.as_slice(), trailers.as_bytes()].concat();
        let kind = PayloadKind::StreamingSignedTrailer;
        let decoded = ChunkedBody::new(in_frames(&body, 1000), Some(&verified), kind, &headers).unwrap();
        let trailers = decoded.trailers();
        assert!(trailers.get().is_empty());
        let (data, error) = drain(decoded);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(data.len(), 66_560);
        assert_eq!(trailers.value("x-amz-checksum-crc32c"), Some("sOO8/Q=="));
    }
}
