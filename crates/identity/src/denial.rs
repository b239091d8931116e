//! Why a caller may not, in AWS's words.
//!
//! Source: the IAM User Guide, "Troubleshoot access denied error messages".

use std::fmt;

use opentrail_policy::Decision;

use crate::principal::{Caller, Principal};

/// Why a caller may not. Prints as AWS's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Denial(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    caller: String,
    action: String,
    resource: String,
    decision: Option<Decision>,
    told: bool,
    policy_arn: Option<String>,
}

impl Denial {
    /// Whether a policy says no, rather than none saying yes.
    pub fn is_explicit(&self) -> bool {
        matches!(self.0.decision, Some(Decision::ExplicitDeny { .. }))
    }

    /// A denial due to a policy, with its ARN if it has one and denies explicitly. The message says to which it is due
    /// only if it is `told`: AWS tells callers of the same account or organization.
    pub(crate) fn by_policy(
        caller: &Caller,
        action: &str,
        resource: &str,
        decision: Decision,
        told: bool,
        policy_arn: Option<String>,
    ) -> Self {
        let mut denial = Self::without_reason(caller, action, resource);
        denial.0.decision = Some(decision);
        denial.0.told = told;
        denial.0.policy_arn = policy_arn;
        denial
    }

    /// A denial that is not due to a policy.
    pub(crate) fn without_reason(caller: &Caller, action: &str, resource: &str) -> Self {
        Self(Box::new(Details {
            caller: shown(&caller.principal),
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision: None,
            told: false,
            policy_arn: None,
        }))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { caller, action, resource, decision, told, policy_arn } = &*self.0;
        write!(f, "User: {caller} is not authorized to perform: {action}")?;
        // AWS names no resource where the action is about none.
        if resource != "*" {
            write!(f, " on resource: {resource}")?;
        }
        let Some(reason) = decision.as_ref().filter(|_| *told).and_then(|decision| decision.reason(action))
        else {
            return Ok(());
        };
        write!(f, " {reason}")?;
        match policy_arn {
            Some(arn) => write!(f, ": {arn}"),
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
