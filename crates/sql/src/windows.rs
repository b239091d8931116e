//! Functions of windows, which ask whether to go on and whose values are bounded.
//!
//! DataFusion calls the function of a window once for each row, collects the values of a whole partition, and makes one
//! column of them, without a pause and without a word to the pool of memory. A value may be as large as the partition
//! itself (`array_agg(…) OVER ()`), so that the column would be as large as its square.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{
    AccumulatorArgs, ExpressionArgs, PartitionEvaluatorArgs, StateFieldsArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::window_state::WindowAggState;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, LimitEffect, LogicalPlan, PartitionEvaluator,
    ReversedUDAF, ReversedUDWF, SetMonotonicity, Signature, WindowFunctionDefinition, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::window::{
    PlainAggregateWindowExpr, SlidingAggregateWindowExpr, StandardWindowExpr, WindowExpr,
};
use datafusion::physical_plan::windows::WindowUDFExpr;

use crate::SqlError;
use crate::cancel::Cancel;
use crate::functions::of_range;

/// Values of a window that are held at a time where it is not computed a partition at a time: those of a batch.
const STREAMED_ROWS: usize = 8192;

/// What the functions of a query's windows need to know.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) cancel: Cancel,
    /// Bytes of the values of one function over one partition, at most.
    pub(crate) bytes: usize,
}

/// Bounds the functions of all windows of an optimized plan.
pub(crate) fn bound(plan: LogicalPlan, bounds: &Bounds) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Window(mut window) = plan else { return Ok(Transformed::no(plan)) };
        for expr in &mut window.window_expr {
            let own = std::mem::take(expr);
            *expr = own.transform(|expr| Ok(bounded(expr, bounds)))?.data;
        }
        Ok(Transformed::yes(LogicalPlan::Window(window)))
    })
    .map(|transformed| transformed.data)
}

fn bounded(expr: Expr, bounds: &Bounds) -> Transformed<Expr> {
    let Expr::WindowFunction(mut function) = expr else { return Transformed::no(expr) };
    let bounds = bounds.clone();
    function.fun = match function.fun {
        WindowFunctionDefinition::AggregateUDF(inner) => {
            WindowFunctionDefinition::AggregateUDF(aggregate(inner, bounds, Arc::default()))
        }
        WindowFunctionDefinition::WindowUDF(inner) => {
            let own = Ranked { inner, bounds, is_streamed: Arc::default() };
            WindowFunctionDefinition::WindowUDF(Arc::new(WindowUDF::new_from_impl(own)))
        }
    };
    Transformed::yes(Expr::WindowFunction(function))
}

fn aggregate(inner: Arc<AggregateUDF>, bounds: Bounds, is_streamed: Arc<AtomicBool>) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Aggregate { inner, bounds, is_streamed }))
}

/// Two functions are the same if what they call is.
macro_rules! same {
    ($kind:ty) => {
        impl PartialEq for $kind {
            fn eq(&self, other: &Self) -> bool {
                self.inner == other.inner
            }
        }

        impl Eq for $kind {}

        impl Hash for $kind {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.inner.hash(state);
            }
        }
    };
}

/// What a function has given of the values that are held at a time.
#[derive(Debug)]
struct Given {
    bounds: Bounds,
    is_streamed: bool,
    taken: usize,
    given: usize,
    bytes: usize,
}

impl Given {
    fn new(bounds: &Bounds, is_streamed: &AtomicBool) -> Self {
        let is_streamed = is_streamed.load(Ordering::Relaxed);
        Given { bounds: bounds.clone(), is_streamed, taken: 0, given: 0, bytes: 0 }
    }

    /// Notes that the function has taken rows.
    fn take(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.taken += values.first().map_or(0, |values| values.len());
        self.bounds.cancel.check()
    }

    fn give(&mut self, value: ScalarValue) -> Result<ScalarValue> {
        if self.is_streamed && self.given.is_multiple_of(STREAMED_ROWS) {
            self.bytes = 0;
        }
        // A function that takes all rows first gives the same for each of them.
        let copies = if self.given == 0 { self.taken.max(1) } else { 1 };
        self.given += 1;
        self.bytes = self.bytes.saturating_add(payload(&value).saturating_mul(copies));
        if self.bytes > self.bounds.bytes {
            return Err(DataFusionError::External(Box::new(SqlError::ExceededMemory(self.bounds.bytes))));
        }
        Ok(value)
    }
}

/// Bytes of what is not of one size.
fn payload(value: &ScalarValue) -> usize {
    let of = |array: &dyn Array| of_range(array, 0, array.len());
    match value {
        ScalarValue::List(list) => of(list.as_ref()),
        ScalarValue::LargeList(list) => of(list.as_ref()),
        ScalarValue::Map(map) => of(map.as_ref()),
        ScalarValue::Struct(row) => of(row.as_ref()),
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => {
            text.as_ref().map_or(0, String::len)
        }
        ScalarValue::Binary(bytes) | ScalarValue::LargeBinary(bytes) | ScalarValue::BinaryView(bytes) => {
            bytes.as_ref().map_or(0, Vec::len)
        }
        _ => 0,
    }
}

/// Tells the functions of a window that is not computed a partition at a time, so that they know how many of their values
/// are held.
pub(crate) fn note_streamed(windows: &[Arc<dyn WindowExpr>]) {
    for window in windows {
        let any = window.as_any();
        let aggregated =
            any.downcast_ref::<PlainAggregateWindowExpr>().map(|window| window.get_aggregate_expr());
        let sliding =
            any.downcast_ref::<SlidingAggregateWindowExpr>().map(|window| window.get_aggregate_expr());
        if let Some(expr) = aggregated.or(sliding)
            && let Some(own) = expr.fun().inner().as_any().downcast_ref::<Aggregate>()
        {
            own.is_streamed.store(true, Ordering::Relaxed);
        }
        if let Some(window) = any.downcast_ref::<StandardWindowExpr>()
            && let Some(expr) = window.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>()
            && let Some(own) = expr.fun().inner().as_any().downcast_ref::<Ranked>()
        {
            own.is_streamed.store(true, Ordering::Relaxed);
        }
    }
}

/// An aggregate over a window.
#[derive(Debug)]
struct Aggregate {
    inner: Arc<AggregateUDF>,
    bounds: Bounds,
    is_streamed: Arc<AtomicBool>,
}
same!(Aggregate);

impl Aggregate {
    fn bounded(&self, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        Box::new(Accumulating { inner, given: Given::new(&self.bounds, &self.is_streamed) })
    }
}

impl AggregateUDFImpl for Aggregate {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.human_display(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.window_function_schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.display_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.inner.return_type(kinds)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(arguments).map(|inner| self.bounded(inner))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(arguments)
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(arguments).map(|inner| self.bounded(inner))
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        is_ordered: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let ordered = AggregateUDF::clone(&self.inner).with_beneficial_ordering(is_ordered)?;
        Ok(ordered.map(|inner| {
            let own = Aggregate {
                inner: Arc::new(inner),
                bounds: self.bounds.clone(),
                is_streamed: Arc::clone(&self.is_streamed),
            };
            Arc::new(own) as Arc<dyn AggregateUDFImpl>
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.reverse_udf() {
            ReversedUDAF::Reversed(inner) => {
                ReversedUDAF::Reversed(aggregate(inner, self.bounds.clone(), Arc::clone(&self.is_streamed)))
            }
            other => other,
        }
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn default_value(&self, kind: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(kind)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(kind)
    }
}

#[derive(Debug)]
struct Accumulating {
    inner: Box<dyn Accumulator>,
    given: Given,
}

impl Accumulator for Accumulating {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.given.take(values)?;
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.given.bounds.cancel.check()?;
        self.given.give(self.inner.evaluate()?)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// A function that there is only for windows.
#[derive(Debug)]
struct Ranked {
    inner: Arc<WindowUDF>,
    bounds: Bounds,
    is_streamed: Arc<AtomicBool>,
}
same!(Ranked);

impl WindowUDFImpl for Ranked {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn expressions(&self, arguments: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.expressions(arguments)
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let inner = self.inner.partition_evaluator_factory(arguments)?;
        Ok(Box::new(Evaluating { inner, given: Given::new(&self.bounds, &self.is_streamed) }))
    }

    fn field(&self, arguments: WindowUDFFieldArgs) -> Result<FieldRef> {
        self.inner.field(arguments)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.inner.sort_options()
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        match self.inner.reverse_expr() {
            ReversedUDWF::Reversed(inner) => {
                let is_streamed = Arc::clone(&self.is_streamed);
                let own = Ranked { inner, bounds: self.bounds.clone(), is_streamed };
                ReversedUDWF::Reversed(Arc::new(WindowUDF::new_from_impl(own)))
            }
            other => other,
        }
    }

    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.inner.inner().limit_effect(arguments)
    }
}

#[derive(Debug)]
struct Evaluating {
    inner: Box<dyn PartitionEvaluator>,
    given: Given,
}

impl PartitionEvaluator for Evaluating {
    fn memoize(&mut self, state: &mut WindowAggState) -> Result<()> {
        self.inner.memoize(state)
    }

    fn get_range(&self, row: usize, rows: usize) -> Result<Range<usize>> {
        self.inner.get_range(row, rows)
    }

    fn is_causal(&self) -> bool {
        self.inner.is_causal()
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        self.given.bounds.cancel.check()?;
        self.inner.evaluate_all(values, rows)
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        self.given.bounds.cancel.check()?;
        self.given.give(self.inner.evaluate(values, range)?)
    }

    fn evaluate_all_with_rank(&self, rows: usize, ranks: &[Range<usize>]) -> Result<ArrayRef> {
        self.given.bounds.cancel.check()?;
        self.inner.evaluate_all_with_rank(rows, ranks)
    }

    fn supports_bounded_execution(&self) -> bool {
        self.inner.supports_bounded_execution()
    }

    fn uses_window_frame(&self) -> bool {
        self.inner.uses_window_frame()
    }

    fn include_rank(&self) -> bool {
        self.inner.include_rank()
    }
}
