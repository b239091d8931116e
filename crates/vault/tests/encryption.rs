//! Encrypted objects: what is on disk, what is read back, and what is never served.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opentrail_journal::disk::{CrashKeeps, FaultyDisk, RealDisk};
use opentrail_vault::*;
use support::{House, KEYS_ARE_DISABLED, account, encrypted, kms, noise, now};
use tempfile::TempDir;

const CHUNK: usize = limits::CHUNK_BYTES;

/// Every file under a folder. What goes meanwhile, in the background, is not among them.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let entries = match std::fs::read_dir(folder) {
        Err(error) if is_gone(&error) => return Vec::new(),
        entries => entries.unwrap(),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = match entry {
            Err(error) if is_gone(&error) => continue,
            entry => entry.unwrap().path(),
        };
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    files(folder).iter().any(|path| match std::fs::read(path) {
        Ok(bytes) => bytes.windows(needle.len()).any(|part| part == needle),
        // A blob that was replaced goes in the background.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => panic!("{}: {error}", path.display()),
    })
}

fn blobs(house: &House) -> Vec<PathBuf> {
    files(&house.root().join("vault/blobs"))
}

fn copy_of<'a>(from: &'a str, to: &'a str, encryption: Option<Encryption>) -> CopyRequest<'a> {
    let conditions = ReadConditions::default();
    CopyRequest {
        source: CopySource { bucket: "logs", key: from, version_id: None, conditions },
        bucket: "logs",
        key: to,
        conditions: WriteConditions::default(),
        owner: account(),
        headers: None,
        tags: None,
        storage_class: None,
        canned_acl: None,
        lock: ObjectLock::default(),
        names_encryption: false,
        encryption,
        algorithm: None,
    }
}

#[tokio::test]
async fn the_bytes_of_an_encrypted_object_are_nowhere_on_disk() {
    let house = House::with_bucket("logs").await;
    let secret = b"userIdentity: nobody else's business";
    let large: Bytes = secret.repeat(100_000).into();
    for encryption in [Encryption::S3, kms()] {
        house.put_object("logs", "small", encrypted(encryption.clone()), &secret[..]).await.unwrap();
        house.put_object("logs", "large", encrypted(encryption), large.clone()).await.unwrap();
        assert!(!holds(house.root(), secret));
        assert_eq!(house.read("logs", "small", None).await.unwrap(), &secret[..]);
        assert_eq!(house.read("logs", "large", None).await.unwrap(), large);
    }
    house.is_well().await;
    let house = house.reopen().await;
    assert_eq!(house.read("logs", "small", None).await.unwrap(), &secret[..]);
    assert_eq!(house.read("logs", "large", None).await.unwrap(), large);
    // The search finds what is in the clear.
    house.put("logs", "clear", large).await.unwrap();
    assert!(holds(house.root(), secret));
}

#[tokio::test]
async fn ranges_are_read_across_the_borders_of_chunks() {
    let house = House::with_bucket("logs").await;
    for size in [1, 16 * 1024, 16 * 1024 + 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 77] {
        let bytes = noise(size, size as u64);
        house.put_object("logs", "a", encrypted(Encryption::S3), bytes.clone()).await.unwrap();
        let reader = house.vault.get("logs", "a", None).unwrap();
        assert_eq!(reader.meta().size, size as u64);
        for at in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK] {
            for len in [1, 2, 100, CHUNK, size] {
                let (from, to) = (at.min(size), (at + len).min(size));
                let read = reader.bytes(from as u64..to as u64).await.unwrap();
                assert!(read == bytes.slice(from..to), "{size}: {from}..{to}");
            }
        }
    }
    house.is_well().await;
}

#[tokio::test]
async fn entity_tags_are_the_md5_of_the_bytes_except_with_sse_kms() {
    let house = House::with_bucket("logs").await;
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    let s3 = house.put_object("logs", "a", encrypted(Encryption::S3), "abc").await.unwrap();
    assert_eq!((s3.meta.etag.as_str(), s3.meta.encryption()), (md5, Some(&Encryption::S3)));
    let of_kms = house.put_object("logs", "b", encrypted(kms()), "abc").await.unwrap();
    assert_ne!(of_kms.meta.etag, md5);
    assert_eq!(of_kms.meta.etag.len(), 32);
    // Checksums are of the bytes, and an MD5 that the caller gives is held against them.
    assert_eq!(of_kms.meta.checksums, s3.meta.checksums);
    let mut upload = house.vault.begin_put("logs", "c", PutOptions::new(encrypted(kms()))).unwrap();
    upload.write("abc".into()).await.unwrap();
    let wrong = upload.finish(&Expected { md5: Some([0; 16]), ..Expected::default() }).await;
    assert!(matches!(wrong, Err(VaultError::BadDigest { .. })));
    let same =
        WriteConditions { if_match: Some(EtagMatch::parse(&of_kms.meta.etag)), ..WriteConditions::default() };
    house.put_if("logs", "b", "next", &same).await.unwrap();
}

#[tokio::test]
async fn copies_go_from_each_kind_of_encryption_to_each() {
    let house = House::with_bucket("logs").await;
    let bytes = noise(CHUNK + 5, 3);
    let kinds = [None, Some(Encryption::S3), Some(kms())];
    for from in &kinds {
        let object = NewObject { encryption: from.clone(), ..NewObject::of(account()) };
        house.put_object("logs", "from", object, bytes.clone()).await.unwrap();
        for to in &kinds {
            let request = copy_of("from", "to", to.clone());
            let copied = house.vault.copy(request, now(), |_| Vec::new()).await.unwrap();
            assert_eq!(copied.put.meta.encryption(), to.as_ref());
            assert_eq!(house.read("logs", "to", None).await.unwrap(), bytes);
        }
    }
    // Onto itself: another encryption is a change, the same is one if the caller names it.
    house.put_object("logs", "a", encrypted(Encryption::S3), "abc").await.unwrap();
    let same = copy_of("a", "a", Some(Encryption::S3));
    let refused = house.vault.copy(same.clone(), now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::CopyToItself)));
    let named = CopyRequest { names_encryption: true, ..same };
    house.vault.copy(named, now(), |_| Vec::new()).await.unwrap();
    house.vault.copy(copy_of("a", "a", Some(kms())), now(), |_| Vec::new()).await.unwrap();
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "abc");
}

#[tokio::test]
async fn parts_are_encrypted_with_the_one_key_of_their_upload() {
    let house = House::with_bucket("logs").await;
    let secret = b"a part of what nobody is to read ";
    let first: Bytes = secret.repeat(200_000).into();
    let parts = [first.clone(), first, Bytes::from_static(secret)];
    for encryption in [Encryption::S3, kms()] {
        let options =
            UploadOptions { object: encrypted(encryption.clone()), algorithm: None, checksum_type: None };
        let upload = house.vault.create_upload("logs", "a", options, now(), |_| Vec::new()).await.unwrap();
        let id = upload.upload_id.to_string();
        let mut named = Vec::new();
        for (number, bytes) in (1..).zip(&parts) {
            let part = house.part("logs", "a", &id, number, bytes.clone()).await.unwrap();
            assert_eq!(part.encryption.as_ref(), Some(&encryption));
            let part_number = part.part_number;
            named.push(CompletedPart { part_number, etag: part.etag, checksums: Checksums::new() });
        }
        // Equal parts do not look equal on disk.
        assert!(!holds(house.root(), secret));
        let stored: Vec<_> = blobs(&house).iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert_ne!(stored[0][..64], stored[1][..64]);
        let completion = Completion { parts: named, ..Completion::default() };
        let done =
            house.vault.complete_upload("logs", "a", &id, &completion, now(), |_| Vec::new()).await.unwrap();
        assert!(done.meta.etag.ends_with("-3"));
        assert_eq!(house.read("logs", "a", None).await.unwrap(), parts.concat());
        let reader = house.vault.get("logs", "a", None).unwrap();
        assert_eq!(reader.bytes(reader.part(3).unwrap()).await.unwrap(), &secret[..]);
    }
    house.is_well().await;
}

#[tokio::test]
async fn an_object_whose_key_is_disabled_is_not_read_and_is_again_when_it_is_enabled() {
    let house = House::with_bucket("logs").await;
    house.put_object("logs", "a", encrypted(kms()), "abc").await.unwrap();
    KEYS_ARE_DISABLED.set(true);
    let reader = house.vault.get("logs", "a", None).unwrap();
    assert_eq!(reader.meta().size, 3);
    let refused = reader.open_key().unwrap_err();
    assert!(matches!(&refused, VaultError::Key(KeyFailure::Disabled { .. })));
    assert_eq!(refused.code(), "KMS.DisabledException");
    assert!(matches!(reader.bytes(0..3).await, Err(VaultError::Key(_))));
    assert!(house.vault.begin_put("logs", "b", PutOptions::new(encrypted(kms()))).is_err());
    // Neither an upload nor a file is left of it, and what needs no key goes on.
    house.put_object("logs", "c", encrypted(Encryption::S3), "abc").await.unwrap();
    KEYS_ARE_DISABLED.set(false);
    assert_eq!(reader.bytes(0..3).await.unwrap(), "abc");
}

#[tokio::test]
async fn damage_is_named_also_by_who_has_no_keys() {
    let house = House::with_bucket("logs").await;
    house.put_object("logs", "a", encrypted(kms()), noise(CHUNK + 10, 1)).await.unwrap();
    let [blob] = &blobs(&house)[..] else { panic!("one blob") };
    let mut bytes = std::fs::read(blob).unwrap();
    bytes[CHUNK + 16 + 3] ^= 1;
    std::fs::write(blob, &bytes).unwrap();
    // What comes before the damage can be read, nothing from it on.
    let reader = house.vault.get("logs", "a", None).unwrap();
    reader.bytes(0..CHUNK as u64).await.unwrap();
    let damaged = reader.bytes(CHUNK as u64..CHUNK as u64 + 1).await.unwrap_err();
    assert!(matches!(damaged, VaultError::Corrupt { damage: Damage::Checksum, .. }));
    let (vault, state) = (house.root().join("vault"), house.state.clone());
    house.vault.close().await.unwrap();
    drop(house.vault);
    let keyless = Vault::open(&vault, state, Arc::new(RealDisk), VaultOptions::default()).await.unwrap();
    let report = keyless.fsck().await.unwrap();
    assert!(matches!(&report.findings[..], [Finding::DamagedVersion { .. }]), "{:?}", report.findings);
    let refused = keyless.get("logs", "a", None).unwrap().bytes(0..1).await;
    assert!(matches!(refused, Err(VaultError::Key(KeyFailure::NoKeys))));
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_loss_of_power() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let open = || House::open(dir.path().to_owned(), Arc::new(disk.clone()), VaultOptions::default());
    let house = open().await.unwrap();
    house.create_bucket("logs").await;
    let large = noise(2 * CHUNK, 9);
    house.put_object("logs", "small", encrypted(Encryption::S3), "abc").await.unwrap();
    house.put_object("logs", "large", encrypted(kms()), large.clone()).await.unwrap();
    let mut unfinished = house.vault.begin_put("logs", "never", PutOptions::new(encrypted(kms()))).unwrap();
    unfinished.write(noise(3 * CHUNK, 4)).await.unwrap();
    let House { vault, state, journal, .. } = house;
    let _ = vault.close().await;
    drop((vault, state, unfinished));
    journal.close().await;
    drop(journal);
    disk.crash(CrashKeeps::Nothing).unwrap();
    let house = open().await.unwrap();
    assert_eq!(house.read("logs", "small", None).await.unwrap(), "abc");
    assert_eq!(house.read("logs", "large", None).await.unwrap(), large);
    assert_eq!(house.keys("logs"), ["large", "small"]);
    house.is_well().await;
}

#[tokio::test]
async fn a_bucket_encrypts_with_sse_s3_until_it_is_told_otherwise() {
    let house = House::with_bucket("logs").await;
    assert_eq!(house.vault.bucket_encryption("logs").unwrap(), BucketEncryption::default());
    let with_key = BucketEncryption { default: DefaultEncryption::Kms { key: None }, bucket_key: true };
    for set in [Some(with_key), None] {
        let mut tx = house.state.begin().await;
        house.vault.put_bucket_encryption(&mut tx, "logs", set.clone()).unwrap();
        tx.commit(Vec::new()).await.unwrap();
        assert_eq!(house.vault.bucket_encryption("logs").unwrap(), set.unwrap_or_default());
    }
}
