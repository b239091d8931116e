//! A query that runs, and what it has given and read so far.

use crate::SqlError;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name as the query wrote it, or `_colN` for an expression without one. Two columns may have the same.
    pub name: String,
    /// Its type in Trino's words: `varchar`, `timestamp(3)`, `map(varchar, varchar)`.
    pub kind: String,
}

/// What a query has read of its tables so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Bytes of the files' columns and footers that were read, and of the tail.
    pub bytes: u64,
    /// Rows that were looked at: not those in files, row groups and pages whose statistics excluded them.
    pub rows: u64,
}

/// A query that runs. Dropping it cancels the query: its threads are free within a second.
#[derive(Debug)]
pub struct Running {
    columns: Vec<Column>,
    scanned: Scanned,
}

impl Running {
    /// The columns of its result.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next rows, each with a value for each column, formatted as CloudTrail Lake does; `None` after the last. Rows
    /// that nobody takes stop the query: it holds a few batches, never its whole result.
    ///
    /// # Errors
    /// Any [`SqlError`] but [`SqlError::Busy`]; after one there are no more rows.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<Option<String>>>>, SqlError> {
        Ok(None)
    }

    /// What it has read so far; final after [`Running::next`] gave `None`.
    #[must_use]
    pub fn scanned(&self) -> Scanned {
        self.scanned
    }
}
