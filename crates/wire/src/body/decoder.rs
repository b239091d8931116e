//! The aws-chunked form without any I/O: bytes in, decoded and verified bytes out.
//!
//! Source: Amazon S3 API reference, "Signature calculations for the Authorization header: Transferring payload in
//! multiple chunks" and "… including trailing headers".

use std::collections::VecDeque;

use aws_lc_rs::digest;
use bytes::{Buf, Bytes, BytesMut};

use super::{
    BodyError, ChunkFault, MAX_CHUNK_HEADER, MAX_SIGNED_CHUNK, MAX_TRAILERS,
    chunk_header::ChunkHeader,
    trailers::{Declared, TrailerLines},
};
use crate::sigv4::{EMPTY_SHA256, Verified};

/// Pieces of a held chunk smaller than this are copied together, so that a slow sender does not cost a piece a byte.
const SMALL_PIECE: usize = 1024;

/// How the chunks are signed.
#[derive(Debug)]
pub(super) enum Signing {
    Unsigned,
    Signed {
        verified: Verified,
        /// The signature of the chunk before; at first that of the request.
        previous: String,
        trailers: bool,
    },
}

#[derive(Debug)]
enum At {
    /// In a chunk's header line.
    Header(Vec<u8>),
    /// In a chunk's data.
    Data { remaining: u64, held: Option<Held> },
    /// In the CRLF after data; how many of its bytes have come.
    LineEnd(usize),
    /// After the chunk of size zero.
    Trailers(Vec<u8>),
}

/// The data of a signed chunk, kept back until its signature is known to be right.
#[derive(Debug)]
struct Held {
    signature: String,
    hash: HashContext,
    whole: Vec<Bytes>,
    small: BytesMut,
}

struct HashContext(digest::Context);

impl std::fmt::Debug for HashContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashContext(..)")
    }
}

/// Reads one aws-chunked body.
#[derive(Debug)]
pub(super) struct Decoder {
    signing: Signing,
    declared: Option<Declared>,
    /// Decoded bytes that are still to come.
    remaining: u64,
    at: At,
    ready: VecDeque<Bytes>,
}

impl Decoder {
    pub(super) fn new(signing: Signing, declared: Option<Declared>, decoded_length: u64) -> Decoder {
        Decoder {
            signing,
            declared,
            remaining: decoded_length,
            at: At::Header(Vec::new()),
            ready: VecDeque::new(),
        }
    }

    /// The next decoded bytes.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// Takes bytes as they came. What was decoded before an error can still be taken out.
    pub(super) fn push(&mut self, mut input: Bytes) -> Result<(), BodyError> {
        while !input.is_empty() {
            match &mut self.at {
                At::Header(line) => {
                    if !take_line(line, &mut input)? {
                        return Ok(());
                    }
                    let line = std::mem::take(line);
                    self.begin_chunk(&line)?;
                }
                At::Data { remaining, held } => {
                    let take = usize::try_from(*remaining).unwrap_or(usize::MAX).min(input.len());
                    let piece = input.split_to(take);
                    *remaining -= take as u64;
                    let ended = *remaining == 0;
                    match held {
                        Some(held) => held.push(piece),
                        None => {
                            if let Some(declared) = &mut self.declared {
                                declared.update(&piece);
                            }
                            self.ready.push_back(piece);
                        }
                    }
                    if ended {
                        self.end_chunk()?;
                    }
                }
                At::LineEnd(came) => {
                    if input.get_u8() != b"\r\n"[*came] {
                        return Err(BodyError::MalformedChunk(ChunkFault::LineEnd));
                    }
                    *came += 1;
                    if *came == 2 {
                        self.at = At::Header(Vec::new());
                    }
                }
                At::Trailers(bytes) => {
                    if bytes.len() + input.len() > MAX_TRAILERS {
                        return Err(BodyError::MalformedTrailer);
                    }
                    bytes.extend_from_slice(&input);
                    input.clear();
                }
            }
        }
        Ok(())
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), BodyError> {
        let header = ChunkHeader::parse(line).map_err(BodyError::MalformedChunk)?;
        let held = match self.signing {
            Signing::Unsigned => None,
            Signing::Signed { .. } => {
                let signature =
                    header.signature.ok_or(BodyError::MalformedChunk(ChunkFault::Signature))?.to_owned();
                if header.size > MAX_SIGNED_CHUNK {
                    return Err(BodyError::ChunkTooLarge { size: header.size });
                }
                Some(Held::new(signature))
            }
        };
        self.remaining = self.remaining.checked_sub(header.size).ok_or(BodyError::TooLong)?;
        self.at = At::Data { remaining: header.size, held };
        if header.size > 0 {
            return Ok(());
        }
        self.end_chunk()?;
        if self.remaining > 0 {
            return Err(BodyError::Incomplete);
        }
        self.at = At::Trailers(Vec::new());
        Ok(())
    }

    /// Verifies the chunk whose data is complete, and lets its data go.
    fn end_chunk(&mut self) -> Result<(), BodyError> {
        let at = std::mem::replace(&mut self.at, At::LineEnd(0));
        let (At::Data { held: Some(held), .. }, Signing::Signed { verified, previous, .. }) =
            (at, &mut self.signing)
        else {
            return Ok(());
        };
        let (signature, hash, pieces) = held.finish();
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{EMPTY_SHA256}\n{hash}",
            verified.timestamp(),
            verified.scope()
        );
        if !verified.key().agrees(string_to_sign.as_bytes(), &signature) {
            return Err(BodyError::SignatureMismatch);
        }
        *previous = signature;
        for piece in pieces {
            if let Some(declared) = &mut self.declared {
                declared.update(&piece);
            }
            self.ready.push_back(piece);
        }
        Ok(())
    }

    /// Ends the body: checks that it is whole, the trailers' signature and the declared checksum. Returns the trailers.
    pub(super) fn finish(&mut self) -> Result<Vec<(String, String)>, BodyError> {
        let At::Trailers(bytes) = &self.at else {
            return Err(BodyError::Incomplete);
        };
        let lines = TrailerLines::parse(bytes)?;
        match &self.signing {
            Signing::Signed { verified, previous, trailers: true } => {
                let hash = hex::encode(digest::digest(&digest::SHA256, lines.canonical().as_bytes()));
                let string_to_sign = format!(
                    "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{hash}",
                    verified.timestamp(),
                    verified.scope()
                );
                let signature = lines.signature.as_deref().ok_or(BodyError::MalformedTrailer)?;
                if !verified.key().agrees(string_to_sign.as_bytes(), signature) {
                    return Err(BodyError::SignatureMismatch);
                }
            }
            Signing::Signed { trailers: false, .. } if lines != TrailerLines::default() => {
                return Err(BodyError::MalformedTrailer);
            }
            Signing::Unsigned if lines.signature.is_some() => return Err(BodyError::MalformedTrailer),
            Signing::Signed { .. } | Signing::Unsigned => {}
        }
        self.check_declared(&lines)?;
        Ok(lines.trailers)
    }

    /// What is declared must come, and nothing else.
    fn check_declared(&mut self, lines: &TrailerLines) -> Result<(), BodyError> {
        match (self.declared.take(), lines.trailers.as_slice()) {
            (None, []) => Ok(()),
            (Some(declared), [(name, value)]) if name == declared.name() => declared.check(value),
            _ => Err(BodyError::MalformedTrailer),
        }
    }
}

impl Held {
    fn new(signature: String) -> Held {
        Held {
            signature,
            hash: HashContext(digest::Context::new(&digest::SHA256)),
            whole: Vec::new(),
            small: BytesMut::new(),
        }
    }

    fn push(&mut self, piece: Bytes) {
        self.hash.0.update(&piece);
        if piece.len() < SMALL_PIECE {
            self.small.extend_from_slice(&piece);
            return;
        }
        self.settle();
        self.whole.push(piece);
    }

    fn settle(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(self.small.split().freeze());
        }
    }

    /// The signature it claims, its hash in lower-case hex, and its data.
    fn finish(mut self) -> (String, String, Vec<Bytes>) {
        self.settle();
        (self.signature, hex::encode(self.hash.0.finish()), self.whole)
    }
}

/// Moves bytes up to the next line feed from `input` to `line`. Returns whether the line is whole; then it stands
/// there without its line end.
fn take_line(line: &mut Vec<u8>, input: &mut Bytes) -> Result<bool, BodyError> {
    let end = input.iter().position(|&byte| byte == b'\n');
    let take = end.unwrap_or(input.len());
    if line.len() + take > MAX_CHUNK_HEADER {
        return Err(BodyError::MalformedChunk(ChunkFault::HeaderTooLong));
    }
    line.extend_from_slice(&input.split_to(take));
    if end.is_none() {
        return Ok(false);
    }
    input.advance(1);
    if line.pop() != Some(b'\r') {
        return Err(BodyError::MalformedChunk(ChunkFault::LineEnd));
    }
    Ok(true)
}
