//! The sign file of a query's results: what was delivered, and our signature of it.
//!
//! Form and signature as AWS documents them under "CloudTrail sign file structure" and "Custom implementations of
//! CloudTrail query result file integrity validation".

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::Region;
use opentrail_keyring::{KeyringError, SigningKey};
use serde::Serialize;

/// Its name.
pub(super) const NAME: &str = "result_sign.json";
/// The form that is written here.
const VERSION: &str = "1.0";

/// A file of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultFile {
    /// SHA-256 of the file as it was delivered, compressed, in hexadecimal.
    pub(super) file_hash_value: String,
    pub(super) file_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignFile<'a> {
    version: &'static str,
    region: &'a str,
    files: &'a [ResultFile],
    hash_algorithm: &'static str,
    signature_algorithm: &'static str,
    query_complete_time: String,
    hash_signature: String,
    public_key_fingerprint: &'a str,
}

/// What is signed: the hashes with a space between them.
fn string_to_sign(files: &[ResultFile]) -> String {
    files.iter().map(|file| file.file_hash_value.as_str()).collect::<Vec<_>>().join(" ")
}

/// The text of the sign file.
pub(super) fn signed(
    files: &[ResultFile],
    region: &Region,
    delivered: DateTime<Utc>,
    key: &SigningKey,
) -> Result<Vec<u8>, KeyringError> {
    let signature = key.sign(string_to_sign(files).as_bytes())?;
    let file = SignFile {
        version: VERSION,
        region: region.as_str(),
        files,
        hash_algorithm: "SHA-256",
        signature_algorithm: "SHA256withRSA",
        query_complete_time: delivered.to_rfc3339_opts(SecondsFormat::Secs, true),
        hash_signature: hex(&signature),
        public_key_fingerprint: key.fingerprint(),
    };
    serde_json::to_vec(&file).map_err(|_| KeyringError::Signing)
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{ResultFile, string_to_sign};

    #[test]
    fn hashes_are_signed_in_the_order_of_the_files() {
        let file =
            |hash: &str, name: &str| ResultFile { file_hash_value: hash.into(), file_name: name.into() };
        let files = [file("aaa", "result_1.csv.gz"), file("bbb", "result_2.csv.gz")];
        assert_eq!(string_to_sign(&files), "aaa bbb");
        let text = serde_json::to_string(&files[0]).expect("text");
        assert_eq!(text, r#"{"fileHashValue":"aaa","fileName":"result_1.csv.gz"}"#);
    }
}
