//! From an access key to the secret that a call must be signed with, and to who signs with it.
//!
//! This is on the path of every signed call: secrets and session tokens that were opened once are kept,
//! bounded, and held against the document that is in force before they are used.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use opentrail_keyring::{Keyring, Sealed};
use opentrail_state::State;
use zeroize::Zeroizing;

use crate::{
    access_key::{self, AccessKey, AccessKeyStatus, KeyOwner},
    account,
    cache::Cache,
    entity::{self, account_prefix},
    error::{CredentialError, IdentityError},
    id::SESSION_PREFIX,
    limits,
    principal::{Caller, Principal},
    role::Role,
    session::{self, SessionInfo, SessionOwner},
    user::User,
};

/// What a call is verified with.
#[derive(Clone)]
pub struct Credential {
    /// The secret that the signature must have been made with.
    pub secret: Zeroizing<String>,
    /// Who it is if the signature is right.
    pub caller: Caller,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("caller", &self.caller).finish_non_exhaustive()
    }
}

type TokenDigest = [u8; 32];

/// A secret, and the sealed form that it was opened from.
struct OpenedSecret {
    sealed: Sealed,
    secret: Zeroizing<String>,
}

/// A session token, opened.
struct OpenedSession {
    access_key_id: String,
    secret: Zeroizing<String>,
    owner: SessionOwner,
    info: Arc<SessionInfo>,
}

/// Finds credentials.
pub(crate) struct Credentials {
    secrets: Cache<String, Arc<OpenedSecret>>,
    /// By the digest of the whole token: what stands for a token must be as hard to forge as the token.
    sessions: Cache<TokenDigest, Arc<OpenedSession>>,
}

impl Credentials {
    pub(crate) fn new() -> Self {
        Self { secrets: Cache::new(limits::CACHED_SECRETS), sessions: Cache::new(limits::CACHED_SESSIONS) }
    }

    pub(crate) fn find(
        &self,
        state: &State,
        keyring: &Keyring,
        access_key_id: &str,
        session_token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Credential, IdentityError> {
        let found = match (state.get::<AccessKey>(access_key_id), session_token) {
            (Some(_), Some(_)) => Err(CredentialError::SessionTokenOnLongTermKey.into()),
            (Some(key), None) => self.long_term(state, keyring, &key),
            (None, Some(token)) => self.session(state, keyring, access_key_id, token, now),
            (None, None) if access_key_id.starts_with(SESSION_PREFIX) => {
                Err(CredentialError::SessionTokenMissing.into())
            }
            (None, None) => Err(CredentialError::UnknownAccessKey.into()),
        }?;
        let account = found.caller.principal.account();
        if account.is_some_and(|account| account::closed_at(state, account).is_some()) {
            return Err(CredentialError::ClosedAccount.into());
        }
        Ok(found)
    }

    /// Forgets a secret that was opened.
    pub(crate) fn forget(&self, access_key_id: &str) {
        self.secrets.remove(access_key_id);
    }

    fn long_term(
        &self,
        state: &State,
        keyring: &Keyring,
        key: &AccessKey,
    ) -> Result<Credential, IdentityError> {
        if key.status != AccessKeyStatus::Active {
            return Err(CredentialError::InactiveAccessKey.into());
        }
        let principal = match &key.owner {
            KeyOwner::Root => Principal::Root { account: key.account },
            KeyOwner::User { document } => {
                let user = state.get::<User>(document).ok_or(CredentialError::UnknownAccessKey)?;
                Principal::user(&user)
            }
        };
        let opened = self.open_secret(keyring, key)?;
        let caller = Caller { principal, access_key_id: Some(key.id.clone()), session: None };
        Ok(Credential { secret: opened.secret.clone(), caller })
    }

    /// The key's secret. Each sealing has a nonce of its own, so equal sealed forms are the same secret.
    fn open_secret(&self, keyring: &Keyring, key: &AccessKey) -> Result<Arc<OpenedSecret>, IdentityError> {
        if let Some(opened) = self.secrets.get(&key.id).filter(|opened| opened.sealed == key.secret) {
            return Ok(opened);
        }
        let secret = unseal_secret(keyring, key)?;
        let opened = Arc::new(OpenedSecret { sealed: key.secret.clone(), secret });
        self.secrets.insert(key.id.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    fn session(
        &self,
        state: &State,
        keyring: &Keyring,
        access_key_id: &str,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Credential, IdentityError> {
        let opened = self.open_session(keyring, token)?;
        if opened.access_key_id != access_key_id {
            return Err(CredentialError::SessionTokenOfAnotherKey.into());
        }
        if now >= opened.info.expires_at {
            return Err(CredentialError::ExpiredSession.into());
        }
        let principal = owner_in_force(state, &opened.owner).ok_or(CredentialError::InvalidSessionToken)?;
        let caller = Caller {
            principal,
            access_key_id: Some(access_key_id.to_owned()),
            session: Some(Arc::clone(&opened.info)),
        };
        Ok(Credential { secret: opened.secret.clone(), caller })
    }

    fn open_session(&self, keyring: &Keyring, token: &str) -> Result<Arc<OpenedSession>, CredentialError> {
        if token.len() > limits::SESSION_TOKEN_CHARS {
            return Err(CredentialError::InvalidSessionToken);
        }
        let digest: TokenDigest = digest(&SHA256, token.as_bytes())
            .as_ref()
            .try_into()
            .map_err(|_| CredentialError::InvalidSessionToken)?;
        if let Some(opened) = self.sessions.get(&digest) {
            return Ok(opened);
        }
        let token = session::open(keyring, token)?;
        let opened = Arc::new(OpenedSession {
            access_key_id: token.access_key_id,
            secret: token.secret,
            owner: token.owner,
            info: Arc::new(token.info),
        });
        self.sessions.insert(digest, Arc::clone(&opened));
        Ok(opened)
    }
}

pub(crate) fn unseal_secret(keyring: &Keyring, key: &AccessKey) -> Result<Zeroizing<String>, IdentityError> {
    let plain = keyring.unseal(&access_key::seal_context(&key.id), &key.secret)?;
    let secret = std::str::from_utf8(&plain).map_err(|_| CredentialError::UnknownAccessKey)?;
    Ok(Zeroizing::new(secret.to_owned()))
}

/// The owner of a session as it is now; none if it is gone, even if another has its name.
fn owner_in_force(state: &State, owner: &SessionOwner) -> Option<Principal> {
    match owner {
        SessionOwner::Root { account } => Some(Principal::Root { account: *account }),
        SessionOwner::User { account, name, id } => {
            let by_name =
                state.get::<User>(&entity::document_id(*account, name)).filter(|user| user.id == *id);
            // A user who was renamed since keeps the session.
            let user = by_name.or_else(|| {
                let users = state.list::<User>(&account_prefix(*account)).into_iter();
                users.map(|(_, user)| user).find(|user| user.id == *id)
            });
            user.map(|user| Principal::user(&user))
        }
        SessionOwner::Role { account, name, id, session } => {
            let role =
                state.get::<Role>(&entity::document_id(*account, name)).filter(|role| role.id == *id)?;
            Some(Principal::assumed_role(&role, session))
        }
        SessionOwner::Federated { account, name, user } => {
            owner_in_force(state, user).map(|user| user.federated_user(*account, name))
        }
    }
}
