//! Whether a caller may.

use std::{fmt, sync::LazyLock};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{
    Context, Decision, Identity as IdentityPolicies, Match, Policies, Policy, PolicyKind, Request, decide,
};

use crate::{
    aws_managed::SERVICE_ROLE_PATH,
    context,
    documents::Documents,
    entity::{self, Entity},
    group::Group,
    managed_policy,
    mfa::MfaProof,
    organization,
    permissions::{Permissions, PolicyText},
    principal::{Caller, Principal},
    role::Role,
    session::SessionInfo,
    tags::Tag,
    user::User,
};

/// What a caller asks to do.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// `service:Name`, such as `iam:CreateUser`.
    pub action: &'a str,
    /// The ARN, or `*` for an action that is not about a resource.
    pub resource: &'a str,
    /// The request's condition keys; those about the caller are set here and need not be in it.
    pub context: Context,
    /// The resource's own policy.
    pub resource_policy: Option<&'a Policy>,
    /// The account that the resource belongs to; the caller's own when absent.
    pub resource_account: Option<AccountId>,
    /// Whether the resource's policy must allow even within one account, as a KMS key's must.
    pub resource_must_allow: bool,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The caller may.
    Allowed,
    /// The caller may not.
    Denied(Denial),
}

impl Verdict {
    /// Whether the caller may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }

    /// The denial as an error, for use with `?`.
    ///
    /// # Errors
    /// The [`Denial`], if it is one.
    pub fn into_result(self) -> Result<(), Denial> {
        match self {
            Self::Allowed => Ok(()),
            Self::Denied(denial) => Err(denial),
        }
    }
}

/// Why a caller may not. Prints as AWS's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Denial {
    caller: String,
    action: String,
    resource: String,
    decision: Option<Decision>,
    told: bool,
}

impl Denial {
    /// Whether a policy says no, rather than none saying yes.
    pub fn is_explicit(&self) -> bool {
        matches!(self.decision, Some(Decision::ExplicitDeny { .. }))
    }

    /// A denial due to a policy. The message says to which only if it is `told`: AWS does not to callers of
    /// another account.
    pub(crate) fn by_policy(
        caller: &Caller,
        action: &str,
        resource: &str,
        decision: Decision,
        told: bool,
    ) -> Self {
        Self { decision: Some(decision), told, ..Self::without_reason(caller, action, resource) }
    }

    /// A denial that is not due to a policy.
    pub(crate) fn without_reason(caller: &Caller, action: &str, resource: &str) -> Self {
        Self {
            caller: shown(&caller.principal),
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision: None,
            told: false,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { caller, action, resource, decision, told } = self;
        write!(f, "User: {caller} is not authorized to perform: {action}")?;
        // AWS names no resource where the action is about none.
        if resource != "*" {
            write!(f, " on resource: {resource}")?;
        }
        match decision.as_ref().filter(|_| *told).and_then(|decision| decision.reason(action)) {
            Some(reason) => write!(f, " {reason}"),
            None => Ok(()),
        }
    }
}

fn shown(principal: &Principal) -> String {
    match principal {
        Principal::Service { name } => name.to_string(),
        Principal::Anonymous => "anonymous".to_owned(),
        _ => principal.arn().map(|arn| arn.to_string()).unwrap_or_default(),
    }
}

/// Stands for a policy that a caller has and that cannot be read: what it denies is not known.
static DENY_ALL: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// Stands for the session policy of a federated user who was given none.
static ALLOW_NOTHING: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// The policies of a caller, as they are in force now.
#[derive(Default)]
struct Gathered {
    identity: Vec<Policy>,
    boundary: Option<Policy>,
    session: Vec<Policy>,
    /// Of the caller's account in its organization, from the root down.
    service_control: Vec<Vec<Policy>>,
    tags: Vec<Tag>,
}

/// Decides on an ask with all policies that there are about it.
pub(crate) fn authorize(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    now: DateTime<Utc>,
) -> Verdict {
    match decision(docs, caller, ask, now) {
        Decision::Allow => Verdict::Allowed,
        decision => {
            let told = ask.resource_account.is_none_or(|owner| Some(owner) == caller.principal.account());
            Verdict::Denied(Denial::by_policy(caller, ask.action, ask.resource, decision, told))
        }
    }
}

pub(crate) fn decision(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    now: DateTime<Utc>,
) -> Decision {
    decision_with_mfa(docs, caller, ask, None, now)
}

/// As [`decision`], for a call that brings an MFA code itself.
pub(crate) fn decision_with_mfa(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    mfa: Option<MfaProof>,
    now: DateTime<Utc>,
) -> Decision {
    let gathered = Gathered::of(docs, caller);
    let mut context = ask.context.clone();
    context::set_caller(&mut context, caller, &gathered.tags, now);
    if let Some(proof) = mfa {
        context::set_mfa(&mut context, Some(proof.at()), now);
    }
    let account = caller.principal.account();
    let same_account = ask.resource_account.is_none_or(|owner| Some(owner) == account);
    let identity: Vec<&Policy> = gathered.identity.iter().collect();
    let session: Vec<&Policy> = gathered.session.iter().collect();
    let service_control: Vec<Vec<&Policy>> =
        gathered.service_control.iter().map(|level| level.iter().collect()).collect();
    let policies = Policies {
        identity: match &caller.principal {
            Principal::Root { .. } => IdentityPolicies::Root,
            Principal::User { .. } | Principal::AssumedRole { .. } => IdentityPolicies::Policies(&identity),
            Principal::FederatedUser { user, .. } if matches!(**user, Principal::Root { .. }) => {
                IdentityPolicies::Root
            }
            Principal::FederatedUser { .. } => IdentityPolicies::Policies(&identity),
            Principal::Service { .. } | Principal::WebIdentity { .. } | Principal::Anonymous => {
                IdentityPolicies::None
            }
        },
        boundary: gathered.boundary.as_ref(),
        session: &session,
        service_control: &service_control,
        resource: ask.resource_policy,
        resource_must_allow: ask.resource_must_allow,
        same_account,
    };
    let principal = caller.principal.as_policy_principal();
    let request = Request { action: ask.action, resource: ask.resource, principal, context: &context };
    decide(&request, &policies)
}

/// What a denial was decided on.
pub(crate) struct Evidence {
    /// The request's keys with those about the caller.
    pub(crate) context: Context,
    /// The statements that deny, by policy and place: of the caller's own policies, and of the resource's where the
    /// caller's account has it.
    pub(crate) denying: Vec<(Policy, usize)>,
}

/// What a denial was decided on. It is gathered anew, so that a call that is allowed pays nothing for it.
pub(crate) fn evidence(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    now: DateTime<Utc>,
) -> Evidence {
    let gathered = Gathered::of(docs, caller);
    let mut context = ask.context.clone();
    context::set_caller(&mut context, caller, &gathered.tags, now);
    let own = ask.resource_account.is_none_or(|owner| Some(owner) == caller.principal.account());
    let resource = ask.resource_policy.filter(|_| own);
    let principal = caller.principal.as_policy_principal();
    let request = Request { action: ask.action, resource: ask.resource, principal, context: &context };
    let Gathered { identity, boundary, session, service_control, .. } = &gathered;
    let own = identity.iter().chain(boundary).chain(session);
    let policies = own.chain(service_control.iter().flatten()).chain(resource);
    let denying = policies.filter_map(|policy| match policy.evaluate(&request) {
        Match::Deny { index, .. } => Some((policy.clone(), index)),
        Match::Allow { .. } | Match::None => None,
    });
    let denying = denying.collect();
    Evidence { context, denying }
}

/// The request's keys with those about the caller.
pub(crate) fn full_context(
    docs: &impl Documents,
    caller: &Caller,
    request: &Context,
    now: DateTime<Utc>,
) -> Context {
    let mut context = request.clone();
    context::set_caller(&mut context, caller, &Gathered::of(docs, caller).tags, now);
    context
}

impl Gathered {
    fn of(docs: &impl Documents, caller: &Caller) -> Self {
        let mut gathered = Self::of_principal(docs, &caller.principal);
        gathered.service_control = service_control_levels(docs, &caller.principal);
        if let (Some(account), Some(session)) = (caller.principal.account(), &caller.session) {
            gathered.session = session_policies(docs, account, session);
        }
        // A federated user has what a policy of the session lets through, and without one nothing.
        if matches!(caller.principal, Principal::FederatedUser { .. }) && gathered.session.is_empty() {
            gathered.session.push(ALLOW_NOTHING.clone());
        }
        gathered
    }

    fn of_principal(docs: &impl Documents, principal: &Principal) -> Self {
        match principal {
            Principal::User { account, name, id, .. } => {
                match docs
                    .document::<User>(&entity::document_id(*account, name))
                    .filter(|user| *user.id == **id)
                {
                    Some(user) => Self::of_user(docs, &user),
                    None => Self::default(),
                }
            }
            Principal::AssumedRole { account, role_name, role_id, .. } => {
                let role = docs.document::<Role>(&entity::document_id(*account, role_name));
                match role.filter(|role| *role.id == **role_id) {
                    Some(role) => Self::of_role(docs, &role),
                    None => Self::default(),
                }
            }
            Principal::FederatedUser { user, .. } => Self::of_principal(docs, user),
            Principal::Root { .. }
            | Principal::WebIdentity { .. }
            | Principal::Service { .. }
            | Principal::Anonymous => Self::default(),
        }
    }

    fn of_user(docs: &impl Documents, user: &User) -> Self {
        let mut gathered = Self { tags: user.tags.clone(), ..Self::default() };
        gathered.add(docs, user.account, &user.permissions);
        for group in &user.groups {
            match docs.document::<Group>(group) {
                Some(group) => gathered.add(docs, user.account, &group.permissions),
                // What the group denied is not known any more, so nothing is allowed.
                None => gathered.identity.push(DENY_ALL.clone()),
            }
        }
        gathered.bound(docs, user);
        gathered
    }

    fn of_role(docs: &impl Documents, role: &Role) -> Self {
        let mut gathered = Self { tags: role.tags.clone(), ..Self::default() };
        gathered.add(docs, role.account, &role.permissions);
        gathered.bound(docs, role);
        gathered
    }

    fn add(&mut self, docs: &impl Documents, account: AccountId, permissions: &Permissions) {
        self.identity.extend(permissions.inline.values().map(in_force));
        self.identity.extend(permissions.attached.iter().map(|arn| managed(docs, account, arn)));
    }

    fn bound(&mut self, docs: &impl Documents, entity: &impl Entity) {
        self.boundary = entity.permissions_boundary().map(|arn| managed(docs, entity.account(), arn));
    }
}

/// The service control policies over a principal: those of its account, unless it is a role that is a service's own.
fn service_control_levels(docs: &impl Documents, principal: &Principal) -> Vec<Vec<Policy>> {
    let is_linked = matches!(principal, Principal::AssumedRole { role_path, .. }
        if role_path.starts_with(SERVICE_ROLE_PATH));
    let account = principal.account().filter(|_| !is_linked);
    account.map(|account| organization::service_control_levels(docs, account)).unwrap_or_default()
}

fn session_policies(docs: &impl Documents, account: AccountId, session: &SessionInfo) -> Vec<Policy> {
    let inline = session.policy.iter().map(in_force);
    inline.chain(session.policy_arns.iter().map(|arn| managed(docs, account, arn))).collect()
}

fn in_force(text: &PolicyText) -> Policy {
    text.policy(PolicyKind::Identity).unwrap_or(&DENY_ALL).clone()
}

/// The managed policy of this ARN. One that is attached cannot be deleted, so one that is missing was lost:
/// what it denied is not known, and nothing is allowed.
fn managed(docs: &impl Documents, account: AccountId, arn: &str) -> Policy {
    managed_policy::with_document_in_force(docs, account, arn, in_force).unwrap_or_else(|| DENY_ALL.clone())
}
