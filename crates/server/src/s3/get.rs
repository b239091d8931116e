//! GetObject and HeadObject: ranges, parts, conditions, checksums.

use std::{ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use opentrail_vault::{Checksums, ObjectMeta, ObjectReader};
use s3s::{S3Response, dto};

use super::{
    encryption::tell_encryption,
    headers, lifecycle, object_lock,
    refusal::Refusal,
    replication, restore,
    scene::Scene,
    shape::{self, set_checksums},
    table::Answered,
};

/// What is read of an object.
struct Found {
    reader: ObjectReader,
    /// The version's id, where the bucket has versions.
    version_id: Option<String>,
    span: Range<u64>,
    is_partial: bool,
    parts_count: Option<i32>,
    /// The checksums to answer.
    checksums: Option<Checksums>,
    /// When a lifecycle rule removes it (`x-amz-expiration`).
    expiration: Option<String>,
    now: DateTime<Utc>,
}

fn find(
    scene: &Scene,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    part: Option<i32>,
    wants_checksums: bool,
) -> Result<Found, Refusal> {
    let vault = scene.vault();
    let reader = vault.get(bucket, key, version).map_err(|error| scene.not_there(error))?;
    let meta = reader.meta();
    headers::read_conditions(scene).check(meta)?;
    let version_id = vault.shown_version(bucket, meta)?;
    let range = headers::range(scene);
    if part.is_some() && range.is_some() {
        return Err(Refusal::of(
            "InvalidRequest",
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let whole = 0..meta.size;
    let (span, is_partial) = match (part, range) {
        (Some(part), _) => {
            let number = u16::try_from(part).ok().filter(|number| (1..=10_000).contains(number));
            let number = number.ok_or_else(|| {
                Refusal::of(
                    "InvalidArgument",
                    "Part number must be an integer between 1 and 10000, inclusive",
                )
            })?;
            (reader.part(number)?, meta.size > 0)
        }
        (None, Some(range)) => (reader.resolve(range)?, true),
        (None, None) => (whole.clone(), false),
    };
    let checksums = (wants_checksums && span == whole).then(|| meta.checksums.clone());
    let parts_count = part.and(meta.parts_count()).map(i32::from);
    // Rules that remove current versions say nothing of the one that a caller picked.
    let expiration = match version {
        None => lifecycle::expiration(&scene.rooms, scene.bucket()?, key, meta),
        Some(_) => None,
    };
    let now = scene.arrival.at;
    Ok(Found { version_id, span, is_partial, parts_count, checksums, expiration, now, reader })
}

impl Found {
    fn length(&self) -> u64 {
        self.span.end - self.span.start
    }

    fn content_range(&self) -> Option<String> {
        let Range { start, end } = self.span;
        self.is_partial
            .then(|| format!("bytes {start}-{}/{}", end.saturating_sub(1), self.reader.meta().size))
    }
}

/// The members that GetObject's and HeadObject's answers share.
macro_rules! answer {
    ($output:ident, $found:expr) => {{
        let found: &Found = $found;
        let meta = found.reader.meta();
        let kept = &meta.object.headers;
        let mut output = dto::$output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: kept.cache_control.clone(),
            content_disposition: kept.content_disposition.clone(),
            content_encoding: kept.content_encoding.clone(),
            content_language: kept.content_language.clone(),
            content_length: Some(shape::long(found.length())),
            content_range: found.content_range(),
            content_type: Some(kept.content_type.clone().unwrap_or_else(|| DEFAULT_TYPE.to_owned())),
            e_tag: Some(shape::etag(&meta.etag)),
            expiration: found.expiration.clone(),
            last_modified: Some(shape::time(meta.last_modified)),
            metadata: Some(kept.metadata.clone().into_iter().collect()),
            parts_count: found.parts_count,
            replication_status: replication::status(meta),
            restore: restore::shown(meta, found.now),
            storage_class: storage_class(meta),
            version_id: found.version_id.clone(),
            website_redirect_location: kept.website_redirect_location.clone(),
            ..dto::$output::default()
        };
        if let Some(checksums) = found.checksums.as_ref().filter(|checksums| !checksums.is_empty()) {
            set_checksums!(output, checksums);
            output.checksum_type = Some(shape::checksum_type(meta.checksum_type));
        }
        output
    }};
}

/// The type of an object that was put without one (S3 API reference, PutObject).
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// S3 does not name the standard class here.
fn storage_class(meta: &ObjectMeta) -> Option<dto::StorageClass> {
    Some(&meta.object.storage_class).filter(|class| *class != "STANDARD").map(|class| class.clone().into())
}

/// `Expires` is kept as it was sent, which need not be a time.
fn expires(meta: &ObjectMeta) -> HeaderMap {
    let expires = meta.object.headers.expires.as_deref().and_then(shape::header);
    expires.map(|expires| (header::EXPIRES, expires)).into_iter().collect()
}

fn wants_checksums(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED)
}

pub(super) async fn get_object(
    scene: Arc<Scene>,
    input: dto::GetObjectInput,
) -> Answered<dto::GetObjectOutput> {
    refuse_anonymous_overrides(&scene)?;
    let version = input.version_id.as_deref();
    let wants = wants_checksums(input.checksum_mode.as_ref());
    let found = find(&scene, &input.bucket, &input.key, version, input.part_number, wants)?;
    found.reader.meta().check_readable(found.now)?;
    let meta = found.reader.meta();
    scene.may_decrypt(scene.bucket()?, &input.key, meta)?;
    found.reader.open_key()?;
    let mut output = answer!(GetObjectOutput, &found);
    tell_encryption!(output, meta.encryption());
    let told = object_lock::told(&scene, found.reader.meta());
    output.object_lock_mode = told.mode;
    output.object_lock_retain_until_date = told.until;
    output.object_lock_legal_hold_status = told.legal_hold;
    let tags = found.reader.meta().object.tags.len();
    output.tag_count = (tags > 0).then(|| shape::int(tags));
    let mut headers = expires(found.reader.meta());
    if scene.parameter("response-expires").is_some() {
        headers.clear();
    }
    if found.length() > 0 {
        scene.answer_with(found.reader.stream(found.span.clone()));
    }
    Ok(S3Response::with_headers(output, headers))
}

pub(super) async fn head_object(
    scene: Arc<Scene>,
    input: dto::HeadObjectInput,
) -> Answered<dto::HeadObjectOutput> {
    refuse_anonymous_overrides(&scene)?;
    let version = input.version_id.as_deref();
    let wants = wants_checksums(input.checksum_mode.as_ref());
    let found = find(&scene, &input.bucket, &input.key, version, input.part_number, wants)?;
    let meta = found.reader.meta();
    // What HeadObject says of the bytes besides their length is their checksum (S3 API reference, HeadObject).
    if wants {
        scene.may_decrypt(scene.bucket()?, &input.key, meta)?;
    }
    let mut output = answer!(HeadObjectOutput, &found);
    tell_encryption!(output, meta.encryption());
    let told = object_lock::told(&scene, found.reader.meta());
    output.object_lock_mode = told.mode;
    output.object_lock_retain_until_date = told.until;
    output.object_lock_legal_hold_status = told.legal_hold;
    output.cache_control = input.response_cache_control.or(output.cache_control);
    output.content_disposition = input.response_content_disposition.or(output.content_disposition);
    output.content_encoding = input.response_content_encoding.or(output.content_encoding);
    output.content_language = input.response_content_language.or(output.content_language);
    output.content_type = input.response_content_type.or(output.content_type);
    let mut headers = expires(found.reader.meta());
    if let Some(expires) = scene.parameter("response-expires") {
        headers.extend(HeaderValue::from_str(expires).ok().map(|expires| (header::EXPIRES, expires)));
    }
    if found.is_partial {
        scene.answer_status(StatusCode::PARTIAL_CONTENT);
    }
    Ok(S3Response::with_headers(output, headers))
}

/// Only who signs a request may have the answer's headers changed (S3 API reference, GetObject).
fn refuse_anonymous_overrides(scene: &Scene) -> Result<(), Refusal> {
    let overrides = scene.query.iter().any(|(name, _)| name.starts_with("response-"));
    if overrides && scene.account().is_none() {
        let message = "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(Refusal::of("InvalidRequest", message));
    }
    Ok(())
}
