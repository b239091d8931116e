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
    authorization_message,
    authorize::{self, Ask, Verdict},
    credential::{Credential, Credentials},
    credential_report::{CredentialReport, ReportState, Reports},
    denial::Denial,
    error::IdentityError,
    federation::{
        oidc_provider::OidcProvider,
        token::{Presented, Vouched},
    },
    group::Group,
    instance_profile::InstanceProfile,
    last_use::{LastUse, LastUses},
    login_profile::{self, Hasher, LoginProfile, NewPassword, PasswordProof},
    managed_policy::ManagedPolicy,
    mfa::{self, Attempts, MfaDevice, MfaProof, NewMfaDevice, ProvisionedMfaDevice},
    organization::{
        Member, Organization, ServiceControlPolicy, Unit, creation::Creation, handshake::Handshake,
    },
    password_policy,
    principal::Caller,
    role::Role,
    root,
    service_linked_role::RoleDeletion,
    session::{self, SessionCredentials},
    sts::{self, AssumeRole, AssumeRoleWithWebIdentity, AssumedRole, FederatedSession, GetFederationToken},
    user::User,
    who_can::{self, WhoCan, WhoCanAsk},
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
    hasher: Hasher,
    password_attempts: login_profile::Attempts,
    reports: Reports,
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
        state.check::<OidcProvider>()?;
        state.check::<RoleDeletion>()?;
        state.check::<InstanceProfile>()?;
        state.check::<Organization>()?;
        state.check::<Member>()?;
        state.check::<Unit>()?;
        state.check::<ServiceControlPolicy>()?;
        state.check::<Handshake>()?;
        state.check::<Creation>()?;
        let (credentials, uses, attempts) = (Credentials::new(), LastUses::new(), Attempts::new());
        let (hasher, password_attempts) = (Hasher::new(), login_profile::Attempts::new());
        let reports = Reports::new();
        Ok(Self {
            inner: Arc::new(Inner {
                state,
                keyring,
                credentials,
                uses,
                attempts,
                hasher,
                password_attempts,
                reports,
            }),
        })
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

    /// Everyone who may, or can get there; see [`who_can`](crate::who_can). Takes as long as there are principals:
    /// not for a thread that others wait for.
    pub fn who_can(&self, ask: &WhoCanAsk<'_>) -> WhoCan {
        who_can::who_can(&self.inner.state, ask, self.inner.state.now())
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

    /// Hashes a password that a user is to get, outside of any transaction, and holds it against the account's policy and
    /// the passwords that it remembers.
    ///
    /// # Errors
    /// `NoSuchEntity`, `Validation`, `PasswordPolicy` (whether it was used before is said when it is set), `Busy`.
    pub async fn new_password(
        &self,
        account: AccountId,
        user_name: &str,
        password: &str,
    ) -> Result<NewPassword, IdentityError> {
        let Inner { state, keyring, hasher, .. } = &*self.inner;
        password_policy::check_form("password", password)?;
        login_profile::new_password(state, keyring, hasher, account, user_name, password).await
    }

    /// Whether this is a user's password. Wrong ones are counted: after
    /// [`limits::FREE_MISSES`](crate::limits::FREE_MISSES) in a row none is looked at for a while.
    ///
    /// A wrong one is counted at once, and durably when the failure's record is kept: pass what the error carries to
    /// [`login_profile::keep_wrong_password`] in the record's transaction (the server's `Deed::keep` does). What the proof
    /// is for (changing it, signing in) is staged with it.
    ///
    /// # Errors
    /// `WrongPassword`, also where there is no such user with a password; `PasswordLocked`, `Busy`, `Validation`.
    pub async fn check_password(
        &self,
        account: AccountId,
        user_name: &str,
        password: &str,
        now: DateTime<Utc>,
    ) -> Result<PasswordProof, IdentityError> {
        let Inner { state, keyring, hasher, password_attempts, .. } = &*self.inner;
        password_policy::check_form("oldPassword", password)?;
        let (with, whose) = ((hasher, password_attempts), (account, user_name));
        login_profile::check_password(state, keyring, with, whose, password, now).await
    }

    /// Gives a user a password, for `CreateLoginProfile`.
    ///
    /// # Errors
    /// `NoSuchEntity`, `AlreadyExists`, `PasswordPolicy`.
    pub fn create_login_profile(
        &self,
        tx: &mut Transaction,
        new: &NewPassword,
        reset_required: bool,
        now: DateTime<Utc>,
    ) -> Result<LoginProfile, IdentityError> {
        login_profile::create(tx, &self.inner.keyring, new, reset_required, now)
    }

    /// Sets a user's password anew, whether a new one is asked for at the next sign-in, or both, for
    /// `UpdateLoginProfile`.
    ///
    /// # Errors
    /// `NoSuchEntity`, `PasswordPolicy`, `TemporarilyUnmodifiable` if the password was changed meanwhile.
    pub fn update_login_profile(
        &self,
        tx: &mut Transaction,
        user: (AccountId, &str),
        new: Option<&NewPassword>,
        reset_required: Option<bool>,
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        login_profile::update(tx, &self.inner.keyring, user, new, reset_required, now)
    }

    /// Changes the password of a user who showed the present one, for `ChangePassword`.
    ///
    /// # Errors
    /// `NoSuchEntity`, `PasswordPolicy`, `TemporarilyUnmodifiable` if the password was changed meanwhile.
    pub fn change_password(
        &self,
        tx: &mut Transaction,
        proof: &PasswordProof,
        new: &NewPassword,
        now: DateTime<Utc>,
    ) -> Result<(), IdentityError> {
        login_profile::change(tx, &self.inner.keyring, proof, new, now)
    }

    /// Opens a session of a role if its trust policy and the caller's own policies allow it.
    ///
    /// # Errors
    /// `AccessDenied`, `RootMayNotAssumeRole`, `NotAnIdentity`, `Validation`, `MalformedPolicy`,
    /// `PackedPolicyTooLarge`.
    pub fn assume_role(
        &self,
        caller: &Caller,
        ask: &AssumeRole<'_>,
        now: DateTime<Utc>,
    ) -> Result<AssumedRole, IdentityError> {
        sts::assume_role(&self.inner.state, &self.inner.keyring, caller, ask, now)
    }

    /// A service as a role that was passed to it, for one deed: if the role is there and trusts the service. The context
    /// says for which resource (`aws:SourceArn`, `aws:SourceAccount`).
    ///
    /// # Errors
    /// `AccessDenied`, `Validation` for what is no role's ARN.
    pub fn service_role(
        &self,
        service: &str,
        ask: &AssumeRole<'_>,
        now: DateTime<Utc>,
    ) -> Result<Caller, IdentityError> {
        sts::service_role(&self.inner.state, service, ask, now)
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

    /// Opens a session of a federated user for a user or root, for `GetFederationToken`. 15 minutes to 36 hours,
    /// 12 hours when not said; at most one hour for the root user.
    ///
    /// # Errors
    /// `AccessDenied`, `SessionMayNotFederate`, `NotAnIdentity`, `Validation`, `MalformedPolicy`,
    /// `PackedPolicyTooLarge`.
    pub fn federation_token(
        &self,
        caller: &Caller,
        ask: &GetFederationToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<FederatedSession, IdentityError> {
        sts::federation_token(&self.inner.state, &self.inner.keyring, caller, ask, now)
    }

    /// Reads a web identity token that is presented for a role. What it says is proven only by
    /// [`Presented::verify`].
    ///
    /// # Errors
    /// `WebIdentity`; `Validation` for what the call asks for.
    pub fn present_web_identity<'a>(
        &self,
        ask: &AssumeRoleWithWebIdentity<'_>,
        token: &'a str,
        now: DateTime<Utc>,
    ) -> Result<Presented<'a>, IdentityError> {
        sts::present(&self.inner.state, ask, token, now)
    }

    /// Opens a session of a role for somebody whom an OpenID Connect provider vouches for, if the role's trust
    /// policy allows it.
    ///
    /// # Errors
    /// `NotAuthorized`, `Validation`, `MalformedPolicy`, `PackedPolicyTooLarge`.
    pub fn assume_role_with_web_identity(
        &self,
        vouched: &Vouched,
        ask: &AssumeRoleWithWebIdentity<'_>,
        now: DateTime<Utc>,
    ) -> Result<AssumedRole, IdentityError> {
        sts::assume_role_with_web_identity(&self.inner.state, &self.inner.keyring, vouched, ask, now)
    }

    /// The same credentials with a token of at least so many bytes (`MinimumSessionTokenSize`).
    ///
    /// # Errors
    /// `Validation` beyond [`limits::MOST_MINIMUM_TOKEN_BYTES`](crate::limits::MOST_MINIMUM_TOKEN_BYTES).
    pub fn with_longer_token(
        &self,
        credentials: SessionCredentials,
        least: u32,
    ) -> Result<SessionCredentials, IdentityError> {
        session::lengthened(&self.inner.keyring, credentials, least)
    }

    /// The account of an access key, for `GetAccessKeyInfo`.
    ///
    /// # Errors
    /// `Validation` for what is no access key's id.
    pub fn account_of_key(&self, access_key_id: &str) -> Result<AccountId, IdentityError> {
        sts::account_of_key(&self.inner.state, access_key_id)
    }

    /// Why a call was denied, for [`Identity::decode_authorization_message`] of the same account; none for a caller
    /// without an account. At most [`limits::GIVEN_MESSAGE_CHARS`](crate::limits::GIVEN_MESSAGE_CHARS) long.
    pub fn authorization_message(&self, caller: &Caller, ask: &Ask<'_>, denial: &Denial) -> Option<String> {
        let Inner { state, keyring, .. } = &*self.inner;
        authorization_message::encode(state, keyring, caller, ask, denial, state.now())
    }

    /// What an authorization message says, for `DecodeAuthorizationMessage`: JSON.
    ///
    /// # Errors
    /// `AuthorizationMessage` for what is none, or another account's.
    pub fn decode_authorization_message(
        &self,
        account: AccountId,
        message: &str,
    ) -> Result<String, IdentityError> {
        authorization_message::decode(&self.inner.keyring, account, message)
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

    /// Makes a credential report of an account unless there is one that is not four hours old.
    pub fn generate_credential_report(&self, account: AccountId, now: DateTime<Utc>) -> ReportState {
        let Inner { state, reports, uses, .. } = &*self.inner;
        reports.generate(state, account, |key| uses.of(key), now)
    }

    /// The account's last credential report.
    ///
    /// # Errors
    /// `ReportNotPresent`, `ReportExpired` four hours after it was made.
    pub fn credential_report(
        &self,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<CredentialReport, IdentityError> {
        self.inner.reports.get(account, now)
    }

    /// When a role was used last, as far as known since the start.
    pub fn role_last_used(&self, role: &Role) -> Option<LastUse> {
        self.inner.uses.of(&role.id)
    }
}
