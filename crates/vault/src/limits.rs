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

/// Buckets of one account (S3 user guide, "Bucket quotas": 10,000 by default since November 2024).
pub const MAX_BUCKETS_PER_ACCOUNT: usize = 10_000;

/// Most entries in one page of a listing (S3 API, `MaxKeys`, `MaxUploads`, `MaxParts`).
pub const MAX_LIST_ENTRIES: usize = 1000;

/// Most buckets in one page (S3 API, `ListBuckets` `MaxBuckets`).
pub const MAX_LIST_BUCKETS: usize = 10_000;

/// Longest canned ACL, storage class or other name that is kept as text with an object; ours, so that a
/// record stays small.
pub const MAX_NAME_BYTES: usize = 64;

/// Bytes of a blob that are written, checksummed and verified as one: a range read reads whole chunks.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Largest piece that a reader hands out.
pub const READ_PIECE_BYTES: usize = 256 * 1024;

/// Largest object that is kept in the journal entry and the index instead of a file of its own, unless
/// [`crate::VaultOptions`] says less.
pub const DEFAULT_INLINE_BYTES: usize = 16 * 1024;
