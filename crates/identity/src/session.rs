//! Temporary credentials: what a session is, and the token that carries it.
//!
//! A token is sealed by the keyring and holds all there is to know of its session, so that no document has to
//! be kept, found and removed for it. What can be taken back (the role, the user) is looked up on each call.

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::{Keyring, Sealed};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    error::{CredentialError, IdentityError},
    federation::WebIdentity,
    id::{self, KeyKind},
    limits,
    name::check_range,
    permissions::PolicyText,
    tags::Tag,
};

/// What distinguishes a session from the long-term credentials of the same principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// When it began (`aws:TokenIssueTime`).
    #[serde(rename = "iat", with = "chrono::serde::ts_seconds")]
    pub issued_at: DateTime<Utc>,
    /// When it ends.
    #[serde(rename = "exp", with = "chrono::serde::ts_seconds")]
    pub expires_at: DateTime<Utc>,
    /// When a code of an MFA device was given for it; none if it was opened without.
    #[serde(
        rename = "mfat",
        with = "chrono::serde::ts_seconds_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub mfa_authenticated_at: Option<DateTime<Utc>>,
    /// The person or program behind it, set when the first role of a chain was assumed.
    #[serde(rename = "src", default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// Session tags, which win over the role's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// Keys of the session tags that go along when the session assumes another role.
    #[serde(rename = "ttk", default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tag_keys: Vec<String>,
    /// Who vouched for whoever opened it, if `AssumeRoleWithWebIdentity` did.
    #[serde(rename = "web", default, skip_serializing_if = "Option::is_none")]
    pub web_identity: Option<WebIdentity>,
    /// A policy that narrows the session.
    #[serde(rename = "pol", default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PolicyText>,
    /// Managed policies that narrow the session.
    #[serde(rename = "arns", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_arns: Vec<String>,
}

impl SessionInfo {
    /// A session that begins now, narrowed by nothing.
    pub(crate) fn starting(now: DateTime<Utc>, seconds: u32) -> Self {
        let now = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
        Self {
            issued_at: now,
            expires_at: now + TimeDelta::seconds(seconds.into()),
            mfa_authenticated_at: None,
            source_identity: None,
            tags: Vec::new(),
            transitive_tag_keys: Vec::new(),
            web_identity: None,
            policy: None,
            policy_arns: Vec::new(),
        }
    }

    /// Whether policies narrow it to less than its principal may.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.policy.is_some() || !self.policy_arns.is_empty()
    }
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(crate) enum SessionOwner {
    Root {
        account: AccountId,
    },
    User {
        account: AccountId,
        name: String,
        id: String,
    },
    Role {
        account: AccountId,
        name: String,
        id: String,
        session: String,
    },
    /// A session of `GetFederationToken`, and whose policies it has.
    Federated {
        account: AccountId,
        name: String,
        user: Box<SessionOwner>,
    },
}

impl SessionOwner {
    fn account(&self) -> AccountId {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::Role { account, .. }
            | Self::Federated { account, .. } => *account,
        }
    }
}

/// What a token holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionToken {
    #[serde(rename = "kid")]
    pub(crate) access_key_id: String,
    #[serde(rename = "sec", with = "secret_text")]
    pub(crate) secret: Zeroizing<String>,
    #[serde(rename = "own")]
    pub(crate) owner: SessionOwner,
    /// A member of its own, as a flattened one would leave a copy of the secret behind.
    pub(crate) info: SessionInfo,
    /// What makes the token as long as it was asked to be.
    #[serde(rename = "pad", default, skip_serializing_if = "String::is_empty")]
    filler: String,
}

/// A secret as a text that is wiped when it is dropped.
mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(
        secret: &Zeroizing<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

/// Temporary credentials, as STS gives them out.
#[derive(Clone)]
pub struct SessionCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret; shown this once.
    pub secret_access_key: Zeroizing<String>,
    /// The token that goes with every call.
    pub session_token: String,
    /// When they end.
    pub expiration: DateTime<Utc>,
}

impl std::fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}

/// What the seal of tokens is bound to.
const SEAL_CONTEXT: &str = "identity.session-token.v1";

/// Credentials for a session, and the token that holds it.
pub(crate) fn issue(
    keyring: &Keyring,
    owner: SessionOwner,
    info: SessionInfo,
) -> Result<SessionCredentials, IdentityError> {
    let token = SessionToken {
        access_key_id: id::fresh_key(KeyKind::Session, owner.account()),
        secret: id::fresh_secret(),
        owner,
        info,
        filler: String::new(),
    };
    Ok(SessionCredentials {
        session_token: seal(keyring, &token)?,
        access_key_id: token.access_key_id,
        secret_access_key: token.secret,
        expiration: token.info.expires_at,
    })
}

fn seal(keyring: &Keyring, token: &SessionToken) -> Result<String, IdentityError> {
    let plain = Zeroizing::new(serde_json::to_vec(token).map_err(IdentityError::Token)?);
    Ok(String::from(keyring.seal(SEAL_CONTEXT, &plain)))
}

/// The same credentials with a token of at least so many bytes: whoever asks wants to see whether everything on its
/// way takes one.
pub(crate) fn lengthened(
    keyring: &Keyring,
    credentials: SessionCredentials,
    least: u32,
) -> Result<SessionCredentials, IdentityError> {
    check_range("minimumSessionTokenSize", least, 0, limits::MOST_MINIMUM_TOKEN_BYTES)?;
    let missing = (least as usize).saturating_sub(credentials.session_token.len());
    if missing == 0 {
        return Ok(credentials);
    }
    // Each byte is more than one of base64.
    let token = SessionToken { filler: "0".repeat(missing), ..open(keyring, &credentials.session_token)? };
    Ok(SessionCredentials { session_token: seal(keyring, &token)?, ..credentials })
}

/// What a token holds, if it is one of ours.
pub(crate) fn open(keyring: &Keyring, token: &str) -> Result<SessionToken, CredentialError> {
    if token.len() > limits::SESSION_TOKEN_CHARS {
        return Err(CredentialError::InvalidSessionToken);
    }
    let sealed = Sealed::try_from(token.to_owned()).map_err(|_| CredentialError::InvalidSessionToken)?;
    let plain = keyring.unseal(SEAL_CONTEXT, &sealed).map_err(|_| CredentialError::InvalidSessionToken)?;
    serde_json::from_slice(&plain).map_err(|_| CredentialError::InvalidSessionToken)
}
