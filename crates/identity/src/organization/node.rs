//! What policies are attached to and tags are on: the root, a unit, an account.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use opentrail_state::Transaction;

use super::{
    document::{Member, Organization, Unit, member, unit},
    refusal::{Absent, InvalidReason, OrganizationRefusal},
};
use crate::{account, documents::Documents, tags::Tag};

/// One of an organization's tree.
#[derive(Debug, Clone)]
pub enum Node {
    /// Its root.
    Root(Arc<Organization>),
    /// A unit.
    Unit(Arc<Organization>, Arc<Unit>),
    /// An account.
    Account(Arc<Organization>, Arc<Member>),
}

impl Node {
    /// The root, unit or account of this id.
    pub fn find(
        docs: &impl Documents,
        organization: &Arc<Organization>,
        id: &str,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let whole = || Arc::clone(organization);
        if id == organization.root.id {
            return Some(Self::Root(whole()));
        }
        if id.starts_with("ou-") {
            return unit(docs, organization, id).map(|unit| Self::Unit(whole(), unit));
        }
        let account = id.parse().ok()?;
        member(docs, organization, account, now).map(|member| Self::Account(whole(), member))
    }

    /// The root, unit or account that policies are attached to.
    ///
    /// # Errors
    /// `InvalidInput` for what is no id of any, `TargetNotFound`.
    pub fn target(
        docs: &impl Documents,
        organization: &Arc<Organization>,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, OrganizationRefusal> {
        let of_form = id.starts_with("r-")
            || id.starts_with("ou-")
            || (id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
        if !of_form {
            let message = "You specified a policy target ID that doesn't match the required pattern.";
            return Err(OrganizationRefusal::invalid(InvalidReason::InvalidPatternTargetId, message));
        }
        Self::find(docs, organization, id, now).ok_or_else(|| Absent::Target.into())
    }

    /// Every node of an organization.
    pub(super) fn all(docs: &impl Documents, organization: &Arc<Organization>) -> Vec<Self> {
        let whole = || Arc::clone(organization);
        let units = docs.documents::<Unit>(&super::document::prefix(&organization.id)).into_iter();
        let accounts = super::document::members(docs, organization).into_iter();
        std::iter::once(Self::Root(whole()))
            .chain(units.map(|(_, unit)| Self::Unit(whole(), unit)))
            .chain(accounts.map(|member| Self::Account(whole(), member)))
            .collect()
    }

    /// `ROOT`, `ORGANIZATIONAL_UNIT` or `ACCOUNT`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root(_) => "ROOT",
            Self::Unit(..) => "ORGANIZATIONAL_UNIT",
            Self::Account(..) => "ACCOUNT",
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Root(organization) => &organization.root.id,
            Self::Unit(_, unit) => &unit.id,
            Self::Account(_, member) => member.account.as_str(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        match self {
            Self::Root(organization) => organization.root_arn(),
            Self::Unit(organization, unit) => organization.unit_arn(&unit.id),
            Self::Account(organization, member) => organization.account_arn(member.account),
        }
    }

    /// Its name.
    pub fn name(&self, docs: &impl Documents) -> String {
        match self {
            Self::Root(_) => ROOT_NAME.to_owned(),
            Self::Unit(_, unit) => unit.name.clone(),
            Self::Account(_, member) => account::profile(docs, member.account).name,
        }
    }

    /// The ids of the policies attached to it.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Root(organization) => &organization.root.policies,
            Self::Unit(_, unit) => &unit.policies,
            Self::Account(_, member) => &member.policies,
        }
    }

    /// Its tags.
    pub fn tags(&self) -> &[Tag] {
        match self {
            Self::Root(organization) => &organization.root.tags,
            Self::Unit(_, unit) => &unit.tags,
            Self::Account(_, member) => &member.tags,
        }
    }

    /// Stages the same node with other policies.
    pub(super) fn set_policies(&self, tx: &mut Transaction, policies: Vec<String>) {
        self.change(tx, |held, _| *held = policies);
    }

    /// Stages the same node with other tags.
    pub(super) fn set_tags(&self, tx: &mut Transaction, tags: Vec<Tag>) {
        self.change(tx, |_, held| *held = tags);
    }

    fn change(&self, tx: &mut Transaction, act: impl FnOnce(&mut Vec<String>, &mut Vec<Tag>)) {
        match self {
            Self::Root(organization) => {
                // Another change of the same transaction may have come before.
                let mut changed = tx
                    .get::<Organization>(&organization.id)
                    .map_or_else(|| Organization::clone(organization), |now| Organization::clone(&now));
                act(&mut changed.root.policies, &mut changed.root.tags);
                changed.save(tx);
            }
            Self::Unit(_, unit) => {
                let mut changed = Unit::clone(unit);
                act(&mut changed.policies, &mut changed.tags);
                changed.save(tx);
            }
            Self::Account(_, member) => {
                let mut changed = Member::clone(member);
                act(&mut changed.policies, &mut changed.tags);
                changed.save(tx);
            }
        }
    }
}

/// The name of every root.
pub const ROOT_NAME: &str = "Root";
