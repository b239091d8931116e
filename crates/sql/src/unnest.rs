//! `UNNEST` in FROM: arrays and maps of the tables before it become rows.
//!
//! DataFusion plans UNNEST of constants only. Here it is planned as a node of its own whose expressions refer to the tables
//! before it, and once the whole query is planned, the join with that node becomes DataFusion's own unnesting of columns. What
//! a LATERAL selects of it becomes a projection and a filter above.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{
    Column, DFSchema, DFSchemaRef, DataFusionError, Result, TableReference, UnnestOptions, plan_err,
};
use datafusion::functions::core::expr_fn::{coalesce, get_field, greatest};
use datafusion::functions_nested::expr_fn::{array_length, gen_series, map_keys, map_values};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Extension, JoinType, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore,
    cast, col, lit, when,
};
use sqlparser::ast::TableFactor;

/// Plans UNNEST in FROM.
#[derive(Debug)]
pub(crate) struct UnnestPlanner;

impl RelationPlanner for UnnestPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let nothing = DFSchema::empty();
        let exprs = array_exprs
            .into_iter()
            .map(|expr| context.sql_to_expr(expr, &nothing))
            .collect::<Result<Vec<_>>>()?;
        let names = alias.iter().flat_map(|alias| &alias.columns).map(|column| column.name.value.clone());
        let node = Unnesting::new(exprs, with_ordinality, names.collect())?;
        let mut plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        if let Some(alias) = alias {
            plan = LogicalPlanBuilder::from(plan).alias(TableReference::bare(alias.name.value))?.build()?;
        }
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

/// `UNNEST(…)`, not yet joined with what its expressions refer to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Unnesting {
    exprs: Vec<Expr>,
    ordinality: bool,
    schema: DFSchemaRef,
}

impl PartialOrd for Unnesting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.exprs.partial_cmp(&other.exprs)
    }
}

impl Unnesting {
    /// `names` are those that an alias gives to the columns, none or one for each.
    fn new(exprs: Vec<Expr>, ordinality: bool, names: Vec<String>) -> Result<Self> {
        let mut fields = Vec::new();
        for expr in &exprs {
            fields.extend(columns(&expr.get_type(&DFSchema::empty())?)?);
        }
        if ordinality {
            fields.push(("ordinality".to_owned(), DataType::Int64));
        }
        if !names.is_empty() && names.len() != fields.len() {
            return plan_err!("UNNEST has {} columns here, its alias names {}", fields.len(), names.len());
        }
        let mut taken = HashSet::new();
        let mut named = Vec::with_capacity(fields.len());
        let mut names = names.into_iter();
        for (index, (own, kind)) in fields.into_iter().enumerate() {
            let name = names.next().unwrap_or(own);
            let name = if taken.insert(name.clone()) { name } else { format!("{name} #{index}") };
            named.push(Field::new(name, kind, true));
        }
        let schema = DFSchema::from_unqualified_fields(named.into(), Default::default())?;
        Ok(Unnesting { exprs, ordinality, schema: Arc::new(schema) })
    }
}

/// The columns that an array or a map is unnested to: the fields of rows, keys and values, or the elements.
fn columns(kind: &DataType) -> Result<Vec<(String, DataType)>> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Ok(match item.data_type() {
                DataType::Struct(fields) => {
                    fields.iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
                }
                other => vec![("element".to_owned(), other.clone())],
            })
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => Ok(["key", "value"]
                .into_iter()
                .zip(fields)
                .map(|(name, field)| (name.to_owned(), field.data_type().clone()))
                .collect()),
            other => plan_err!("UNNEST can't take a map of {other}"),
        },
        other => plan_err!("UNNEST takes arrays and maps, not {}", crate::format::type_name(other)),
    }
}

impl UserDefinedLogicalNodeCore for Unnesting {
    fn name(&self) -> &str {
        "Unnesting"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.exprs.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Unnesting")
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(Unnesting { exprs, ..self.clone() })
    }
}

/// Replaces every UNNEST of a planned query.
pub(crate) fn expand(plan: LogicalPlan) -> Result<LogicalPlan> {
    let expanded = plan.transform_up_with_subqueries(|plan| {
        let replaced = replacement(&plan)?;
        Ok(match replaced {
            Some(replaced) => Transformed::yes(replaced),
            None => Transformed::yes(plan.recompute_schema()?),
        })
    })?;
    let left = expanded.data.exists(|plan| Ok(unnesting(plan).is_some()))?;
    if left {
        return plan_err!(
            "UNNEST can't take a column of the query around it; CROSS JOIN UNNEST where the column's table is, or use \
             any_match"
        );
    }
    Ok(expanded.data)
}

fn replacement(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if let Some(node) = unnesting(plan) {
        if node.exprs.iter().any(Expr::contains_outer) {
            return Ok(None);
        }
        let one_row = LogicalPlanBuilder::empty(true).build()?;
        return unnest(&one_row, node, &node.schema, false).map(Some);
    }
    let LogicalPlan::Join(join) = plan else { return Ok(None) };
    if !is_unnesting(&join.right) {
        return Ok(None);
    }
    let on_true = join.on.is_empty() && join.filter.as_ref().is_none_or(|filter| *filter == lit(true));
    match join.join_type {
        JoinType::Inner => {
            let joined = beside(&join.left, &join.right, join.right.schema(), false)?;
            match (&join.filter, on_true) {
                (Some(filter), false) => {
                    LogicalPlanBuilder::from(joined).filter(filter.clone())?.build().map(Some)
                }
                _ => Ok(Some(joined)),
            }
        }
        JoinType::Left if on_true => beside(&join.left, &join.right, join.right.schema(), true).map(Some),
        JoinType::Left => plan_err!("LEFT JOIN UNNEST can only be ON TRUE"),
        other => plan_err!("{other} JOIN with UNNEST is not supported"),
    }
}

fn unnesting(plan: &LogicalPlan) -> Option<&Unnesting> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// Whether a join's side is an UNNEST, or what a LATERAL selects row by row of one.
fn is_unnesting(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => is_unnesting(&alias.input),
        LogicalPlan::Subquery(subquery) => is_unnesting(&subquery.subquery),
        LogicalPlan::Projection(projection) => is_unnesting(&projection.input),
        LogicalPlan::Filter(filter) => is_unnesting(&filter.input),
        other => unnesting(other).is_some(),
    }
}

/// The rows of `left`, each once for each row of `right`, which is an UNNEST for which [`is_unnesting`] holds. `schema` names
/// the columns of `right`. With `all`, rows without elements too.
fn beside(left: &LogicalPlan, right: &LogicalPlan, schema: &DFSchema, all: bool) -> Result<LogicalPlan> {
    match right {
        LogicalPlan::SubqueryAlias(alias) => beside(left, &alias.input, schema, all),
        LogicalPlan::Subquery(subquery) => beside(left, &subquery.subquery, schema, all),
        LogicalPlan::Projection(projection) => {
            let plain = projection.expr.iter().all(|expr| matches!(expr.clone().unalias(), Expr::Column(_)));
            if all && !plain {
                return plan_err!("LEFT JOIN LATERAL with UNNEST can only select columns");
            }
            let below = beside(left, &projection.input, projection.input.schema(), all)?;
            let exprs = projection.expr.iter().map(|expr| inner(expr.clone(), left.schema()));
            selected(below, left, exprs.collect::<Result<_>>()?, schema)
        }
        LogicalPlan::Filter(_) if all => plan_err!("LEFT JOIN LATERAL with UNNEST can't have WHERE"),
        LogicalPlan::Filter(filter) => {
            let below = beside(left, &filter.input, filter.input.schema(), all)?;
            let predicate = inner(filter.predicate.clone(), left.schema())?;
            let kept = LogicalPlanBuilder::from(below).filter(predicate)?.build()?;
            let same = columns_of(filter.input.schema());
            selected(kept, left, same, schema)
        }
        other => match unnesting(other) {
            Some(node) => unnest(left, node, schema, all),
            None => plan_err!("UNNEST can't be joined here"),
        },
    }
}

/// The columns of `left`, and these expressions with the names of a schema.
fn selected(
    plan: LogicalPlan,
    left: &LogicalPlan,
    exprs: Vec<Expr>,
    schema: &DFSchema,
) -> Result<LogicalPlan> {
    let named = exprs
        .into_iter()
        .zip(schema.iter())
        .map(|(expr, (qualifier, field))| expr.unalias().alias_qualified(qualifier.cloned(), field.name()));
    LogicalPlanBuilder::from(plan).project(columns_of(left.schema()).into_iter().chain(named))?.build()
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.iter().map(|(qualifier, field)| Expr::Column(Column::from((qualifier, field)))).collect()
}

/// The rows of `left`, each once for each element; `schema` names the new columns. With `all`, rows without elements too.
fn unnest(left: &LogicalPlan, node: &Unnesting, schema: &DFSchema, all: bool) -> Result<LogicalPlan> {
    let mut lists = Vec::new();
    let mut outputs = Vec::new();
    for expr in &node.exprs {
        let expr = inner(expr.clone(), left.schema())?;
        let kind = expr.get_type(left.schema())?;
        let maps = matches!(kind, DataType::Map(_, _));
        let parts = if maps { vec![map_keys(expr.clone()), map_values(expr)] } else { vec![expr] };
        for part in parts {
            let name = format!("__unnest_{}", lists.len());
            let fields = columns(&kind)?;
            let element = col(Column::from_name(&name));
            match (&kind, maps) {
                (
                    DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
                    false,
                ) if matches!(item.data_type(), DataType::Struct(_)) => {
                    outputs
                        .extend(fields.iter().map(|(field, _)| get_field(element.clone(), field.as_str())));
                }
                _ => outputs.push(element),
            }
            lists.push((name, part));
        }
    }
    if node.ordinality {
        let lengths = lists
            .iter()
            .map(|(_, list)| coalesce(vec![cast(array_length(list.clone()), DataType::Int64), lit(0_i64)]))
            .collect();
        let name = format!("__unnest_{}", lists.len());
        outputs.push(col(Column::from_name(&name)));
        lists.push((name, gen_series(lit(1_i64), greatest(lengths), lit(1_i64))));
    }
    let own = || columns_of(left.schema()).into_iter();
    let with_lists = own().map(Ok).chain(lists.iter().map(|(name, list)| {
        let list = if all {
            when(array_length(list.clone()).gt(lit(0_u64)), list.clone()).end()?
        } else {
            list.clone()
        };
        Ok(list.alias(name))
    }));
    let with_lists: Vec<Expr> = with_lists.collect::<Result<_>>()?;
    let unnested = lists.iter().map(|(name, _)| Column::from_name(name)).collect();
    let named = outputs
        .into_iter()
        .zip(schema.iter())
        .map(|(output, (qualifier, field))| output.alias_qualified(qualifier.cloned(), field.name()));
    LogicalPlanBuilder::from(left.clone())
        .project(with_lists)?
        .unnest_columns_with_options(unnested, UnnestOptions { preserve_nulls: all, recursions: Vec::new() })?
        .project(own().chain(named))?
        .build()
}

/// An expression of the UNNEST as one of the plan that it is joined with.
fn inner(expr: Expr, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    expr.transform(|expr| {
        Ok(match expr {
            Expr::OuterReferenceColumn(_, column) if schema.has_column(&column) => {
                Transformed::yes(Expr::Column(column))
            }
            other => Transformed::no(other),
        })
    })
    .map(|transformed| transformed.data)
}
