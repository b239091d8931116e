//! The first step of an aggregation, in place of DataFusion's, by the numbers of texts.
//!
//! DataFusion hashes and compares the texts of each row. Here texts come as dictionaries ([`crate::scan`]), and each of
//! them is looked at once for each dictionary. What comes out is the same: a row for each group with the state of each
//! aggregate, which the final step merges. So a group may come out several times, and does where there are too many.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};

use super::distinct::Distinct;
use super::keys::Keys;

/// Groups that are held before they are given out: a table of so many is still fast.
const MAX_GROUPS: usize = 1 << 17;

/// What it does, as the expressions of DataFusion's operator, over the input's columns.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The rows that count.
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
    pub(super) keys: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) aggregates: Vec<Aggregate>,
}

/// An aggregate function.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) function: Arc<AggregateFunctionExpr>,
    pub(super) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
    /// It counts the distinct texts of its argument, which come as a dictionary.
    pub(super) counts_texts: bool,
}

/// Groups rows.
#[derive(Debug)]
pub(super) struct Grouping {
    input: Arc<dyn ExecutionPlan>,
    work: Work,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl Grouping {
    /// `schema` and `properties` are those of the operator that it stands for.
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        work: Work,
        schema: SchemaRef,
        properties: Arc<PlanProperties>,
    ) -> Self {
        Grouping { input, work, schema, properties }
    }
}

impl DisplayAs for Grouping {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let keys: Vec<String> = self.work.keys.iter().map(ToString::to_string).collect();
        write!(f, "Grouping: by=[{}]", keys.join(", "))
    }
}

impl ExecutionPlan for Grouping {
    fn name(&self) -> &'static str {
        "Grouping"
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
        let (schema, properties) = (Arc::clone(&self.schema), Arc::clone(&self.properties));
        Ok(Arc::new(Grouping { input, work: self.work.clone(), schema, properties }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let consumer = MemoryConsumer::new(format!("Grouping[{partition}]"));
        let grouped = Grouped {
            input: self.input.execute(partition, Arc::clone(&context))?,
            work: self.work.clone(),
            schema: Arc::clone(&self.schema),
            held: None,
            groups: Vec::new(),
            out: VecDeque::new(),
            is_over: false,
            batch_rows: context.session_config().batch_size().max(1),
            reservation: consumer.register(context.memory_pool()),
        };
        let rows = stream::try_unfold(grouped, |mut grouped| async move {
            Ok(grouped.next().await?.map(|batch| (batch, grouped)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}

/// One partition.
struct Grouped {
    input: SendableRecordBatchStream,
    work: Work,
    schema: SchemaRef,
    held: Option<Held>,
    /// The groups of the batch's rows.
    groups: Vec<usize>,
    out: VecDeque<RecordBatch>,
    is_over: bool,
    batch_rows: usize,
    reservation: MemoryReservation,
}

/// Groups and what is known of them.
struct Held {
    keys: Keys,
    states: Vec<State>,
}

enum State {
    Any(Box<dyn GroupsAccumulator>),
    Distinct(Distinct),
}

impl Held {
    fn new(work: &Work, keys: &[ArrayRef], schema: &SchemaRef) -> Result<Self> {
        let kinds: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let states = work.aggregates.iter().map(|aggregate| state(aggregate, schema));
        Ok(Held { keys: Keys::new(&kinds), states: states.collect::<Result<_>>()? })
    }

    fn size(&self) -> usize {
        let of = |state: &State| match state {
            State::Any(state) => state.size(),
            State::Distinct(distinct) => distinct.size(),
        };
        self.keys.size() + self.states.iter().map(of).sum::<usize>()
    }
}

fn state(aggregate: &Aggregate, schema: &SchemaRef) -> Result<State> {
    if let Some(texts) = aggregate.arguments.first().filter(|_| aggregate.counts_texts) {
        return Ok(State::Distinct(Distinct::new(&texts.data_type(schema)?)));
    }
    let function = Arc::clone(&aggregate.function);
    Ok(State::Any(if function.groups_accumulator_supported() {
        function.create_groups_accumulator()?
    } else {
        Box::new(GroupsAccumulatorAdapter::new(move || function.create_accumulator()))
    }))
}

impl Grouped {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.out.pop_front() {
                return Ok(Some(batch));
            }
            if self.is_over {
                return Ok(None);
            }
            match self.input.next().await.transpose()? {
                Some(batch) => {
                    self.add(&batch)?;
                    self.reserve()?;
                }
                None => {
                    self.is_over = true;
                    self.give()?;
                }
            }
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = match &self.work.filter {
            Some(filter) => &filter_record_batch(batch, &mask(filter, batch)?)?,
            None => batch,
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let keys = arrays(&self.work.keys, batch)?;
        let held = match &mut self.held {
            Some(held) => held,
            none => none.insert(Held::new(&self.work, &keys, &batch.schema())?),
        };
        held.keys.group(&keys, batch.num_rows(), &mut self.groups)?;
        for (aggregate, state) in self.work.aggregates.iter().zip(&mut held.states) {
            let arguments = arrays(&aggregate.arguments, batch)?;
            let filter = aggregate.filter.as_ref().map(|filter| mask(filter, batch)).transpose()?;
            match (state, arguments.first()) {
                (State::Distinct(distinct), Some(texts)) => {
                    distinct.update(texts, &self.groups, filter.as_ref())?;
                }
                (State::Any(state), _) => {
                    state.update_batch(&arguments, &self.groups, filter.as_ref(), held.keys.len())?;
                }
                (State::Distinct(_), None) => {}
            }
        }
        Ok(())
    }

    /// Asks for the memory that is used. Where there is none, groups are given out.
    fn reserve(&mut self) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        if held.keys.len() < MAX_GROUPS && self.reservation.try_resize(held.size()).is_ok() {
            return Ok(());
        }
        self.give()
    }

    /// Gives out all groups.
    fn give(&mut self) -> Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let groups = held.keys.len();
        let mut columns = held.keys.values(&self.schema)?;
        for state in held.states {
            match state {
                State::Any(mut state) => columns.extend(state.state(EmitTo::All)?),
                State::Distinct(distinct) => {
                    let field = self.schema.field(columns.len());
                    columns.push(distinct.state(groups, field.data_type())?);
                }
            }
        }
        let all = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let starts = (0..groups).step_by(self.batch_rows);
        self.out.extend(starts.map(|start| all.slice(start, self.batch_rows.min(groups - start))));
        // Where there is no more, what was asked for before stands for what goes now.
        let _ = self.reservation.try_resize(all.get_array_memory_size());
        Ok(())
    }
}

fn arrays(expressions: &[Arc<dyn PhysicalExpr>], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    expressions.iter().map(|expr| expr.evaluate(batch)?.into_array(batch.num_rows())).collect()
}

/// The rows for which a condition holds.
fn mask(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    Ok(condition.evaluate(batch)?.into_array(batch.num_rows())?.as_boolean().clone())
}
