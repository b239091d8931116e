//! What the rest of the server holds: credentials, decisions and sessions in one handle.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::Keyring;
use opentrail_policy::Context;
use opentrail_state::{State, Transaction};
use zeroize::Zeroizing;

use crate::{
    access_key::{self, AccessKey, KeyHolder, NewAccessKey},
    account::Account,
    authorize::{self, Ask, Verdict},
    credential::{Credential, Credentials},
    error::IdentityError,
    group::Group,
    last_use::{LastUse, LastUses},
    managed_policy::ManagedPolicy,
    principal::Caller,
    role::Role,
    root,
    session::SessionCredentials,
    sts::{self, AssumeRole, AssumedRole, MfaCode},
    user::User,
};

/// Who calls, what they may, and their sessions. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    state: State,
    keyring: Keyring,
    credentials: Credentials,
    uses: LastUses,
}

impl Identity {
    /// Opens the identities that are kept in a state.
    ///
    /// # Errors
    /// `State` if a document of this crate cannot be read: better no server than one that forgot a denial.
    pub fn open(state: State, keyring: Keyring) -> Result<Self, IdentityError> {
        state.check::<Account>()?;
        state.check::<AccessKey>()?;
        state.check::<User>()?;
        state.check::<Group>()?;
        state.check::<Role>()?;
        state.check::<ManagedPolicy>()?;
        let (credentials, uses) = (Credentials::new(), LastUses::new());
        Ok(Self { inner: Arc::new(Inner { state, keyring, credentials, uses }) })
    }

    /// The state that the documents are in.
    pub fn state(&self) -> &State {
        &self.inner.state
    }

    /// The root credentials that [`Identity::ensure_root`] was given last: access key id and secret.
    ///
    /// # Errors
    /// `Keyring` if the secret cannot be opened.
    pub fn operator_credentials(
        &self,
        account: AccountId,
    ) -> Result<Option<(String, Zeroizing<String>)>, IdentityError> {
        root::operator_credentials(&self.inner.state, &self.inner.keyring, account)
    }

    /// Makes these the operator's root credentials of an account; whether anything had to change. Those that
    /// the operator gave before stop working. The change is recorded as a service's.
    ///
    /// # Errors
    /// `Validation` for an id that is not 16 to 128 letters, digits and `_`, or a secret that is not 8 to 128
    /// printable characters; `AlreadyExists` if the id is another identity's; `State`.
    pub async fn ensure_root(
        &self,
        account: AccountId,
        access_key_id: &str,
        secret: &str,
    ) -> Result<bool, IdentityError> {
        let changed =
            root::ensure(&self.inner.state, &self.inner.keyring, account, access_key_id, secret).await?;
        self.inner.credentials.forget(access_key_id);
        Ok(changed)
    }

    /// What a call signed with this key must be verified with, and who it is from.
    ///
    /// # Errors
    /// `Credential`, with the reason; `Keyring` if the secret cannot be opened.
    pub fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Credential, IdentityError> {
        let Inner { state, keyring, credentials, .. } = &*self.inner;
        credentials.find(state, keyring, access_key_id, session_token, now)
    }

    /// Whether a caller may.
    pub fn authorize(&self, caller: &Caller, ask: &Ask<'_>) -> Verdict {
        authorize::authorize(&self.inner.state, caller, ask, self.inner.state.now())
    }

    /// The request's condition keys with those about the caller: for policies that are evaluated elsewhere.
    pub fn context(&self, caller: &Caller, request: &Context) -> Context {
        authorize::full_context(&self.inner.state, caller, request, self.inner.state.now())
    }

    /// Creates an access key, for `CreateAccessKey`.
    ///
    /// # Errors
    /// `NoSuchEntity`, `LimitExceeded`.
    pub fn create_access_key(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        holder: KeyHolder<'_>,
        now: DateTime<Utc>,
    ) -> Result<NewAccessKey, IdentityError> {
        access_key::create(tx, &self.inner.keyring, account, holder, now)
    }

    /// Opens a session of a role if its trust policy and the caller's own policies allow it.
    ///
    /// # Errors
    /// `AccessDenied`, `RootMayNotAssumeRole`, `NotAnIdentity`, `Validation`, `InvalidInput`, `LimitExceeded`
    /// (tags), `MalformedPolicy`, `NoSuchEntity` (a session policy), `PackedPolicyTooLarge`, `MfaFailed`.
    pub fn assume_role(
        &self,
        caller: &Caller,
        ask: &AssumeRole<'_>,
        now: DateTime<Utc>,
    ) -> Result<AssumedRole, IdentityError> {
        sts::assume_role(&self.inner.state, &self.inner.keyring, caller, ask, now)
    }

    /// Opens a session of the caller itself, for `GetSessionToken`. 15 minutes to 36 hours, 12 hours when not
    /// said; at most one hour for the root user.
    ///
    /// # Errors
    /// `Validation`, `SessionMayNotGetSession`, `NotAnIdentity`, `MfaFailed`.
    pub fn session_token(
        &self,
        caller: &Caller,
        duration_seconds: Option<u32>,
        mfa: Option<MfaCode<'_>>,
        now: DateTime<Utc>,
    ) -> Result<SessionCredentials, IdentityError> {
        sts::session_token(&self.inner.keyring, caller, duration_seconds, mfa, now)
    }

    /// Notes that a call was made, for `GetAccessKeyLastUsed` and a role's `RoleLastUsed`. `service` is its name
    /// in ARNs, such as `iam`.
    pub fn note_use(&self, caller: &Caller, service: &str, region: &str, at: DateTime<Utc>) {
        self.inner.uses.note(caller, service, region, at);
    }

    /// When an access key was used last, as far as known since the start.
    pub fn access_key_last_used(&self, access_key_id: &str) -> Option<LastUse> {
        self.inner.uses.of(access_key_id)
    }

    /// When a role was used last, as far as known since the start.
    pub fn role_last_used(&self, role: &Role) -> Option<LastUse> {
        self.inner.uses.of(&role.id)
    }
}
