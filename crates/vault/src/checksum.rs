//! The checksums that S3 knows, computed while bytes pass.

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::VaultError;

/// An additional checksum of an object (S3 user guide, "Checking object integrity").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    /// CRC-32 (ISO HDLC).
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32C (Castagnoli).
    #[serde(rename = "CRC32C")]
    Crc32c,
    /// CRC-64/NVME, what S3 computes where a caller asks for nothing.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm that S3 calls `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// Length of its value in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What a multipart upload gets when it names the algorithm only: the full object for CRC-64/NVME, a
    /// composite for the others.
    pub fn default_type(self) -> ChecksumType {
        if self == Self::Crc64Nvme { ChecksumType::FullObject } else { ChecksumType::Composite }
    }

    /// Whether a multipart upload may have this type of it: a full-object SHA cannot be put together from
    /// parts, and S3 has no composite CRC-64/NVME.
    pub fn allows(self, kind: ChecksumType) -> bool {
        match kind {
            ChecksumType::FullObject => self.combines(),
            ChecksumType::Composite => self != Self::Crc64Nvme,
        }
    }

    fn combines(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// What an object's checksum was computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ChecksumType {
    /// The bytes of the object.
    #[default]
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// The checksums of its parts, one after the other.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl ChecksumType {
    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// Checksums by algorithm, as S3 writes them: base64, and `-N` after a composite of N parts.
pub type Checksums = BTreeMap<ChecksumAlgorithm, String>;

/// What the caller says the bytes are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The MD5 (`Content-MD5`, decoded).
    pub md5: Option<[u8; 16]>,
    /// Additional checksums, base64.
    pub checksums: Checksums,
}

enum Running {
    Crc(Box<crc_fast::Digest>),
    Sha(digest::Context),
}

/// Computes MD5 and additional checksums over bytes as they pass.
pub(crate) struct Hasher {
    md5: Md5,
    running: Vec<(ChecksumAlgorithm, Running)>,
}

/// What a [`Hasher`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashes {
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
}

impl Hasher {
    pub(crate) fn new(algorithms: &[ChecksumAlgorithm]) -> Self {
        let mut wanted = algorithms.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let running = wanted
            .into_iter()
            .map(|algorithm| {
                let running = match (algorithm.crc(), algorithm) {
                    (Some(crc), _) => Running::Crc(Box::new(crc_fast::Digest::new(crc))),
                    (None, ChecksumAlgorithm::Sha1) => {
                        Running::Sha(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
                    }
                    (None, _) => Running::Sha(digest::Context::new(&digest::SHA256)),
                };
                (algorithm, running)
            })
            .collect();
        Self { md5: Md5::new(), running }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        for (_, running) in &mut self.running {
            match running {
                Running::Crc(crc) => crc.update(bytes),
                Running::Sha(sha) => sha.update(bytes),
            }
        }
    }

    pub(crate) fn finish(self) -> Hashes {
        let checksums = self
            .running
            .into_iter()
            .map(|(algorithm, running)| {
                let value = match running {
                    Running::Crc(crc) => crc_text(algorithm, crc.finalize()),
                    Running::Sha(sha) => STANDARD.encode(sha.finish()),
                };
                (algorithm, value)
            })
            .collect();
        Hashes { md5: self.md5.finalize().into(), checksums }
    }
}

impl Hashes {
    /// Compares with what the caller expected; an algorithm that was not computed is refused, because a
    /// checksum that nobody looked at must not look verified.
    pub(crate) fn verify(&self, expected: &Expected) -> Result<(), VaultError> {
        if let Some(md5) = expected.md5
            && md5 != self.md5
        {
            return Err(VaultError::BadDigest {
                expected: hex::encode(md5),
                computed: hex::encode(self.md5),
            });
        }
        for (algorithm, expected) in &expected.checksums {
            let computed =
                self.checksums.get(algorithm).ok_or(VaultError::ChecksumNotAnnounced(*algorithm))?;
            if computed != expected {
                return Err(VaultError::ChecksumMismatch {
                    algorithm: *algorithm,
                    expected: expected.clone(),
                    computed: computed.clone(),
                });
            }
        }
        Ok(())
    }
}

/// A CRC's value is written big-endian (S3 user guide, "Checking object integrity").
fn crc_text(algorithm: ChecksumAlgorithm, value: u64) -> String {
    let bytes = value.to_be_bytes();
    STANDARD.encode(&bytes[8 - algorithm.bytes()..])
}

fn crc_value(text: &str, algorithm: ChecksumAlgorithm) -> Option<u64> {
    let bytes = STANDARD.decode(text).ok().filter(|b| b.len() == algorithm.bytes())?;
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The checksum of a whole object from the (checksum, length) of its parts, in order; `None` where a part's
/// value is missing or cannot be used.
pub(crate) fn of_parts<'a>(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumType,
    parts: impl Iterator<Item = (Option<&'a str>, u64)>,
) -> Option<String> {
    match kind {
        ChecksumType::FullObject => full_object(algorithm, parts),
        ChecksumType::Composite => composite(algorithm, parts),
    }
}

fn full_object<'a>(
    algorithm: ChecksumAlgorithm,
    parts: impl Iterator<Item = (Option<&'a str>, u64)>,
) -> Option<String> {
    let crc = algorithm.crc()?;
    let mut whole: Option<u64> = None;
    for (text, bytes) in parts {
        let value = crc_value(text?, algorithm)?;
        whole = Some(match whole {
            Some(before) => crc_fast::checksum_combine(crc, before, value, bytes),
            None => value,
        });
    }
    whole.map(|value| crc_text(algorithm, value))
}

fn composite<'a>(
    algorithm: ChecksumAlgorithm,
    parts: impl Iterator<Item = (Option<&'a str>, u64)>,
) -> Option<String> {
    let mut hasher = Hasher::new(&[algorithm]);
    let mut count = 0_usize;
    for (text, _) in parts {
        let value = STANDARD.decode(text?).ok().filter(|b| b.len() == algorithm.bytes())?;
        hasher.update(&value);
        count += 1;
    }
    let value = hasher.finish().checksums.remove(&algorithm)?;
    Some(format!("{value}-{count}"))
}

/// The checksum that guards bytes on disk.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ChecksumAlgorithm, ChecksumType, Checksums, Expected, Hasher, of_parts};
    use crate::VaultError;

    fn hash(bytes: &[u8]) -> super::Hashes {
        let mut hasher = Hasher::new(&ChecksumAlgorithm::ALL);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn published_check_values() {
        let hashes = hash(b"123456789");
        assert_eq!(hashes.checksums[&ChecksumAlgorithm::Crc32], "y/Q5Jg==");
        assert_eq!(hashes.checksums[&ChecksumAlgorithm::Crc32c], "4waSgw==");
        assert_eq!(hashes.checksums[&ChecksumAlgorithm::Crc64Nvme], "rosUhgp5mIg=");
        assert_eq!(hex::encode(hashes.md5), "25f9e794323b453885f5181f1b624d0b");
    }

    #[test]
    fn a_wrong_checksum_is_named() {
        let wrong = Expected {
            md5: None,
            checksums: Checksums::from([(ChecksumAlgorithm::Sha256, "nope".to_owned())]),
        };
        assert!(matches!(
            hash(b"x").verify(&wrong),
            Err(VaultError::ChecksumMismatch { algorithm: ChecksumAlgorithm::Sha256, .. })
        ));
        assert!(matches!(
            Hasher::new(&[]).finish().verify(&wrong),
            Err(VaultError::ChecksumNotAnnounced(ChecksumAlgorithm::Sha256))
        ));
    }

    proptest! {
        #[test]
        fn a_crc_of_the_whole_comes_from_its_parts(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..6)) {
            let whole = hash(&parts.concat());
            for algorithm in [ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme] {
                let hashes: Vec<_> = parts.iter().map(|p| (hash(p), p.len() as u64)).collect();
                let combined = of_parts(
                    algorithm,
                    ChecksumType::FullObject,
                    hashes.iter().map(|(h, n)| (h.checksums.get(&algorithm).map(String::as_str), *n)),
                );
                prop_assert_eq!(combined.as_ref(), whole.checksums.get(&algorithm));
            }
        }
    }
}
