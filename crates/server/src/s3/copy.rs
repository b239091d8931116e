//! CopyObject and UploadPartCopy.

use std::sync::Arc;

use opentrail_vault::{Bucket, ByteRange, CopyRequest, CopySource, ObjectReader, VaultError};
use s3s::dto;

use super::{
    encryption::{self, Chosen, tell_encryption},
    headers, lifecycle, object_lock, put,
    refusal::Refusal,
    scene::Scene,
    shape::{self, set_checksums},
    table::{Answered, plain},
};

/// The source of a copy, as it was when the caller was found to be allowed to read it: whatever its key has
/// later, this is what is copied.
struct Source {
    bucket: String,
    key: String,
    version_id: Option<String>,
    reader: ObjectReader,
}

/// Opens the source and asks whether the caller may read it.
fn source_of(scene: &Scene, named: dto::CopySource) -> Result<Source, Refusal> {
    let dto::CopySource::Bucket { bucket, key, version_id } = named else {
        return Err(Refusal::not_built("access points"));
    };
    let (name, key) = (String::from(bucket), String::from(key));
    let version_id: Option<String> = version_id.map(Into::into);
    let found = scene.vault().get(&name, &key, version_id.as_deref());
    let alone;
    let bucket: &Bucket = match &found {
        Ok(reader) => reader.bucket(),
        Err(_) => {
            alone = scene.vault().bucket(&name)?;
            &alone
        }
    };
    let expected = scene.header("x-amz-source-expected-bucket-owner");
    if expected.is_some_and(|expected| expected != bucket.owner.as_str()) {
        return Err(Refusal::access_denied());
    }
    let meta = found.as_ref().ok().map(ObjectReader::meta);
    scene.may_read(bucket, &key, version_id.as_deref(), meta)?;
    if let Some(meta) = meta {
        scene.may_decrypt(bucket, &key, meta)?;
    }
    let reader = found.map_err(|error| of_source(scene, &key, error))?;
    Ok(Source { bucket: name, key, version_id, reader })
}

impl Source {
    fn with_conditions(&self, scene: &Scene) -> CopySource<'_> {
        CopySource {
            bucket: &self.bucket,
            key: &self.key,
            version_id: self.version_id.as_deref(),
            conditions: headers::source_conditions(scene),
        }
    }
}

/// Whether a directive says REPLACE.
fn replaces(directive: Option<&str>) -> Result<bool, Refusal> {
    match directive {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(Refusal::of("InvalidArgument", "Unknown metadata directive.")),
    }
}

pub(super) async fn copy_object(
    scene: Arc<Scene>,
    input: dto::CopyObjectInput,
) -> Answered<dto::CopyObjectOutput> {
    let source = source_of(&scene, input.copy_source)?;
    let new_metadata = replaces(input.metadata_directive.as_ref().map(dto::MetadataDirective::as_str))?;
    let new_tags = replaces(input.tagging_directive.as_ref().map(dto::TaggingDirective::as_str))?;
    let tags = headers::tags(&scene)?;
    if new_tags && !tags.is_empty() {
        scene.may_tag("s3:PutObjectTagging", &tags)?;
    } else if !new_tags {
        let tags = &source.reader.meta().object.tags;
        if !tags.is_empty() {
            scene.may_tag("s3:PutObjectTagging", tags)?;
        }
    }
    let Chosen { encryption, is_named } = encryption::choose(&scene).await?;
    let request = CopyRequest {
        source: source.with_conditions(&scene),
        bucket: &input.bucket,
        key: &input.key,
        conditions: headers::write_conditions(&scene)?,
        owner: scene.bucket()?.owner,
        headers: new_metadata.then(|| headers::object_headers(&scene, input.metadata)),
        tags: new_tags.then_some(tags),
        storage_class: scene.header("x-amz-storage-class").map(str::to_owned),
        canned_acl: scene.header("x-amz-acl").map(str::to_owned),
        lock: object_lock::in_headers(&scene)?,
        encryption: Some(encryption),
        names_encryption: is_named,
        algorithm: headers::named(&scene)?,
    };
    let copied = scene
        .vault()
        .copy_from(&source.reader, request, scene.arrival.at, |copied| {
            scene.events(put::elements(&copied.put))
        })
        .await
        .map_err(|error| of_source(&scene, &source.key, error))?;
    let meta = &copied.put.meta;
    let mut result = dto::CopyObjectResult {
        e_tag: Some(shape::etag(&meta.etag)),
        last_modified: Some(shape::time(meta.last_modified)),
        checksum_type: Some(shape::checksum_type(meta.checksum_type)),
        ..dto::CopyObjectResult::default()
    };
    set_checksums!(result, &meta.checksums);
    let mut output = dto::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: copied.source_version_id,
        expiration: lifecycle::expiration(&scene.rooms, scene.bucket()?, &input.key, meta),
        version_id: copied.put.version_id.clone(),
        ..dto::CopyObjectOutput::default()
    };
    tell_encryption!(output, meta.encryption());
    output.ssekms_encryption_context = encryption::told(meta.encryption()).context;
    plain(output)
}

/// A delete marker named as a source is a bad request, not a wrong method (S3 API reference, CopyObject).
fn of_source(scene: &Scene, key: &str, error: VaultError) -> Refusal {
    match error {
        VaultError::VersionIsDeleteMarker { .. } => Refusal::of(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        VaultError::NoSuchKey { key: ref missing, .. } if missing == key => scene.not_there(error),
        other => other.into(),
    }
}

pub(super) async fn upload_part_copy(
    scene: Arc<Scene>,
    input: dto::UploadPartCopyInput,
) -> Answered<dto::UploadPartCopyOutput> {
    let source = source_of(&scene, input.copy_source)?;
    scene.may_open_upload(&input.upload_id)?;
    let range = input.copy_source_range.as_deref().map(source_range).transpose()?;
    let (part, source_version_id) = scene
        .vault()
        .copy_part_from(
            &source.reader,
            &headers::source_conditions(&scene),
            range,
            &input.bucket,
            &input.key,
            &input.upload_id,
            input.part_number.into(),
            scene.arrival.at,
            |_| scene.events(None),
        )
        .await
        .map_err(|error| of_source(&scene, &source.key, error))?;
    let mut result = dto::CopyPartResult {
        e_tag: Some(shape::etag(&part.etag)),
        last_modified: Some(shape::time(part.last_modified)),
        ..dto::CopyPartResult::default()
    };
    set_checksums!(result, &part.checksums);
    let mut output = dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source_version_id,
        ..dto::UploadPartCopyOutput::default()
    };
    tell_encryption!(output, part.encryption.as_ref());
    plain(output)
}

/// The range of a copied part: first and last byte, both named (S3 API reference, UploadPartCopy).
fn source_range(text: &str) -> Result<ByteRange, Refusal> {
    match ByteRange::parse(text) {
        Some(range @ ByteRange::From { last: Some(_), .. }) => Ok(range),
        _ => Err(Refusal::of(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}
