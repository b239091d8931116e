//! Multipart uploads and copies.

mod support;

use opentrail_vault::*;
use support::{House, account, noise, now};

const FULL: usize = 5 << 20;

fn done(part: &PartSummary) -> CompletedPart {
    CompletedPart { part_number: part.part_number, etag: part.etag.clone(), checksums: Checksums::new() }
}

async fn complete(
    house: &House,
    key: &str,
    upload: &str,
    parts: Vec<CompletedPart>,
) -> Result<PutOutcome, VaultError> {
    let completion = Completion { parts, ..Completion::default() };
    house.vault.complete_upload("logs", key, upload, &completion, now(), |_| Vec::new()).await
}

#[tokio::test]
async fn parts_become_an_object_and_the_unnamed_ones_go() {
    let house = House::with_bucket("logs").await;
    let upload = house.begin_upload("logs", "big").await;
    let first = house.part("logs", "big", &upload, 1, noise(FULL, 1)).await.unwrap();
    house.part("logs", "big", &upload, 3, noise(FULL, 3)).await.unwrap();
    let again = house.part("logs", "big", &upload, 3, noise(FULL + 7, 33)).await.unwrap();
    let unnamed = house.part("logs", "big", &upload, 4, noise(100_000, 4)).await.unwrap();
    let last = house.part("logs", "big", &upload, 9, noise(100, 9)).await.unwrap();
    let (_, page) = house.vault.list_parts("logs", "big", &upload, None, Some(2)).unwrap();
    assert_eq!((page.parts.len(), page.next), (2, Some(3)));
    let (_, page) = house.vault.list_parts("logs", "big", &upload, page.next, None).unwrap();
    assert_eq!(page.parts, [unnamed, last.clone()]);
    assert!(house.keys("logs").is_empty());
    assert_eq!(house.vault.list_uploads("logs", &ListQuery::default(), None).unwrap().uploads.len(), 1);

    let outcome = complete(&house, "big", &upload, [&first, &again, &last].map(done).to_vec()).await.unwrap();
    let whole = [noise(FULL, 1), noise(FULL + 7, 33), noise(100, 9)].concat();
    assert!(outcome.meta.etag.ends_with("-3"));
    assert_eq!(outcome.meta.size, whole.len() as u64);
    assert_eq!(outcome.meta.checksum_type, ChecksumType::FullObject);
    assert!(house.vault.list_uploads("logs", &ListQuery::default(), None).unwrap().uploads.is_empty());
    let house = house.reopen().await;
    assert_eq!(house.read("logs", "big", None).await.unwrap(), whole);
    let reader = house.vault.get("logs", "big", None).unwrap();
    assert_eq!(reader.meta().parts_count(), Some(3));
    assert_eq!(reader.part(9).unwrap(), (whole.len() - 100) as u64..whole.len() as u64);
    assert!(matches!(reader.part(2), Err(VaultError::InvalidPartNumber { .. })));
    let over = FULL as u64 - 3..FULL as u64 + 3;
    assert_eq!(reader.bytes(over).await.unwrap(), whole[FULL - 3..FULL + 3]);
    let parts = house.vault.object_parts("logs", "big", None, None, None).unwrap().parts;
    assert_eq!(parts.iter().map(|part| part.part_number).collect::<Vec<_>>(), [1, 3, 9]);
    drop(reader);
    house.is_well().await;

    let copy = copy_of("big", "copy");
    let copied = house.vault.copy(copy, now(), |_| Vec::new()).await.unwrap();
    assert_eq!(copied.put.meta.checksums, outcome.meta.checksums);
    assert!(!copied.put.meta.etag.contains('-'));
    house.delete("logs", "big", None).await.unwrap();
    assert_eq!(house.read("logs", "copy", None).await.unwrap(), whole);
    let house = house.reopen().await;
    house.is_well().await;
}

fn copy_of<'a>(from: &'a str, to: &'a str) -> CopyRequest<'a> {
    CopyRequest {
        source: CopySource {
            bucket: "logs",
            key: from,
            version_id: None,
            conditions: ReadConditions::default(),
        },
        bucket: "logs",
        key: to,
        conditions: WriteConditions::default(),
        owner: account(),
        headers: None,
        tags: None,
        storage_class: None,
        canned_acl: None,
        lock: ObjectLock::default(),
        encryption: None,
        names_encryption: false,
        algorithm: None,
    }
}

#[tokio::test]
async fn a_wrong_completion_is_refused_by_its_cause_and_can_be_repeated() {
    let house = House::with_bucket("logs").await;
    let upload = house.begin_upload("logs", "k").await;
    let small = house.part("logs", "k", &upload, 1, "small").await.unwrap();
    let last = house.part("logs", "k", &upload, 2, "last").await.unwrap();
    let code =
        async |parts: Vec<CompletedPart>| complete(&house, "k", &upload, parts).await.unwrap_err().code();
    assert_eq!(code(vec![]).await, "MalformedXML");
    assert_eq!(code(vec![done(&last), done(&small)]).await, "InvalidPartOrder");
    assert_eq!(code(vec![done(&small), done(&small)]).await, "InvalidPartOrder");
    assert_eq!(code(vec![done(&small), done(&last)]).await, "EntityTooSmall");
    assert_eq!(code(vec![CompletedPart { etag: "other".to_owned(), ..done(&small) }]).await, "InvalidPart");
    assert_eq!(code(vec![CompletedPart { part_number: 7, ..done(&small) }]).await, "InvalidPart");
    let sized = Completion { parts: vec![done(&last)], size: Some(5), ..Completion::default() };
    let refused = house.vault.complete_upload("logs", "k", &upload, &sized, now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::ObjectSizeMismatch { declared: 5, actual: 4 })));
    complete(&house, "k", &upload, vec![done(&last)]).await.unwrap();
    assert_eq!(house.read("logs", "k", None).await.unwrap(), "last");
    assert_eq!(complete(&house, "k", &upload, vec![done(&last)]).await.unwrap_err().code(), "NoSuchUpload");
    house.is_well().await;
}

#[tokio::test]
async fn an_aborted_upload_is_gone_with_its_parts() {
    let house = House::with_bucket("logs").await;
    let upload = house.begin_upload("logs", "k").await;
    house.part("logs", "k", &upload, 1, noise(100_000, 1)).await.unwrap();
    let mut late = house.vault.begin_part("logs", "k", &upload, 2, &[], None).unwrap();
    late.write(noise(100_000, 2)).await.unwrap();
    let late = late.finish(&Expected::default()).await.unwrap();
    house.vault.abort_upload("logs", "k", &upload, |_| Vec::new()).await.unwrap();
    let refused = house.vault.commit_part(late, now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::NoSuchUpload { .. })));
    let again = house.vault.abort_upload("logs", "k", &upload, |_| Vec::new()).await;
    assert!(matches!(again, Err(VaultError::NoSuchUpload { .. })));
    assert!(matches!(house.vault.upload("logs", "k", "not-an-id"), Err(VaultError::NoSuchUpload { .. })));
    let house = house.reopen().await;
    house.is_well().await;
}

#[tokio::test]
async fn part_numbers_and_uploads_are_checked() {
    let house = House::with_bucket("logs").await;
    let upload = house.begin_upload("logs", "k").await;
    for wrong in [0, -1, 10_001, 65_537] {
        let refused = house.vault.begin_part("logs", "k", &upload, wrong, &[], None).map(drop);
        assert!(matches!(refused, Err(VaultError::PartNumberOutOfRange { .. })), "{wrong}");
    }
    assert!(house.vault.begin_part("logs", "k", &upload, 10_000, &[], None).is_ok());
    let other_key = house.vault.begin_part("logs", "other", &upload, 1, &[], None).map(drop);
    assert!(matches!(other_key, Err(VaultError::NoSuchUpload { .. })));
    let options = UploadOptions {
        object: NewObject::of(account()),
        algorithm: Some(ChecksumAlgorithm::Sha256),
        checksum_type: Some(ChecksumType::FullObject),
    };
    let refused = house.vault.create_upload("logs", "k", options, now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::ChecksumTypeNotAllowed { .. })));
}

#[tokio::test]
async fn a_composite_checksum_is_of_the_parts_checksums() {
    let house = House::with_bucket("logs").await;
    let options = UploadOptions {
        object: NewObject::of(account()),
        algorithm: Some(ChecksumAlgorithm::Sha256),
        checksum_type: None,
    };
    let upload = house.vault.create_upload("logs", "k", options, now(), |_| Vec::new()).await.unwrap();
    let id = upload.upload_id.to_string();
    let part = house.part("logs", "k", &id, 1, "123456789").await.unwrap();
    assert!(part.checksums.contains_key(&ChecksumAlgorithm::Sha256));
    let outcome = complete(&house, "k", &id, vec![done(&part)]).await.unwrap();
    assert_eq!(outcome.meta.checksum_type, ChecksumType::Composite);
    assert!(outcome.meta.checksums[&ChecksumAlgorithm::Sha256].ends_with("=-1"));
}

#[tokio::test]
async fn uploads_are_listed_by_key_and_age_page_by_page() {
    let house = House::with_bucket("logs").await;
    let mut expected = Vec::new();
    for key in ["a", "b/1", "b/2", "c"] {
        for _ in 0..2 {
            expected.push((key.to_owned(), house.begin_upload("logs", key).await));
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
    for max in 1..=9 {
        let query = ListQuery { max: Some(max), ..ListQuery::default() };
        let (mut marker, mut seen) = (None, Vec::new());
        loop {
            let page = house.vault.list_uploads("logs", &query, marker.as_ref()).unwrap();
            seen.extend(page.uploads.into_iter().map(|upload| (upload.key, upload.upload_id.to_string())));
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
    let query = ListQuery { delimiter: Some("/".to_owned()), ..ListQuery::default() };
    let page = house.vault.list_uploads("logs", &query, None).unwrap();
    assert_eq!((page.uploads.len(), page.common_prefixes), (4, vec!["b/".to_owned()]));
}

#[tokio::test]
async fn a_copy_takes_or_replaces_what_is_known_about_its_source() {
    let house = House::with_bucket("logs").await;
    house.set_versioning("logs", Versioning::Enabled).await;
    let object = NewObject {
        headers: ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() },
        tags: Tags::from([("k".to_owned(), "v".to_owned())]),
        ..NewObject::of(account())
    };
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(object.clone())).unwrap();
    upload.write(noise(1_200_000, 1)).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    let first =
        house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.unwrap();
    house.put("logs", "a", "newer").await.unwrap();

    let mut request = copy_of("a", "b");
    request.source.version_id = first.version_id.as_deref();
    let copied = house.vault.copy(request.clone(), now(), |_| Vec::new()).await.unwrap();
    assert_eq!(copied.source_version_id, first.version_id);
    assert_eq!(copied.put.meta.etag, first.meta.etag);
    assert_eq!((copied.put.meta.object.headers, copied.put.meta.object.tags), (object.headers, object.tags));
    assert_eq!(house.read("logs", "b", None).await.unwrap(), noise(1_200_000, 1));

    request.headers = Some(ObjectHeaders::default());
    request.tags = Some(Tags::new());
    let replaced = house.vault.copy(request, now(), |_| Vec::new()).await.unwrap();
    assert_eq!(replaced.put.meta.object, NewObject::of(account()));

    let itself = house.vault.copy(copy_of("a", "a"), now(), |_| Vec::new()).await;
    assert!(matches!(itself, Err(VaultError::CopyToItself)));
    let renewed = CopyRequest { headers: Some(ObjectHeaders::default()), ..copy_of("a", "a") };
    house.vault.copy(renewed, now(), |_| Vec::new()).await.unwrap();
    let mut unwanted = copy_of("a", "b");
    unwanted.source.conditions.if_none_match = Some(EtagMatch::Any);
    let refused = house.vault.copy(unwanted, now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::PreconditionFailed { condition: Condition::IfNoneMatch })));
}

#[tokio::test]
async fn what_is_copied_is_what_the_reader_found_even_if_the_key_has_something_else_by_now() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", noise(1_200_000, 1)).await.unwrap();
    let reader = house.vault.get("logs", "a", None).unwrap();
    house.put("logs", "a", "what the caller may not have").await.unwrap();
    let copied = house.vault.copy_from(&reader, copy_of("a", "b"), now(), |_| Vec::new()).await.unwrap();
    assert_eq!(copied.put.meta.etag, reader.meta().etag);
    assert_eq!(house.read("logs", "b", None).await.unwrap(), noise(1_200_000, 1));

    let upload = house.begin_upload("logs", "k").await;
    house.delete("logs", "a", None).await.unwrap();
    let conditions = ReadConditions::default();
    let (part, _) = house
        .vault
        .copy_part_from(&reader, &conditions, None, "logs", "k", &upload, 1, now(), |_| Vec::new())
        .await
        .unwrap();
    complete(&house, "k", &upload, vec![done(&part)]).await.unwrap();
    assert_eq!(house.read("logs", "k", None).await.unwrap(), noise(1_200_000, 1));
}

#[tokio::test]
async fn a_part_is_copied_from_a_range_of_an_object() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "source", noise(3_000_000, 5)).await.unwrap();
    let upload = house.begin_upload("logs", "k").await;
    let source =
        CopySource { bucket: "logs", key: "source", version_id: None, conditions: ReadConditions::default() };
    let range = ByteRange::From { first: 10, last: Some(2_000_009) };
    let (part, _) = house
        .vault
        .copy_part(&source, Some(range), "logs", "k", &upload, 1, now(), |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(part.size, 2_000_000);
    complete(&house, "k", &upload, vec![done(&part)]).await.unwrap();
    assert_eq!(house.read("logs", "k", None).await.unwrap(), noise(3_000_000, 5).slice(10..2_000_010));
}
