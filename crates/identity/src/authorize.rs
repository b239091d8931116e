//! Whether a caller may.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{
    Context, Decision, Identity as IdentityPolicies, Match, Policies, Policy, Request, decide,
};

use crate::{
    context,
    denial::Denial,
    documents::Documents,
    in_force::{self, InForce},
    mfa::MfaProof,
    organization,
    principal::{Caller, Principal},
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

/// Decides on an ask with all policies that there are about it.
pub(crate) fn authorize(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    now: DateTime<Utc>,
) -> Verdict {
    match decision(docs, caller, ask, now) {
        Decision::Allow => Verdict::Allowed,
        decision => Verdict::Denied(denial(docs, caller, ask, decision)),
    }
}

/// The denial that a decision means. Callers of the resource's account, or of its organization, are told why.
pub(crate) fn denial(docs: &impl Documents, caller: &Caller, ask: &Ask<'_>, decision: Decision) -> Denial {
    let told = match (caller.principal.account(), ask.resource_account) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(account), Some(owner)) => {
            let organization = |account| organization::principal_org_id(docs, account);
            account == owner || organization(account).is_some_and(|own| organization(owner) == Some(own))
        }
    };
    let arn = match &decision {
        Decision::ExplicitDeny { place, .. } if told => in_force::arn_of(docs, caller, *place),
        _ => None,
    };
    Denial::by_policy(caller, ask.action, ask.resource, decision, told, arn)
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
    let gathered = InForce::of(docs, caller);
    let mut context = all_keys(docs, caller, ask, &gathered, now);
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
    let gathered = InForce::of(docs, caller);
    let context = all_keys(docs, caller, ask, &gathered, now);
    let own = ask.resource_account.is_none_or(|owner| Some(owner) == caller.principal.account());
    let resource = ask.resource_policy.filter(|_| own);
    let principal = caller.principal.as_policy_principal();
    let request = Request { action: ask.action, resource: ask.resource, principal, context: &context };
    let InForce { identity, boundary, session, service_control, .. } = &gathered;
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
    let ask = Ask { context: request.clone(), ..Ask::default() };
    all_keys(docs, caller, &ask, &InForce::of(docs, caller), now)
}

/// The keys of a request with those about the caller, and those about the organizations of caller and resource.
fn all_keys(
    docs: &impl Documents,
    caller: &Caller,
    ask: &Ask<'_>,
    in_force: &InForce,
    now: DateTime<Utc>,
) -> Context {
    let mut context = ask.context.clone();
    context::set_caller(&mut context, caller, &in_force.tags, now);
    context::set_accounts(&mut context, docs, caller.principal.account(), ask.resource_account);
    context
}
