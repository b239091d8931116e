//! Encrypted delivery: log files and digests of a trail with a KMS key are written with SSE-KMS under it.
//!
//! CloudTrail needs the key's policy to let it, with the encryption context that names the trail
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>). Both are
//! asked at every file, so that a key that is disabled or closed to CloudTrail holds the files back, and lets them
//! through when it is open again.

use std::{collections::BTreeMap, sync::Arc};

use opentrail_event::{AccountId, Category, RecordResource, Region};
use opentrail_identity::Caller;
use opentrail_keyring::{EncryptionContext, Key, Keyring};
use opentrail_state::OwnedEvent;
use opentrail_trails::{PutFile, StoreError};
use opentrail_vault::{Bucket, DefaultEncryption, Encryption, KeyFailure, KmsEncryption, ObjectPlace};

use super::{
    Embedded,
    embedded::{CLOUDTRAIL, service_context},
    object_keys::{context_of, failure},
};
use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    kms::permit::{Refused, Use},
    recording::{Deed, Who},
    s3::encryption_kms::parameters,
};

const KMS: &str = "kms.amazonaws.com";
/// The encryption context's name for the trail.
const TRAIL_ARN: &str = "aws:cloudtrail:arn";
/// The key of a bucket that encrypts with KMS and names no key.
const MANAGED_KEY: &str = "alias/aws/s3";

/// The encryption context of a trail's files, besides `aws:s3:arn`.
pub(crate) fn context_of_trail(trail_arn: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(TRAIL_ARN.to_owned(), trail_arn.to_owned())])
}

impl Embedded {
    /// The ARN of the KMS key for a file: the trail's of now, or of when it was decided where the trail is gone.
    pub(super) fn key_of_trail(&self, file: &PutFile<'_>) -> Option<String> {
        let home = file.trail_arn.split(':').nth(3).and_then(|region| region.parse().ok());
        let trail = home.and_then(|home| self.recorder.trails.get(file.account, &home, file.trail_arn).ok());
        match trail {
            Some(trail) => trail.kms_key.clone(),
            None => file.kms_key.map(str::to_owned),
        }
    }

    /// How a file is encrypted, and the record of the key's use.
    pub(super) async fn encryption(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
    ) -> Result<(Encryption, Vec<OwnedEvent>), StoreError> {
        let settings = bucket.encryption.clone().unwrap_or_default();
        let (reference, context) = match (file.kms_key, &settings.default) {
            (Some(key), _) => (key, context_of_trail(file.trail_arn)),
            (None, DefaultEncryption::S3) => return Ok((Encryption::S3, Vec::new())),
            (None, DefaultEncryption::Kms { key }) => {
                (key.as_deref().unwrap_or(MANAGED_KEY), BTreeMap::new())
            }
        };
        let of = |key: &Key| KmsEncryption {
            key_arn: key.arn.clone(),
            context: context.clone(),
            bucket_key: settings.bucket_key,
        };
        let key = self.kms_key(file, bucket, reference, of).await?;
        let kms = of(&key);
        let events = self.use_key(file, bucket, &key, &kms).await?;
        Ok((Encryption::Kms(kms), events))
    }

    /// The key of this name. AWS's own is made if it is not there yet and CloudTrail may use it.
    async fn kms_key(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
        reference: &str,
        of: impl Fn(&Key) -> KmsEncryption + Sync,
    ) -> Result<Arc<Key>, StoreError> {
        let (keyring, region) = (&self.keyring, &bucket.region);
        let found = match Keyring::managed_service(reference) {
            Some(service) if !reference.starts_with("arn:") => {
                let mut denied = None;
                let may = |key: &Key| {
                    let context = context_of(&of(key), &ObjectPlace { bucket, key: file.key });
                    denied = self.may_use(file, bucket, key, &context).err().map(|denied| (context, denied));
                    denied.is_none()
                };
                let made = keyring.managed_key_for(&bucket.owner, region, service, chrono::Utc::now(), may);
                match made.await {
                    Ok(Some(key)) => Ok(key),
                    Ok(None) => {
                        let arn = format!("arn:aws:kms:{region}:{}:{reference}", bucket.owner);
                        let (context, denied) = denied.unzip();
                        let message = denied.map_or_else(String::new, |denied| denied.to_string());
                        let fault = Fault::common(Common::AccessDenied, Dialect::S3, message);
                        let named = NamedKey { arn: &arn, owner: bucket.owner, region };
                        self.keep_refusal(&named, &context.unwrap_or_default(), &fault).await?;
                        return Err(StoreError::AccessDenied);
                    }
                    Err(error) => Err(error),
                }
            }
            _ => keyring.key(&bucket.owner, region, reference),
        };
        found.map_err(|error| of_key(&failure(&error)))
    }

    fn may_use(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
        key: &Key,
        context: &EncryptionContext,
    ) -> Result<(), Refused> {
        let wish = Use {
            action: "kms:GenerateDataKey",
            context: Some(context),
            via: Some(&format!("s3.{}.amazonaws.com", bucket.region)),
            named: &key.arn,
            ask: service_context(&bucket.region, file.trail_arn, &file.account),
        };
        self.key_guard.may(&Caller::service(CLOUDTRAIL), key, &wish)
    }

    /// Whether CloudTrail may use the key and whether it can be used. Gives the record of the use; a use that is
    /// refused is recorded at once.
    async fn use_key(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
        key: &Key,
        kms: &KmsEncryption,
    ) -> Result<Vec<OwnedEvent>, StoreError> {
        let context = context_of(kms, &ObjectPlace { bucket, key: file.key });
        let refused = match self.may_use(file, bucket, key, &context) {
            Err(denied) => {
                let fault = Fault::common(Common::AccessDenied, Dialect::S3, denied.to_string());
                Some((fault, StoreError::AccessDenied))
            }
            Ok(()) => key.check_symmetric("GenerateDataKey").and_then(|()| key.check_usable()).err().map(
                |refusal| {
                    let cause = failure(&refusal.into());
                    (Fault::of_s3(cause.code(), cause.to_string()), of_key(&cause))
                },
            ),
        };
        let named = NamedKey { arn: &key.arn, owner: key.account, region: &key.region };
        if let Some((fault, error)) = refused {
            self.keep_refusal(&named, &context, &fault).await?;
            return Err(error);
        }
        let requester =
            [CLOUDTRAIL, "GenerateDataKey", key.arn.as_str(), bucket.name.as_str()].map(str::to_owned);
        if kms.bucket_key && !self.requesters.calls(requester) {
            return Ok(Vec::new());
        }
        let events =
            deed_with_key("GenerateDataKey", &named, &context, &Arrival::of_service(CLOUDTRAIL), None)
                .events(&self.recorder);
        events.map_err(|error| StoreError::Unavailable { reason: error.to_string() })
    }

    async fn keep_refusal(
        &self,
        key: &NamedKey<'_>,
        context: &EncryptionContext,
        fault: &Fault,
    ) -> Result<(), StoreError> {
        let arrival = Arrival::of_service(CLOUDTRAIL);
        let kept = deed_with_key("GenerateDataKey", key, context, &arrival, Some(fault))
            .keep(&self.recorder, Dialect::S3)
            .await;
        kept.map_err(|unrecorded| StoreError::Unavailable { reason: unrecorded.message().to_owned() })
    }
}

/// A key as a record names it.
pub(crate) struct NamedKey<'a> {
    pub(crate) arn: &'a str,
    pub(crate) owner: AccountId,
    pub(crate) region: &'a Region,
}

fn of_key(cause: &KeyFailure) -> StoreError {
    match cause.code() {
        code if code.starts_with("KMS.") => StoreError::Key { code: code.to_owned() },
        _ => StoreError::Unavailable { reason: cause.to_string() },
    }
}

/// The record of CloudTrail using a key.
pub(crate) fn deed_with_key<'a>(
    action: &'a str,
    key: &NamedKey<'_>,
    context: &EncryptionContext,
    arrival: &'a Arrival,
    fault: Option<&'a Fault>,
) -> Deed<'a> {
    Deed {
        event_source: KMS,
        event_name: action,
        region: key.region.clone(),
        arrival,
        who: Who::Service(CLOUDTRAIL),
        accounts: vec![key.owner],
        read_only: true,
        category: Category::Management,
        parameters: Some(parameters(action, key.arn, context)),
        elements: None,
        additional: None,
        resources: vec![RecordResource::new("AWS::KMS::Key", key.arn, Some(key.owner))],
        fault,
    }
}
