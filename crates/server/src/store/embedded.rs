//! The vault as a store of trails: CloudTrail writes there as the service it is, under the bucket's policy,
//! and what it does is recorded like anyone's call.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::Utc;
use opentrail_event::{AccountId, Category, RecordResource, Region};
use opentrail_identity::{Ask, Caller, Identity};
use opentrail_keyring::Keyring;
use opentrail_policy::Context;
use opentrail_trails::{
    BucketCheck, ListPage, ListedFile, LogReader, LogStore, PutFile, StoreError, StoredFile,
};
use opentrail_vault::{
    Bucket, Expected, ListQuery, NewObject, ObjectHeaders, PutOptions, Vault, VaultError, WriteConditions,
};
use serde_json::{Value, json};

use super::Requesters;
use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    kms::KeyGuard,
    recording::{Deed, Recorder, Who},
};

/// Who delivers.
pub(crate) const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
/// The ACL that CloudTrail names on upload, which AWS's bucket policies ask for.
const ACL: &str = "bucket-owner-full-control";

/// The vault, written to by CloudTrail.
pub(crate) struct Embedded {
    pub(crate) vault: Vault,
    pub(crate) identity: Identity,
    pub(crate) recorder: Recorder,
    pub(crate) keyring: Keyring,
    pub(crate) key_guard: KeyGuard,
    pub(crate) requesters: Arc<Requesters>,
}

/// For whom CloudTrail writes, where.
struct Errand<'a> {
    bucket: &'a Bucket,
    trail_arn: &'a str,
    account: AccountId,
    /// The ARN of the trail's KMS key.
    kms_key: Option<&'a str>,
}

/// The condition keys of what CloudTrail asks for a trail.
pub(crate) fn service_context(region: &Region, trail_arn: &str, account: &AccountId) -> Context {
    let mut context = Arrival::of_service(CLOUDTRAIL).context(region);
    context.set("aws:SourceArn", trail_arn);
    context.set("aws:SourceAccount", account.as_str());
    context.set("aws:PrincipalIsAWSService", "true");
    context.set("aws:PrincipalServiceName", CLOUDTRAIL);
    // It never leaves the process; a bucket that asks for TLS means what does.
    context.set("aws:SecureTransport", "true");
    context
}

impl Embedded {
    fn bucket(&self, name: &str) -> Result<std::sync::Arc<Bucket>, StoreError> {
        self.vault.bucket(name).map_err(|_| StoreError::NoSuchBucket)
    }

    /// Whether the bucket's policy lets CloudTrail do this.
    fn may(&self, errand: &Errand<'_>, action: &str, resource: &str) -> Result<bool, StoreError> {
        let policy = self.vault.bucket_policy(&errand.bucket.name).map_err(of_vault)?;
        let mut context = service_context(&errand.bucket.region, errand.trail_arn, &errand.account);
        if action == "s3:PutObject" {
            context.set("s3:x-amz-acl", ACL);
            if let Some(key) = errand.kms_key {
                context.set("s3:x-amz-server-side-encryption", "aws:kms");
                context.set("s3:x-amz-server-side-encryption-aws-kms-key-id", key);
            }
        }
        let ask = Ask {
            action,
            resource,
            context,
            resource_policy: policy.as_deref(),
            resource_account: Some(errand.bucket.owner),
            ..Ask::default()
        };
        Ok(self.identity.authorize(&Caller::service(CLOUDTRAIL), &ask).is_allowed())
    }

    /// Whether the bucket is there, and its policy lets CloudTrail write a key for this event data store.
    pub(super) fn may_put(
        &self,
        bucket: &str,
        key: &str,
        event_data_store: &str,
        account: AccountId,
    ) -> Result<(), StoreError> {
        let found = self.bucket(bucket)?;
        let errand = Errand { bucket: &found, trail_arn: event_data_store, account, kms_key: None };
        if self.may(&errand, "s3:PutObject", &arn(bucket, Some(key)))? {
            Ok(())
        } else {
            Err(StoreError::InsufficientPolicy)
        }
    }

    async fn store(&self, file: &PutFile<'_>, bucket: &Bucket, arrival: &Arrival) -> Result<(), StoreError> {
        let headers = ObjectHeaders {
            content_type: Some(file.content_type.to_owned()),
            content_encoding: Some(file.content_encoding.to_owned()).filter(|encoding| !encoding.is_empty()),
            metadata: file.metadata.iter().cloned().collect(),
            ..ObjectHeaders::default()
        };
        let (encryption, of_key) = self.encryption(file, bucket).await?;
        let object = NewObject {
            headers,
            canned_acl: Some(ACL.to_owned()),
            encryption: Some(encryption),
            ..NewObject::of(bucket.owner)
        };
        let mut options = PutOptions::new(object);
        options.length = Some(file.body.len() as u64);
        let mut upload = self.vault.begin_put(file.bucket, file.key, options).map_err(of_vault)?;
        upload.write(file.body.clone()).await.map_err(of_vault)?;
        let staged = upload.finish(&Expected::default()).await.map_err(of_vault)?;
        // What can't be recorded is not done; the file waits.
        let mut events = put_object(file, bucket, arrival, None)
            .events(&self.recorder)
            .map_err(|error| StoreError::Unavailable { reason: error.to_string() })?;
        events.extend(of_key);
        let conditions = WriteConditions::default();
        match self.vault.commit_put(staged, &conditions, arrival.at, |_| events).await {
            Ok(_) => Ok(()),
            // What is there is not replaced. Where the server ended after writing it, it is this very file.
            Err(VaultError::MfaRequired | VaultError::Locked { .. }) if self.has(file).await => Ok(()),
            Err(error @ (VaultError::MfaRequired | VaultError::Locked { .. })) => {
                let fault = Fault::of_vault(error);
                Err(self.refused(file, bucket, arrival, &fault).await)
            }
            Err(error) => Err(of_vault(error)),
        }
    }

    /// Whether a file is there, just so.
    async fn has(&self, file: &PutFile<'_>) -> bool {
        let Ok(StoredFile { body, metadata }) = self.get(file.bucket, file.key).await else { return false };
        let there: BTreeSet<_> = metadata.iter().collect();
        body == file.body && there == file.metadata.iter().collect()
    }

    /// Records that CloudTrail may not write a file, and says so.
    async fn refused(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
        arrival: &Arrival,
        fault: &Fault,
    ) -> StoreError {
        match put_object(file, bucket, arrival, Some(fault)).keep(&self.recorder, Dialect::S3).await {
            Ok(()) => StoreError::AccessDenied,
            Err(unrecorded) => StoreError::Unavailable { reason: unrecorded.message().to_owned() },
        }
    }
}

/// The record of CloudTrail writing a file.
fn put_object<'a>(
    file: &PutFile<'_>,
    bucket: &Bucket,
    arrival: &'a Arrival,
    fault: Option<&'a Fault>,
) -> Deed<'a> {
    let (bucket_arn, region): (String, Region) = (arn(&bucket.name, None), bucket.region.clone());
    Deed {
        event_source: "s3.amazonaws.com",
        event_name: "PutObject",
        region,
        arrival,
        who: Who::Service(CLOUDTRAIL),
        accounts: vec![bucket.owner],
        read_only: false,
        category: Category::Data,
        parameters: Some(parameters(file, bucket)),
        elements: None,
        additional: Some(json!({"bytesTransferredIn": file.body.len(), "bytesTransferredOut": 0})),
        resources: vec![
            RecordResource::new("AWS::S3::Object", arn(&bucket.name, Some(file.key)), None),
            RecordResource::new("AWS::S3::Bucket", bucket_arn, Some(bucket.owner)),
        ],
        fault,
    }
}

fn parameters(file: &PutFile<'_>, bucket: &Bucket) -> Value {
    let mut parameters = json!({"bucketName": bucket.name, "key": file.key, "x-amz-acl": ACL});
    if let Some(key) = file.kms_key {
        parameters["x-amz-server-side-encryption"] = json!("aws:kms");
        parameters["x-amz-server-side-encryption-aws-kms-key-id"] = json!(key);
    }
    parameters
}

fn arn(bucket: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
        None => format!("arn:aws:s3:::{bucket}"),
    }
}

fn of_vault(error: VaultError) -> StoreError {
    match error {
        VaultError::NoSuchBucket { .. } => StoreError::NoSuchBucket,
        VaultError::NoSuchKey { .. } | VaultError::NoSuchVersion { .. } => StoreError::NoSuchKey,
        VaultError::KeyTooLong { .. } | VaultError::EmptyKey => StoreError::InvalidKey,
        VaultError::DiskFull => StoreError::Full,
        VaultError::Key(failure) if failure.code().starts_with("KMS.") => {
            StoreError::Key { code: failure.code().to_owned() }
        }
        other => StoreError::Unavailable { reason: other.to_string() },
    }
}

#[async_trait]
impl LogReader for Embedded {
    async fn get(&self, bucket: &str, key: &str) -> Result<StoredFile, StoreError> {
        let object = self.vault.get(bucket, key, None).map_err(of_vault)?;
        let metadata =
            object.meta().object.headers.metadata.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let body = object.bytes(0..object.meta().size).await.map_err(of_vault)?;
        Ok(StoredFile { body, metadata })
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<ListPage, StoreError> {
        let query =
            ListQuery { prefix: prefix.to_owned(), after: after.map(str::to_owned), ..ListQuery::default() };
        let page = self.vault.list_objects(bucket, &query).map_err(of_vault)?;
        let file = |object: opentrail_vault::ObjectSummary| ListedFile {
            key: object.key,
            size: object.size,
            modified: Some(object.last_modified),
        };
        Ok(ListPage { files: page.objects.into_iter().map(file).collect(), more: page.next.is_some() })
    }
}

#[async_trait]
impl LogStore for Embedded {
    async fn put(&self, file: PutFile<'_>) -> Result<(), StoreError> {
        let bucket = self.bucket(file.bucket)?;
        let arrival = Arrival::of_service(CLOUDTRAIL);
        let (trail_arn, account, kms_key) = (file.trail_arn, file.account, file.kms_key);
        let errand = Errand { bucket: &bucket, trail_arn, account, kms_key };
        if self.may(&errand, "s3:PutObject", &arn(file.bucket, Some(file.key)))? {
            return self.store(&file, &bucket, &arrival).await;
        }
        let fault = Fault::common(Common::AccessDenied, Dialect::S3, "Access Denied");
        Err(self.refused(&file, &bucket, &arrival, &fault).await)
    }

    async fn check(&self, ask: BucketCheck<'_>) -> Result<(), StoreError> {
        let bucket = self.bucket(ask.bucket)?;
        let errand =
            Errand { bucket: &bucket, trail_arn: ask.trail_arn, account: ask.account, kms_key: None };
        if !self.may(&errand, "s3:GetBucketAcl", &arn(&bucket.name, None))? {
            return Err(StoreError::InsufficientPolicy);
        }
        let today = Utc::now().format("%Y/%m/%d/check").to_string();
        for folder in ask.folders() {
            let probe = format!("{folder}/{today}");
            if !self.may(&errand, "s3:PutObject", &arn(&bucket.name, Some(&probe)))? {
                return Err(StoreError::InsufficientPolicy);
            }
        }
        Ok(())
    }
}
