//! Why a call about a channel is refused.

use opentrail_event::{AccountId, Region};

use crate::store::StoreRefusal;

/// Why an operation on a channel was refused. Each variant is one AWS error code ([`ChannelRefusal::code`]); the text
/// is what the caller of the API sees.
#[derive(Debug, thiserror::Error)]
pub enum ChannelRefusal {
    /// A text that is neither the ARN nor the id of a channel.
    #[error("{named} is not the ARN or the id of a channel.")]
    ArnInvalid {
        /// What was given, cut to 256 characters.
        named: String,
    },
    /// No such channel in the account and region.
    #[error("The channel {named} does not exist.")]
    NotFound {
        /// What was asked for.
        named: String,
    },
    /// The account has a channel of this name or source in this region.
    #[error("Account {account} already has a channel with the {what} in {region}.")]
    AlreadyExists {
        /// `name N` or `source S`.
        what: String,
        /// The account.
        account: AccountId,
        /// The region.
        region: Region,
    },
    /// A source that is neither a partner nor `Custom`.
    #[error("{source_name} is not a valid source: use Custom or the name of an integration partner.")]
    InvalidSource {
        /// What was given, cut to 256 characters.
        source_name: String,
    },
    /// A parameter that is not valid.
    #[error("{0}")]
    InvalidParameter(String),
    /// What is wrong with a store that it names, or with a tag.
    #[error(transparent)]
    Store(#[from] StoreRefusal),
}

impl ChannelRefusal {
    pub(crate) fn arn_invalid(named: &str) -> Self {
        Self::ArnInvalid { named: named.chars().take(256).collect() }
    }

    pub(crate) fn not_found(named: &str) -> Self {
        Self::NotFound { named: named.chars().take(256).collect() }
    }

    /// AWS's name of the error, as botocore's model of CloudTrail has it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ArnInvalid { .. } => "ChannelARNInvalidException",
            Self::NotFound { .. } => "ChannelNotFoundException",
            Self::AlreadyExists { .. } => "ChannelAlreadyExistsException",
            Self::InvalidSource { .. } => "InvalidSourceException",
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::Store(refusal) => refusal.code(),
        }
    }
}
