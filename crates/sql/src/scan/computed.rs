//! A column that is made of others, when a query reads it.
//!
//! Below this operator are the columns as files have them, above it the computed one among those that were asked for.
//! It says nothing of an order, since its columns have other places than those below, and DataFusion would move sorts by
//! their places. Conditions on other columns go through to the files; one that reads the computed column stays above, for a column of
//! the same name in the files, and all that is known of its values, is something else.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::table::Computed;

/// How many rows are read at a time. What is computed are records, of a kilobyte or more: those of this many rows are
/// still in a core's cache when the condition on them is looked at. Measured, 2048 take a sixth less time than 8192.
pub(super) const MOST_ROWS: usize = 2048;

/// Makes the computed column of rows of files.
#[derive(Debug)]
pub(super) struct Compute {
    input: Arc<dyn ExecutionPlan>,
    computed: Computed,
    /// The columns that come out, the computed one among them, with its place.
    schema: SchemaRef,
    place: usize,
    properties: Arc<PlanProperties>,
}

impl Compute {
    /// `input` has every column that the computed one needs, and every other one of `schema`.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        computed: Computed,
        schema: SchemaRef,
        place: usize,
    ) -> Self {
        let from = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            from.output_partitioning().clone(),
            from.emission_type,
            from.boundedness,
        );
        Compute { input, computed, schema, place, properties: Arc::new(properties) }
    }
}

impl DisplayAs for Compute {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Compute: {}", self.computed.column)
    }
}

impl ExecutionPlan for Compute {
    fn name(&self) -> &'static str {
        "Compute"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Compute::new(input, self.computed.clone(), Arc::clone(&self.schema), self.place)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (computed, schema, place) = (self.computed.clone(), Arc::clone(&self.schema), self.place);
        let rows = self.input.execute(partition, context)?;
        let rows = rows.map(move |batch| with_computed(&computed, &schema, place, &batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Statistics> {
        let num_rows = self.input.partition_statistics(partition)?.num_rows;
        Ok(Statistics { num_rows, ..Statistics::new_unknown(&self.schema) })
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let stored: HashSet<usize> =
            (0..self.schema.fields().len()).filter(|index| *index != self.place).collect();
        let below = ChildFilterDescription::from_child_with_allowed_indices(&filters, stored, &self.input)?;
        Ok(FilterDescription::new().with_child(below))
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}

fn with_computed(
    computed: &Computed,
    schema: &SchemaRef,
    place: usize,
    batch: &RecordBatch,
) -> Result<RecordBatch> {
    let mut made = Some((computed.compute)(batch).map_err(DataFusionError::External)?);
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let column = match made.take_if(|_| index == place) {
            Some(made) => made,
            None => Arc::clone(batch.column(batch.schema_ref().index_of(field.name())?)),
        };
        Ok(cast(&column, field.data_type())?)
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
