//! Why KMS refuses, in words for the caller.

/// Why an operation on a customer key is refused. Prints as AWS's message where AWS has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// There is no such key.
    #[error("Key '{key}' does not exist")]
    NoSuchKey {
        /// Its ARN.
        key: String,
    },
    /// There is no such alias.
    #[error("Alias {alias} is not found.")]
    NoSuchAlias {
        /// Its ARN.
        alias: String,
    },
    /// There is no such grant.
    #[error("Grant ID {grant} not found")]
    NoSuchGrant {
        /// Its id.
        grant: String,
    },
    /// What should name a key has no name's form, or is one of another region.
    #[error("Invalid {what} '{text}'")]
    InvalidReference {
        /// `keyId`, `arn`.
        what: &'static str,
        /// What it was.
        text: String,
    },
    /// An ARN where another kind of ARN is asked for.
    #[error("{0}")]
    InvalidArn(String),
    /// The key is disabled.
    #[error("{key} is disabled.")]
    Disabled {
        /// Its ARN.
        key: String,
    },
    /// The key's state does not allow it.
    #[error("{key} is {state}.")]
    InvalidState {
        /// Its ARN.
        key: String,
        /// In words: `pending deletion`.
        state: &'static str,
    },
    /// The bytes are no ciphertext, were changed, or belong to another encryption context.
    #[error("The ciphertext is not valid: it was changed, or belongs to another encryption context.")]
    InvalidCiphertext,
    /// The ciphertext was made with another key than the one named.
    #[error("The key ID in the request does not identify a CMK that can perform this operation.")]
    IncorrectKey,
    /// The key is not made for this.
    #[error("{key} key usage is {usage} which is not valid for {operation}.")]
    InvalidUsage {
        /// Its ARN.
        key: String,
        /// What it is made for.
        usage: &'static str,
        /// What was asked.
        operation: &'static str,
    },
    /// The key does not have this algorithm.
    #[error("Algorithm {algorithm} and key spec {spec} are incompatible.")]
    InvalidAlgorithm {
        /// The algorithm.
        algorithm: String,
        /// The key's spec.
        spec: &'static str,
    },
    /// The signature is not one of this message with this key.
    #[error("The signature is not valid for the message, the key and the algorithm.")]
    InvalidSignature,
    /// The MAC is not one of this message with this key.
    #[error("The MAC is not valid for the message, the key and the algorithm.")]
    InvalidMac,
    /// An alias of this name exists.
    #[error("An alias with the name {alias} already exists")]
    AliasExists {
        /// Its ARN.
        alias: String,
    },
    /// The name is not one that an alias can have.
    #[error("{0}")]
    InvalidAliasName(&'static str),
    /// A quota is used up.
    #[error("{0}")]
    LimitExceeded(String),
    /// A member is outside of its bounds.
    #[error("{0}")]
    Validation(String),
    /// A tag can't be set so.
    #[error("{0}")]
    Tag(String),
    /// This kind of key does not have it.
    #[error("{0}")]
    Unsupported(String),
    /// The key belongs to AWS; only its service changes it.
    #[error("{key} is an AWS managed key and cannot be changed.")]
    AwsManaged {
        /// Its ARN.
        key: String,
    },
    /// No grant's id.
    #[error("The grant ID is not valid: {0}")]
    InvalidGrantId(String),
    /// No grant's token, or a token of a grant that is gone.
    #[error("The grant token is not valid.")]
    InvalidGrantToken,
    /// Another rotation is under way or was just made.
    #[error("{0}")]
    Conflict(String),
    /// A page's marker was not given by us.
    #[error("The marker is not valid.")]
    InvalidMarker,
}
