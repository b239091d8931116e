//! The use of KMS keys on behalf of S3's callers: whether they may, and the record of it.
//!
//! S3 asks KMS with the caller's permissions, so a KMS key is used as its policy and the caller's say, and each use
//! is a record of KMS in the same journal entry as the call's own.

use std::sync::Arc;

use opentrail_event::{Category, EventError, RecordResource};
use opentrail_keyring::{EncryptionContext, Key};
use opentrail_state::OwnedEvent;
use opentrail_vault::{Bucket, Encryption, KmsEncryption, ObjectMeta, ObjectPlace, VaultError};
use serde_json::{Value, json};

use super::{context, refusal::Refusal, scene::Scene};
use crate::{
    call::Arrival,
    fault::Fault,
    kms,
    recording::{Deed, Who},
    store,
};

const KMS: &str = "kms.amazonaws.com";
/// The service that asks for the caller, in records.
pub(crate) const S3: &str = "s3.amazonaws.com";

/// What is asked of KMS.
pub(super) struct Wish {
    /// `GenerateDataKey` or `Decrypt`.
    action: &'static str,
    context: EncryptionContext,
    via: String,
    bucket: String,
    is_bucket_key: bool,
}

impl Wish {
    /// A key for an object that is to be written.
    pub(super) fn to_encrypt(bucket: &Bucket, key: &str, kms: &KmsEncryption) -> Self {
        Self::new("GenerateDataKey", bucket, key, kms)
    }

    /// The key of an object that is there.
    pub(super) fn to_decrypt(bucket: &Bucket, key: &str, kms: &KmsEncryption) -> Self {
        Self::new("Decrypt", bucket, key, kms)
    }

    fn new(action: &'static str, bucket: &Bucket, key: &str, kms: &KmsEncryption) -> Self {
        Self {
            action,
            context: store::context_of(kms, &ObjectPlace { bucket, key }),
            via: format!("s3.{}.amazonaws.com", bucket.region),
            bucket: bucket.name.clone(),
            is_bucket_key: kms.bucket_key,
        }
    }
}

/// A use of a KMS key, for its record.
#[derive(Clone)]
pub(super) struct KmsUse {
    action: &'static str,
    key: Arc<Key>,
    context: EncryptionContext,
    arrival: Arrival,
    fault: Option<Fault>,
}

impl Scene {
    /// Uses a KMS key for the caller: whether they may and whether it can be used, with its record.
    pub(super) fn use_key(&self, wish: &Wish, key: &Arc<Key>) -> Result<(), Refusal> {
        let decided = self.decide_use(wish, key);
        let arrival = Arrival { at: self.arrival.at, ..Arrival::of_service(S3) };
        let fault = decided.as_ref().err().map(|refusal| refusal.fault.clone());
        let is_call = fault.is_some() || !wish.is_bucket_key || self.is_call(wish, key);
        if is_call {
            let (action, context) = (wish.action, wish.context.clone());
            self.progress.lock().uses.push(KmsUse { action, key: key.clone(), context, arrival, fault });
        }
        decided
    }

    fn decide_use(&self, wish: &Wish, key: &Key) -> Result<(), Refusal> {
        let action = format!("kms:{}", wish.action);
        let (ask, caller) = (context::of(self), self.caller());
        kms::permit::may_use(&self.rooms, &caller, key, &action, &wish.context, Some(&wish.via), ask)
            .map_err(|denied| Refusal::of("AccessDenied", denied.message()))?;
        let usable = key.check_symmetric(wish.action).and_then(|()| key.check_usable());
        usable.map_err(|refusal| VaultError::from(store::key_failure(&refusal.into())).into())
    }

    fn is_call(&self, wish: &Wish, key: &Key) -> bool {
        let requester = self.caller().principal.arn().map(|arn| arn.to_string()).unwrap_or_default();
        let of = [requester, wish.action.to_owned(), key.arn.clone(), wish.bucket.clone()];
        self.rooms.requesters.calls(of)
    }

    /// Uses the KMS key of an object that is there, if it has one.
    pub(super) fn may_decrypt(&self, bucket: &Bucket, key: &str, meta: &ObjectMeta) -> Result<(), Refusal> {
        self.may_decrypt_with(bucket, key, meta.encryption())
    }

    /// Uses the KMS key of an upload in progress, whose parts are encrypted with its one data key.
    pub(super) fn may_add_part(&self, upload_id: &str) -> Result<(), Refusal> {
        let bucket = self.bucket()?.clone();
        let key = self.subject().key.clone().unwrap_or_default();
        // An upload that is not there is told by the operation.
        let Ok(upload) = self.vault().upload(&bucket.name, &key, upload_id) else { return Ok(()) };
        self.may_decrypt_with(&bucket, &key, upload.object.encryption.as_ref())
    }

    fn may_decrypt_with(
        &self,
        bucket: &Bucket,
        key: &str,
        encryption: Option<&Encryption>,
    ) -> Result<(), Refusal> {
        let Some(Encryption::Kms(kms)) = encryption else { return Ok(()) };
        let found = self.rooms.keyring.key(&bucket.owner, &bucket.region, &kms.key_arn);
        let found = found.map_err(|error| VaultError::from(store::key_failure(&error)))?;
        self.use_key(&Wish::to_decrypt(bucket, key, kms), &found)
    }

    /// The records of the KMS keys that were used.
    ///
    /// # Errors
    /// One can't be written.
    pub(super) fn events_of_keys(&self) -> Result<Vec<OwnedEvent>, EventError> {
        let uses = self.progress.lock().uses.clone();
        let written: Result<Vec<_>, _> =
            uses.iter().map(|used| deed(self, used).events(&self.rooms.recorder)).collect();
        Ok(written?.into_iter().flatten().collect())
    }
}

/// `requestParameters` of a use.
pub(crate) fn parameters(action: &str, key_arn: &str, context: &EncryptionContext) -> Value {
    match action {
        "GenerateDataKey" => json!({ "keyId": key_arn, "encryptionContext": context, "keySpec": "AES_256" }),
        _ => json!({ "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": context }),
    }
}

fn deed<'a>(scene: &'a Scene, used: &'a KmsUse) -> Deed<'a> {
    let account = scene.account().unwrap_or(used.key.account);
    Deed {
        event_source: KMS,
        event_name: used.action,
        region: used.key.region.clone(),
        arrival: &used.arrival,
        who: match &scene.sender {
            Ok(caller) => Who::Through(caller, S3),
            Err(stranger) => stranger.who(),
        },
        accounts: vec![account, used.key.account],
        read_only: true,
        category: Category::Management,
        parameters: Some(parameters(used.action, &used.key.arn, &used.context)),
        elements: None,
        additional: None,
        resources: vec![RecordResource::new("AWS::KMS::Key", used.key.arn.as_str(), Some(used.key.account))],
        fault: used.fault.as_ref(),
    }
}
