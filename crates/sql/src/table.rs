//! A table as it is given to a query: files of a snapshot and the rows that are in none yet.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use object_store::ObjectStore;
use object_store::path::Path;

/// A table for one query. What it holds must not change while the query runs.
#[derive(Debug, Clone)]
pub struct TableData {
    /// Names and types of the columns. Two names, of columns or of fields in them, that differ only in case are one name.
    pub schema: SchemaRef,
    /// Where the files are.
    pub store: Arc<dyn ObjectStore>,
    /// Parquet files, each with columns of `schema`; a column that a file hasn't is NULL.
    pub files: Vec<DataFile>,
    /// Rows that are in no file, in `schema`.
    pub tail: Vec<RecordBatch>,
    /// The column that `min_time` and `max_time` are of.
    pub time_column: String,
}

/// A Parquet file of a table. It is never written again under the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its path in the table's store.
    pub path: Path,
    /// Its size in bytes.
    pub size: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The first time in it, in milliseconds since 1970.
    pub min_time: i64,
    /// The last time in it, in milliseconds since 1970.
    pub max_time: i64,
}
