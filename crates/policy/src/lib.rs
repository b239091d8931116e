//! The IAM policy language: documents, conditions, evaluation.
//!
//! [`Policy::parse`] reads and validates one document, [`Policy::evaluate`] says what that document
//! says about one [`Request`], and [`decide`] combines every policy that applies to a request into the
//! answer AWS would give, with the reason AWS would print. Of requests of which not all is known,
//! [`Policy::explain`] says which statements apply and what they need for it, and [`possible`] whether any or every
//! such request is allowed.
//!
//! This crate does no I/O and takes no clock: `aws:CurrentTime` is a key of the [`Context`] like any
//! other, set by whoever knows the time.
//!
//! It is written here rather than taken from crates.io because the one complete candidate, `iam-rs` 0.7,
//! substitutes policy variables before it looks for wildcards (a user named `*` would match everything),
//! resolves an unknown variable to nothing instead of making the statement not match, and does not tell a
//! grant to an account from a grant to one of its principals, on which the same-account rule depends.
//!
//! Sources: the IAM User Guide's pages
//! [policy elements](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html),
//! [condition operators](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html),
//! [variables](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html) and
//! [evaluation logic](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).

mod arn;
mod binding;
mod cidr;
mod condition;
mod context;
mod decide;
mod decision;
mod document;
mod error;
mod evaluate;
mod explain;
mod json;
pub mod limits;
mod operator;
mod overlap;
mod parse;
mod pattern;
mod position;
mod principal;
mod probe;
mod scalar;
mod search;
mod value_type;
mod variable;
mod witness;

pub use binding::Bindings;
pub use context::Context;
pub use decide::{Identity, Policies, decide};
pub use decision::{Decision, Place, PolicySource};
pub use document::{Effect, Policy, PolicyKind, Statement, Version};
pub use error::{PolicyError, Shape};
pub use evaluate::{Grant, Match, Request};
pub use explain::{Explained, Need, Possibility, Question, possible};
pub use position::Position;
pub use principal::PrincipalRef;
pub use search::{AnyWorld, Case, Example, Found, World, search};
pub use value_type::ValueType;
