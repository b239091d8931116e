//! The answer to a request, and its reason in AWS's words.
//!
//! Source: the IAM User Guide, "Troubleshoot access denied error messages".

use std::{fmt, sync::Arc};

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

/// Where a policy stands among those that were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// What kind of policy it is.
    pub by: PolicySource,
    /// For a service control policy its level, from 0 at the organization's root; 0 for others.
    pub level: usize,
    /// Its place in the list it was given in, from 0.
    pub policy: usize,
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
        /// That policy: the first that does, in AWS's order of evaluation.
        place: Place,
        /// Its statement's place in it, from 0.
        statement: usize,
        /// The statement's `Sid`.
        sid: Option<Arc<str>>,
    },
}

impl Decision {
    /// Whether the answer is yes.
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    /// Which kind of policy a denial is due to.
    pub fn source(&self) -> Option<PolicySource> {
        match self {
            Self::Allow => None,
            Self::ImplicitDeny { by } => Some(*by),
            Self::ExplicitDeny { place, .. } => Some(place.by),
        }
    }

    /// The end of AWS's message after `User: … is not authorized to perform: … on resource: …`, such as
    /// `with an explicit deny in a resource-based policy` or
    /// `because no identity-based policy allows the s3:PutObject action`. `None` for [`Decision::Allow`].
    pub fn reason(&self, action: &str) -> Option<String> {
        match self {
            Self::Allow => None,
            Self::ImplicitDeny { by } => Some(format!("because no {by} allows the {action} action")),
            Self::ExplicitDeny { place: Place { by, .. }, .. } => {
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
