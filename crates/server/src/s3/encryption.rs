//! Encryption of objects at rest: what a call's headers ask for, what a bucket does by itself, and what answers say.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html> and "Protecting data with
//! server-side encryption" in the S3 user guide.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use opentrail_keyring::{Key, Keyring};
use opentrail_policy::Context;
use opentrail_vault::{
    Bucket, BucketEncryption, DefaultEncryption, Encryption, KmsEncryption, ObjectMeta, VaultError,
};
use s3s::dto;

use super::{encryption_kms::Wish, refusal::Refusal, scene::Scene};
use crate::store;

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const OF_CUSTOMER: &str = "x-amz-server-side-encryption-customer-";
const OF_CUSTOMER_SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer-";
/// The key of objects whose writer asks for SSE-KMS and names no key.
const MANAGED_KEY: &str = "alias/aws/s3";
/// Longest encryption context in JSON: 8 KB (KMS API reference, "Encrypt": the limit of all of a request's context).
const MAX_CONTEXT_BYTES: usize = 8 * 1024;

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::of("InvalidArgument", message)
}

/// Refuses headers that have no place in this call, and keys that the caller brings along.
pub(super) fn refuse_headers(scene: &Scene) -> Result<(), Refusal> {
    let name = scene.subject().operation.name;
    let brings = |prefix: &str| scene.headers.keys().any(|header| header.as_str().starts_with(prefix));
    if brings(OF_CUSTOMER) || brings(OF_CUSTOMER_SOURCE) {
        return Err(of_customer(name));
    }
    let takes = matches!(name, "PutObject" | "CopyObject" | "CreateMultipartUpload");
    if takes || matches!(name, "UploadPartCopy" | "PostObject") {
        return Ok(());
    }
    match [ALGORITHM, KEY_ID, CONTEXT].into_iter().find(|header| scene.header(header).is_some()) {
        Some(header) => Err(invalid(format!("{header} header is not supported for this operation."))),
        None => Ok(()),
    }
}

/// No object here is encrypted with a key of its caller, as in a bucket that blocks SSE-C.
fn of_customer(operation: &str) -> Refusal {
    if matches!(operation, "GetObject" | "HeadObject" | "GetObjectAttributes" | "SelectObjectContent") {
        let message = "The encryption parameters are not applicable to this object.";
        return Refusal::of("InvalidRequest", message);
    }
    let message = "Server-side encryption with customer-provided keys (SSE-C) is blocked for this bucket: this server \
                   takes no keys from callers. Use SSE-S3 (AES256) or SSE-KMS (aws:kms).";
    Refusal::of("AccessDenied", message)
}

/// What a call's headers ask for.
enum Asked {
    Nothing,
    S3,
    Kms { key: Option<String>, context: BTreeMap<String, String> },
}

fn asked(scene: &Scene) -> Result<Asked, Refusal> {
    let (key, context) = (scene.header(KEY_ID), scene.header(CONTEXT));
    match scene.header(ALGORITHM) {
        Some("aws:kms") => {
            let key = key.filter(|key| !key.is_empty()).map(str::to_owned);
            Ok(Asked::Kms { key, context: context.map(read_context).transpose()?.unwrap_or_default() })
        }
        Some("aws:kms:dsse") => Err(Refusal::not_built("dual-layer encryption (aws:kms:dsse)")),
        Some("AES256") | None if key.is_some() => Err(invalid(
            "Server Side Encryption with KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
        )),
        Some("AES256") | None if context.is_some() => {
            Err(invalid("An encryption context requires HTTP header x-amz-server-side-encryption : aws:kms"))
        }
        Some("AES256") => Ok(Asked::S3),
        None => Ok(Asked::Nothing),
        Some(_) => Err(Refusal::of(
            "InvalidEncryptionAlgorithmError",
            "The encryption request you specified is not valid. The valid value is AES256, aws:kms or aws:kms:dsse.",
        )),
    }
}

/// Base64 of a JSON object of texts.
fn read_context(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let refused = || {
        invalid(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map",
        )
    };
    let json = BASE64_STANDARD.decode(text).map_err(|_| refused())?;
    if json.len() > MAX_CONTEXT_BYTES {
        return Err(refused());
    }
    let context: BTreeMap<String, String> = serde_json::from_slice(&json).map_err(|_| refused())?;
    if context.contains_key("aws:s3:arn") {
        return Err(invalid("The encryption context's aws:s3:arn is set by Amazon S3."));
    }
    Ok(context)
}

fn wants_bucket_key(scene: &Scene, bucket: &BucketEncryption) -> Result<bool, Refusal> {
    match scene.header(BUCKET_KEY) {
        None => Ok(bucket.bucket_key),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => {
            Err(invalid("The value of x-amz-server-side-encryption-bucket-key-enabled is true or false."))
        }
    }
}

/// How an object is to be encrypted, and whether the caller said so.
pub(super) struct Chosen {
    pub(super) encryption: Encryption,
    pub(super) is_named: bool,
}

/// How the object that a call makes is encrypted: as its headers say, else as its bucket does. Where that takes a
/// KMS key, the caller must be allowed to use it, and the use is recorded with the call.
pub(super) async fn choose(scene: &Scene) -> Result<Chosen, Refusal> {
    let bucket = scene.bucket()?.clone();
    let settings = bucket.encryption.clone().unwrap_or_default();
    let asked = asked(scene)?;
    let is_named = !matches!(asked, Asked::Nothing);
    let (key, context) = match (asked, &settings.default) {
        (Asked::S3, _) | (Asked::Nothing, DefaultEncryption::S3) => {
            return Ok(scene.encrypts(Encryption::S3, is_named));
        }
        (Asked::Nothing, DefaultEncryption::Kms { key }) => (key.clone(), BTreeMap::new()),
        (Asked::Kms { key, context }, _) => (key, context),
    };
    let bucket_key = wants_bucket_key(scene, &settings)?;
    let object_key = scene.subject().key.clone().unwrap_or_default();
    let reference = key.as_deref().unwrap_or(MANAGED_KEY);
    let under = |key: &Key| KmsEncryption { key_arn: key.arn.clone(), context: context.clone(), bucket_key };
    let wish = |key: &Key| Wish::to_encrypt(&bucket, &object_key, &under(key));
    let key = scene.kms_key(&bucket, reference, wish).await?;
    scene.use_key(&wish(&key), &key, reference)?;
    Ok(scene.encrypts(Encryption::Kms(under(&key)), is_named))
}

impl Scene {
    fn encrypts(&self, encryption: Encryption, is_named: bool) -> Chosen {
        self.progress.lock().sse_applied = Some(applied(&encryption, is_named));
        Chosen { encryption, is_named }
    }

    /// The KMS key that a call of S3 names. Names without an account are of the caller's. AWS's own key is made if it
    /// is not there yet, for a caller who may do with it what they `wish`: nobody else leaves anything behind.
    async fn kms_key(
        &self,
        bucket: &Bucket,
        reference: &str,
        wish: impl Fn(&Key) -> Wish + Sync,
    ) -> Result<Arc<Key>, Refusal> {
        let account = self.account().unwrap_or(bucket.owner);
        let (keyring, region) = (&self.rooms.keyring, &bucket.region);
        let found = match Keyring::managed_service(reference) {
            Some(service) if !reference.starts_with("arn:") => {
                let mut refused = None;
                let may = |key: &Key| {
                    refused = self.may_make(&wish(key), key, reference).err();
                    refused.is_none()
                };
                match keyring.managed_key_for(&account, region, service, self.arrival.at, may).await {
                    Ok(Some(key)) => Ok(key),
                    Ok(None) => return Err(refused.unwrap_or_else(Refusal::access_denied)),
                    Err(error) => Err(error),
                }
            }
            _ => keyring.key(&account, region, reference),
        };
        found.map_err(|error| VaultError::from(store::key_failure(&error)).into())
    }
}

/// Sets the condition keys of an upload's own encryption for calls about its parts, which say nothing of it: a policy
/// that asks for encryption asks for it once.
pub(super) fn set_keys_of_upload(context: &mut Context, scene: &Scene) {
    let subject = scene.subject();
    let is_part =
        matches!(subject.operation.name, "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload");
    let (Some(bucket), Some(key), Some(id)) = (&subject.bucket, &subject.key, scene.parameter("uploadId"))
    else {
        return;
    };
    if !is_part {
        return;
    }
    let Ok(upload) = scene.vault().upload(bucket, key, id) else { return };
    let Some(encryption) = upload.object.encryption else { return };
    context.set(&format!("s3:{ALGORITHM}"), algorithm(&encryption));
    if let Some(key) = encryption.kms_key() {
        context.set(&format!("s3:{KEY_ID}"), key);
    }
}

/// S3's name for a kind of encryption.
pub(super) fn algorithm(encryption: &Encryption) -> &'static str {
    match encryption {
        Encryption::S3 => "AES256",
        Encryption::Kms(_) => "aws:kms",
    }
}

/// What answers say about an object's encryption; nothing of one that is not encrypted.
#[derive(Default)]
pub(super) struct Told {
    pub(super) algorithm: Option<dto::ServerSideEncryption>,
    pub(super) key: Option<String>,
    pub(super) bucket_key: Option<bool>,
    /// What the caller added to the encryption context, as it was sent.
    pub(super) context: Option<String>,
}

pub(super) fn told(encryption: Option<&Encryption>) -> Told {
    let Some(encryption) = encryption else { return Told::default() };
    let mut told = Told { algorithm: Some(algorithm(encryption).to_owned().into()), ..Told::default() };
    if let Encryption::Kms(kms) = encryption {
        told.key = Some(kms.key_arn.clone());
        told.bucket_key = kms.bucket_key.then_some(true);
        let json = serde_json::to_vec(&kms.context).ok().filter(|_| !kms.context.is_empty());
        told.context = json.map(|json| BASE64_STANDARD.encode(json));
    }
    told
}

/// Sets the members that answers of all calls about encrypted objects share.
macro_rules! tell_encryption {
    ($output:ident, $encryption:expr) => {
        let told = $crate::s3::encryption::told($encryption);
        $output.server_side_encryption = told.algorithm;
        $output.ssekms_key_id = told.key;
        $output.bucket_key_enabled = told.bucket_key;
    };
}

pub(super) use tell_encryption;

/// What a record's `responseElements` say about an object's encryption.
pub(super) fn elements(meta: &ObjectMeta) -> Vec<(&'static str, String)> {
    let Some(encryption) = meta.encryption() else { return Vec::new() };
    let mut elements = vec![(ALGORITHM, algorithm(encryption).to_owned())];
    elements.extend(encryption.kms_key().map(|key| (KEY_ID, key.to_owned())));
    elements
}

/// `SSEApplied` of a record: which encryption, and whether it was the bucket's default.
fn applied(encryption: &Encryption, is_named: bool) -> &'static str {
    match (encryption, is_named) {
        (Encryption::S3, true) => "SSE_S3",
        (Encryption::S3, false) => "Default_SSE_S3",
        (Encryption::Kms(_), true) => "SSE_KMS",
        (Encryption::Kms(_), false) => "Default_SSE_KMS",
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::read_context;

    #[test]
    fn an_encryption_context_is_base64_of_json_texts() {
        let read = |json: &str| read_context(&BASE64_STANDARD.encode(json));
        assert_eq!(read(r#"{"a":"b"}"#).unwrap_or_default().get("a").map(String::as_str), Some("b"));
        for wrong in [r#"{"a":1}"#, "[]", "", r#"{"aws:s3:arn":"arn:aws:s3:::b/k"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read_context("{}").is_err());
    }
}
