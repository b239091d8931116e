//! Every limit of the vault, with its source.

/// Largest object that one request may carry: 5 GiB (S3 user guide, "Uploading objects"; also the limit of
/// one `CopyObject` and of one part).
pub const MAX_SINGLE_PUT_BYTES: u64 = 5 << 30;

/// Largest object that a multipart upload may complete to: 5 TiB (S3 user guide, "multipart upload limits").
pub const MAX_OBJECT_BYTES: u64 = 5 << 40;

/// Smallest part, the last one excepted: 5 MiB (S3 user guide, "multipart upload limits").
pub const MIN_PART_BYTES: u64 = 5 << 20;

/// Largest part number, and so the most parts of one upload (S3 user guide, "multipart upload limits").
pub const MAX_PARTS: u16 = 10_000;

/// Longest key in bytes of UTF-8 (S3 user guide, "Naming objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// User metadata of one object, names and values together: 2 KB (S3 user guide, "Working with object metadata").
pub const MAX_USER_METADATA_BYTES: usize = 2 * 1024;

/// The system metadata that a caller sets (content type and so on), together: 8 KB, the size S3 allows for
/// all the headers of a PUT (S3 user guide, "Working with object metadata").
pub const MAX_SYSTEM_METADATA_BYTES: usize = 8 * 1024;

/// Tags of one object (S3 user guide, "Categorizing your storage using tags").
pub const MAX_OBJECT_TAGS: usize = 10;

/// Tags of one bucket (S3 user guide, "Using cost allocation tags").
pub const MAX_BUCKET_TAGS: usize = 50;

/// Longest tag key in characters (S3 user guide, "Categorizing your storage using tags").
pub const MAX_TAG_KEY_CHARS: usize = 128;

/// Longest tag value in characters (S3 user guide, "Categorizing your storage using tags").
pub const MAX_TAG_VALUE_CHARS: usize = 256;

/// Largest bucket policy: 20 KB (S3 user guide, "Bucket policies").
pub const MAX_BUCKET_POLICY_BYTES: usize = 20 * 1024;

/// Longest default retention in days (S3 API reference, PutObjectLockConfiguration: 100 years).
pub const MAX_RETENTION_DAYS: u32 = 36_500;

/// Longest default retention in years (S3 API reference, PutObjectLockConfiguration).
pub const MAX_RETENTION_YEARS: u32 = 100;

/// How far the machine's clock may run ahead of its monotonic one, counted from the start, before locks of
/// objects stop believing it; ours: what time synchronization steps and a virtual machine's pauses need.
pub const CLOCK_LEAP: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Buckets of one account (S3 user guide, "Bucket quotas": 10,000 by default since November 2024).
pub const MAX_BUCKETS_PER_ACCOUNT: usize = 10_000;

/// Most entries in one page of a listing (S3 API, `MaxKeys`, `MaxUploads`, `MaxParts`).
pub const MAX_LIST_ENTRIES: usize = 1000;

/// Most buckets in one page (S3 API, `ListBuckets` `MaxBuckets`).
pub const MAX_LIST_BUCKETS: usize = 10_000;

/// Longest canned ACL, storage class or other name that is kept as text with an object; ours, so that a
/// record stays small.
pub const MAX_NAME_BYTES: usize = 64;

/// Bytes of an object's key: AES-256.
pub const OBJECT_KEY_BYTES: usize = 32;

/// Rules of one lifecycle configuration (S3 user guide, "Lifecycle configuration elements").
pub const MAX_LIFECYCLE_RULES: usize = 1000;

/// Longest id of a lifecycle rule in characters (S3 user guide, "Lifecycle configuration elements").
pub const MAX_RULE_ID_CHARS: usize = 255;

/// The most noncurrent versions that a rule can keep (S3 API reference, `NewerNoncurrentVersions`).
pub const MAX_KEPT_VERSIONS: i32 = 100;

/// The largest size that a rule's filter can name: 50 TB, the largest object of S3.
pub const MAX_RULE_SIZE_BYTES: i64 = 50 << 40;

/// Days before an object may move to an infrequent-access class, and that it stays there before it moves on
/// (S3 user guide, "Constraints for transitions").
pub const MIN_INFREQUENT_DAYS: i32 = 30;

/// The smallest object that moves to another class unless a rule says otherwise: 128 KB (S3 user guide,
/// "Constraints for transitions").
pub const MIN_TRANSITION_BYTES: u64 = 128 * 1024;

/// Versions or uploads that one step of a lifecycle walk looks at; ours, so that a step is short.
pub const LIFECYCLE_ROWS: usize = 1000;

/// Rules of one replication configuration (S3 API reference, PutBucketReplication).
pub const MAX_REPLICATION_RULES: usize = 1000;

/// Versions that one look at what is to be copied finds; ours, so that a look is short.
pub const REPLICATION_ROWS: usize = 256;

/// Bytes of a blob that are written, checksummed and verified as one: a range read reads whole chunks.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Largest piece that a reader hands out.
pub const READ_PIECE_BYTES: usize = 256 * 1024;

/// Largest object that is kept in the journal entry and the index instead of a file of its own, unless
/// [`crate::VaultOptions`] says less.
pub const DEFAULT_INLINE_BYTES: usize = 16 * 1024;
