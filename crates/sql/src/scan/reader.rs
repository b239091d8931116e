//! Reading Parquet files: footers are kept between queries, and what is read is counted.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, ParquetObjectReader};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path;
use parking_lot::Mutex;

use crate::DataFile;

use super::dictionaries::{self, Names};
use super::narrow::Wanted;

/// How much is read from a file's end at first, which has the footer and the page index of most files.
const FOOTER_HINT: usize = 64 << 10;

/// Counts the bytes that a query reads, and the rows that it looks at outside of files.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    rows: AtomicU64,
    planned: Mutex<HashMap<String, Vec<u64>>>,
}

impl Meter {
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Notes that files of a table are to be read, by the address of its store, and how many rows they have.
    pub(crate) fn plan(&self, table: &str, rows: u64) {
        self.planned.lock().entry(table.to_owned()).or_default().push(rows);
    }

    /// The rows of each plan to read files, by table.
    pub(crate) fn planned(&self) -> HashMap<String, Vec<u64>> {
        self.planned.lock().clone()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }
}

/// Footers of files, which never change, up to a number of bytes; the oldest go first.
#[derive(Debug)]
pub(crate) struct FooterCache {
    limit: usize,
    kept: Mutex<Kept>,
}

type Key = (String, Path);

#[derive(Debug, Default)]
struct Kept {
    footers: HashMap<Key, Arc<ParquetMetaData>>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl FooterCache {
    pub(crate) fn new(limit: usize) -> Self {
        FooterCache { limit, kept: Mutex::default() }
    }

    fn get(&self, key: &Key) -> Option<Arc<ParquetMetaData>> {
        self.kept.lock().footers.get(key).cloned()
    }

    fn put(&self, key: Key, footer: Arc<ParquetMetaData>) {
        let size = footer.memory_size();
        let mut kept = self.kept.lock();
        if size > self.limit || kept.footers.insert(key.clone(), footer).is_some() {
            return;
        }
        kept.order.push_back(key);
        kept.bytes += size;
        while kept.bytes > self.limit {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(gone) = kept.footers.remove(&oldest) {
                kept.bytes = kept.bytes.saturating_sub(gone.memory_size());
            }
        }
    }
}

/// Makes readers of one table's files.
#[derive(Clone)]
pub(super) struct Readers {
    table: String,
    store: Arc<dyn ObjectStore>,
    footers: Arc<FooterCache>,
    meter: Arc<Meter>,
    wanted: Arc<OnceLock<Wanted>>,
    giving: Option<Arc<Giving>>,
}

/// What a scan gives, where that is known.
#[derive(Debug)]
pub(super) struct Giving {
    /// The columns that it reads; of rows that are narrowed nothing but members.
    pub(super) columns: BTreeSet<String>,
    /// Texts that are to come as dictionaries.
    pub(super) dictionaries: BTreeSet<Names>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(
        table: String,
        store: Arc<dyn ObjectStore>,
        footers: Arc<FooterCache>,
        meter: Arc<Meter>,
        wanted: Arc<OnceLock<Wanted>>,
    ) -> Self {
        Readers { table, store, footers, meter, wanted, giving: None }
    }

    /// The same for a scan that gives this.
    pub(super) fn giving(&self, giving: Giving) -> Self {
        Readers { giving: Some(Arc::new(giving)), ..self.clone() }
    }

    fn reader(&self, path: Path, size: u64) -> Reader {
        let inner = ParquetObjectReader::new(Arc::clone(&self.store), path.clone())
            .with_file_size(size)
            .with_footer_size_hint(FOOTER_HINT)
            .with_preload_column_index(true)
            .with_preload_offset_index(true);
        Reader { inner, key: (self.table.clone(), path), readers: self.clone() }
    }

    /// The texts that a file has as dictionaries; none if it can't be read, which is said when it is.
    pub(super) async fn dictionaries(&self, file: &DataFile) -> BTreeSet<Names> {
        let footer = self.reader(file.path.clone(), file.size).footer().await;
        footer.map(|footer| dictionaries::of_file(&footer)).unwrap_or_default()
    }
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        _partition: usize,
        file: PartitionedFile,
        _footer_size: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(self.reader(file.object_meta.location, file.object_meta.size)))
    }
}

struct Reader {
    inner: ParquetObjectReader,
    key: Key,
    readers: Readers,
}

impl Reader {
    /// The whole footer.
    async fn footer(&mut self) -> datafusion::parquet::errors::Result<Arc<ParquetMetaData>> {
        if let Some(footer) = self.readers.footers.get(&self.key) {
            return Ok(footer);
        }
        // Without options: the index of pages is to be there for whoever takes the footer next.
        let footer = self.inner.get_metadata(None).await?;
        self.readers.footers.put(self.key.clone(), Arc::clone(&footer));
        Ok(footer)
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, datafusion::parquet::errors::Result<Bytes>> {
        self.readers.meter.add(range.end.saturating_sub(range.start));
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, datafusion::parquet::errors::Result<Vec<Bytes>>> {
        self.readers.meter.add(ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum());
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, datafusion::parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.footer().await?;
            let giving = self.readers.giving.as_deref();
            let footer = match self.readers.wanted.get() {
                Some(wanted) => wanted.narrow(&footer, giving.map(|giving| &giving.columns))?,
                None => footer,
            };
            match giving {
                Some(giving) if !giving.dictionaries.is_empty() => {
                    dictionaries::said(&footer, &giving.dictionaries)
                }
                _ => Ok(footer),
            }
        }
        .boxed()
    }
}
