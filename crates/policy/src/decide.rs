//! From every policy that applies to one answer.
//!
//! Source: the IAM User Guide, "Policy evaluation logic" and "Troubleshoot access denied error messages".

use std::{fmt, sync::Arc};

use crate::{
    Policy, PolicyKind, PrincipalRef, Request,
    evaluate::{Grant, Match},
};

/// What the caller's own side brings.
#[derive(Debug, Clone, Copy, Default)]
pub enum Identity<'a> {
    /// Nothing: an anonymous caller, an AWS service, a federated caller without a role. Only the resource's
    /// policy can allow, and neither boundaries nor service control policies concern them.
    #[default]
    None,
    /// The root user of an account: allowed everything that nothing denies.
    Root,
    /// The policies of a user (its groups' included) or of a role.
    Policies(&'a [&'a Policy]),
}

/// Every policy that applies to a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// The caller's own.
    pub identity: Identity<'a>,
    /// The caller's permissions boundary; `None` if there is none.
    pub boundary: Option<&'a Policy>,
    /// The policies passed when the session was made; empty if there were none. One must allow.
    pub session: &'a [&'a Policy],
    /// The service control policies, one list for each level from the organization's root down to the
    /// caller's account; empty if they do not apply. One policy of every level must allow.
    pub service_control: &'a [Vec<&'a Policy>],
    /// The resource's own policy.
    pub resource: Option<&'a Policy>,
    /// Whether the resource's policy must allow even within one account, as a KMS key's must. A role's
    /// trust policy must, whatever is said here.
    pub resource_must_allow: bool,
    /// Whether caller and resource belong to one account. Between accounts both sides must allow.
    pub same_account: bool,
}

/// Which policy an answer is due to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicySource {
    /// A policy of the user, its groups, or the role.
    Identity,
    /// The resource's policy.
    Resource,
    /// The role's trust policy.
    Trust,
    /// The permissions boundary.
    Boundary,
    /// A session policy.
    Session,
    /// A service control policy.
    ServiceControl,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No, because a policy that would have to allow does not.
    ImplicitDeny {
        /// The first policy, in AWS's order of evaluation, that would have had to.
        by: PolicySource,
    },
    /// No, because a policy says so.
    ExplicitDeny {
        /// That policy.
        by: PolicySource,
        /// The `Sid` of its statement.
        sid: Option<Arc<str>>,
    },
}

/// Decides on a request as AWS does: a deny anywhere is final; otherwise each side that has to allow must.
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let considered = policies.considered();
    let bounded = considered.boundary.is_some();
    let findings = Findings::gather(request, &considered, bounded);
    if let Some((by, sid)) = findings.denied {
        return Decision::ExplicitDeny { by, sid };
    }
    match considered.first_missing(request, &findings) {
        None => Decision::Allow,
        Some(by) => Decision::ImplicitDeny { by },
    }
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    /// The end of AWS's message after `User: … is not authorized to perform: … on resource: …`, such as
    /// `with an explicit deny in a resource-based policy` or
    /// `because no identity-based policy allows the s3:PutObject action`. `None` for [`Decision::Allow`].
    pub fn reason(&self, action: &str) -> Option<String> {
        match self {
            Self::Allow => None,
            Self::ImplicitDeny { by } => Some(format!("because no {by} allows the {action} action")),
            Self::ExplicitDeny { by, .. } => {
                let article = match by {
                    PolicySource::Identity => "an",
                    PolicySource::Trust => "the",
                    _ => "a",
                };
                Some(format!("with an explicit deny in {article} {by}"))
            }
        }
    }
}

impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::ServiceControl => "service control policy",
        })
    }
}

/// What each policy was found to say.
struct Findings {
    /// The first deny, in AWS's order.
    denied: Option<(PolicySource, Option<Arc<str>>)>,
    service_control: bool,
    resource: Option<Grant>,
    identity: bool,
    boundary: bool,
    session: bool,
}

impl Findings {
    fn gather(request: &Request<'_>, policies: &Policies<'_>, bounded: bool) -> Self {
        let mut denied = None;
        let mut ask = |policy: &Policy, source: PolicySource| match policy.evaluate_for(request, bounded) {
            Match::Allow { grant, .. } => Some(grant),
            Match::Deny { sid, .. } => {
                denied.get_or_insert((source, sid));
                None
            }
            Match::None => None,
        };
        // Every policy is asked, also after one has allowed: a deny may stand in any of them.
        let mut any = |policies: &[&Policy], source: PolicySource| {
            policies.iter().filter_map(|policy| ask(policy, source)).max()
        };
        let levels: Vec<bool> = policies
            .service_control
            .iter()
            .map(|level| any(level, PolicySource::ServiceControl).is_some())
            .collect();
        let resource = any(policies.resource.as_slice(), policies.resource_source());
        let identity = match policies.identity {
            Identity::None => false,
            Identity::Root => true,
            Identity::Policies(attached) => any(attached, PolicySource::Identity).is_some(),
        };
        let boundary = any(policies.boundary.as_slice(), PolicySource::Boundary).is_some()
            || policies.boundary.is_none();
        let session = any(policies.session, PolicySource::Session).is_some() || policies.session.is_empty();
        let service_control = levels.iter().all(|allowed| *allowed);
        Self { denied, service_control, resource, identity, boundary, session }
    }
}

impl<'a> Policies<'a> {
    /// Those that concern the caller: one without an identity has nothing but the resource's policy.
    fn considered(&self) -> Policies<'a> {
        match self.identity {
            Identity::None => Policies { boundary: None, session: &[], service_control: &[], ..*self },
            Identity::Root | Identity::Policies(_) => *self,
        }
    }

    fn resource_source(&self) -> PolicySource {
        match self.resource.map(Policy::kind) {
            Some(PolicyKind::Trust) => PolicySource::Trust,
            _ => PolicySource::Resource,
        }
    }

    /// The first policy that would have to allow and does not; `None` if the request is allowed.
    fn first_missing(&self, request: &Request<'_>, findings: &Findings) -> Option<PolicySource> {
        if !findings.service_control {
            return Some(PolicySource::ServiceControl);
        }
        if matches!(self.identity, Identity::None) {
            return findings.resource.is_none().then(|| self.resource_source());
        }
        let resource_source = self.resource_source();
        let resource_must_allow =
            !self.same_account || self.resource_must_allow || resource_source == PolicySource::Trust;
        if resource_must_allow && findings.resource.is_none() {
            return Some(resource_source);
        }
        // Within an account, a grant to the principal itself needs nothing else, except that the session of
        // a user was made from all the user had; one to a role stays within boundary and session policy;
        // one to the account leaves the choice to identity policies.
        let granted = if self.same_account { findings.resource } else { None };
        match granted {
            Some(Grant::Principal) => {
                let is_user = matches!(request.principal, PrincipalRef::User { .. });
                return (is_user && !findings.session).then_some(PolicySource::Session);
            }
            Some(Grant::Role) => {}
            Some(Grant::Account) | None if !findings.identity => return Some(PolicySource::Identity),
            Some(Grant::Account) | None => {}
        }
        if !findings.boundary {
            return Some(PolicySource::Boundary);
        }
        (!findings.session).then_some(PolicySource::Session)
    }
}
