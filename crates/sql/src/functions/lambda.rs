//! Functions that take lambdas. DataFusion has none, so each call is a function of its own: it holds the bodies as syntax,
//! plans them over the types of its arguments, and evaluates them once a batch, over the elements of all rows, with what they
//! read from outside repeated for each element.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{self,
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::sql::sqlparser::ast::{Expr, ExprWithAlias, Ident};
use parking_lot::Mutex;

use super::call::{element_type, failed, list_of, map_types};
use super::column::{Picks, TextBuilder, Texts, list_array, map_array};
use super::regex::Pattern;
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
struct Planned {
    expr: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    result: DataType,
}

type PlanKey = (usize, Vec<DataType>);

/// A function made for one call with lambdas.
pub(crate) struct HigherOrder {
    name: String,
    work: Work,
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
    fn plan(&self, lambda: usize, parameters: &[DataType], captures: &[DataType]) -> Result<Arc<Planned>> {
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
    fn reduction(
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
    fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
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

    fn over(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.expr.evaluate(batch)?.into_array(batch.num_rows())
    }
}

/// The arguments of a call, with one value a row.
struct Batch {
    values: Vec<ArrayRef>,
    captures: Vec<ArrayRef>,
    rows: usize,
}

impl Batch {
    fn capture_types(&self) -> Vec<DataType> {
        self.captures.iter().map(|capture| capture.data_type().clone()).collect()
    }

    /// The captures, repeated for elements of these rows.
    fn captures_of(&self, parents: &UInt64Array) -> Result<Vec<ArrayRef>> {
        self.captures.iter().map(|capture| Ok(take(capture, parents, None)?)).collect()
    }
}

/// The elements of all rows that are not NULL, and the row of each.
struct Flat {
    indices: UInt64Array,
    parents: UInt64Array,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

fn flatten(offsets: &[i32], is_valid: impl Fn(usize) -> bool) -> Flat {
    let rows = offsets.len().saturating_sub(1);
    let mut indices = Vec::new();
    let mut parents = Vec::new();
    let mut ends = vec![0];
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let present = is_valid(row);
        if present {
            for index in offsets[row]..offsets[row + 1] {
                indices.push(index as u64);
                parents.push(row as u64);
            }
        }
        valid.push(present);
        ends.push(indices.len() as i32);
    }
    Flat { indices: indices.into(), parents: parents.into(), offsets: ends, valid }
}

impl Flat {
    fn of_list(array: &ArrayRef) -> Result<(Self, ArrayRef)> {
        let list = array.as_list_opt::<i32>().ok_or_else(|| failed("an array is wanted"))?;
        let flat = flatten(list.value_offsets(), |row| list.is_valid(row));
        let elements = take(list.values(), &flat.indices, None)?;
        Ok((flat, elements))
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
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

impl HigherOrder {
    fn run(&self, batch: &Batch) -> Result<ArrayRef> {
        match self.work {
            Work::Try => self.run_try(batch),
            Work::Transform | Work::Filter | Work::AnyMatch | Work::AllMatch | Work::NoneMatch => {
                self.run_each(batch)
            }
            Work::TransformKeys | Work::TransformValues | Work::MapFilter => self.run_entries(batch),
            Work::ZipWith => self.run_zip(batch),
            Work::ArraySort => self.run_sort(batch),
            Work::Reduce => self.run_reduce(batch),
            Work::RegexpReplace => self.run_replace(batch),
        }
    }

    fn value<'a>(&self, batch: &'a Batch, index: usize) -> Result<&'a ArrayRef> {
        batch.values.get(index).ok_or_else(|| failed(format!("{}: an argument is missing", self.work.name())))
    }

    fn run_try(&self, batch: &Batch) -> Result<ArrayRef> {
        let planned = self.plan(0, &[], &batch.capture_types())?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
        let rows =
            RecordBatch::try_new_with_options(planned.schema.clone(), batch.captures.clone(), &options)?;
        let mut parts = Vec::new();
        attempt(&|rows| planned.over(rows), &rows, &planned.result, &mut parts)?;
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }

    fn run_each(&self, batch: &Batch) -> Result<ArrayRef> {
        let list = self.value(batch, 0)?;
        let (flat, elements) = Flat::of_list(list)?;
        let planned = self.plan(0, &[elements.data_type().clone()], &batch.capture_types())?;
        let mut columns = vec![elements.clone()];
        columns.extend(batch.captures_of(&flat.parents)?);
        let made = planned.evaluate(columns, flat.len())?;
        if self.work == Work::Transform {
            let kind = list_of(planned.result.clone());
            return list_array(flat.offsets, flat.valid, made, &kind);
        }
        let found = truth(&made)?;
        if self.work == Work::Filter {
            let mut picks = Picks::new(batch.rows);
            for row in 0..batch.rows {
                for index in flat.range(row).filter(|index| is_true(&found, *index)) {
                    picks.pick(Some(index));
                }
                picks.end(flat.valid[row])?;
            }
            return picks.list(&elements, list.data_type());
        }
        let answers: BooleanArray = (0..batch.rows)
            .map(|row| flat.valid[row].then(|| self.matches(&found, flat.range(row)))?)
            .collect();
        Ok(Arc::new(answers))
    }

    /// Three-valued: what is unknown stays unknown unless another element decides.
    fn matches(&self, found: &BooleanArray, mut range: std::ops::Range<usize>) -> Option<bool> {
        let unknown = range.clone().any(|index| found.is_null(index));
        let (decided, otherwise) = match self.work {
            Work::AllMatch => {
                (range.any(|index| found.is_valid(index) && !found.value(index)).then_some(false), true)
            }
            Work::AnyMatch => (range.any(|index| is_true(found, index)).then_some(true), false),
            _ => (range.any(|index| is_true(found, index)).then_some(false), true),
        };
        decided.or((!unknown).then_some(otherwise))
    }

    fn run_entries(&self, batch: &Batch) -> Result<ArrayRef> {
        let array = self.value(batch, 0)?;
        let map = array.as_map_opt().ok_or_else(|| failed("a map is wanted"))?;
        let flat = flatten(map.value_offsets(), |row| map.is_valid(row));
        let keys = take(map.keys(), &flat.indices, None)?;
        let values = take(map.values(), &flat.indices, None)?;
        let types = [keys.data_type().clone(), values.data_type().clone()];
        let planned = self.plan(0, &types, &batch.capture_types())?;
        let mut columns = vec![keys.clone(), values.clone()];
        columns.extend(batch.captures_of(&flat.parents)?);
        let made = planned.evaluate(columns, flat.len())?;
        match self.work {
            Work::TransformValues => {
                let kind = map_of(keys.data_type().clone(), planned.result.clone());
                map_array(flat.offsets, flat.valid, keys, made, &kind)
            }
            Work::TransformKeys => {
                if made.null_count() > 0 {
                    return Err(failed("map key cannot be null"));
                }
                super::map::refuse_duplicates(&made, &flat.offsets)?;
                let kind = map_of(planned.result.clone(), values.data_type().clone());
                map_array(flat.offsets, flat.valid, made, values, &kind)
            }
            _ => {
                let found = truth(&made)?;
                let mut picks = Picks::new(batch.rows);
                for row in 0..batch.rows {
                    for index in flat.range(row).filter(|index| is_true(&found, *index)) {
                        picks.pick(Some(index));
                    }
                    picks.end(flat.valid[row])?;
                }
                let (keys, values) = (picks.take(&keys)?, picks.take(&values)?);
                let (offsets, valid) = picks.into_shape();
                map_array(offsets, valid, keys, values, array.data_type())
            }
        }
    }

    fn run_zip(&self, batch: &Batch) -> Result<ArrayRef> {
        let (left, right) = (self.value(batch, 0)?, self.value(batch, 1)?);
        let (a, a_elements) = Flat::of_list(left)?;
        let (b, b_elements) = Flat::of_list(right)?;
        let (mut from_a, mut from_b) = (Picks::new(batch.rows), Picks::new(batch.rows));
        let mut parents = Vec::new();
        for row in 0..batch.rows {
            let valid = a.valid[row] && b.valid[row];
            if valid {
                let (mut x, mut y) = (a.range(row), b.range(row));
                for _ in 0..x.len().max(y.len()) {
                    from_a.pick(x.next());
                    from_b.pick(y.next());
                    parents.push(row as u64);
                }
            }
            from_a.end(valid)?;
            from_b.end(valid)?;
        }
        let types = [a_elements.data_type().clone(), b_elements.data_type().clone()];
        let planned = self.plan(0, &types, &batch.capture_types())?;
        let rows = parents.len();
        let mut columns = vec![from_a.take(&a_elements)?, from_b.take(&b_elements)?];
        columns.extend(batch.captures_of(&parents.into())?);
        let made = planned.evaluate(columns, rows)?;
        from_a.with_values(made, &list_of(planned.result.clone()))
    }

    fn run_sort(&self, batch: &Batch) -> Result<ArrayRef> {
        let list = self.value(batch, 0)?;
        let (flat, elements) = Flat::of_list(list)?;
        let element = elements.data_type().clone();
        let planned = self.plan(0, &[element.clone(), element], &batch.capture_types())?;
        let mut picks = Picks::new(batch.rows);
        for row in 0..batch.rows {
            let range = flat.range(row);
            for index in self.sorted(&planned, batch, &elements, row, range)? {
                picks.pick(Some(index));
            }
            picks.end(flat.valid[row])?;
        }
        picks.list(&elements, list.data_type())
    }

    /// One row's elements in order: every pair is compared in one go, then sorted by the answers.
    fn sorted(
        &self,
        planned: &Planned,
        batch: &Batch,
        elements: &ArrayRef,
        row: usize,
        range: std::ops::Range<usize>,
    ) -> Result<Vec<usize>> {
        let count = range.len();
        if count > MAX_COMPARED {
            return Err(failed(format!(
                "array_sort with a lambda takes arrays of up to {MAX_COMPARED} elements"
            )));
        }
        let pairs =
            || range.clone().flat_map(|left| range.clone().map(move |right| (left as u64, right as u64)));
        let left: UInt64Array = pairs().map(|(left, _)| left).collect::<Vec<_>>().into();
        let right: UInt64Array = pairs().map(|(_, right)| right).collect::<Vec<_>>().into();
        let mut columns = vec![take(elements, &left, None)?, take(elements, &right, None)?];
        columns.extend(batch.captures_of(&vec![row as u64; count * count].into())?);
        let made = planned.evaluate(columns, count * count)?;
        let made = arrow::compute::cast(&made, &DataType::Int64)?;
        let answers = made.as_primitive::<arrow::datatypes::Int64Type>();
        if answers.null_count() > 0 {
            return Err(failed("the lambda of array_sort gave NULL"));
        }
        // Insertion by halves, which ends whatever a contradictory comparison says.
        let mut order: Vec<usize> = Vec::with_capacity(count);
        for next in 0..count {
            let place = order.partition_point(|placed| answers.value(placed * count + next) <= 0);
            order.insert(place, next);
        }
        Ok(order.into_iter().map(|index| range.start + index).collect())
    }

    fn run_reduce(&self, batch: &Batch) -> Result<ArrayRef> {
        let list = self.value(batch, 0)?;
        let (flat, elements) = Flat::of_list(list)?;
        let types: Vec<DataType> = batch.values.iter().map(|value| value.data_type().clone()).collect();
        let (state_type, step, last) = self.reduction(&types, &batch.capture_types())?;
        let mut state = arrow::compute::cast(self.value(batch, 1)?, &state_type)?;
        let longest = (0..batch.rows).map(|row| flat.range(row).len()).max().unwrap_or(0);
        for position in 0..longest {
            let rows: Vec<u64> = (0..batch.rows)
                .filter(|row| flat.range(*row).len() > position)
                .map(|row| row as u64)
                .collect();
            let picked: UInt64Array = rows
                .iter()
                .map(|row| (flat.range(*row as usize).start + position) as u64)
                .collect::<Vec<_>>()
                .into();
            let count = rows.len();
            let mut places: Vec<u64> = (0..batch.rows as u64).collect();
            for (index, row) in rows.iter().enumerate() {
                places[*row as usize] = (batch.rows + index) as u64;
            }
            let rows = UInt64Array::from(rows);
            let mut columns = vec![take(&state, &rows, None)?, take(&elements, &picked, None)?];
            columns.extend(batch.captures_of(&rows)?);
            let next = step.evaluate(columns, count)?;
            state = take(&concat(&[state.as_ref(), next.as_ref()])?, &UInt64Array::from(places), None)?;
        }
        let mut columns = vec![state];
        columns.extend(batch.captures.iter().cloned());
        let made = last.evaluate(columns, batch.rows)?;
        let absent: BooleanArray = flat.valid.iter().map(|valid| Some(!valid)).collect();
        Ok(arrow::compute::nullif(&made, &absent)?)
    }

    fn run_replace(&self, batch: &Batch) -> Result<ArrayRef> {
        let (sources, patterns) = (self.value(batch, 0)?, self.value(batch, 1)?);
        let wrong = || DataFusionError::Plan("regexp_replace takes varchar".to_owned());
        let texts = Texts::of(sources, false).ok_or_else(wrong)?;
        let expressions = Texts::of(patterns, false).ok_or_else(wrong)?;
        let mut compiled: Option<(String, Pattern)> = None;
        let mut groups = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
        let mut parents: Vec<u64> = Vec::new();
        let mut spans: Vec<Option<Vec<(usize, usize)>>> = Vec::with_capacity(batch.rows);
        for row in 0..batch.rows {
            let (Some(text), Some(expression)) = (texts.get(row), expressions.get(row)) else {
                spans.push(None);
                continue;
            };
            if compiled.as_ref().is_none_or(|(known, _)| known != expression) {
                compiled = Some((expression.to_owned(), Pattern::new(expression)?));
            }
            let Some((_, pattern)) = &compiled else { continue };
            let mut found = Vec::new();
            for captures in pattern.regex().captures_iter(text) {
                let Some(whole) = captures.get(0) else { continue };
                found.push((whole.start(), whole.end()));
                for group in captures.iter().skip(1) {
                    groups.values().append_option(group.map(|group| group.as_str()));
                }
                groups.append(true);
                parents.push(row as u64);
            }
            spans.push(Some(found));
        }
        let groups: ArrayRef = Arc::new(groups.finish());
        let planned = self.plan(0, &[groups.data_type().clone()], &batch.capture_types())?;
        let count = parents.len();
        let mut columns = vec![groups];
        columns.extend(batch.captures_of(&parents.into())?);
        let made = arrow::compute::cast(&planned.evaluate(columns, count)?, &DataType::Utf8)?;
        let made = Texts::of(&made, false).ok_or_else(wrong)?;
        let mut result = TextBuilder::new(batch.rows);
        let mut next = 0;
        for (row, found) in spans.iter().enumerate() {
            let (Some(found), Some(text)) = (found, texts.get(row)) else {
                result.push(None)?;
                continue;
            };
            let mut replaced = String::with_capacity(text.len());
            let mut end = 0;
            let mut unknown = false;
            for (start, stop) in found {
                replaced.push_str(&text[end..*start]);
                match made.get(next) {
                    Some(part) => replaced.push_str(part),
                    None => unknown = true,
                }
                next += 1;
                end = *stop;
            }
            replaced.push_str(&text[end..]);
            result.push((!unknown).then_some(replaced.as_str()))?;
        }
        Ok(result.finish())
    }
}

/// Elements of an array that is sorted with a lambda, which is asked about every pair.
const MAX_COMPARED: usize = 1_000;

fn truth(array: &ArrayRef) -> Result<BooleanArray> {
    let array = arrow::compute::cast(array, &DataType::Boolean)?;
    Ok(array.as_boolean().clone())
}

fn is_true(found: &BooleanArray, index: usize) -> bool {
    found.is_valid(index) && found.value(index)
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
