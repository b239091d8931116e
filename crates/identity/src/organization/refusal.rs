//! Why Organizations refuses, told apart as a caller can act on it.

use opentrail_policy::PolicyError;

/// A refusal of Organizations. Prints as its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationRefusal {
    /// The caller's account is in no organization.
    #[error("Your account is not a member of an organization.")]
    NotInUse,
    /// The account has an organization already.
    #[error("The AWS account is already a member of an organization.")]
    AlreadyInOrganization,
    /// Not for the caller's account.
    #[error("You don't have permissions to access this resource.")]
    AccessDenied,
    /// Something that is named is not there.
    #[error("{0}")]
    NotFound(Absent),
    /// Something is there, or is so, already.
    #[error("{0}")]
    Already(Already),
    /// Something is still in use or not empty.
    #[error("{0}")]
    Held(Held),
    /// The management account cannot leave, or be taken from, its organization.
    #[error("You can't remove a management account from an organization. Delete the organization instead.")]
    MasterCannotLeave,
    /// The handshake's state does not allow it.
    #[error("You can't perform the operation on the handshake in its current state.")]
    InvalidHandshakeTransition,
    /// The text is not a policy.
    #[error("The provided policy document does not meet the requirements of the specified policy type: {0}")]
    MalformedPolicy(#[from] PolicyError),
    /// The policy type is not one that is enabled.
    #[error("This operation can be performed only for enabled policy types.")]
    PolicyTypeNotEnabled,
    /// The organization does not have the features for it.
    #[error(
        "You can't use the specified policy type with the feature set currently enabled for this organization."
    )]
    PolicyTypeNotAvailable,
    /// The policy is not attached there.
    #[error("The policy isn't attached to the specified target in the specified root.")]
    PolicyNotAttached,
    /// The account administers nothing, or not this.
    #[error("The specified account is not a delegated administrator for this AWS service.")]
    AccountNotRegistered,
    /// A minimum or maximum would be passed.
    #[error("{0}")]
    Constraint(Constraint),
    /// A handshake cannot be had.
    #[error("{0}")]
    HandshakeConstraint(HandshakeConstraint),
    /// A value that the operation cannot take: why, and what it is about.
    #[error("{1}")]
    InvalidInput(InvalidReason, String),
    /// A type of policies that AWS has and we do not.
    #[error("{0}")]
    PolicyTypeUnsupported(String),
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// An account of the organization.
    #[error("You specified an account that doesn't exist.")]
    Account,
    /// An organizational unit.
    #[error("You specified an organizational unit that doesn't exist.")]
    Unit,
    /// A root or unit to be in.
    #[error("You specified a parent that doesn't exist.")]
    Parent,
    /// The root or unit that an account is said to be in.
    #[error("You specified a source parent that doesn't exist, or that the account isn't in.")]
    SourceParent,
    /// The root or unit that an account is to go to.
    #[error("You specified a destination parent that doesn't exist.")]
    DestinationParent,
    /// An account or unit.
    #[error("You specified a child that doesn't exist.")]
    Child,
    /// A root.
    #[error("You specified a root that doesn't exist.")]
    Root,
    /// A root, unit, account or policy.
    #[error("You specified a target that doesn't exist.")]
    Target,
    /// A policy.
    #[error("You specified a policy that doesn't exist.")]
    Policy,
    /// A handshake that the caller is part of.
    #[error("You specified a handshake that doesn't exist.")]
    Handshake,
    /// A request to create an account.
    #[error("You specified an account creation request that doesn't exist.")]
    Creation,
    /// The organization's resource policy.
    #[error("There is no resource policy in this organization.")]
    ResourcePolicy,
}

/// What is so already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Already {
    /// A unit of this name in the parent.
    #[error("An OU with the same name already exists.")]
    Unit,
    /// A policy of this name.
    #[error("A policy with the same name already exists.")]
    Policy,
    /// The policy is attached there.
    #[error("The selected policy is already attached to the specified target.")]
    Attached,
    /// The account is in the destination.
    #[error("The account is already in the specified destination parent.")]
    Moved,
    /// The policy type is enabled.
    #[error("The specified policy type is already enabled.")]
    PolicyTypeEnabled,
    /// The account is closed.
    #[error("You attempted to close an account that is already closed.")]
    Closed,
    /// The account administers the service.
    #[error("The specified account is already a delegated administrator for this AWS service.")]
    Registered,
    /// The account has an open invitation.
    #[error("A handshake with the same action and target already exists.")]
    Invited,
    /// The handshake is in this state.
    #[error("The specified handshake is already in the requested state.")]
    HandshakeState,
}

/// What keeps something from being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// Accounts or units are in the unit.
    #[error("The organizational unit is not empty. Move all accounts and delete all child OUs first.")]
    Unit,
    /// Accounts other than the management account are in the organization.
    #[error("The organization isn't empty. To delete it, you must first remove all accounts.")]
    Organization,
    /// The policy is attached somewhere.
    #[error(
        "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts \
         before performing this operation."
    )]
    Policy,
}

/// Which limit would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Constraint {
    /// Accounts in the organization.
    #[error("You have exceeded the allowed number of AWS accounts.")]
    Accounts,
    /// Units in the organization.
    #[error("You have exceeded the number of organizational units allowed in the organization.")]
    Units,
    /// Levels of units.
    #[error("You have exceeded the maximum organizational unit depth.")]
    UnitDepth,
    /// Policies in the organization.
    #[error("You have exceeded the number of policies allowed in the organization.")]
    Policies,
    /// Bytes of a policy.
    #[error("You have exceeded the maximum policy size.")]
    PolicySize,
    /// Policies attached to one target.
    #[error("You have attached the maximum number of policies to the specified target.")]
    MostAttached,
    /// The last policy of a target.
    #[error(
        "You cannot remove the last policy attached to the specified target. You must have at least one attached at \
         all times."
    )]
    LeastAttached,
    /// Tags on one thing.
    #[error("You have exceeded the number of tags allowed on this resource.")]
    Tags,
    /// The features that the operation needs.
    #[error("This operation requires that all features are enabled in the organization.")]
    NotAllFeatures,
    /// The management account is not closed so.
    #[error("You can't close the management account.")]
    ClosingManagement,
    /// Accounts closed in a period.
    #[error("You have exceeded the close account quota for the past 30 days.")]
    ClosingQuota,
    /// The management account administers without being registered.
    #[error("You cannot register the management account as a delegated administrator for your organization.")]
    RegisteringManagement,
    /// A suspended account administers nothing.
    #[error("You cannot register a suspended account as a delegated administrator.")]
    RegisteringSuspended,
    /// The account still administers something.
    #[error("This member account must be deregistered as a delegated administrator first.")]
    StillRegistered,
    /// Administrators of one service.
    #[error("You have reached the maximum number of delegated administrators for the service.")]
    Administrators,
    /// The service has no access to the organization.
    #[error("You must enable service access before you register a delegated administrator for the service.")]
    NoServiceAccess,
    /// A suspended account stays.
    #[error("You can't remove a closed account from the organization; it leaves by itself.")]
    Suspended,
}

impl Constraint {
    /// AWS's `Reason`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Accounts => "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
            Self::Units => "OU_NUMBER_LIMIT_EXCEEDED",
            Self::UnitDepth => "OU_DEPTH_LIMIT_EXCEEDED",
            Self::Policies => "POLICY_NUMBER_LIMIT_EXCEEDED",
            Self::PolicySize => "POLICY_CONTENT_LIMIT_EXCEEDED",
            Self::MostAttached => "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            Self::LeastAttached => "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
            Self::Tags => "MAX_TAG_LIMIT_EXCEEDED",
            Self::NotAllFeatures => "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE",
            Self::ClosingManagement => "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
            Self::ClosingQuota => "CLOSE_ACCOUNT_QUOTA_EXCEEDED",
            Self::RegisteringManagement => "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
            Self::RegisteringSuspended => "CANNOT_REGISTER_SUSPENDED_ACCOUNT_AS_DELEGATED_ADMINISTRATOR",
            Self::StillRegistered => "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG",
            Self::Administrators => "MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED",
            Self::NoServiceAccess => "SERVICE_ACCESS_NOT_ENABLED",
            Self::Suspended => "ACCOUNT_CANNOT_LEAVE_ORGANIZATION",
        }
    }
}

/// Why a handshake cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeConstraint {
    /// Accounts in the organization, open invitations included.
    #[error("You have exceeded the allowed number of AWS accounts.")]
    Accounts,
    /// Invitations sent in a day.
    #[error("You have exceeded the number of handshakes that you can send in one day.")]
    Rate,
    /// The account has an organization.
    #[error("The invited account is already a member of an organization.")]
    AlreadyMember,
    /// Nothing is left to enable.
    #[error("The organization has already enabled all features.")]
    HasAllFeatures,
    /// All features were asked for.
    #[error("The organization has already started the process to enable all features.")]
    PendingAllFeatures,
    /// All features were asked for, and nobody is invited meanwhile.
    #[error("You can't invite accounts while the organization is in the process of enabling all features.")]
    InvitingDisabled,
}

impl HandshakeConstraint {
    /// AWS's `Reason`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Accounts => "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
            Self::Rate => "HANDSHAKE_RATE_LIMIT_EXCEEDED",
            Self::AlreadyMember => "ALREADY_IN_AN_ORGANIZATION",
            Self::HasAllFeatures => "ORGANIZATION_ALREADY_HAS_ALL_FEATURES",
            Self::PendingAllFeatures => "ORGANIZATION_IS_ALREADY_PENDING_ALL_FEATURES_MIGRATION",
            Self::InvitingDisabled => "INVITE_DISABLED_DURING_ENABLE_ALL_FEATURES",
        }
    }
}

/// Why a value cannot be taken; the names are AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidReason {
    /// The same tag key twice.
    DuplicateTagKey,
    /// A policy of AWS's own, which nobody changes.
    ImmutablePolicy,
    /// Not the address of an account that can be invited.
    InvalidEmailAddressTarget,
    /// Not one of the enumeration's values.
    InvalidEnum,
    /// Not a type of policies.
    InvalidEnumPolicyType,
    /// A token that was not given here.
    InvalidNextToken,
    /// Not the kind of party that can be asked.
    InvalidPartyTypeTarget,
    /// Not of the form.
    InvalidPattern,
    /// Not the form of a target's id.
    InvalidPatternTargetId,
    /// A principal that the resource policy cannot name.
    InvalidPrincipal,
    /// Not a resource policy.
    InvalidResourcePolicyJson,
    /// A role's name that AWS keeps for itself.
    InvalidRoleName,
    /// Not the form of a policy's id.
    InvalidSyntaxPolicyId,
    /// A tag key that AWS keeps for itself.
    InvalidSystemTagsParameter,
    /// Too long.
    MaxLengthExceeded,
    /// Too large.
    MaxValueExceeded,
    /// Too short.
    MinLengthExceeded,
    /// Too small.
    MinValueExceeded,
    /// Something that is needed is not said.
    InputRequired,
    /// The operation is not for this target.
    TargetNotSupported,
    /// Not a service that works with organizations.
    UnrecognizedServicePrincipal,
    /// An action that a resource policy cannot give.
    UnsupportedActionInResourcePolicy,
}

impl InvalidReason {
    /// AWS's `Reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DuplicateTagKey => "DUPLICATE_TAG_KEY",
            Self::ImmutablePolicy => "IMMUTABLE_POLICY",
            Self::InvalidEmailAddressTarget => "INVALID_EMAIL_ADDRESS_TARGET",
            Self::InvalidEnum => "INVALID_ENUM",
            Self::InvalidEnumPolicyType => "INVALID_ENUM_POLICY_TYPE",
            Self::InvalidNextToken => "INVALID_NEXT_TOKEN",
            Self::InvalidPartyTypeTarget => "INVALID_PARTY_TYPE_TARGET",
            Self::InvalidPattern => "INVALID_PATTERN",
            Self::InvalidPatternTargetId => "INVALID_PATTERN_TARGET_ID",
            Self::InvalidPrincipal => "INVALID_PRINCIPAL",
            Self::InvalidResourcePolicyJson => "INVALID_RESOURCE_POLICY_JSON",
            Self::InvalidRoleName => "INVALID_ROLE_NAME",
            Self::InvalidSyntaxPolicyId => "INVALID_SYNTAX_POLICY_ID",
            Self::InvalidSystemTagsParameter => "INVALID_SYSTEM_TAGS_PARAMETER",
            Self::MaxLengthExceeded => "MAX_LENGTH_EXCEEDED",
            Self::MaxValueExceeded => "MAX_VALUE_EXCEEDED",
            Self::MinLengthExceeded => "MIN_LENGTH_EXCEEDED",
            Self::MinValueExceeded => "MIN_VALUE_EXCEEDED",
            Self::InputRequired => "INPUT_REQUIRED",
            Self::TargetNotSupported => "TARGET_NOT_SUPPORTED",
            Self::UnrecognizedServicePrincipal => "UNRECOGNIZED_SERVICE_PRINCIPAL",
            Self::UnsupportedActionInResourcePolicy => "UNSUPPORTED_ACTION_IN_RESOURCE_POLICY",
        }
    }
}

impl OrganizationRefusal {
    /// A value that the operation cannot take.
    pub fn invalid(reason: InvalidReason, message: impl Into<String>) -> Self {
        Self::InvalidInput(reason, message.into())
    }

    /// AWS's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotInUse => "AWSOrganizationsNotInUseException",
            Self::AlreadyInOrganization => "AlreadyInOrganizationException",
            Self::AccessDenied => "AccessDeniedException",
            Self::NotFound(absent) => absent.code(),
            Self::Already(already) => already.code(),
            Self::Held(Held::Unit) => "OrganizationalUnitNotEmptyException",
            Self::Held(Held::Organization) => "OrganizationNotEmptyException",
            Self::Held(Held::Policy) => "PolicyInUseException",
            Self::MasterCannotLeave => "MasterCannotLeaveOrganizationException",
            Self::InvalidHandshakeTransition => "InvalidHandshakeTransitionException",
            Self::MalformedPolicy(_) => "MalformedPolicyDocumentException",
            Self::PolicyTypeNotEnabled => "PolicyTypeNotEnabledException",
            Self::PolicyTypeNotAvailable | Self::PolicyTypeUnsupported(_) => {
                "PolicyTypeNotAvailableForOrganizationException"
            }
            Self::PolicyNotAttached => "PolicyNotAttachedException",
            Self::AccountNotRegistered => "AccountNotRegisteredException",
            Self::Constraint(_) => "ConstraintViolationException",
            Self::HandshakeConstraint(_) => "HandshakeConstraintViolationException",
            Self::InvalidInput(..) => "InvalidInputException",
        }
    }

    /// AWS's `Reason`, where the code has one.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Constraint(constraint) => Some(constraint.reason()),
            Self::HandshakeConstraint(constraint) => Some(constraint.reason()),
            Self::InvalidInput(reason, _) => Some(reason.as_str()),
            _ => None,
        }
    }
}

impl Absent {
    fn code(self) -> &'static str {
        match self {
            Self::Account => "AccountNotFoundException",
            Self::Unit => "OrganizationalUnitNotFoundException",
            Self::Parent => "ParentNotFoundException",
            Self::SourceParent => "SourceParentNotFoundException",
            Self::DestinationParent => "DestinationParentNotFoundException",
            Self::Child => "ChildNotFoundException",
            Self::Root => "RootNotFoundException",
            Self::Target => "TargetNotFoundException",
            Self::Policy => "PolicyNotFoundException",
            Self::Handshake => "HandshakeNotFoundException",
            Self::Creation => "CreateAccountStatusNotFoundException",
            Self::ResourcePolicy => "ResourcePolicyNotFoundException",
        }
    }
}

impl Already {
    fn code(self) -> &'static str {
        match self {
            Self::Unit => "DuplicateOrganizationalUnitException",
            Self::Policy => "DuplicatePolicyException",
            Self::Attached => "DuplicatePolicyAttachmentException",
            Self::Moved => "DuplicateAccountException",
            Self::PolicyTypeEnabled => "PolicyTypeAlreadyEnabledException",
            Self::Closed => "AccountAlreadyClosedException",
            Self::Registered => "AccountAlreadyRegisteredException",
            Self::Invited => "DuplicateHandshakeException",
            Self::HandshakeState => "HandshakeAlreadyInStateException",
        }
    }
}

impl From<Absent> for OrganizationRefusal {
    fn from(absent: Absent) -> Self {
        Self::NotFound(absent)
    }
}

impl From<Already> for OrganizationRefusal {
    fn from(already: Already) -> Self {
        Self::Already(already)
    }
}

impl From<Held> for OrganizationRefusal {
    fn from(held: Held) -> Self {
        Self::Held(held)
    }
}

impl From<Constraint> for OrganizationRefusal {
    fn from(constraint: Constraint) -> Self {
        Self::Constraint(constraint)
    }
}

impl From<HandshakeConstraint> for OrganizationRefusal {
    fn from(constraint: HandshakeConstraint) -> Self {
        Self::HandshakeConstraint(constraint)
    }
}
