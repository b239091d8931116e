//! What a call may ask for in its headers that is not built: refused, never passed over.

use super::{refusal::Refusal, scene::Scene};

/// Storage classes whose objects can be read at once, which all of ours can.
const STORAGE_CLASSES: &[&str] =
    &["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];

/// S3's other storage classes.
const OTHER_STORAGE_CLASSES: &[&str] =
    &["GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS"];

/// Canned ACLs that say what is so anyway: the bucket's owner has full control, nobody else any.
const ACLS: &[&str] = &["private", "bucket-owner-full-control"];

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
    if let Some(kind) = scene.header("x-amz-server-side-encryption") {
        return Err(match kind {
            "AES256" | "aws:kms" | "aws:kms:dsse" => Refusal::not_built(&format!(
                "encryption of objects at rest (x-amz-server-side-encryption: {kind})"
            )),
            _ => Refusal::of(
                "InvalidEncryptionAlgorithmError",
                "The encryption method specified is not supported.",
            ),
        });
    }
    if scene
        .header("x-amz-bucket-object-lock-enabled")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(Refusal::not_built("S3 Object Lock"));
    }
    if let Some(class) = scene.header("x-amz-storage-class")
        && !STORAGE_CLASSES.contains(&class)
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
    if header.starts_with("x-amz-server-side-encryption-")
        || header.starts_with("x-amz-copy-source-server-side-encryption-")
    {
        return Some("encryption of objects at rest");
    }
    if header.starts_with("x-amz-object-lock-") {
        return Some("S3 Object Lock");
    }
    match header {
        "x-amz-mfa" => Some("MFA delete"),
        "x-amz-write-offset-bytes" => Some("appending to objects"),
        "x-amz-bypass-governance-retention" => Some("S3 Object Lock"),
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
    if grants || acl.is_some_and(|acl| !ACLS.contains(&acl)) {
        return Err(Refusal::of("AccessControlListNotSupported", "The bucket does not allow ACLs"));
    }
    Ok(())
}
