//! Multipart uploads: begun, completed, given up, listed.

use std::sync::Arc;

use http::header;
use opentrail_vault::{
    ChecksumType, CompletedPart, Completion, ListQuery, Marker, UploadOptions, UploadPage, UploadSummary,
};
use s3s::dto;

use super::{
    encryption::{self, tell_encryption},
    headers, lifecycle,
    list::{delimiter_of, page_size, prefixes},
    put,
    refusal::Refusal,
    scene::Scene,
    shape::{self, given_checksums, set_checksums},
    table::{Answered, plain},
    url_encoding::Spelling,
};

fn checksum_type_of(asked: Option<&dto::ChecksumType>) -> Result<Option<ChecksumType>, Refusal> {
    match asked.map(dto::ChecksumType::as_str) {
        None => Ok(None),
        Some(dto::ChecksumType::FULL_OBJECT) => Ok(Some(ChecksumType::FullObject)),
        Some(dto::ChecksumType::COMPOSITE) => Ok(Some(ChecksumType::Composite)),
        Some(_) => Err(Refusal::of("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")),
    }
}

pub(super) async fn create(
    scene: Arc<Scene>,
    input: dto::CreateMultipartUploadInput,
) -> Answered<dto::CreateMultipartUploadOutput> {
    let mut object = headers::object(&scene, input.metadata, scene.bucket()?.owner)?;
    object.encryption = Some(encryption::choose(&scene).await?.encryption);
    let options = UploadOptions {
        object,
        algorithm: headers::named(&scene)?,
        checksum_type: checksum_type_of(input.checksum_type.as_ref())?,
    };
    let upload = scene
        .vault()
        .create_upload(&input.bucket, &input.key, options, scene.arrival.at, |_| scene.events(None))
        .await?;
    let (abort_date, abort_rule_id) =
        lifecycle::abort(&scene.rooms, scene.bucket()?, &input.key, upload.initiated);
    let mut output = dto::CreateMultipartUploadOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(input.bucket),
        checksum_algorithm: upload.algorithm.map(shape::algorithm),
        checksum_type: upload.algorithm.map(|_| shape::checksum_type(upload.checksum_type)),
        key: Some(input.key),
        upload_id: Some(upload.upload_id.to_string()),
        ..dto::CreateMultipartUploadOutput::default()
    };
    let encryption = upload.object.encryption.as_ref();
    tell_encryption!(output, encryption);
    output.ssekms_encryption_context = encryption::told(encryption).context;
    plain(output)
}

pub(super) async fn complete(
    scene: Arc<Scene>,
    input: dto::CompleteMultipartUploadInput,
) -> Answered<dto::CompleteMultipartUploadOutput> {
    scene.may_open_upload(&input.upload_id)?;
    let checksums = given_checksums!(input);
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let completion = Completion {
        parts: parts.iter().map(completed).collect::<Result<_, _>>()?,
        conditions: headers::write_conditions(&scene)?,
        checksums,
        checksum_type: checksum_type_of(input.checksum_type.as_ref())?,
        size: input.mpu_object_size.map(u64::try_from).transpose().map_err(|_| {
            Refusal::of("InvalidRequest", "Value for x-amz-mp-object-size header is invalid.")
        })?,
    };
    let (vault, now) = (scene.vault(), scene.arrival.at);
    let put = vault
        .complete_upload(&input.bucket, &input.key, &input.upload_id, &completion, now, |put| {
            scene.events(put::elements(put))
        })
        .await?;
    let host = scene.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if scene.arrival.tls.is_some() { "https" } else { "http" };
    let mut output = dto::CompleteMultipartUploadOutput {
        checksum_type: Some(shape::checksum_type(put.meta.checksum_type)),
        e_tag: Some(shape::etag(&put.meta.etag)),
        expiration: lifecycle::expiration(&scene.rooms, scene.bucket()?, &input.key, &put.meta),
        location: Some(format!("{scheme}://{host}/{}/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        version_id: put.version_id,
        ..dto::CompleteMultipartUploadOutput::default()
    };
    set_checksums!(output, &put.meta.checksums);
    tell_encryption!(output, put.meta.encryption());
    plain(output)
}

fn completed(part: &dto::CompletedPart) -> Result<CompletedPart, Refusal> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::of("MalformedXML", message)
    };
    let number = part.part_number.ok_or_else(malformed)?;
    let part_number = u16::try_from(number)
        .ok()
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| Refusal::of("InvalidArgument", "PartNumber must be >= 1 and <= 10000"))?;
    let etag = part.e_tag.as_ref().map(|etag| etag.value().to_owned()).ok_or_else(malformed)?;
    Ok(CompletedPart { part_number, etag, checksums: given_checksums!(part) })
}

pub(super) async fn abort(
    scene: Arc<Scene>,
    input: dto::AbortMultipartUploadInput,
) -> Answered<dto::AbortMultipartUploadOutput> {
    let vault = scene.vault();
    vault.abort_upload(&input.bucket, &input.key, &input.upload_id, |_| scene.events(None)).await?;
    plain(dto::AbortMultipartUploadOutput::default())
}

/// Who began an upload, as far as it is kept: the account.
pub(super) fn initiator(upload: &UploadSummary) -> dto::Initiator {
    dto::Initiator { display_name: None, id: Some(shape::canonical_id(upload.object.owner)) }
}

pub(super) async fn list(
    scene: Arc<Scene>,
    input: dto::ListMultipartUploadsInput,
) -> Answered<dto::ListMultipartUploadsOutput> {
    let spelling = Spelling::asked(input.encoding_type.as_ref())?;
    let max = page_size(input.max_uploads, "max-uploads")?;
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter_of(input.delimiter.as_ref()),
        after: None,
        max: Some(max),
    };
    // Without a key marker, an upload-id marker is passed over (S3 API reference, ListMultipartUploads).
    let id = input.upload_id_marker.clone().filter(|id| !id.is_empty());
    let marker = input.key_marker.clone().filter(|key| !key.is_empty()).map(|key| Marker { key, id });
    let page = if max == 0 {
        UploadPage { uploads: Vec::new(), common_prefixes: Vec::new(), next: None }
    } else {
        scene.vault().list_uploads(&input.bucket, &query, marker.as_ref())?
    };
    let uploads = page.uploads.iter().map(|upload| dto::MultipartUpload {
        checksum_algorithm: upload.algorithm.map(shape::algorithm),
        checksum_type: upload.algorithm.map(|_| shape::checksum_type(upload.checksum_type)),
        initiated: Some(shape::time(upload.initiated)),
        initiator: Some(initiator(upload)),
        key: Some(spelling.of(&upload.key)),
        owner: Some(shape::owner(upload.object.owner)),
        storage_class: Some(upload.object.storage_class.clone().into()),
        upload_id: Some(upload.upload_id.to_string()),
    });
    plain(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: Some(prefixes(&page.common_prefixes, spelling)),
        delimiter: query.delimiter.map(|delimiter| spelling.of(&delimiter)),
        encoding_type: spelling.member(),
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(spelling.of(input.key_marker.as_deref().unwrap_or_default())),
        max_uploads: Some(shape::int(max)),
        next_key_marker: page.next.as_ref().map(|next| spelling.of(&next.key)),
        next_upload_id_marker: page.next.and_then(|next| next.id),
        prefix: Some(spelling.of(&query.prefix)),
        request_charged: None,
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        uploads: Some(uploads.collect()),
    })
}
