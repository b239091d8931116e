//! The batches of a writer on their way into the table. Their events are in no view yet, so that the ids that were seen of
//! their days must stay known.

use std::collections::{BTreeSet, HashSet, VecDeque};

use chrono::NaiveDate;
use tokio::sync::watch;

/// The batches, by number, and their days.
pub(crate) struct UnderWay {
    batches: VecDeque<(u64, BTreeSet<NaiveDate>)>,
    last: u64,
    /// Up to which batch all were committed, or failed.
    committed: watch::Receiver<u64>,
    /// The ids of the last batch were too many to stay known.
    is_too_large: bool,
}

impl UnderWay {
    /// None yet; `committed` tells up to which number they are done.
    pub(crate) fn new(committed: watch::Receiver<u64>) -> Self {
        Self { batches: VecDeque::new(), last: 0, committed, is_too_large: false }
    }

    /// Notes a batch of these days, whose ids were looked up in so many shares; answers its number.
    pub(crate) fn sent(&mut self, days: BTreeSet<NaiveDate>, shares: usize) -> u64 {
        self.last += 1;
        self.is_too_large = shares > 1;
        self.batches.push_back((self.last, days));
        self.last
    }

    /// Waits for a batch whose ids are not all known any more.
    pub(crate) async fn settled(&mut self) {
        if std::mem::take(&mut self.is_too_large) {
            let last = self.last;
            // Without who commits there is nothing to wait for.
            let _ = self.committed.wait_for(|committed| *committed >= last).await;
        }
        let committed = *self.committed.borrow();
        self.batches.retain(|(number, _)| *number > committed);
    }

    /// Their days.
    pub(crate) fn days(&self) -> HashSet<NaiveDate> {
        self.batches.iter().flat_map(|(_, days)| days.iter().copied()).collect()
    }
}
