//! Why a call about an event data store is refused.

use opentrail_event::{AccountId, Region};
use opentrail_selector::{InvalidSelectors, StoreCategory};
use opentrail_trails::TrailError;

use super::document::StoreStatus;

/// Why an operation on an event data store was refused. Each variant is one AWS error code
/// ([`StoreRefusal::code`]); the text is what the caller of the API sees.
#[derive(Debug, thiserror::Error)]
pub enum StoreRefusal {
    /// A text that is neither the ARN nor the id of an event data store.
    #[error(
        "{named} is not the ARN or the id of an event data store. The format of an ARN is: \
         arn:aws:cloudtrail:us-east-2:123456789012:eventdatastore/EXAMPLE-f852-4e8f-8bd1-bcf6cEXAMPLE"
    )]
    ArnInvalid {
        /// What was given, cut to 256 characters.
        named: String,
    },
    /// No such event data store in the account and region.
    #[error("The event data store {named} does not exist.")]
    NotFound {
        /// What was asked for.
        named: String,
    },
    /// The account has an event data store of this name in this region.
    #[error("Account {account} already has an event data store with the name {name} in {region}.")]
    AlreadyExists {
        /// The name.
        name: String,
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
    },
    /// The account has as many as it may have.
    #[error("Account {account} already has {limit} event data stores in {region}.")]
    MaxLimitExceeded {
        /// The account.
        account: AccountId,
        /// The region that is full.
        region: Region,
        /// How many a region may have.
        limit: usize,
    },
    /// It is protected.
    #[error(
        "The event data store {arn} has termination protection enabled. Disable it before you delete the store."
    )]
    TerminationProtected {
        /// The store.
        arn: String,
    },
    /// Its federation is on.
    #[error(
        "Lake query federation is enabled for the event data store {arn}. Disable it before you delete the store."
    )]
    FederationEnabled {
        /// The store.
        arn: String,
    },
    /// A channel delivers to it.
    #[error(
        "The channel {channel} delivers to the event data store {arn}. Delete it before you delete the store."
    )]
    ChannelExists {
        /// The store.
        arn: String,
        /// The channel's ARN.
        channel: String,
    },
    /// An import fills it.
    #[error("The event data store {arn} has an ongoing import.")]
    OngoingImport {
        /// The store.
        arn: String,
    },
    /// It is pending deletion.
    #[error("The event data store {arn} is inactive: it is pending deletion.")]
    Inactive {
        /// The store.
        arn: String,
    },
    /// It is in a state in which this can't be done.
    #[error("The event data store {arn} has the status {}, in which this operation is not valid.", status.as_str())]
    Status {
        /// The store.
        arn: String,
        /// Its status.
        status: StoreStatus,
    },
    /// It has events of a category with which this can't be done.
    #[error(
        "This operation is not valid for event data stores with events of the category {}.", category.as_str()
    )]
    Category {
        /// The store's category.
        category: StoreCategory,
    },
    /// Selectors that would make another kind of store.
    #[error(
        "The event data store has events of the category {}, which can't be changed.", category.as_str()
    )]
    OtherCategory {
        /// The store's category.
        category: StoreCategory,
    },
    /// A parameter that is not valid.
    #[error("{0}")]
    InvalidParameter(String),
    /// The selectors are not valid.
    #[error(transparent)]
    Selectors(#[from] InvalidSelectors),
    /// Something that nobody may do with this store.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// A tag's key or value is not valid.
    #[error("{0}")]
    InvalidTag(&'static str),
    /// More tags than there may be.
    #[error("A resource can have {limit} tags at most.")]
    TagsLimitExceeded {
        /// The limit.
        limit: usize,
    },
    /// What the organization forbids; the codes and texts are those of trails.
    #[error(transparent)]
    Organization(TrailError),
}

impl StoreRefusal {
    pub(crate) fn arn_invalid(named: &str) -> Self {
        Self::ArnInvalid { named: named.chars().take(256).collect() }
    }

    pub(crate) fn not_found(named: &str) -> Self {
        Self::NotFound { named: named.chars().take(256).collect() }
    }

    /// AWS's name of the error, as botocore's model of CloudTrail has it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ArnInvalid { .. } => "EventDataStoreARNInvalidException",
            Self::NotFound { .. } => "EventDataStoreNotFoundException",
            Self::AlreadyExists { .. } => "EventDataStoreAlreadyExistsException",
            Self::MaxLimitExceeded { .. } => "EventDataStoreMaxLimitExceededException",
            Self::TerminationProtected { .. } => "EventDataStoreTerminationProtectedException",
            Self::FederationEnabled { .. } => "EventDataStoreFederationEnabledException",
            Self::ChannelExists { .. } => "ChannelExistsForEDSException",
            Self::OngoingImport { .. } => "EventDataStoreHasOngoingImportException",
            Self::Inactive { .. } => "InactiveEventDataStoreException",
            Self::Status { .. } => "InvalidEventDataStoreStatusException",
            Self::Category { .. } => "InvalidEventDataStoreCategoryException",
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::Selectors(_) | Self::OtherCategory { .. } => "InvalidEventSelectorsException",
            Self::NotPermitted(_) => "OperationNotPermittedException",
            Self::InvalidTag(_) => "InvalidTagParameterException",
            Self::TagsLimitExceeded { .. } => "TagsLimitExceededException",
            Self::Organization(error) => error.code(),
        }
    }
}
