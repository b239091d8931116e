//! What a table is made of, and its limits.

use std::{fmt, sync::Arc, time::Duration};

use arrow_schema::SchemaRef;
use iceberg::spec::{PartitionSpec, Schema, SortOrder};

use crate::{
    LakeError,
    encode::{EncodedFile, Expected, Run},
    record::Keep,
    schema::Shape,
};

/// Makes one Parquet file of the rows of many, which are of one UTC day, in the table's order. It is called where it may
/// block, which runs do.
pub type Merge = Arc<dyn Fn(Vec<Run>, Expected) -> Result<EncodedFile, LakeError> + Send + Sync>;

/// The columns of a table and how its files are written.
#[derive(Clone)]
pub struct Layout {
    /// The columns in Iceberg's terms, with their field ids, which the table keeps.
    pub schema: Arc<Schema>,
    /// The columns in Arrow's terms.
    pub arrow: SchemaRef,
    /// One partition field: the day of a timestamp column.
    pub partitions: PartitionSpec,
    /// How rows are ordered in a file.
    pub order: SortOrder,
    /// What makes the files of compaction.
    pub merge: Merge,
}

impl From<Shape> for Layout {
    fn from(shape: Shape) -> Self {
        Self {
            schema: shape.iceberg(),
            arrow: shape.arrow(),
            partitions: shape.partition_spec(),
            order: shape.sort_order(),
            merge: Arc::new(move |runs, expected| crate::encode::merge(shape, runs, expected)),
        }
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layout").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// How a table is looked after.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// How long files stay after the table is without them, for those who read an older snapshot. No shorter
    /// than the longest query.
    pub grace: Duration,
    /// How large compaction makes a file, in bytes, at most. It is in memory while it is made.
    pub target_bytes: u64,
    /// About how many bytes of rows compaction holds in memory on their way from files to another.
    pub rewrite_memory: u64,
    /// How files are to keep records.
    pub records: Records,
}

/// How the files of a table are to keep records, asked for each file: it may change while the table is open.
#[derive(Clone)]
pub struct Records(Arc<dyn Fn() -> Keep + Send + Sync>);

impl Records {
    /// As `keep` says when it is asked.
    pub fn by(keep: impl Fn() -> Keep + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }

    /// How a file that is written now keeps them.
    pub fn now(&self) -> Keep {
        (self.0)()
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::by(Keep::default)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Records").field(&self.now()).finish()
    }
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            // A query of CloudTrail Lake runs for an hour at most.
            grace: Duration::from_secs(2 * 3600),
            target_bytes: 64 << 20,
            rewrite_memory: 16 << 20,
            records: Records::default(),
        }
    }
}
