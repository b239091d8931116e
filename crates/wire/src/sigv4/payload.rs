//! What a request says about its body: `x-amz-content-sha256`.

use super::SignatureError;

/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The marker of a body that the signature does not cover.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How the signature covers the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// By this SHA-256 of the whole body.
    Hash([u8; 32]),
    /// Not at all (`UNSIGNED-PAYLOAD`).
    Unsigned,
    /// aws-chunked, each chunk signed (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`).
    StreamingSigned,
    /// aws-chunked, each chunk and the trailers signed (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`).
    StreamingSignedTrailer,
    /// aws-chunked, unsigned, with trailers (`STREAMING-UNSIGNED-PAYLOAD-TRAILER`).
    StreamingUnsignedTrailer,
    /// The request does not say: the whole body's hash is signed.
    Absent,
}

impl PayloadKind {
    /// Reads the value of `x-amz-content-sha256`.
    pub fn parse(text: &str) -> Result<PayloadKind, SignatureError> {
        Ok(match text {
            UNSIGNED_PAYLOAD => PayloadKind::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => PayloadKind::StreamingSigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => PayloadKind::StreamingSignedTrailer,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => PayloadKind::StreamingUnsignedTrailer,
            text => {
                let mut hash = [0; 32];
                hex::decode_to_slice(text, &mut hash).map_err(|_| SignatureError::InvalidContentSha256)?;
                PayloadKind::Hash(hash)
            }
        })
    }

    /// Whether the body is in aws-chunked form.
    pub fn is_streaming(self) -> bool {
        matches!(self, Self::StreamingSigned | Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer)
    }
}
