//! Who makes a call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Arn, SessionContext, SessionIssuer, UserIdentity};
use opentrail_policy::PrincipalRef;

use crate::{
    entity::{Entity, EntityKind},
    federation::WebIdentity,
    role::Role,
    session::SessionInfo,
    user::User,
};

/// Who makes a call. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// The root user of an account.
    Root {
        /// The account.
        account: AccountId,
    },
    /// An IAM user.
    User {
        /// The account.
        account: AccountId,
        /// The name.
        name: Arc<str>,
        /// The path.
        path: Arc<str>,
        /// `AIDA…`.
        id: Arc<str>,
        /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`.
        arn: Arn,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's account.
        account: AccountId,
        /// The role's name.
        role_name: Arc<str>,
        /// The role's path.
        role_path: Arc<str>,
        /// The role's `AROA…`.
        role_id: Arc<str>,
        /// What the one who assumed it calls the session.
        session_name: Arc<str>,
        /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
        role_arn: Arn,
        /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
        arn: Arn,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        /// The account.
        account: AccountId,
        /// What the one who asked for it calls the session.
        name: Arc<str>,
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`.
        arn: Arn,
        /// Who asked for it, and with whose policies it acts: a user or the root.
        user: Arc<Principal>,
    },
    /// Someone an OpenID Connect provider vouches for, who asks for a role.
    WebIdentity {
        /// What the provider says of them.
        identity: Arc<WebIdentity>,
    },
    /// A service that acts for itself.
    Service {
        /// Its name, such as `cloudtrail.amazonaws.com`.
        name: Arc<str>,
    },
    /// A call without credentials.
    Anonymous,
}

impl Principal {
    /// A user of an account.
    pub fn user(user: &User) -> Self {
        Self::User {
            account: user.account,
            name: Arc::from(user.name.as_str()),
            path: Arc::from(user.path.as_str()),
            id: Arc::from(user.id.as_str()),
            arn: checked_arn(&user.arn()),
        }
    }

    /// A session of a role.
    pub fn assumed_role(role: &Role, session_name: &str) -> Self {
        let session_arn = format!("arn:aws:sts::{}:assumed-role/{}/{session_name}", role.account, role.name);
        Self::AssumedRole {
            account: role.account,
            role_name: Arc::from(role.name.as_str()),
            role_path: Arc::from(role.path.as_str()),
            role_id: Arc::from(role.id.as_str()),
            session_name: Arc::from(session_name),
            role_arn: checked_arn(&role.arn()),
            arn: checked_arn(&session_arn),
        }
    }

    /// A session of `GetFederationToken` that this user or root asks for.
    pub(crate) fn federated_user(self, account: AccountId, name: &str) -> Self {
        Self::FederatedUser {
            account,
            name: Arc::from(name),
            arn: checked_arn(&format!("arn:aws:sts::{account}:federated-user/{name}")),
            user: Arc::new(self),
        }
    }

    /// The account that the principal belongs to; services and whoever has no credentials have none.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(*account),
            Self::Service { .. } | Self::WebIdentity { .. } | Self::Anonymous => None,
        }
    }

    /// The ARN that `GetCallerIdentity` and messages show; services and whoever has no credentials have none.
    pub fn arn(&self) -> Option<Arn> {
        match self {
            Self::Root { account } => Some(root_arn(*account)),
            Self::User { arn, .. } | Self::AssumedRole { arn, .. } | Self::FederatedUser { arn, .. } => {
                Some(arn.clone())
            }
            Self::Service { .. } | Self::WebIdentity { .. } | Self::Anonymous => None,
        }
    }

    /// The principal's unique id as records, `GetCallerIdentity` and `aws:userid` have it: the account of a
    /// root, `AIDA…` of a user, `AROA…:SESSION` of a role's session, `ACCOUNT:NAME` of a federated user.
    pub fn principal_id(&self) -> Option<String> {
        match self {
            Self::Root { account } => Some(account.to_string()),
            Self::User { id, .. } => Some(id.to_string()),
            Self::AssumedRole { role_id, session_name, .. } => Some(format!("{role_id}:{session_name}")),
            Self::FederatedUser { account, name, .. } => Some(format!("{account}:{name}")),
            Self::WebIdentity { identity } => Some(identity.principal_id()),
            Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// A user's name.
    pub fn user_name(&self) -> Option<&str> {
        match self {
            Self::User { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The principal as policies are held against it.
    pub fn as_policy_principal(&self) -> PrincipalRef<'_> {
        match self {
            Self::Root { account } => PrincipalRef::Root { account: account.as_str() },
            Self::User { account, id, arn, .. } => {
                PrincipalRef::User { arn: arn.as_str(), account: account.as_str(), id }
            }
            Self::AssumedRole { account, role_id, role_arn, arn, .. } => PrincipalRef::AssumedRole {
                role_arn: role_arn.as_str(),
                session_arn: arn.as_str(),
                account: account.as_str(),
                role_id,
            },
            Self::FederatedUser { account, arn, user, .. } => PrincipalRef::FederatedUser {
                session_arn: arn.as_str(),
                account: account.as_str(),
                user: match &**user {
                    Self::User { arn, id, .. } => Some((arn.as_str(), id)),
                    _ => None,
                },
            },
            Self::WebIdentity { identity } => PrincipalRef::Federated(&identity.provider),
            Self::Service { name } => PrincipalRef::Service(name),
            Self::Anonymous => PrincipalRef::Anonymous,
        }
    }

    /// The value of `aws:PrincipalType`.
    pub fn policy_type(&self) -> Option<&'static str> {
        match self {
            Self::Root { .. } => Some("Account"),
            Self::User { .. } => Some("User"),
            Self::AssumedRole { .. } => Some("AssumedRole"),
            Self::FederatedUser { .. } => Some("FederatedUser"),
            Self::Anonymous => Some("Anonymous"),
            Self::Service { .. } | Self::WebIdentity { .. } => None,
        }
    }
}

/// `arn:aws:iam::ACCOUNT:root`.
pub fn root_arn(account: AccountId) -> Arn {
    checked_arn(&format!("arn:aws:iam::{account}:root"))
}

fn checked_arn(arn: &str) -> Arn {
    arn.parse().expect("names and paths are checked before they are kept: printable, 700 characters at most")
}

/// A principal and how it proved who it is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// The access key that the call was signed with.
    pub access_key_id: Option<String>,
    /// The session, when the credentials were temporary.
    pub session: Option<Arc<SessionInfo>>,
}

impl Caller {
    /// A caller without credentials.
    pub fn anonymous() -> Self {
        Self { principal: Principal::Anonymous, access_key_id: None, session: None }
    }

    /// A service that acts for itself, such as `cloudtrail.amazonaws.com`.
    pub fn service(name: &str) -> Self {
        Self { principal: Principal::Service { name: Arc::from(name) }, access_key_id: None, session: None }
    }

    /// The root user of an account, without naming a key.
    pub fn root(account: AccountId) -> Self {
        Self { principal: Principal::Root { account }, access_key_id: None, session: None }
    }

    /// When the caller gave a code of an MFA device, if these are the credentials of a session opened with one.
    pub fn mfa_authenticated_at(&self) -> Option<DateTime<Utc>> {
        self.session.as_ref().and_then(|session| session.mfa_authenticated_at)
    }

    /// Whether this is a session from `GetSessionToken`, with the powers of its user or root.
    pub fn is_session_token(&self) -> bool {
        let owns_itself = matches!(self.principal, Principal::Root { .. } | Principal::User { .. });
        owns_itself && self.session.is_some()
    }

    /// The caller as a record in `viewpoint`'s trail shows it: in full in its own account, in another
    /// only by account and principal id.
    pub fn user_identity(&self, viewpoint: AccountId) -> UserIdentity {
        if let (Some(account), Some(principal_id)) = (self.principal.account(), self.principal.principal_id())
            && account != viewpoint
        {
            return UserIdentity::AwsAccount { principal_id, account };
        }
        let access_key_id = self.access_key_id.clone();
        let session = self.session.as_deref().map(|session| session_context(&self.principal, session));
        match &self.principal {
            Principal::Root { account } => {
                UserIdentity::Root { account: *account, access_key_id, session, invoked_by: None }
            }
            Principal::User { account, name, id, arn, .. } => UserIdentity::IamUser {
                principal_id: id.to_string(),
                arn: arn.clone(),
                account: *account,
                access_key_id,
                user_name: name.to_string(),
                session,
                invoked_by: None,
            },
            Principal::AssumedRole { account, role_id, session_name, arn, .. } => match session {
                Some(session) => UserIdentity::AssumedRole {
                    principal_id: format!("{role_id}:{session_name}"),
                    arn: arn.clone(),
                    account: *account,
                    access_key_id,
                    session,
                    invoked_by: None,
                },
                None => UserIdentity::Unknown { access_key_id },
            },
            Principal::FederatedUser { account, name, arn, .. } => match session {
                Some(session) => UserIdentity::FederatedUser {
                    principal_id: format!("{account}:{name}"),
                    arn: arn.clone(),
                    account: *account,
                    access_key_id,
                    session,
                    invoked_by: None,
                },
                None => UserIdentity::Unknown { access_key_id },
            },
            Principal::WebIdentity { identity } => UserIdentity::WebIdentityUser {
                principal_id: identity.principal_id(),
                user_name: identity.subject.clone(),
                identity_provider: identity.provider.clone(),
            },
            Principal::Service { name } => UserIdentity::AwsService { invoked_by: name.to_string() },
            Principal::Anonymous => UserIdentity::Anonymous,
        }
    }
}

fn session_context(principal: &Principal, session: &SessionInfo) -> SessionContext {
    let issuer = match principal {
        Principal::AssumedRole { account, role_name, role_id, role_arn, .. } => Some(SessionIssuer {
            kind: EntityKind::Role.title().to_owned(),
            principal_id: role_id.to_string(),
            arn: role_arn.clone(),
            account_id: *account,
            user_name: Some(role_name.to_string()),
        }),
        Principal::FederatedUser { user, .. } => user_issuer(user),
        _ => None,
    };
    SessionContext {
        issuer,
        creation_date: session.issued_at,
        mfa_authenticated: session.mfa_authenticated_at.is_some(),
        source_identity: session.source_identity.clone(),
        federated_provider: session.web_identity.as_ref().map(|identity| identity.provider.clone()),
    }
}

/// Who asked for the session of a federated user.
fn user_issuer(user: &Principal) -> Option<SessionIssuer> {
    let kind = match user {
        Principal::User { .. } => "IAMUser",
        _ => "Root",
    };
    Some(SessionIssuer {
        kind: kind.to_owned(),
        principal_id: user.principal_id()?,
        arn: user.arn()?,
        account_id: user.account()?,
        user_name: user.user_name().map(str::to_owned),
    })
}
