//! From the refusals of keys to AWS's codes.

use opentrail_keyring::{KeyRefusal, KeyringError};

use super::{Common, Dialect, Fault};

impl Fault {
    /// An operation on a key failed or was refused, in KMS's words.
    pub(crate) fn of_keyring(error: KeyringError, dialect: Dialect) -> Self {
        match error {
            KeyringError::Key(refusal) => Self::of_key_refusal(&refusal, dialect),
            KeyringError::State(cause) => Self::of_state(cause, dialect),
            error => {
                tracing::error!(%error, "the keyring failed");
                Self::declared("KMSInternalException", "An internal error occurred.")
            }
        }
    }

    fn of_key_refusal(refusal: &KeyRefusal, dialect: Dialect) -> Self {
        use KeyRefusal as Refusal;
        let text = refusal.to_string();
        let code = match refusal {
            Refusal::NoSuchKey { .. }
            | Refusal::NoSuchAlias { .. }
            | Refusal::NoSuchGrant { .. }
            | Refusal::InvalidReference { .. } => "NotFoundException",
            Refusal::InvalidArn(_) => "InvalidArnException",
            Refusal::Disabled { .. } => "DisabledException",
            Refusal::InvalidState { .. } => "KMSInvalidStateException",
            Refusal::InvalidCiphertext => "InvalidCiphertextException",
            Refusal::IncorrectKey => "IncorrectKeyException",
            Refusal::InvalidUsage { .. } | Refusal::InvalidAlgorithm { .. } => "InvalidKeyUsageException",
            Refusal::InvalidSignature => "KMSInvalidSignatureException",
            Refusal::InvalidMac => "KMSInvalidMacException",
            Refusal::AliasExists { .. } => "AlreadyExistsException",
            Refusal::InvalidAliasName(_) => "InvalidAliasNameException",
            Refusal::LimitExceeded(_) => "LimitExceededException",
            Refusal::Tag(_) => "TagException",
            Refusal::Unsupported(_) => "UnsupportedOperationException",
            Refusal::InvalidGrantId(_) => "InvalidGrantIdException",
            Refusal::InvalidGrantToken => "InvalidGrantTokenException",
            Refusal::Conflict(_) => "ConflictException",
            Refusal::InvalidMarker => "InvalidMarkerException",
            Refusal::AwsManaged { .. } => return Self::common(Common::AccessDenied, dialect, text),
            _ => return Self::common(Common::Invalid, dialect, text),
        };
        Self::declared(code, text)
    }
}
