//! The role that an import reads with.
//!
//! Source: the CloudTrail user guide, "Required permissions for copying trail events": the role trusts CloudTrail, may
//! list the bucket and get its objects, and the bucket's policy and the keys of KMS let it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_identity::{Ask, AssumeRole, Caller, IdentityError};
use opentrail_keyring::{EncryptionContext, Key};
use opentrail_lake::import::SourceError;
use opentrail_policy::Context;
use opentrail_vault::{Bucket, KmsEncryption, ObjectPlace};

use crate::{
    call::Arrival,
    kms::permit::Use,
    rooms::Rooms,
    store::{CLOUDTRAIL, context_of},
};

/// What CloudTrail calls its sessions of the role.
const SESSION: &str = "cloudtrail-import";

/// For what the role is taken on.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    /// The role.
    pub(super) role_arn: String,
    /// The store that is filled: `aws:SourceArn`.
    pub(super) store_arn: String,
    /// Its account: `aws:SourceAccount`.
    pub(super) account: AccountId,
    /// Its region.
    pub(super) region: Region,
}

/// A use of a KMS key that was allowed.
pub(super) struct KeyUse {
    pub(super) key: Arc<Key>,
    pub(super) context: EncryptionContext,
}

impl Errand {
    /// The condition keys of what CloudTrail asks for a store.
    pub(super) fn context(&self) -> Context {
        let mut context = Arrival::of_service(CLOUDTRAIL).context(&self.region);
        context.set("aws:SourceArn", self.store_arn.as_str());
        context.set("aws:SourceAccount", self.account.as_str());
        // It never leaves the process, or goes over a connection that the operator chose.
        context.set("aws:SecureTransport", "true");
        context
    }

    /// CloudTrail as the role.
    pub(super) fn acting(&self, rooms: &Rooms, now: DateTime<Utc>) -> Result<Caller, IdentityError> {
        let ask = AssumeRole {
            role_arn: &self.role_arn,
            session_name: SESSION,
            context: self.context(),
            ..AssumeRole::default()
        };
        rooms.identity.service_role(CLOUDTRAIL, &ask, now)
    }

    /// Whether the role may do this with a bucket of this server, or one elsewhere: that has no policy here, and only
    /// the operator's own account gets so far.
    pub(super) fn may(
        &self,
        rooms: &Rooms,
        caller: &Caller,
        action: &str,
        bucket: Option<&Bucket>,
        resource: &str,
    ) -> Result<(), SourceError> {
        let denied = |reason: String| SourceError::refused("AccessDenied", reason);
        let policy = match bucket {
            Some(bucket) => {
                rooms.vault.bucket_policy(&bucket.name).map_err(|e| super::bucket::of_vault(&e))?
            }
            None => None,
        };
        if let Some(bucket) = bucket
            && policy.is_some()
            && caller.principal.account() != Some(bucket.owner)
            && rooms
                .vault
                .effective_public_access_block(bucket)
                .is_ok_and(|block| block.restrict_public_buckets)
            && rooms.vault.is_policy_public(&bucket.name).unwrap_or(true)
        {
            let reason =
                format!("The policy of {} is public, and its owner restricts public access.", bucket.name);
            return Err(denied(reason));
        }
        let ask = Ask {
            action,
            resource,
            context: self.context(),
            resource_policy: policy.as_deref(),
            resource_account: bucket.map(|bucket| bucket.owner),
            ..Ask::default()
        };
        let verdict = rooms.identity.authorize(caller, &ask);
        verdict.into_result().map_err(|denial| denied(denial.to_string()))
    }

    /// Whether the role may open an object's key of KMS.
    pub(super) fn may_decrypt(
        &self,
        rooms: &Rooms,
        caller: &Caller,
        place: &ObjectPlace<'_>,
        kms: &KmsEncryption,
    ) -> Result<KeyUse, SourceError> {
        let refused = |reason: String| SourceError::refused("KMS.AccessDenied", reason);
        let bucket = place.bucket;
        let key = rooms
            .keyring
            .key(&bucket.owner, &bucket.region, &kms.key_arn)
            .map_err(|error| refused(format!("KMS key {}: {error}", kms.key_arn)))?;
        let context = context_of(kms, place);
        let wish = Use {
            action: "kms:Decrypt",
            context: Some(&context),
            via: Some(&format!("s3.{}.amazonaws.com", bucket.region)),
            named: &kms.key_arn,
            ask: self.context(),
        };
        rooms.key_guard.may(caller, &key, &wish).map_err(|denied| refused(denied.to_string()))?;
        let usable = key.check_symmetric("Decrypt").and_then(|()| key.check_usable());
        usable.map_err(|refusal| refused(refusal.to_string()))?;
        Ok(KeyUse { key, context })
    }
}
