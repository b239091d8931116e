//! An aws-chunked body as a body of its decoded bytes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{
    BodyError, BoxError,
    decoder::{Decoder, Signing},
    trailers::{Declared, Trailers},
};
use crate::sigv4::{PayloadKind, Verified};

/// Decodes an aws-chunked body and verifies what its kind promises: each chunk's signature at the chunk's end, and at
/// the body's end the trailers' signature, the declared checksum and the declared length.
///
/// Bytes are handed on as they come, so that memory is bounded whatever size a chunk claims. The first bad thing ends
/// the body with an error: what was handed on before counts only once the body has ended without one.
pub struct ChunkedBody<B> {
    inner: B,
    decoder: Decoder,
    length: u64,
    /// Decoded bytes not handed on yet.
    remaining: u64,
    trailers: Trailers,
    /// What stands behind the decoded bytes that are ready.
    end: End,
}

#[derive(Debug)]
enum End {
    /// More may come.
    Open,
    /// Nothing more, but this.
    Failed(BodyError),
    /// Nothing more.
    Closed,
}

impl<B> ChunkedBody<B> {
    /// Decodes `inner`. `kind` is one of the streaming kinds; signed kinds need `verified`. Reads
    /// `x-amz-decoded-content-length` and `x-amz-trailer` from `headers`.
    ///
    /// # Errors
    /// No readable decoded length; a trailer that cannot be checked; a signed kind without a verified signature.
    pub fn new(
        inner: B,
        verified: Option<&Verified>,
        kind: PayloadKind,
        headers: &HeaderMap,
    ) -> Result<ChunkedBody<B>, BodyError> {
        let length = decoded_length(headers).ok_or(BodyError::MissingDecodedLength)?;
        let signing = match kind {
            PayloadKind::StreamingSigned | PayloadKind::StreamingSignedTrailer => {
                let verified = verified.ok_or(BodyError::UnsignedRequest)?;
                Signing::Signed {
                    verified: verified.clone(),
                    previous: verified.seed_signature().to_owned(),
                    trailers: kind == PayloadKind::StreamingSignedTrailer,
                }
            }
            _ => Signing::Unsigned,
        };
        let declared = match kind {
            PayloadKind::StreamingSigned => None,
            _ => Declared::read(headers)?,
        };
        Ok(ChunkedBody {
            inner,
            decoder: Decoder::new(signing, declared, length),
            length,
            remaining: length,
            trailers: Trailers::default(),
            end: End::Open,
        })
    }

    /// The trailers; empty until the body has ended well.
    pub fn trailers(&self) -> Trailers {
        self.trailers.clone()
    }

    /// The decoded length that the request declares, in bytes.
    pub fn decoded_length(&self) -> u64 {
        self.length
    }

    fn finish(&mut self) {
        self.end = match self.decoder.finish() {
            Ok(trailers) => {
                self.trailers.set(trailers);
                End::Closed
            }
            Err(error) => End::Failed(error),
        };
    }
}

fn decoded_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all("x-amz-decoded-content-length").iter();
    let text = values.next()?.to_str().ok()?.trim();
    let plain = values.next().is_none() && text.bytes().all(|digit| digit.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl<B> Body for ChunkedBody<B>
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
        let this = &mut *self;
        loop {
            if let Some(data) = this.decoder.next() {
                this.remaining = this.remaining.saturating_sub(data.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            match std::mem::replace(&mut this.end, End::Closed) {
                End::Failed(error) => return Poll::Ready(Some(Err(error))),
                End::Closed => return Poll::Ready(None),
                End::Open => this.end = End::Open,
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // HTTP's own trailers say nothing here.
                    if let Ok(data) = frame.into_data()
                        && let Err(error) = this.decoder.push(data)
                    {
                        this.end = End::Failed(error);
                    }
                }
                Some(Err(error)) => this.end = End::Failed(BodyError::Transport(error.into())),
                None => this.finish(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // Ready bytes are always taken before the end is.
        matches!(self.end, End::Closed)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
