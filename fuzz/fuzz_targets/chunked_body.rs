//! aws-chunked bodies with trailers.
#![no_main]

use bytes::Bytes;
use futures::executor::block_on;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use opentrail_wire::body::PayloadBody;

fuzz_target!(|body: &[u8]| {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-content-sha256", HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
    headers.insert("x-amz-trailer", HeaderValue::from_static("x-amz-checksum-crc32"));
    headers.insert("x-amz-decoded-content-length", HeaderValue::from_static("5"));
    let inner = Full::new(Bytes::copy_from_slice(body));
    if let Ok(decoded) = PayloadBody::new(inner, None, &headers)
        && let Ok(collected) = block_on(decoded.collect())
    {
        assert_eq!(collected.to_bytes().len(), 5);
    }
});
