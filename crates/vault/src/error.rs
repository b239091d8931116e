//! What can go wrong, each cause that a caller can act on as its own variant.

mod code;
mod damage;

use std::{io, path::PathBuf};

use chrono::{DateTime, Utc};
use opentrail_event::EventError;
use opentrail_policy::PolicyError;
use opentrail_state::StateError;

pub use self::damage::{Damage, IndexEntryError};
use crate::{ChecksumAlgorithm, bucket_name::BucketNameError, condition::Condition, limits};

/// Why the vault refused or could not do what was asked.
///
/// [`VaultError::code`] gives S3's error code for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The bucket's name breaks S3's rules.
    #[error("The specified bucket is not valid: {0}")]
    InvalidBucketName(#[from] BucketNameError),
    /// No bucket has this name (or it is not there any more).
    #[error("The specified bucket does not exist")]
    NoSuchBucket {
        /// The name asked for.
        bucket: String,
    },
    /// Another account owns a bucket of this name.
    #[error(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
    )]
    BucketAlreadyExists {
        /// The name asked for.
        bucket: String,
    },
    /// The caller's account owns a bucket of this name already.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou {
        /// The name asked for.
        bucket: String,
    },
    /// The account has as many buckets as it may have.
    #[error("You have attempted to create more buckets than allowed")]
    TooManyBuckets {
        /// How many it may have.
        limit: usize,
    },
    /// The bucket holds objects, versions or delete markers.
    #[error("{}", if *.versioned { "The bucket you tried to delete is not empty. You must delete all versions in the bucket." } else { "The bucket you tried to delete is not empty" })]
    BucketNotEmpty {
        /// The bucket's name.
        bucket: String,
        /// Whether versioning was ever turned on for it.
        versioned: bool,
    },
    /// The bucket has no policy.
    #[error("The bucket policy does not exist")]
    NoSuchBucketPolicy {
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket has no tags.
    #[error("The TagSet does not exist")]
    NoSuchTagSet {
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket has no ownership controls.
    #[error("The bucket ownership controls were not found")]
    NoOwnershipControls {
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket has no public access block.
    #[error("The public access block configuration was not found")]
    NoPublicAccessBlock {
        /// The bucket's name.
        bucket: String,
    },
    /// The policy document is not one a bucket can have.
    #[error("{0}")]
    MalformedPolicy(#[from] MalformedPolicy),
    /// A tag breaks S3's rules.
    #[error("{reason}")]
    InvalidTag {
        /// Which rule.
        reason: InvalidTagReason,
    },
    /// No object has this key (or its current version is a delete marker).
    #[error("The specified key does not exist.")]
    NoSuchKey {
        /// The key asked for.
        key: String,
        /// The delete marker that hides the object, where there is one.
        delete_marker: Option<String>,
    },
    /// No version of the key has this id.
    #[error("The specified version does not exist.")]
    NoSuchVersion {
        /// The key asked for.
        key: String,
        /// The version asked for.
        version_id: String,
    },
    /// The version named is a delete marker, which can only be deleted.
    #[error("The specified method is not allowed against this resource.")]
    VersionIsDeleteMarker {
        /// The key asked for.
        key: String,
        /// The marker's id.
        version_id: String,
        /// When the marker was made.
        last_modified: DateTime<Utc>,
    },
    /// The key is empty.
    #[error("The key is empty")]
    EmptyKey,
    /// The key is longer than [`limits::MAX_KEY_BYTES`].
    #[error("Your key is too long")]
    KeyTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// User or system metadata is larger than S3 allows.
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A name kept with an object (storage class, canned ACL) is longer than [`limits::MAX_NAME_BYTES`].
    #[error("{what} is too long")]
    NameTooLong {
        /// Which name.
        what: &'static str,
    },
    /// The object or part is larger than it may be.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A part other than the last is smaller than [`limits::MIN_PART_BYTES`].
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall {
        /// The part's number.
        part_number: u16,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The body is not as long as the caller said.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    IncompleteBody {
        /// The length declared.
        declared: u64,
        /// The length that arrived.
        received: u64,
    },
    /// The MD5 of the bytes is not the one the caller gave.
    #[error("The Content-MD5 you specified did not match what we received.")]
    BadDigest {
        /// What the caller gave, in hex.
        expected: String,
        /// What the bytes have, in hex.
        computed: String,
    },
    /// A checksum of the bytes is not the one the caller gave.
    #[error("The {} you specified did not match the calculated checksum.", .algorithm.name())]
    ChecksumMismatch {
        /// Which one.
        algorithm: ChecksumAlgorithm,
        /// What the caller gave.
        expected: String,
        /// What the bytes have.
        computed: String,
    },
    /// The caller gave a checksum of an algorithm that was not announced before the bytes.
    #[error("The {} checksum was not announced before the body", .0.name())]
    ChecksumNotAnnounced(ChecksumAlgorithm),
    /// The checksum type does not go with the algorithm.
    #[error("The {} checksum type cannot be used with the {} checksum algorithm.", .kind.name(), .algorithm.name())]
    ChecksumTypeNotAllowed {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
        /// The type.
        kind: crate::ChecksumType,
    },
    /// A condition of the request does not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed {
        /// Which one.
        condition: Condition,
    },
    /// A read's condition says that the caller has the object already.
    #[error("Not modified")]
    NotModified {
        /// The object's entity tag, without quotes.
        etag: String,
        /// When the object was made.
        last_modified: DateTime<Utc>,
    },
    /// The range asked for lies outside the object.
    #[error("The requested range is not satisfiable")]
    InvalidRange {
        /// The object's size.
        size: u64,
    },
    /// The part number asked for is not one of the object's.
    #[error("The requested partnumber is not satisfiable")]
    InvalidPartNumber {
        /// The number asked for.
        part_number: u16,
        /// How many parts the object has.
        parts: u16,
    },
    /// Part numbers go from 1 to [`limits::MAX_PARTS`].
    #[error("Part number must be an integer between 1 and {}, inclusive", limits::MAX_PARTS)]
    PartNumberOutOfRange {
        /// The number given.
        part_number: i64,
    },
    /// No multipart upload has this id (or it was completed or aborted).
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    )]
    NoSuchUpload {
        /// The id asked for.
        upload_id: String,
    },
    /// A part named on completion was not uploaded, or its entity tag or checksum is another.
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart {
        /// The part's number.
        part_number: u16,
    },
    /// The parts named on completion are not in ascending order.
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder,
    /// Completion names no part.
    #[error("You must specify at least one part")]
    NoParts,
    /// The size declared on completion is not the sum of the parts.
    #[error("The provided 'x-amz-mp-object-size' header does not match the size of the object")]
    ObjectSizeMismatch {
        /// The size declared.
        declared: u64,
        /// The size of the parts together.
        actual: u64,
    },
    /// A copy onto itself that changes nothing.
    #[error(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
    )]
    CopyToItself,
    /// The source of a copy is larger than one copy may move.
    #[error(
        "The specified copy source is larger than the maximum allowable size for a copy source: {}",
        limits::MAX_SINGLE_PUT_BYTES
    )]
    CopySourceTooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
    /// The bucket's versioning was given a state that it cannot go to.
    #[error("Versioning cannot be turned off once it was on; suspend it")]
    VersioningCannotBeRemoved,
    /// The lifecycle rules are not ones that S3 takes.
    #[error("{0}")]
    InvalidLifecycle(#[from] crate::lifecycle::InvalidLifecycle),
    /// The bucket can't take another's access logs.
    #[error("{0}")]
    LogTarget(#[from] crate::access_log::LogTargetProblem),
    /// The replication rules are not ones that S3 takes, or the destination can't take copies.
    #[error("{0}")]
    InvalidReplication(#[from] crate::replication::InvalidReplication),
    /// The bucket's versions are copied nowhere.
    #[error("The replication configuration was not found")]
    NoReplication {
        /// The bucket's name.
        bucket: String,
    },
    /// A bucket whose versions are copied keeps its versioning.
    #[error(
        "A replication configuration is present on this bucket, so the versioning state cannot be changed."
    )]
    VersioningIsReplicated {
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket has no lifecycle rules.
    #[error("The lifecycle configuration does not exist")]
    NoLifecycle {
        /// The bucket's name.
        bucket: String,
    },
    /// Lifecycle rules and MFA delete exclude each other.
    #[error("Lifecycle configuration is not supported on an MFA Delete-enabled bucket.")]
    LifecycleWithMfaDelete,
    /// The object is in an archive and was not restored.
    #[error("The operation is not valid for the object's storage class")]
    Archived {
        /// Its storage class.
        storage_class: crate::StorageClass,
    },
    /// The source of a copy is in an archive and was not restored.
    #[error(
        "The source object of the COPY operation is not in the active tier and is only stored in Amazon S3 Glacier."
    )]
    SourceArchived,
    /// What is to be restored is in no archive.
    #[error("Restore is not allowed for the object's current storage class")]
    NotArchived,
    /// The storage class has no expedited restores.
    #[error("Retrieval option is not supported by this storage class")]
    TierNotOffered,
    /// A lock holds the version.
    #[error("Access Denied because object protected by object lock.")]
    Locked {
        /// The key.
        key: String,
        /// The version.
        version_id: String,
    },
    /// The bucket has MFA delete, and the call came without a code.
    #[error("Mfa Authentication must be used for this request")]
    MfaRequired,
    /// The bucket does not have Object Lock.
    #[error("Bucket is missing Object Lock Configuration")]
    LockNotEnabled {
        /// The bucket's name.
        bucket: String,
    },
    /// The bucket has no Object Lock configuration.
    #[error("Object Lock configuration does not exist for this bucket")]
    NoLockConfiguration {
        /// The bucket's name.
        bucket: String,
    },
    /// Object Lock needs versioning.
    #[error("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")]
    LockNeedsVersioning {
        /// The bucket's name.
        bucket: String,
    },
    /// A bucket with Object Lock keeps its versioning.
    #[error(
        "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
    )]
    VersioningIsLocked {
        /// The bucket's name.
        bucket: String,
    },
    /// A default retention is 1 to [`limits::MAX_RETENTION_DAYS`] days or 1 to [`limits::MAX_RETENTION_YEARS`]
    /// years.
    #[error(
        "Default retention period must be a positive integer value of at most {} days or {} years.",
        limits::MAX_RETENTION_DAYS,
        limits::MAX_RETENTION_YEARS
    )]
    InvalidRetentionPeriod,
    /// A retention must end in the future.
    #[error("The retain until date must be in the future!")]
    RetentionNotInFuture,
    /// Bytes on disk are not the bytes that were stored. They are not served.
    #[error("the stored bytes of {blob} are damaged at offset {offset}: {damage}")]
    Corrupt {
        /// Name of the blob.
        blob: String,
        /// Where in the blob.
        offset: u64,
        /// What was found.
        damage: Damage,
    },
    /// The object's key can't be had.
    #[error(transparent)]
    Key(#[from] crate::KeyFailure),
    /// The disk is full; nothing was changed and the call may be tried again.
    #[error("the disk is full")]
    DiskFull,
    /// The index cannot be read or written at the moment; it recovers by itself.
    #[error("the index of objects is not available at the moment")]
    IndexUnavailable,
    /// The change is in the journal but is not visible yet; it will be.
    #[error("the change is durable but not applied yet")]
    NotAppliedYet,
    /// The index knows entries that the journal does not have: acknowledged entries are missing.
    #[error(
        "the index of objects is at entry {cursor} but the journal ends at {durable}: acknowledged entries are missing"
    )]
    IndexAheadOfJournal {
        /// Where the index is.
        cursor: u64,
        /// Where the journal ends.
        durable: u64,
    },
    /// The journal begins after the entry that the index needs next.
    #[error("the index of objects is at entry {cursor} but the journal begins at {first}")]
    JournalGap {
        /// Where the index is.
        cursor: u64,
        /// The oldest entry of the journal.
        first: u64,
    },
    /// The index holds something that this version cannot read.
    #[error("the index holds an entry that cannot be read: {0}")]
    IndexEntry(#[from] IndexEntryError),
    /// The index's database failed.
    #[error("the index of objects failed: {0}")]
    Index(#[from] Box<redb::Error>),
    /// Reading or writing a file failed.
    #[error("{operation} {path}: {source}", path = .path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The journal or the control state refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// The records of the change can't be written, so that it has not happened.
    #[error("the change could not be recorded: {0}")]
    Unrecorded(#[source] EventError),
    /// A task of the vault ended before its work was done (shutdown).
    #[error("the vault is closing")]
    Closing,
}

/// Why a document is not a bucket policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPolicy {
    /// It is not a policy at all.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// It is longer than [`limits::MAX_BUCKET_POLICY_BYTES`].
    #[error("Policy exceeds the maximum allowed document size.")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// A statement's resource lies outside the bucket.
    #[error("Policy has invalid resource")]
    ResourceOutsideBucket {
        /// The resource as written.
        resource: String,
    },
    /// A statement's action is not an S3 action.
    #[error("Policy has invalid action")]
    ActionOfAnotherService {
        /// The action as written.
        action: String,
    },
}

/// Which rule for tags was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTagReason {
    /// More tags than allowed.
    #[error("Object tags cannot be greater than {limit}")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A key is empty or too long.
    #[error("The TagKey you have provided is invalid")]
    Key,
    /// A value is too long.
    #[error("The TagValue you have provided is invalid")]
    Value,
    /// A key occurs twice.
    #[error("Cannot provide multiple Tags with the same key")]
    Duplicate,
    /// Keys that begin with `aws:` are AWS's own.
    #[error("System tags cannot be added/updated by requester")]
    System,
}

impl VaultError {
    /// An I/O failure with what was being done; a full disk is a cause of its own.
    pub(crate) fn io(operation: &'static str, path: &std::path::Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull || source.kind() == io::ErrorKind::QuotaExceeded {
            return Self::DiskFull;
        }
        Self::Io { operation, path: path.to_owned(), source }
    }
}
