//! What one policy says about one request.

use std::sync::Arc;

use crate::{
    Context, Effect, Policy, PrincipalRef, Statement,
    document::Clause,
    pattern::{Subject, Unresolved},
    principal::Principals,
};

/// A request to be decided on.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `service:Name`, such as `s3:PutObject`; compared without regard to case.
    pub action: &'a str,
    /// The ARN, or `*` for an action that is not about a resource.
    pub resource: &'a str,
    /// Who asks.
    pub principal: PrincipalRef<'a>,
    /// The condition keys.
    pub context: &'a Context,
}

/// How directly a statement allows the principal. In order: a later one is worth more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// The principal's account is named: within that account this only delegates, an identity policy must
    /// allow too.
    Account,
    /// The role of the session is named: allowed, as far as the role's boundary and the session's policy go.
    Role,
    /// The principal itself is named, or everyone is; also every statement without a `Principal`.
    Principal,
}

/// What one policy says about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// A statement allows it and none denies it. Of several, the first of those that grant most directly.
    Allow {
        /// The statement's `Sid`.
        sid: Option<Arc<str>>,
        /// The statement's place, from 0.
        index: usize,
        /// How directly.
        grant: Grant,
    },
    /// A statement denies it: the first that does.
    Deny {
        /// The statement's `Sid`.
        sid: Option<Arc<str>>,
        /// The statement's place, from 0.
        index: usize,
    },
    /// No statement applies.
    None,
}

impl Policy {
    /// What this policy says about `request`: an explicit deny outweighs an allow, which outweighs nothing.
    ///
    /// An identity policy does not look at the principal; that it is attached to the one who asks is the
    /// caller's to know.
    pub fn evaluate(&self, request: &Request<'_>) -> Match {
        let sid = |statement: &Statement| statement.sid.clone();
        let action = request.action.to_ascii_lowercase();
        match self.rule(request, &Subject::new(&action), false) {
            Ruling::Allow(statement, grant) => {
                Match::Allow { sid: sid(statement), index: statement.index, grant }
            }
            Ruling::Deny(statement) => Match::Deny { sid: sid(statement), index: statement.index },
            Ruling::None => Match::None,
        }
    }

    /// Every statement that applies to `request`, of whatever effect; for a principal that has a permissions
    /// boundary (`bounded`) or not.
    pub fn applicable(&self, request: &Request<'_>, bounded: bool) -> Vec<&Statement> {
        let action = request.action.to_ascii_lowercase();
        let action = Subject::new(&action);
        let applies = |statement: &&Statement| statement.applies(request, &action, bounded).is_some();
        self.statements().iter().filter(applies).collect()
    }

    /// As [`evaluate`](Self::evaluate), for a principal that has a permissions boundary (`bounded`) or not:
    /// a `Deny` with `NotPrincipal` excepts nobody who has one. `action` is the request's in lower case.
    pub(crate) fn rule(&self, request: &Request<'_>, action: &Subject<'_>, bounded: bool) -> Ruling<'_> {
        let mut ruling = Ruling::None;
        for statement in self.statements() {
            let Some(grant) = statement.applies(request, action, bounded) else { continue };
            match statement.effect {
                Effect::Deny => return Ruling::Deny(statement),
                Effect::Allow => ruling.allow(statement, grant),
            }
        }
        ruling
    }
}

/// What one policy says about a request, without what it costs to keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ruling<'p> {
    Allow(&'p Statement, Grant),
    Deny(&'p Statement),
    None,
}

impl<'p> Ruling<'p> {
    /// One more statement that allows: it counts if it grants more directly than those before.
    pub(crate) fn allow(&mut self, statement: &'p Statement, grant: Grant) {
        match *self {
            Self::None => *self = Self::Allow(statement, grant),
            Self::Allow(_, best) if grant > best => *self = Self::Allow(statement, grant),
            Self::Allow(..) | Self::Deny(_) => {}
        }
    }
}

impl Statement {
    /// Whether it would apply to the request's action and principal, on some resource and under some conditions.
    pub fn is_about(&self, request: &Request<'_>) -> bool {
        let action = request.action.to_ascii_lowercase();
        let named = |principals: &Principals| principals.grant(&request.principal, request.context).is_some();
        self.actions.covers(&Subject::new(&action), request.context, self.effect)
            && self.principals.as_ref().is_none_or(named)
    }

    /// Whether the statement applies to the request, and how directly it names the principal. What is cheap to see
    /// is looked at first; conditions last.
    fn applies(&self, request: &Request<'_>, action: &Subject<'_>, bounded: bool) -> Option<Grant> {
        let context = request.context;
        if !self.actions.covers(action, context, self.effect) {
            return None;
        }
        let grant = match &self.principals {
            None => Grant::Principal,
            Some(principals) if principals.negated && bounded => Grant::Principal,
            Some(principals) => principals.grant(&request.principal, context)?,
        };
        let resources = self.resources.as_ref();
        let applies = resources
            .is_none_or(|clause| clause.covers(&Subject::new(request.resource), context, self.effect))
            && self.conditions.iter().all(|condition| condition.holds(context));
        applies.then_some(grant)
    }
}

impl Clause {
    /// Whether the clause covers a text. A value with a variable that the request does not have matches
    /// nothing; where that would widen an `Allow` (`NotResource`), the clause covers nothing at all.
    pub(crate) fn covers(&self, text: &Subject<'_>, context: &Context, effect: Effect) -> bool {
        let mut unresolved = false;
        let listed = self.patterns.iter().any(|(_, pattern)| match pattern.matches_subject(text, context) {
            Ok(matched) => matched,
            Err(Unresolved) => {
                unresolved = true;
                false
            }
        });
        if self.negated && unresolved && effect == Effect::Allow {
            return false;
        }
        listed != self.negated
    }
}
