//! Trailers: what follows an aws-chunked body.

use std::sync::{Arc, OnceLock};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderMap;

use super::{BodyError, Checksum, ChecksumAlgorithm};

/// The trailer that signs the others.
const SIGNATURE: &str = "x-amz-trailer-signature";

/// The trailers of a body, readable once the body has ended well.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<OnceLock<Vec<(String, String)>>>);

impl Trailers {
    /// Name (lower case) and value of each; empty until the body has ended well.
    pub fn get(&self) -> &[(String, String)] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// The value of the trailer of that name (lower case).
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get().iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set(&self, trailers: Vec<(String, String)>) {
        // Only the body that owns the other handle sets it, at its end, which comes once.
        let _ = self.0.set(trailers);
    }
}

/// The checksum that `x-amz-trailer` declares, computed along with the body.
#[derive(Debug)]
pub(super) struct Declared {
    algorithm: ChecksumAlgorithm,
    checksum: Checksum,
}

impl Declared {
    /// Reads `x-amz-trailer`. S3 takes one checksum a request.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Declared>, BodyError> {
        let mut declared = None;
        for value in headers.get_all("x-amz-trailer") {
            let names = value.to_str().map_err(|_| BodyError::MalformedTrailer)?;
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let algorithm = ChecksumAlgorithm::from_header_name(name)
                    .ok_or_else(|| BodyError::UnsupportedTrailer { name: name.to_owned() })?;
                if declared.is_some() {
                    return Err(BodyError::MalformedTrailer);
                }
                declared = Some(Declared { algorithm, checksum: Checksum::new(algorithm) });
            }
        }
        Ok(declared)
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.checksum.update(data);
    }

    /// Compares the trailer's value with the body's checksum.
    pub(super) fn check(self, value: &str) -> Result<(), BodyError> {
        let given =
            BASE64_STANDARD.decode(value).ok().filter(|given| given.len() == self.algorithm.output_len());
        let given = given.ok_or(BodyError::InvalidChecksum { name: self.algorithm.header_name() })?;
        if given != self.checksum.finish() {
            return Err(BodyError::BadDigest { algorithm: self.algorithm });
        }
        Ok(())
    }

    pub(super) fn name(&self) -> &'static str {
        self.algorithm.header_name()
    }
}

/// The lines after the last chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TrailerLines {
    pub(super) trailers: Vec<(String, String)>,
    pub(super) signature: Option<String>,
}

impl TrailerLines {
    /// Reads `name:value` lines up to the end. Blank lines are passed over: AWS's own examples end the checksum's line
    /// with `\n\r\n`.
    pub(super) fn parse(bytes: &[u8]) -> Result<TrailerLines, BodyError> {
        let text = std::str::from_utf8(bytes).map_err(|_| BodyError::MalformedTrailer)?;
        let mut lines = TrailerLines::default();
        for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(BodyError::MalformedTrailer)?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            let repeated = if name == SIGNATURE {
                lines.signature.replace(value).is_some()
            } else {
                let known = lines.trailers.iter().any(|(known, _)| *known == name);
                lines.trailers.push((name, value));
                known
            };
            if repeated {
                return Err(BodyError::MalformedTrailer);
            }
        }
        Ok(lines)
    }

    /// What the trailers' signature covers.
    pub(super) fn canonical(&self) -> String {
        self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
    }
}
