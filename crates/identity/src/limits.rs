//! Every limit of this crate, with where it comes from.
//!
//! IAM: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>;
//! STS: the shapes of `AssumeRole` and `GetSessionToken` in its service model.

/// Users in an account (IAM quota).
pub const USERS_PER_ACCOUNT: usize = 5_000;
/// Groups in an account (IAM quota).
pub const GROUPS_PER_ACCOUNT: usize = 300;
/// Roles in an account (IAM quota).
pub const ROLES_PER_ACCOUNT: usize = 1_000;
/// Customer managed policies in an account (IAM quota).
pub const POLICIES_PER_ACCOUNT: usize = 1_500;
/// Groups that a user may be in (IAM quota).
pub const GROUPS_PER_USER: usize = 10;
/// Managed policies attached to one user, group or role (IAM quota).
pub const ATTACHED_PER_ENTITY: usize = 10;
/// Versions that a managed policy keeps (IAM quota).
pub const VERSIONS_PER_POLICY: usize = 5;
/// Access keys of a user, or of an account's root (IAM quota).
pub const ACCESS_KEYS_PER_USER: usize = 2;
/// MFA devices of a user, or of an account's root (IAM quota).
pub const MFA_DEVICES_PER_USER: usize = 8;
/// Virtual MFA devices in an account, in use or not (IAM quota: as many as users).
pub const MFA_DEVICES_PER_ACCOUNT: usize = USERS_PER_ACCOUNT;
/// Tags on one entity, and in one session (IAM quota).
pub const TAGS_PER_ENTITY: usize = 50;
/// Characters of a tag's key (IAM quota).
pub const TAG_KEY_CHARS: usize = 128;
/// Characters of a tag's value (IAM quota).
pub const TAG_VALUE_CHARS: usize = 256;

/// Characters of the name of a user or a role (IAM quota).
pub const USER_NAME_CHARS: usize = 64;
/// Characters of the name of a group or a policy (IAM quota).
pub const POLICY_NAME_CHARS: usize = 128;
/// Characters of a path (IAM's service model).
pub const PATH_CHARS: usize = 512;
/// Characters of a description (IAM's service model).
pub const DESCRIPTION_CHARS: usize = 1_000;
/// Characters of a policy document as it is sent, white space included (IAM's service model).
pub const DOCUMENT_CHARS: usize = 131_072;
/// Characters of an ARN (IAM's service model).
pub const ARN_CHARS: usize = 2_048;

/// Characters, white space not counted, of all inline policies of a user together (IAM quota).
pub const USER_INLINE_CHARS: usize = 2_048;
/// Characters, white space not counted, of all inline policies of a group together (IAM quota).
pub const GROUP_INLINE_CHARS: usize = 5_120;
/// Characters, white space not counted, of all inline policies of a role together (IAM quota).
pub const ROLE_INLINE_CHARS: usize = 10_240;
/// Characters, white space not counted, of one version of a managed policy (IAM quota).
pub const MANAGED_POLICY_CHARS: usize = 6_144;
/// Characters, white space not counted, of a role's trust policy (IAM quota).
pub const TRUST_POLICY_CHARS: usize = 2_048;

/// Entries of a page when the caller names no number (IAM's API reference, `MaxItems`).
pub const DEFAULT_PAGE: usize = 100;
/// Entries of the largest page (IAM's service model).
pub const MAX_PAGE: usize = 1_000;
/// Characters of a page marker (IAM's service model).
pub const MARKER_CHARS: usize = 320;

/// The shortest `MaxSessionDuration` of a role and its default, seconds (IAM's service model).
pub const MIN_ROLE_SESSION_SECONDS: u32 = 3_600;
/// The longest `MaxSessionDuration` of a role, seconds (IAM's service model).
pub const MAX_ROLE_SESSION_SECONDS: u32 = 43_200;
/// The shortest session of any kind, seconds (STS's service model).
pub const MIN_SESSION_SECONDS: u32 = 900;
/// What a role's session lasts when the caller names nothing, seconds (STS's API reference).
pub const DEFAULT_ROLE_SESSION_SECONDS: u32 = 3_600;
/// The longest session of a role assumed by a role's session, seconds (STS's API reference: role chaining).
pub const MAX_CHAINED_SESSION_SECONDS: u32 = 3_600;
/// What `GetSessionToken` gives a user when nothing is named, seconds (STS's API reference).
pub const DEFAULT_SESSION_TOKEN_SECONDS: u32 = 43_200;
/// The longest session of a user from `GetSessionToken`, seconds (STS's service model).
pub const MAX_SESSION_TOKEN_SECONDS: u32 = 129_600;
/// The longest session of the root user from `GetSessionToken`, seconds (STS's API reference).
pub const MAX_ROOT_SESSION_TOKEN_SECONDS: u32 = 3_600;
/// Characters of an inline session policy (STS's API reference).
pub const SESSION_POLICY_CHARS: usize = 2_048;
/// Managed policies that narrow a session (STS's API reference).
pub const SESSION_POLICY_ARNS: usize = 10;
/// Bytes that a session's policies, policy ARNs and tags take together. Ours: it keeps a session token
/// under 12 KiB, which every HTTP server's header limit lets through. AWS packs them into an
/// undocumented size.
pub const PACKED_SESSION_BYTES: usize = 6_144;
/// Characters of an external id (STS's service model).
pub const EXTERNAL_ID_CHARS: usize = 1_224;
/// Characters of a session token that we look at; ours are far shorter (see [`PACKED_SESSION_BYTES`]).
pub const SESSION_TOKEN_CHARS: usize = 16_384;

/// Characters of a virtual MFA device's name (IAM quota); with its path, what a serial number has room for.
pub const MFA_DEVICE_NAME_CHARS: usize = 226;
/// Characters of the shortest serial number (IAM's and STS's service models).
pub const MIN_SERIAL_CHARS: usize = 9;
/// Characters of the longest serial number (IAM's and STS's service models).
pub const MAX_SERIAL_CHARS: usize = 256;
/// Digits of an MFA code (IAM's and STS's service models).
pub const MFA_CODE_DIGITS: usize = 6;
/// Steps of 30 seconds by which a code may be early or late (RFC 6238, section 5.2, recommends one).
pub const MFA_CODE_STEPS: u64 = 1;
/// Steps by which the second of two codes may be off when a device is enabled. Ours: time to type them.
pub const MFA_ENABLE_STEPS: u64 = 2;
/// Steps by which a device's clock may be off to be found again: a day, which a wrong time zone does not reach.
/// Ours.
pub const MFA_RESYNC_STEPS: u64 = 2_880;
/// Wrong codes in a row before a device is locked. Ours.
pub const FREE_WRONG_CODES: u32 = 5;
/// The first lock of a device, seconds; each further wrong code doubles it. Ours.
pub const FIRST_MFA_LOCK_SECONDS: u64 = 60;
/// The longest lock of a device, seconds. Ours.
pub const LONGEST_MFA_LOCK_SECONDS: u64 = 86_400;

/// Unsealed secrets kept in memory, wiped when they leave. Ours: two keys each of an account's users.
pub const CACHED_SECRETS: usize = 10_000;
/// Opened session tokens kept in memory. Ours: at about 2 KB each, 10 MB at most.
pub const CACHED_SESSIONS: usize = 5_000;
/// Access keys and roles whose last use is remembered. Ours.
pub const REMEMBERED_USES: usize = 20_000;

/// Characters of the shortest root secret that an operator may give. Ours.
pub const MIN_ROOT_SECRET_CHARS: usize = 8;
/// Characters of the longest root secret that an operator may give. Ours.
pub const MAX_ROOT_SECRET_CHARS: usize = 128;
/// Characters of the shortest access key id (IAM's service model).
pub const MIN_ACCESS_KEY_ID_CHARS: usize = 16;
/// Characters of the longest access key id (IAM's service model).
pub const MAX_ACCESS_KEY_ID_CHARS: usize = 128;
