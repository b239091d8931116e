//! Functions of maps and rows, and the subscripts of arrays, maps and rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StructArray, UInt64Array, new_empty_array,
};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Volatility};

use super::array::Comparable;
use super::call::{
    Call, Function, Kind, Overload, Types, element_type, failed, function, list_of, map_types, returns,
};
use super::column::{Maps, Picks, Texts, map_array};
use super::types::{map_of, row_of, type_name};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function {
        picks: true,
        ..function!("element_at",
            (Map, Key) -> value => |call| map_value(call, false),
            (Array, Bigint) -> returns::element => |call| array_element(call, false))
    },
    function!("$subscript",
        (Map, Key) -> value => |call| map_value(call, true),
        (Array, Bigint) -> returns::element => |call| array_element(call, true),
        (Row, Bigint) -> row_field => row_element),
    Function {
        name: "$field",
        aliases: &[],
        overloads: &[Overload {
            parameters: &[Kind::Row, Kind::Text],
            repeats: false,
            returns: named_field,
            body: field,
        }],
        volatility: Volatility::Immutable,
        simplify: Some(simplify_field),
        picks: false,
    },
    function!("$row", (Any; repeats) -> row => make_row),
    function!("$map", () -> empty_map => no_map, (Array, Array) -> map_from => make_map),
    function!("map_keys", (Map) -> keys => |call| parts(call, true)),
    function!("map_values", (Map) -> values => |call| parts(call, false)),
    function!("map_entries", (Map) -> entries => map_entries),
    function!("map_from_entries", (Array) -> from_entries => |call| of_pairs(call, Repeated::Refused)),
    function!("map_concat", (Map, LikeFirst; repeats) -> returns::first => map_concat),
    function!("$map_of_pairs", (Array) -> from_entries => |call| of_pairs(call, Repeated::FirstWins)),
    function!("$multimap_of_pairs", (Array) -> multimap => |call| of_pairs(call, Repeated::Collected)),
    function!("$histogram", (Array) -> counts => histogram),
    function!("$map_union", (Array) -> returns::element => map_union),
];

fn value(types: &Types<'_>) -> Result<DataType> {
    Ok(types.types.first().map_or(DataType::Null, |map| map_types(map).1))
}

fn keys(types: &Types<'_>) -> Result<DataType> {
    Ok(list_of(types.types.first().map_or(DataType::Null, |map| map_types(map).0)))
}

fn values(types: &Types<'_>) -> Result<DataType> {
    value(types).map(list_of)
}

fn entries(types: &Types<'_>) -> Result<DataType> {
    let (key, value) = types.types.first().map(map_types).unwrap_or((DataType::Null, DataType::Null));
    Ok(list_of(row_of([key, value])))
}

fn empty_map(_: &Types<'_>) -> Result<DataType> {
    Ok(map_of(DataType::Utf8, DataType::Utf8))
}

fn map_from(types: &Types<'_>) -> Result<DataType> {
    match types.types {
        [keys, values] => Ok(map_of(element_type(keys), element_type(values))),
        _ => empty_map(types),
    }
}

fn pair(types: &Types<'_>) -> Result<(DataType, DataType)> {
    match types.types.first().map(element_type) {
        Some(DataType::Struct(fields)) if fields.len() == 2 => {
            Ok((fields[0].data_type().clone(), fields[1].data_type().clone()))
        }
        _ => Err(DataFusionError::Plan("an array of rows with two fields is wanted".to_owned())),
    }
}

fn from_entries(types: &Types<'_>) -> Result<DataType> {
    pair(types).map(|(key, value)| map_of(key, value))
}

fn multimap(types: &Types<'_>) -> Result<DataType> {
    pair(types).map(|(key, value)| map_of(key, list_of(value)))
}

fn counts(types: &Types<'_>) -> Result<DataType> {
    Ok(map_of(types.types.first().map_or(DataType::Null, element_type), DataType::Int64))
}

fn row(types: &Types<'_>) -> Result<DataType> {
    Ok(row_of(types.types.iter().cloned()))
}

fn make_row(call: &Call) -> Result<ArrayRef> {
    let DataType::Struct(fields) = &call.result else { return Err(failed("a row is wanted")) };
    let columns =
        call.arguments.iter().map(|argument| argument.expanded(call.rows)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, None, call.rows)?))
}

/// How many entries a map has.
pub(crate) fn cardinality(call: &Call) -> Result<ArrayRef> {
    let maps = call.maps(0)?;
    let lengths: Int64Array =
        (0..call.rows).map(|row| maps.range(row).map(|range| range.len() as i64)).collect();
    Ok(Arc::new(lengths))
}

/// Where each row's key is among the entries of all maps.
fn lookup(call: &Call, maps: &Maps<'_>) -> Result<Vec<Option<usize>>> {
    let key = &call.arguments[1];
    if let (Some(keys), Some(wanted)) = (Texts::of(maps.keys(), false), Texts::of(&key.array, key.constant)) {
        return Ok((0..call.rows)
            .map(|row| {
                let wanted = wanted.get(row)?;
                maps.range(row)?.find(|index| keys.get(*index) == Some(wanted))
            })
            .collect());
    }
    let comparable = Comparable::new(maps.keys().data_type())?;
    let (keys, wanted) = (comparable.rows(maps.keys())?, comparable.rows(&key.array)?);
    Ok((0..call.rows)
        .map(|row| {
            let wanted = Some(wanted.row(key.at(row))).filter(|_| !key.is_null(row))?;
            maps.range(row)?.find(|index| keys.row(*index) == wanted)
        })
        .collect())
}

fn map_value(call: &Call, strict: bool) -> Result<ArrayRef> {
    let maps = call.maps(0)?;
    let found = lookup(call, &maps)?;
    let key = &call.arguments[1];
    if strict {
        let missing = (0..call.rows)
            .find(|row| found[*row].is_none() && maps.range(*row).is_some() && !key.is_null(*row));
        if let Some(row) = missing {
            let text = super::cast::cast(&key.array.slice(key.at(row), 1), &DataType::Utf8)?;
            let text =
                Texts::of(&text, false).and_then(|texts| texts.get(0).map(str::to_owned)).unwrap_or_default();
            return Err(failed(format!("Key not present in map: {text}")));
        }
    }
    let indices: UInt64Array = found.into_iter().map(|index| index.map(|index| index as u64)).collect();
    Ok(arrow::compute::take(maps.values(), &indices, None)?)
}

fn array_element(call: &Call, strict: bool) -> Result<ArrayRef> {
    let (lists, places) = (call.lists(0)?, call.longs(1)?);
    let indices = (0..call.rows)
        .map(|row| {
            let (Some(range), Some(place)) = (lists.range(row), places.get(row)) else { return Ok(None) };
            let length = range.len() as i64;
            let index = match place {
                0 => return Err(failed("SQL array indices start at 1")),
                1.. => place - 1,
                _ if strict => return Err(failed(format!("Array subscript is negative: {place}"))),
                _ => length.saturating_add(place),
            };
            if (0..length).contains(&index) {
                return Ok(Some((range.start as i64 + index) as u64));
            }
            if strict {
                return Err(failed(format!(
                    "Array subscript must be less than or equal to array length: {place} > {length}"
                )));
            }
            Ok(None)
        })
        .collect::<Result<UInt64Array>>()?;
    Ok(arrow::compute::take(lists.values(), &indices, None)?)
}

fn row_place(types: &Types<'_>) -> Result<(usize, DataType)> {
    let place = match types.literals.get(1).copied().flatten() {
        Some(datafusion::common::ScalarValue::Int64(Some(place))) => usize::try_from(*place - 1).ok(),
        _ => None,
    };
    match (types.types.first(), place) {
        (Some(DataType::Struct(fields)), Some(place)) if place < fields.len() => {
            Ok((place, fields[place].data_type().clone()))
        }
        _ => Err(DataFusionError::Plan(
            "a row's subscript has to be the number of one of its fields".to_owned(),
        )),
    }
}

fn row_field(types: &Types<'_>) -> Result<DataType> {
    row_place(types).map(|(_, kind)| kind)
}

fn row_element(call: &Call) -> Result<ArrayRef> {
    let place = call.longs(1)?.get(0).and_then(|place| usize::try_from(place - 1).ok()).unwrap_or(usize::MAX);
    column(call, |_| Some(place))
}

fn column(call: &Call, choose: impl Fn(&StructArray) -> Option<usize>) -> Result<ArrayRef> {
    let array = call.arguments[0].expanded(call.rows)?;
    let row = array.as_struct_opt().ok_or_else(|| failed("a row is wanted"))?;
    let column = choose(row)
        .and_then(|place| row.columns().get(place))
        .ok_or_else(|| failed("a row has no such field"))?;
    if row.null_count() == 0 {
        return Ok(column.clone());
    }
    let absent: BooleanArray = (0..row.len()).map(|index| Some(row.is_null(index))).collect();
    Ok(arrow::compute::nullif(column, &absent)?)
}

/// A row's field of a name, whatever its case.
fn place_of(fields: &arrow::datatypes::Fields, name: &str) -> Option<usize> {
    let exact = fields.iter().position(|field| field.name() == name);
    exact.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)))
}

fn named_field(types: &Types<'_>) -> Result<DataType> {
    let name = types.literal_text(1, "a field's name")?;
    let Some(DataType::Struct(fields)) = types.types.first() else { return Ok(DataType::Null) };
    match place_of(fields, &name) {
        Some(place) => Ok(fields[place].data_type().clone()),
        None => {
            let kind = type_name(&DataType::Struct(fields.clone()));
            Err(DataFusionError::Plan(format!("'{name}' is no field of {kind}")))
        }
    }
}

fn field(call: &Call) -> Result<ArrayRef> {
    let names = call.texts(1)?;
    let name = names.get(0).unwrap_or_default();
    column(call, |row| place_of(row.fields(), name))
}

/// DataFusion's own access to a field, which the optimizer can push into the reading of files.
fn simplify_field(arguments: &[Expr], context: &SimplifyContext) -> Result<Option<Expr>> {
    let [value, Expr::Literal(name, _)] = arguments else { return Ok(None) };
    let (Some(Some(name)), DataType::Struct(fields)) =
        (name.try_as_str(), value.get_type(context.schema().as_ref())?)
    else {
        return Ok(None);
    };
    let Some(place) = place_of(&fields, name) else { return Ok(None) };
    Ok(Some(datafusion::functions::core::expr_fn::get_field(value.clone(), fields[place].name().as_str())))
}

fn no_map(call: &Call) -> Result<ArrayRef> {
    let none = || new_empty_array(&DataType::Utf8);
    map_array(vec![0; call.rows + 1], vec![true; call.rows], none(), none(), &call.result)
}

/// Refuses maps in which a key stands twice.
pub(crate) fn refuse_duplicates(keys: &ArrayRef, offsets: &[i32]) -> Result<()> {
    let rows = Comparable::new(keys.data_type())?.rows(keys)?;
    for range in offsets.windows(2) {
        let mut seen = HashSet::new();
        for index in range[0] as usize..range[1] as usize {
            if !seen.insert(rows.row(index)) {
                let text = super::cast::cast(&keys.slice(index, 1), &DataType::Utf8)?;
                let text = Texts::of(&text, false).and_then(|texts| texts.get(0).map(str::to_owned));
                return Err(failed(format!(
                    "Duplicate map keys ({}) are not allowed",
                    text.unwrap_or_default()
                )));
            }
        }
    }
    Ok(())
}

fn make_map(call: &Call) -> Result<ArrayRef> {
    let (keys, values) = (call.lists(0)?, call.lists(1)?);
    let (mut from_keys, mut from_values) = (Picks::new(call.rows), Picks::new(call.rows));
    for row in 0..call.rows {
        let (Some(a), Some(b)) = (keys.range(row), values.range(row)) else {
            from_keys.end(false)?;
            from_values.end(false)?;
            continue;
        };
        if a.len() != b.len() {
            return Err(failed("Key and value arrays must be the same length"));
        }
        for (key, value) in a.zip(b) {
            if keys.values().is_null(key) {
                return Err(failed("map key cannot be null"));
            }
            from_keys.pick(Some(key));
            from_values.pick(Some(value));
        }
        from_keys.end(true)?;
        from_values.end(true)?;
    }
    let (keys, values) = (from_keys.take(keys.values())?, from_values.take(values.values())?);
    let (offsets, valid) = from_keys.into_shape();
    refuse_duplicates(&keys, &offsets)?;
    map_array(offsets, valid, keys, values, &call.result)
}

fn parts(call: &Call, keys: bool) -> Result<ArrayRef> {
    let maps = call.maps(0)?;
    let from = if keys { maps.keys() } else { maps.values() };
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = maps.range(row);
        let valid = range.is_some();
        for index in range.into_iter().flatten() {
            picks.pick(Some(index));
        }
        picks.end(valid)?;
    }
    picks.list(from, &call.result)
}

fn map_entries(call: &Call) -> Result<ArrayRef> {
    let maps = call.maps(0)?;
    let DataType::Struct(fields) = element_type(&call.result) else { return Err(failed("a row is wanted")) };
    let rows: ArrayRef =
        Arc::new(StructArray::try_new(fields, vec![maps.keys().clone(), maps.values().clone()], None)?);
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = maps.range(row);
        let valid = range.is_some();
        for index in range.into_iter().flatten() {
            picks.pick(Some(index));
        }
        picks.end(valid)?;
    }
    picks.list(&rows, &call.result)
}

fn map_concat(call: &Call) -> Result<ArrayRef> {
    let maps = (0..call.arguments.len()).map(|index| call.maps(index)).collect::<Result<Vec<_>>>()?;
    let keys: Vec<&dyn Array> = maps.iter().map(|map| map.keys().as_ref()).collect();
    let values: Vec<&dyn Array> = maps.iter().map(|map| map.values().as_ref()).collect();
    let (keys, values) = (arrow::compute::concat(&keys)?, arrow::compute::concat(&values)?);
    let rows = Comparable::new(keys.data_type())?.rows(&keys)?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let ranges: Option<Vec<_>> = maps.iter().map(|map| map.range(row)).collect();
        let valid = ranges.is_some();
        let mut before = 0;
        let mut all = Vec::new();
        for (map, range) in maps.iter().zip(ranges.unwrap_or_default()) {
            all.extend(range.map(|index| before + index));
            before += map.keys().len();
        }
        // The last map that has a key says its value.
        let mut seen = HashSet::new();
        let mut kept: Vec<usize> =
            all.into_iter().rev().filter(|index| seen.insert(rows.row(*index))).collect();
        kept.reverse();
        for index in kept {
            picks.pick(Some(index));
        }
        picks.end(valid)?;
    }
    let (keys, values) = (picks.take(&keys)?, picks.take(&values)?);
    let (offsets, valid) = picks.into_shape();
    map_array(offsets, valid, keys, values, &call.result)
}

#[derive(Clone, Copy, PartialEq)]
enum Repeated {
    Refused,
    FirstWins,
    Collected,
}

/// Groups the elements of each array by their keys, in the order in which the keys come.
fn grouped(call: &Call, keys: &ArrayRef) -> Result<Vec<Option<Vec<Vec<usize>>>>> {
    let lists = call.lists(0)?;
    let rows = Comparable::new(keys.data_type())?.rows(keys)?;
    Ok((0..call.rows)
        .map(|row| {
            let mut places = std::collections::HashMap::new();
            let mut groups: Vec<Vec<usize>> = Vec::new();
            for index in lists.range(row)? {
                let place = *places.entry(rows.row(index)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[place].push(index);
            }
            Some(groups)
        })
        .collect())
}

fn of_pairs(call: &Call, repeated: Repeated) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let pairs = lists.values().as_struct_opt().ok_or_else(|| failed("rows are wanted"))?;
    let (keys, values) = (pairs.column(0), pairs.column(1));
    let (mut from_keys, mut from_values) = (Picks::new(call.rows), Picks::new(keys.len()));
    for groups in grouped(call, keys)? {
        let valid = groups.is_some();
        for group in groups.unwrap_or_default() {
            let Some(first) = group.first().copied() else { continue };
            if keys.is_null(first) || pairs.is_null(first) {
                return Err(failed("map key cannot be null"));
            }
            if repeated == Repeated::Refused && group.len() > 1 {
                return Err(failed("Duplicate map keys are not allowed"));
            }
            from_keys.pick(Some(first));
            match repeated {
                Repeated::Collected => group.into_iter().for_each(|index| from_values.pick(Some(index))),
                _ => from_values.pick(Some(first)),
            }
            from_values.end(true)?;
        }
        from_keys.end(valid)?;
    }
    let keys = from_keys.take(keys)?;
    let values = match repeated {
        Repeated::Collected => from_values.list(values, &map_types(&call.result).1)?,
        _ => from_values.take(values)?,
    };
    let (offsets, valid) = from_keys.into_shape();
    map_array(offsets, valid, keys, values, &call.result)
}

fn histogram(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let mut picks = Picks::new(call.rows);
    let mut counts = Vec::new();
    for groups in grouped(call, lists.values())? {
        let valid = groups.is_some();
        for group in groups.unwrap_or_default() {
            picks.pick(group.first().copied());
            counts.push(group.len() as i64);
        }
        picks.end(valid)?;
    }
    let keys = picks.take(lists.values())?;
    let (offsets, valid) = picks.into_shape();
    map_array(offsets, valid, keys, Arc::new(Int64Array::from(counts)), &call.result)
}

fn map_union(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let maps = lists.values().as_map_opt().ok_or_else(|| failed("maps are wanted"))?;
    let rows = Comparable::new(maps.keys().data_type())?.rows(maps.keys())?;
    let offsets = maps.value_offsets();
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = lists.range(row);
        let valid = range.is_some();
        let mut seen = HashSet::new();
        for map in range.into_iter().flatten().filter(|map| maps.is_valid(*map)) {
            for index in offsets[map] as usize..offsets[map + 1] as usize {
                if seen.insert(rows.row(index)) {
                    picks.pick(Some(index));
                }
            }
        }
        picks.end(valid)?;
    }
    let (keys, values) = (picks.take(maps.keys())?, picks.take(maps.values())?);
    let (offsets, valid) = picks.into_shape();
    map_array(offsets, valid, keys, values, &call.result)
}
