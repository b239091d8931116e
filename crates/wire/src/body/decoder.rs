//! The aws-chunked form without any I/O: bytes in, decoded and verified bytes out.
//!
//! Source: Amazon S3 API reference, "Signature calculations for the Authorization header: Transferring payload in
//! multiple chunks" and "… including trailing headers".

use std::collections::VecDeque;

use aws_lc_rs::digest;
use bytes::{Buf, Bytes};

use super::{
    BodyError, ChunkFault, MAX_CHUNK_HEADER, MAX_TRAILERS,
    chunk_header::ChunkHeader,
    trailers::{Declared, TrailerLines},
};
use crate::sigv4::{EMPTY_SHA256, Verified};

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
    Data { remaining: u64, claim: Option<Claim> },
    /// In the CRLF after data; how many of its bytes have come.
    LineEnd(usize),
    /// After the chunk of size zero.
    Trailers(Vec<u8>),
}

/// What a signed chunk claims, and the hash of its data so far. The data itself is handed on at once: a chunk may
/// be of any size, and holding it until its signature is known would take as much memory.
#[derive(Debug)]
struct Claim {
    signature: String,
    hash: HashContext,
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
                At::Data { remaining, claim } => {
                    let take = usize::try_from(*remaining).unwrap_or(usize::MAX).min(input.len());
                    let piece = input.split_to(take);
                    *remaining -= take as u64;
                    let ended = *remaining == 0;
                    if let Some(claim) = claim {
                        claim.hash.0.update(&piece);
                    }
                    if let Some(declared) = &mut self.declared {
                        declared.update(&piece);
                    }
                    self.ready.push_back(piece);
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
        let claim = match self.signing {
            Signing::Unsigned => None,
            Signing::Signed { .. } => {
                let signature =
                    header.signature.ok_or(BodyError::MalformedChunk(ChunkFault::Signature))?.to_owned();
                Some(Claim { signature, hash: HashContext(digest::Context::new(&digest::SHA256)) })
            }
        };
        self.remaining = self.remaining.checked_sub(header.size).ok_or(BodyError::TooLong)?;
        self.at = At::Data { remaining: header.size, claim };
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

    /// Verifies the chunk whose data is complete.
    fn end_chunk(&mut self) -> Result<(), BodyError> {
        let at = std::mem::replace(&mut self.at, At::LineEnd(0));
        let (At::Data { claim: Some(claim), .. }, Signing::Signed { verified, previous, .. }) =
            (at, &mut self.signing)
        else {
            return Ok(());
        };
        let Claim { signature, hash } = claim;
        let hash = hex::encode(hash.0.finish());
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{EMPTY_SHA256}\n{hash}",
            verified.timestamp(),
            verified.scope()
        );
        if !verified.key().agrees(string_to_sign.as_bytes(), &signature) {
            return Err(BodyError::SignatureMismatch);
        }
        *previous = signature;
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
