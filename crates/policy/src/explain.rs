//! What a policy says about requests of which not all is known.
//!
//! [`Policy::evaluate`] answers for one request. Who asks "who can delete my logs?" knows the action, the bucket and
//! the principal, and not the key, the address or the time. [`Policy::explain`] answers that with three values: a
//! statement that never applies is left out, one that applies in any case has no [`Need`], and one that applies to
//! some of the requests says what they need. [`possible`] combines policies so.

use std::fmt;

use crate::{
    Context, Effect, Grant, Policy, PrincipalRef, Statement,
    condition::{Condition, Written},
    decide::{Findings, Policies},
    decision::Decision,
    document::Clause,
    evaluate::Ruling,
    overlap::{Overlap, overlap},
    pattern::Subject,
    principal::OfSessions,
};

/// A request of which not all is known.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `service:Name`, such as `s3:DeleteObjectVersion`; compared without regard to case.
    pub action: &'a str,
    /// The ARN. In it `*` and `?` stand for what is not known: `arn:aws:s3:::logs/*` asks about any object.
    pub resource: &'a str,
    /// Who asks; `None` for whoever a policy names. A role's session whose ARN ends in `/*` is any session.
    pub principal: Option<PrincipalRef<'a>>,
    /// Whether the principal has a permissions boundary, on which `NotPrincipal` depends.
    pub bounded: bool,
    /// The condition keys whose values are known.
    pub context: &'a Context,
    /// Beginnings of names of condition keys, such as `aws:PrincipalTag/`, of which the request has only those
    /// that are in `context`. Any other key may have any value, or none.
    pub known: &'a [&'a str],
}

/// A statement that applies to the request, or would.
#[derive(Debug, Clone)]
pub struct Explained<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// How directly it names the principal; `None` if the question names none and the statement does.
    pub grant: Option<Grant>,
    /// What has to be true for it to apply: all of these. Empty if it applies in any case.
    pub needs: Vec<Need>,
}

/// What a statement makes its effect depend on. Prints as a short clause, such as
/// `IpAddress aws:SourceIp 203.0.113.0/24`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Need {
    /// A condition on a key whose value is not known, as the document has it.
    Condition {
        /// The operator, such as `StringEquals`.
        operator: String,
        /// The key.
        key: String,
        /// The values.
        values: Vec<String>,
    },
    /// The resource must be one of these (`Resource`).
    Resource(Vec<String>),
    /// The resource must be none of these (`NotResource`).
    NotResource(Vec<String>),
    /// The session must be one of these.
    Session(Vec<String>),
    /// The session must be none of these (`NotPrincipal`).
    NotSession(Vec<String>),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Condition { operator, key, values } => {
                write!(f, "{operator} {key} {}", values.join(" or "))
            }
            Self::Resource(patterns) => write!(f, "resource {}", patterns.join(" or ")),
            Self::NotResource(patterns) => write!(f, "resource not {}", patterns.join(" or ")),
            Self::Session(arns) => write!(f, "session {}", arns.join(" or ")),
            Self::NotSession(arns) => write!(f, "session not {}", arns.join(" or ")),
        }
    }
}

/// What all policies together say about the requests that a question may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Possibility {
    /// Every one of them is allowed.
    Always,
    /// Some may be: it depends on what is not known.
    Sometimes,
    /// None is, for this reason.
    Never(Decision),
}

impl Policy {
    /// The statements that apply to the request, or would if more were as they need it; in their order. One that
    /// names both a role and sessions of it comes twice: what it gives to any session, and what to those.
    pub fn explain(&self, question: &Question<'_>) -> Vec<Explained<'_>> {
        let action = question.action.to_ascii_lowercase();
        self.statements().iter().flat_map(|statement| statement.explain(question, &action)).collect()
    }
}

/// Whether the principal could be allowed by all these policies together.
///
/// The answer is sound and not complete: `Always` and `Never` are certain, while `Sometimes` may also be given where
/// conditions that exclude each other stand in two policies.
pub fn possible(question: &Question<'_>, policies: &Policies<'_>) -> Possibility {
    let principal = question.principal.unwrap_or(PrincipalRef::Anonymous);
    let hopeful =
        policies.rule(&principal, &Findings::gather(policies, |policy| judge(policy, question, true)));
    if !hopeful.is_allow() {
        return Possibility::Never(hopeful);
    }
    let doubtful =
        policies.rule(&principal, &Findings::gather(policies, |policy| judge(policy, question, false)));
    if doubtful.is_allow() { Possibility::Always } else { Possibility::Sometimes }
}

/// What a policy says at best (`hopeful`: whatever an allow needs is so, whatever a deny needs is not) or at worst.
fn judge<'p>(policy: &'p Policy, question: &Question<'_>, hopeful: bool) -> Ruling<'p> {
    let mut ruling = Ruling::None;
    for Explained { statement, grant, needs } in policy.explain(question) {
        let certain = needs.is_empty();
        match statement.effect {
            Effect::Deny if certain || !hopeful => return Ruling::Deny(statement),
            Effect::Allow if certain || hopeful => ruling.allow(statement, grant.unwrap_or(Grant::Account)),
            Effect::Deny | Effect::Allow => {}
        }
    }
    ruling
}

/// Whether something is so in the requests that a question may mean.
enum Truth {
    Never,
    If(Need),
    Always,
}

impl Statement {
    fn explain(&self, question: &Question<'_>, action: &str) -> Vec<Explained<'_>> {
        if !self.actions.covers(&Subject::new(action), question.context, self.effect) {
            return Vec::new();
        }
        let resources = self.resources.iter().map(|clause| clause.truth(question, self.effect));
        let conditions = self.conditions.iter().map(|condition| condition.truth(question));
        let mut needs = Vec::new();
        for truth in resources.chain(conditions) {
            match truth {
                Truth::Never => return Vec::new(),
                Truth::If(need) => needs.push(need),
                Truth::Always => {}
            }
        }
        let naming = self.speaks_of(question).into_iter();
        let explained = naming.map(|(grant, session)| Explained {
            statement: self,
            grant,
            needs: session.into_iter().chain(needs.iter().cloned()).collect(),
        });
        explained.collect()
    }

    /// How directly it names the principal, and of which sessions that depends; nothing if it does not name it.
    fn speaks_of(&self, question: &Question<'_>) -> Vec<(Option<Grant>, Option<Need>)> {
        let Some(principals) = &self.principals else { return vec![(Some(Grant::Principal), None)] };
        let Some(principal) = question.principal else { return vec![(None, None)] };
        if principals.negated && question.bounded {
            return vec![(Some(Grant::Principal), None)];
        }
        let OfSessions { most, others, of_others } = principals.of_sessions(&principal, question.context);
        if principals.negated && !others.is_empty() {
            return most.map(|grant| (Some(grant), Some(Need::NotSession(others)))).into_iter().collect();
        }
        let most = most.map(|grant| (Some(grant), None));
        let others = of_others.map(|grant| (Some(grant), Some(Need::Session(others))));
        most.into_iter().chain(others).collect()
    }
}

impl Clause {
    fn truth(&self, question: &Question<'_>, effect: Effect) -> Truth {
        let decide = |key: &str| is_known(key, question);
        let mut listed = Overlap::Nothing;
        let mut unresolved = false;
        for (_, pattern) in &self.patterns {
            unresolved |= pattern.is_unresolved(question.context, decide);
            listed = listed.max(overlap(pattern, question.resource, question.context, decide));
        }
        let written = || self.patterns.iter().map(|(written, _)| written.to_string()).collect();
        // As in an evaluation: a NotResource that cannot be known in full allows nothing.
        if self.negated && unresolved && effect == Effect::Allow {
            return Truth::Never;
        }
        match (listed, self.negated) {
            (Overlap::Nothing, false) | (Overlap::Everything, true) => Truth::Never,
            (Overlap::Everything, false) | (Overlap::Nothing, true) => Truth::Always,
            (Overlap::Something, false) => Truth::If(Need::Resource(written())),
            (Overlap::Something, true) => Truth::If(Need::NotResource(written())),
        }
    }
}

impl Condition {
    fn truth(&self, question: &Question<'_>) -> Truth {
        let open = !is_known(self.key(), question) || self.variables().any(|key| !is_known(key, question));
        if open {
            let Written { operator, key, values } = self.written();
            return Truth::If(Need::Condition {
                operator: operator.to_string(),
                key: key.to_string(),
                values: values.clone(),
            });
        }
        if self.holds(question.context) { Truth::Always } else { Truth::Never }
    }
}

/// Whether it is known what value the request has under a key, or that it has none.
fn is_known(key: &str, question: &Question<'_>) -> bool {
    let begins = |beginning: &&str| {
        key.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
    };
    question.context.get(key).is_some() || question.known.iter().any(begins)
}
