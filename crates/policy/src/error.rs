//! Why a document is not a policy.

use std::fmt;

use crate::{PolicyKind, limits};

/// What an element of a policy must be, where it was something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A JSON object.
    Object,
    /// A string.
    Text,
    /// A string, or a list of strings.
    TextOrList,
    /// An object, or a list of objects that is not empty.
    ObjectOrList,
    /// A string, number or boolean, or a list of them.
    ScalarOrList,
    /// `"*"`, or an object of principal types.
    Principals,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Text => "a string",
            Self::TextOrList => "a string or a list of strings",
            Self::ObjectOrList => "an object or a non-empty list of objects",
            Self::ScalarOrList => "a string, a number, a boolean, or a list of them",
            Self::Principals => "\"*\" or an object of principal types",
        })
    }
}

/// A document that is not a policy of the kind it was read as.
///
/// The message begins as AWS's does, so that it can be sent as the text of IAM's
/// `MalformedPolicyDocument` or S3's `MalformedPolicy`; what AWS leaves unsaid (the place, the name) follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Longer than any policy may be.
    #[error("The policy is {bytes} bytes long; at most {} are allowed.", limits::MAX_DOCUMENT_BYTES)]
    TooLarge {
        /// The document's length.
        bytes: usize,
    },
    /// Not JSON.
    #[error("{} The JSON is not well-formed at line {line}, column {column}.", lead(*kind))]
    NotJson {
        /// What the document was read as.
        kind: PolicyKind,
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1; 0 at the end of the text.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("{} A policy is a JSON object.", lead(*kind))]
    NotAnObject {
        /// What the document was read as.
        kind: PolicyKind,
    },
    /// Arrays and objects nest deeper than a policy's can.
    #[error("Syntax errors in policy. It nests deeper than {} levels.", limits::MAX_DEPTH)]
    TooDeep,
    /// One object has the same member twice; which one counts would be a guess.
    #[error("Syntax errors in policy. Duplicate key {key:?}.")]
    DuplicateKey {
        /// The member's name.
        key: String,
    },
    /// A member that the policy language does not have.
    #[error("Syntax errors in policy. Unknown field {element}")]
    UnknownElement {
        /// The member's name.
        element: String,
    },
    /// An element has a value of the wrong type.
    #[error("Syntax errors in policy. {element} must be {expected}.")]
    WrongType {
        /// The element.
        element: String,
        /// What it must be.
        expected: Shape,
    },
    /// `Version` is not one of the language's versions.
    #[error(
        "Syntax errors in policy. The policy must contain a valid version string; {version:?} is not one."
    )]
    UnknownVersion {
        /// What it was.
        version: String,
    },
    /// The document is of the language's old version, or of none, where the current one is required.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    OldVersion,
    /// `Effect` is neither `Allow` nor `Deny` (in just this case).
    #[error("Syntax errors in policy. Invalid effect: {effect}")]
    InvalidEffect {
        /// What it was.
        effect: String,
    },
    /// An element that this kind of policy must have is absent, or empty.
    #[error("{}", missing(*kind, element))]
    MissingElement {
        /// The element's name.
        element: &'static str,
        /// What the document was read as.
        kind: PolicyKind,
    },
    /// An element that this kind of policy must not have.
    #[error("{}", prohibited(*kind, element))]
    ProhibitedElement {
        /// The element's name.
        element: &'static str,
        /// What the document was read as.
        kind: PolicyKind,
    },
    /// Both an element and its negation are there.
    #[error("Syntax errors in policy. A statement has either {element} or Not{element}, not both.")]
    BothOfPair {
        /// The element's name, without `Not`.
        element: &'static str,
    },
    /// Two statements have the same `Sid`.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid {
        /// The repeated identifier.
        sid: String,
    },
    /// A `Sid` with characters that identity policies do not allow.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    InvalidSid {
        /// What it was.
        sid: String,
    },
    /// An action without the `service:` before its name.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    ActionWithoutService {
        /// The action.
        action: String,
    },
    /// An action with more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    ActionWithColons {
        /// The action.
        action: String,
    },
    /// The service of an action has characters that no service has (wildcards among them).
    #[error("Vendor {service} is not valid")]
    InvalidService {
        /// What stood before the colon.
        service: String,
    },
    /// A role's trust policy speaks of an action that is not of STS.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    NotAnAssumeRoleAction {
        /// The action.
        action: String,
    },
    /// A resource that is neither an ARN nor `*`.
    #[error("Resource {resource} must be in ARN format or \"*\".")]
    InvalidResource {
        /// The resource.
        resource: String,
    },
    /// A resource in a partition that does not exist.
    #[error("Partition \"{partition}\" is not valid for resource \"{resource}\".")]
    InvalidPartition {
        /// The partition.
        partition: String,
        /// The resource.
        resource: String,
    },
    /// A principal that is none of the forms AWS documents.
    #[error("Invalid principal in policy: {principal:?}")]
    InvalidPrincipal {
        /// The principal.
        principal: String,
    },
    /// `NotPrincipal` stands in a statement that allows.
    #[error("Invalid principal in policy: NotPrincipal must be used with Effect Deny.")]
    NotPrincipalWithAllow,
    /// A condition operator that does not exist.
    #[error("Syntax errors in policy. Invalid Condition type : {operator}")]
    UnknownOperator {
        /// The operator as written.
        operator: String,
    },
    /// A condition's value is not of its operator's type.
    #[error("The policy failed legacy parsing: {value:?} is not a valid value for {operator}.")]
    InvalidConditionValue {
        /// The operator as written.
        operator: String,
        /// The value.
        value: String,
    },
    /// `${` that does not begin a well-formed policy variable.
    #[error("Syntax errors in policy. {value:?} contains an invalid policy variable.")]
    InvalidVariable {
        /// The whole value around it.
        value: String,
    },
}

/// How a document that is not even JSON is refused: S3 and IAM differ.
fn lead(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Resource => "Policies must be valid JSON and the first byte must be '{'.",
        PolicyKind::Identity | PolicyKind::Trust => "Syntax errors in policy.",
    }
}

fn missing(kind: PolicyKind, element: &str) -> String {
    match (kind, element) {
        (PolicyKind::Identity | PolicyKind::Trust, "Action") => {
            "Policy statement must contain actions.".to_owned()
        }
        (PolicyKind::Identity, "Resource") => "Policy statement must contain resources.".to_owned(),
        (PolicyKind::Identity, _) => format!("Syntax errors in policy. Missing required field {element}"),
        (PolicyKind::Trust | PolicyKind::Resource, _) => format!("Missing required field {element}"),
    }
}

fn prohibited(kind: PolicyKind, element: &str) -> String {
    match kind {
        PolicyKind::Identity => "Policy document should not specify a principal.".to_owned(),
        PolicyKind::Trust | PolicyKind::Resource => format!("Has prohibited field {element}"),
    }
}
