//! What a call's headers say about objects: their own headers, tags, conditions and checksums.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, NaiveDateTime, Utc};
use opentrail_event::AccountId;
use opentrail_vault::{
    ByteRange, ChecksumAlgorithm, Checksums, EtagMatch, Expected, NewObject, ObjectHeaders, ReadConditions,
    Tags, WriteConditions, limits, tags_of,
};
use opentrail_wire::body::content_encoding_without_chunking;
use s3s::dto;

use super::{object_lock, refusal::Refusal, scene::Scene};

/// All algorithms of additional checksums, and their headers.
const CHECKSUM_HEADERS: &[(ChecksumAlgorithm, &str)] = &[
    (ChecksumAlgorithm::Crc32, "x-amz-checksum-crc32"),
    (ChecksumAlgorithm::Crc32c, "x-amz-checksum-crc32c"),
    (ChecksumAlgorithm::Crc64Nvme, "x-amz-checksum-crc64nvme"),
    (ChecksumAlgorithm::Sha1, "x-amz-checksum-sha1"),
    (ChecksumAlgorithm::Sha256, "x-amz-checksum-sha256"),
];

/// The object that a call makes.
pub(super) fn object(
    scene: &Scene,
    metadata: Option<dto::Metadata>,
    owner: AccountId,
) -> Result<NewObject, Refusal> {
    let mut object = NewObject {
        headers: object_headers(scene, metadata),
        tags: tags(scene)?,
        canned_acl: scene.header("x-amz-acl").map(str::to_owned),
        lock: object_lock::of_upload(scene)?,
        ..NewObject::of(owner)
    };
    if let Some(class) = scene.header("x-amz-storage-class") {
        object.storage_class = class.to_owned();
    }
    Ok(object)
}

/// The headers that an object keeps. Its metadata comes from the protocol layer, decoded.
pub(super) fn object_headers(scene: &Scene, metadata: Option<dto::Metadata>) -> ObjectHeaders {
    let text = |name| scene.header(name).filter(|value| !value.is_empty()).map(str::to_owned);
    ObjectHeaders {
        content_type: text("content-type"),
        content_encoding: scene.header("content-encoding").and_then(content_encoding_without_chunking),
        content_disposition: text("content-disposition"),
        content_language: text("content-language"),
        cache_control: text("cache-control"),
        expires: text("expires"),
        website_redirect_location: text("x-amz-website-redirect-location"),
        metadata: metadata.unwrap_or_default().into_iter().collect(),
    }
}

/// The tags in `x-amz-tagging`, a query string.
pub(super) fn tags(scene: &Scene) -> Result<Tags, Refusal> {
    let Some(text) = scene.header("x-amz-tagging") else { return Ok(Tags::new()) };
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text).map_err(|_| {
        Refusal::of("InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
    })?;
    Ok(tags_of(pairs, limits::MAX_OBJECT_TAGS)?)
}

/// The conditions of a read.
pub(super) fn read_conditions(scene: &Scene) -> ReadConditions {
    conditions_named(scene, "")
}

/// The conditions on the source of a copy.
pub(super) fn source_conditions(scene: &Scene) -> ReadConditions {
    conditions_named(scene, "x-amz-copy-source-")
}

fn conditions_named(scene: &Scene, prefix: &str) -> ReadConditions {
    let tag = |name: &str| scene.header(&format!("{prefix}{name}")).map(EtagMatch::parse);
    let time = |name: &str| scene.header(&format!("{prefix}{name}")).and_then(http_date);
    ReadConditions {
        if_match: tag("if-match"),
        if_none_match: tag("if-none-match"),
        if_modified_since: time("if-modified-since"),
        if_unmodified_since: time("if-unmodified-since"),
    }
}

/// The conditions of a write.
pub(super) fn write_conditions(scene: &Scene) -> Result<WriteConditions, Refusal> {
    let if_none_match = scene.header("if-none-match").map(EtagMatch::parse);
    if if_none_match.as_ref().is_some_and(|tags| *tags != EtagMatch::Any) {
        let message = "A header you provided implies functionality that is not implemented: If-None-Match takes * here.";
        return Err(Refusal::of("NotImplemented", message));
    }
    Ok(WriteConditions { if_match: scene.header("if-match").map(EtagMatch::parse), if_none_match })
}

/// The range asked for; one that HTTP does not know is passed over, as it demands (RFC 9110, section 14.2).
pub(super) fn range(scene: &Scene) -> Option<ByteRange> {
    ByteRange::parse(scene.header("range")?)
}

/// A time in HTTP's form; RFC 3339's is taken too, as S3 does.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let http = NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT").map(|at| at.and_utc());
    http.or_else(|_| DateTime::parse_from_rfc3339(text).map(|at| at.to_utc())).ok()
}

/// The algorithms to compute while a body comes in: those whose checksum the caller gives, in a header or after
/// the body, and the one it names.
pub(super) fn algorithms(scene: &Scene) -> Result<Vec<ChecksumAlgorithm>, Refusal> {
    let mut algorithms: Vec<ChecksumAlgorithm> = given(scene)?.into_keys().collect();
    if algorithms.len() > 1 {
        return Err(Refusal::of(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ));
    }
    let trailer = scene.header("x-amz-trailer").map(str::to_ascii_lowercase);
    let announced =
        CHECKSUM_HEADERS.iter().find(|(_, name)| trailer.as_deref() == Some(*name)).map(|(found, _)| *found);
    algorithms.extend(announced);
    algorithms.extend(named(scene)?);
    algorithms.sort_unstable();
    algorithms.dedup();
    Ok(algorithms)
}

/// The algorithm that the caller names.
pub(super) fn named(scene: &Scene) -> Result<Option<ChecksumAlgorithm>, Refusal> {
    let name =
        scene.header("x-amz-sdk-checksum-algorithm").or_else(|| scene.header("x-amz-checksum-algorithm"));
    name.map(|name| {
        ChecksumAlgorithm::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
            let message = "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
            Refusal::of("InvalidRequest", message)
        })
    })
    .transpose()
}

fn given(scene: &Scene) -> Result<Checksums, Refusal> {
    let mut given = Checksums::new();
    for (algorithm, name) in CHECKSUM_HEADERS {
        let Some(text) = scene.header(name) else { continue };
        let is_one = BASE64_STANDARD.decode(text).is_ok_and(|digest| digest.len() == algorithm.bytes());
        if !is_one {
            return Err(Refusal::of("InvalidRequest", format!("Value for {name} header is invalid.")));
        }
        given.insert(*algorithm, text.to_owned());
    }
    Ok(given)
}

/// What the caller says the content is. Trailers are known only once the body has ended.
pub(super) fn expected(scene: &Scene) -> Result<Expected, Refusal> {
    let mut checksums = given(scene)?;
    for (algorithm, name) in CHECKSUM_HEADERS {
        if let Some(value) = scene.trailers.value(name) {
            checksums.insert(*algorithm, value.to_owned());
        }
    }
    Ok(Expected { md5: md5(scene)?, checksums })
}

/// `Content-MD5`.
pub(super) fn md5(scene: &Scene) -> Result<Option<[u8; 16]>, Refusal> {
    let Some(text) = scene.header("content-md5") else { return Ok(None) };
    let digest = BASE64_STANDARD.decode(text).ok().and_then(|digest| digest.try_into().ok());
    let invalid = || Refusal::of("InvalidDigest", "The Content-MD5 you specified was invalid.");
    digest.map(Some).ok_or_else(invalid)
}
