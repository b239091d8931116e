//! Retention: each reader holds the entries that it has not yet taken over.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::Seq;

/// All holds by name.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    positions: Mutex<BTreeMap<&'static str, Seq>>,
}

impl Holds {
    pub(crate) fn register(self: &Arc<Self>, name: &'static str, after: Seq) -> Hold {
        self.positions.lock().insert(name, after);
        Hold { name, holds: self.clone() }
    }

    /// The newest entry that every hold has passed; `None` without any hold.
    pub(crate) fn floor(&self) -> Option<Seq> {
        self.positions.lock().values().min().copied()
    }

    pub(crate) fn list(&self) -> Vec<(&'static str, Seq)> {
        self.positions.lock().iter().map(|(name, position)| (*name, *position)).collect()
    }
}

/// Keeps every entry after its position from being dropped by [`crate::Journal::reclaim`].
///
/// Dropping the value does *not* end the hold: a reader that ended unexpectedly must find its entries when it
/// comes back. Taking a hold of the same name again takes it over. [`Hold::release`] ends it. Holds are not
/// stored: each reader keeps its own position durably and registers before anybody calls `reclaim`.
#[derive(Debug)]
pub struct Hold {
    name: &'static str,
    holds: Arc<Holds>,
}

impl Hold {
    /// Entries up to `seq` are not needed any more. A hold never goes back.
    pub fn advance(&self, seq: Seq) {
        if let Some(position) = self.holds.positions.lock().get_mut(self.name) {
            *position = seq.max(*position);
        }
    }

    /// The newest entry that is not held.
    pub fn position(&self) -> Seq {
        self.holds.positions.lock().get(self.name).copied().unwrap_or_default()
    }

    /// Ends the hold: this reader needs nothing any more.
    pub fn release(self) {
        self.holds.positions.lock().remove(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_the_slowest_hold() {
        let holds = Arc::new(Holds::default());
        assert_eq!(holds.floor(), None);
        let slow = holds.register("slow", Seq(3));
        let fast = holds.register("fast", Seq(9));
        assert_eq!(holds.floor(), Some(Seq(3)));
        slow.advance(Seq(12));
        slow.advance(Seq(11));
        assert_eq!((holds.floor(), slow.position()), (Some(Seq(9)), Seq(12)));
        drop(fast);
        assert_eq!(holds.floor(), Some(Seq(9)), "a dropped hold still holds");
        holds.register("fast", Seq(9)).release();
        assert_eq!(holds.floor(), Some(Seq(12)));
    }
}
