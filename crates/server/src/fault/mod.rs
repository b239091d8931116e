//! What a caller is told when a call fails, and the one table that turns causes into AWS's codes.

mod archive;
mod causes;
mod codes;
mod kms;
mod lake;
mod organizations;
mod query;
mod trails;
mod vault;

use http::StatusCode;
use opentrail_identity::{login_profile::WrongPassword, mfa::WrongCode};
use opentrail_wire::sigv4::Family;

pub(crate) use codes::Common;

/// The family of AWS protocols an answer is given in; each has its own words for the same failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// awsJson 1.0 and 1.1 (CloudTrail).
    Json,
    /// awsQuery (IAM, STS).
    Query,
    /// S3's REST-XML.
    S3,
    /// restJson (`opentrail`).
    Rest,
    /// The Iceberg REST catalog (Glue).
    Iceberg,
}

impl Dialect {
    /// The words in which the protocol layer names a signature's faults.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Json | Self::Rest | Self::Iceberg => Family::Json,
            Self::Query => Family::Query,
            Self::S3 => Family::S3,
        }
    }
}

/// A failed call as its caller sees it: code, status and message; and the code its record carries.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    code: Box<str>,
    recorded: Box<str>,
    status: StatusCode,
    message: Box<str>,
    more: Option<Box<More>>,
}

/// What few failures have: kept apart, since every call carries room for a failure.
#[derive(Debug, Clone, Default)]
struct More {
    wrong: Option<WrongProof>,
    authorization: Option<Box<str>>,
    reason: Option<&'static str>,
}

/// The count of wrong proofs of who somebody is, to be kept with the record of the call that failed by one.
#[derive(Debug, Clone)]
pub(crate) enum WrongProof {
    /// MFA codes.
    Code(WrongCode),
    /// Passwords.
    Password(WrongPassword),
}

impl Fault {
    /// A failure that an operation's own model declares. Status and the record's spelling come from
    /// the table in `codes`; a code that is not listed there is a 400.
    pub(crate) fn declared(code: &'static str, message: impl Into<String>) -> Self {
        let (status, recorded) = codes::declared(code);
        Self {
            code: code.into(),
            recorded: recorded.into(),
            status,
            message: message.into().into_boxed_str(),
            more: None,
        }
    }

    /// A failure any operation of any service may have, in the dialect's own words.
    pub(crate) fn common(kind: Common, dialect: Dialect, message: impl Into<String>) -> Self {
        let (code, status) = kind.spelled(dialect);
        // Records of every service say AccessDenied, whatever its protocol says.
        let recorded = if kind == Common::AccessDenied { "AccessDenied" } else { code };
        Self {
            code: code.into(),
            recorded: recorded.into(),
            status,
            message: message.into().into_boxed_str(),
            more: None,
        }
    }

    /// A failure whose code and status were decided elsewhere (the protocol layer).
    pub(crate) fn exact(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            recorded: code.into(),
            status,
            message: message.into().into_boxed_str(),
            more: None,
        }
    }

    fn with(mut self, say: impl FnOnce(&mut More)) -> Self {
        say(self.more.get_or_insert_default());
        self
    }

    /// The same failure, with the count of wrong MFA codes that is to be kept with its record.
    pub(crate) fn with_wrong_code(self, wrong: WrongCode) -> Self {
        self.with(|more| more.wrong = Some(WrongProof::Code(wrong)))
    }

    /// The same failure, with the count of wrong passwords that is to be kept with its record.
    pub(crate) fn with_wrong_password(self, wrong: WrongPassword) -> Self {
        self.with(|more| more.wrong = Some(WrongProof::Password(wrong)))
    }

    /// The same failure, with what `DecodeAuthorizationMessage` takes.
    pub(crate) fn with_authorization_message(self, message: Option<String>) -> Self {
        match message {
            Some(message) => self.with(|more| more.authorization = Some(message.into_boxed_str())),
            None => self,
        }
    }

    /// What `DecodeAuthorizationMessage` takes, where the caller's policies are why.
    pub(crate) fn authorization_message(&self) -> Option<&str> {
        self.more.as_ref()?.authorization.as_deref()
    }

    /// The same failure, with the member `Reason` that Organizations' errors have.
    pub(crate) fn with_reason(self, reason: &'static str) -> Self {
        self.with(|more| more.reason = Some(reason))
    }

    /// The error's member `Reason`.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        self.more.as_ref()?.reason
    }

    /// The count that is to be kept with its record.
    pub(crate) fn wrong(&self) -> Option<&WrongProof> {
        self.more.as_ref()?.wrong.as_ref()
    }

    /// The code on the wire.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The code in the call's record.
    pub(crate) fn recorded_code(&self) -> &str {
        &self.recorded
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for the caller.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether the caller is at fault (AWS's `Sender`) or the service (`Receiver`).
    pub(crate) fn is_senders(&self) -> bool {
        self.status.is_client_error()
    }
}
