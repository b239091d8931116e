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
/// Bytes that a session token can be asked to have at least (STS's service model, `MinimumSessionTokenSize`).
pub const MOST_MINIMUM_TOKEN_BYTES: u32 = 4_096;
/// Characters of a federated user's name (STS's service model, `GetFederationToken`).
pub const FEDERATED_NAME_CHARS: usize = 32;
/// Characters of an external id (STS's service model).
pub const EXTERNAL_ID_CHARS: usize = 1_224;
/// Characters of a session token that we look at; ours are far shorter (see [`PACKED_SESSION_BYTES`]).
pub const SESSION_TOKEN_CHARS: usize = 16_384;

/// OpenID Connect providers in an account (IAM quota).
pub const OIDC_PROVIDERS_PER_ACCOUNT: usize = 100;
/// Client ids of an OpenID Connect provider (IAM quota).
pub const CLIENT_IDS_PER_PROVIDER: usize = 100;
/// Thumbprints of an OpenID Connect provider (IAM quota).
pub const THUMBPRINTS_PER_PROVIDER: usize = 5;
/// Characters of an OpenID Connect provider's URL (IAM's service model).
pub const PROVIDER_URL_CHARS: usize = 255;
/// Characters of a client id (IAM's service model).
pub const CLIENT_ID_CHARS: usize = 255;
/// Characters of a certificate's thumbprint (IAM's service model).
pub const THUMBPRINT_CHARS: usize = 40;
/// Characters of a web identity token (STS's service model).
pub const WEB_IDENTITY_TOKEN_CHARS: usize = 20_000;
/// Characters of a web identity token's subject (STS's service model).
pub const WEB_IDENTITY_SUBJECT_CHARS: usize = 255;
/// Keys that an issuer may have; large ones have about ten. Ours.
pub const KEYS_PER_ISSUER: usize = 100;
/// By how many seconds an issuer's clock may be ahead of ours. Ours.
pub const TOKEN_CLOCK_SKEW_SECONDS: i64 = 300;
/// Characters of an encoded authorization message that is taken (STS's service model).
pub const ENCODED_MESSAGE_CHARS: usize = 10_240;
/// Characters of an encoded authorization message that is given, so that it fits into a header. Ours.
pub const GIVEN_MESSAGE_CHARS: usize = 4_096;

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
/// Wrong MFA codes, or passwords, in a row before no more are looked at for a while. Ours.
pub const FREE_MISSES: u32 = 5;
/// The first such lock, seconds; each further wrong one doubles it. Ours.
pub const FIRST_LOCK_SECONDS: u64 = 60;
/// The longest such lock, seconds. Ours.
pub const LONGEST_LOCK_SECONDS: u64 = 86_400;

/// Characters of the shortest password that a policy can ask for, and its default (IAM's service model and API reference).
pub const MIN_PASSWORD_CHARS: u32 = 6;
/// Characters of the longest password (IAM's service model).
pub const MAX_PASSWORD_CHARS: u32 = 128;
/// Characters of the shortest password where an account has no policy (IAM User Guide, default password policy).
pub const DEFAULT_MIN_PASSWORD_CHARS: u32 = 8;
/// Kinds of characters that a password must have where an account has no policy (as above).
pub const DEFAULT_PASSWORD_KINDS: u32 = 3;
/// The longest time that a policy can let passwords live, days (IAM's service model).
pub const MAX_PASSWORD_AGE_DAYS: u32 = 1_095;
/// Passwords of a user, the present one among them, that a policy can keep from coming again (IAM's service model).
pub const REMEMBERED_PASSWORDS: u32 = 24;
/// Characters of the shortest account alias (IAM's service model).
pub const MIN_ALIAS_CHARS: usize = 3;
/// Characters of the longest account alias (IAM's service model).
pub const MAX_ALIAS_CHARS: usize = 63;
/// How long a credential report is good for, seconds (IAM User Guide, "Generate credential reports").
pub const CREDENTIAL_REPORT_SECONDS: i64 = 4 * 3_600;
/// Accounts whose last credential report is kept: at 200 bytes a user 1 MB each, at most. Ours.
pub const CREDENTIAL_REPORTS: usize = 32;
/// Instance profiles in an account (IAM quota).
pub const INSTANCE_PROFILES_PER_ACCOUNT: usize = 1_000;
/// Roles in an instance profile (IAM quota).
pub const ROLES_PER_INSTANCE_PROFILE: usize = 1;
/// Characters of an instance profile's name (IAM's service model).
pub const INSTANCE_PROFILE_NAME_CHARS: usize = 128;
/// Server certificates in an account (IAM quota); there are none here.
pub const SERVER_CERTIFICATES_PER_ACCOUNT: usize = 20;
/// Signing certificates of a user (IAM quota); there are none here.
pub const SIGNING_CERTIFICATES_PER_USER: usize = 2;
/// Memory of one password hash, KiB (OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane).
pub const ARGON2_MEMORY_KIB: u32 = 19_456;
/// Passes of one password hash (as above).
pub const ARGON2_PASSES: u32 = 2;
/// Lanes of one password hash (as above).
pub const ARGON2_LANES: u32 = 1;
/// Password hashes that are made at the same time: 38 MiB. Ours.
pub const PASSWORD_HASHES_AT_ONCE: usize = 2;
/// Calls that wait to have a password hashed; others are told to try again. Ours.
pub const PASSWORD_HASHES_WAITING: usize = 100;
/// Passwords whose wrong tries are remembered beside those that are in the documents. Ours.
pub const PENDING_PASSWORD_MISSES: usize = 10_000;

/// Unsealed secrets kept in memory, wiped when they leave. Ours: two keys each of an account's users.
pub const CACHED_SECRETS: usize = 10_000;
/// Opened session tokens kept in memory. Ours: at about 2 KB each, 10 MB at most.
pub const CACHED_SESSIONS: usize = 5_000;
/// Access keys and roles whose last use is remembered. Ours.
pub const REMEMBERED_USES: usize = 20_000;

/// Bytes of the policies that a simulation is given, all together. IAM's service model allows so many characters to each
/// (`policyDocumentType`).
pub const SIMULATED_BYTES: usize = 131_072;

/// Characters of the shortest root secret that an operator may give. Ours.
pub const MIN_ROOT_SECRET_CHARS: usize = 8;
/// Characters of the longest root secret that an operator may give. Ours.
pub const MAX_ROOT_SECRET_CHARS: usize = 128;
/// Characters of the shortest access key id (IAM's service model).
pub const MIN_ACCESS_KEY_ID_CHARS: usize = 16;
/// Characters of the longest access key id (IAM's service model).
pub const MAX_ACCESS_KEY_ID_CHARS: usize = 128;
