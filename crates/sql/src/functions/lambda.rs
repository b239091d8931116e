//! Functions that take lambdas. DataFusion has none, so each call is a function of its own: it holds the bodies as syntax,
//! plans them over the types of its arguments, and evaluates them once a batch, over the elements of all rows, with what they
//! read from outside repeated for each element.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    self, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::sql::sqlparser::ast::{Expr, ExprWithAlias, Ident};
use parking_lot::Mutex;

use super::call::{element_type, failed, list_of, map_types};
use super::types::map_of;

/// What a function does with its lambdas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// `try(…)`: a body without parameters, NULL where it fails.
    Try,
    /// An array of what the lambda makes of each element.
    Transform,
    /// The elements for which the lambda is true.
    Filter,
    /// Whether the lambda is true for an element.
    AnyMatch,
    /// Whether the lambda is true for all elements.
    AllMatch,
    /// Whether the lambda is true for no element.
    NoneMatch,
    /// The elements in the order of a comparison.
    ArraySort,
    /// A map with other keys.
    TransformKeys,
    /// A map with other values.
    TransformValues,
    /// The entries for which the lambda is true.
    MapFilter,
    /// Two arrays merged, element by element.
    ZipWith,
    /// One value made of all elements.
    Reduce,
    /// A string in which each match is replaced by what the lambda makes of its groups.
    RegexpReplace,
}

impl Work {
    /// The name of the function.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Work::Try => "try",
            Work::Transform => "transform",
            Work::Filter => "filter",
            Work::AnyMatch => "any_match",
            Work::AllMatch => "all_match",
            Work::NoneMatch => "none_match",
            Work::ArraySort => "array_sort",
            Work::TransformKeys => "transform_keys",
            Work::TransformValues => "transform_values",
            Work::MapFilter => "map_filter",
            Work::ZipWith => "zip_with",
            Work::Reduce => "reduce",
            Work::RegexpReplace => "regexp_replace",
        }
    }

    /// How many parameters its lambda of this index has.
    pub(crate) fn parameters(self, lambda: usize) -> usize {
        match self {
            Work::Try => 0,
            Work::ArraySort
            | Work::TransformKeys
            | Work::TransformValues
            | Work::MapFilter
            | Work::ZipWith => 2,
            Work::Reduce => 2 - lambda.min(1),
            _ => 1,
        }
    }
}

/// The name of a parameter in a body.
pub(crate) fn parameter_name(index: usize) -> String {
    format!("$p{index}")
}

/// The name of a captured value in a body.
pub(crate) fn capture_name(index: usize) -> String {
    format!("$c{index}")
}

/// Whether a name in a body is one of those.
pub(crate) fn is_bound(name: &Ident) -> bool {
    name.quote_style.is_some() && (name.value.starts_with("$p") || name.value.starts_with("$c"))
}

/// A lambda with bound names.
#[derive(Debug)]
pub(crate) struct Lambda {
    /// The body.
    pub body: Expr,
}

/// A body, planned for certain types.
pub(super) struct Planned {
    expr: Arc<dyn PhysicalExpr>,
    /// The parameters and the captures.
    pub(super) schema: SchemaRef,
    /// The type of what the body gives.
    pub(super) result: DataType,
}

type PlanKey = (usize, Vec<DataType>);

/// A function made for one call with lambdas.
pub(crate) struct HigherOrder {
    name: String,
    pub(super) work: Work,
    lambdas: Vec<Lambda>,
    values: usize,
    state: SessionState,
    signature: Signature,
    plans: Mutex<HashMap<PlanKey, Arc<Planned>>>,
}

impl std::fmt::Debug for HigherOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HigherOrder")
            .field("name", &self.name)
            .field("lambdas", &self.lambdas)
            .finish_non_exhaustive()
    }
}

impl PartialEq for HigherOrder {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for HigherOrder {}

impl Hash for HigherOrder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl HigherOrder {
    /// A function of this work with these bodies, whose first `values` arguments are what it works on and whose other
    /// arguments are captures. The state knows the functions that the bodies call.
    pub(crate) fn new(
        name: String,
        work: Work,
        lambdas: Vec<Lambda>,
        values: usize,
        state: SessionState,
    ) -> Self {
        Self {
            name,
            work,
            lambdas,
            values,
            state,
            signature: Signature::user_defined(Volatility::Immutable),
            plans: Mutex::default(),
        }
    }

    /// The plan of a lambda over parameters and captures of these types.
    pub(super) fn plan(
        &self,
        lambda: usize,
        parameters: &[DataType],
        captures: &[DataType],
    ) -> Result<Arc<Planned>> {
        let key = (lambda, parameters.iter().chain(captures).cloned().collect::<Vec<_>>());
        if let Some(planned) = self.plans.lock().get(&key) {
            return Ok(planned.clone());
        }
        let names = (0..parameters.len()).map(parameter_name).chain((0..captures.len()).map(capture_name));
        let fields: Vec<Field> =
            names.zip(key.1.iter()).map(|(name, kind)| Field::new(name, kind.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let df_schema = DFSchema::try_from(schema.clone())?;
        let body = self.lambdas.get(lambda).ok_or_else(|| failed("a lambda is missing"))?;
        let logical = self.state.create_logical_expr_from_sql_expr(
            ExprWithAlias { expr: body.body.clone(), alias: None },
            &df_schema,
        )?;
        let expr = self.physical(logical, &df_schema)?;
        let result = expr.data_type(&schema)?;
        let planned = Arc::new(Planned { expr, schema, result });
        self.plans.lock().insert(key, planned.clone());
        Ok(planned)
    }

    /// The physical form. Some functions exist only until they are simplified, so that is done here as well.
    fn physical(&self, logical: logical_expr::Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        let properties = self.state.execution_props();
        let context = SimplifyContext::default()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(self.state.config_options().clone())
            .with_query_execution_start_time(properties.query_execution_start_time);
        let simplifier = ExprSimplifier::new(context);
        let mut logical = logical;
        for rewrite in self.state.analyzer().function_rewrites() {
            let config = self.state.config_options();
            logical = logical.transform_up(|expr| rewrite.rewrite(expr, schema, config))?.data;
        }
        let coerced = simplifier.coerce(logical, schema)?;
        create_physical_expr(&simplifier.simplify(coerced)?, schema, properties)
    }

    fn value_type(types: &[DataType], index: usize) -> DataType {
        types.get(index).cloned().unwrap_or(DataType::Null)
    }

    /// The type of the result, given all arguments' types.
    fn result(&self, types: &[DataType]) -> Result<DataType> {
        let (values, captures) = types.split_at(self.values.min(types.len()));
        let first = Self::value_type(values, 0);
        let planned =
            |parameters: &[DataType]| self.plan(0, parameters, captures).map(|plan| plan.result.clone());
        let condition = |parameters: &[DataType]| match planned(parameters)? {
            DataType::Boolean | DataType::Null => Ok(()),
            other => Err(DataFusionError::Plan(format!(
                "the lambda of {} has to give boolean, not {}",
                self.work.name(),
                super::types::type_name(&other)
            ))),
        };
        match self.work {
            Work::Try => planned(&[]),
            Work::Transform => Ok(list_of(planned(&[self.array(&first)?])?)),
            Work::Filter => condition(&[self.array(&first)?]).map(|()| first),
            Work::AnyMatch | Work::AllMatch | Work::NoneMatch => {
                condition(&[self.array(&first)?]).map(|()| DataType::Boolean)
            }
            Work::ArraySort => {
                let element = self.array(&first)?;
                planned(&[element.clone(), element]).map(|_| first)
            }
            Work::ZipWith => {
                Ok(list_of(planned(&[self.array(&first)?, self.array(&Self::value_type(values, 1))?])?))
            }
            Work::TransformKeys | Work::TransformValues | Work::MapFilter => {
                if !matches!(first, DataType::Map(_, _)) {
                    return Err(DataFusionError::Plan(format!("{} takes a map", self.work.name())));
                }
                let (key, value) = map_types(&first);
                let pair = [key.clone(), value.clone()];
                match self.work {
                    Work::TransformKeys => Ok(map_of(planned(&pair)?, value)),
                    Work::TransformValues => Ok(map_of(key, planned(&pair)?)),
                    _ => condition(&pair).map(|()| first),
                }
            }
            Work::Reduce => Ok(self.reduction(values, captures)?.2.result.clone()),
            Work::RegexpReplace => planned(&[list_of(DataType::Utf8)]).map(|_| DataType::Utf8),
        }
    }

    fn array(&self, kind: &DataType) -> Result<DataType> {
        match kind {
            DataType::List(_) => Ok(element_type(kind)),
            other => Err(DataFusionError::Plan(format!(
                "{} takes an array, not {}",
                self.work.name(),
                super::types::type_name(other)
            ))),
        }
    }

    /// `reduce`'s type of the state, and its two plans.
    pub(super) fn reduction(
        &self,
        values: &[DataType],
        captures: &[DataType],
    ) -> Result<(DataType, Arc<Planned>, Arc<Planned>)> {
        let element = self.array(&Self::value_type(values, 0))?;
        let mut state = Self::value_type(values, 1);
        let mut step = self.plan(0, &[state.clone(), element.clone()], captures)?;
        if step.result != state {
            // A state that starts as a whole number, say, and goes on as a fraction.
            state = step.result.clone();
            step = self.plan(0, &[state.clone(), element], captures)?;
            if step.result != state {
                return Err(DataFusionError::Plan(
                    "reduce's lambda has to give the type of its state".to_owned(),
                ));
            }
        }
        let last = self.plan(1, std::slice::from_ref(&state), captures)?;
        Ok((state, step, last))
    }
}

impl Planned {
    /// The body for as many rows as the columns have.
    pub(super) fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
        let columns = columns
            .into_iter()
            .zip(self.schema.fields())
            .map(|(column, field)| {
                if column.data_type() == field.data_type() {
                    Ok(column)
                } else {
                    Ok(arrow::compute::cast(&column, field.data_type())?)
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.over(&batch)
    }

    /// The body for the rows of a batch of its schema.
    pub(super) fn over(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.expr.evaluate(batch)?.into_array(batch.num_rows())
    }
}

/// The arguments of a call, with one value a row.
pub(super) struct Batch {
    /// What the function works on.
    pub(super) values: Vec<ArrayRef>,
    /// What the bodies read from outside.
    pub(super) captures: Vec<ArrayRef>,
    /// How many rows.
    pub(super) rows: usize,
}

impl Batch {
    /// The types of the captures.
    pub(super) fn capture_types(&self) -> Vec<DataType> {
        self.captures.iter().map(|capture| capture.data_type().clone()).collect()
    }

    /// The captures, repeated for elements of these rows.
    pub(super) fn captures_of(&self, parents: &UInt64Array) -> Result<Vec<ArrayRef>> {
        self.captures.iter().map(|capture| Ok(take(capture, parents, None)?)).collect()
    }
}

impl ScalarUDFImpl for HigherOrder {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types
            .iter()
            .enumerate()
            .map(|(index, kind)| match kind {
                DataType::LargeList(field) | DataType::FixedSizeList(field, _) if index < self.values => {
                    DataType::List(field.clone())
                }
                other => other.clone(),
            })
            .collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.result(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(&self.name, self.result(&types)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let wanted = args.return_field.data_type();
        if rows == 0 {
            return Ok(ColumnarValue::Array(new_null_array(wanted, 0)));
        }
        let mut arrays = args.args.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let captures = arrays.split_off(self.values.min(arrays.len()));
        let batch = Batch { values: arrays, captures, rows };
        let array = self.run(&batch)?;
        let array = if array.data_type() == wanted { array } else { arrow::compute::cast(&array, wanted)? };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}

/// Evaluates rows; where that fails, the halves, down to the rows that fail, which become NULL.
pub(crate) fn attempt(
    evaluate: &dyn Fn(&RecordBatch) -> Result<ArrayRef>,
    rows: &RecordBatch,
    kind: &DataType,
    parts: &mut Vec<ArrayRef>,
) -> Result<()> {
    match evaluate(rows) {
        Ok(array) => parts.push(array),
        Err(error) if !is_of_a_row(&error) => return Err(error),
        Err(_) if rows.num_rows() <= 1 => parts.push(new_null_array(kind, rows.num_rows())),
        Err(_) => {
            let half = rows.num_rows() / 2;
            attempt(evaluate, &rows.slice(0, half), kind, parts)?;
            attempt(evaluate, &rows.slice(half, rows.num_rows() - half), kind, parts)?;
        }
    }
    Ok(())
}

/// Whether an error comes from a row's values, and not from the memory or a fault of the program.
fn is_of_a_row(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Execution(_) | DataFusionError::ArrowError(_, _))
}
