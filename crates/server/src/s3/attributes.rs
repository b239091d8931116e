//! GetObjectAttributes.

use std::sync::Arc;

use s3s::{S3Response, dto};

use super::{
    headers,
    parts::{after, page_size},
    refusal::Refusal,
    scene::Scene,
    shape::{self, set_checksums},
    table::Answered,
};

pub(super) async fn get_object_attributes(
    scene: Arc<Scene>,
    input: dto::GetObjectAttributesInput,
) -> Answered<dto::GetObjectAttributesOutput> {
    let (vault, version) = (scene.vault(), input.version_id.as_deref());
    let meta = vault.head(&input.bucket, &input.key, version).map_err(|error| scene.not_there(error))?;
    headers::read_conditions(&scene).check(&meta)?;
    // The header may come once with commas or several times.
    let asked: Vec<&str> =
        input.object_attributes.iter().flat_map(|list| list.as_str().split(',')).map(str::trim).collect();
    const KNOWN: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
    if asked.is_empty() || asked.iter().any(|name| !KNOWN.contains(name)) {
        return Err(Refusal::of("InvalidArgument", "Invalid attribute name specified."));
    }
    let asks = |name: &str| asked.contains(&name);
    // Checksums tell of the bytes, those of parts no less.
    if asks("Checksum") || (asks("ObjectParts") && meta.parts_count().is_some()) {
        scene.may_decrypt(scene.bucket()?, &input.key, &meta)?;
    }
    let mut output = dto::GetObjectAttributesOutput {
        last_modified: Some(shape::time(meta.last_modified)),
        version_id: vault.shown_version(&input.bucket, &meta)?,
        ..dto::GetObjectAttributesOutput::default()
    };
    output.e_tag = asks("ETag").then(|| shape::etag(&meta.etag));
    output.object_size = asks("ObjectSize").then(|| shape::long(meta.size));
    output.storage_class = asks("StorageClass").then(|| meta.object.storage_class.clone().into());
    if asks("Checksum") && !meta.checksums.is_empty() {
        let mut checksum = dto::Checksum {
            checksum_type: Some(shape::checksum_type(meta.checksum_type)),
            ..dto::Checksum::default()
        };
        set_checksums!(checksum, &meta.checksums);
        output.checksum = Some(checksum);
    }
    if let Some(count) = meta.parts_count().filter(|_| asks("ObjectParts")) {
        let max = page_size(input.max_parts)?;
        let marker = after(input.part_number_marker)?;
        let page = vault.object_parts(&input.bucket, &input.key, version, marker, Some(max))?;
        let parts = page.parts.iter().map(|part| {
            let mut shown = dto::ObjectPart {
                part_number: Some(part.part_number.into()),
                size: Some(shape::long(part.size)),
                ..dto::ObjectPart::default()
            };
            set_checksums!(shown, &part.checksums);
            shown
        });
        output.object_parts = Some(dto::GetObjectAttributesParts {
            is_truncated: Some(page.next.is_some()),
            max_parts: Some(shape::int(max)),
            next_part_number_marker: page.parts.last().map(|part| part.part_number.into()),
            part_number_marker: Some(marker.unwrap_or(0).into()),
            parts: Some(parts.collect()),
            total_parts_count: Some(count.into()),
        });
    }
    Ok(S3Response::new(output))
}
