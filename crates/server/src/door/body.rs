//! Bodies of calls that are read whole.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::fault::{Common, Dialect, Fault};

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It is larger than the limit.
    TooLarge,
    /// The client stopped sending, or sent what is not HTTP.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn whole(body: Body, limit: usize) -> Result<Bytes, BodyFault> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(BodyFault::TooLarge),
        Err(_) => Err(BodyFault::Broken),
    }
}

/// What the caller hears of a body that was not read.
pub(crate) fn fault(fault: BodyFault, dialect: Dialect) -> Fault {
    match fault {
        BodyFault::TooLarge => Fault::common(Common::TooLarge, dialect, "The request body is too large."),
        BodyFault::Broken => Fault::common(Common::Malformed, dialect, "The request body ended early."),
    }
}
