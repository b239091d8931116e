//! Why S3 does not take a configuration.

use crate::limits;

/// The rule of S3 that a configuration breaks. Where a message names a filter, it is the rule's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLifecycle {
    /// It is not of the form that the schema asks for: no rules, or members that exclude each other.
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    Malformed,
    /// More rules than [`limits::MAX_LIFECYCLE_RULES`].
    #[error(
        "The number of lifecycle rules must not exceed the allowed limit of {} rules",
        limits::MAX_LIFECYCLE_RULES
    )]
    TooManyRules,
    /// Two rules have one id.
    #[error("Rule ID must be unique. Found same ID for more than one rule")]
    SameId,
    /// An id is longer than [`limits::MAX_RULE_ID_CHARS`].
    #[error("ID length should not exceed allowed limit of {}", limits::MAX_RULE_ID_CHARS)]
    LongId,
    /// A prefix is longer than a key can be.
    #[error("The maximum size of a prefix is {}", limits::MAX_KEY_BYTES)]
    LongPrefix,
    /// A rule with a prefix of its own among rules with filters.
    #[error("Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.")]
    MixedForms,
    /// A rule does nothing.
    #[error("At least one action needs to be specified in a rule")]
    NoAction,
    /// A number of days is not positive.
    #[error("'{member}' for {action} action must be a positive integer")]
    NotPositive {
        /// The member.
        member: &'static str,
        /// The action it belongs to.
        action: &'static str,
    },
    /// A number of days is negative where zero is allowed.
    #[error("'{member}' for {action} action must be nonnegative")]
    Negative {
        /// The member.
        member: &'static str,
        /// The action it belongs to.
        action: &'static str,
    },
    /// A date is not a midnight.
    #[error("'Date' must be at midnight GMT")]
    NotMidnight,
    /// How many versions are kept is not 1 to [`limits::MAX_KEPT_VERSIONS`].
    #[error(
        "'NewerNoncurrentVersions' for {action} action must be an integer between 1 and {}, inclusive",
        limits::MAX_KEPT_VERSIONS
    )]
    KeptVersions {
        /// The action.
        action: &'static str,
    },
    /// Days in one action and a date in another of the same rule.
    #[error("Found mixed 'Date' and 'Days' based {what} in lifecycle rule for filter '{filter}'")]
    Mixed {
        /// Which actions.
        what: &'static str,
        /// The filter.
        filter: String,
    },
    /// An infrequent-access class before its time.
    #[error(
        "'{member}' in {action} action must be greater than or equal to {least} for storageClass '{class}'"
    )]
    TooEarly {
        /// The member.
        member: &'static str,
        /// The action.
        action: &'static str,
        /// The class.
        class: &'static str,
        /// Days that must have passed.
        least: i32,
    },
    /// Two transitions to one class.
    #[error("'StorageClass' must be different for '{action}' actions in same 'Rule' with filter '{filter}'")]
    SameClass {
        /// The action.
        action: &'static str,
        /// The filter.
        filter: String,
    },
    /// A class does not come after one that it follows in time, or follows it too soon.
    #[error(
        "'{member}' in the '{action}' action for StorageClass '{class}' for filter '{filter}' must be {more} than '{member}' in the '{action}' action for StorageClass '{than}'"
    )]
    Order {
        /// The member.
        member: &'static str,
        /// The action.
        action: &'static str,
        /// The class that comes too early.
        class: &'static str,
        /// The filter.
        filter: String,
        /// How much more it must be.
        more: &'static str,
        /// The class before.
        than: &'static str,
    },
    /// An expiration that is not later than a transition.
    #[error(
        "'{member}' in the {expiration} action for filter '{filter}' must be greater than '{member}' in the {transition} action"
    )]
    ExpiresTooEarly {
        /// The member.
        member: &'static str,
        /// The action that removes.
        expiration: &'static str,
        /// The filter.
        filter: String,
        /// The action that moves.
        transition: &'static str,
    },
    /// The action knows neither tags nor sizes, and the filter has some.
    #[error("{action} cannot be specified with {what}.")]
    NotWith {
        /// The action.
        action: &'static str,
        /// `Tags` or `Object Size`.
        what: &'static str,
    },
    /// A tag breaks S3's rules.
    #[error("{0}")]
    Tag(crate::InvalidTagReason),
    /// A size is negative, or the bounds leave nothing between them.
    #[error("{0}")]
    Size(&'static str),
}

impl InvalidLifecycle {
    /// S3's error code for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "MalformedXML",
            Self::Tag(_) => "InvalidTag",
            Self::TooManyRules
            | Self::NoAction
            | Self::Mixed { .. }
            | Self::SameClass { .. }
            | Self::MixedForms
            | Self::LongPrefix
            | Self::NotWith { .. }
            | Self::Size(_) => "InvalidRequest",
            Self::SameId
            | Self::LongId
            | Self::NotPositive { .. }
            | Self::Negative { .. }
            | Self::NotMidnight
            | Self::KeptVersions { .. }
            | Self::TooEarly { .. }
            | Self::Order { .. }
            | Self::ExpiresTooEarly { .. } => "InvalidArgument",
        }
    }
}
