//! From the vault's values to the members of S3's answers.

use std::time::SystemTime;

use chrono::{DateTime, SubsecRound, Utc};
use opentrail_event::AccountId;
use opentrail_vault::{ChecksumAlgorithm, ChecksumType};
use s3s::dto;

/// The canonical user id of an account: what S3 calls an owner by, 64 hexadecimal digits.
pub(crate) fn canonical_id(account: AccountId) -> String {
    let text = format!("opentrail canonical user {account}");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An owner, as answers name one.
pub(super) fn owner(account: AccountId) -> dto::Owner {
    dto::Owner { display_name: None, id: Some(canonical_id(account)) }
}

/// A time; S3 tells whole seconds, the same in headers and in documents.
pub(super) fn time(at: DateTime<Utc>) -> dto::Timestamp {
    SystemTime::from(at.trunc_subsecs(0)).into()
}

/// The form of times in headers (RFC 9110, section 5.6.7).
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn etag(etag: &str) -> dto::ETag {
    dto::ETag::Strong(etag.to_owned())
}

pub(super) fn algorithm(algorithm: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from_static(algorithm.name())
}

pub(super) fn checksum_type(kind: ChecksumType) -> dto::ChecksumType {
    dto::ChecksumType::from_static(kind.name())
}

/// A count as S3's XML has it.
pub(super) fn int(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// A size as S3's XML has it.
pub(super) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A header value from text that may hold what a header can't.
pub(super) fn header(text: &str) -> Option<http::HeaderValue> {
    http::HeaderValue::from_str(text).ok().or_else(|| http::HeaderValue::from_bytes(text.as_bytes()).ok())
}

/// Sets the five checksum members of an answer.
macro_rules! set_checksums {
    ($answer:expr, $checksums:expr) => {{
        use opentrail_vault::ChecksumAlgorithm as Algorithm;
        let checksums: &opentrail_vault::Checksums = $checksums;
        $answer.checksum_crc32 = checksums.get(&Algorithm::Crc32).cloned();
        $answer.checksum_crc32c = checksums.get(&Algorithm::Crc32c).cloned();
        $answer.checksum_crc64nvme = checksums.get(&Algorithm::Crc64Nvme).cloned();
        $answer.checksum_sha1 = checksums.get(&Algorithm::Sha1).cloned();
        $answer.checksum_sha256 = checksums.get(&Algorithm::Sha256).cloned();
    }};
}

/// Reads the five checksum members of an input.
macro_rules! given_checksums {
    ($input:expr) => {{
        use opentrail_vault::ChecksumAlgorithm as Algorithm;
        [
            (Algorithm::Crc32, $input.checksum_crc32.clone()),
            (Algorithm::Crc32c, $input.checksum_crc32c.clone()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.clone()),
            (Algorithm::Sha1, $input.checksum_sha1.clone()),
            (Algorithm::Sha256, $input.checksum_sha256.clone()),
        ]
        .into_iter()
        .filter_map(|(algorithm, checksum)| Some((algorithm, checksum?)))
        .collect::<opentrail_vault::Checksums>()
    }};
}

pub(super) use {given_checksums, set_checksums};
