//! Whether a call may happen: its sender, the bucket, what is not built, and the policies.

use opentrail_identity::{Ask, Principal, Verdict};
use opentrail_policy::Context;
use opentrail_vault::{Bucket, ObjectMeta, Tags, VaultError, check_bucket_name};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    path::S3Path,
};

use super::{
    catalog::{self, Operation, Permission},
    context, headers, object_lock,
    record::{bucket_arn, object_arn},
    refusal::Refusal,
    region,
    scene::Scene,
    unbuilt,
};
use crate::{
    door::answer::AUTHORIZATION_MESSAGE,
    fault::{Common, Dialect, Fault},
};

/// The gate that every call passes once its operation is known and before its body is read.
pub(super) struct Gate;

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, call: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(scene) = call.extensions_mut().get::<std::sync::Arc<Scene>>().cloned() else {
            return Err(S3Error::new(S3ErrorCode::InternalError));
        };
        let operation = catalog::named(call.s3_op().name()).unwrap_or(&catalog::UNKNOWN);
        let (bucket, key) = match call.s3_path() {
            S3Path::Root => (None, None),
            S3Path::Bucket { bucket } => (Some(&**bucket), None),
            S3Path::Object { bucket, key } => (Some(&**bucket), Some(&**key)),
        };
        scene.is_about(operation, bucket, key);
        if operation.takes_document() {
            scene.intake.expect_document(operation.digests_its_document());
        }
        admit(&scene, operation).map_err(|refusal| {
            scene.refuse(refusal);
            S3Error::new(S3ErrorCode::AccessDenied)
        })
    }
}

/// Whether the sender is who it says, and the body can be read.
pub(super) fn admit_sender(scene: &Scene) -> Result<(), Refusal> {
    if let Err(stranger) = &scene.sender {
        return Err(stranger.into());
    }
    scene.objection.clone().map_or(Ok(()), Err)
}

pub(super) fn admit(scene: &Scene, operation: &Operation) -> Result<(), Refusal> {
    admit_sender(scene)?;
    if let Some(name) = &scene.subject().bucket {
        check_bucket_name(name).map_err(VaultError::from)?;
        if operation.name != "CreateBucket" {
            let owner = scene.bucket()?.owner;
            let expected = scene.header("x-amz-expected-bucket-owner");
            if expected.is_some_and(|expected| expected != owner.as_str()) {
                return Err(Refusal::access_denied());
            }
            region::check(scene, operation)?;
        }
    }
    permit(scene, operation)?;
    unbuilt::refuse(scene)
}

fn permit(scene: &Scene, operation: &Operation) -> Result<(), Refusal> {
    let of_version = scene.parameter("versionId").is_some();
    match operation.permission {
        Permission::InOperation => in_operation(scene, operation),
        Permission::Action(action) => scene.may(action),
        Permission::Versioned(_, action) if of_version => scene.may(action),
        Permission::Versioned(action, _) => scene.may(action),
        Permission::All(_, actions) if of_version => actions.iter().try_for_each(|action| scene.may(action)),
        Permission::All(actions, _) => actions.iter().try_for_each(|action| scene.may(action)),
    }
}

/// The permissions that hang on more than the operation's name and can be told before the body is read.
fn in_operation(scene: &Scene, operation: &Operation) -> Result<(), Refusal> {
    match operation.name {
        "PutObject" | "CreateMultipartUpload" => {
            scene.may("s3:PutObject")?;
            object_lock::may_lock(scene)?;
            if headers::tags(scene)?.is_empty() { Ok(()) } else { scene.may("s3:PutObjectTagging") }
        }
        "CopyObject" | "UploadPartCopy" => {
            scene.may("s3:PutObject")?;
            object_lock::may_lock(scene)
        }
        "CreateBucket" => {
            scene.may("s3:CreateBucket")?;
            if scene
                .header("x-amz-bucket-object-lock-enabled")
                .is_some_and(|asked| asked.eq_ignore_ascii_case("true"))
            {
                scene.may("s3:PutBucketObjectLockConfiguration")?;
                scene.may("s3:PutBucketVersioning")?;
            }
            let asks_ownership = scene.header("x-amz-object-ownership").is_some();
            if asks_ownership { scene.may("s3:PutBucketOwnershipControls") } else { Ok(()) }
        }
        // DeleteObjects asks for each key; PutObjectTagging, PutObjectRetention and PutObjectLegalHold with what
        // is in their body.
        _ => Ok(()),
    }
}

impl Scene {
    /// Whether the caller may do this with what the call is about.
    pub(super) fn may(&self, action: &str) -> Result<(), Refusal> {
        self.may_given(action, |_| {})
    }

    /// As [`Scene::may`], with more condition keys than the request's headers and query tell.
    pub(super) fn may_given(&self, action: &str, tell: impl FnOnce(&mut Context)) -> Result<(), Refusal> {
        let subject = self.subject();
        let resource = match (&subject.bucket, &subject.key) {
            // What is about no bucket is asked for all of them, so that a policy may name it either way.
            (None, _) => bucket_arn("*"),
            (Some(bucket), Some(key)) => object_arn(bucket, key),
            (Some(bucket), None) => bucket_arn(bucket),
        };
        let mut context = context::of(self);
        if subject.operation.is_about_existing()
            && let (Some(bucket), Some(key)) = (&subject.found, &subject.key)
        {
            let version = self.parameter("versionId");
            if let Ok(meta) = self.vault().head(&bucket.name, key, version) {
                context::set_existing_tags(&mut context, &meta.object.tags);
            }
        }
        tell(&mut context);
        // A bucket that is to be made has no owner and no policy yet, whoever has one of its name.
        let found = subject.found.as_deref().filter(|_| subject.operation.name != "CreateBucket");
        self.ask(action, &resource, found, context)
    }

    /// Whether the caller may do this with an object of the call's bucket.
    pub(super) fn may_with_key(
        &self,
        action: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<(), Refusal> {
        let bucket = self.bucket()?;
        let mut context = context::of(self);
        if let Some(version_id) = version_id {
            context.set("s3:VersionId", version_id);
        }
        self.ask(action, &object_arn(&bucket.name, key), Some(bucket), context)
    }

    /// Whether the caller may set these tags on the call's object.
    pub(super) fn may_tag(&self, action: &str, tags: &Tags) -> Result<(), Refusal> {
        let subject = self.subject();
        let bucket = self.bucket()?;
        let key = subject.key.as_deref().unwrap_or_default();
        let mut context = context::of(self);
        context::set_request_tags(&mut context, tags);
        if let Ok(meta) = self.vault().head(&bucket.name, key, self.parameter("versionId")) {
            context::set_existing_tags(&mut context, &meta.object.tags);
        }
        self.ask(action, &object_arn(&bucket.name, key), Some(bucket), context)
    }

    /// Whether the caller may read this, the source of a copy, if it was found.
    pub(super) fn may_read(
        &self,
        bucket: &Bucket,
        key: &str,
        version_id: Option<&str>,
        found: Option<&ObjectMeta>,
    ) -> Result<(), Refusal> {
        let mut context = context::of(self);
        let mut action = "s3:GetObject";
        if let Some(version_id) = version_id {
            context.set("s3:VersionId", version_id);
            action = "s3:GetObjectVersion";
        }
        if let Some(meta) = found {
            context::set_existing_tags(&mut context, &meta.object.tags);
        }
        self.ask(action, &object_arn(&bucket.name, key), Some(bucket), context)
    }

    /// Who may not list a bucket is not told what it does not hold: then "no such key" is "access denied".
    pub(super) fn not_there(&self, error: VaultError) -> Refusal {
        if !matches!(error, VaultError::NoSuchKey { .. }) {
            return error.into();
        }
        let Ok(bucket) = self.bucket() else { return error.into() };
        let listed = self.ask("s3:ListBucket", &bucket_arn(&bucket.name), Some(bucket), context::of(self));
        if listed.is_ok() { error.into() } else { Refusal::access_denied() }
    }

    /// Asks all policies that there are.
    fn ask(
        &self,
        action: &str,
        resource: &str,
        bucket: Option<&Bucket>,
        mut context: Context,
    ) -> Result<(), Refusal> {
        let caller = self.caller();
        let owner = bucket.map(|bucket| bucket.owner);
        if let Some(owner) = owner {
            context.set("s3:ResourceAccount", owner.as_str());
            context.set("aws:ResourceAccount", owner.as_str());
        }
        let rescues = is_rescue(action)
            && owner.is_some_and(|account| caller.principal == (Principal::Root { account }));
        let policy = match bucket {
            Some(bucket) if !rescues => self.vault().bucket_policy(&bucket.name)?,
            _ => None,
        };
        if let Some(bucket) = bucket
            && is_shut(bucket, self)?
        {
            return Err(Refusal::access_denied());
        }
        let ask = Ask {
            action,
            resource,
            context,
            resource_policy: policy.as_deref(),
            resource_account: owner,
            ..Ask::default()
        };
        match self.rooms.identity.authorize(&caller, &ask) {
            Verdict::Allowed => Ok(()),
            Verdict::Denied(_) if caller.principal == Principal::Anonymous => Err(Refusal::access_denied()),
            Verdict::Denied(denial) => {
                let refusal =
                    Refusal::from(Fault::common(Common::AccessDenied, Dialect::S3, denial.to_string()));
                Err(match self.rooms.identity.authorization_message(&caller, &ask, &denial) {
                    Some(message) => refusal.with(AUTHORIZATION_MESSAGE, &message),
                    None => refusal,
                })
            }
        }
    }
}

/// The owner's root user may look at a bucket's policy and change it whatever it says, or a policy that denies
/// everyone could never be undone. Service control policies hold all the same (S3 user guide, "Bucket policies").
pub(crate) fn is_rescue(action: &str) -> bool {
    matches!(action, "s3:GetBucketPolicy" | "s3:PutBucketPolicy" | "s3:DeleteBucketPolicy")
}

/// Whether `RestrictPublicBuckets` keeps the caller out: a public policy then lets in only the owner's
/// account and AWS's services.
fn is_shut(bucket: &Bucket, scene: &Scene) -> Result<bool, VaultError> {
    let is_own = scene.account() == Some(bucket.owner);
    let restricts = scene.vault().effective_public_access_block(bucket)?.restrict_public_buckets;
    let has_policy = bucket.policy.is_some();
    Ok(!is_own && restricts && has_policy && scene.vault().is_policy_public(&bucket.name)?)
}
