//! The policies of a caller, as they are in force now, and where each of them comes from.

use std::sync::LazyLock;

use opentrail_event::AccountId;
use opentrail_policy::{Place, Policy, PolicyKind, PolicySource};

use crate::{
    documents::Documents,
    entity::{self, Entity, EntityKind},
    group::Group,
    managed_policy, organization,
    permissions::{Permissions, PolicyText},
    principal::{Caller, Principal},
    role::Role,
    session::SessionInfo,
    tags::Tag,
    user::User,
};

/// Stands for a policy that cannot be read: what it denies is not known.
pub(crate) static DENY_ALL: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// Stands for the session policy of a federated user who was given none.
static ALLOW_NOTHING: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// Where a service's own roles are, which no service control policy concerns (Organizations user guide, "SCPs").
pub(crate) const SERVICE_LINKED_ROLES: &str = "/aws-service-role/";

/// The policies of a caller. A policy in it is shared with the document that it is from.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    /// Of the user and its groups, or of the role.
    pub(crate) identity: Vec<Policy>,
    pub(crate) boundary: Option<Policy>,
    pub(crate) session: Vec<Policy>,
    /// A list for each level from the organization's root down to the account.
    pub(crate) service_control: Vec<Vec<Policy>>,
    /// The tags of the user or role.
    pub(crate) tags: Vec<Tag>,
}

/// Where an identity policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyOrigin {
    /// What has it.
    pub(crate) holder: EntityKind,
    /// The name of what has it.
    pub(crate) holder_name: String,
    /// What it is called.
    pub(crate) name: PolicyName,
}

/// What an identity policy is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyName {
    /// An inline policy's name.
    Inline(String),
    /// A managed policy's ARN.
    Managed(String),
}

impl InForce {
    /// What concerns a caller now.
    pub(crate) fn of(docs: &impl Documents, caller: &Caller) -> Self {
        let mut found = Self::default();
        found.tags = with_holder(docs, &caller.principal, |holder| {
            each(docs, holder, &mut |policy, _, _| found.identity.push(policy.clone()));
            found.boundary = holder.boundary().map(|arn| managed(docs, holder.account(), arn));
            holder.tags().to_vec()
        })
        .unwrap_or_default();
        let Some(account) = caller.principal.account() else { return found };
        if let Some(session) = &caller.session {
            found.session = session_policies(docs, account, session);
        }
        // A federated user has what a policy of the session lets through, and without one nothing.
        if matches!(caller.principal, Principal::FederatedUser { .. }) && found.session.is_empty() {
            found.session.push(ALLOW_NOTHING.clone());
        }
        if !is_service_linked(&caller.principal) {
            found.service_control = organization::service_control_levels(docs, account);
        }
        found
    }

    /// What concerns whoever calls as this user or role without a session, or as a member of this group would, with
    /// where each of the identity policies comes from.
    pub(crate) fn with_origins(docs: &impl Documents, holder: &Holder<'_>) -> (Self, Vec<PolicyOrigin>) {
        let (mut found, mut origins) = (Self { tags: holder.tags().to_vec(), ..Self::default() }, Vec::new());
        each(docs, holder, &mut |policy, name, of| {
            found.identity.push(policy.clone());
            origins.push(PolicyOrigin { holder: of.0, holder_name: of.1.to_owned(), name: name.owned() });
        });
        found.boundary = holder.boundary().map(|arn| managed(docs, holder.account(), arn));
        let is_service_linked =
            matches!(holder, Holder::Role(role) if role.path.starts_with(SERVICE_LINKED_ROLES));
        if !is_service_linked {
            found.service_control = organization::service_control_levels(docs, holder.account());
        }
        (found, origins)
    }
}

/// The ARN of the policy at this place among those of a caller; none if it has none, as inline policies.
pub(crate) fn arn_of(docs: &impl Documents, caller: &Caller, place: Place) -> Option<String> {
    let account = caller.principal.account()?;
    match place.by {
        PolicySource::Identity => with_holder(docs, &caller.principal, |holder| {
            let (mut at, mut found) = (0, None);
            each(docs, holder, &mut |_, name, _| {
                if at == place.policy
                    && let Name::Managed(arn) = name
                {
                    found = Some(arn.to_owned());
                }
                at += 1;
            });
            found
        })?,
        PolicySource::Boundary => {
            with_holder(docs, &caller.principal, |holder| holder.boundary().map(str::to_owned))?
        }
        PolicySource::Session => {
            let session = caller.session.as_ref()?;
            let managed = place.policy.checked_sub(usize::from(session.policy.is_some()))?;
            session.policy_arns.get(managed).cloned()
        }
        PolicySource::ServiceControl => {
            organization::service_control_arn(docs, account, place.level, place.policy)
        }
        PolicySource::Resource | PolicySource::Trust => None,
    }
}

/// What policies are attached to.
pub(crate) enum Holder<'a> {
    User(&'a User),
    Group(&'a Group),
    Role(&'a Role),
}

/// A policy's name, where it stands.
#[derive(Clone, Copy)]
enum Name<'a> {
    Inline(&'a str),
    Managed(&'a str),
}

impl Name<'_> {
    fn owned(self) -> PolicyName {
        match self {
            Self::Inline(name) => PolicyName::Inline(name.to_owned()),
            Self::Managed(arn) => PolicyName::Managed(arn.to_owned()),
        }
    }
}

impl Holder<'_> {
    pub(crate) fn account(&self) -> AccountId {
        match self {
            Self::User(user) => user.account,
            Self::Group(group) => group.account,
            Self::Role(role) => role.account,
        }
    }

    fn tags(&self) -> &[Tag] {
        match self {
            Self::User(user) => &user.tags,
            Self::Group(_) => &[],
            Self::Role(role) => &role.tags,
        }
    }

    /// The ARN of its permissions boundary.
    pub(crate) fn boundary(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.permissions_boundary(),
            Self::Group(_) => None,
            Self::Role(role) => role.permissions_boundary(),
        }
    }
}

/// The user or role whose policies a principal acts with, if it is still there.
fn with_holder<R>(
    docs: &impl Documents,
    principal: &Principal,
    read: impl FnOnce(&Holder<'_>) -> R,
) -> Option<R> {
    match principal {
        Principal::User { account, name, id, .. } => {
            let user = docs.document::<User>(&entity::document_id(*account, name))?;
            (*user.id == **id).then(|| read(&Holder::User(&user)))
        }
        Principal::AssumedRole { account, role_name, role_id, .. } => {
            let role = docs.document::<Role>(&entity::document_id(*account, role_name))?;
            (*role.id == **role_id).then(|| read(&Holder::Role(&role)))
        }
        Principal::FederatedUser { user, .. } => with_holder(docs, user, read),
        Principal::Root { .. }
        | Principal::WebIdentity { .. }
        | Principal::Service { .. }
        | Principal::Anonymous => None,
    }
}

/// What a policy, its name and what has it are shown to.
type See<'a> = &'a mut dyn FnMut(&Policy, Name<'_>, (EntityKind, &str));

/// Shows every identity policy: the inline and managed ones, a user's groups' after its own.
fn each(docs: &impl Documents, holder: &Holder<'_>, see: See<'_>) {
    match holder {
        Holder::User(user) => {
            each_of(docs, user.account, &user.permissions, (EntityKind::User, &user.name), see);
            for id in &user.groups {
                match docs.document::<Group>(id) {
                    Some(group) => each(docs, &Holder::Group(&group), see),
                    // What the group denied is not known any more, so nothing is allowed.
                    None => see(&DENY_ALL, Name::Inline(id), (EntityKind::Group, id)),
                }
            }
        }
        Holder::Group(group) => {
            each_of(docs, group.account, &group.permissions, (EntityKind::Group, &group.name), see);
        }
        Holder::Role(role) => {
            each_of(docs, role.account, &role.permissions, (EntityKind::Role, &role.name), see);
        }
    }
}

fn each_of(
    docs: &impl Documents,
    account: AccountId,
    permissions: &Permissions,
    of: (EntityKind, &str),
    see: See<'_>,
) {
    for (name, text) in &permissions.inline {
        see(&in_force(text), Name::Inline(name), of);
    }
    for arn in &permissions.attached {
        see(&managed(docs, account, arn), Name::Managed(arn), of);
    }
}

fn is_service_linked(principal: &Principal) -> bool {
    matches!(principal, Principal::AssumedRole { role_path, .. } if role_path.starts_with(SERVICE_LINKED_ROLES))
}

fn session_policies(docs: &impl Documents, account: AccountId, session: &SessionInfo) -> Vec<Policy> {
    let inline = session.policy.iter().map(in_force);
    inline.chain(session.policy_arns.iter().map(|arn| managed(docs, account, arn))).collect()
}

/// The policy, shared with the document it is in.
fn in_force(text: &PolicyText) -> Policy {
    text.policy(PolicyKind::Identity).unwrap_or(&DENY_ALL).clone()
}

/// The managed policy of this ARN. One that is attached cannot be deleted, so one that is missing was lost:
/// what it denied is not known, and nothing is allowed.
fn managed(docs: &impl Documents, account: AccountId, arn: &str) -> Policy {
    managed_policy::with_document_in_force(docs, account, arn, in_force).unwrap_or_else(|| DENY_ALL.clone())
}
