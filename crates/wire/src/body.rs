//! Bodies as signatures wrap them: aws-chunked bodies decoded and verified, and bodies checked against a signed hash.
//!
//! [`PayloadBody`] picks what a request needs; [`ChunkedBody`] and [`HashedBody`] are its parts.

mod checksum;
mod chunk_header;
mod chunked;
mod decoder;
mod error;
mod hashed;
mod trailers;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

pub use checksum::{Checksum, ChecksumAlgorithm};
pub use chunked::ChunkedBody;
pub use error::{BodyError, ChunkFault};
pub use hashed::HashedBody;
pub use trailers::Trailers;

use crate::sigv4::{PayloadKind, Verified};

/// Longest header line of a chunk in bytes; a signed one has about 100.
pub const MAX_CHUNK_HEADER: usize = 1024;

/// Most bytes after the last chunk.
pub const MAX_TRAILERS: usize = 8 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's body as its content, whatever the signature made of it.
pub struct PayloadBody<B>(Payload<B>);

enum Payload<B> {
    Plain(B),
    Hashed(HashedBody<B>),
    Chunked(Box<ChunkedBody<B>>),
}

impl<B> PayloadBody<B> {
    /// Wraps `inner` in what `verified` says about it; for an anonymous request (`None`) in what
    /// `x-amz-content-sha256` says, if anything.
    ///
    /// # Errors
    /// As [`ChunkedBody::new`]; an unknown `x-amz-content-sha256` of an anonymous request.
    pub fn new(
        inner: B,
        verified: Option<&Verified>,
        headers: &HeaderMap,
    ) -> Result<PayloadBody<B>, BodyError> {
        let kind = match (verified, headers.get("x-amz-content-sha256")) {
            (Some(verified), _) => verified.payload(),
            (None, None) => PayloadKind::Absent,
            (None, Some(value)) => {
                PayloadKind::parse(value.to_str().unwrap_or("").trim()).map_err(BodyError::ContentSha256)?
            }
        };
        Ok(PayloadBody(match kind {
            PayloadKind::Absent | PayloadKind::Unsigned => Payload::Plain(inner),
            PayloadKind::Hash(hash) => Payload::Hashed(HashedBody::new(inner, hash)),
            kind => Payload::Chunked(Box::new(ChunkedBody::new(inner, verified, kind, headers)?)),
        }))
    }

    /// The trailers; empty until the body has ended well, and for bodies without trailers.
    pub fn trailers(&self) -> Trailers {
        match &self.0 {
            Payload::Chunked(body) => body.trailers(),
            Payload::Plain(_) | Payload::Hashed(_) => Trailers::default(),
        }
    }
}

impl<B: Body> PayloadBody<B> {
    /// The content's length in bytes, where the request says it.
    pub fn decoded_length(&self) -> Option<u64> {
        match &self.0 {
            Payload::Plain(inner) => inner.size_hint().exact(),
            Payload::Hashed(body) => body.inner_length(),
            Payload::Chunked(body) => Some(body.decoded_length()),
        }
    }
}

impl<B> Body for PayloadBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Payload::Plain(inner) => Pin::new(inner)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error| BodyError::Transport(error.into())))),
            Payload::Hashed(body) => Pin::new(body).poll_frame(cx),
            Payload::Chunked(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Payload::Plain(inner) => inner.is_end_stream(),
            Payload::Hashed(body) => body.is_end_stream(),
            Payload::Chunked(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Payload::Plain(inner) => inner.size_hint(),
            Payload::Hashed(body) => body.size_hint(),
            Payload::Chunked(body) => body.size_hint(),
        }
    }
}

/// The `Content-Encoding` of the content itself: what is left without `aws-chunked`, which only describes the
/// transfer. `None` when nothing is left.
pub fn content_encoding_without_chunking(value: &str) -> Option<String> {
    let codings = value.split(',').map(str::trim);
    let kept: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked")).collect();
    if kept.is_empty() { None } else { Some(kept.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_is_no_encoding_of_the_content() {
        assert_eq!(content_encoding_without_chunking("aws-chunked"), None);
        assert_eq!(content_encoding_without_chunking("aws-chunked, gzip").as_deref(), Some("gzip"));
        assert_eq!(content_encoding_without_chunking("gzip,AWS-Chunked").as_deref(), Some("gzip"));
    }
}
