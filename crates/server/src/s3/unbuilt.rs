//! What a call may ask for in its query and its headers that is not built: refused, never passed over.

use opentrail_vault::{Ownership, StorageClass};

use super::{encryption, refusal::Refusal, scene::Scene};

/// S3's storage classes for other places than its regions.
const OTHER_STORAGE_CLASSES: &[&str] = &["OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS"];

/// Canned ACLs that say what is so anyway: the bucket's owner has full control, nobody else any.
const ACLS: &[&str] = &["private", "bucket-owner-full-control"];

/// Canned ACLs that let in everybody, or everybody with an AWS account.
const PUBLIC_ACLS: &[&str] = &["public-read", "public-read-write", "authenticated-read"];

/// The groups of grantees that are the public.
const PUBLIC_GROUPS: &[&str] = &["groups/global/AllUsers", "groups/global/AuthenticatedUsers"];

/// The ownership of buckets without ACLs, which is that of new buckets.
const ENFORCED: &str = "BucketOwnerEnforced";

/// Parts of a bucket or object that S3's queries name (API reference). With one that the protocol layer does not
/// know, or not with this method, it would take the call for one on the whole.
const PARTS: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Refuses what is not built.
pub(super) fn refuse(scene: &Scene) -> Result<(), Refusal> {
    if scene.subject().operation.is_plain()
        && let Some((part, _)) = scene.query.iter().find(|(name, _)| PARTS.contains(&name.as_str()))
    {
        return Err(Refusal::not_built(&format!("this call of {part}")));
    }
    for name in scene.headers.keys() {
        let name = name.as_str();
        if let Some(what) = never_built(name) {
            return Err(Refusal::not_built(&format!("{what} (header {name})")));
        }
    }
    encryption::refuse_headers(scene)?;
    if let Some(class) = scene.header("x-amz-storage-class")
        && StorageClass::named(class).is_none()
    {
        return Err(if OTHER_STORAGE_CLASSES.contains(&class) {
            Refusal::not_built(&format!("storage class {class}"))
        } else {
            Refusal::of("InvalidStorageClass", "The storage class you specified is not valid")
        });
    }
    access_control_lists(scene)
}

fn never_built(header: &str) -> Option<&'static str> {
    match header {
        "x-amz-write-offset-bytes" => Some("appending to objects"),
        "x-amz-if-match-last-modified-time" | "x-amz-if-match-size" | "x-amz-if-match-initiated-time" => {
            Some("this condition")
        }
        _ => None,
    }
}

/// ACLs give nobody anything here: buckets have the setting `BucketOwnerEnforced` or mean the same.
fn access_control_lists(scene: &Scene) -> Result<(), Refusal> {
    let grants = scene.headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
    let acl = scene.header("x-amz-acl");
    if !grants && acl.is_none_or(|acl| ACLS.contains(&acl)) {
        return Ok(());
    }
    let is_public = acl.is_some_and(|acl| PUBLIC_ACLS.contains(&acl))
        || scene.headers.iter().any(|(name, value)| {
            name.as_str().starts_with("x-amz-grant-")
                && PUBLIC_GROUPS.iter().any(|group| value.to_str().is_ok_and(|value| value.contains(group)))
        });
    let operation = scene.subject().operation.name;
    if operation == "CreateBucket"
        && scene.header("x-amz-object-ownership").is_none_or(|asked| asked == ENFORCED)
    {
        let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(Refusal::of("InvalidBucketAclWithObjectOwnership", message));
    }
    if operation == "CreateBucket" && is_public {
        let message = "Bucket cannot have public ACLs set with BlockPublicAccess enabled";
        return Err(Refusal::of("InvalidBucketAclWithBlockPublicAccessError", message));
    }
    if let Ok(bucket) = scene.bucket()
        && is_public
        && bucket.ownership != Some(Ownership::BucketOwnerEnforced)
        && scene.vault().effective_public_access_block(bucket)?.block_public_acls
    {
        let message = "User is not authorized to set this ACL because public ACLs are prevented by the \
                       BlockPublicAcls setting in S3 Block Public Access.";
        return Err(Refusal::of("AccessDenied", message));
    }
    Err(Refusal::of("AccessControlListNotSupported", "The bucket does not allow ACLs"))
}
