//! The newest events, in memory.

use std::{
    collections::{HashMap, VecDeque},
    mem::size_of,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use opentrail_event::AccountId;
use opentrail_journal::Seq;
use opentrail_state::Entry;

use crate::{
    keys::{Scope, value_hashes},
    position::Position,
};

/// Some events, in the order of the journal.
///
/// Their records are copied together: an event is a slice of the upload that brought it, and one new event
/// would keep a large upload of known ones in memory.
#[derive(Debug)]
pub(crate) struct TailBatch {
    records: Bytes,
    pub(crate) rows: Vec<TailRow>,
    hashes: Vec<u64>,
    pub(crate) scopes: Vec<(Scope, AccountId)>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TailRow {
    pub(crate) position: Position,
    /// Which of the batch's scopes it has.
    pub(crate) scope: u32,
    record: (u32, u32),
    hashes: (u32, u32),
}

impl TailBatch {
    /// The events of some entries; `None` if there are none.
    pub(crate) fn of(entries: &[(Seq, Arc<Entry>)]) -> Option<Self> {
        let events = || entries.iter().flat_map(|(_, entry)| &entry.events);
        let (count, bytes) =
            events().fold((0, 0), |(count, bytes), owned| (count + 1, bytes + owned.event.raw().len()));
        if count == 0 {
            return None;
        }
        let mut records = Vec::with_capacity(bytes);
        let mut rows = Vec::with_capacity(count);
        let mut hashes = Vec::with_capacity(count * 8);
        let mut scopes = Vec::new();
        let mut scope_numbers = HashMap::new();
        for (seq, entry) in entries {
            for (index, owned) in (0u32..).zip(&entry.events) {
                let event = &owned.event;
                let scope = Scope::new(&owned.owner, event.category(), event.region());
                let number = *scope_numbers.entry(scope).or_insert_with(|| {
                    scopes.push((scope, owned.owner));
                    scopes.len() as u32 - 1
                });
                let (record, first_hash) = (records.len() as u32, hashes.len() as u32);
                records.extend_from_slice(event.raw());
                value_hashes(event, &event.resources(), &mut hashes);
                rows.push(TailRow {
                    position: Position { time: event.time().timestamp_millis(), seq: seq.0, index },
                    scope: number,
                    record: (record, records.len() as u32),
                    hashes: (first_hash, hashes.len() as u32),
                });
            }
        }
        Some(Self { records: records.into(), rows, hashes, scopes })
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.records.len()
            + self.rows.capacity() * size_of::<TailRow>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.scopes.capacity() * size_of::<(Scope, AccountId)>()
    }

    pub(crate) fn record(&self, row: &TailRow) -> Bytes {
        self.records.slice(row.record.0 as usize..row.record.1 as usize)
    }

    /// The numbers of the values that a row has.
    pub(crate) fn hashes(&self, row: &TailRow) -> &[u64] {
        &self.hashes[row.hashes.0 as usize..row.hashes.1 as usize]
    }
}

/// The batches that are not yet in a table, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    batches: VecDeque<Arc<TailBatch>>,
    bytes: usize,
    rows: usize,
    since: Option<Instant>,
}

impl Tail {
    pub(crate) fn push(&mut self, batch: TailBatch) {
        self.bytes += batch.bytes();
        self.rows += batch.rows.len();
        self.since.get_or_insert_with(Instant::now);
        self.batches.push_back(Arc::new(batch));
    }

    /// Drops the oldest batches.
    pub(crate) fn drop_first(&mut self, count: usize) -> Vec<Arc<TailBatch>> {
        let dropped: Vec<_> = self.batches.drain(..count.min(self.batches.len())).collect();
        for batch in &dropped {
            self.bytes -= batch.bytes();
            self.rows -= batch.rows.len();
        }
        self.since = (!self.batches.is_empty()).then(Instant::now);
        dropped
    }

    pub(crate) fn batches(&self) -> &VecDeque<Arc<TailBatch>> {
        &self.batches
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// When its oldest event came, or about then.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }
}
