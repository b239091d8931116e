//! One file of many, without having their rows in memory.

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_row::{Row, RowConverter, Rows, SortField};

use super::{CHUNK_ROWS, EncodedFile, file::FileWriter, order};
use crate::{
    LakeError,
    record::{Keep, Stored, without_records},
    schema::Shape,
};

/// The rows of a file from its first to its last, some at a time.
pub type Run = Box<dyn Iterator<Item = Result<RecordBatch, LakeError>> + Send>;

/// How many bytes of rows that have their places wait to be written.
const WAITING_BYTES: usize = 16 << 20;

/// What the file that is made of runs will be like.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// About how many rows.
    pub rows: u64,
    /// About how many bytes.
    pub bytes: usize,
    /// How it is to keep records.
    pub keep: Keep,
}

/// Makes one file of runs that are of one day, each in the order in which [`encode()`](super::encode()) writes rows: so
/// is the file. Of rows that are equal in that order, those of the earlier run come first. A run that is in another order
/// loses no row, but the file is not in order then.
///
/// In memory are one batch of each run, some that wait to be written, and the file.
///
/// # Errors
/// [`LakeError::Arrow`] if a batch has another schema, a row no record, or the rows are of several days, or there are
/// none; [`LakeError::Parquet`] if the file can't be written; whatever a run fails with.
pub fn merge(shape: Shape, runs: Vec<Run>, expected: Expected) -> Result<EncodedFile, LakeError> {
    let mut merging = Merging {
        keys: Keys::new(shape)?,
        held: Vec::new(),
        places: Vec::with_capacity(CHUNK_ROWS),
        spent: 0,
        file: FileWriter::new(shape, expected.keep, expected.rows, expected.bytes)?,
    };
    let mut heads = Vec::with_capacity(runs.len());
    for (number, run) in runs.into_iter().enumerate() {
        heads.extend(merging.head(number, run)?);
    }
    // The last one is whose row is next.
    heads.sort_by(|one, other| other.row().cmp(&one.row()));
    while let Some(mut head) = heads.pop() {
        head.take(heads.last(), &mut merging.places);
        if head.is_spent() {
            merging.spend(&head);
            match merging.head(head.number, head.run)? {
                Some(next) => head = next,
                None => continue,
            }
        }
        if merging.is_full() {
            merging.write(std::iter::once(&mut head).chain(&mut heads))?;
        }
        let place = heads.partition_point(|other| other.row() > head.row());
        heads.insert(place, head);
    }
    merging.write(std::iter::empty())?;
    merging.file.finish()
}

/// A run and its next row.
struct Head {
    number: usize,
    run: Run,
    keys: Rows,
    /// The place of its batch among those that are held.
    held: usize,
    next: usize,
}

impl Head {
    /// What decides whose row is next.
    fn row(&self) -> (Row<'_>, usize) {
        (self.keys.row(self.next), self.number)
    }

    fn is_spent(&self) -> bool {
        self.next == self.keys.num_rows()
    }

    /// Takes rows as long as they come before those of the other, but no more than are written at a time.
    fn take(&mut self, other: Option<&Self>, places: &mut Vec<(usize, usize)>) {
        let other = other.map(Self::row);
        while !self.is_spent() && places.len() < CHUNK_ROWS && other.is_none_or(|other| self.row() < other) {
            places.push((self.held, self.next));
            self.next += 1;
        }
    }
}

struct Merging {
    keys: Keys,
    held: Vec<Held>,
    /// The rows that are written next.
    places: Vec<(usize, usize)>,
    /// Bytes of batches that no run needs any more.
    spent: usize,
    file: FileWriter,
}

struct Held {
    batch: RecordBatch,
    /// The same without its records.
    slim: RecordBatch,
}

impl Merging {
    /// A run at the first row of its next batch; `None` if it has no more.
    fn head(&mut self, number: usize, mut run: Run) -> Result<Option<Head>, LakeError> {
        for batch in run.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                let keys = self.keys.of(&batch)?;
                self.held.push(Held { slim: without_records(&batch)?, batch });
                return Ok(Some(Head { number, run, keys, held: self.held.len() - 1, next: 0 }));
            }
        }
        Ok(None)
    }

    fn spend(&mut self, head: &Head) {
        self.spent += self.held.get(head.held).map_or(0, |held| held.batch.get_array_memory_size());
    }

    fn is_full(&self) -> bool {
        self.places.len() >= CHUNK_ROWS || self.spent >= WAITING_BYTES
    }

    /// Writes the rows that have their places. Of the batches only those stay that `heads` are in.
    fn write<'a>(&mut self, heads: impl Iterator<Item = &'a mut Head>) -> Result<(), LakeError> {
        if !self.places.is_empty() {
            let slim: Vec<_> = self.held.iter().map(|held| &held.slim).collect();
            let stored =
                self.held.iter().map(|held| Stored::of(&held.batch)).collect::<Result<Vec<_>, _>>()?;
            self.file.write(&slim, &stored, &self.places)?;
            self.places.clear();
        }
        let mut held: Vec<Option<Held>> = std::mem::take(&mut self.held).into_iter().map(Some).collect();
        for head in heads {
            self.held.extend(held.get_mut(head.held).and_then(Option::take));
            head.held = self.held.len() - 1;
        }
        self.spent = 0;
        Ok(())
    }
}

/// Rows made comparable: the order of [`Shape::sort_order`], nulls first.
struct Keys {
    shape: Shape,
    converter: RowConverter,
}

impl Keys {
    fn new(shape: Shape) -> Result<Self, LakeError> {
        let kinds = shape.sorted_by().iter().map(|path| SortField::new(order::kind(path)));
        let converter = RowConverter::new(kinds.collect())?;
        Ok(Self { shape, converter })
    }

    fn of(&self, batch: &RecordBatch) -> Result<Rows, LakeError> {
        let columns = self.shape.sorted_by().iter().map(|path| {
            let missing = || new_null_array(&order::kind(path), batch.num_rows());
            order::column(batch, path).unwrap_or_else(missing)
        });
        Ok(self.converter.convert_columns(&columns.collect::<Vec<ArrayRef>>())?)
    }
}
