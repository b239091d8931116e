//! Who made a call: a record's `userIdentity`.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeStruct},
};

use crate::{AccountId, Arn};

/// Who made a call. Serializes as a record's `userIdentity`, members in AWS's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserIdentity {
    /// The root user of an account.
    Root {
        /// The account.
        account: AccountId,
        /// The access key the call was signed with; none for a console session's own calls.
        access_key_id: Option<String>,
        /// The session, when the credentials were temporary.
        session: Option<SessionContext>,
        /// The service that called on the user's behalf.
        invoked_by: Option<String>,
    },
    /// An IAM user.
    IamUser {
        /// The user's unique id (`AIDA…`).
        principal_id: String,
        /// The user's ARN.
        arn: Arn,
        /// The user's account.
        account: AccountId,
        /// The access key the call was signed with.
        access_key_id: Option<String>,
        /// The user's friendly name.
        user_name: String,
        /// The session, when the credentials were temporary.
        session: Option<SessionContext>,
        /// The service that called on the user's behalf.
        invoked_by: Option<String>,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's unique id, a colon, the session's name.
        principal_id: String,
        /// The session's ARN (`arn:aws:sts::…:assumed-role/role/session`).
        arn: Arn,
        /// The role's account.
        account: AccountId,
        /// The session's access key (`ASIA…`).
        access_key_id: Option<String>,
        /// The session and the role.
        session: SessionContext,
        /// The service that called on the session's behalf.
        invoked_by: Option<String>,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        /// The account, a colon, the session's name.
        principal_id: String,
        /// The session's ARN (`arn:aws:sts::…:federated-user/name`).
        arn: Arn,
        /// The account.
        account: AccountId,
        /// The session's access key (`ASIA…`).
        access_key_id: Option<String>,
        /// The session and the user who asked for it.
        session: SessionContext,
        /// The service that called on the session's behalf.
        invoked_by: Option<String>,
    },
    /// Someone an OpenID Connect provider vouches for, who has no role yet: the caller of
    /// `AssumeRoleWithWebIdentity`.
    WebIdentityUser {
        /// The provider, a colon, the audience, a colon, the user's id at the provider.
        principal_id: String,
        /// The user's id at the provider.
        user_name: String,
        /// The provider: its ARN.
        identity_provider: String,
    },
    /// A service that acts for itself.
    AwsService {
        /// The service's name, such as `cloudtrail.amazonaws.com`.
        invoked_by: String,
    },
    /// A principal of another account, as the owner of the resource sees it.
    AwsAccount {
        /// The principal's unique id (and session), empty when it is not shown.
        principal_id: String,
        /// The other account.
        account: AccountId,
    },
    /// A caller without credentials, as records of S3's data events show it.
    Anonymous,
    /// A caller whose credentials do not say who it is: an unknown key, a bad signature.
    Unknown {
        /// The access key that was given.
        access_key_id: Option<String>,
    },
}

/// How a session of temporary credentials came to be: `sessionContext`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionContext {
    /// Whose permissions the session has; none for the sessions of `GetSessionToken`.
    pub issuer: Option<SessionIssuer>,
    /// When the session began.
    pub creation_date: DateTime<Utc>,
    /// Whether MFA was used to get it.
    pub mfa_authenticated: bool,
    /// A name the caller gave to the source of the session (`sourceIdentity`).
    pub source_identity: Option<String>,
    /// The ARN of the OpenID Connect provider that vouched for the caller of `AssumeRoleWithWebIdentity`
    /// (`webIdFederationData`).
    pub federated_provider: Option<String>,
}

/// Whose permissions a session has: `sessionIssuer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIssuer {
    /// `Role`, `IAMUser` or `Root`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The issuer's unique id.
    pub principal_id: String,
    /// The issuer's ARN.
    pub arn: Arn,
    /// The issuer's account.
    pub account_id: AccountId,
    /// The friendly name; the root user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
}

/// What S3's records say of a caller without credentials.
const ANONYMOUS: &str = "ANONYMOUS_PRINCIPAL";

impl UserIdentity {
    /// The same caller, for whom a service (`s3.amazonaws.com`) makes the call.
    #[must_use]
    pub fn through(mut self, service: &str) -> Self {
        if let Self::Root { invoked_by, .. }
        | Self::IamUser { invoked_by, .. }
        | Self::AssumedRole { invoked_by, .. }
        | Self::FederatedUser { invoked_by, .. } = &mut self
        {
            *invoked_by = Some(service.to_owned());
        }
        self
    }

    /// The value of `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Root { .. } => "Root",
            Self::IamUser { .. } => "IAMUser",
            Self::AssumedRole { .. } => "AssumedRole",
            Self::FederatedUser { .. } => "FederatedUser",
            Self::WebIdentityUser { .. } => "WebIdentityUser",
            Self::AwsService { .. } => "AWSService",
            Self::AwsAccount { .. } | Self::Anonymous => "AWSAccount",
            Self::Unknown { .. } => "Unknown",
        }
    }

    /// The account of the caller, where it has one.
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account, .. }
            | Self::IamUser { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. }
            | Self::AwsAccount { account, .. } => Some(*account),
            Self::WebIdentityUser { .. }
            | Self::AwsService { .. }
            | Self::Anonymous
            | Self::Unknown { .. } => None,
        }
    }

    /// The members in one form for all kinds.
    fn members(&self) -> Members<'_> {
        let mut members = Members::default();
        match self {
            Self::Root { account, access_key_id, session, invoked_by } => {
                members.principal_id = Some(account.as_str());
                members.arn = Some(format!("arn:aws:iam::{account}:root").into());
                members.account_id = Some(account.as_str());
                members.access_key_id = access_key_id.as_deref();
                members.session = session.as_ref();
                members.invoked_by = invoked_by.as_deref();
            }
            Self::IamUser { principal_id, arn, account, access_key_id, user_name, session, invoked_by } => {
                members.named(principal_id, arn, account, access_key_id.as_deref());
                members.user_name = Some(user_name);
                members.session = session.as_ref();
                members.invoked_by = invoked_by.as_deref();
            }
            Self::AssumedRole { principal_id, arn, account, access_key_id, session, invoked_by } => {
                members.named(principal_id, arn, account, access_key_id.as_deref());
                members.session = Some(session);
                members.invoked_by = invoked_by.as_deref();
            }
            Self::FederatedUser { principal_id, arn, account, access_key_id, session, invoked_by } => {
                members.named(principal_id, arn, account, access_key_id.as_deref());
                members.session = Some(session);
                members.invoked_by = invoked_by.as_deref();
            }
            Self::WebIdentityUser { principal_id, user_name, identity_provider } => {
                members.principal_id = Some(principal_id);
                members.user_name = Some(user_name);
                members.identity_provider = Some(identity_provider);
            }
            Self::AwsService { invoked_by } => members.invoked_by = Some(invoked_by),
            Self::AwsAccount { principal_id, account } => {
                members.principal_id = Some(principal_id);
                members.account_id = Some(account.as_str());
            }
            Self::Anonymous => {
                members.principal_id = Some("");
                members.account_id = Some(ANONYMOUS);
            }
            Self::Unknown { access_key_id } => {
                members.principal_id = Some("");
                members.access_key_id = access_key_id.as_deref();
            }
        }
        members
    }
}

#[derive(Default)]
struct Members<'a> {
    principal_id: Option<&'a str>,
    arn: Option<std::borrow::Cow<'a, str>>,
    account_id: Option<&'a str>,
    access_key_id: Option<&'a str>,
    user_name: Option<&'a str>,
    identity_provider: Option<&'a str>,
    session: Option<&'a SessionContext>,
    invoked_by: Option<&'a str>,
}

impl<'a> Members<'a> {
    fn named(&mut self, principal_id: &'a str, arn: &'a Arn, account: &'a AccountId, key: Option<&'a str>) {
        self.principal_id = Some(principal_id);
        self.arn = Some(arn.as_str().into());
        self.account_id = Some(account.as_str());
        self.access_key_id = key;
    }
}

impl Serialize for UserIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.members();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind())?;
        let mut text = |name: &'static str, value: Option<&str>| match value {
            Some(value) => map.serialize_entry(name, value),
            None => Ok(()),
        };
        text("principalId", members.principal_id)?;
        text("arn", members.arn.as_deref())?;
        text("accountId", members.account_id)?;
        text("accessKeyId", members.access_key_id)?;
        text("userName", members.user_name)?;
        text("identityProvider", members.identity_provider)?;
        if let Some(session) = members.session {
            map.serialize_entry("sessionContext", session)?;
        }
        if let Some(invoked_by) = members.invoked_by {
            map.serialize_entry("invokedBy", invoked_by)?;
        }
        map.end()
    }
}

impl Serialize for SessionContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(issuer) = &self.issuer {
            map.serialize_entry("sessionIssuer", issuer)?;
        }
        if let Some(provider) = &self.federated_provider {
            map.serialize_entry(
                "webIdFederationData",
                &WebIdFederationData { federated_provider: provider },
            )?;
        }
        map.serialize_entry(
            "attributes",
            &Attributes { creation_date: self.creation_date, mfa_authenticated: self.mfa_authenticated },
        )?;
        if let Some(source_identity) = &self.source_identity {
            map.serialize_entry("sourceIdentity", source_identity)?;
        }
        map.end()
    }
}

struct WebIdFederationData<'a> {
    federated_provider: &'a str,
}

impl Serialize for WebIdFederationData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("webIdFederationData", 2)?;
        map.serialize_field("federatedProvider", self.federated_provider)?;
        // AWS has this member, and nothing in it.
        map.serialize_field("attributes", &BTreeMap::<&str, &str>::new())?;
        map.end()
    }
}

struct Attributes {
    creation_date: DateTime<Utc>,
    mfa_authenticated: bool,
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("attributes", 2)?;
        map.serialize_field("creationDate", &self.creation_date.to_rfc3339_opts(SecondsFormat::Secs, true))?;
        // AWS writes this boolean as a text.
        map.serialize_field("mfaAuthenticated", if self.mfa_authenticated { "true" } else { "false" })?;
        map.end()
    }
}
