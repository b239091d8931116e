//! Organizations, as far as trails have to know them: who belongs to one, and who administers its trails.
//!
//! These are documents of this crate's own, because the delivery must know who was in an organization at a place of
//! the journal, and reads nothing but the journal. Whoever changes an organization says how it is now with
//! [`follow`], in the same transaction, so that both change at the same place.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use opentrail_event::AccountId;
use opentrail_state::{Resource, State, Transaction};
use serde::{Deserialize, Serialize};

use crate::{error::TrailError, trail::Trail};

/// Fewest and most letters and digits after `o-` (AWS: OrganizationId).
const ID_LETTERS: std::ops::RangeInclusive<usize> = 10..=32;

/// The id of an organization: `o-` and 10 to 32 lower-case letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrganizationId(String);

impl OrganizationId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no organization's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an organization's id")]
pub struct InvalidOrganizationId(String);

impl FromStr for OrganizationId {
    type Err = InvalidOrganizationId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let has_form = text
            .strip_prefix("o-")
            .is_some_and(|letters| ID_LETTERS.contains(&letters.len()) && letters.bytes().all(is_letter));
        if has_form {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidOrganizationId(text.chars().take(64).collect()))
        }
    }
}

impl TryFrom<String> for OrganizationId {
    type Error = InvalidOrganizationId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OrganizationId> for String {
    fn from(id: OrganizationId) -> Self {
        id.0
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An organization and what it lets CloudTrail do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// The management account, which owns the organization's trails.
    pub management: AccountId,
    /// Whether it has all features, or consolidated billing only.
    pub all_features: bool,
    /// Whether CloudTrail has trusted access. Without it an organization's trails take the events of the management
    /// account only, and no member sees them.
    pub trusted: bool,
    /// The delegated administrators for CloudTrail.
    pub administrators: BTreeSet<AccountId>,
}

impl Resource for Organization {
    const KIND: &'static str = "trails.organization";
}

/// That an account belongs to an organization. The id of the document is the account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The organization's id.
    pub organization: OrganizationId,
}

impl Resource for Member {
    const KIND: &'static str = "trails.member";
}

/// Where documents are read from: the state as it is, or a transaction with its staged changes.
pub trait Documents {
    /// The document of this id.
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>>;
}

impl Documents for State {
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        self.get(id)
    }
}

impl Documents for Transaction {
    fn document<T: Resource>(&self, id: &str) -> Option<Arc<T>> {
        self.get(id)
    }
}

/// The organization that an account belongs to, as its management account or as a member.
pub fn of_account(docs: &impl Documents, account: AccountId) -> Option<Arc<Organization>> {
    let member = docs.document::<Member>(account.as_str())?;
    docs.document(member.organization.as_str())
}

impl Organization {
    /// Whether the account may manage the organization's trails.
    pub fn is_administered_by(&self, account: AccountId) -> bool {
        account == self.management || self.administrators.contains(&account)
    }

    /// Whether organization trails can be made, and be managed from member accounts.
    ///
    /// # Errors
    /// `OrganizationNotInAllFeaturesModeException`, `CloudTrailAccessNotEnabledException`.
    pub fn check_open_to_cloudtrail(&self) -> Result<(), TrailError> {
        if !self.all_features {
            Err(TrailError::OrganizationNotInAllFeaturesMode { id: self.id.clone() })
        } else if !self.trusted {
            Err(TrailError::CloudTrailAccessNotEnabled { id: self.id.clone() })
        } else {
            Ok(())
        }
    }
}

/// The accounts of an organization.
pub(crate) fn members(state: &State, id: &OrganizationId) -> Vec<AccountId> {
    let all = state.list::<Member>("").into_iter();
    all.filter(|(_, member)| member.organization == *id)
        .filter_map(|(account, _)| account.parse().ok())
        .collect()
}

/// Says how an organization is now, with the accounts that belong to it, the management account among them or not.
/// Stages only what differs from what was said before. An account that another organization had belongs to this one
/// from here on.
pub fn follow(tx: &mut Transaction, organization: &Organization, members: &BTreeSet<AccountId>) {
    let known = tx.get::<Organization>(organization.id.as_str());
    if known.as_deref() != Some(organization) {
        tx.put(organization.id.as_str(), organization);
    }
    let is_in = |account: &str| {
        account.parse().is_ok_and(|id| id == organization.management || members.contains(&id))
    };
    let before = members_of(tx, &organization.id);
    for account in before.iter().filter(|account| !is_in(account)) {
        tx.delete::<Member>(account);
    }
    let before: BTreeSet<String> = before.into_iter().collect();
    let member = Member { organization: organization.id.clone() };
    for account in members.iter().chain([&organization.management]) {
        if !before.contains(account.as_str()) {
            tx.put(account.as_str(), &member);
        }
    }
}

/// Says that there is no such organization any more. Its trails stay, as trails of the management account alone.
pub fn dissolve(tx: &mut Transaction, id: &OrganizationId) {
    for account in members_of(tx, id) {
        tx.delete::<Member>(&account);
    }
    let Some(organization) = tx.get::<Organization>(id.as_str()) else { return };
    tx.delete::<Organization>(id.as_str());
    for (document, trail) in tx.list::<Trail>(&format!("{}/", organization.management)) {
        if trail.organization.as_ref() == Some(id) {
            let mut trail = Trail::clone(&trail);
            trail.organization = None;
            tx.put(&document, &trail);
        }
    }
}

fn members_of(tx: &Transaction, id: &OrganizationId) -> Vec<String> {
    let all = tx.list::<Member>("").into_iter();
    all.filter(|(_, member)| member.organization == *id).map(|(account, _)| account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_aws_documents() {
        assert!("o-exampleorgid".parse::<OrganizationId>().is_ok());
        for bad in [
            "",
            "o-",
            "o-short",
            "O-exampleorgid",
            "o-exampleorg/d",
            "x-exampleorgid",
            &format!("o-{}", "a".repeat(33)),
        ] {
            assert!(bad.parse::<OrganizationId>().is_err(), "{bad}");
        }
    }
}
