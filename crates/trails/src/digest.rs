//! A digest: the signed list of the log files that were delivered in a period.
//!
//! Form and signature as AWS documents them under "CloudTrail digest file structure" and "Custom
//! implementations of CloudTrail log file integrity validation".

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};

/// The algorithm of signatures, as digests and their metadata name it.
pub const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";
/// The algorithm of hashes, as digests name it.
pub const HASH_ALGORITHM: &str = "SHA-256";
/// The metadata in which a digest has its signature, in hex.
pub const META_SIGNATURE: &str = "signature";
/// The metadata that names the algorithm of the signature.
pub const META_ALGORITHM: &str = "signature-algorithm";
/// The metadata that says when a backfill digest was made.
pub const META_BACKFILL: &str = "backfill-generation-timestamp";
/// What stands for the previous signature in the text that is signed, at the start of a chain.
const NO_SIGNATURE: &str = "null";

/// A digest's members, in AWS's order. Times are text because they are signed as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    /// The account whose log files it lists.
    pub aws_account_id: String,
    /// Beginning of its period.
    pub digest_start_time: String,
    /// End of its period.
    pub digest_end_time: String,
    /// The bucket into which it was written.
    pub digest_s3_bucket: String,
    /// Its key.
    pub digest_s3_object: String,
    /// Which public key verifies its signature.
    pub digest_public_key_fingerprint: String,
    /// [`SIGNATURE_ALGORITHM`].
    pub digest_signature_algorithm: String,
    /// The newest event in its log files; null where it lists none.
    pub newest_event_time: Option<String>,
    /// The oldest event in its log files.
    pub oldest_event_time: Option<String>,
    /// Where the previous digest of the chain is; the four are null in the first digest of a chain.
    pub previous_digest_s3_bucket: Option<String>,
    /// The previous digest's key.
    pub previous_digest_s3_object: Option<String>,
    /// SHA-256 of the previous digest before compression, in hex.
    pub previous_digest_hash_value: Option<String>,
    /// [`HASH_ALGORITHM`].
    pub previous_digest_hash_algorithm: Option<String>,
    /// The previous digest's signature in hex.
    pub previous_digest_signature: Option<String>,
    /// The log files.
    pub log_files: Vec<DigestLogFile>,
}

/// A log file in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DigestLogFile {
    /// The bucket into which it was written.
    pub s3_bucket: String,
    /// Its key.
    pub s3_object: String,
    /// SHA-256 of the file before compression, in hex.
    pub hash_value: String,
    /// [`HASH_ALGORITHM`].
    pub hash_algorithm: String,
    /// Its newest event.
    pub newest_event_time: String,
    /// Its oldest event.
    pub oldest_event_time: String,
}

/// The text that is signed: end of the period, place, hash of the digest before compression and the previous
/// signature, a line each.
pub fn string_to_sign(end: &str, bucket: &str, key: &str, sha256: &str, previous: Option<&str>) -> String {
    let previous = previous.unwrap_or(NO_SIGNATURE);
    format!("{end}\n{bucket}/{key}\n{sha256}\n{previous}")
}

/// Compresses a digest. The same text gives the same bytes.
pub(crate) fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_the_names_of_aws() {
        let empty = Digest {
            aws_account_id: "111122223333".into(),
            digest_start_time: "2015-08-17T14:01:31Z".into(),
            digest_end_time: "2015-08-17T15:01:31Z".into(),
            digest_s3_bucket: "b".into(),
            digest_s3_object: "k".into(),
            digest_public_key_fingerprint: "f".into(),
            digest_signature_algorithm: SIGNATURE_ALGORITHM.into(),
            newest_event_time: None,
            oldest_event_time: None,
            previous_digest_s3_bucket: None,
            previous_digest_s3_object: None,
            previous_digest_hash_value: None,
            previous_digest_hash_algorithm: None,
            previous_digest_signature: None,
            log_files: vec![],
        };
        assert_eq!(
            serde_json::to_string(&empty).unwrap(),
            r#"{"awsAccountId":"111122223333","digestStartTime":"2015-08-17T14:01:31Z","digestEndTime":"2015-08-17T15:01:31Z","digestS3Bucket":"b","digestS3Object":"k","digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[]}"#
        );
    }

    #[test]
    fn the_first_digest_signs_the_word_null() {
        assert_eq!(
            string_to_sign("2015-08-17T15:01:31Z", "b", "p/k", "00ff", None),
            "2015-08-17T15:01:31Z\nb/p/k\n00ff\nnull"
        );
    }
}
