//! KMS's limits. Source: <https://docs.aws.amazon.com/kms/latest/developerguide/limits.html> and the API's model.

/// Keys of one account in one region.
pub const MAX_KEYS: usize = 100_000;
/// Aliases of one key.
pub const MAX_ALIASES_PER_KEY: usize = 50;
/// Regions in which an account has the key of a service. AWS has about 40; ours are any that have a region's form.
pub const MAX_MANAGED_KEY_REGIONS: usize = 128;
/// Grants of one key.
pub const MAX_GRANTS_PER_KEY: usize = 50_000;
/// Bytes of a key policy.
pub const MAX_POLICY_BYTES: usize = 32 * 1024;
/// Tags of one key.
pub const MAX_TAGS: usize = 50;
/// Characters of a tag's key.
pub const MAX_TAG_KEY_CHARS: usize = 128;
/// Characters of a tag's value.
pub const MAX_TAG_VALUE_CHARS: usize = 256;
/// Characters of a description.
pub const MAX_DESCRIPTION_CHARS: usize = 8192;
/// Characters of an alias's name, `alias/` included.
pub const MAX_ALIAS_CHARS: usize = 256;
/// Characters of anything that names a key.
pub const MAX_KEY_REFERENCE_CHARS: usize = 2048;
/// Rotations on demand in the life of a key.
pub const MAX_ON_DEMAND_ROTATIONS: usize = 25;
/// The shortest and the longest period of automatic rotation, in days.
pub const ROTATION_PERIOD_DAYS: std::ops::RangeInclusive<u32> = 90..=2560;
/// The period of automatic rotation where none is said, in days.
pub const DEFAULT_ROTATION_PERIOD_DAYS: u32 = 365;
/// How many days a key may wait for its deletion.
pub const DELETION_WINDOW_DAYS: std::ops::RangeInclusive<u32> = 7..=30;
/// How many days a key waits for its deletion where none is said.
pub const DEFAULT_DELETION_WINDOW_DAYS: u32 = 30;
/// Bytes of what a symmetric key encrypts at once.
pub const MAX_PLAINTEXT_BYTES: usize = 4096;
/// Bytes of a ciphertext that is decrypted.
pub const MAX_CIPHERTEXT_BYTES: usize = 6144;
/// Bytes of an encryption context: names and values together (the guide, "Encryption context": 8,192 characters as
/// JSON).
pub const MAX_ENCRYPTION_CONTEXT_BYTES: usize = 8192;
/// Pairs of a grant's constraint (the API, CreateGrant).
pub const MAX_CONSTRAINT_PAIRS: usize = 8;
/// Characters of a value in a grant's constraint (the API, CreateGrant).
pub const MAX_CONSTRAINT_VALUE_CHARS: usize = 384;
