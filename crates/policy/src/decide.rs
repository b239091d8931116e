//! From every policy that applies to one answer.
//!
//! Source: the IAM User Guide, "Policy evaluation logic".

use crate::{
    Policy, PolicyKind, PrincipalRef, Request, Statement,
    decision::{Decision, Place, PolicySource},
    evaluate::{Grant, Ruling},
    pattern::Subject,
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

/// Decides on a request as AWS does: a deny anywhere is final; otherwise each side that has to allow must.
pub fn decide(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let action = request.action.to_ascii_lowercase();
    let (action, bounded) = (Subject::new(&action), policies.is_bounded());
    let findings = Findings::gather(policies, |policy| policy.rule(request, &action, bounded));
    policies.rule(&request.principal, &findings)
}

/// What each kind of policy was found to say.
pub(crate) struct Findings<'p> {
    /// The first deny, in AWS's order.
    denied: Option<(Place, &'p Statement)>,
    service_control: bool,
    resource: Option<Grant>,
    identity: bool,
    boundary: bool,
    session: bool,
}

impl<'p> Findings<'p> {
    /// Asks every policy that concerns the caller, also after one has allowed: a deny may stand in any of them.
    pub(crate) fn gather(policies: &Policies<'p>, ask: impl Fn(&'p Policy) -> Ruling<'p>) -> Self {
        let policies = policies.considered();
        let mut asking = Asking { ask, denied: None };
        let mut service_control = true;
        for (level, attached) in policies.service_control.iter().enumerate() {
            let place = |policy| Place { by: PolicySource::ServiceControl, level, policy };
            service_control &= asking.all(attached.iter().copied(), place).is_some();
        }
        let resource_source = policies.resource_source();
        let resource =
            asking.all(policies.resource, |policy| Place { by: resource_source, level: 0, policy });
        let of = |by| move |policy| Place { by, level: 0, policy };
        let identity = match policies.identity {
            Identity::None => false,
            Identity::Root => true,
            Identity::Policies(attached) => {
                asking.all(attached.iter().copied(), of(PolicySource::Identity)).is_some()
            }
        };
        let bounded = asking.all(policies.boundary, of(PolicySource::Boundary)).is_some();
        let in_session = asking.all(policies.session.iter().copied(), of(PolicySource::Session)).is_some();
        Self {
            denied: asking.denied,
            service_control,
            resource,
            identity,
            boundary: bounded || policies.boundary.is_none(),
            session: in_session || policies.session.is_empty(),
        }
    }
}

/// The asking of one policy after the other.
struct Asking<'p, F> {
    ask: F,
    denied: Option<(Place, &'p Statement)>,
}

impl<'p, F: Fn(&'p Policy) -> Ruling<'p>> Asking<'p, F> {
    /// The most direct grant of any of these.
    fn all(
        &mut self,
        policies: impl IntoIterator<Item = &'p Policy>,
        place: impl Fn(usize) -> Place,
    ) -> Option<Grant> {
        let mut best = None;
        for (at, policy) in policies.into_iter().enumerate() {
            match (self.ask)(policy) {
                Ruling::Allow(_, grant) => best = best.max(Some(grant)),
                Ruling::Deny(statement) => {
                    self.denied.get_or_insert_with(|| (place(at), statement));
                }
                Ruling::None => {}
            }
        }
        best
    }
}

impl<'a> Policies<'a> {
    /// Whether a boundary concerns the caller.
    pub(crate) fn is_bounded(&self) -> bool {
        self.considered().boundary.is_some()
    }

    /// The answer that follows from what the policies say.
    pub(crate) fn rule(&self, principal: &PrincipalRef<'_>, findings: &Findings<'_>) -> Decision {
        if let Some((place, statement)) = findings.denied {
            let sid = statement.sid.clone();
            return Decision::ExplicitDeny { place, statement: statement.index, sid };
        }
        match self.considered().first_missing(principal, findings) {
            None => Decision::Allow,
            Some(by) => Decision::ImplicitDeny { by },
        }
    }

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
    fn first_missing(&self, principal: &PrincipalRef<'_>, findings: &Findings<'_>) -> Option<PolicySource> {
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
                let is_user = matches!(principal, PrincipalRef::User { .. });
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
