//! What policies would allow, without anything being done: the policy simulator.
//!
//! Source: the IAM API reference, `SimulatePrincipalPolicy` and `SimulateCustomPolicy`.

mod context_keys;
mod evaluate;
mod exclusion;
mod world;

use opentrail_event::AccountId;
use opentrail_policy::{Position, ValueType};

pub use context_keys::{of_principal as context_keys_of_principal, of_texts as context_keys_of_texts};
pub use exclusion::{Exclusion, ExclusionKind};
pub use world::World;

/// What is simulated.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// The ARN of the user, group or role whose policies are simulated; `None` for those given only.
    pub source_arn: Option<&'a str>,
    /// Identity policies to simulate, besides the source's.
    pub policies: &'a [String],
    /// A permissions boundary, in place of the source's. One at most.
    pub boundaries: &'a [String],
    /// Service control policies, a list for each level from the organization's root down to the account. Only without
    /// a source, which has its account's.
    pub service_control: &'a [Vec<String>],
    /// Policies of the source that are left out.
    pub exclusions: &'a [Exclusion<'a>],
    /// The policy that each of the resources has.
    pub resource_policy: Option<&'a str>,
    /// The account of resources whose ARN names none: its id or its root's ARN.
    pub resource_owner: Option<&'a str>,
    /// Who calls, if that is not the source: the ARN of a user, a group or a role.
    pub caller_arn: Option<&'a str>,
    /// The values of condition keys.
    pub context: &'a [ContextEntry<'a>],
}

/// The values of one condition key.
#[derive(Debug, Clone)]
pub struct ContextEntry<'a> {
    /// The key.
    pub key: &'a str,
    /// Its values; one unless it is multivalued.
    pub values: &'a [String],
    /// Of which type they are.
    pub value_type: ValueType,
    /// Whether the key may have several.
    pub multivalued: bool,
}

/// The answer about one action and one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The answer.
    pub outcome: Outcome,
    /// The statements that it is due to: those that deny, or those that allow.
    pub matched: Vec<MatchedStatement>,
    /// Condition keys that statements about the action ask for and nothing gave a value to.
    pub missing: Vec<String>,
    /// Whether the boundary allows it, if there is one.
    pub boundary: Option<bool>,
    /// Whether the service control policies allow it, if there are any.
    pub organizations: Option<bool>,
    /// Between accounts, what each kind of policy says; not if the organization denies.
    pub details: Option<Vec<(&'static str, Outcome)>>,
}

/// What the simulator answers. In order: a later one is more restrictive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Allowed.
    Allowed,
    /// Nothing allows it.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

impl Outcome {
    /// As the API has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

/// A statement, and the policy it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedStatement {
    /// What the policy is called: `PolicyInputList.1`, `user_alice_reading`, a managed policy's name.
    pub policy: String,
    /// What kind of policy it is: `user`, `aws-managed`, … or `none`.
    pub policy_type: &'static str,
    /// Where the statement begins in the policy's text.
    pub start: Position,
    /// Where it ends.
    pub end: Position,
}

/// The account of an ARN, if it names one.
fn account_of_arn(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}
