//! Ending queries that would not notice by themselves that nobody wants them any more.
//!
//! A task ends where it waits. A join may go through billions of pairs without waiting, so after planning each join gives
//! way after some batches of its result, and what it compares pairs with asks whether to go on. So do the functions of a
//! window ([`crate::windows`]) and what cuts batches into portions ([`crate::portions`]).

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use tokio::sync::Notify;

use crate::SqlError;
use crate::portions::Portions;
use crate::windows;

/// Whether a query is to end, and why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel(Arc<End>);

#[derive(Debug, Default)]
struct End {
    why: OnceLock<SqlError>,
    said: Notify,
}

impl Cancel {
    /// Nobody wants the query any more.
    pub(crate) fn cancel(&self) {
        self.end(SqlError::Cancelled);
    }

    /// The query is to end. The first reason stays.
    pub(crate) fn end(&self, why: SqlError) {
        if self.0.why.set(why).is_ok() {
            self.0.said.notify_waiters();
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.0.why.get().is_some()
    }

    /// Waits until the query is to end.
    pub(crate) async fn ended(&self) -> SqlError {
        loop {
            let said = self.0.said.notified();
            if let Some(why) = self.0.why.get() {
                return why.clone();
            }
            said.await;
        }
    }

    /// # Errors
    /// Why the query is to end, if it is.
    pub(crate) fn check(&self) -> Result<()> {
        match self.0.why.get() {
            Some(why) => Err(DataFusionError::External(Box::new(why.clone()))),
            None => Ok(()),
        }
    }
}

/// The last rule of a plan: joins give way and ask.
#[derive(Debug)]
pub(crate) struct GiveWay(pub(crate) Cancel);

impl PhysicalOptimizerRule for GiveWay {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| self.node(plan)).map(|transformed| transformed.data)
    }

    fn name(&self) -> &str {
        "give_way"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl GiveWay {
    fn node(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        let any = plan.as_any();
        let asking: Arc<dyn ExecutionPlan> = if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
            let filter = join.filter().map(|filter| self.asking(filter));
            Arc::new(NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?)
        } else if let Some(join) = any.downcast_ref::<HashJoinExec>() {
            match join.filter() {
                Some(filter) => join.builder().with_filter(Some(self.asking(filter))).build_exec()?,
                None => plan,
            }
        } else if let Some(unnest) = any.downcast_ref::<UnnestExec>() {
            let lists = unnest.list_column_indices().iter().map(|list| list.index_in_input_schema).collect();
            let input = Portions::of_lists(Arc::clone(unnest.input()), lists, self.0.clone());
            plan.with_new_children(vec![Arc::new(input)])?
        } else if let Some(window) = any.downcast_ref::<BoundedWindowAggExec>() {
            windows::note_streamed(window.window_expr());
            return Ok(Transformed::no(plan));
        } else if any.is::<WindowAggExec>() {
            // It gives its whole partition as one batch.
            Arc::new(Portions::of_rows(plan, self.0.clone()))
        } else if any.is::<CrossJoinExec>() || any.is::<SortMergeJoinExec>() {
            plan
        } else {
            return Ok(Transformed::no(plan));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(asking))))
    }

    fn asking(&self, filter: &JoinFilter) -> JoinFilter {
        let expression = Asking { inner: Arc::clone(filter.expression()), cancel: self.0.clone() };
        JoinFilter::new(Arc::new(expression), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    }
}

/// An expression that fails once its query is cancelled.
#[derive(Debug)]
struct Asking {
    inner: Arc<dyn PhysicalExpr>,
    cancel: Cancel,
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Asking {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.cancel.check()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(inner) => Ok(Arc::new(Asking { inner, cancel: self.cancel.clone() })),
            None => Ok(self),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
