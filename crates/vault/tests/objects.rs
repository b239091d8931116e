//! Putting, reading and deleting objects in a bucket without versioning.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use futures::StreamExt;
use opentrail_vault::*;
use support::{House, account, noise, now};

const SIZES: [usize; 7] = [0, 1, 16 * 1024, 16 * 1024 + 1, 1 << 20, (1 << 20) + 1, 3_500_000];

fn blobs(house: &House) -> usize {
    let root = house.root().join("vault/blobs");
    let shards = std::fs::read_dir(root).unwrap();
    shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

/// Waits until removals that were given to the background are done.
async fn settled(house: &House, expected: usize) {
    for _ in 0..2000 {
        if blobs(house) == expected {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(blobs(house), expected);
}

#[tokio::test]
async fn an_object_is_read_as_it_was_put_in_every_size() {
    let house = House::with_bucket("logs").await;
    for size in SIZES {
        let bytes = noise(size, size as u64);
        let key = format!("a/{size}");
        let outcome = house.put("logs", &key, bytes.clone()).await.unwrap();
        assert_eq!(outcome.version_id, None);
        assert_eq!(outcome.meta.size, size as u64);
        assert_eq!(house.vault.head("logs", &key, None).unwrap(), outcome.meta);
        assert_eq!(house.read("logs", &key, None).await.unwrap(), bytes, "{size}");
    }
    house.is_well().await;
    let house = house.reopen().await;
    for size in SIZES {
        let read = house.read("logs", &format!("a/{size}"), None).await.unwrap();
        assert_eq!(read, noise(size, size as u64));
    }
    house.is_well().await;
}

#[tokio::test]
async fn what_the_caller_says_about_an_object_comes_back() {
    let house = House::with_bucket("logs").await;
    let headers = ObjectHeaders {
        content_type: Some("application/json".to_owned()),
        content_encoding: Some("gzip".to_owned()),
        cache_control: Some("no-store".to_owned()),
        metadata: BTreeMap::from([("signature".to_owned(), "ab12".to_owned())]),
        ..ObjectHeaders::default()
    };
    let object = NewObject {
        headers,
        tags: Tags::from([("kind".to_owned(), "digest".to_owned())]),
        storage_class: "STANDARD_IA".to_owned(),
        canned_acl: Some("bucket-owner-full-control".to_owned()),
        ..NewObject::of(account())
    };
    let upload = house.vault.begin_put("logs", "d", PutOptions::new(object.clone())).unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.unwrap();
    let house = house.reopen().await;
    let meta = house.vault.head("logs", "d", None).unwrap();
    assert_eq!(meta.object, object);
    assert_eq!(meta.etag, "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(meta.checksums[&ChecksumAlgorithm::Crc64Nvme], "AAAAAAAAAAA=");
    let listed = house.vault.list_objects("logs", &ListQuery::default()).unwrap();
    assert_eq!(listed.objects[0].storage_class, "STANDARD_IA");
}

#[tokio::test]
async fn limits_are_checked_before_bytes_are_taken() {
    let house = House::with_bucket("logs").await;
    let begin = |key: &str, change: &dyn Fn(&mut PutOptions)| {
        let mut options = PutOptions::new(NewObject::of(account()));
        change(&mut options);
        house.vault.begin_put("logs", key, options).map(drop).map_err(|error| error.code())
    };
    assert_eq!(begin("a", &|_| ()), Ok(()));
    assert_eq!(begin("", &|_| ()), Err("InvalidArgument"));
    assert_eq!(begin(&"k".repeat(1025), &|_| ()), Err("KeyTooLongError"));
    assert_eq!(begin("a", &|o| o.length = Some((5 << 30) + 1)), Err("EntityTooLarge"));
    let large = |o: &mut PutOptions| {
        o.object.headers.metadata.insert("n".to_owned(), "v".repeat(2048));
    };
    assert_eq!(begin("a", &large), Err("MetadataTooLarge"));
    let eleven =
        |o: &mut PutOptions| o.object.tags = (0..11).map(|n| (n.to_string(), String::new())).collect();
    assert_eq!(begin("a", &eleven), Err("BadRequest"));
    assert!(matches!(
        house.vault.begin_put("none", "a", PutOptions::new(NewObject::of(account()))),
        Err(VaultError::NoSuchBucket { .. })
    ));
}

#[tokio::test]
async fn bytes_that_are_not_what_was_announced_are_refused_and_leave_nothing() {
    let house = House::with_bucket("logs").await;
    let bytes = noise(2_000_000, 3);
    let send = async |length: Option<u64>, expected: Expected| {
        let options = PutOptions {
            length,
            algorithms: vec![ChecksumAlgorithm::Sha256],
            ..PutOptions::new(NewObject::of(account()))
        };
        let mut upload = house.vault.begin_put("logs", "a", options)?;
        upload.write(bytes.clone()).await?;
        upload.finish(&expected).await.map(|staged| staged.size())
    };
    assert!(matches!(
        send(Some(2_000_001), Expected::default()).await,
        Err(VaultError::IncompleteBody { .. })
    ));
    assert!(matches!(
        send(Some(1_999_999), Expected::default()).await,
        Err(VaultError::IncompleteBody { .. })
    ));
    let md5 = Expected { md5: Some([0; 16]), ..Expected::default() };
    assert!(matches!(send(None, md5).await, Err(VaultError::BadDigest { .. })));
    let sha =
        |text: &str| Expected { md5: None, checksums: [(ChecksumAlgorithm::Sha256, text.to_owned())].into() };
    assert!(matches!(
        send(None, sha("AAAA")).await,
        Err(VaultError::ChecksumMismatch { algorithm: ChecksumAlgorithm::Sha256, .. })
    ));
    let crc = Expected { md5: None, checksums: [(ChecksumAlgorithm::Crc32, "AAAAAA==".to_owned())].into() };
    assert!(matches!(send(None, crc).await, Err(VaultError::ChecksumNotAnnounced(ChecksumAlgorithm::Crc32))));
    assert_eq!(send(Some(2_000_000), Expected::default()).await.unwrap(), 2_000_000);
    settled(&house, 0).await;
    assert!(house.keys("logs").is_empty());
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", "before").await.unwrap();
    for full in [false, true] {
        let mut upload =
            house.vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
        upload.write(noise(3_000_000, 1)).await.unwrap();
        if full {
            drop(upload.finish(&Expected::default()).await.unwrap());
        } else {
            drop(upload);
        }
        settled(&house, 0).await;
    }
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "before");
}

#[tokio::test]
async fn what_is_replaced_or_deleted_frees_its_file() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", noise(100_000, 1)).await.unwrap();
    assert_eq!(blobs(&house), 1);
    house.put("logs", "a", noise(100_000, 2)).await.unwrap();
    settled(&house, 1).await;
    assert_eq!(house.read("logs", "a", None).await.unwrap(), noise(100_000, 2));
    let outcome = house.delete("logs", "a", None).await.unwrap();
    assert_eq!((outcome.version_id, outcome.delete_marker), (None, false));
    assert!(matches!(outcome.object, Some(Version::Object(_))));
    settled(&house, 0).await;
    assert!(matches!(
        house.read("logs", "a", None).await,
        Err(VaultError::NoSuchKey { delete_marker: None, .. })
    ));
    assert_eq!(house.delete("logs", "a", None).await.unwrap().object, None);
    house.is_well().await;
}

#[tokio::test]
async fn a_reader_keeps_what_it_opened() {
    let house = House::with_bucket("logs").await;
    let bytes = noise(5_000_000, 1);
    house.put("logs", "a", bytes.clone()).await.unwrap();
    let reader = house.vault.get("logs", "a", None).unwrap();
    let mut stream = Box::pin(reader.stream(0..5_000_000));
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    drop(reader);
    house.delete("logs", "a", None).await.unwrap();
    while let Some(piece) = stream.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() <= limits::READ_PIECE_BYTES);
        read.extend_from_slice(&piece);
    }
    assert_eq!(read, bytes);
    drop(stream);
    settled(&house, 0).await;
}

#[tokio::test]
async fn ranges_give_exactly_their_bytes() {
    let house = House::with_bucket("logs").await;
    let bytes = noise(2_500_000, 9);
    house.put("logs", "large", bytes.clone()).await.unwrap();
    house.put("logs", "small", bytes.slice(..1000)).await.unwrap();
    for (key, size) in [("large", 2_500_000), ("small", 1000)] {
        let reader = house.vault.get("logs", key, None).unwrap();
        for header in ["bytes=0-0", "bytes=10-999", "bytes=900-", "bytes=-7", "bytes=0-99999999"] {
            let range = reader.resolve(ByteRange::parse(header).unwrap()).unwrap();
            let expected = bytes.slice(..size).slice(range.start as usize..range.end as usize);
            assert_eq!(reader.bytes(range).await.unwrap(), expected, "{key} {header}");
        }
        let beyond = reader.resolve(ByteRange::From { first: size as u64, last: None });
        assert!(matches!(beyond, Err(VaultError::InvalidRange { .. })));
    }
    let reader = house.vault.get("logs", "large", None).unwrap();
    for at in [0, (1 << 20) - 1, 1 << 20, (2 << 20) - 5, 2_499_990] {
        let range = at as u64..(at + 10) as u64;
        assert_eq!(reader.bytes(range).await.unwrap(), bytes.slice(at..at + 10));
    }
    assert_eq!(reader.part(1).unwrap(), 0..2_500_000);
    assert!(matches!(reader.part(2), Err(VaultError::InvalidPartNumber { parts: 1, .. })));
}

#[tokio::test]
async fn conditional_writes_hold_against_what_is_there() {
    let house = House::with_bucket("logs").await;
    let absent = WriteConditions { if_none_match: Some(EtagMatch::Any), ..WriteConditions::default() };
    let over =
        |etag: &str| WriteConditions { if_match: Some(EtagMatch::parse(etag)), ..WriteConditions::default() };
    let missing = house.put_if("logs", "a", "1", &over("x")).await;
    assert!(matches!(missing, Err(VaultError::NoSuchKey { .. })));
    let first = house.put_if("logs", "a", "1", &absent).await.unwrap();
    let again = house.put_if("logs", "a", "2", &absent).await;
    assert!(matches!(again, Err(VaultError::PreconditionFailed { condition: Condition::IfNoneMatch })));
    let other = house.put_if("logs", "a", "2", &over("\"other\"")).await;
    assert!(matches!(other, Err(VaultError::PreconditionFailed { condition: Condition::IfMatch })));
    house.put_if("logs", "a", "2", &over(&format!("\"{}\"", first.meta.etag))).await.unwrap();
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "2");
}

#[tokio::test]
async fn of_many_writers_for_an_absent_key_one_succeeds() {
    let house = std::sync::Arc::new(House::with_bucket("logs").await);
    let absent = WriteConditions { if_none_match: Some(EtagMatch::Any), ..WriteConditions::default() };
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let (house, absent) = (house.clone(), absent.clone());
            tokio::spawn(async move { house.put_if("logs", "a", n.to_string(), &absent).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for writer in writers {
        winners += usize::from(writer.await.unwrap());
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn conditional_reads() {
    let house = House::with_bucket("logs").await;
    let meta = house.put("logs", "a", "1").await.unwrap().meta;
    let none = ReadConditions::default();
    let (before, after) = (Utc::now() - TimeDelta::hours(1), Utc::now() + TimeDelta::hours(1));
    let same = Some(EtagMatch::parse(&meta.etag));
    let other = Some(EtagMatch::parse("other"));
    let code = |conditions: ReadConditions| conditions.check(&meta).map_err(|error| error.code());
    assert_eq!(code(none.clone()), Ok(()));
    assert_eq!(code(ReadConditions { if_match: same.clone(), ..none.clone() }), Ok(()));
    assert_eq!(code(ReadConditions { if_match: other.clone(), ..none.clone() }), Err("PreconditionFailed"));
    assert_eq!(code(ReadConditions { if_none_match: same.clone(), ..none.clone() }), Err("NotModified"));
    assert_eq!(code(ReadConditions { if_none_match: other.clone(), ..none.clone() }), Ok(()));
    assert_eq!(code(ReadConditions { if_modified_since: Some(after), ..none.clone() }), Err("NotModified"));
    assert_eq!(code(ReadConditions { if_modified_since: Some(before), ..none.clone() }), Ok(()));
    assert_eq!(
        code(ReadConditions { if_unmodified_since: Some(before), ..none.clone() }),
        Err("PreconditionFailed")
    );
    // A tag decides before a time does, in both directions (GetObject, "Consideration").
    let both = ReadConditions { if_match: same, if_unmodified_since: Some(before), ..none.clone() };
    assert_eq!(code(both), Ok(()));
    let both = ReadConditions { if_none_match: other, if_modified_since: Some(after), ..none };
    assert_eq!(code(both), Ok(()));
}

#[tokio::test]
async fn tags_and_acl_change_without_the_object() {
    let house = House::with_bucket("logs").await;
    let before = house.put("logs", "a", noise(40_000, 1)).await.unwrap().meta;
    let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
    house.vault.put_object_tags("logs", "a", None, tags.clone(), |_| Vec::new()).await.unwrap();
    house.vault.put_object_acl("logs", "a", None, Some("private".to_owned()), |_| Vec::new()).await.unwrap();
    let house = house.reopen().await;
    let after = house.vault.head("logs", "a", None).unwrap();
    assert_eq!((after.etag, after.last_modified), (before.etag, before.last_modified));
    assert_eq!((after.object.tags, after.object.canned_acl.as_deref()), (tags, Some("private")));
    let missing = house.vault.put_object_tags("logs", "b", None, Tags::new(), |_| Vec::new()).await;
    assert!(matches!(missing, Err(VaultError::NoSuchKey { .. })));
    house.is_well().await;
}
