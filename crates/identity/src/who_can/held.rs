//! The policies of a principal, each with what it is called.

use std::sync::LazyLock;

use opentrail_event::AccountId;
use opentrail_policy::{Policy, PolicyKind};

use crate::{
    documents::Documents,
    entity::Entity,
    group::Group,
    managed_policy, organization,
    permissions::{Permissions, PolicyText},
    role::Role,
    user::User,
};

use super::{PolicyName, PolicyRole};

/// Stands for a policy that is there and cannot be read: what it denies is not known.
static DENY_ALL: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// A policy and its name.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) policy: Policy,
    pub(super) name: PolicyName,
}

/// Everything of a principal's own side that decides.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) own: Vec<Named>,
    pub(super) boundary: Option<Named>,
    pub(super) service_control: Vec<Vec<Named>>,
    /// ARNs of its groups.
    pub(super) groups: Vec<String>,
    /// ARNs of the account's own managed policies that are attached to it or its groups.
    pub(super) attached: Vec<String>,
}

impl Held {
    pub(super) fn of_user(docs: &impl Documents, user: &User) -> Self {
        let mut held = Self::default();
        held.add(docs, user.account, &user.permissions, None);
        for id in &user.groups {
            match docs.document::<Group>(id) {
                Some(group) => held.add_group(docs, &group),
                None => held.own.push(Named {
                    policy: DENY_ALL.clone(),
                    name: PolicyName { role: PolicyRole::Inline, name: id.clone(), through: None },
                }),
            }
        }
        held.bound(docs, user);
        held
    }

    pub(super) fn of_role(docs: &impl Documents, role: &Role) -> Self {
        let mut held = Self::default();
        held.add(docs, role.account, &role.permissions, None);
        held.bound(docs, role);
        held
    }

    /// What a group gives its users.
    pub(super) fn add_group(&mut self, docs: &impl Documents, group: &Group) {
        self.add(docs, group.account, &group.permissions, Some(&group.arn()));
        self.groups.push(group.arn());
    }

    /// The policies of the account's organization.
    pub(super) fn controlled(&mut self, docs: &impl Documents, account: AccountId) {
        let levels = organization::service_control_levels(docs, account);
        let last = levels.len().saturating_sub(1);
        let named = |(level, policies): (usize, Vec<Policy>)| {
            let at = match level {
                0 => "of the organization's root".to_owned(),
                level if level == last => format!("of account {account}"),
                level => format!("of organizational unit {level} above {account}"),
            };
            let name = || PolicyName { role: PolicyRole::ServiceControl, name: at.clone(), through: None };
            policies.into_iter().map(|policy| Named { policy, name: name() }).collect()
        };
        self.service_control = levels.into_iter().enumerate().map(named).collect();
    }

    fn add(
        &mut self,
        docs: &impl Documents,
        account: AccountId,
        permissions: &Permissions,
        through: Option<&str>,
    ) {
        for (name, text) in &permissions.inline {
            let name = PolicyName {
                role: PolicyRole::Inline,
                name: name.clone(),
                through: through.map(str::to_owned),
            };
            self.own.push(Named { policy: in_force(text), name });
        }
        for arn in &permissions.attached {
            self.own.push(managed(docs, account, arn, PolicyRole::Managed, through));
            if arn.starts_with(&format!("arn:aws:iam::{account}:")) {
                self.attached.push(arn.clone());
            }
        }
    }

    fn bound(&mut self, docs: &impl Documents, entity: &impl Entity) {
        self.boundary = entity
            .permissions_boundary()
            .map(|arn| managed(docs, entity.account(), arn, PolicyRole::Boundary, None));
    }
}

fn managed(
    docs: &impl Documents,
    account: AccountId,
    arn: &str,
    role: PolicyRole,
    through: Option<&str>,
) -> Named {
    let policy = managed_policy::with_document_in_force(docs, account, arn, in_force);
    Named {
        policy: policy.unwrap_or_else(|| DENY_ALL.clone()),
        name: PolicyName { role, name: arn.to_owned(), through: through.map(str::to_owned) },
    }
}

fn in_force(text: &PolicyText) -> Policy {
    text.policy(PolicyKind::Identity).unwrap_or(&DENY_ALL).clone()
}
