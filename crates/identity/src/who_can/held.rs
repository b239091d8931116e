//! The policies of a principal, each with what it is called.

use opentrail_event::AccountId;
use opentrail_policy::Policy;

use super::{PolicyName, PolicyRole};
use crate::{
    documents::Documents,
    entity::{Entity, EntityKind},
    group::Group,
    in_force::{self, Holder, InForce, PolicyOrigin},
    organization,
    principal::Caller,
    role::Role,
    user::User,
};

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
    /// What a root has: nothing but what its organization lets it.
    pub(super) fn of_root(docs: &impl Documents, account: AccountId) -> Self {
        let service_control = InForce::of(docs, &Caller::root(account)).service_control;
        Self { service_control: controls(docs, account, service_control), ..Self::default() }
    }

    pub(super) fn of_user(docs: &impl Documents, user: &User) -> Self {
        let groups = user.groups.iter().filter_map(|id| docs.document::<Group>(id));
        let groups = groups.map(|group| group.arn()).collect();
        Self { groups, ..Self::of(docs, &Holder::User(user)) }
    }

    pub(super) fn of_role(docs: &impl Documents, role: &Role) -> Self {
        Self::of(docs, &Holder::Role(role))
    }

    /// What a group gives its users.
    pub(super) fn of_group(docs: &impl Documents, group: &Group) -> Self {
        Self::of(docs, &Holder::Group(group))
    }

    fn of(docs: &impl Documents, holder: &Holder<'_>) -> Self {
        let (found, origins) = InForce::with_origins(docs, holder);
        let own = found.identity.into_iter().zip(&origins);
        let attached = origins.iter().filter_map(|origin| match &origin.name {
            in_force::PolicyName::Managed(arn) => Some(arn.clone()),
            in_force::PolicyName::Inline(_) => None,
        });
        let of_account = format!("arn:aws:iam::{}:", holder.account());
        Self {
            own: own.map(|(policy, origin)| Named { policy, name: name(origin) }).collect(),
            boundary: found.boundary.zip(holder.boundary()).map(|(policy, arn)| Named {
                policy,
                name: PolicyName { role: PolicyRole::Boundary, name: arn.to_owned(), through: None },
            }),
            service_control: controls(docs, holder.account(), found.service_control),
            groups: Vec::new(),
            attached: attached.filter(|arn| arn.starts_with(&of_account)).collect(),
        }
    }
}

fn name(origin: &PolicyOrigin) -> PolicyName {
    let (role, name) = match &origin.name {
        in_force::PolicyName::Inline(name) => (PolicyRole::Inline, name.clone()),
        in_force::PolicyName::Managed(arn) => (PolicyRole::Managed, arn.clone()),
    };
    let through = (origin.holder == EntityKind::Group).then(|| format!("group {}", origin.holder_name));
    PolicyName { role, name, through }
}

fn controls(docs: &impl Documents, account: AccountId, levels: Vec<Vec<Policy>>) -> Vec<Vec<Named>> {
    let named = |level: usize, place: usize, policy: Policy| {
        let arn = organization::service_control_arn(docs, account, level, place);
        let name = arn.unwrap_or_else(|| format!("no. {} of level {level}", place + 1));
        Named { policy, name: PolicyName { role: PolicyRole::ServiceControl, name, through: None } }
    };
    let of_level = |(level, policies): (usize, Vec<Policy>)| {
        policies.into_iter().enumerate().map(|(place, policy)| named(level, place, policy)).collect()
    };
    levels.into_iter().enumerate().map(of_level).collect()
}
