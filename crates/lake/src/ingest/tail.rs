//! The newest events of one store, in memory.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use opentrail_event::Event;
use opentrail_journal::Seq;

use crate::{
    columns::{Columns, Extra},
    error::LakeError,
    schema::Shape,
};

/// Rows that are built at once; then they are a batch.
const BATCH_ROWS: usize = 8192;
/// Batches of no more rows become one where they follow each other: each question to the tail ends one.
const SMALL_ROWS: usize = 2048;
/// Bytes of records that are built at once.
const BATCH_BYTES: usize = 16 << 20;

/// An event for a store.
pub(crate) struct Row<'a> {
    /// The entry of the journal that it is in.
    pub(crate) seq: Seq,
    pub(crate) record: Record<'a>,
    pub(crate) extra: Extra<'a>,
}

/// What came.
#[derive(Clone, Copy)]
pub(crate) enum Record<'a> {
    /// An event of CloudTrail's.
    Event(&'a Event),
    /// JSON that was checked at the door and has another form.
    Json(&'a str),
}

/// Rows that follow each other in the journal.
struct Batch {
    rows: RecordBatch,
    /// The entry of its first row.
    first: Seq,
    /// The entry of its last row. All rows of that entry are in this batch or an earlier one.
    upto: Seq,
    bytes: usize,
    since: Instant,
}

/// The rows that are not yet in files, or not known to be.
pub(crate) struct Tail {
    open: Columns,
    /// Entries of the first and the last open row, and when the first came.
    open_from: Option<(Seq, Instant)>,
    open_upto: Seq,
    /// Oldest first.
    sealed: VecDeque<Batch>,
    /// How many of these are being written, or were when that failed: they stay as they are, so that another attempt
    /// writes the same.
    writing: usize,
    /// Whether rows are taken.
    intake: Intake,
    /// Rows were lost here that the journal still has: nothing may be written any more until the next start reads them
    /// again.
    broken: bool,
}

/// Whether a tail takes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    /// It does.
    Open,
    /// Not those that come; the journal keeps them from `first` on, which is none while none came. What it has are rows
    /// that were fetched from there.
    Parked {
        /// The entry of the first row that it has not.
        first: Option<Seq>,
    },
    /// None, and nobody keeps them.
    Closed,
}

/// What is to be written: the oldest rows.
pub(crate) struct Taken {
    pub(crate) batches: Vec<RecordBatch>,
    /// With them the table has everything up to here.
    pub(crate) upto: Seq,
}

impl Tail {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            open: Columns::new(shape),
            open_from: None,
            open_upto: Seq::ZERO,
            sealed: VecDeque::new(),
            writing: 0,
            intake: Intake::Open,
            broken: false,
        }
    }

    /// Whether rows are taken.
    pub(crate) fn intake(&self) -> Intake {
        self.intake
    }

    /// Gives up all rows, and takes those that come as `intake` says.
    pub(crate) fn give_up(&mut self, shape: Shape, intake: Intake) {
        *self = Self { intake, ..Self::new(shape) };
    }

    /// Takes the rows that come from now on: it has all before.
    pub(crate) fn resume(&mut self) {
        self.intake = Intake::Open;
    }

    /// The rows of some whole entries that come, in the order of the journal. Where none are taken, it is noted which the
    /// journal has to keep.
    ///
    /// # Errors
    /// As [`Tail::push`].
    pub(crate) fn take_in(&mut self, rows: &[Row<'_>]) -> Result<(), LakeError> {
        match &mut self.intake {
            Intake::Open => self.push(rows),
            Intake::Parked { first } => {
                *first = first.or(rows.first().map(|row| row.seq));
                Ok(())
            }
            Intake::Closed => Ok(()),
        }
    }

    /// The rows of some whole entries, in the order of the journal.
    ///
    /// # Errors
    /// [`LakeError::Arrow`] if rows can't be made columns. Nothing is written any more then.
    pub(crate) fn push(&mut self, rows: &[Row<'_>]) -> Result<(), LakeError> {
        for row in rows {
            let full = self.open.len() >= BATCH_ROWS || self.open.bytes() >= BATCH_BYTES;
            // Not in the middle of an entry, which would be torn apart.
            if full && row.seq > self.open_upto {
                self.seal()?;
            }
            match row.record {
                Record::Event(event) => self.open.push(event, row.extra),
                Record::Json(json) => {
                    if let Err(error) = self.open.push_record(json, row.extra) {
                        // The door takes none such.
                        tracing::error!(%error, "an event of a channel is left out");
                        continue;
                    }
                }
            }
            self.open_from.get_or_insert_with(|| (row.seq, Instant::now()));
            self.open_upto = row.seq;
        }
        Ok(())
    }

    /// Remembers if something fails that must not.
    fn unbroken<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, LakeError>) -> Result<T, LakeError> {
        let outcome = act(self);
        self.broken |= outcome.is_err();
        outcome
    }

    /// Ends the batch that is being built.
    fn seal(&mut self) -> Result<(), LakeError> {
        let Some((first, since)) = self.open_from else { return Ok(()) };
        let rows = self.unbroken(|tail| tail.open.finish())?;
        self.open_from = None;
        let mut batch =
            Batch { bytes: rows.get_array_memory_size(), rows, first, upto: self.open_upto, since };
        if self.sealed.len() > self.writing
            && let Some(last) = self.sealed.back()
            && last.rows.num_rows().max(batch.rows.num_rows()) <= SMALL_ROWS
            && let Ok(both) = concat_batches(batch.rows.schema_ref(), [&last.rows, &batch.rows])
        {
            batch.bytes = both.get_array_memory_size();
            (batch.rows, batch.first, batch.since) = (both, last.first, last.since);
            self.sealed.pop_back();
        }
        self.sealed.push_back(batch);
        Ok(())
    }

    /// The rows of entries after `stored`, which is where the files that they are shown with reach.
    pub(crate) fn after(&mut self, stored: Seq) -> Vec<RecordBatch> {
        if let Err(error) = self.seal() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "rows of an event data store can't be shown"
            );
        }
        self.sealed.iter().filter(|batch| batch.upto > stored).map(|batch| batch.rows.clone()).collect()
    }

    /// The oldest rows, some `bytes` of them; after a failure the same as before.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<Option<Taken>, LakeError> {
        if self.writing == 0 {
            self.seal()?;
            let mut taken = 0;
            for batch in &self.sealed {
                if taken > 0 && taken + batch.bytes > bytes {
                    break;
                }
                taken += batch.bytes;
                self.writing += 1;
            }
        }
        if self.broken {
            return Err(LakeError::Broken);
        }
        let writing = self.sealed.iter().take(self.writing);
        let Some(upto) = writing.clone().next_back().map(|batch| batch.upto) else { return Ok(None) };
        Ok(Some(Taken { batches: writing.map(|batch| batch.rows.clone()).collect(), upto }))
    }

    /// Forgets the rows up to this entry, which files have. The caller drops them when it holds no lock.
    pub(crate) fn drop_through(&mut self, stored: Seq) -> Vec<RecordBatch> {
        let count = self.sealed.iter().take_while(|batch| batch.upto <= stored).count();
        self.writing = self.writing.saturating_sub(count);
        self.sealed.drain(..count).map(|batch| batch.rows).collect()
    }

    /// The entry of its oldest row, or of the first that only the journal has.
    pub(crate) fn first(&self) -> Option<Seq> {
        if let Intake::Parked { first } = self.intake {
            return first;
        }
        let open = self.open_from.map(|(seq, _)| seq);
        self.sealed.front().map(|batch| batch.first).or(open)
    }

    /// How long its oldest row has been there.
    pub(crate) fn age(&self) -> Option<Duration> {
        let open = self.open_from.map(|(_, since)| since);
        self.sealed.front().map(|batch| batch.since).or(open).map(|since| since.elapsed())
    }

    pub(crate) fn rows(&self) -> usize {
        self.open.len() + self.sealed.iter().map(|batch| batch.rows.num_rows()).sum::<usize>()
    }

    pub(crate) fn bytes(&self) -> usize {
        let open = if self.open_from.is_some() { self.open.bytes() } else { 0 };
        open + self.sealed.iter().map(|batch| batch.bytes).sum::<usize>()
    }
}
