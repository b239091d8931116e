//! What can go wrong, told apart as a caller can act on it.
//!
//! The texts are those that IAM and STS answer with, so that the edge only adds the code.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::AccountId;
use opentrail_policy::PolicyError;

use crate::{
    denial::Denial,
    entity::EntityKind,
    federation::TokenRefusal,
    limits,
    login_profile::WrongPassword,
    mfa::{Proof, WrongCode},
    organization::OrganizationRefusal,
    password_policy::PasswordRule,
};

/// Any failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// What was named is not there. IAM: `NoSuchEntity`.
    #[error("{0}")]
    NoSuchEntity(Missing),
    /// The name is taken, whatever its case. IAM: `EntityAlreadyExists`.
    #[error("{0}")]
    AlreadyExists(Existing),
    /// Something still hangs on what is to be deleted. IAM: `DeleteConflict`.
    #[error("{0}")]
    DeleteConflict(Conflict),
    /// A quota would be passed. IAM: `LimitExceeded`.
    #[error("{0}")]
    LimitExceeded(Quota),
    /// The text is not a policy. IAM and STS: `MalformedPolicyDocument`.
    #[error("{0}")]
    MalformedPolicy(#[from] PolicyError),
    /// A value that the operation cannot take. IAM: `InvalidInput`.
    #[error("{0}")]
    InvalidInput(InvalidInput),
    /// A role that belongs to a service. IAM: `UnmodifiableEntity`.
    #[error("Cannot perform the operation on the protected role '{0}' - this role is only modifiable by AWS")]
    Unmodifiable(String),
    /// A policy that is for services' own roles. IAM: `PolicyNotAttachable`.
    #[error("Cannot attach a Service Role Policy to a Customer Role.")]
    NotAttachable,
    /// A value outside the form of its shape. IAM and STS: `ValidationError`.
    #[error("{0}")]
    Validation(#[from] InvalidValue),
    /// The credentials do not stand for anybody.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The caller may not. IAM and STS: `AccessDenied`.
    #[error("{0}")]
    AccessDenied(Denial),
    /// The session would be too large to seal in a token. STS: `PackedPolicyTooLarge`.
    #[error(
        "Packed size of session policies and session tags is {percent}% of the allowed size of {} bytes",
        limits::PACKED_SESSION_BYTES
    )]
    PackedPolicyTooLarge {
        /// How much of the allowed size it takes; above 100.
        percent: usize,
    },
    /// The documents could not be read or changed.
    #[error(transparent)]
    State(#[from] opentrail_state::StateError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Keyring(#[from] opentrail_keyring::KeyringError),
    /// A session could not be written into its token.
    #[error("the session token cannot be written: {0}")]
    Token(#[source] serde_json::Error),
    /// The root user may not assume a role, whatever the trust policy says. STS: `AccessDenied`.
    #[error("Roles may not be assumed by root accounts.")]
    RootMayNotAssumeRole,
    /// A session may not ask for a session of its user. STS: `AccessDenied`.
    #[error("Cannot call GetSessionToken with session credentials")]
    SessionMayNotGetSession,
    /// A session may not ask for a session of a federated user. STS: `AccessDenied`.
    #[error("Cannot call GetFederationToken with session credentials")]
    SessionMayNotFederate,
    /// Whoever has no credentials may not. STS: `AccessDenied`.
    #[error("Not authorized to perform {action}")]
    NotAuthorized {
        /// What they asked for.
        action: &'static str,
    },
    /// A web identity token opens no session. STS names the code.
    #[error(transparent)]
    WebIdentity(#[from] TokenRefusal),
    /// What is to be decoded is no authorization message, or another account's. STS:
    /// `InvalidAuthorizationMessageException`.
    #[error("The error returned if the message passed to DecodeAuthorizationMessage was invalid.")]
    AuthorizationMessage,
    /// The caller is nobody to open a session for. STS: `MissingAuthenticationToken`.
    #[error("Request is missing Authentication Token")]
    NotAnIdentity,
    /// A serial number that is of no device of the caller's. STS: `AccessDenied`.
    #[error(
        "MultiFactorAuthentication failed, unable to validate MFA code. Please verify your MFA serial number is \
         valid and associated with this user."
    )]
    MfaUnknownDevice,
    /// A serial number without a code, or the other way round. STS: `AccessDenied`.
    #[error("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")]
    MfaIncomplete,
    /// A code that is not the device's now, or was taken before. STS: `AccessDenied` for one code; IAM:
    /// `InvalidAuthenticationCode` for two in a row. The count that it carries is to be kept with the record of
    /// the failure ([`keep_wrong_code`](crate::mfa::keep_wrong_code)).
    #[error("{}", wrong_code(.0.proof()))]
    WrongMfaCode(WrongCode),
    /// Too many wrong codes came in a row. STS: `AccessDenied`; IAM: `InvalidAuthenticationCode`, or `EntityTemporarilyUnmodifiable` where it is declared.
    #[error(
        "Too many invalid MFA codes were given for this device. Try again after {}.",
        until.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    MfaLocked {
        /// What was asked for.
        proof: Proof,
        /// From when on a code is looked at again.
        until: DateTime<Utc>,
    },
    /// A password that is not the user's; none counted where there is no such user with a password. IAM: `AccessDenied`.
    /// The count that it carries is to be kept with the record of the failure
    /// ([`keep_wrong_password`](crate::login_profile::keep_wrong_password)).
    #[error("The old password was incorrect.")]
    WrongPassword(Option<WrongPassword>),
    /// Too many wrong passwords came in a row. IAM: `AccessDenied`.
    #[error(
        "Too many wrong passwords were given for this user. Try again after {}.",
        until.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    PasswordLocked {
        /// From when on a password is looked at again.
        until: DateTime<Utc>,
    },
    /// A password that the account's policy does not take. IAM: `PasswordPolicyViolation`.
    #[error("{0}")]
    PasswordPolicy(PasswordRule),
    /// No credential report was made yet. IAM: `ReportNotPresent`.
    #[error("No credential report has been generated for this account.")]
    ReportNotPresent,
    /// The last credential report is too old. IAM: `ReportExpired`.
    #[error("The credential report has expired. Generate a new one.")]
    ReportExpired,
    /// Something was changed by another call at the same time. IAM: `EntityTemporarilyUnmodifiable`.
    #[error("{0} cannot be modified while it is being changed. Please try again.")]
    TemporarilyUnmodifiable(String),
    /// Too much is under way. IAM: `ServiceUnavailable`.
    #[error("Too many passwords are being checked; try again later.")]
    Busy,
    /// A password could not be hashed.
    #[error("a password cannot be hashed")]
    PasswordHash,
    /// A device's seed could not be written as a URI.
    #[error("the URI of an MFA device cannot be written")]
    MfaUri,
    /// Organizations refused.
    #[error(transparent)]
    Organization(#[from] OrganizationRefusal),
    /// The record of a change could not be built.
    #[error(transparent)]
    Event(#[from] opentrail_event::EventError),
}

fn wrong_code(proof: Proof) -> &'static str {
    match proof {
        Proof::Code => "MultiFactorAuthentication failed with invalid MFA one time pass code.",
        Proof::Pair => "Authentication code for device is not valid.",
    }
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A user, group or role of this name.
    Entity(EntityKind, String),
    /// A managed policy of this ARN.
    Policy(String),
    /// A managed policy of this ARN, asked for to be attached.
    Attachable(String),
    /// A version of a managed policy: ARN, version.
    PolicyVersion(String, String),
    /// An inline policy of this name.
    InlinePolicy(EntityKind, String),
    /// An access key of this id.
    AccessKey(String),
    /// A user in a group: user, group.
    Membership(String, String),
    /// A permissions boundary on a user or role of this name.
    Boundary(EntityKind, String),
    /// An MFA device of this serial number.
    MfaDevice(String),
    /// An MFA device of this serial number that the user has.
    MfaOfUser,
    /// An OpenID Connect provider of this ARN.
    OidcProvider(String),
    /// The deletion of a service-linked role, by its task's id.
    DeletionTask(String),
    /// A password of a user.
    LoginProfile(String),
    /// An account's own password policy.
    PasswordPolicy(AccountId),
    /// An alias of the account.
    AccountAlias(String),
    /// An instance profile of this name.
    InstanceProfile(String),
    /// A role in an instance profile: role, profile.
    RoleOfProfile(String, String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(kind, name) => write!(f, "The {} with name {name} cannot be found.", kind.word()),
            Self::Policy(arn) => write!(f, "Policy {arn} was not found."),
            Self::Attachable(arn) => write!(f, "Policy {arn} does not exist or is not attachable."),
            Self::PolicyVersion(arn, version) => {
                write!(f, "Policy {arn} version {version} does not exist or is not attachable.")
            }
            Self::InlinePolicy(kind, name) => {
                write!(f, "The {} policy with name {name} cannot be found.", kind.word())
            }
            Self::AccessKey(id) => write!(f, "The Access Key with id {id} cannot be found."),
            Self::Membership(user, group) => write!(f, "User {user} is not in group {group}."),
            Self::Boundary(kind, name) => {
                write!(f, "The {} with name {name} has no permissions boundary.", kind.word())
            }
            Self::MfaDevice(serial) => {
                write!(f, "VirtualMFADevice with serial number {serial} does not exist.")
            }
            Self::MfaOfUser => f.write_str("MFA Device invalid for user."),
            Self::OidcProvider(arn) => write!(f, "OpenIDConnect Provider not found for arn {arn}"),
            Self::DeletionTask(id) => write!(f, "The deletion task with id {id} cannot be found."),
            Self::LoginProfile(user) => write!(f, "Login Profile for User {user} cannot be found."),
            Self::AccountAlias(alias) => {
                write!(f, "The account alias with name {alias} cannot be found.")
            }
            Self::InstanceProfile(name) => write!(f, "Instance Profile {name} cannot be found."),
            Self::RoleOfProfile(role, profile) => {
                write!(f, "Role {role} in Instance Profile {profile} cannot be found.")
            }
            Self::PasswordPolicy(account) => {
                write!(f, "The Password Policy with domain name {account} cannot be found.")
            }
        }
    }
}

/// What is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    /// A user, group or role of this name.
    Entity(EntityKind, String),
    /// A managed policy of this name.
    Policy(String),
    /// An access key of this id that is not the root's to replace.
    AccessKey(String),
    /// An MFA device of this path and name.
    MfaDevice,
    /// An MFA device, by its serial number, that somebody has already.
    MfaAssignment(String),
    /// An OpenID Connect provider of this URL.
    OidcProvider(String),
    /// A password of a user.
    LoginProfile(String),
    /// An account's alias.
    AccountAlias(String),
    /// An instance profile of this name.
    InstanceProfile(String),
}

impl fmt::Display for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity(kind, name) => write!(f, "{} with name {name} already exists.", kind.title()),
            Self::Policy(name) => {
                write!(f, "A policy called {name} already exists. Duplicate names are not allowed.")
            }
            Self::AccessKey(id) => write!(f, "The access key {id} belongs to another identity."),
            Self::MfaDevice => f.write_str("MFADevice entity at the same path and name already exists."),
            Self::LoginProfile(user) => write!(f, "Login Profile for user {user} already exists."),
            Self::AccountAlias(alias) => write!(f, "The account alias {alias} already exists."),
            Self::InstanceProfile(name) => write!(f, "Instance Profile {name} already exists."),
            Self::OidcProvider(url) => write!(f, "Provider with url {url} already exists."),
            Self::MfaAssignment(serial) => write!(f, "MFA device {serial} is already in use."),
        }
    }
}

/// What hangs on the thing to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Managed policies are attached to it.
    AttachedPolicies,
    /// It has inline policies.
    InlinePolicies,
    /// It has a password.
    LoginProfile,
    /// It is a role in an instance profile.
    InstanceProfiles,
    /// It is an instance profile with a role.
    ProfileRoles,
    /// It has access keys.
    AccessKeys,
    /// It has MFA devices.
    MfaDevices,
    /// It is an MFA device that somebody has.
    MfaDeviceInUse,
    /// It is in groups.
    Memberships,
    /// It is a group with users in it.
    Members,
    /// It is a policy attached somewhere, or somebody's boundary.
    PolicyInUse,
    /// It is a policy with versions beside the default one.
    PolicyVersions,
    /// It is a policy's default version.
    DefaultVersion,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
            Self::InlinePolicies => "Cannot delete entity, must delete policies first.",
            Self::InstanceProfiles | Self::ProfileRoles => {
                "Cannot delete entity, must remove roles from instance profile first."
            }
            Self::LoginProfile => "Cannot delete entity, must delete login profile first.",
            Self::AccessKeys => "Cannot delete entity, must delete access keys first.",
            Self::MfaDevices => "Cannot delete entity, must deactivate MFA devices first.",
            Self::MfaDeviceInUse => "MFA VirtualDevice in use. Must deactivate first.",
            Self::Memberships => "Cannot delete entity, must remove user from group first.",
            Self::Members => "Cannot delete entity, must remove users from group first.",
            Self::PolicyInUse => "Cannot delete a policy attached to entities.",
            Self::PolicyVersions => {
                "This policy has more than one version. Before you delete a policy, you must delete the \
                 policy's versions. The default version is deleted with the policy."
            }
            Self::DefaultVersion => "Cannot delete the default version of a policy.",
        })
    }
}

/// Which quota would be passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quota {
    /// A number of things: the quota's name, its value.
    Count(&'static str, usize),
    /// The inline policies of one entity: its kind, name, characters allowed.
    InlineChars(EntityKind, String, usize),
    /// Versions of a managed policy.
    PolicyVersions,
    /// Tags on one entity.
    Tags,
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(name, value) => write!(f, "Cannot exceed quota for {name}: {value}"),
            Self::InlineChars(kind, name, chars) => {
                write!(f, "Maximum policy size of {chars} bytes exceeded for {} {name}", kind.word())
            }
            Self::PolicyVersions => write!(
                f,
                "A managed policy can have up to {} versions. Before you create a new version, you must \
                 delete an existing version.",
                limits::VERSIONS_PER_POLICY
            ),
            Self::Tags => write!(f, "Cannot exceed quota for TagsPerResource: {}", limits::TAGS_PER_ENTITY),
        }
    }
}

/// A value of the right form that the operation cannot take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidInput {
    /// Not the ARN of a managed policy.
    PolicyArn(String),
    /// The same tag key twice, whatever its case.
    DuplicateTagKeys,
    /// A tag key that AWS keeps for itself.
    ReservedTagKey(String),
    /// A policy of AWS's own, which nobody changes.
    AwsManagedPolicy(String),
    /// Not the ARN of an OpenID Connect provider of this account.
    ProviderArn(String),
    /// More thumbprints than a provider may have.
    TooManyThumbprints,
    /// A path that only roles of services have.
    ServiceRolePath,
    /// A service that has no role of its own here.
    NoLinkedRole(String),
    /// A suffix for the role of a service that takes none.
    CustomSuffix(&'static str),
    /// The service's role is there already.
    LinkedRoleTaken(&'static str),
    /// Not the id of a deletion of a service-linked role.
    DeletionTask(String),
    /// What the policy simulator cannot simulate, in its words.
    Simulation(String),
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyArn(arn) => write!(f, "ARN {arn} is not valid."),
            Self::Simulation(reason) => f.write_str(reason),
            Self::DuplicateTagKeys => {
                f.write_str("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
            }
            Self::ReservedTagKey(key) => {
                write!(f, "The tag key {key} begins with aws:, which is reserved for system use.")
            }
            Self::ProviderArn(arn) => {
                write!(f, "Invalid ARN: {arn} is no OpenID Connect provider of this account.")
            }
            Self::TooManyThumbprints => f.write_str("Thumbprint list must contain fewer than 5 entries."),
            Self::AwsManagedPolicy(arn) => {
                write!(f, "Policy {arn} is an AWS managed policy and can not be changed.")
            }
            Self::ServiceRolePath => f.write_str(
                "Roles under the path /aws-service-role/ are created with CreateServiceLinkedRole only.",
            ),
            Self::NoLinkedRole(service) => {
                write!(f, "The service {service} has no service-linked role.")
            }
            Self::CustomSuffix(service) => write!(f, "Custom suffix is not allowed for {service}"),
            Self::LinkedRoleTaken(role) => write!(
                f,
                "Service role name {role} has been taken in this account, please try a different suffix."
            ),
            Self::DeletionTask(id) => write!(f, "{id} is not the id of a deletion task."),
        }
    }
}

/// A value outside the form that its shape allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidValue {
    member: &'static str,
    value: String,
    constraint: Constraint,
}

/// Characters of a refused value that its error repeats.
const SHOWN_CHARS: usize = 256;

impl InvalidValue {
    pub(crate) fn new(member: &'static str, value: &str, constraint: Constraint) -> Self {
        Self { member, value: value.chars().take(SHOWN_CHARS).collect(), constraint }
    }

    /// The member of the request, as IAM names it in its messages (`userName`).
    pub fn member(&self) -> &'static str {
        self.member
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, value, constraint } = self;
        match constraint {
            Constraint::NameCharacters => write!(
                f,
                "The specified value for {member} is invalid. It must contain only alphanumeric characters \
                 and/or the following: +=,.@_-"
            ),
            Constraint::Path => write!(
                f,
                "The specified value for {member} is invalid. It must begin and end with / and contain only \
                 alphanumeric characters and/or / characters."
            ),
            Constraint::PathPrefix => {
                write!(f, "The specified value for {member} is invalid. It must begin with /.")
            }
            Constraint::Marker => write!(f, "The specified value for {member} is invalid. It was not given by this list."),
            Constraint::RoleMaximum => {
                f.write_str("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
            }
            Constraint::ChainedMaximum => f.write_str(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ),
            Constraint::RoleArn => write!(f, "{value} is invalid"),
            Constraint::Told => f.write_str(value),
            Constraint::ProviderUrl => f.write_str("Invalid Open ID Connect Provider URL"),
            Constraint::TransitiveTagKey => {
                f.write_str("The specified transitive tag key must be included in the requested tags.")
            }
            Constraint::InheritedTag => f.write_str(
                "One of the specified tag keys can't be set because it conflicts with a transitive tag key from \
                 the calling session.",
            ),
            _ => write!(
                f,
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
            ),
        }
    }
}

/// What a value must satisfy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    MinLength(usize),
    MaxLength(usize),
    AtLeast(i64),
    AtMost(i64),
    Pattern(&'static str),
    NameCharacters,
    Path,
    PathPrefix,
    Marker,
    RoleArn,
    /// The value is the whole message.
    Told,
    ProviderUrl,
    RoleMaximum,
    ChainedMaximum,
    TransitiveTagKey,
    InheritedTag,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinLength(n) => write!(f, "have length greater than or equal to {n}"),
            Self::MaxLength(n) => write!(f, "have length less than or equal to {n}"),
            Self::AtLeast(n) => write!(f, "have value greater than or equal to {n}"),
            Self::AtMost(n) => write!(f, "have value less than or equal to {n}"),
            Self::Pattern(pattern) => write!(f, "satisfy regular expression pattern: {pattern}"),
            Self::NameCharacters => f.write_str("be a name"),
            Self::Path | Self::PathPrefix => f.write_str("be a path"),
            Self::Marker => f.write_str("be a marker"),
            Self::RoleArn => f.write_str("be the ARN of a role"),
            Self::Told => f.write_str("be of use"),
            Self::ProviderUrl => f.write_str("be the URL of an issuer"),
            Self::RoleMaximum | Self::ChainedMaximum => f.write_str("fit the longest session"),
            Self::TransitiveTagKey | Self::InheritedTag => f.write_str("be a key of the session's own tags"),
        }
    }
}

/// Why credentials stand for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nobody has this access key. AWS: `InvalidClientTokenId`; S3: `InvalidAccessKeyId`.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The key was set inactive. AWS answers as for an unknown one.
    #[error("The security token included in the request is invalid.")]
    InactiveAccessKey,
    /// The account is closed. AWS answers as for an unknown key.
    #[error("The security token included in the request is invalid.")]
    ClosedAccount,
    /// A temporary key without its session token. AWS: `InvalidClientTokenId`.
    #[error("The security token included in the request is invalid.")]
    SessionTokenMissing,
    /// A session token beside a long-term key. AWS: `InvalidClientTokenId`; S3: `InvalidToken`.
    #[error("The security token included in the request is invalid.")]
    SessionTokenOnLongTermKey,
    /// The token was not issued here, was changed, or its role or user is gone. AWS: `InvalidClientTokenId`;
    /// S3: `InvalidToken`.
    #[error("The security token included in the request is invalid.")]
    InvalidSessionToken,
    /// The token belongs to another access key.
    #[error("The security token included in the request is invalid.")]
    SessionTokenOfAnotherKey,
    /// The session is over. AWS: `ExpiredToken`.
    #[error("The security token included in the request is expired")]
    ExpiredSession,
}
