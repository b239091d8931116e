//! A table as it is given to a query: files of a snapshot and the rows that are in none yet.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
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
    /// Rows that are in no file. They have the columns of `schema` by their names, and may have others.
    pub tail: Vec<RecordBatch>,
    /// The column that `min_time` and `max_time` are of.
    pub time_column: String,
    /// The column that files don't have as queries see it, if there is one.
    pub computed: Option<Computed>,
}

/// A column of a table that is made of what files have, when a query reads it. Rows that are in no file have it as it is.
#[derive(Clone)]
pub struct Computed {
    /// Its name, which is one of the table's columns. Files may have a column of this name, of which nothing is concluded.
    pub column: String,
    /// The columns that files have and that it is made of: those of the table, and others that queries don't see.
    pub stored: SchemaRef,
    /// Makes it of rows with the columns of `stored`, in which texts may be views; the result has as many rows.
    pub compute: Compute,
}

/// Makes a column of rows.
pub type Compute = Arc<dyn Fn(&RecordBatch) -> Result<ArrayRef, Box<dyn Error + Send + Sync>> + Send + Sync>;

impl fmt::Debug for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computed").field("column", &self.column).finish_non_exhaustive()
    }
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
