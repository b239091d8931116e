//! The codes by which S3 calls what went wrong.

use super::{InvalidTagReason, VaultError};

impl VaultError {
    /// S3's error code (S3 API reference, "Error responses").
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidBucketName(_) => "InvalidBucketName",
            Self::NoSuchBucket { .. } => "NoSuchBucket",
            Self::BucketAlreadyExists { .. } => "BucketAlreadyExists",
            Self::BucketAlreadyOwnedByYou { .. } => "BucketAlreadyOwnedByYou",
            Self::TooManyBuckets { .. } => "TooManyBuckets",
            Self::BucketNotEmpty { .. } => "BucketNotEmpty",
            Self::NoSuchBucketPolicy { .. } => "NoSuchBucketPolicy",
            Self::NoSuchTagSet { .. } => "NoSuchTagSet",
            Self::NoOwnershipControls { .. } => "OwnershipControlsNotFoundError",
            Self::NoPublicAccessBlock { .. } => "NoSuchPublicAccessBlockConfiguration",
            Self::MalformedPolicy(_) => "MalformedPolicy",
            Self::InvalidTag { reason: InvalidTagReason::TooMany { .. } } => "BadRequest",
            Self::InvalidTag { .. } => "InvalidTag",
            Self::NoSuchKey { .. } => "NoSuchKey",
            Self::NoSuchVersion { .. } => "NoSuchVersion",
            Self::VersionIsDeleteMarker { .. } => "MethodNotAllowed",
            Self::KeyTooLong { .. } => "KeyTooLongError",
            Self::MetadataTooLarge { .. } => "MetadataTooLarge",
            Self::EntityTooLarge { .. } => "EntityTooLarge",
            Self::EntityTooSmall { .. } => "EntityTooSmall",
            Self::IncompleteBody { .. } => "IncompleteBody",
            Self::BadDigest { .. } | Self::ChecksumMismatch { .. } => "BadDigest",
            Self::PreconditionFailed { .. } => "PreconditionFailed",
            Self::NotModified { .. } => "NotModified",
            Self::InvalidRange { .. } => "InvalidRange",
            Self::InvalidPartNumber { .. } => "InvalidPartNumber",
            Self::NoSuchUpload { .. } => "NoSuchUpload",
            Self::InvalidPart { .. } => "InvalidPart",
            Self::InvalidPartOrder => "InvalidPartOrder",
            Self::NoParts => "MalformedXML",
            Self::CopyToItself
            | Self::CopySourceTooLarge { .. }
            | Self::ChecksumNotAnnounced(_)
            | Self::ChecksumTypeNotAllowed { .. }
            | Self::ObjectSizeMismatch { .. } => "InvalidRequest",
            Self::EmptyKey | Self::NameTooLong { .. } | Self::PartNumberOutOfRange { .. } => {
                "InvalidArgument"
            }
            Self::VersioningCannotBeRemoved => "IllegalVersioningConfigurationException",
            Self::InvalidLifecycle(invalid) => invalid.code(),
            Self::LogTarget(problem) => problem.code(),
            Self::InvalidReplication(invalid) => invalid.code(),
            Self::NoReplication { .. } => "ReplicationConfigurationNotFoundError",
            Self::NoLifecycle { .. } => "NoSuchLifecycleConfiguration",
            Self::LifecycleWithMfaDelete => "InvalidBucketState",
            Self::Archived { .. } | Self::NotArchived => "InvalidObjectState",
            Self::SourceArchived => "ObjectNotInActiveTierError",
            Self::TierNotOffered => "InvalidArgument",
            Self::Locked { .. } | Self::MfaRequired => "AccessDenied",
            Self::LockNotEnabled { .. } => "InvalidRequest",
            Self::NoLockConfiguration { .. } => "ObjectLockConfigurationNotFoundError",
            Self::LockNeedsVersioning { .. }
            | Self::VersioningIsLocked { .. }
            | Self::VersioningIsReplicated { .. } => "InvalidBucketState",
            Self::InvalidRetentionPeriod | Self::RetentionNotInFuture => "InvalidArgument",
            Self::DiskFull | Self::IndexUnavailable | Self::NotAppliedYet | Self::Closing => {
                "ServiceUnavailable"
            }
            Self::Key(failure) => failure.code(),
            Self::Corrupt { .. }
            | Self::IndexAheadOfJournal { .. }
            | Self::JournalGap { .. }
            | Self::IndexEntry(_)
            | Self::Index(_)
            | Self::Io { .. }
            | Self::State(_)
            | Self::Unrecorded(_) => "InternalError",
        }
    }
}
