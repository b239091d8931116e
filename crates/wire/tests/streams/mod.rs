//! Bodies for tests: bytes in frames of chosen sizes, and all that comes out of a body.

use std::convert::Infallible;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use opentrail_wire::body::BodyError;

/// A body of `bytes` in frames of `size` bytes.
pub(crate) fn in_frames(
    bytes: &[u8],
    size: usize,
) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
    let frames: Vec<Result<Frame<Bytes>, Infallible>> =
        bytes.chunks(size.max(1)).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    StreamBody::new(futures::stream::iter(frames))
}

/// What the body gave, and the error that ended it, if one did. After its end a body gives nothing more.
pub(crate) fn drain(
    mut body: impl Body<Data = Bytes, Error = BodyError> + Unpin,
) -> (Vec<u8>, Option<BodyError>) {
    futures::executor::block_on(async {
        let mut data = Vec::new();
        loop {
            match body.frame().await {
                Some(Ok(frame)) => data.extend_from_slice(frame.data_ref().expect("data only")),
                Some(Err(error)) => {
                    assert!(body.frame().await.is_none(), "an error ends the body");
                    return (data, Some(error));
                }
                None => return (data, None),
            }
        }
    })
}
