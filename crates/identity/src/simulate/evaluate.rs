//! The simulation of one action on one resource.

use std::collections::HashSet;

use opentrail_policy::{
    Decision, Effect, Identity, Match, Policies, Policy, PrincipalRef, Request, Statement, decide,
};

use super::{Finding, MatchedStatement, Outcome, account_of_arn, world::Labelled};
use crate::simulate::World;

/// What EvalDecisionDetails call the kinds of policies.
const IDENTITY_POLICY: &str = "IAM Policy";
const RESOURCE_POLICY: &str = "Resource Policy";
const BOUNDARY_POLICY: &str = "Permissions Boundary Policy";

impl World {
    /// Simulates an action, `service:Name`, on a resource: an ARN or `*`.
    pub fn simulate(&self, action: &str, resource: &str) -> Finding {
        let principal =
            self.caller.as_ref().map_or(PrincipalRef::Anonymous, |caller| caller.as_policy_principal());
        let request = Request { action, resource, principal, context: &self.context };
        let identity: Vec<&Policy> = self.identity.iter().map(|labelled| &labelled.policy).collect();
        let levels: Vec<Vec<&Policy>> = self
            .service_control
            .iter()
            .map(|level| level.iter().map(|labelled| &labelled.policy).collect())
            .collect();
        let same_account = self.is_own(resource);
        let policies = Policies {
            identity: Identity::Policies(&identity),
            boundary: self.boundary.as_ref().map(|labelled| &labelled.policy),
            session: &[],
            service_control: &levels,
            resource: self.resource.as_ref().map(|labelled| &labelled.policy),
            resource_must_allow: false,
            same_account,
        };
        let decision = decide(&request, &policies);
        let outcome = match decision {
            Decision::Allow => Outcome::Allowed,
            Decision::ImplicitDeny { .. } => Outcome::ImplicitDeny,
            Decision::ExplicitDeny { .. } => Outcome::ExplicitDeny,
        };
        let organizations = (!levels.is_empty()).then(|| {
            let of_level = |level: &Vec<&Policy>| one(level.iter().copied(), &request) == Outcome::Allowed;
            levels.iter().all(of_level)
        });
        let details = (!same_account && organizations != Some(false)).then(|| self.details(&request));
        Finding {
            outcome,
            matched: self.matched(&request, outcome),
            missing: self.missing(&request),
            boundary: policies.boundary.map(|boundary| one([boundary], &request) == Outcome::Allowed),
            organizations,
            details,
        }
    }

    /// Whether the resource belongs to the caller's account.
    fn is_own(&self, resource: &str) -> bool {
        let caller = self.caller.as_ref().and_then(|caller| caller.account());
        let owner = account_of_arn(resource).or(self.resource_owner);
        match (caller, owner) {
            (Some(caller), Some(owner)) => caller == owner,
            _ => true,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Labelled> {
        let levels = self.service_control.iter().flatten();
        levels.chain(&self.resource).chain(&self.identity).chain(&self.boundary)
    }

    /// What each kind of policy says.
    fn details(&self, request: &Request<'_>) -> Vec<(&'static str, Outcome)> {
        let mut details =
            vec![(IDENTITY_POLICY, one(self.identity.iter().map(|found| &found.policy), request))];
        if let Some(boundary) = &self.boundary {
            details.push((BOUNDARY_POLICY, one([&boundary.policy], request)));
        }
        details.push((RESOURCE_POLICY, one(self.resource.iter().map(|found| &found.policy), request)));
        details
    }

    /// The statements that an outcome is due to. Of a boundary and of service control policies, which allow nothing by
    /// themselves, only those that deny.
    fn matched(&self, request: &Request<'_>, outcome: Outcome) -> Vec<MatchedStatement> {
        let bounded = self.boundary.is_some();
        let of = |labelled: &Labelled, effect: Effect| {
            let applying = labelled.policy.applicable(request, bounded).into_iter();
            let matched = applying.filter(|statement| statement.effect() == effect);
            matched.filter_map(|statement| statement_of(labelled, statement)).collect::<Vec<_>>()
        };
        match outcome {
            Outcome::ImplicitDeny => Vec::new(),
            Outcome::ExplicitDeny => self.all().flat_map(|labelled| of(labelled, Effect::Deny)).collect(),
            Outcome::Allowed => self
                .resource
                .iter()
                .chain(&self.identity)
                .flat_map(|labelled| of(labelled, Effect::Allow))
                .collect(),
        }
    }

    /// How much each simulation looks at, and may have to tell of: statements, and the condition keys in them.
    pub fn weight(&self) -> usize {
        let statements = self.all().flat_map(|labelled| labelled.policy.statements());
        statements.map(|statement| 1 + statement.context_keys().count()).sum()
    }

    /// The keys that statements about the action ask for and nothing gave a value to, each once.
    fn missing(&self, request: &Request<'_>) -> Vec<String> {
        let statements = self.all().flat_map(|labelled| labelled.policy.statements());
        let (mut missing, mut known) = (Vec::new(), HashSet::new());
        for key in statements.filter(|found| found.is_about(request)).flat_map(Statement::context_keys) {
            if self.context.get(key).is_none() && known.insert(key.to_ascii_lowercase()) {
                missing.push(key.to_owned());
            }
        }
        missing
    }
}

/// What these policies say without the others.
fn one<'a>(policies: impl IntoIterator<Item = &'a Policy>, request: &Request<'_>) -> Outcome {
    let mut outcome = Outcome::ImplicitDeny;
    for policy in policies {
        match policy.evaluate(request) {
            Match::Deny { .. } => return Outcome::ExplicitDeny,
            Match::Allow { .. } => outcome = Outcome::Allowed,
            Match::None => {}
        }
    }
    outcome
}

fn statement_of(labelled: &Labelled, statement: &Statement) -> Option<MatchedStatement> {
    let (start, end) = labelled.position(statement.index())?;
    Some(MatchedStatement { policy: labelled.id.clone(), policy_type: labelled.kind, start, end })
}
