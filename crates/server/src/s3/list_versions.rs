//! ListObjectVersions.

use std::sync::Arc;

use opentrail_vault::{ListQuery, Marker, ObjectMeta, Version, VersionEntry, VersionPage};
use s3s::dto;

use super::{
    list::{algorithms, delimiter_of, page_size, prefixes},
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
    url_encoding::Spelling,
};

pub(super) async fn list_object_versions(
    scene: Arc<Scene>,
    input: dto::ListObjectVersionsInput,
) -> Answered<dto::ListObjectVersionsOutput> {
    let spelling = Spelling::asked(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys, "maxKeys")?;
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter_of(input.delimiter.as_ref()),
        after: None,
        max: Some(max),
    };
    let id = input.version_id_marker.clone().filter(|id| !id.is_empty());
    let marker = match input.key_marker.clone().filter(|key| !key.is_empty()) {
        Some(key) => Some(Marker { key, id: id.clone() }),
        None if id.is_some() => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(Refusal::of("InvalidArgument", message));
        }
        None => None,
    };
    let page = if max == 0 {
        VersionPage { versions: Vec::new(), common_prefixes: Vec::new(), next: None }
    } else {
        scene.vault().list_versions(&input.bucket, &query, marker.as_ref())?
    };
    let (mut versions, mut delete_markers) = (Vec::new(), Vec::new());
    for entry in &page.versions {
        match &entry.version {
            Version::Object(meta) => versions.push(version(entry, meta, spelling)),
            Version::DeleteMarker(marker) => delete_markers.push(dto::DeleteMarkerEntry {
                is_latest: Some(entry.is_latest),
                key: Some(spelling.of(&entry.key)),
                last_modified: Some(shape::time(marker.last_modified)),
                owner: Some(shape::owner(marker.owner)),
                version_id: Some(marker.version_id.clone()),
            }),
        }
    }
    plain(dto::ListObjectVersionsOutput {
        common_prefixes: Some(prefixes(&page.common_prefixes, spelling)),
        delete_markers: Some(delete_markers),
        delimiter: query.delimiter.map(|delimiter| spelling.of(&delimiter)),
        encoding_type: spelling.member(),
        is_truncated: Some(page.next.is_some()),
        key_marker: Some(spelling.of(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: Some(shape::int(max)),
        name: Some(input.bucket),
        next_key_marker: page.next.as_ref().map(|next| spelling.of(&next.key)),
        next_version_id_marker: page.next.and_then(|next| next.id),
        prefix: Some(spelling.of(&query.prefix)),
        request_charged: None,
        version_id_marker: Some(id.unwrap_or_default()),
        versions: Some(versions),
    })
}

fn version(entry: &VersionEntry, meta: &ObjectMeta, spelling: Spelling) -> dto::ObjectVersion {
    let found: Vec<_> = meta.checksums.keys().copied().collect();
    dto::ObjectVersion {
        checksum_algorithm: algorithms(&found),
        checksum_type: (!found.is_empty()).then(|| shape::checksum_type(meta.checksum_type)),
        e_tag: Some(shape::etag(&meta.etag)),
        is_latest: Some(entry.is_latest),
        key: Some(spelling.of(&entry.key)),
        last_modified: Some(shape::time(meta.last_modified)),
        owner: Some(shape::owner(meta.object.owner)),
        restore_status: None,
        size: Some(shape::long(meta.size)),
        storage_class: Some(meta.object.storage_class.clone().into()),
        version_id: Some(meta.version_id.clone()),
    }
}
