//! The catalog of S3's operations: what each is called in a record, what kind of event it is, and which
//! permission it asks.
//!
//! Sources: "Amazon S3 CloudTrail events" in the S3 user guide; "Actions, resources, and condition keys for
//! Amazon S3" in the Service Authorization Reference.

/// What an operation is about, and so what kind of event its record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The account or a bucket: a management event.
    Bucket,
    /// Objects of a bucket that it does not name one by one: a data event with the ARN that theirs begin with.
    Objects,
    /// One object: a data event.
    Object,
}

/// The permission that is asked before an operation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// This action, on what the operation is about.
    Action(&'static str),
    /// The first action, or the second where the call names a version.
    Versioned(&'static str, &'static str),
    /// Several actions, all needed; for a version the second list.
    All(&'static [&'static str], &'static [&'static str]),
    /// The operation asks by itself, once it knows its body.
    InOperation,
}

/// One operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// The name in S3's API.
    pub(super) name: &'static str,
    /// The name in records, where it differs.
    pub(super) event: &'static str,
    pub(super) scope: Scope,
    pub(super) read_only: bool,
    pub(super) permission: Permission,
}

impl Operation {
    /// Whether its body is a document that is read whole, rather than an object's content.
    pub(super) fn takes_document(&self) -> bool {
        !matches!(self.name, "PutObject" | "UploadPart" | "PostObject")
    }

    /// Whether checksums in its headers are those of its document; CompleteMultipartUpload's are the object's.
    pub(super) fn digests_its_document(&self) -> bool {
        self.takes_document() && self.name != "CompleteMultipartUpload"
    }

    /// Whether it is what S3 does with a bucket or object when the query names no part of it.
    pub(super) fn is_plain(&self) -> bool {
        matches!(
            self.name,
            "ListObjects"
                | "ListObjectsV2"
                | "ListBuckets"
                | "CreateBucket"
                | "DeleteBucket"
                | "HeadBucket"
                | "GetObject"
                | "HeadObject"
                | "PutObject"
                | "CopyObject"
                | "DeleteObject"
        )
    }

    /// Whether its permission may depend on the tags of an object that is there.
    pub(super) fn is_about_existing(&self) -> bool {
        self.scope == Scope::Object
            && matches!(
                self.name,
                "GetObject"
                    | "HeadObject"
                    | "GetObjectAttributes"
                    | "GetObjectAcl"
                    | "PutObjectAcl"
                    | "GetObjectTagging"
                    | "PutObjectTagging"
                    | "DeleteObjectTagging"
            )
    }
}

/// The operation of this name.
pub(super) fn named(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

use Permission::{Action, All, InOperation, Versioned};
use Scope::{Bucket, Object, Objects};

const fn read(name: &'static str, scope: Scope, permission: Permission) -> Operation {
    Operation { name, event: name, scope, read_only: true, permission }
}

const fn write(name: &'static str, scope: Scope, permission: Permission) -> Operation {
    Operation { name, event: name, scope, read_only: false, permission }
}

impl Operation {
    const fn recorded_as(mut self, event: &'static str) -> Self {
        self.event = event;
        self
    }
}

/// A request that is none of S3's operations.
pub(super) static UNKNOWN: Operation = read("UnknownOperation", Bucket, InOperation);

static OPERATIONS: &[Operation] = &[
    // Objects.
    read("GetObject", Object, Versioned("s3:GetObject", "s3:GetObjectVersion")),
    read("HeadObject", Object, Versioned("s3:GetObject", "s3:GetObjectVersion")),
    read(
        "GetObjectAttributes",
        Object,
        All(
            &["s3:GetObject", "s3:GetObjectAttributes"],
            &["s3:GetObjectVersion", "s3:GetObjectVersionAttributes"],
        ),
    ),
    read("GetObjectAcl", Object, Versioned("s3:GetObjectAcl", "s3:GetObjectVersionAcl")),
    read("GetObjectTagging", Object, Versioned("s3:GetObjectTagging", "s3:GetObjectVersionTagging")),
    read("GetObjectTorrent", Object, Versioned("s3:GetObjectTorrent", "s3:GetObjectVersionTorrent")),
    read("GetObjectLegalHold", Object, Action("s3:GetObjectLegalHold")),
    read("GetObjectRetention", Object, Action("s3:GetObjectRetention")),
    read("SelectObjectContent", Object, Action("s3:GetObject")),
    write("PutObject", Object, InOperation),
    write("PostObject", Object, Action("s3:PutObject")),
    write("CopyObject", Object, InOperation),
    write("DeleteObject", Object, Versioned("s3:DeleteObject", "s3:DeleteObjectVersion")),
    write("DeleteObjects", Objects, InOperation),
    write("PutObjectAcl", Object, Versioned("s3:PutObjectAcl", "s3:PutObjectVersionAcl")),
    write("PutObjectTagging", Object, InOperation),
    write(
        "DeleteObjectTagging",
        Object,
        Versioned("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
    ),
    write("PutObjectLegalHold", Object, InOperation),
    write("PutObjectRetention", Object, InOperation),
    write("RestoreObject", Object, Action("s3:RestoreObject")),
    write("WriteGetObjectResponse", Objects, Action("s3-object-lambda:WriteGetObjectResponse")),
    // Multipart uploads.
    write("CreateMultipartUpload", Object, InOperation),
    write("UploadPart", Object, Action("s3:PutObject")),
    write("UploadPartCopy", Object, InOperation),
    write("CompleteMultipartUpload", Object, Action("s3:PutObject")),
    write("AbortMultipartUpload", Object, Action("s3:AbortMultipartUpload")),
    read("ListParts", Object, Action("s3:ListMultipartUploadParts")),
    read("ListMultipartUploads", Bucket, Action("s3:ListBucketMultipartUploads")),
    // Listings.
    read("ListObjects", Objects, Action("s3:ListBucket")),
    read("ListObjectsV2", Objects, Action("s3:ListBucket")).recorded_as("ListObjects"),
    read("ListObjectVersions", Objects, Action("s3:ListBucketVersions")),
    read("HeadBucket", Objects, Action("s3:ListBucket")),
    // Buckets.
    read("ListBuckets", Bucket, Action("s3:ListAllMyBuckets")),
    read("ListDirectoryBuckets", Bucket, Action("s3express:ListAllMyDirectoryBuckets")),
    write("CreateBucket", Bucket, InOperation),
    write("DeleteBucket", Bucket, Action("s3:DeleteBucket")),
    write("CreateSession", Bucket, Action("s3express:CreateSession")),
    read("GetBucketLocation", Bucket, Action("s3:GetBucketLocation")),
    read("GetBucketVersioning", Bucket, Action("s3:GetBucketVersioning")),
    write("PutBucketVersioning", Bucket, Action("s3:PutBucketVersioning")),
    read("GetBucketPolicy", Bucket, Action("s3:GetBucketPolicy")),
    write("PutBucketPolicy", Bucket, Action("s3:PutBucketPolicy")),
    write("DeleteBucketPolicy", Bucket, Action("s3:DeleteBucketPolicy")),
    read("GetBucketPolicyStatus", Bucket, Action("s3:GetBucketPolicyStatus")),
    read("GetBucketAcl", Bucket, Action("s3:GetBucketAcl")),
    write("PutBucketAcl", Bucket, Action("s3:PutBucketAcl")),
    read("GetBucketTagging", Bucket, Action("s3:GetBucketTagging")),
    write("PutBucketTagging", Bucket, Action("s3:PutBucketTagging")),
    write("DeleteBucketTagging", Bucket, Action("s3:PutBucketTagging")),
    read("GetPublicAccessBlock", Bucket, Action("s3:GetBucketPublicAccessBlock"))
        .recorded_as("GetBucketPublicAccessBlock"),
    write("PutPublicAccessBlock", Bucket, Action("s3:PutBucketPublicAccessBlock"))
        .recorded_as("PutBucketPublicAccessBlock"),
    write("DeletePublicAccessBlock", Bucket, Action("s3:PutBucketPublicAccessBlock"))
        .recorded_as("DeleteBucketPublicAccessBlock"),
    // S3 Control.
    read("GetAccountPublicAccessBlock", Bucket, Action("s3:GetAccountPublicAccessBlock")),
    write("PutAccountPublicAccessBlock", Bucket, Action("s3:PutAccountPublicAccessBlock")),
    write("DeleteAccountPublicAccessBlock", Bucket, Action("s3:PutAccountPublicAccessBlock")),
    read("GetBucketOwnershipControls", Bucket, Action("s3:GetBucketOwnershipControls")),
    write("PutBucketOwnershipControls", Bucket, Action("s3:PutBucketOwnershipControls")),
    write("DeleteBucketOwnershipControls", Bucket, Action("s3:PutBucketOwnershipControls")),
    // Configurations that a bucket of ours never has.
    read("GetBucketAccelerateConfiguration", Bucket, Action("s3:GetAccelerateConfiguration"))
        .recorded_as("GetAccelerateConfiguration"),
    write("PutBucketAccelerateConfiguration", Bucket, Action("s3:PutAccelerateConfiguration"))
        .recorded_as("PutAccelerateConfiguration"),
    read("GetBucketCors", Bucket, Action("s3:GetBucketCORS")),
    write("PutBucketCors", Bucket, Action("s3:PutBucketCORS")),
    write("DeleteBucketCors", Bucket, Action("s3:PutBucketCORS")),
    read("GetBucketEncryption", Bucket, Action("s3:GetEncryptionConfiguration")),
    write("PutBucketEncryption", Bucket, Action("s3:PutEncryptionConfiguration")),
    write("DeleteBucketEncryption", Bucket, Action("s3:PutEncryptionConfiguration")),
    read("GetBucketLifecycleConfiguration", Bucket, Action("s3:GetLifecycleConfiguration"))
        .recorded_as("GetBucketLifecycle"),
    write("PutBucketLifecycleConfiguration", Bucket, Action("s3:PutLifecycleConfiguration"))
        .recorded_as("PutBucketLifecycle"),
    write("DeleteBucketLifecycle", Bucket, Action("s3:PutLifecycleConfiguration")),
    read("GetBucketLogging", Bucket, Action("s3:GetBucketLogging")),
    write("PutBucketLogging", Bucket, Action("s3:PutBucketLogging")),
    read("GetBucketNotificationConfiguration", Bucket, Action("s3:GetBucketNotification"))
        .recorded_as("GetBucketNotification"),
    write("PutBucketNotificationConfiguration", Bucket, Action("s3:PutBucketNotification"))
        .recorded_as("PutBucketNotification"),
    read("GetBucketReplication", Bucket, Action("s3:GetReplicationConfiguration")),
    write("PutBucketReplication", Bucket, Action("s3:PutReplicationConfiguration")),
    write("DeleteBucketReplication", Bucket, Action("s3:PutReplicationConfiguration")),
    read("GetBucketRequestPayment", Bucket, Action("s3:GetBucketRequestPayment")),
    write("PutBucketRequestPayment", Bucket, Action("s3:PutBucketRequestPayment")),
    read("GetBucketWebsite", Bucket, Action("s3:GetBucketWebsite")),
    write("PutBucketWebsite", Bucket, Action("s3:PutBucketWebsite")),
    write("DeleteBucketWebsite", Bucket, Action("s3:DeleteBucketWebsite")),
    read("GetObjectLockConfiguration", Bucket, Action("s3:GetBucketObjectLockConfiguration"))
        .recorded_as("GetBucketObjectLockConfiguration"),
    write("PutObjectLockConfiguration", Bucket, Action("s3:PutBucketObjectLockConfiguration"))
        .recorded_as("PutBucketObjectLockConfiguration"),
    read("GetBucketAnalyticsConfiguration", Bucket, Action("s3:GetAnalyticsConfiguration")),
    read("ListBucketAnalyticsConfigurations", Bucket, Action("s3:GetAnalyticsConfiguration")),
    write("PutBucketAnalyticsConfiguration", Bucket, Action("s3:PutAnalyticsConfiguration")),
    write("DeleteBucketAnalyticsConfiguration", Bucket, Action("s3:PutAnalyticsConfiguration")),
    read("GetBucketIntelligentTieringConfiguration", Bucket, Action("s3:GetIntelligentTieringConfiguration")),
    read(
        "ListBucketIntelligentTieringConfigurations",
        Bucket,
        Action("s3:GetIntelligentTieringConfiguration"),
    ),
    write(
        "PutBucketIntelligentTieringConfiguration",
        Bucket,
        Action("s3:PutIntelligentTieringConfiguration"),
    ),
    write(
        "DeleteBucketIntelligentTieringConfiguration",
        Bucket,
        Action("s3:PutIntelligentTieringConfiguration"),
    ),
    read("GetBucketInventoryConfiguration", Bucket, Action("s3:GetInventoryConfiguration")),
    read("ListBucketInventoryConfigurations", Bucket, Action("s3:GetInventoryConfiguration")),
    write("PutBucketInventoryConfiguration", Bucket, Action("s3:PutInventoryConfiguration")),
    write("DeleteBucketInventoryConfiguration", Bucket, Action("s3:PutInventoryConfiguration")),
    read("GetBucketMetricsConfiguration", Bucket, Action("s3:GetMetricsConfiguration")),
    read("ListBucketMetricsConfigurations", Bucket, Action("s3:GetMetricsConfiguration")),
    write("PutBucketMetricsConfiguration", Bucket, Action("s3:PutMetricsConfiguration")),
    write("DeleteBucketMetricsConfiguration", Bucket, Action("s3:PutMetricsConfiguration")),
    read("GetBucketMetadataTableConfiguration", Bucket, Action("s3:GetBucketMetadataTableConfiguration")),
    write(
        "CreateBucketMetadataTableConfiguration",
        Bucket,
        Action("s3:CreateBucketMetadataTableConfiguration"),
    ),
    write(
        "DeleteBucketMetadataTableConfiguration",
        Bucket,
        Action("s3:DeleteBucketMetadataTableConfiguration"),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{OPERATIONS, Permission, Scope};
    use crate::iam::auditors::{READ_ONLY, SECURITY_AUDIT, allows};

    #[test]
    fn no_operation_stands_in_the_catalog_twice() {
        let names: HashSet<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
        assert_eq!(names.len(), OPERATIONS.len());
    }

    #[test]
    fn what_only_gets_or_lists_is_read_only() {
        for operation in OPERATIONS {
            let reads = ["Get", "List", "Head", "Select"].iter().any(|verb| operation.name.starts_with(verb));
            assert_eq!(operation.read_only, reads, "{}", operation.name);
            if let Permission::Action(action) = operation.permission {
                assert!(action.contains(':'), "{action}");
            }
        }
    }

    #[test]
    fn auditors_can_read_everything_and_write_nothing() {
        for operation in OPERATIONS {
            let actions: Vec<&str> = match operation.permission {
                Permission::Action(action) => vec![action],
                Permission::Versioned(plain, version) => vec![plain, version],
                Permission::All(plain, version) => plain.iter().chain(version).copied().collect(),
                Permission::InOperation => Vec::new(),
            };
            // Of directory and table buckets there are none here.
            for action in actions.into_iter().filter(|action| action.starts_with("s3:")) {
                if operation.read_only {
                    assert!(allows(READ_ONLY, action), "ReadOnlyAccess must allow {action}");
                    let is_setting = operation.scope == Scope::Bucket && !action.starts_with("s3:ListBucket");
                    assert!(
                        !is_setting || allows(SECURITY_AUDIT, action),
                        "SecurityAudit must allow {action}"
                    );
                } else if !action.starts_with("s3:Get") {
                    assert!(!allows(READ_ONLY, action), "ReadOnlyAccess must not allow {action}");
                    assert!(!allows(SECURITY_AUDIT, action), "SecurityAudit must not allow {action}");
                }
                assert!(
                    !action.starts_with("s3:GetObject")
                        || action.ends_with("Acl")
                        || !allows(SECURITY_AUDIT, action)
                );
            }
        }
    }
}
