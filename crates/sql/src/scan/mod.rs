//! Reading a table: the files that a predicate does not exclude, and the tail, as one.

mod computed;
mod dictionaries;
mod narrow;
mod prune;
mod reader;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;

use dictionaries::with_kind;
pub(crate) use dictionaries::{Scans, dictionary};
pub(crate) use narrow::Wanted;
pub(crate) use reader::{FooterCache, Meter};

use crate::TableData;

/// A table of one query.
pub(crate) struct Table {
    name: String,
    data: TableData,
    schema: SchemaRef,
    /// What files have.
    stored: SchemaRef,
    url: ObjectStoreUrl,
    footers: Arc<FooterCache>,
    meter: Arc<Meter>,
    wanted: Arc<OnceLock<Wanted>>,
    scans: Arc<Scans>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn new(
        name: String,
        data: TableData,
        url: ObjectStoreUrl,
        footers: Arc<FooterCache>,
        meter: Arc<Meter>,
        wanted: Arc<OnceLock<Wanted>>,
        scans: Arc<Scans>,
    ) -> Self {
        let schema = with_views(&data.schema);
        let stored = data.computed.as_ref().map_or(Arc::clone(&schema), |it| with_views(&it.stored));
        Table { name, data, schema, stored, url, footers, meter, wanted, scans }
    }

    /// The files as partitions of about the same size.
    fn groups(&self, kept: &[usize], partitions: usize) -> Vec<FileGroup> {
        let mut groups: Vec<(u64, Vec<_>)> = vec![(0, Vec::new()); partitions.max(1)];
        let mut files: Vec<_> = kept.iter().filter_map(|index| self.data.files.get(*index)).collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.size));
        for file in files {
            let meta = ObjectMeta {
                location: file.path.clone(),
                last_modified: DateTime::UNIX_EPOCH,
                size: file.size,
                e_tag: None,
                version: None,
            };
            let statistics = prune::statistics(file, &self.data.time_column, &self.stored);
            let file = datafusion::datasource::listing::PartitionedFile::new_from_meta(meta);
            if let Some(group) = groups.iter_mut().min_by_key(|group| group.0) {
                group.0 += file.object_meta.size;
                group.1.push(file.with_statistics(Arc::new(statistics)));
            }
        }
        groups.retain(|group| !group.1.is_empty());
        groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
    }

    /// Rows of files with the columns of `schema`, which is a part of the table's.
    fn files(
        &self,
        state: &dyn Session,
        schema: SchemaRef,
        kept: &[usize],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let computed =
            self.data.computed.as_ref().and_then(|it| Some((it, schema.index_of(&it.column).ok()?)));
        let Some((computed, place)) = computed else {
            let stored = schema.fields().iter().map(|field| self.stored.index_of(field.name()));
            let stored = stored.collect::<std::result::Result<Vec<_>, _>>()?;
            return self.stored_columns(state, stored, &self.wanted, kept, limit, None);
        };
        let all = (0..self.stored.fields().len()).collect();
        let rows = state.config().batch_size().min(computed::MOST_ROWS);
        // It is made of whole columns.
        let stored = self.stored_columns(state, all, &Arc::default(), kept, limit, Some(rows))?;
        Ok(Arc::new(computed::Compute::new(stored, computed.clone(), schema, place)))
    }

    fn readers(&self, wanted: &Arc<OnceLock<Wanted>>) -> reader::Readers {
        reader::Readers::new(
            self.name.clone(),
            Arc::clone(&self.data.store),
            Arc::clone(&self.footers),
            Arc::clone(&self.meter),
            Arc::clone(wanted),
        )
    }

    /// Notes what scans of these files can give as dictionaries, by the largest of them.
    async fn note_dictionaries(&self, kept: &[usize]) {
        let files = kept.iter().filter_map(|index| self.data.files.get(*index));
        if let Some(largest) = files.max_by_key(|file| file.size) {
            let readers = self.readers(&self.wanted);
            let known = readers.dictionaries(largest).await;
            self.scans.note(self.url.as_str(), readers, known);
        }
    }

    fn stored_columns(
        &self,
        state: &dyn Session,
        projection: Vec<usize>,
        wanted: &Arc<OnceLock<Wanted>>,
        kept: &[usize],
        limit: Option<usize>,
        batch_rows: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let groups = self.groups(kept, state.config().target_partitions());
        let mut statistics = datafusion::common::Statistics::new_unknown(&self.stored);
        let rows =
            kept.iter().filter_map(|index| self.data.files.get(*index)).map(|file| file.rows).sum::<u64>();
        self.meter.plan(self.url.as_str(), rows);
        statistics.num_rows = usize::try_from(rows)
            .map_or(datafusion::common::stats::Precision::Absent, |rows| {
                datafusion::common::stats::Precision::Exact(rows)
            });
        let source = ParquetSource::new(Arc::clone(&self.stored))
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(self.readers(wanted)));
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(projection))?
            .with_limit(limit)
            .with_batch_size(batch_rows)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn tail(&self, schema: SchemaRef) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if self.data.tail.is_empty() {
            return Ok(None);
        }
        let mut batches = Vec::with_capacity(self.data.tail.len());
        for batch in &self.data.tail {
            self.meter.add_rows(batch.num_rows() as u64);
            let columns = schema
                .fields()
                .iter()
                .map(|field| {
                    let column = batch.column(batch.schema_ref().index_of(field.name())?);
                    self.meter.add(column.get_array_memory_size() as u64);
                    cast(column, field.data_type())
                })
                .collect::<std::result::Result<Vec<_>, _>>()?;
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            batches.push(RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?);
        }
        let plan = MemorySourceConfig::try_new_exec(&[batches], schema, None)?;
        Ok(Some(plan))
    }
}

#[async_trait]
impl TableProvider for Table {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let kept = prune::kept(state, &self.schema, &self.data, filters)?;
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => Arc::clone(&self.schema),
        };
        let mut inputs = Vec::with_capacity(2);
        if !kept.is_empty() {
            // The limit counts rows before the filters, which are applied above.
            let limit = limit.filter(|_| filters.is_empty());
            inputs.push(self.files(state, Arc::clone(&schema), &kept, limit)?);
            if schema.fields().iter().any(|field| may_have_dictionaries(field.data_type())) {
                self.note_dictionaries(&kept).await;
            }
        }
        inputs.extend(self.tail(Arc::clone(&schema))?);
        match inputs.len() {
            0 => Ok(Arc::new(EmptyExec::new(schema))),
            1 => Ok(inputs.remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }
}

fn may_have_dictionaries(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8View | DataType::Struct(_))
}

/// The schema with its texts as views, which DataFusion compares and groups faster. JSON stays as it is.
fn with_views(schema: &Schema) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| with_kind(field, (*field.data_type() == DataType::Utf8).then_some(DataType::Utf8View)))
        .collect();
    Arc::new(Schema::new(fields))
}
