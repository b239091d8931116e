//! Why a call about an import is refused.

use opentrail_event::AccountId;

use crate::store::StoreRefusal;

/// Why an operation on an import was refused. Each variant is one AWS error code ([`ImportRefusal::code`]); the text is
/// what the caller of the API sees.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefusal {
    /// The account has one that has not come to its end.
    #[error("Account {account} already has an ongoing import: {import}.")]
    Ongoing {
        /// The account.
        account: AccountId,
        /// The import's id.
        import: String,
    },
    /// The bucket can't be imported from.
    #[error("{0}")]
    Source(String),
    /// The bucket's objects can't be decrypted.
    #[error("{0}")]
    Encryption(String),
    /// No such import in the account.
    #[error("The import {id} does not exist.")]
    NotFound {
        /// What was asked for, cut to 64 characters.
        id: String,
    },
    /// A parameter that is not valid.
    #[error("{0}")]
    InvalidParameter(String),
    /// Something that nobody may do with this import.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// The store is not one that takes imports.
    #[error(transparent)]
    Store(#[from] StoreRefusal),
}

impl ImportRefusal {
    /// No such import.
    pub(crate) fn not_found(id: &str) -> Self {
        Self::NotFound { id: id.chars().take(64).collect() }
    }

    /// AWS's name of the error, as botocore's model of CloudTrail has it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ongoing { .. } => "AccountHasOngoingImportException",
            Self::Source(_) => "InvalidImportSourceException",
            Self::Encryption(_) => "InsufficientEncryptionPolicyException",
            Self::NotFound { .. } => "ImportNotFoundException",
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::NotPermitted(_) => "OperationNotPermittedException",
            Self::Store(refusal) => refusal.code(),
        }
    }
}
