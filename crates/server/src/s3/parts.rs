//! Parts of multipart uploads.

use std::sync::Arc;

use opentrail_vault::limits;
use s3s::dto;

use super::{
    encryption::tell_encryption,
    headers, multipart,
    put::{Content, content_length},
    refusal::Refusal,
    scene::Scene,
    shape::{self, set_checksums},
    table::{Answered, plain},
};

pub(super) async fn upload(
    scene: Arc<Scene>,
    input: dto::UploadPartInput,
) -> Answered<dto::UploadPartOutput> {
    let vault = scene.vault();
    let (algorithms, length) = (headers::algorithms(&scene)?, content_length(&scene)?);
    scene.may_open_upload(&input.upload_id)?;
    let number = input.part_number.into();
    let mut part =
        vault.begin_part(&input.bucket, &input.key, &input.upload_id, number, &algorithms, Some(length))?;
    let mut content = Content::of(&scene, input.body);
    while let Some(bytes) = content.next().await? {
        part.write(bytes).await?;
    }
    let staged = part.finish(&headers::expected(&scene)?).await?;
    let stored = vault.commit_part(staged, scene.arrival.at, |_| scene.events(None)).await?;
    let mut output =
        dto::UploadPartOutput { e_tag: Some(shape::etag(&stored.etag)), ..dto::UploadPartOutput::default() };
    set_checksums!(output, &stored.checksums);
    tell_encryption!(output, stored.encryption.as_ref());
    plain(output)
}

/// Parts of a page as asked.
pub(super) fn page_size(asked: Option<i32>) -> Result<usize, Refusal> {
    super::list::page_size(asked, "max-parts").map(|max| max.max(1))
}

/// The part after which a page begins.
pub(super) fn after(marker: Option<i32>) -> Result<Option<u16>, Refusal> {
    marker.filter(|marker| *marker != 0).map(u16::try_from).transpose().map_err(|_| {
        let message =
            format!("Argument part-number-marker must be an integer between 0 and {}", limits::MAX_PARTS);
        Refusal::of("InvalidArgument", message)
    })
}

pub(super) async fn list(scene: Arc<Scene>, input: dto::ListPartsInput) -> Answered<dto::ListPartsOutput> {
    let (max, marker) = (page_size(input.max_parts)?, after(input.part_number_marker)?);
    scene.may_open_upload(&input.upload_id)?;
    let (upload, page) =
        scene.vault().list_parts(&input.bucket, &input.key, &input.upload_id, marker, Some(max))?;
    let parts = page.parts.iter().map(|part| {
        let mut shown = dto::Part {
            e_tag: Some(shape::etag(&part.etag)),
            last_modified: Some(shape::time(part.last_modified)),
            part_number: Some(part.part_number.into()),
            size: Some(shape::long(part.size)),
            ..dto::Part::default()
        };
        set_checksums!(shown, &part.checksums);
        shown
    });
    plain(dto::ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload.algorithm.map(shape::algorithm),
        checksum_type: upload.algorithm.map(|_| shape::checksum_type(upload.checksum_type)),
        initiator: Some(multipart::initiator(&upload)),
        is_truncated: Some(page.next.is_some()),
        key: Some(input.key),
        max_parts: Some(shape::int(max)),
        next_part_number_marker: page.parts.last().map(|part| part.part_number.into()),
        owner: Some(shape::owner(upload.object.owner)),
        part_number_marker: Some(marker.unwrap_or(0).into()),
        parts: Some(parts.collect()),
        storage_class: Some(upload.object.storage_class.clone().into()),
        upload_id: Some(input.upload_id),
        ..dto::ListPartsOutput::default()
    })
}
