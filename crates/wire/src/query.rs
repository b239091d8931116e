//! awsQuery: a call as a form, `Action=CreateUser&UserName=alice&Tags.member.1.Key=team`.
//!
//! The form becomes a tree of strings; an operation's input is then read from it with numbers and
//! booleans understood where the input wants them.

mod form;
mod reader;

pub use form::{Form, FormError};
pub use reader::{ReadError, from_query};
