//! Who makes a call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Arn, SessionContext, SessionIssuer, UserIdentity};
use opentrail_policy::PrincipalRef;

use crate::{
    entity::{Entity, EntityKind},
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

    /// The account that the principal belongs to; services and anonymous callers have none.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account } | Self::User { account, .. } | Self::AssumedRole { account, .. } => {
                Some(*account)
            }
            Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// The ARN that `GetCallerIdentity` and messages show; services and anonymous callers have none.
    pub fn arn(&self) -> Option<Arn> {
        match self {
            Self::Root { account } => Some(root_arn(*account)),
            Self::User { arn, .. } | Self::AssumedRole { arn, .. } => Some(arn.clone()),
            Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// The principal's unique id as records, `GetCallerIdentity` and `aws:userid` have it: the account of a
    /// root, `AIDA…` of a user, `AROA…:SESSION` of a role's session.
    pub fn principal_id(&self) -> Option<String> {
        match self {
            Self::Root { account } => Some(account.to_string()),
            Self::User { id, .. } => Some(id.to_string()),
            Self::AssumedRole { role_id, session_name, .. } => Some(format!("{role_id}:{session_name}")),
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
            Self::Anonymous => Some("Anonymous"),
            Self::Service { .. } => None,
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
        _ => None,
    };
    SessionContext {
        issuer,
        creation_date: session.issued_at,
        mfa_authenticated: session.mfa_authenticated_at.is_some(),
        source_identity: session.source_identity.clone(),
    }
}
