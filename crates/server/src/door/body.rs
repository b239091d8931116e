//! Bodies of calls that are read whole, within a budget: whoever sends how much, the server's memory is bounded.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{header::CONTENT_LENGTH, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::authenticate::names_credentials;
use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    rooms::Rooms,
};

/// Bytes of bodies that may be in memory at once, as sent; more wait at the door.
const BUDGET_BYTES: usize = 128 << 20;
/// The same for bodies of senders whose credentials nobody knows, apart, so that they can only hold up each other.
const STRANGERS_BYTES: usize = 16 << 20;
/// Compressed bodies that are unpacked at once, each to at most 64 MiB.
const UNPACKED_AT_ONCE: usize = 2;
/// Bodies that are stored as they stream in, at once; each takes up to 3 MiB of buffers.
const STREAMED_AT_ONCE: usize = 48;
/// The same for bodies of senders whom nobody knows, apart.
const STRANGERS_STREAMED_AT_ONCE: usize = 8;
/// The budget is counted in pieces of this size.
const PIECE_BYTES: usize = 1 << 10;
/// Longest wait for a whole body.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The memory for bodies, shared by all calls.
pub(crate) struct Budget {
    pieces: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    unpacking: Semaphore,
    streams: Arc<Semaphore>,
    strangers_streams: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            pieces: Arc::new(Semaphore::new(BUDGET_BYTES / PIECE_BYTES)),
            strangers: Arc::new(Semaphore::new(STRANGERS_BYTES / PIECE_BYTES)),
            unpacking: Semaphore::new(UNPACKED_AT_ONCE),
            streams: Arc::new(Semaphore::new(STREAMED_AT_ONCE)),
            strangers_streams: Arc::new(Semaphore::new(STRANGERS_STREAMED_AT_ONCE)),
        }
    }

    /// Room for one unpacked body, until the answer is dropped. Waits until there is.
    pub(crate) async fn unpacking(&self) -> Option<SemaphorePermit<'_>> {
        self.unpacking.acquire().await.ok()
    }

    /// Room for the buffers of one body that is stored as it streams in, until the answer is dropped. Waits
    /// until there is.
    pub(crate) async fn stream(&self, is_known: bool) -> Option<OwnedSemaphorePermit> {
        let seats = if is_known { &self.streams } else { &self.strangers_streams };
        seats.clone().acquire_owned().await.ok()
    }

    async fn room(&self, is_known: bool, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let (pieces, most) =
            if is_known { (&self.pieces, BUDGET_BYTES) } else { (&self.strangers, STRANGERS_BYTES) };
        let wanted = bytes.min(most).div_ceil(PIECE_BYTES).max(1);
        pieces.clone().acquire_many_owned(u32::try_from(wanted).ok()?).await.ok()
    }
}

/// A body in memory, and the room it takes.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// It is larger than the limit.
    TooLarge,
    /// The client stopped sending, took too long, or sent what is not HTTP.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn whole(
    rooms: &Rooms,
    parts: &Parts,
    arrival: &Arrival,
    body: Body,
    limit: usize,
) -> Result<Whole, BodyFault> {
    let headers = &parts.headers;
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyFault::TooLarge);
    }
    let is_known = names_credentials(rooms, parts, arrival);
    let room = rooms.bodies.room(is_known, announced.unwrap_or(limit)).await;
    match tokio::time::timeout(TIMEOUT, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(Whole { bytes: collected.to_bytes(), _room: room }),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(BodyFault::TooLarge),
        Ok(Err(_)) | Err(_) => Err(BodyFault::Broken),
    }
}

/// What the caller hears of a body that was not read.
pub(crate) fn fault(fault: BodyFault, dialect: Dialect) -> Fault {
    match fault {
        BodyFault::TooLarge => Fault::common(Common::TooLarge, dialect, "The request body is too large."),
        BodyFault::Broken => Fault::common(Common::Malformed, dialect, "The request body ended early."),
    }
}

#[cfg(test)]
mod tests {
    use super::{BUDGET_BYTES, Budget};

    #[tokio::test]
    async fn strangers_hold_up_only_each_other() {
        let budget = Budget::new();
        let _all = budget.room(false, usize::MAX).await;
        let soon = std::time::Duration::from_millis(10);
        assert!(tokio::time::timeout(soon, budget.room(false, 1)).await.is_err());
        assert!(tokio::time::timeout(soon, budget.room(true, BUDGET_BYTES)).await.is_ok());
    }
}
