//! The object store that keeps the record: buckets, objects, versions, policies.
//!
//! Buckets are documents of the control state. Objects are facts in the journal, and an index that is a view
//! of them; their bytes are files, or travel with the fact where they are few. Storing an object goes: the
//! bytes are written and synced; the fact and the records of the call become one journal entry; the index
//! follows; the caller hears. So an object and the record of its storing exist both or neither, and an upload
//! that was interrupted is never visible.
//!
//! Who may do what is decided above; nothing here speaks HTTP.

pub mod access_log;
mod amend;
mod apply;
mod blob;
mod bucket;
mod bucket_name;
mod bucket_policy;
mod checksum;
mod cipher;
mod complete;
mod condition;
mod copy;
mod delete;
mod encryption;
mod error;
mod fact;
mod follow;
mod fsck;
mod get;
mod id;
mod index;
pub mod lifecycle;
pub mod limits;
mod list;
mod locks;
mod lookup;
mod multipart;
mod object;
mod object_lock;
mod packed;
mod public_access;
mod put;
mod range;
mod records;
mod repack;
pub mod replication;
mod storage_class;
mod sweep;
mod tables;
mod tags;
mod upload;
mod vault;

pub use bucket::{
    Bucket, BucketPage, BucketQuery, BucketRemoval, NewBucket, Ownership, PublicAccessBlock, Versioning,
    VersioningChange,
};
pub use bucket_name::{BucketNameError, check_bucket_name};
pub use bucket_policy::check_policy;
pub use checksum::{ChecksumAlgorithm, ChecksumType, Checksums, Expected};
pub use complete::{CompletedPart, Completion};
pub use condition::{Condition, EtagMatch, ReadConditions, WriteConditions};
pub use copy::{CopyOutcome, CopyRequest, CopySource};
pub use delete::{DeleteOutcome, DeleteRequest};
pub use encryption::{
    BucketEncryption, DefaultEncryption, Encryption, KeyFailure, KmsEncryption, ObjectKey, ObjectKeys,
    ObjectPlace, SealedKey,
};
pub use error::{Damage, IndexEntryError, InvalidTagReason, MalformedPolicy, VaultError};
pub use fsck::{Finding, FsckReport};
pub use get::ObjectReader;
pub use id::{NotAnId, UploadId};
pub use list::{ListPage, ListQuery, Marker, UploadPage, VersionEntry, VersionPage};
pub use multipart::{PartPage, PartSummary, PartUpload, StagedPart, UploadOptions, UploadSummary};
pub use object::{DeleteMarker, NULL_VERSION, NewObject, ObjectHeaders, ObjectMeta, ObjectSummary, Version};
pub use object_lock::{
    DefaultRetention, LockConfiguration, LockMode, LockPeriod, ObjectLock, Retention, RetentionChange,
};
pub use public_access::is_public;
pub use put::{PutOptions, PutOutcome, StagedObject, Upload};
pub use range::ByteRange;
pub use records::Records;
pub use storage_class::StorageClass;
pub use sweep::Swept;
pub use tags::{Tags, tags_of};
pub use vault::{Vault, VaultOptions};
