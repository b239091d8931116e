//! Decoding aws-chunked bodies, and each way they can be wrong.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod chunk_writer;
mod streams;

use base64::{Engine, prelude::BASE64_STANDARD};
use chunk_writer::{signed_chunks, signed_trailer, unsigned_chunks, verified};
use http::HeaderMap;
use http_body_util::BodyExt;
use opentrail_wire::{
    body::{
        BodyError, Checksum, ChecksumAlgorithm, ChunkFault, HashedBody, MAX_CHUNK_HEADER, MAX_TRAILERS,
        PayloadBody,
    },
    sigv4::Verified,
};
use streams::{drain, in_frames};

const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const CRC32: &str = "x-amz-checksum-crc32";

fn data() -> Vec<u8> {
    (0..10_000u32).flat_map(|number| number.to_le_bytes()).collect()
}

fn checksum(algorithm: ChecksumAlgorithm, data: &[u8]) -> String {
    let mut checksum = Checksum::new(algorithm);
    checksum.update(data);
    BASE64_STANDARD.encode(checksum.finish())
}

/// The bytes and the error that the body decodes to, whole and in single bytes: the same.
fn decode(request: &(Verified, HeaderMap), body: &[u8]) -> (Vec<u8>, Option<BodyError>) {
    let open = |size| PayloadBody::new(in_frames(body, size), Some(&request.0), &request.1).unwrap();
    let (data, error) = drain(open(1));
    let (whole, whole_error) = drain(open(usize::MAX));
    assert_eq!(error.as_ref().map(ToString::to_string), whole_error.as_ref().map(ToString::to_string));
    assert_eq!(data, whole);
    (data, error)
}

fn refused(request: &(Verified, HeaderMap), body: &[u8]) -> BodyError {
    decode(request, body).1.expect("the body is bad")
}

#[test]
fn unsigned_chunks_with_each_checksum() {
    let data = data();
    for algorithm in ChecksumAlgorithm::ALL {
        let request = verified(UNSIGNED_TRAILER, data.len(), Some(algorithm.header_name()));
        let value = checksum(algorithm, &data);
        let tail = format!("{}:{value}\r\n\r\n", algorithm.header_name());
        let body = [unsigned_chunks(&data, 8192).as_slice(), tail.as_bytes()].concat();
        let decoded = PayloadBody::new(in_frames(&body, 777), Some(&request.0), &request.1).unwrap();
        let trailers = decoded.trailers();
        let (decoded, error) = drain(decoded);
        assert!(error.is_none(), "{algorithm:?}: {error:?}");
        assert_eq!(decoded, data);
        assert_eq!(trailers.get(), [(algorithm.header_name().to_owned(), value)]);
    }
}

#[test]
fn signed_chunks_of_any_size() {
    let data = data();
    let request = verified(SIGNED, data.len(), None);
    for size in [1000, 8192, 40_000, 100_000] {
        let mut body = signed_chunks(&request.0, &data, size).0;
        body.extend_from_slice(b"\r\n");
        let (decoded, error) = decode(&request, &body);
        assert!(error.is_none(), "{size}: {error:?}");
        assert_eq!(decoded, data);
    }
    let empty = verified(SIGNED, 0, None);
    let body = signed_chunks(&empty.0, &[], 1).0;
    assert!(matches!(decode(&empty, &body), (data, None) if data.is_empty()));
}

#[test]
fn a_chunk_that_was_changed_ends_the_body_with_an_error() {
    let data = data();
    let request = verified(SIGNED, data.len(), None);
    let mut body = signed_chunks(&request.0, &data, 16_384).0;
    let second = 16_384 + 300;
    body[second] ^= 1;
    let (decoded, error) = decode(&request, &body);
    assert_eq!(decoded.len(), 2 * 16_384, "nothing after the chunk that is bad");
    let error = error.unwrap();
    assert!(matches!(error, BodyError::SignatureMismatch), "{error:?}");
    assert_eq!(error.code(), ("SignatureDoesNotMatch", 403));
}

#[test]
fn chunks_cannot_be_left_out_or_swapped() {
    let data = data();
    let request = verified(SIGNED, data.len(), None);
    let body = signed_chunks(&request.0, &data, 20_000).0;
    let header = body.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let whole = header + 20_002;
    let without_first = &body[whole..];
    assert!(matches!(refused(&request, without_first), BodyError::SignatureMismatch));
    let swapped = [&body[whole..2 * whole], &body[..whole], &body[2 * whole..]].concat();
    assert!(matches!(refused(&request, &swapped), BodyError::SignatureMismatch));
}

#[test]
fn a_signed_chunk_needs_its_signature() {
    let request = verified(SIGNED, 3, None);
    let error = refused(&request, b"3\r\nabc\r\n0\r\n\r\n");
    assert!(matches!(error, BodyError::MalformedChunk(ChunkFault::Signature)), "{error:?}");
    let error = refused(&request, b"3;chunk-signature=\r\nabc\r\n0;chunk-signature=\r\n\r\n");
    assert!(matches!(error, BodyError::SignatureMismatch), "{error:?}");
}

#[test]
fn a_signed_chunk_of_any_size_takes_no_memory() {
    let length = 1_usize << 40;
    let request = verified(SIGNED, length, None);
    let begun = [format!("{length:x};chunk-signature=00\r\n").as_bytes(), &[7; 100_000]].concat();
    let mut body = PayloadBody::new(in_frames(&begun, 1000), Some(&request.0), &request.1).unwrap();
    let mut came = 0;
    let error = futures::executor::block_on(async {
        loop {
            match body.frame().await.expect("the body is not whole") {
                Ok(frame) => came += frame.into_data().unwrap().len(),
                Err(error) => return error,
            }
        }
    });
    assert_eq!(came, 100_000, "handed on while the chunk is still coming");
    assert!(matches!(error, BodyError::Incomplete), "{error:?}");
}

#[test]
fn chunk_headers_are_bounded_and_well_formed() {
    let request = verified(UNSIGNED_TRAILER, 3, None);
    let long = vec![b'0'; MAX_CHUNK_HEADER + 1];
    for (body, fault) in [
        (long.as_slice(), ChunkFault::HeaderTooLong),
        (b"x\r\n", ChunkFault::Size),
        (b"\r\n", ChunkFault::Size),
        (b"3\nabc\r\n", ChunkFault::LineEnd),
        (b"3\r\nabcd\r\n", ChunkFault::LineEnd),
    ] {
        let error = refused(&request, body);
        assert!(matches!(error, BodyError::MalformedChunk(found) if found == fault), "{fault:?}: {error:?}");
        assert_eq!(error.code(), ("InvalidRequest", 400));
    }
}

#[test]
fn the_decoded_length_is_kept() {
    let request = verified(UNSIGNED_TRAILER, 3, None);
    for short in
        [&b""[..], b"3", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r\n", b"3\r\nabc\r\n0", b"2\r\nab\r\n0\r\n\r\n"]
    {
        let error = refused(&request, short);
        assert!(matches!(error, BodyError::Incomplete), "{short:?}: {error:?}");
        assert_eq!(error.code(), ("IncompleteBody", 400));
    }
    for long in [&b"4\r\nabcd\r\n0\r\n\r\n"[..], b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", b"ffffffffffffffff\r\n"]
    {
        assert!(matches!(refused(&request, long), BodyError::TooLong), "{long:?}");
    }
}

#[test]
fn streaming_needs_a_decoded_length() {
    let (verified, mut headers) = verified(UNSIGNED_TRAILER, 3, None);
    for value in ["", "-1", "+3", "3x", "99999999999999999999"] {
        headers.insert("x-amz-decoded-content-length", value.parse().unwrap());
        let error = PayloadBody::new(in_frames(b"", 1), Some(&verified), &headers).err().expect(value);
        assert_eq!(error.code(), ("MissingContentLength", 411), "{value:?}");
    }
}

#[test]
fn trailers_are_those_declared() {
    let value = checksum(ChecksumAlgorithm::Crc32, b"abc");
    let declared = verified(UNSIGNED_TRAILER, 3, Some(CRC32));
    let undeclared = verified(UNSIGNED_TRAILER, 3, None);
    let line = format!("{CRC32}:{value}\r\n");
    for (request, tail) in [
        (&declared, "\r\n".to_owned()),
        (&declared, format!("x-amz-checksum-crc32c:{value}\r\n\r\n")),
        (&declared, format!("{line}x-other:1\r\n\r\n")),
        (&declared, format!("{line}{line}\r\n")),
        (&declared, format!("{line}x-amz-trailer-signature:00\r\n\r\n")),
        (&declared, "no colon\r\n\r\n".to_owned()),
        (&declared, format!("{CRC32}:{}\r\n\r\n", "A".repeat(MAX_TRAILERS))),
        (&undeclared, format!("{line}\r\n")),
    ] {
        let body = [b"3\r\nabc\r\n0\r\n", tail.as_bytes()].concat();
        let error = refused(request, &body);
        assert!(matches!(error, BodyError::MalformedTrailer), "{tail}: {error:?}");
        assert_eq!(error.code(), ("MalformedTrailerError", 400));
    }
    let body = [&b"3\r\nabc\r\n0\r\n"[..], b"\xff:1\r\n\r\n"].concat();
    assert!(matches!(refused(&declared, &body), BodyError::MalformedTrailer));
}

#[test]
fn only_checksums_can_be_declared() {
    for trailer in ["x-amz-meta-a", "x-amz-checksum-md4"] {
        let (verified, headers) = verified(UNSIGNED_TRAILER, 3, Some(trailer));
        let error = PayloadBody::new(in_frames(b"", 1), Some(&verified), &headers).err().expect(trailer);
        assert!(matches!(error, BodyError::UnsupportedTrailer { .. }), "{error:?}");
    }
    let two = "x-amz-checksum-crc32,x-amz-checksum-sha1";
    let (verified, headers) = verified(UNSIGNED_TRAILER, 3, Some(two));
    let error = PayloadBody::new(in_frames(b"", 1), Some(&verified), &headers).err().expect(two);
    assert!(matches!(error, BodyError::MalformedTrailer), "{error:?}");
}

#[test]
fn trailing_checksums_are_checked() {
    let request = verified(UNSIGNED_TRAILER, 3, Some(CRC32));
    let body = |value: &str| format!("3\r\nabc\r\n0\r\n{CRC32}:{value}\r\n\r\n");
    let error = refused(&request, body("AAAAAA==").as_bytes());
    assert!(matches!(error, BodyError::BadDigest { algorithm: ChecksumAlgorithm::Crc32 }), "{error:?}");
    assert_eq!(error.to_string(), "The CRC32 you specified did not match the calculated checksum.");
    for value in ["", "AAAA", "not base64"] {
        let error = refused(&request, body(value).as_bytes());
        assert_eq!(error.to_string(), "Value for x-amz-checksum-crc32 header is invalid.", "{value}");
        assert_eq!(error.code(), ("InvalidRequest", 400));
    }
}

#[test]
fn signed_trailers_are_checked() {
    let data = data();
    let request = verified(SIGNED_TRAILER, data.len(), Some(CRC32));
    let (chunks, last) = signed_chunks(&request.0, &data, 16_384);
    let value = checksum(ChecksumAlgorithm::Crc32, &data);
    let body = |tail: &str| [chunks.as_slice(), tail.as_bytes()].concat();
    let tail = signed_trailer(&last, CRC32, &value);
    assert!(decode(&request, &body(&tail)).1.is_none());
    let other_value = tail.replace(&value, "AAAAAA==");
    assert!(matches!(refused(&request, &body(&other_value)), BodyError::SignatureMismatch));
    let other_chain = signed_trailer(request.0.seed_signature(), CRC32, &value);
    assert!(matches!(refused(&request, &body(&other_chain)), BodyError::SignatureMismatch));
    let unsigned = format!("{CRC32}:{value}\r\n\r\n");
    assert!(matches!(refused(&request, &body(&unsigned)), BodyError::MalformedTrailer));
    let signed_lie = signed_trailer(&last, CRC32, "AAAAAA==");
    assert!(matches!(refused(&request, &body(&signed_lie)), BodyError::BadDigest { .. }));
}

#[test]
fn signed_chunks_without_trailers_take_none() {
    let request = verified(SIGNED, 3, None);
    let mut body = signed_chunks(&request.0, b"abc", 3).0;
    body.extend_from_slice(b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    assert!(matches!(refused(&request, &body), BodyError::MalformedTrailer));
}

#[test]
fn a_hashed_body_must_have_its_hash() {
    let mut hash = Checksum::new(ChecksumAlgorithm::Sha256);
    hash.update(b"abc");
    let hash: [u8; 32] = hash.finish().try_into().unwrap();
    let (data, error) = drain(HashedBody::new(in_frames(b"abc", 2), hash));
    assert!(error.is_none() && data == b"abc");
    let (_, error) = drain(HashedBody::new(in_frames(b"abd", 2), hash));
    let error = error.unwrap();
    assert!(matches!(error, BodyError::ContentSha256Mismatch { .. }));
    assert_eq!(error.code(), ("XAmzContentSHA256Mismatch", 400));
}

#[test]
fn anonymous_bodies_are_as_they_say() {
    let open = |marker: Option<&str>, body: &[u8]| {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-decoded-content-length", "3".parse().unwrap());
        if let Some(marker) = marker {
            headers.insert("x-amz-content-sha256", marker.parse().unwrap());
        }
        PayloadBody::new(in_frames(body, 2), None, &headers).map(drain)
    };
    assert!(matches!(open(None, b"abc"), Ok((data, None)) if data == b"abc"));
    assert!(matches!(open(Some("UNSIGNED-PAYLOAD"), b"abc"), Ok((data, None)) if data == b"abc"));
    let chunked = b"3\r\nabc\r\n0\r\n\r\n";
    assert!(matches!(open(Some(UNSIGNED_TRAILER), chunked), Ok((data, None)) if data == b"abc"));
    assert!(matches!(open(Some(SIGNED), chunked), Err(BodyError::UnsignedRequest)));
    assert!(matches!(open(Some("nonsense"), b""), Err(BodyError::ContentSha256(_))));
    let wrong_hash = "00".repeat(32);
    assert!(matches!(
        open(Some(&wrong_hash), b"abc"),
        Ok((_, Some(BodyError::ContentSha256Mismatch { .. })))
    ));
}
