//! What the role of a configuration may do, asked before each copy.
//!
//! Source: the S3 user guide, "Setting up permissions for live replication", "Replicating encrypted objects" and
//! "Changing the replica owner". The role reads as the source's owner lets it, and writes as the destination's owner does;
//! a bucket at another endpoint has no policy here, and its endpoint decides by itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_identity::{Ask, Caller, IdentityError};
use opentrail_keyring::{EncryptionContext, Key};
use opentrail_policy::Context;
use opentrail_vault::{
    Bucket, Encryption, KmsEncryption, ObjectMeta, ObjectPlace, Ownership, Version,
    replication::{ReplicationRule, Waiting},
};

use super::{S3, pass::Failure};
use crate::{call::Arrival, kms::permit::Use, rooms::Rooms, store};

/// What S3 calls its sessions of the role.
const SESSION: &str = "s3-replication";

/// A use of a KMS key that was allowed, for its record.
pub(super) struct KeyUse {
    /// `Decrypt` or `Encrypt`.
    pub(super) action: &'static str,
    pub(super) key: Arc<Key>,
    pub(super) context: EncryptionContext,
}

/// The condition keys of what S3 asks for a bucket.
fn context(bucket: &Bucket) -> Context {
    let mut context = Arrival::of_service(S3).context(&bucket.region);
    context.set("aws:SourceArn", format!("arn:aws:s3:::{}", bucket.name));
    context.set("aws:SourceAccount", bucket.owner.as_str());
    // It never leaves the process, or goes over a connection that the operator chose.
    context.set("aws:SecureTransport", "true");
    context
}

/// S3 as the role that a bucket's configuration names.
pub(crate) fn acting(
    rooms: &Rooms,
    bucket: &Bucket,
    role: &str,
    now: DateTime<Utc>,
) -> Result<Caller, IdentityError> {
    let ask = opentrail_identity::AssumeRole {
        role_arn: role,
        session_name: SESSION,
        context: context(bucket),
        ..opentrail_identity::AssumeRole::default()
    };
    rooms.identity.service_role(S3, &ask, now)
}

fn may(
    rooms: &Rooms,
    caller: &Caller,
    action: &str,
    bucket: Option<&Bucket>,
    resource: &str,
    context: Context,
) -> Result<(), Failure> {
    let policy = match bucket {
        Some(bucket) => rooms.vault.bucket_policy(&bucket.name)?,
        None => None,
    };
    if let Some(bucket) = bucket
        && policy.is_some()
        && caller.principal.account() != Some(bucket.owner)
        && rooms.vault.effective_public_access_block(bucket)?.restrict_public_buckets
        && rooms.vault.is_policy_public(&bucket.name)?
    {
        let reason =
            format!("the policy of {} is public, and its owner restricts public access", bucket.name);
        return Err(Failure::Refused(reason));
    }
    let ask = Ask {
        action,
        resource,
        context,
        resource_policy: policy.as_deref(),
        resource_account: bucket.map(|bucket| bucket.owner),
        ..Ask::default()
    };
    let verdict = rooms.identity.authorize(caller, &ask);
    verdict.into_result().map_err(|denial| Failure::Refused(denial.to_string()))
}

/// Whether the role may read the version, and what is known about it.
pub(super) fn may_read(
    rooms: &Rooms,
    caller: &Caller,
    bucket: &Bucket,
    waiting: &Waiting,
) -> Result<(), Failure> {
    let resource = format!("arn:aws:s3:::{}/{}", bucket.name, waiting.key);
    let mut actions = vec!["s3:GetObjectVersionForReplication"];
    if let Version::Object(meta) = &waiting.version {
        actions.extend((!meta.object.tags.is_empty()).then_some("s3:GetObjectVersionTagging"));
        actions.extend(meta.lock().retention.map(|_| "s3:GetObjectRetention"));
        actions.extend(meta.lock().legal_hold.map(|_| "s3:GetObjectLegalHold"));
    }
    actions
        .into_iter()
        .try_for_each(|action| may(rooms, caller, action, Some(bucket), &resource, context(bucket)))
}

/// Whether the role may write the copy.
pub(super) fn may_write(
    rooms: &Rooms,
    caller: &Caller,
    into: Option<&Bucket>,
    waiting: &Waiting,
    rule: &ReplicationRule,
) -> Result<(), Failure> {
    let resource = format!("arn:aws:s3:::{}/{}", waiting.destination, waiting.key);
    let mut actions = Vec::new();
    match &waiting.version {
        Version::DeleteMarker(_) => actions.push("s3:ReplicateDelete"),
        Version::Object(meta) => {
            actions.push("s3:ReplicateObject");
            actions.extend((!meta.object.tags.is_empty()).then_some("s3:ReplicateTags"));
        }
    }
    actions.extend(rule.destination.owner_override.then_some("s3:ObjectOwnerOverrideToBucketOwner"));
    actions
        .into_iter()
        .try_for_each(|action| may(rooms, caller, action, into, &resource, context(&waiting.bucket)))
}

/// Whose the copy is: the version's owner's, unless the destination's owner owns what is in it.
pub(super) fn owner_of_copy(into: &Bucket, waiting: &Waiting, rule: &ReplicationRule) -> AccountId {
    let own = match &waiting.version {
        Version::Object(meta) => meta.object.owner,
        Version::DeleteMarker(marker) => marker.owner,
    };
    let enforced = into.ownership == Some(Ownership::BucketOwnerEnforced);
    if enforced || rule.destination.owner_override { into.owner } else { own }
}

/// How a copy is encrypted, as its version is, and the KMS keys that this takes.
pub(super) fn encryption(
    rooms: &Rooms,
    caller: &Caller,
    bucket: &Bucket,
    into: &Bucket,
    waiting: &Waiting,
    rule: &ReplicationRule,
) -> Result<(Encryption, Vec<KeyUse>), Failure> {
    let Some(kms) = kms_of(waiting) else { return Ok((Encryption::S3, Vec::new())) };
    let reference = rule.destination.kms_key.as_deref();
    let reference =
        reference.ok_or_else(|| Failure::Refused("the rule names no KMS key for the copies".to_owned()))?;
    let decrypt = use_key(rooms, caller, bucket, &waiting.key, kms, "Decrypt", &kms.key_arn)?;
    let settings = into.encryption.clone().unwrap_or_default();
    let found = find_key(rooms, into, reference)?;
    let new = KmsEncryption {
        key_arn: found.arn.clone(),
        context: kms.context.clone(),
        bucket_key: settings.bucket_key,
    };
    let encrypt = use_key(rooms, caller, into, &waiting.key, &new, "Encrypt", reference)?;
    Ok((Encryption::Kms(new), vec![decrypt, encrypt]))
}

/// Whether the role may open the version's own key, where it has one of KMS.
pub(super) fn may_decrypt(
    rooms: &Rooms,
    caller: &Caller,
    bucket: &Bucket,
    waiting: &Waiting,
) -> Result<(), Failure> {
    let Some(kms) = kms_of(waiting) else { return Ok(()) };
    use_key(rooms, caller, bucket, &waiting.key, kms, "Decrypt", &kms.key_arn).map(drop)
}

fn kms_of(waiting: &Waiting) -> Option<&KmsEncryption> {
    let Version::Object(meta) = &waiting.version else { return None };
    match ObjectMeta::encryption(meta) {
        Some(Encryption::Kms(kms)) => Some(kms),
        _ => None,
    }
}

fn find_key(rooms: &Rooms, bucket: &Bucket, reference: &str) -> Result<Arc<Key>, Failure> {
    let found = rooms.keyring.key(&bucket.owner, &bucket.region, reference);
    found.map_err(|error| Failure::Refused(format!("KMS key {reference}: {error}")))
}

fn use_key(
    rooms: &Rooms,
    caller: &Caller,
    bucket: &Bucket,
    object: &str,
    kms: &KmsEncryption,
    action: &'static str,
    named: &str,
) -> Result<KeyUse, Failure> {
    let key = find_key(rooms, bucket, &kms.key_arn)?;
    let sealing = store::context_of(kms, &ObjectPlace { bucket, key: object });
    let wish = Use {
        action: &format!("kms:{action}"),
        context: Some(&sealing),
        via: Some(&format!("s3.{}.amazonaws.com", bucket.region)),
        named,
        ask: context(bucket),
    };
    let decided = rooms.key_guard.may(caller, &key, &wish);
    decided.map_err(|denied| Failure::Refused(denied.to_string()))?;
    let usable = key.check_symmetric(action).and_then(|()| key.check_usable());
    usable.map_err(|refusal| Failure::Refused(refusal.to_string()))?;
    Ok(KeyUse { action, key, context: sealing })
}
