//! Why a body was refused.

/// Why a request's body was refused, in S3's terms. Each variant is one cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended or failed before the body did.
    #[error("The request body terminated unexpectedly")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The body ended inside a chunk, or before its declared length.
    #[error(
        "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header"
    )]
    Incomplete,
    /// More bytes came than `x-amz-decoded-content-length` declares.
    #[error("The request body is longer than the x-amz-decoded-content-length HTTP header says")]
    TooLong,
    /// A streaming body without a readable `x-amz-decoded-content-length`.
    #[error("You must provide the x-amz-decoded-content-length HTTP header.")]
    MissingDecodedLength,
    /// A chunk's header is not `size[;chunk-signature=…]`, or its end is not a line end.
    #[error("The request body is not in aws-chunked form: {0}")]
    MalformedChunk(ChunkFault),
    /// A chunk's signature, or the trailers', is wrong.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    SignatureMismatch,
    /// `x-amz-trailer` names something that cannot be checked here.
    #[error("The value specified in the x-amz-trailer header is not supported")]
    UnsupportedTrailer {
        /// The name it gives.
        name: String,
    },
    /// The trailers break their grammar, are too long, are not those declared, or lack their signature.
    #[error(
        "The request contained trailing data that was not well-formed or did not conform to our published schema."
    )]
    MalformedTrailer,
    /// A trailing checksum is not the base64 form of a checksum of its algorithm.
    #[error("Value for {name} header is invalid.")]
    InvalidChecksum {
        /// The trailer's name.
        name: &'static str,
    },
    /// A trailing checksum is not that of the body.
    #[error("The {} you specified did not match the calculated checksum.", algorithm.name())]
    BadDigest {
        /// The checksum's algorithm.
        algorithm: super::ChecksumAlgorithm,
    },
    /// The body's SHA-256 is not the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentSha256Mismatch {
        /// The signed hash, lower-case hex.
        declared: String,
        /// The body's hash, lower-case hex.
        actual: String,
    },
    /// `x-amz-content-sha256` announces signed chunks, but nobody signed the request.
    #[error("Signed chunks need a signed request")]
    UnsignedRequest,
    /// `x-amz-content-sha256` of an anonymous request is neither a hash nor a known marker.
    #[error(transparent)]
    ContentSha256(crate::sigv4::SignatureError),
}

/// What is wrong with a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkFault {
    /// The header is longer than [`super::MAX_CHUNK_HEADER`].
    #[error("a chunk header is too long")]
    HeaderTooLong,
    /// The size is not 1 to 16 hexadecimal digits.
    #[error("a chunk size is not a hexadecimal number")]
    Size,
    /// A signed chunk without `chunk-signature`, or with something else.
    #[error("a chunk header lacks its chunk-signature")]
    Signature,
    /// The data is not followed by a line end.
    #[error("chunk data is not followed by CRLF")]
    LineEnd,
}

impl BodyError {
    /// S3's error code and HTTP status.
    ///
    /// Source: Amazon S3 API reference, "List of error codes".
    pub fn code(&self) -> (&'static str, u16) {
        match self {
            Self::Transport(_) | Self::Incomplete | Self::TooLong => ("IncompleteBody", 400),
            Self::MissingDecodedLength => ("MissingContentLength", 411),
            Self::MalformedChunk(_) | Self::UnsupportedTrailer { .. } | Self::InvalidChecksum { .. } => {
                ("InvalidRequest", 400)
            }
            Self::SignatureMismatch => ("SignatureDoesNotMatch", 403),
            Self::MalformedTrailer => ("MalformedTrailerError", 400),
            Self::BadDigest { .. } => ("BadDigest", 400),
            Self::ContentSha256Mismatch { .. } => ("XAmzContentSHA256Mismatch", 400),
            Self::UnsignedRequest => ("AccessDenied", 403),
            Self::ContentSha256(error) => error.code(crate::sigv4::Family::S3),
        }
    }
}
