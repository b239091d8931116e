//! ListObjects and ListObjectsV2.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use opentrail_vault::{ListPage, ListQuery, ObjectSummary, limits};
use s3s::dto;

use super::{
    refusal::Refusal,
    scene::Scene,
    shape,
    table::{Answered, plain},
    url_encoding::Spelling,
};

/// Entries of a page as asked; more than S3's limit is its limit.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> Result<usize, Refusal> {
    match asked.map(usize::try_from) {
        None => Ok(limits::MAX_LIST_ENTRIES),
        Some(Ok(max)) => Ok(max.min(limits::MAX_LIST_ENTRIES)),
        Some(Err(_)) => {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(Refusal::of("InvalidArgument", message))
        }
    }
}

/// A delimiter; an empty one is none.
pub(super) fn delimiter_of(asked: Option<&String>) -> Option<String> {
    asked.filter(|delimiter| !delimiter.is_empty()).cloned()
}

/// Common prefixes as XML has them.
pub(super) fn prefixes(prefixes: &[String], spelling: Spelling) -> dto::CommonPrefixList {
    prefixes.iter().map(|prefix| dto::CommonPrefix { prefix: Some(spelling.of(prefix)) }).collect()
}

fn page(scene: &Scene, bucket: &str, query: &ListQuery) -> Result<ListPage, Refusal> {
    if query.max == Some(0) {
        return Ok(ListPage { objects: Vec::new(), common_prefixes: Vec::new(), next: None });
    }
    Ok(scene.vault().list_objects(bucket, query)?)
}

fn object(object: &ObjectSummary, spelling: Spelling, with_owner: bool) -> dto::Object {
    dto::Object {
        checksum_algorithm: algorithms(&object.checksum_algorithms),
        checksum_type: (!object.checksum_algorithms.is_empty())
            .then(|| shape::checksum_type(object.checksum_type)),
        e_tag: Some(shape::etag(&object.etag)),
        key: Some(spelling.of(&object.key)),
        last_modified: Some(shape::time(object.last_modified)),
        owner: with_owner.then(|| shape::owner(object.owner)),
        restore_status: None,
        size: Some(shape::long(object.size)),
        storage_class: Some(object.storage_class.clone().into()),
    }
}

/// The algorithms of an object's checksums as XML has them.
pub(super) fn algorithms(
    algorithms: &[opentrail_vault::ChecksumAlgorithm],
) -> Option<dto::ChecksumAlgorithmList> {
    (!algorithms.is_empty()).then(|| algorithms.iter().map(|one| shape::algorithm(*one)).collect())
}

pub(super) async fn list_objects(
    scene: Arc<Scene>,
    input: dto::ListObjectsInput,
) -> Answered<dto::ListObjectsOutput> {
    let spelling = Spelling::asked(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys, "maxKeys")?;
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter_of(input.delimiter.as_ref()),
        after: input.marker.clone().filter(|marker| !marker.is_empty()),
        max: Some(max),
    };
    let page = page(&scene, &input.bucket, &query)?;
    let contents = page.objects.iter().map(|one| object(one, spelling, true));
    plain(dto::ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(spelling.of(&query.prefix)),
        marker: Some(spelling.of(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(shape::int(max)),
        is_truncated: Some(page.next.is_some()),
        contents: Some(contents.collect()),
        common_prefixes: Some(prefixes(&page.common_prefixes, spelling)),
        // S3 names the next marker only where there is a delimiter; it is the last key else.
        next_marker: page.next.filter(|_| query.delimiter.is_some()).map(|next| spelling.of(&next)),
        delimiter: query.delimiter.map(|delimiter| spelling.of(&delimiter)),
        encoding_type: spelling.member(),
        request_charged: None,
    })
}

pub(super) async fn list_objects_v2(
    scene: Arc<Scene>,
    input: dto::ListObjectsV2Input,
) -> Answered<dto::ListObjectsV2Output> {
    let spelling = Spelling::asked(input.encoding_type.as_ref())?;
    let max = page_size(input.max_keys, "maxKeys")?;
    let after = match &input.continuation_token {
        Some(token) => Some(read_token(token)?),
        None => input.start_after.clone().filter(|after| !after.is_empty()),
    };
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter_of(input.delimiter.as_ref()),
        after,
        max: Some(max),
    };
    let page = page(&scene, &input.bucket, &query)?;
    let with_owner = input.fetch_owner.unwrap_or(false);
    let contents = page.objects.iter().map(|one| object(one, spelling, with_owner));
    plain(dto::ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(spelling.of(&query.prefix)),
        max_keys: Some(shape::int(max)),
        key_count: Some(shape::int(page.objects.len() + page.common_prefixes.len())),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        contents: Some(contents.collect()),
        common_prefixes: Some(prefixes(&page.common_prefixes, spelling)),
        next_continuation_token: page.next.as_deref().map(write_token),
        delimiter: query.delimiter.map(|delimiter| spelling.of(&delimiter)),
        encoding_type: spelling.member(),
        start_after: input.start_after.map(|after| spelling.of(&after)),
        request_charged: None,
    })
}

/// Continuation tokens: a version, and the name after which the next page begins.
fn write_token(after: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("1{after}"))
}

fn read_token(token: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::of("InvalidArgument", "The continuation token provided is incorrect");
    let text = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|text| String::from_utf8(text).ok());
    let text = text.ok_or_else(invalid)?;
    text.strip_prefix('1').map(str::to_owned).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::{page_size, read_token, write_token};

    #[test]
    fn tokens_come_back() {
        assert_eq!(read_token(&write_token("a/ü\n")).expect("a token"), "a/ü\n");
        for token in ["", "x", "%", "MmE"] {
            assert!(read_token(token).is_err(), "{token}");
        }
    }

    #[test]
    fn pages_have_limits() {
        assert_eq!(page_size(None, "maxKeys").expect("a size"), 1000);
        assert_eq!(page_size(Some(5000), "maxKeys").expect("a size"), 1000);
        assert!(page_size(Some(-1), "maxKeys").is_err());
    }
}
