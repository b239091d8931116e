//! A policy once it is read.

use std::{fmt, sync::Arc};

use crate::{PolicyError, condition::Condition, parse, pattern::Pattern, principal::Principals};

/// Where a policy stands, which decides what it may and must contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a user, group or role, or used as permissions boundary, session policy or service
    /// control policy: no `Principal`; `Resource` or `NotResource` in every statement.
    Identity,
    /// Attached to a resource, such as a bucket policy: `Principal` or `NotPrincipal`, and `Resource` or
    /// `NotResource`, in every statement.
    Resource,
    /// A role's trust policy: `Principal`, no `Resource`, actions of STS only.
    Trust,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, which a document without `Version` has: no policy variables.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// What a statement does to the requests it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Allows them.
    Allow,
    /// Denies them, whatever else allows them.
    Deny,
}

/// A policy: parsed, valid, immutable, cheap to clone. Two are equal when kind and source text are.
#[derive(Clone)]
pub struct Policy(pub(crate) Arc<Document>);

#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) source: Box<str>,
    pub(crate) kind: PolicyKind,
    pub(crate) version: Version,
    pub(crate) id: Option<Box<str>>,
    pub(crate) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) index: usize,
    pub(crate) sid: Option<Arc<str>>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Clause,
    pub(crate) resources: Option<Clause>,
    pub(crate) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) negated: bool,
    /// As written, each with its compiled form.
    pub(crate) patterns: Vec<(Box<str>, Pattern)>,
}

impl Policy {
    /// Reads and validates a document.
    ///
    /// # Errors
    /// The first thing found that AWS would refuse the document for.
    pub fn parse(json: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        parse::document(json, kind).map(|document| Self(Arc::new(document)))
    }

    /// The text it was read from, unchanged.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What it was read as.
    pub fn kind(&self) -> PolicyKind {
        self.0.kind
    }

    /// The version of the language it is written in.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// Its `Id`.
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Its statements, in order; at least one.
    pub fn statements(&self) -> &[Statement] {
        &self.0.statements
    }

    /// Refuses a document of the old version. IAM's managed policies must be of the current one.
    ///
    /// # Errors
    /// [`PolicyError::OldVersion`].
    pub fn require_current_version(&self) -> Result<(), PolicyError> {
        match self.0.version {
            Version::V2012 => Ok(()),
            Version::V2008 => Err(PolicyError::OldVersion),
        }
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.kind() == other.kind() && self.source() == other.source())
    }
}

impl Eq for Policy {}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("kind", &self.kind()).field("source", &self.source()).finish()
    }
}

impl Statement {
    /// Its place in the document, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its `Sid`, unless absent or empty.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// What it does.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The values of `Principal`, or of `NotPrincipal` if [`negates_principals`](Self::negates_principals), of every
    /// type; an account as its root's ARN, everyone as `*`. An identity policy has none.
    pub fn principals(&self) -> impl Iterator<Item = String> {
        self.principals.iter().flat_map(|principals| &principals.entries).map(ToString::to_string)
    }

    /// Whether it has `NotPrincipal` rather than `Principal`.
    pub fn negates_principals(&self) -> bool {
        self.principals.as_ref().is_some_and(|principals| principals.negated)
    }

    /// The values of `Action`, or of `NotAction` if [`negates_actions`](Self::negates_actions).
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.patterns.iter().map(|(written, _)| &**written)
    }

    /// Whether it has `NotAction` rather than `Action`.
    pub fn negates_actions(&self) -> bool {
        self.actions.negated
    }

    /// The values of `Resource`, or of `NotResource` if [`negates_resources`](Self::negates_resources). A
    /// trust policy has none.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().flat_map(|clause| &clause.patterns).map(|(written, _)| &**written)
    }

    /// Whether it has `NotResource` rather than `Resource`.
    pub fn negates_resources(&self) -> bool {
        self.resources.as_ref().is_some_and(|clause| clause.negated)
    }

    /// The condition keys that it asks for, as written, those of variables included. One may come twice.
    pub fn context_keys(&self) -> impl Iterator<Item = &str> {
        let patterns = self.resources.iter().flat_map(|clause| &clause.patterns).map(|(_, pattern)| pattern);
        let conditions = self.conditions.iter().flat_map(|condition| {
            std::iter::once(&*condition.written().key).chain(condition.written_variables())
        });
        patterns.flat_map(Pattern::written_variables).chain(conditions)
    }

    /// Its conditions: operator, key and values as written.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        self.conditions.iter().map(|condition| {
            let written = condition.written();
            (&*written.operator, &*written.key, &*written.values)
        })
    }
}
