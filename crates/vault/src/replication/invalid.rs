//! Why S3 does not take a replication configuration, or can't copy into a bucket.

use crate::{error::InvalidTagReason, limits};

/// The rule of S3 that is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReplication {
    /// It is not of the form that the schema asks for.
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    Malformed,
    /// More rules than [`limits::MAX_REPLICATION_RULES`].
    #[error(
        "The number of replication rules must not exceed the allowed limit of {} rules",
        limits::MAX_REPLICATION_RULES
    )]
    TooManyRules,
    /// Two rules have one id.
    #[error("Rule ID must be unique. Found same ID for more than one rule")]
    SameId,
    /// An id is longer than [`limits::MAX_RULE_ID_CHARS`].
    #[error("ID length should not exceed allowed limit of {}", limits::MAX_RULE_ID_CHARS)]
    LongId,
    /// A prefix is longer than a key can be.
    #[error("The maximum size of a prefix is {}", limits::MAX_KEY_BYTES)]
    LongPrefix,
    /// A tag of a filter breaks a rule for tags.
    #[error("{0}")]
    Tag(InvalidTagReason),
    /// Rules with `Prefix` beside rules with `Filter`.
    #[error(
        "Prefix and Filter cannot be used in one replication configuration. Please refer to S3 Developer Guide for more information."
    )]
    MixedForms,
    /// A member that rules with `Filter` must have.
    #[error(
        "{member} must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information."
    )]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// A member that rules with `Prefix` can't have.
    #[error(
        "{member} cannot be used for this version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information."
    )]
    NotInThisForm {
        /// The member.
        member: &'static str,
    },
    /// Rules with `Prefix` name more than one destination.
    #[error("The destination bucket must be same for all rules")]
    SeveralDestinations,
    /// One rule's prefix begins with another's, among rules with `Prefix`.
    #[error("Found overlapping prefixes '{first}' and '{second}'")]
    OverlappingPrefixes {
        /// The shorter.
        first: String,
        /// The longer.
        second: String,
    },
    /// Two rules have one priority.
    #[error("Found duplicate priority {0}. Priority of each rule must be unique.")]
    SamePriority(i32),
    /// A priority is negative.
    #[error("Priority must be a non-negative integer")]
    NegativePriority,
    /// Delete markers have no tags, so that a rule about tags can't be about them.
    #[error(
        "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information."
    )]
    MarkersWithTags,
    /// `SseKmsEncryptedObjects` without `ReplicaKmsKeyID`.
    #[error("ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present.")]
    MissingKey,
    /// `ReplicaKmsKeyID` without `SseKmsEncryptedObjects`.
    #[error("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.")]
    KeyWithoutObjects,
    /// `AccessControlTranslation` without `Account`.
    #[error("Account must be specified if AccessControlTranslation is present.")]
    MissingAccount,
    /// `Account` is not the destination's owner.
    #[error("Account of the destination is not the owner of the destination bucket.")]
    OtherAccount,
    /// The role is not one's ARN.
    #[error("Invalid role ARN.")]
    Role,
    /// The destination is not a bucket's ARN.
    #[error("Invalid bucket ARN.")]
    DestinationArn,
    /// The source does not keep versions.
    #[error("Versioning must be 'Enabled' on the bucket to apply a replication configuration")]
    SourceVersioning,
    /// The destination is the source.
    #[error("Destination bucket cannot be the same as the source bucket.")]
    SameBucket,
    /// There is no such destination.
    #[error("Destination bucket must exist.")]
    NoDestination,
    /// The destination does not keep versions.
    #[error("Destination bucket must have versioning enabled.")]
    DestinationVersioning,
    /// The source has Object Lock and the destination has not.
    #[error("Object Lock must be enabled on the destination bucket if it is enabled on the source bucket.")]
    DestinationLock,
}

impl InvalidReplication {
    /// S3's error code for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "MalformedXML",
            Self::Tag(_) => "InvalidTag",
            Self::SameId
            | Self::LongId
            | Self::Role
            | Self::DestinationArn
            | Self::NegativePriority
            | Self::MissingAccount
            | Self::OtherAccount => "InvalidArgument",
            _ => "InvalidRequest",
        }
    }
}
