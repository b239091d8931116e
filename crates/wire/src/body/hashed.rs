//! A body that must have the hash that was signed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use aws_lc_rs::digest;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{BodyError, BoxError};

/// Passes a body through and fails at its end if its SHA-256 is not the signed one.
pub struct HashedBody<B> {
    inner: B,
    declared: [u8; 32],
    /// `None` once the body has ended, well or not.
    hash: Option<digest::Context>,
}

impl<B> HashedBody<B> {
    /// Checks `inner` against `declared`.
    pub fn new(inner: B, declared: [u8; 32]) -> HashedBody<B> {
        HashedBody { inner, declared, hash: Some(digest::Context::new(&digest::SHA256)) }
    }
}

impl<B> Body for HashedBody<B>
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
        let Some(hash) = &mut this.hash else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                this.hash = None;
                return Poll::Ready(Some(Err(BodyError::Transport(error.into()))));
            }
            None => return Poll::Ready(this.finish().err().map(Err)),
        };
        if let Some(data) = frame.data_ref() {
            hash.update(data);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        // Only after the hash has been compared, whatever the inner body says.
        self.hash.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Body> HashedBody<B> {
    /// The body's length in bytes, where it is known.
    pub(super) fn inner_length(&self) -> Option<u64> {
        self.inner.size_hint().exact()
    }
}

impl<B> HashedBody<B> {
    fn finish(&mut self) -> Result<(), BodyError> {
        let Some(hash) = self.hash.take() else {
            return Ok(());
        };
        let actual = hash.finish();
        if actual.as_ref() != self.declared {
            return Err(BodyError::ContentSha256Mismatch {
                declared: hex::encode(self.declared),
                actual: hex::encode(actual),
            });
        }
        Ok(())
    }
}
