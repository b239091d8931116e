//! The use of KMS keys on behalf of S3's callers: whether they may, and the record of it.
//!
//! S3 asks KMS with the caller's permissions, so a KMS key is used as its policy and the caller's say, and each use
//! is a record of KMS in the same journal entry as the call's own.

use opentrail_event::{AccountId, Category, EventError, RecordResource, Region};
use opentrail_keyring::{EncryptionContext, Key};
use opentrail_state::OwnedEvent;
use opentrail_vault::{Bucket, Encryption, KmsEncryption, ObjectMeta, ObjectPlace, VaultError};
use serde_json::{Value, json};

use super::{context, refusal::Refusal, scene::Scene};
use crate::{
    call::Arrival,
    fault::Fault,
    kms::permit::{Refused, Use},
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
    /// The key as the record names it.
    named: String,
    /// The key's ARN, unless it is another account's, or is not there, and the caller was refused.
    arn: Option<String>,
    owner: AccountId,
    region: Region,
    context: EncryptionContext,
    arrival: Arrival,
    fault: Option<Fault>,
}

impl Scene {
    /// Uses a KMS key, which the caller names so, for them: whether they may and whether it can be used, with its
    /// record.
    pub(super) fn use_key(&self, wish: &Wish, key: &Key, named: &str) -> Result<(), Refusal> {
        let decided = self.decide_use(wish, key, named);
        let fault = decided.as_ref().err().map(|refusal| refusal.fault.clone());
        if fault.is_some() || !wish.is_bucket_key || self.is_call(wish, key) {
            let is_told = fault.is_none() || self.account().is_none_or(|account| account == key.account);
            self.note_use(wish, key, fault, (!is_told).then_some(named));
        }
        decided
    }

    /// Whether the caller may use a key that is not there yet; who may not learns no more than that.
    pub(super) fn may_make(&self, wish: &Wish, key: &Key, named: &str) -> Result<(), Refusal> {
        self.decide_use(wish, key, named).map_err(|_| {
            let hidden = Refused::of_stranger(&self.caller(), &format!("kms:{}", wish.action), named);
            let refusal = Refusal::of("AccessDenied", hidden.to_string());
            self.note_use(wish, key, Some(refusal.fault.clone()), Some(named));
            refusal
        })
    }

    /// Notes a use for its record; `hidden` is all that the record may say of the key.
    fn note_use(&self, wish: &Wish, key: &Key, fault: Option<Fault>, hidden: Option<&str>) {
        self.progress.lock().uses.push(KmsUse {
            action: wish.action,
            named: hidden.unwrap_or(&key.arn).to_owned(),
            arn: hidden.is_none().then(|| key.arn.clone()),
            owner: key.account,
            region: key.region.clone(),
            context: wish.context.clone(),
            arrival: Arrival { at: self.arrival.at, ..Arrival::of_service(S3) },
            fault,
        });
    }

    fn decide_use(&self, wish: &Wish, key: &Key, named: &str) -> Result<(), Refusal> {
        let action = format!("kms:{}", wish.action);
        let wanted = Use {
            action: &action,
            context: Some(&wish.context),
            via: Some(&wish.via),
            named,
            ask: context::of(self),
        };
        let decided = self.rooms.key_guard.may(&self.caller(), key, &wanted);
        decided.map_err(|denied| Refusal::of("AccessDenied", denied.to_string()))?;
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

    /// Uses the KMS key of an upload in progress: to add to its parts, which are encrypted with its one data key, or to
    /// be told of them (S3 API reference, UploadPart and ListParts).
    pub(super) fn may_open_upload(&self, upload_id: &str) -> Result<(), Refusal> {
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
        self.use_key(&Wish::to_decrypt(bucket, key, kms), &found, &kms.key_arn)
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
    let account = scene.account().unwrap_or(used.owner);
    let resource = |arn: &String| RecordResource::new("AWS::KMS::Key", arn.as_str(), Some(used.owner));
    Deed {
        event_source: KMS,
        event_name: used.action,
        region: used.region.clone(),
        arrival: &used.arrival,
        who: match &scene.sender {
            Ok(caller) => Who::Through(caller, S3),
            Err(stranger) => stranger.who(),
        },
        accounts: if used.fault.is_none() { vec![account, used.owner] } else { vec![account] },
        read_only: true,
        category: Category::Management,
        parameters: Some(parameters(used.action, &used.named, &used.context)),
        elements: None,
        additional: None,
        resources: used.arn.iter().map(resource).collect(),
        fault: used.fault.as_ref(),
    }
}
