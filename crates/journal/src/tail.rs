//! The newest entries in memory, so that readers that keep up never touch the disk.

use std::{any::Any, collections::VecDeque, sync::Arc};

use bytes::Bytes;

use crate::{Seq, options::ENTRY_OVERHEAD_BYTES};

/// An entry's decoded form. It travels with the entry while that is in memory, so that readers need not parse
/// the payload again; entries that come from the disk have none.
pub type Attachment = Arc<dyn Any + Send + Sync>;

/// An entry as a reader gets it. The payload may be a slice of a larger buffer, which lives as long as it.
#[derive(Clone)]
pub struct Item {
    /// Where it stands.
    pub seq: Seq,
    /// What was appended.
    pub payload: Bytes,
    /// What was attached, if the entry is still in memory.
    pub attachment: Option<Attachment>,
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item")
            .field("seq", &self.seq)
            .field("bytes", &self.payload.len())
            .field("attached", &self.attachment.is_some())
            .finish()
    }
}

/// What an entry is reckoned to take in memory.
pub(crate) fn weight(payload: &Bytes, attachment: Option<&Attachment>) -> usize {
    let copies = if attachment.is_some() { 2 } else { 1 };
    payload.len() * copies + ENTRY_OVERHEAD_BYTES
}

/// The newest durable entries, without gaps, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct Tail {
    limit: usize,
    bytes: usize,
    items: VecDeque<Item>,
}

impl Tail {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, items: VecDeque::new() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.bytes += weight(&item.payload, item.attachment.as_ref());
        self.items.push_back(item);
    }

    /// Takes out what is over the limit; the caller frees it when it holds no lock.
    pub(crate) fn evict(&mut self) -> Vec<Item> {
        let mut evicted = Vec::new();
        while self.bytes > self.limit {
            let Some(item) = self.items.pop_front() else { break };
            self.bytes -= weight(&item.payload, item.attachment.as_ref());
            evicted.push(item);
        }
        evicted
    }

    /// Entries from `next` to `last`, as many as the limits allow and at least one; `None` if `next` is not
    /// in memory.
    pub(crate) fn batch(
        &self,
        next: Seq,
        last: Seq,
        max_items: usize,
        max_bytes: usize,
    ) -> Option<Vec<Item>> {
        let start = next.0.checked_sub(self.items.front()?.seq.0)?;
        let mut items = Vec::new();
        let mut bytes = 0;
        for item in self.items.iter().skip(usize::try_from(start).ok()?) {
            bytes += item.payload.len();
            if item.seq > last || items.len() >= max_items.max(1) || (bytes > max_bytes && !items.is_empty())
            {
                break;
            }
            items.push(item.clone());
        }
        (!items.is_empty()).then_some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(limit: usize, seqs: std::ops::RangeInclusive<u64>) -> Tail {
        let mut tail = Tail::new(limit);
        for seq in seqs {
            tail.push(Item { seq: Seq(seq), payload: Bytes::from(vec![0; 100]), attachment: None });
            tail.evict();
        }
        tail
    }

    #[test]
    fn it_keeps_the_newest_within_its_bytes() {
        let tail = tail(3 * (100 + ENTRY_OVERHEAD_BYTES), 1..=10);
        assert!(tail.batch(Seq(7), Seq(10), 9, usize::MAX).is_none());
        assert_eq!(tail.batch(Seq(8), Seq(10), 9, usize::MAX).unwrap().len(), 3);
        assert!(tail.batch(Seq(11), Seq(10), 9, usize::MAX).is_none());
    }

    #[test]
    fn batches_end_at_each_limit_but_have_one_entry() {
        let tail = tail(usize::MAX, 1..=10);
        let count = |last, items, bytes| tail.batch(Seq(2), Seq(last), items, bytes).unwrap().len();
        assert_eq!(count(10, 4, usize::MAX), 4);
        assert_eq!(count(10, 99, 250), 2);
        assert_eq!(count(10, 99, 1), 1);
        assert_eq!(count(10, 0, usize::MAX), 1);
        assert_eq!(count(4, 99, usize::MAX), 3);
    }

    #[test]
    fn a_tail_of_nothing_keeps_nothing() {
        let tail = tail(0, 1..=3);
        assert_eq!(tail.bytes(), 0);
        assert!(tail.batch(Seq(3), Seq(3), 1, 1).is_none());
    }
}
