//! Encrypted delivery: log files and digests of a trail with a KMS key are written with SSE-KMS under it.
//!
//! CloudTrail needs the key's policy to let it, with the encryption context that names the trail
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>). Both are
//! asked at every file, so that a key that is disabled or closed to CloudTrail holds the files back, and lets them
//! through when it is open again.

use std::{collections::BTreeMap, sync::Arc};

use opentrail_event::{Category, RecordResource};
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
    kms::permit::Use,
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
        let key = self.kms_key(reference, bucket).await.map_err(|cause| of_key(&cause))?;
        let kms = KmsEncryption { key_arn: key.arn.clone(), context, bucket_key: settings.bucket_key };
        let events = self.use_key(file, bucket, &key, &kms).await?;
        Ok((Encryption::Kms(kms), events))
    }

    async fn kms_key(&self, reference: &str, bucket: &Bucket) -> Result<Arc<Key>, KeyFailure> {
        let found = match Keyring::managed_service(reference) {
            Some(service) if !reference.starts_with("arn:") => {
                self.keyring.managed_key(&bucket.owner, &bucket.region, service, chrono::Utc::now()).await
            }
            _ => self.keyring.key(&bucket.owner, &bucket.region, reference),
        };
        found.map_err(|error| failure(&error))
    }

    /// Whether CloudTrail may use the key and whether it can be used. Gives the record of the use; a use that is
    /// refused is recorded at once.
    async fn use_key(
        &self,
        file: &PutFile<'_>,
        bucket: &Bucket,
        key: &Arc<Key>,
        kms: &KmsEncryption,
    ) -> Result<Vec<OwnedEvent>, StoreError> {
        let context = context_of(kms, &ObjectPlace { bucket, key: file.key });
        let via = format!("s3.{}.amazonaws.com", bucket.region);
        let wish = Use {
            action: "kms:GenerateDataKey",
            context: Some(&context),
            via: Some(&via),
            ask: service_context(&bucket.region, file.trail_arn, &file.account),
        };
        let refused = match self.key_guard.may(&Caller::service(CLOUDTRAIL), key, &wish) {
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
        let arrival = Arrival::of_service(CLOUDTRAIL);
        let unrecorded = |reason: String| StoreError::Unavailable { reason };
        if let Some((fault, error)) = refused {
            let kept = deed(key, &context, &arrival, Some(&fault)).keep(&self.recorder, Dialect::S3).await;
            kept.map_err(|fault| unrecorded(fault.message().to_owned()))?;
            return Err(error);
        }
        let requester =
            [CLOUDTRAIL, "GenerateDataKey", key.arn.as_str(), bucket.name.as_str()].map(str::to_owned);
        if kms.bucket_key && !self.requesters.calls(requester) {
            return Ok(Vec::new());
        }
        let events = deed(key, &context, &arrival, None).events(&self.recorder);
        events.map_err(|error| unrecorded(error.to_string()))
    }
}

fn of_key(cause: &KeyFailure) -> StoreError {
    match cause.code() {
        code if code.starts_with("KMS.") => StoreError::Key { code: code.to_owned() },
        _ => StoreError::Unavailable { reason: cause.to_string() },
    }
}

/// The record of CloudTrail using a key.
fn deed<'a>(
    key: &Key,
    context: &EncryptionContext,
    arrival: &'a Arrival,
    fault: Option<&'a Fault>,
) -> Deed<'a> {
    Deed {
        event_source: KMS,
        event_name: "GenerateDataKey",
        region: key.region.clone(),
        arrival,
        who: Who::Service(CLOUDTRAIL),
        accounts: vec![key.account],
        read_only: true,
        category: Category::Management,
        parameters: Some(parameters("GenerateDataKey", &key.arn, context)),
        elements: None,
        additional: None,
        resources: vec![RecordResource::new("AWS::KMS::Key", key.arn.as_str(), Some(key.account))],
        fault,
    }
}
