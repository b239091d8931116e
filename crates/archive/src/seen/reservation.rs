//! Ids whose events are on their way into the journal.

use tokio::runtime::Handle;

use super::{SeenIds, key::Key};

/// How it stands with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It is not in the record, and this reservation may put it there.
    Fresh,
    /// It is in the record, durably.
    Recorded,
    /// Another reservation, or an earlier place in this one, may be putting it there. Wait until these have
    /// [settled](SeenIds::settled), then ask again.
    Pending,
}

/// The right to record the ids that are [fresh](Standing::Fresh), which nobody else has meanwhile.
///
/// Commit it when their events are durable. If it is dropped, the ids are fresh again once the journal has
/// settled what was on its way at that moment and the archive has read it: a caller that was torn down while
/// its append was under way may find that it went through. To avoid the wait, move the reservation into the
/// closure of `State::append_then`.
#[derive(Debug)]
#[must_use = "dropping it gives the ids free"]
pub struct Reservation {
    seen: SeenIds,
    ticket: Option<u64>,
    standings: Vec<Standing>,
    fresh: Vec<Key>,
}

impl Reservation {
    pub(super) fn new(seen: SeenIds, ticket: Option<u64>, standings: Vec<Standing>, fresh: Vec<Key>) -> Self {
        Self { seen, ticket, standings, fresh }
    }

    /// How it stands with each id, in the order in which they were given.
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// The events of the fresh ids are durable.
    pub fn commit(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.seen.end(ticket, &self.fresh, true);
        }
    }

    /// No event of these ids was given to the journal, or the journal surely does not have it.
    pub fn release(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.seen.end(ticket, &self.fresh, false);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let (seen, fresh) = (self.seen.clone(), std::mem::take(&mut self.fresh));
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    seen.read_all_that_is_under_way().await;
                    seen.end(ticket, &fresh, false);
                });
            }
            // Without a runtime nothing can be under way.
            Err(_) => self.seen.end(ticket, &fresh, false),
        }
    }
}
