//! Functions of values of any type: `typeof`, `greatest`, `least`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;

use super::array::Comparable;
use super::call::{Call, Function, Types, function, returns};
use super::types::type_name;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("typeof", (Any) -> returns::text => |call| {
        let name = call.arguments.first().map(|argument| type_name(argument.array.data_type()));
        Ok(Arc::new(StringArray::from(vec![name; call.rows])))
    }),
    function!("greatest", (Any; repeats) -> common => |call| extreme(call, true)),
    function!("least", (Any; repeats) -> common => |call| extreme(call, false)),
];

fn common(types: &Types<'_>) -> Result<DataType> {
    // Nanoseconds, which DataFusion takes for dates beside timestamps, do not reach as far as dates do.
    let mut moments = types.types.iter().filter(|kind| matches!(kind, DataType::Timestamp(_, _)));
    if let Some(first) =
        moments.clone().find(|kind| matches!(kind, DataType::Timestamp(_, Some(_)))).or(moments.next())
        && types
            .types
            .iter()
            .all(|kind| matches!(kind, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Null))
    {
        return Ok(first.clone());
    }
    type_union_resolution(types.types).ok_or_else(|| {
        let names: Vec<String> = types.types.iter().map(type_name).collect();
        DataFusionError::Plan(format!("values of types {} cannot be compared", names.join(", ")))
    })
}

/// The largest or smallest argument; NULL if one is NULL.
fn extreme(call: &Call, largest: bool) -> Result<ArrayRef> {
    let comparable = Comparable::new(&call.result)?;
    let columns = call
        .arguments
        .iter()
        .map(|argument| super::cast::cast(&argument.array, &call.result))
        .collect::<Result<Vec<ArrayRef>>>()?;
    let rows = columns.iter().map(|column| comparable.rows(column)).collect::<Result<Vec<_>>>()?;
    let mut starts = vec![0u64];
    for column in &columns {
        starts.push(starts.last().copied().unwrap_or(0) + column.len() as u64);
    }
    let picked: UInt64Array = (0..call.rows)
        .map(|row| {
            if call.arguments.iter().any(|argument| argument.is_null(row)) {
                return None;
            }
            let places = call.arguments.iter().map(|argument| argument.at(row)).enumerate();
            let compare =
                |(a, i): &(usize, usize), (b, j): &(usize, usize)| rows[*a].row(*i).cmp(&rows[*b].row(*j));
            let found = if largest { places.max_by(compare) } else { places.min_by(compare) };
            found.map(|(column, place)| starts[column] + place as u64)
        })
        .collect();
    let columns: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::take(&arrow::compute::concat(&columns)?, &picked, None)?)
}
