//! What a caller is told when a call fails, and the one table that turns causes into AWS's codes.

mod archive;
mod causes;
mod codes;
mod kms;
mod trails;
mod vault;

use http::StatusCode;
use opentrail_identity::mfa::WrongCode;
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
}

impl Dialect {
    /// The words in which the protocol layer names a signature's faults.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Json | Self::Rest => Family::Json,
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
    wrong_code: Option<Box<WrongCode>>,
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
            wrong_code: None,
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
            wrong_code: None,
        }
    }

    /// A failure whose code and status were decided elsewhere (the protocol layer).
    pub(crate) fn exact(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            recorded: code.into(),
            status,
            message: message.into().into_boxed_str(),
            wrong_code: None,
        }
    }

    /// The same failure, with the count of wrong MFA codes that is to be kept with its record.
    pub(crate) fn with_wrong_code(self, wrong: WrongCode) -> Self {
        Self { wrong_code: Some(Box::new(wrong)), ..self }
    }

    /// The count of wrong MFA codes that is to be kept with its record.
    pub(crate) fn wrong_code(&self) -> Option<&WrongCode> {
        self.wrong_code.as_deref()
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
