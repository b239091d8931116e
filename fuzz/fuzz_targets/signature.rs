//! Authorization headers and presigned queries: the first line is the query, the second the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opentrail_wire::sigv4::SignedRequest;

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let (query, header) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let request = http::Request::builder()
        .method("PUT")
        .uri(format!("http://localhost/a%20b/../c?{query}"))
        .header("host", "localhost")
        .header("x-amz-date", "20261121T000000Z")
        .header("x-amz-content-sha256", lines.next().unwrap_or("UNSIGNED-PAYLOAD"))
        .header("authorization", header)
        .body(());
    let Ok(request) = request else { return };
    let (parts, ()) = request.into_parts();
    if let Ok(Some(signed)) = SignedRequest::read(&parts) {
        let now = chrono::DateTime::from_timestamp(1_795_219_200, 0).unwrap_or_default();
        assert!(signed.verify(&parts, "secret", now, None).is_err() || signed.signature().len() == 64);
    }
});
