//! A bucket as the role of an import reads it: one of the vault, or one elsewhere that the operator named. Whether the
//! role may is asked at each listing and each file, so that an import ends with the permission.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::Utc;
use opentrail_event::{Category, EventError, RecordResource};
use opentrail_identity::Caller;
use opentrail_lake::import::{Source, SourceError, SourceObject, SourcePage};
use opentrail_state::OwnedEvent;
use opentrail_trails::{LogReader, StoreError};
use opentrail_vault::{Bucket, Encryption, ObjectMeta, ObjectPlace, VaultError};
use parking_lot::Mutex;
use serde_json::json;

use super::role::{Errand, KeyUse};
use crate::{
    call::Arrival,
    recording::{Deed, Who},
    rooms::Rooms,
    store::CLOUDTRAIL,
};

/// How long CloudTrail acts as the role before it takes it on again.
const SESSION: Duration = Duration::from_secs(5);

/// A bucket, read by a role.
pub(super) struct RoleBucket {
    rooms: Arc<Rooms>,
    errand: Errand,
    bucket: String,
    acting: Mutex<Option<(Instant, Caller)>>,
}

impl RoleBucket {
    pub(super) fn new(rooms: Arc<Rooms>, errand: Errand, bucket: String) -> Self {
        Self { rooms, errand, bucket, acting: Mutex::new(None) }
    }

    fn caller(&self) -> Result<Caller, SourceError> {
        let mut acting = self.acting.lock();
        if let Some((since, caller)) = &*acting
            && since.elapsed() < SESSION
        {
            return Ok(caller.clone());
        }
        let caller = self.errand.acting(&self.rooms, Utc::now()).map_err(|_| {
            let message = format!(
                "The role {} does not exist or can't be assumed by {CLOUDTRAIL}.",
                self.errand.role_arn
            );
            SourceError::refused("AccessDenied", message)
        })?;
        *acting = Some((Instant::now(), caller.clone()));
        Ok(caller)
    }

    /// The bucket, where it is one of the vault. One elsewhere is read with the operator's credentials, so that no role
    /// of another account's may let into it.
    fn own(&self) -> Result<Option<Arc<Bucket>>, SourceError> {
        if self.rooms.stores.is_elsewhere(&self.bucket) {
            let is_operator = self.errand.account == self.rooms.home;
            let refused = || {
                let message = format!("The account {} may not read the bucket.", self.errand.account);
                SourceError::refused("AccessDenied", message)
            };
            return if is_operator { Ok(None) } else { Err(refused()) };
        }
        self.rooms.vault.bucket(&self.bucket).map(Some).map_err(|error| of_vault(&error))
    }

    /// The region of the bucket, where it is known.
    pub(super) fn region(&self) -> Result<Option<String>, SourceError> {
        Ok(self.own()?.map(|bucket| bucket.region.to_string()))
    }

    fn arn(&self, key: Option<&str>) -> String {
        match key {
            Some(key) => format!("arn:aws:s3:::{}/{key}", self.bucket),
            None => format!("arn:aws:s3:::{}", self.bucket),
        }
    }

    /// Whether the role may read the object; the uses of keys that this takes.
    pub(super) fn check_object(&self, key: &str) -> Result<Option<KeyUse>, SourceError> {
        let (caller, bucket) = (self.caller()?, self.own()?);
        self.errand.may(&self.rooms, &caller, "s3:GetObject", bucket.as_deref(), &self.arn(Some(key)))?;
        let Some(bucket) = bucket else { return Ok(None) };
        let object = self.rooms.vault.get(&self.bucket, key, None).map_err(|error| of_vault(&error))?;
        match ObjectMeta::encryption(object.meta()) {
            Some(Encryption::Kms(kms)) => {
                let place = ObjectPlace { bucket: &bucket, key };
                self.errand.may_decrypt(&self.rooms, &caller, &place, kms).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The records that an object was read, as far as they are kept.
    fn records(
        &self,
        key: &str,
        bytes: usize,
        used: Option<&KeyUse>,
    ) -> Result<Vec<OwnedEvent>, SourceError> {
        let (Some(bucket), caller) = (self.own()?, self.caller()?) else { return Ok(Vec::new()) };
        let arrival = Arrival::of_service(CLOUDTRAIL);
        let unwritable = |error: EventError| SourceError::passing("InternalError", error.to_string());
        let mut records = self
            .read(&bucket, key, bytes, &caller, &arrival)
            .events(&self.rooms.recorder)
            .map_err(unwritable)?;
        if let Some(used) = used {
            let deed = key_use(used, &caller, &bucket, &arrival);
            records.extend(deed.events(&self.rooms.recorder).map_err(unwritable)?);
        }
        Ok(records)
    }

    fn read<'a>(
        &self,
        bucket: &Bucket,
        key: &str,
        bytes: usize,
        caller: &'a Caller,
        arrival: &'a Arrival,
    ) -> Deed<'a> {
        let mut accounts = vec![caller.principal.account().unwrap_or(bucket.owner)];
        if accounts[0] != bucket.owner {
            accounts.push(bucket.owner);
        }
        Deed {
            event_source: "s3.amazonaws.com",
            event_name: "GetObject",
            region: bucket.region.clone(),
            arrival,
            who: Who::Through(caller, CLOUDTRAIL),
            accounts,
            read_only: true,
            category: Category::Data,
            parameters: Some(json!({"bucketName": self.bucket, "key": key})),
            elements: None,
            additional: Some(json!({"bytesTransferredIn": 0, "bytesTransferredOut": bytes})),
            resources: vec![
                RecordResource::new("AWS::S3::Object", self.arn(Some(key)), None),
                RecordResource::new("AWS::S3::Bucket", self.arn(None), Some(bucket.owner)),
            ],
            fault: None,
        }
    }
}

/// The record of a KMS key that the role used through S3.
fn key_use<'a>(used: &'a KeyUse, caller: &'a Caller, bucket: &Bucket, arrival: &'a Arrival) -> Deed<'a> {
    let account = caller.principal.account().unwrap_or(bucket.owner);
    Deed {
        event_source: "kms.amazonaws.com",
        event_name: "Decrypt",
        region: used.key.region.clone(),
        arrival,
        who: Who::Through(caller, "s3.amazonaws.com"),
        accounts: vec![account, used.key.account],
        read_only: true,
        category: Category::Management,
        parameters: Some(json!({
            "keyId": used.key.arn,
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": used.context,
        })),
        elements: None,
        additional: None,
        resources: vec![RecordResource::new("AWS::KMS::Key", used.key.arn.as_str(), Some(used.key.account))],
        fault: None,
    }
}

#[async_trait]
impl Source for RoleBucket {
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<SourcePage, SourceError> {
        let (caller, bucket) = (self.caller()?, self.own()?);
        self.errand.may(&self.rooms, &caller, "s3:ListBucket", bucket.as_deref(), &self.arn(None))?;
        let page = self.rooms.stores.list(&self.bucket, prefix, after).await.map_err(of_store)?;
        let objects = page.files.into_iter().map(|file| SourceObject { key: file.key, size: file.size });
        Ok(SourcePage { objects: objects.collect(), more: page.more })
    }

    async fn get(&self, key: &str) -> Result<Bytes, SourceError> {
        let used = self.check_object(key)?;
        let file = self.rooms.stores.get(&self.bucket, key).await.map_err(of_store)?;
        let records = self.records(key, file.body.len(), used.as_ref())?;
        // What can't be recorded is not read.
        let kept = self.rooms.state.append(Vec::new(), records).await;
        kept.map_err(|error| SourceError::passing("InternalError", error.to_string()))?;
        Ok(file.body)
    }
}

/// What a store says, in S3's words.
fn of_store(error: StoreError) -> SourceError {
    let (code, message) = (error.code().to_owned(), error.to_string());
    match error {
        StoreError::Unavailable { .. } | StoreError::Full => SourceError::passing(code, message),
        _ => SourceError::refused(code, message),
    }
}

/// What the vault says, in S3's words.
pub(super) fn of_vault(error: &VaultError) -> SourceError {
    match error {
        VaultError::NoSuchBucket { .. } => SourceError::refused("NoSuchBucket", "The bucket does not exist."),
        VaultError::NoSuchKey { .. } | VaultError::NoSuchVersion { .. } => {
            SourceError::refused("NoSuchKey", "The object does not exist.")
        }
        error => SourceError::passing("InternalError", error.to_string()),
    }
}
