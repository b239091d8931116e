//! How an operation finds its key and asks for permission on it.

use std::sync::Arc;

use opentrail_event::RecordResource;
use opentrail_keyring::{
    EncryptionContext, Key, KeyRefusal, Keyring, KeyringError,
    customer::{EncryptionAlgorithm, limits},
};
use opentrail_policy::Context;

use super::{
    permit::{Granting, Refused, Use},
    refused,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// What an operation says of its key.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    /// The permission without `kms:`; for most operations their name.
    pub(super) permission: &'static str,
    /// The key as the caller named it.
    pub(super) reference: &'a str,
    /// Whether it may be named by an alias.
    pub(super) aliases: bool,
    /// Whether callers of other accounts can have the permission (the guide, "Allowing users in other accounts").
    pub(super) strangers: bool,
}

impl<'a> Asking<'a> {
    /// An operation that uses a key: any name will do, and other accounts may be let in.
    pub(super) fn to_use(permission: &'static str, reference: &'a str) -> Self {
        Self { permission, reference, aliases: true, strangers: true }
    }

    /// An operation on the key itself, for its own account.
    pub(super) fn to_manage(permission: &'static str, reference: &'a str) -> Self {
        Self { permission, reference, aliases: false, strangers: false }
    }

    /// An operation on the key itself that other accounts may be let in to.
    pub(super) fn across_accounts(permission: &'static str, reference: &'a str) -> Self {
        Self { permission, reference, aliases: false, strangers: true }
    }

    /// Finds the key. One of AWS's own (`alias/aws/s3`) is made if it is not there yet, for a caller who may do with it
    /// what they ask: nobody else leaves anything behind.
    pub(super) async fn find_or_make(&self, call: &Call) -> Result<Arc<Key>, Fault> {
        let owner = call.rooms.keyring.key_owner(&call.account, &call.region, self.reference);
        if let Some(service) = Keyring::managed_service(self.reference)
            && owner == call.account
        {
            let may = |key: &Key| self.permit(call, key).is_ok();
            let keyring = &call.rooms.keyring;
            let made = keyring.managed_key_for(&call.account, &call.region, service, call.arrival.at, may);
            if made.await.map_err(|error| refused(call, error))?.is_none() {
                return Err(self.hidden(call));
            }
        }
        self.find(call)
    }

    /// Finds the key. Callers of other accounts are not told what is missing.
    pub(super) fn find(&self, call: &Call) -> Result<Arc<Key>, Fault> {
        let keyring = &call.rooms.keyring;
        let found = if self.aliases {
            keyring.key(&call.account, &call.region, self.reference)
        } else {
            keyring.key_not_alias(&call.account, &call.region, self.reference)
        };
        let owner = match &found {
            Ok(key) => key.account,
            Err(_) => keyring.key_owner(&call.account, &call.region, self.reference),
        };
        if owner == call.account || (self.strangers && found.is_ok()) {
            return found.map_err(|error| refused(call, error));
        }
        Err(self.hidden(call))
    }

    /// The refusal that does not say whether the key is there.
    fn hidden(&self, call: &Call) -> Fault {
        let action = format!("kms:{}", self.permission);
        let hidden = Refused::of_stranger(&call.caller, &action, self.reference);
        call.fault(Common::AccessDenied, hidden.to_string())
    }

    /// Whether the caller may, with no more to say of it.
    pub(super) fn permit(&self, call: &Call, key: &Key) -> Result<(), Fault> {
        self.permit_with(call, key, None, Context::new())
    }

    /// Finds the key and asks whether the caller may.
    pub(super) fn permitted(&self, call: &Call) -> Result<Arc<Key>, Fault> {
        let key = self.find(call)?;
        self.permit(call, &key)?;
        Ok(key)
    }

    /// Whether the caller may, with this encryption context and these condition keys.
    pub(super) fn permit_with(
        &self,
        call: &Call,
        key: &Key,
        context: Option<&EncryptionContext>,
        keys: Context,
    ) -> Result<(), Fault> {
        self.permit_grant(call, key, context, keys, None)
    }

    /// As [`permit_with`](Self::permit_with), for a grant of these operations under these constraints.
    pub(super) fn permit_grant(
        &self,
        call: &Call,
        key: &Key,
        context: Option<&EncryptionContext>,
        keys: Context,
        granting: Option<Granting<'_>>,
    ) -> Result<(), Fault> {
        let mut ask = call.arrival.context(&call.region);
        ask.extend(&keys);
        if let Some(alias) = alias_of(self.reference) {
            ask.set("kms:RequestAlias", alias);
        }
        let action = format!("kms:{}", self.permission);
        let wish = Use { action: &action, context, via: None, named: self.reference, ask };
        let verdict = call.rooms.key_guard.may_grant(&call.caller, key, &wish, granting);
        verdict.map_err(|refusal| call.fault(Common::AccessDenied, refusal.to_string()))
    }
}

/// The key of an operation that needs it to be there and takes no encryption context, if the caller may use it so.
pub(super) fn key_to_use(
    call: &Call,
    permission: &'static str,
    reference: &str,
    tokens: Option<&[String]>,
    keys: Context,
) -> Result<Arc<Key>, Fault> {
    check_tokens(call, tokens)?;
    let asking = Asking::to_use(permission, reference);
    let key = asking.find(call)?;
    asking.permit_with(call, &key, None, keys)?;
    Ok(key)
}

/// The alias's name, where a key is named by one.
fn alias_of(reference: &str) -> Option<&str> {
    let resource =
        reference.splitn(6, ':').nth(5).filter(|_| reference.starts_with("arn:")).unwrap_or(reference);
    Some(resource).filter(|name| name.starts_with("alias/"))
}

/// The record's `resources` for the key of this name, where there is one.
pub(super) fn touched(call: &Call, reference: &str) -> Vec<RecordResource> {
    let key = call.rooms.keyring.key(&call.account, &call.region, reference);
    key.map(|key| vec![resource(&key)]).unwrap_or_default()
}

/// A key as records name it.
pub(super) fn resource(key: &Key) -> RecordResource {
    RecordResource::new("AWS::KMS::Key", key.arn.as_str(), Some(key.account))
}

/// Refuses grant tokens that we did not give. What a token stands for is in force at once, so that it says no more.
pub(super) fn check_tokens(call: &Call, tokens: Option<&[String]>) -> Result<(), Fault> {
    let tokens = tokens.unwrap_or_default();
    if tokens.len() > MAX_GRANT_TOKENS {
        let message = format!("At most {MAX_GRANT_TOKENS} grant tokens can be sent.");
        return Err(call.fault(Common::Invalid, message));
    }
    let read = |token: &String| call.rooms.keyring.grant_of_token(token).map(|_| ());
    tokens.iter().try_for_each(read).map_err(|error| refused(call, error))
}

/// The API's model, `GrantTokenList`.
const MAX_GRANT_TOKENS: usize = 10;

/// The end of a call that only asked whether it would succeed.
pub(super) fn check_dry_run(dry_run: Option<bool>) -> Result<(), Fault> {
    if dry_run != Some(true) {
        return Ok(());
    }
    let message = "The request would have succeeded, but the DryRun option is set.";
    Err(Fault::declared("DryRunOperationException", message))
}

/// A text of the model's enumeration, read.
pub(super) fn read<T: std::str::FromStr>(call: &Call, member: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let message = format!(
            "1 validation error detected: Value '{shown}' at '{member}' failed to satisfy constraint: Member must \
             satisfy enum value set"
        );
        call.fault(Common::Invalid, message)
    })
}

/// The encryption algorithm that is asked for; the symmetric one where none is.
pub(super) fn algorithm(call: &Call, text: Option<&str>) -> Result<EncryptionAlgorithm, Fault> {
    match text {
        None => Ok(EncryptionAlgorithm::SymmetricDefault),
        Some(text) => read(call, "encryptionAlgorithm", text),
    }
}

/// Refuses an encryption context where the key takes none.
pub(super) fn check_takes_context(key: &Key, context: &EncryptionContext) -> Result<(), KeyringError> {
    if key.spec.is_symmetric() || context.is_empty() {
        return Ok(());
    }
    let message = "An encryption context cannot be used with an asymmetric key.".to_owned();
    Err(KeyRefusal::Validation(message).into())
}

/// Refuses what only an enclave could read.
pub(super) fn check_no_recipient(call: &Call, recipient: Option<&serde_json::Value>) -> Result<(), Fault> {
    match recipient {
        None => Ok(()),
        Some(_) => Err(call.fault(Common::Unsupported, "opentrail does not answer to enclaves (Recipient).")),
    }
}

/// Bytes that a data key may have (the API's model, `NumberOfBytesType`).
pub(super) const MAX_RANDOM_BYTES: i64 = 1024;
/// What can be encrypted or signed at once.
pub(super) const MAX_PLAINTEXT: usize = limits::MAX_PLAINTEXT_BYTES;
/// What can be decrypted at once.
pub(super) const MAX_CIPHERTEXT: usize = limits::MAX_CIPHERTEXT_BYTES;
