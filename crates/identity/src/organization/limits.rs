//! Every limit of organizations, with where it comes from.
//!
//! Source, unless said otherwise: the AWS Organizations User Guide, "Quotas and service limits"
//! (<https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html>).

/// Accounts in an organization, invitations that are open included. AWS begins with 10 and goes up to 50,000 on
/// request; nobody can be asked here.
pub const ACCOUNTS: usize = 50_000;
/// Organizational units in an organization.
pub const UNITS: usize = 2_000;
/// Levels of organizational units under the root.
pub const UNIT_DEPTH: usize = 5;
/// Service control policies in an organization.
pub const POLICIES: usize = 10_000;
/// Bytes of a service control policy.
pub const POLICY_BYTES: usize = 5_120;
/// Service control policies attached to a root, a unit or an account.
pub const POLICIES_PER_TARGET: usize = 5;
/// Tags on an account, a unit, the root or a policy.
pub const TAGS: usize = 50;
/// Days after which an invitation expires.
pub const INVITATION_DAYS: i64 = 15;
/// Days after which a request of all features expires.
pub const ALL_FEATURES_DAYS: i64 = 90;
/// Days for which a handshake that came to its end is shown.
pub const HANDSHAKE_SHOWN_DAYS: i64 = 30;
/// Days for which an account that was closed is part of its organization.
pub const CLOSED_ACCOUNT_DAYS: i64 = 90;
/// Days of the period in which the number of accounts that may be closed is counted.
pub const CLOSING_PERIOD_DAYS: i64 = 30;
/// Accounts that may be closed in such a period whatever the organization's size.
pub const CLOSED_PER_PERIOD: usize = 250;
/// The part of its accounts that an organization may close in such a period, in percent, where that is more.
pub const CLOSED_PER_PERIOD_PERCENT: usize = 20;
/// Accounts that may be closed in such a period at most.
pub const MOST_CLOSED_PER_PERIOD: usize = 1_000;
/// Invitations sent within a day.
pub const INVITATIONS_PER_DAY: usize = 20;
/// Delegated administrators of CloudTrail (CloudTrail User Guide, "Organization delegated administrator").
pub const CLOUDTRAIL_ADMINISTRATORS: usize = 3;

/// Characters of the name of a unit or a policy (service model).
pub const NAME_CHARS: usize = 128;
/// Characters of the name that an account is created with (service model).
pub const ACCOUNT_NAME_CHARS: usize = 50;
/// Characters of the shortest email address (service model).
pub const MIN_EMAIL_CHARS: usize = 6;
/// Characters of the longest email address (service model).
pub const MAX_EMAIL_CHARS: usize = 64;
/// Characters of a role's name (service model).
pub const ROLE_NAME_CHARS: usize = 64;
/// Characters of a policy's description (service model).
pub const DESCRIPTION_CHARS: usize = 512;
/// Characters of the notes of an invitation (service model).
pub const NOTES_CHARS: usize = 1_024;
/// Characters of a service principal (service model).
pub const SERVICE_PRINCIPAL_CHARS: usize = 128;
/// Characters of the organization's resource policy (service model).
pub const RESOURCE_POLICY_CHARS: usize = 40_000;
