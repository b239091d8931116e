//! Who asks, and who a policy speaks of.

use std::fmt;

use crate::{Context, Grant, PolicyError, arn};

/// The principal that makes a request. ARNs are complete; accounts are their twelve digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalRef<'a> {
    /// A request without credentials.
    Anonymous,
    /// An AWS service acting for itself, by its name such as `cloudtrail.amazonaws.com`.
    Service(&'a str),
    /// Someone an identity provider vouches for, before they have a role: the provider's ARN (SAML, OIDC) or
    /// name (`accounts.google.com`). Asks only for `sts:AssumeRoleWith…`.
    Federated(&'a str),
    /// The root user of an account.
    Root {
        /// The account.
        account: &'a str,
    },
    /// An IAM user.
    User {
        /// `arn:aws:iam::ACCOUNT:user/PATH/NAME`
        arn: &'a str,
        /// The account.
        account: &'a str,
        /// The unique identifier, `AIDA…`.
        id: &'a str,
    },
    /// A session of a role.
    AssumedRole {
        /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`
        role_arn: &'a str,
        /// `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`
        session_arn: &'a str,
        /// The account.
        account: &'a str,
        /// The role's unique identifier, `AROA…`.
        role_id: &'a str,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        /// `arn:aws:sts::ACCOUNT:federated-user/NAME`
        session_arn: &'a str,
        /// The account.
        account: &'a str,
        /// The ARN and the unique identifier of the user who asked for it; `None` for the root user.
        user: Option<(&'a str, &'a str)>,
    },
}

impl<'a> PrincipalRef<'a> {
    /// The account the principal belongs to, if to any.
    pub fn account(&self) -> Option<&'a str> {
        match *self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }

    /// The value of the key `aws:PrincipalArn`: for a session it is the role's ARN, for root the account's.
    pub fn principal_arn(&self) -> Option<String> {
        match self {
            Self::Root { account } => Some(format!("arn:aws:iam::{account}:root")),
            Self::User { arn, .. } => Some((*arn).to_owned()),
            Self::AssumedRole { role_arn, .. } => Some((*role_arn).to_owned()),
            Self::FederatedUser { session_arn, .. } => Some((*session_arn).to_owned()),
            Self::Anonymous | Self::Service(_) | Self::Federated(_) => None,
        }
    }
}

/// One entry of a `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `"*"`, also under `AWS`: everyone, anonymous included.
    Everyone,
    /// An account and so all its principals.
    Account(String),
    User(String),
    Role(String),
    Session(String),
    /// The unique identifier AWS puts in place of a deleted user or role.
    UniqueId(String),
    Service(String),
    Federated(String),
    CanonicalUser(String),
}

impl Entry {
    /// Reads one value under `AWS`.
    pub(crate) fn aws(value: &str) -> Result<Self, PolicyError> {
        let invalid = || PolicyError::InvalidPrincipal { principal: value.to_owned() };
        if value == "*" {
            return Ok(Self::Everyone);
        }
        if is_account(value) {
            return Ok(Self::Account(value.to_owned()));
        }
        if (16..=128).contains(&value.len())
            && value.starts_with('A')
            && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        {
            return Ok(Self::UniqueId(value.to_owned()));
        }
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else {
            return Err(invalid());
        };
        // A principal's ARN takes no wildcards: "*" alone means everyone.
        if !arn::is_partition(partition) || !is_account(account) || resource.contains(['*', '?', '$']) {
            return Err(invalid());
        }
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        match (service, kind, name) {
            ("iam", "root", "") if resource == "root" => Ok(Self::Account(account.to_owned())),
            (_, _, "") => Err(invalid()),
            ("iam", "user", _) => Ok(Self::User(value.to_owned())),
            ("iam", "role", _) => Ok(Self::Role(value.to_owned())),
            ("sts", "assumed-role" | "federated-user", _) => Ok(Self::Session(value.to_owned())),
            _ => Err(invalid()),
        }
    }

    /// The ARN, where it is a user's or a role's.
    pub(crate) fn arn(&self) -> Option<&str> {
        match self {
            Self::User(arn) | Self::Role(arn) => Some(arn),
            _ => None,
        }
    }

    /// What naming this entry gives to `principal`; `None` if it does not name it.
    pub(crate) fn grant(&self, principal: &PrincipalRef<'_>, context: &Context) -> Option<Grant> {
        let grant = match (self, principal) {
            (Self::Everyone, _) => Grant::Principal,
            (Self::Account(named), PrincipalRef::Root { account }) if named == account => Grant::Principal,
            (Self::Account(named), _) if principal.account() == Some(named) => Grant::Account,
            (Self::User(named), PrincipalRef::User { arn, .. }) if named == arn => Grant::Principal,
            (Self::UniqueId(named), PrincipalRef::User { id, .. }) if named == id => Grant::Principal,
            (Self::Role(named), PrincipalRef::AssumedRole { role_arn, .. }) if named == role_arn => {
                Grant::Role
            }
            (Self::UniqueId(named), PrincipalRef::AssumedRole { role_id, .. }) if named == role_id => {
                Grant::Role
            }
            (Self::Session(named), PrincipalRef::AssumedRole { session_arn, .. }) if named == session_arn => {
                Grant::Principal
            }
            (Self::Session(named), PrincipalRef::FederatedUser { session_arn, .. })
                if named == session_arn =>
            {
                Grant::Principal
            }
            // What its user is granted the session has as a role's session has what its role is granted.
            (Self::User(named), PrincipalRef::FederatedUser { user: Some((arn, _)), .. }) if named == arn => {
                Grant::Role
            }
            (Self::UniqueId(named), PrincipalRef::FederatedUser { user: Some((_, id)), .. })
                if named == id =>
            {
                Grant::Role
            }
            (Self::Service(named), PrincipalRef::Service(name)) if named == name || named == "*" => {
                Grant::Principal
            }
            (Self::Federated(named), PrincipalRef::Federated(name)) if named == name || named == "*" => {
                Grant::Principal
            }
            (Self::CanonicalUser(named), _)
                if principal.account().is_some()
                    && context.single(Context::CANONICAL_USER) == Some(named) =>
            {
                Grant::Account
            }
            _ => return None,
        };
        Some(grant)
    }
}

impl fmt::Display for Entry {
    /// Prints it as a policy would have it; accounts by their root's ARN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::Account(account) => write!(f, "arn:aws:iam::{account}:root"),
            Self::User(text)
            | Self::Role(text)
            | Self::Session(text)
            | Self::UniqueId(text)
            | Self::Service(text)
            | Self::Federated(text)
            | Self::CanonicalUser(text) => f.write_str(text),
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone)]
pub(crate) struct Principals {
    pub(crate) negated: bool,
    pub(crate) entries: Vec<Entry>,
}

/// What an element says of the sessions of a role.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OfSessions {
    /// Of most of them.
    pub(crate) most: Option<Grant>,
    /// The ones of which it says something else, and what.
    pub(crate) others: Vec<String>,
    pub(crate) of_others: Option<Grant>,
}

impl Principals {
    /// As [`grant`](Self::grant), where a role's session whose ARN ends in `/*` is any session of that role.
    pub(crate) fn of_sessions(&self, principal: &PrincipalRef<'_>, context: &Context) -> OfSessions {
        let most = self.grant(principal, context);
        let mut found = OfSessions { most, others: Vec::new(), of_others: None };
        let PrincipalRef::AssumedRole { role_arn, session_arn, account, role_id } = *principal else {
            return found;
        };
        let Some(beginning) = session_arn.strip_suffix('*').filter(|text| text.ends_with('/')) else {
            return found;
        };
        for entry in &self.entries {
            let Entry::Session(arn) = entry else { continue };
            let session = PrincipalRef::AssumedRole { role_arn, session_arn: arn, account, role_id };
            let grant = self.grant(&session, context);
            if arn.starts_with(beginning) && grant != most {
                found.others.push(arn.clone());
                found.of_others = grant;
            }
        }
        found
    }

    /// Whether the statement speaks of `principal`, and how directly.
    pub(crate) fn grant(&self, principal: &PrincipalRef<'_>, context: &Context) -> Option<Grant> {
        let named = self.entries.iter().filter_map(|entry| entry.grant(principal, context)).max();
        if !self.negated {
            return named;
        }
        if self.excepts(principal, context) { None } else { Some(Grant::Principal) }
    }

    /// Whether `NotPrincipal` leaves `principal` out. AWS validates the account, then the role, then the
    /// session, so each of them must be listed: a user without its account is not excepted, and neither is
    /// a user of whom only the account is listed.
    fn excepts(&self, principal: &PrincipalRef<'_>, context: &Context) -> bool {
        let lists =
            |wanted: Grant| self.entries.iter().any(|entry| entry.grant(principal, context) == Some(wanted));
        if self.entries.contains(&Entry::Everyone) {
            return true;
        }
        match principal {
            PrincipalRef::User { .. } | PrincipalRef::FederatedUser { user: None, .. } => {
                lists(Grant::Account) && lists(Grant::Principal)
            }
            PrincipalRef::AssumedRole { .. } | PrincipalRef::FederatedUser { user: Some(_), .. } => {
                lists(Grant::Account) && lists(Grant::Role) && lists(Grant::Principal)
            }
            PrincipalRef::Root { .. } | PrincipalRef::Service(_) | PrincipalRef::Federated(_) => {
                lists(Grant::Principal)
            }
            PrincipalRef::Anonymous => false,
        }
    }
}
