//! Aggregations over texts by numbers of texts.
//!
//! What users ask of events is mostly who did what how often: groups by a few texts that each come a million times. The
//! rule here finds aggregations whose rows come from files with nothing between that needs the texts themselves, has the
//! files give dictionaries, and puts [`grouping::Grouping`] in the place of DataFusion's first step.

mod column;
mod distinct;
mod grouping;
mod keys;
mod over;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode, Partitioning};

use crate::scan::{Scans, dictionary};
use grouping::{Aggregate, Grouping, Work};
use over::{is_dictionary, over};

/// Puts groupings by numbers where they can be, and has all other scans give only what is read of rows.
#[derive(Debug)]
pub(crate) struct ByCodes(pub(crate) Arc<Scans>);

impl PhysicalOptimizerRule for ByCodes {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.node(plan)
    }

    fn name(&self) -> &str {
        "by_codes"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl ByCodes {
    fn node(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(aggregation) = plan.as_any().downcast_ref::<AggregateExec>()
            && let Some(grouping) = self.grouping(aggregation)?
        {
            return Ok(Arc::new(grouping));
        }
        if let Some(scan) = plan.as_any().downcast_ref::<DataSourceExec>() {
            return Ok(self.0.adapt(scan, false)?.unwrap_or(plan));
        }
        let children = plan.children().into_iter().map(|child| self.node(Arc::clone(child)));
        let children = children.collect::<Result<Vec<_>>>()?;
        let same = children.iter().zip(plan.children()).all(|(one, other)| Arc::ptr_eq(one, other));
        if same { Ok(plan) } else { plan.with_new_children(children) }
    }

    /// What stands for a first step; none where it must stay.
    fn grouping(&self, plan: &AggregateExec) -> Result<Option<Grouping>> {
        let keys = plan.group_expr();
        if *plan.mode() != AggregateMode::Partial
            || !keys.is_single()
            || keys.is_empty()
            || plan.limit_options().is_some()
            || *plan.input_order_mode() != InputOrderMode::Linear
            || plan.aggr_expr().iter().any(|function| !function.order_bys().is_empty())
        {
            return Ok(None);
        }
        // What passes a filter right below need not be collected into batches again.
        let filter = plan.input().as_any().downcast_ref::<FilterExec>().filter(|it| it.fetch().is_none());
        let below = filter.map_or(plan.input(), FilterExec::input);
        let Some(input) = self.dictionaries(below)? else { return Ok(None) };
        let (plain, given) = (below.schema(), input.schema());
        if !given.fields().iter().any(is_dictionary) {
            return Ok(None);
        }
        let shown = filter.and_then(|filter| filter.projection().as_deref());
        let as_given = |expr: &Arc<dyn PhysicalExpr>| {
            let expr = behind(expr, shown)?;
            if expr.as_any().is::<Column>() { Ok(expr) } else { over(&expr, &plain, &given) }
        };
        let with_texts = |expr: &Arc<dyn PhysicalExpr>| over(&behind(expr, shown)?, &plain, &given);
        let keys = keys.expr().iter().map(|(expr, _)| as_given(expr)).collect::<Result<Vec<_>>>()?;
        for key in &keys {
            if !column::can_have(&key.data_type(&given)?) {
                return Ok(None);
            }
        }
        let aggregates = plan.aggr_expr().iter().zip(plan.filter_expr()).map(|(function, filter)| {
            let counts_texts = counts_texts(function, &as_given, &given)?;
            let arguments = function.expressions();
            let arguments =
                arguments.iter().map(|it| if counts_texts { as_given(it) } else { with_texts(it) });
            Ok(Aggregate {
                function: Arc::clone(function),
                arguments: arguments.collect::<Result<_>>()?,
                filter: filter.as_ref().map(with_texts).transpose()?,
                counts_texts,
            })
        });
        let work = Work {
            aggregates: aggregates.collect::<Result<_>>()?,
            filter: filter.map(|filter| over(filter.predicate(), &plain, &given)).transpose()?,
            keys,
        };
        Ok(Some(Grouping::new(input, work, plan.schema(), Arc::clone(plan.properties()))))
    }

    /// The same rows with texts as dictionaries, as far as files have them; none if there is something on the way that
    /// can't take them.
    fn dictionaries(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let any = plan.as_any();
        if let Some(scan) = any.downcast_ref::<DataSourceExec>() {
            return Ok(Some(self.0.adapt(scan, true)?.unwrap_or_else(|| Arc::clone(plan))));
        }
        if let Some(union) = any.downcast_ref::<UnionExec>() {
            let inputs = union.inputs().iter().map(|input| self.dictionaries(input));
            return inputs.collect::<Result<Option<Vec<_>>>>()?.map(united).transpose();
        }
        let [below] = plan.children()[..] else { return Ok(None) };
        let Some(input) = self.dictionaries(below)? else { return Ok(None) };
        let (plain, given) = (below.schema(), input.schema());
        if let Some(filter) = any.downcast_ref::<FilterExec>() {
            let filter = FilterExecBuilder::from(filter)
                .with_predicate(over(filter.predicate(), &plain, &given)?)
                .with_input(input);
            return Ok(Some(Arc::new(filter.build()?)));
        }
        if let Some(projection) = any.downcast_ref::<ProjectionExec>() {
            let exprs = projection.expr().iter().map(|it| {
                let is_column = it.expr.as_any().is::<Column>();
                let expr = if is_column { Arc::clone(&it.expr) } else { over(&it.expr, &plain, &given)? };
                Ok(ProjectionExpr::new(expr, it.alias.clone()))
            });
            let exprs = exprs.collect::<Result<Vec<_>>>()?;
            return Ok(Some(Arc::new(ProjectionExec::try_new(exprs, input)?)));
        }
        let spreads = any.downcast_ref::<RepartitionExec>();
        let spreads = spreads.is_some_and(|it| matches!(it.partitioning(), Partitioning::RoundRobinBatch(_)));
        if spreads || any.is::<CooperativeExec>() {
            return Arc::clone(plan).with_new_children(vec![input]).map(Some);
        }
        Ok(None)
    }
}

/// An expression over a filter's output as one over its input.
fn behind(expr: &Arc<dyn PhysicalExpr>, shown: Option<&[usize]>) -> Result<Arc<dyn PhysicalExpr>> {
    let Some(shown) = shown else { return Ok(Arc::clone(expr)) };
    let moved = Arc::clone(expr).transform(|expr| {
        let Some(column) = expr.as_any().downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let Some(place) = shown.get(column.index()) else { return Ok(Transformed::no(expr)) };
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), *place)) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(moved.data)
}

/// Whether an aggregate is `count(DISTINCT column)` of a dictionary.
fn counts_texts(
    function: &AggregateFunctionExpr,
    as_given: &impl Fn(&Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>>,
    given: &SchemaRef,
) -> Result<bool> {
    let arguments = function.expressions();
    let [argument] = &arguments[..] else { return Ok(false) };
    if !function.is_distinct() || function.fun().name() != "count" {
        return Ok(false);
    }
    Ok(as_given(argument)?.data_type(given)? == dictionary())
}

/// Inputs with the same columns, of which those are dictionaries that are so in one of them.
fn united(inputs: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
    let schemas: Vec<SchemaRef> = inputs.iter().map(|input| input.schema()).collect();
    let is_dictionary_in =
        |schema: &SchemaRef, place: usize| schema.fields().get(place).is_some_and(is_dictionary);
    let inputs = inputs.into_iter().zip(&schemas).map(|(input, own)| {
        let exprs = own.fields().iter().enumerate().map(|(place, field)| {
            let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), place));
            let wanted = schemas.iter().any(|schema| is_dictionary_in(schema, place));
            let expr = match field.data_type() {
                DataType::Dictionary(_, _) => column,
                _ if wanted => Arc::new(CastExpr::new(column, dictionary(), None)),
                _ => column,
            };
            ProjectionExpr::new(expr, field.name().clone())
        });
        let exprs: Vec<ProjectionExpr> = exprs.collect();
        if exprs.iter().all(|it| it.expr.as_any().is::<Column>()) {
            return Ok(input);
        }
        Ok(Arc::new(ProjectionExec::try_new(exprs, input)?) as Arc<dyn ExecutionPlan>)
    });
    UnionExec::try_new(inputs.collect::<Result<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::execution::runtime_env::RuntimeEnv;
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::physical_plan::displayable;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;
    use crate::cancel::Cancel;
    use crate::plan::{Request, Shared, plan};
    use crate::scan::FooterCache;
    use crate::{DataFile, Limits, Statement, TableData};

    async fn table() -> TableData {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let rows = RecordBatch::try_from_iter([("name", Arc::clone(&texts)), ("who", texts), ("n", numbers)]);
        let rows = rows.expect("rows");
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).expect("a writer");
        writer.write(&rows).expect("rows");
        let bytes = writer.into_inner().expect("a file");
        let store = Arc::new(InMemory::new());
        let mut files = Vec::new();
        for name in ["a.parquet", "b.parquet"] {
            let (path, size) = (Path::from(name), bytes.len() as u64);
            store.put(&path, bytes.clone().into()).await.expect("kept");
            files.push(DataFile { path, size, rows: 3, min_time: 0, max_time: 0 });
        }
        let (schema, tail, computed) = (rows.schema(), Vec::new(), None);
        TableData { schema, store, files, tail, time_column: "time".to_owned(), computed }
    }

    async fn planned(sql: &str) -> String {
        let shared = Shared {
            runtime: Arc::new(RuntimeEnv::default()),
            footers: Arc::new(FooterCache::new(1 << 20)),
            partitions: 2,
            memory: 1 << 20,
        };
        let request = Request {
            statement: Statement::parse(sql).expect("a query"),
            tables: BTreeMap::from([("t".to_owned(), table().await)]),
            parameters: Vec::new(),
            limits: Limits::default(),
        };
        let planned = plan(&shared, request, Cancel::default()).await.expect("a plan");
        displayable(planned.plan.as_ref()).indent(false).to_string()
    }

    #[tokio::test]
    async fn groups_by_texts_of_files_go_by_numbers() {
        for sql in [
            "SELECT name, count(*) FROM t GROUP BY name",
            "SELECT name, who, max(n) FROM t WHERE who <> 'x' GROUP BY name, who",
            "SELECT n, count(DISTINCT name), count(DISTINCT who) FROM t GROUP BY n",
        ] {
            let plan = planned(sql).await;
            assert!(plan.contains("Grouping: ") && !plan.contains("mode=Partial"), "{sql}: {plan}");
        }
    }

    #[tokio::test]
    async fn what_needs_no_texts_is_left_to_datafusion() {
        for sql in ["SELECT n, count(*) FROM t GROUP BY n", "SELECT count(name) FROM t", "SELECT name FROM t"]
        {
            assert!(!planned(sql).await.contains("Grouping"), "{sql}");
        }
    }
}
