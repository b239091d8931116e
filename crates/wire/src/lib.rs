//! AWS's protocols, and nothing of what is said in them.
//!
//! [`sigv4`] says who signed a request, [`body`] decodes what signing does to bodies, [`awsjson`] and
//! [`query`] read calls and [`answer`] writes answers; [`value`] is the form an answer has before a
//! protocol spells it. This crate knows no service, keeps nothing and takes the time as a parameter.

pub mod answer;
pub mod awsjson;
pub mod body;
pub mod query;
pub mod request_id;
pub mod sigv4;
pub mod value;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// What is percent-encoded wherever AWS encodes: everything but RFC 3986's unreserved characters.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
