//! A vault in a folder of its own, on the disk or on a faulty one.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and a test that cannot prepare itself fails"
)]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{Disk, FaultyDisk, RealDisk},
};
use opentrail_state::{State, StateOptions};
use opentrail_vault::*;
use tempfile::TempDir;

pub struct House {
    pub vault: Vault,
    pub state: State,
    pub journal: Journal,
    root: PathBuf,
    _dir: Option<TempDir>,
}

/// Keys of objects, sealed by nothing but the place they are for. KMS keys whose ARN ends in `disabled` are.
pub struct TestKeys;

impl ObjectKeys for TestKeys {
    fn make(&self, how: &Encryption, place: &ObjectPlace<'_>) -> Result<(ObjectKey, SealedKey), KeyFailure> {
        let bytes: [u8; 32] =
            std::array::from_fn(|at| place.arn().len() as u8 ^ NEXT_KEY.fetch_add(7, Relaxed) ^ at as u8);
        let sealed = SealedKey([&bytes[..], place.arn().as_bytes()].concat());
        Ok((self.open(how, &sealed, place)?, sealed))
    }

    fn open(
        &self,
        how: &Encryption,
        sealed: &SealedKey,
        place: &ObjectPlace<'_>,
    ) -> Result<ObjectKey, KeyFailure> {
        if let Some(key) = how.kms_key().filter(|_| KEYS_ARE_DISABLED.with(std::cell::Cell::get)) {
            return Err(KeyFailure::Disabled { key: key.to_owned() });
        }
        let (bytes, arn) = sealed.0.split_first_chunk::<32>().ok_or(KeyFailure::Unopenable)?;
        if arn != place.arn().as_bytes() {
            return Err(KeyFailure::Unopenable);
        }
        Ok(ObjectKey::new((*bytes).into()))
    }
}

static NEXT_KEY: AtomicU8 = AtomicU8::new(1);

thread_local! {
    /// Whether KMS keys can't be used in this test, which runs on one thread.
    pub static KEYS_ARE_DISABLED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

pub fn kms() -> Encryption {
    Encryption::Kms(KmsEncryption {
        key_arn: "arn:aws:kms:us-east-1:123456789012:key/1".to_owned(),
        context: std::collections::BTreeMap::new(),
        bucket_key: false,
    })
}

pub fn encrypted(encryption: Encryption) -> NewObject {
    NewObject { encryption: Some(encryption), ..NewObject::of(account()) }
}

pub fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

pub fn now() -> DateTime<Utc> {
    Utc::now()
}

impl House {
    pub async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().to_owned();
        let mut house = Self::open(root, Arc::new(RealDisk), VaultOptions::default()).await.unwrap();
        house._dir = Some(dir);
        house
    }

    pub async fn with_bucket(name: &str) -> Self {
        let house = Self::new().await;
        house.create_bucket(name).await;
        house
    }

    pub async fn open(root: PathBuf, disk: Arc<dyn Disk>, options: VaultOptions) -> Result<Self, VaultError> {
        let (path, on) = (root.join("journal"), Arc::clone(&disk));
        let (journal, _) =
            tokio::task::spawn_blocking(move || Journal::open(&path, JournalOptions::default(), on))
                .await
                .unwrap()
                .map_err(opentrail_state::StateError::from)?;
        let state =
            State::open(journal.clone(), &root.join("state"), Arc::clone(&disk), StateOptions::default())
                .await?;
        let vault =
            Vault::open_with_keys(&root.join("vault"), state.clone(), disk, options, Arc::new(TestKeys))
                .await?;
        Ok(Self { vault, state, journal, root, _dir: None })
    }

    /// On a disk that may fail, with an index that is synced so often that crashes find it at every stage.
    pub async fn on(dir: &Path, disk: &FaultyDisk) -> Self {
        let options = VaultOptions {
            checkpoint_interval: Duration::from_millis(5),
            apply_timeout: Duration::from_secs(5),
            ..VaultOptions::default()
        };
        Self::open(dir.to_owned(), Arc::new(disk.clone()), options).await.unwrap()
    }

    /// Closes in good order and opens again.
    pub async fn reopen(self) -> Self {
        let Self { vault, state, journal, root, _dir } = self;
        vault.close().await.unwrap();
        drop((vault, state));
        journal.close().await;
        drop(journal);
        let mut house = Self::open(root, Arc::new(RealDisk), VaultOptions::default()).await.unwrap();
        house._dir = _dir;
        house
    }

    pub fn root(&self) -> &std::path::Path {
        &self.root
    }

    pub async fn create_bucket(&self, name: &str) -> Bucket {
        self.create(name, false).await
    }

    /// Creates a bucket with Object Lock.
    pub async fn create_locked_bucket(&self, name: &str) -> Bucket {
        self.create(name, true).await
    }

    async fn create(&self, name: &str, object_lock: bool) -> Bucket {
        let mut tx = self.state.begin().await;
        let new = NewBucket {
            name: name.to_owned(),
            owner: account(),
            region: opentrail_event::Region::us_east_1(),
            ownership: Ownership::default(),
            tags: Tags::new(),
            object_lock,
        };
        let bucket = self.vault.create_bucket(&mut tx, new, now()).unwrap();
        tx.commit(Vec::new()).await.unwrap();
        bucket
    }

    pub async fn set_versioning(&self, bucket: &str, versioning: Versioning) {
        let mut tx = self.state.begin().await;
        self.vault.put_versioning(&mut tx, bucket, versioning).unwrap();
        tx.commit(Vec::new()).await.unwrap();
    }

    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<PutOutcome, VaultError> {
        self.put_if(bucket, key, bytes, &WriteConditions::default()).await
    }

    pub async fn put_if(
        &self,
        bucket: &str,
        key: &str,
        bytes: impl Into<Bytes>,
        conditions: &WriteConditions,
    ) -> Result<PutOutcome, VaultError> {
        let mut upload = self.vault.begin_put(bucket, key, PutOptions::new(NewObject::of(account())))?;
        upload.write(bytes.into()).await?;
        let staged = upload.finish(&Expected::default()).await?;
        self.vault.commit_put(staged, conditions, now(), |_| Vec::new()).await
    }

    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        bytes: impl Into<Bytes>,
    ) -> Result<PutOutcome, VaultError> {
        let mut upload = self.vault.begin_put(bucket, key, PutOptions::new(object))?;
        upload.write(bytes.into()).await?;
        let staged = upload.finish(&Expected::default()).await?;
        self.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await
    }

    pub async fn read(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Bytes, VaultError> {
        let reader = self.vault.get(bucket, key, version)?;
        let all = 0..reader.meta().size;
        reader.bytes(all).await
    }

    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<DeleteOutcome, VaultError> {
        let request = DeleteRequest { version_id: version, ..DeleteRequest::of(bucket, key, account()) };
        self.vault.delete(&request, now(), |_| Vec::new()).await
    }

    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let page = self.vault.list_objects(bucket, &ListQuery::default()).unwrap();
        page.objects.into_iter().map(|object| object.key).collect()
    }

    pub async fn part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: i64,
        bytes: impl Into<Bytes>,
    ) -> Result<PartSummary, VaultError> {
        let mut part = self.vault.begin_part(bucket, key, upload, number, &[], None)?;
        part.write(bytes.into()).await?;
        let staged = part.finish(&Expected::default()).await?;
        self.vault.commit_part(staged, now(), |_| Vec::new()).await
    }

    pub async fn begin_upload(&self, bucket: &str, key: &str) -> String {
        let options =
            UploadOptions { object: NewObject::of(account()), algorithm: None, checksum_type: None };
        let upload = self.vault.create_upload(bucket, key, options, now(), |_| Vec::new()).await.unwrap();
        upload.upload_id.to_string()
    }

    pub async fn is_well(&self) {
        let report = self.vault.fsck().await.unwrap();
        assert_eq!(report.findings, Vec::new());
    }
}

/// Bytes that differ at every place and compress badly.
/// Bytes that compress well.
pub fn text(len: usize, seed: u8) -> Bytes {
    (0..len).map(|n| (n / 100 % 90) as u8 ^ seed).collect::<Vec<u8>>().into()
}

pub fn noise(len: usize, seed: u64) -> Bytes {
    let mut x = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(x >> 17).to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}
