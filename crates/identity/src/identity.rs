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
    mfa::{self, Attempts, MfaDevice, MfaProof, NewMfaDevice, ProvisionedMfaDevice},
    organization::{Member, Organization, ServiceControlPolicy, Unit},
    principal::Caller,
    role::Role,
    root,
    service_linked_role::RoleDeletion,
    session::SessionCredentials,
    sts::{self, AssumeRole, AssumedRole},
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
    attempts: Attempts,
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
        state.check::<MfaDevice>()?;
        state.check::<RoleDeletion>()?;
        state.check::<Organization>()?;
        state.check::<Member>()?;
        state.check::<Unit>()?;
        state.check::<ServiceControlPolicy>()?;
        let (credentials, uses, attempts) = (Credentials::new(), LastUses::new(), Attempts::new());
        Ok(Self { inner: Arc::new(Inner { state, keyring, credentials, uses, attempts }) })
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

    /// Creates a virtual MFA device that is nobody's yet, for `CreateVirtualMFADevice`.
    ///
    /// # Errors
    /// `Validation`, `AlreadyExists`, `LimitExceeded`, `InvalidInput` (tags).
    pub fn create_mfa_device(
        &self,
        tx: &mut Transaction,
        account: AccountId,
        new: &NewMfaDevice<'_>,
        now: DateTime<Utc>,
    ) -> Result<ProvisionedMfaDevice, IdentityError> {
        mfa::create(tx, &self.inner.keyring, account, new, now)
    }

    /// Gives a device to the root or a user who shows two codes of it in a row, for `EnableMFADevice`.
    ///
    /// # Errors
    /// `NoSuchEntity` (device or user), `AlreadyExists` if it is somebody's, `LimitExceeded` beyond
    /// [`limits::MFA_DEVICES_PER_USER`](crate::limits::MFA_DEVICES_PER_USER), `WrongMfaCode`, `MfaLocked`.
    pub fn enable_mfa_device(
        &self,
        tx: &mut Transaction,
        pair: &mfa::CodePair<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        mfa::enable(tx, &self.inner.keyring, &self.inner.attempts, pair, now)
    }

    /// Finds the clock of a holder's device again by two codes in a row, for `ResyncMFADevice`. The codes may
    /// be off by [`limits::MFA_RESYNC_STEPS`](crate::limits::MFA_RESYNC_STEPS). A lock by wrong codes ends.
    ///
    /// # Errors
    /// `NoSuchEntity`, also for a device that is not the holder's; `WrongMfaCode`, `MfaLocked`.
    pub fn resync_mfa_device(
        &self,
        tx: &mut Transaction,
        pair: &mfa::CodePair<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        mfa::resync(tx, &self.inner.keyring, &self.inner.attempts, pair, now)
    }

    /// Takes a code of one of the caller's own MFA devices: the root's for a root, the user's for a user, also
    /// when they call with a session. A code is good once: of two calls with it, even at the same time, one
    /// succeeds, and after the transaction is committed no code as old is taken again, also after a restart.
    /// A transaction that is dropped spends nothing.
    ///
    /// A wrong code is counted at once, and durably when the failure's record is kept: pass what the error
    /// carries to [`mfa::keep_wrong_code`] in the record's transaction (the server's `Deed::keep` does).
    ///
    /// # Errors
    /// `MfaUnknownDevice` for a serial number that is of no device of the caller's, `WrongMfaCode`, `MfaLocked`.
    pub fn spend_mfa_code(
        &self,
        tx: &mut Transaction,
        caller: &Caller,
        serial_number: &str,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<MfaProof, IdentityError> {
        let Inner { keyring, attempts, .. } = &*self.inner;
        mfa::spend_code(tx, keyring, attempts, caller, serial_number, code, now)
    }

    /// Opens a session of a role if its trust policy and the caller's own policies allow it.
    ///
    /// # Errors
    /// `AccessDenied`, `RootMayNotAssumeRole`, `NotAnIdentity`, `Validation`, `InvalidInput`, `LimitExceeded`
    /// (tags), `MalformedPolicy`, `NoSuchEntity` (a session policy), `PackedPolicyTooLarge`.
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
    /// `Validation`, `SessionMayNotGetSession`, `NotAnIdentity`.
    pub fn session_token(
        &self,
        caller: &Caller,
        duration_seconds: Option<u32>,
        mfa: Option<MfaProof>,
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
