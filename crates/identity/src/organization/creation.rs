//! New accounts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_state::{Resource, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    document::{JoinedMethod, Organization, prefix, within},
    form, found, handshake, ids, limits, member,
    refusal::{Absent, Constraint, OrganizationRefusal},
    tagging,
};
use crate::{
    account::{self, Account, Profile},
    attach,
    documents::Documents,
    error::IdentityError,
    principal::root_arn,
    role::{self, NewRole, Role},
    tags::Tag,
};

/// The role that the management account administers a new account with, where none is named.
pub const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";
/// What the role may do.
const ACCESS_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A wish for a new account, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Creation {
    /// `car-…`.
    pub id: String,
    /// The organization's id.
    pub organization: String,
    /// The name that the account was to have.
    pub account_name: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of the wish for a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The account is there.
    Succeeded {
        /// Its id.
        account: AccountId,
    },
    /// Another account has the address.
    EmailAlreadyExists,
}

impl Outcome {
    /// `SUCCEEDED` or `FAILED`.
    pub fn state(self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::EmailAlreadyExists => "FAILED",
        }
    }

    /// The account's id.
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::Succeeded { account } => Some(account),
            Self::EmailAlreadyExists => None,
        }
    }

    /// AWS's word for why not.
    pub fn failure(self) -> Option<&'static str> {
        match self {
            Self::Succeeded { .. } => None,
            Self::EmailAlreadyExists => Some("EMAIL_ALREADY_EXISTS"),
        }
    }
}

impl Resource for Creation {
    const KIND: &'static str = "identity.account_creation";
}

/// What a new account is made with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewAccount<'a> {
    /// The address of its owner.
    pub email: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The role that the management account administers it with; [`ACCESS_ROLE`] when absent.
    pub role_name: Option<&'a str>,
    /// The tags of the account.
    pub tags: &'a [Tag],
}

/// Makes an account in the root of the organization: its root user has no credentials, and a role lets those in whom
/// the management account allows to assume it. AWS does this later than it answers; here it is done, or is known to
/// fail, before.
///
/// # Errors
/// `InvalidInput`; `ConstraintViolation` beyond [`limits::ACCOUNTS`] and [`limits::TAGS`].
pub fn create(
    tx: &mut Transaction,
    organization: &Organization,
    new: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> Result<Creation, IdentityError> {
    let role_name = new.role_name.unwrap_or(ACCESS_ROLE);
    form::check_email(new.email)?;
    form::check_account_name(new.name)?;
    form::check_role_name(role_name)?;
    tagging::check(new.tags)?;
    if member::list(tx, organization, now).len() + handshake::open_invitations(tx, organization, now)
        >= limits::ACCOUNTS
    {
        return Err(OrganizationRefusal::from(Constraint::Accounts).into());
    }
    let outcome = if has_email(tx, new.email) {
        Outcome::EmailAlreadyExists
    } else {
        let account = open(tx, organization, new, now);
        admit_management(tx, organization, account, role_name, now)?;
        Outcome::Succeeded { account }
    };
    let creation = Creation {
        id: ids::creation(),
        organization: organization.id.clone(),
        account_name: new.name.to_owned(),
        requested_at: now,
        outcome,
    };
    tx.put(&within(&organization.id, &creation.id), &creation);
    Ok(creation)
}

/// The account and its place in the organization.
fn open(
    tx: &mut Transaction,
    organization: &Organization,
    new: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> AccountId {
    let account = loop {
        let id = ids::account().parse::<AccountId>().expect("twelve digits");
        if !tx.contains::<Account>(id.as_str()) {
            break id;
        }
    };
    let mut opened = account::get(tx, account);
    opened.profile = Some(Profile { name: new.name.to_owned(), email: new.email.to_owned() });
    account::save(tx, &opened);
    let mut member = found::new_member(organization, account, JoinedMethod::Created, now);
    member.tags = new.tags.to_vec();
    member.save(tx);
    account
}

/// The role that principals of the management account administer the new account with.
fn admit_management(
    tx: &mut Transaction,
    organization: &Organization,
    account: AccountId,
    role_name: &str,
    now: DateTime<Utc>,
) -> Result<(), IdentityError> {
    let trust_policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": root_arn(organization.management_account).as_str() },
            "Action": "sts:AssumeRole",
        }],
    });
    let new = NewRole { name: role_name, trust_policy: &trust_policy.to_string(), ..NewRole::default() };
    role::create(tx, account, &new, now)?;
    attach::attach::<Role>(tx, account, role_name, ACCESS_POLICY)
}

/// Whether an account on this server has the address.
fn has_email(docs: &impl Documents, email: &str) -> bool {
    with_email(docs, email).is_some()
}

/// The account that has the address.
pub(super) fn with_email(docs: &impl Documents, email: &str) -> Option<AccountId> {
    let mut accounts = docs.documents::<Account>("").into_iter().map(|(_, account)| account.id);
    accounts.find(|account| account::profile(docs, *account).email.eq_ignore_ascii_case(email))
}

/// A wish for an account.
///
/// # Errors
/// `CreateAccountStatusNotFound`.
pub fn get(
    docs: &impl Documents,
    organization: &Organization,
    id: &str,
) -> Result<Arc<Creation>, OrganizationRefusal> {
    docs.document::<Creation>(&within(&organization.id, id)).ok_or_else(|| Absent::Creation.into())
}

/// Every wish for an account, in the order of their ids.
pub fn list(docs: &impl Documents, organization: &Organization) -> Vec<Arc<Creation>> {
    let all = docs.documents::<Creation>(&prefix(&organization.id)).into_iter();
    all.map(|(_, creation)| creation).collect()
}
