//! Functions of arrays. Elements of any type are compared by Arrow's row format, so that rows and arrays can be elements too.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt64Array, new_empty_array};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;

use super::call::{Call, Function, Types, element_type, failed, function, list_of, returns};
use super::column::{MAX_VALUE_BYTES, Picks, TextBuilder, Texts};
use super::types::row_of;

/// Entries that `sequence` and `repeat` make at most: Trino's own limit.
const MAX_ENTRIES: usize = 10_000;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    function!("cardinality", (Array) -> returns::bigint => cardinality, (Map) -> returns::bigint => super::map::cardinality),
    function!("contains",
        (Text, Ip) -> returns::boolean => super::ip::contains,
        (Array, Element) -> returns::boolean => contains),
    function!("array_position", (Array, Element) -> returns::bigint => array_position),
    function!("array_distinct", (Array) -> returns::first => array_distinct),
    function!("array_sort", (Array) -> returns::first => array_sort),
    function!("array_max", (Array) -> returns::element => |call| extreme(call, true)),
    function!("array_min", (Array) -> returns::element => |call| extreme(call, false)),
    function!("array_join",
        (Array, Text) -> returns::text => array_join,
        (Array, Text, Text) -> returns::text => array_join),
    function!("array_except", (Array, LikeFirst) -> returns::first => |call| combine(call, Combination::Except)),
    function!("array_intersect", (Array, LikeFirst) -> returns::first => |call| combine(call, Combination::Intersect)),
    function!("array_union", (Array, LikeFirst) -> returns::first => |call| combine(call, Combination::Union)),
    function!("arrays_overlap", (Array, LikeFirst) -> returns::boolean => arrays_overlap),
    function!("array_remove", (Array, Element) -> returns::first => array_remove),
    function!("flatten", (Array) -> returns::element => flatten),
    function!("slice", (Array, Bigint, Bigint) -> returns::first => slice),
    function!("trim_array", (Array, Bigint) -> returns::first => trim_array),
    function!("repeat", (Any, Bigint) -> list_of_first => repeat),
    function!("sequence",
        (Bigint, Bigint) -> longs => sequence,
        (Bigint, Bigint, Bigint) -> longs => sequence),
    function!("zip", (Array, Array; repeats) -> zipped => zip),
    function!("reverse",
        (Text) -> returns::text => |call| super::text::each(call, |text| Some(text.chars().rev().collect())),
        (Array) -> returns::first => reverse),
    function!("concat",
        (Text, Text; repeats) -> returns::text => concat_texts,
        (Array, LikeFirst; repeats) -> returns::first => concat_arrays),
    function!("$subscript_first", (Array) -> returns::element => first),
];

fn list_of_first(types: &Types<'_>) -> Result<DataType> {
    returns::first(types).map(list_of)
}

fn longs(_: &Types<'_>) -> Result<DataType> {
    Ok(list_of(DataType::Int64))
}

fn zipped(types: &Types<'_>) -> Result<DataType> {
    Ok(list_of(row_of(types.types.iter().map(element_type))))
}

/// Makes values comparable, byte by byte.
pub(crate) struct Comparable {
    converter: RowConverter,
}

impl Comparable {
    /// For values of this type, NULL last.
    pub(crate) fn new(kind: &DataType) -> Result<Self> {
        let options = SortOptions { descending: false, nulls_first: false };
        let field = SortField::new_with_options(kind.clone(), options);
        let converter = RowConverter::new(vec![field]).map_err(|_| {
            failed(format!("values of type {} cannot be compared", super::types::type_name(kind)))
        })?;
        Ok(Self { converter })
    }

    /// The values in comparable form.
    pub(crate) fn rows(&self, values: &ArrayRef) -> Result<Rows> {
        Ok(self.converter.convert_columns(std::slice::from_ref(values))?)
    }
}

fn cardinality(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let lengths: Int64Array =
        (0..call.rows).map(|row| lists.range(row).map(|range| range.len() as i64)).collect();
    Ok(Arc::new(lengths))
}

/// For each row, where in its array the second argument is first found; the inner nothing is "nowhere".
fn positions(call: &Call) -> Result<Vec<Option<Option<usize>>>> {
    let lists = call.lists(0)?;
    let needle = &call.arguments[1];
    let kind = needle.array.data_type();
    let comparable = Comparable::new(kind)?;
    let values = arrow::compute::cast(lists.values(), kind)?;
    let (values, needles) = (comparable.rows(&values)?, comparable.rows(&needle.array)?);
    Ok((0..call.rows)
        .map(|row| {
            let mut range = lists.range(row)?;
            if needle.is_null(row) {
                return None;
            }
            let wanted = needles.row(needle.at(row));
            let start = range.start;
            Some(range.find(|index| values.row(*index) == wanted).map(|index| index - start))
        })
        .collect())
}

fn contains(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let answers: BooleanArray = positions(call)?
        .into_iter()
        .enumerate()
        .map(|(row, found)| match found? {
            Some(_) => Some(true),
            // With a NULL in the array it is unknown.
            None => {
                let mut range = lists.range(row)?;
                if range.any(|index| lists.values().is_null(index)) { None } else { Some(false) }
            }
        })
        .collect();
    Ok(Arc::new(answers))
}

fn array_position(call: &Call) -> Result<ArrayRef> {
    let places: Int64Array = positions(call)?
        .into_iter()
        .map(|found| found.map(|place| place.map_or(0, |place| place as i64 + 1)))
        .collect();
    Ok(Arc::new(places))
}

fn array_remove(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let needle = &call.arguments[1];
    let comparable = Comparable::new(needle.array.data_type())?;
    let values = arrow::compute::cast(lists.values(), needle.array.data_type())?;
    let (values, needles) = (comparable.rows(&values)?, comparable.rows(&needle.array)?);
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = lists.range(row).filter(|_| !needle.is_null(row));
        let valid = range.is_some();
        for index in range.into_iter().flatten() {
            if values.row(index) != needles.row(needle.at(row)) {
                picks.pick(Some(index));
            }
        }
        picks.end(valid)?;
    }
    picks.list(lists.values(), &call.result)
}

fn array_distinct(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let rows = Comparable::new(lists.values().data_type())?.rows(lists.values())?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = lists.range(row);
        let valid = range.is_some();
        let mut seen = HashSet::new();
        for index in range.into_iter().flatten() {
            if seen.insert(rows.row(index)) {
                picks.pick(Some(index));
            }
        }
        picks.end(valid)?;
    }
    picks.list(lists.values(), &call.result)
}

fn array_sort(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let rows = Comparable::new(lists.values().data_type())?.rows(lists.values())?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = lists.range(row);
        let valid = range.is_some();
        let mut indices: Vec<usize> = range.into_iter().flatten().collect();
        indices.sort_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
        for index in indices {
            picks.pick(Some(index));
        }
        picks.end(valid)?;
    }
    picks.list(lists.values(), &call.result)
}

/// The largest or the smallest element; NULL if one is NULL.
fn extreme(call: &Call, largest: bool) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let values = lists.values();
    let rows = Comparable::new(values.data_type())?.rows(values)?;
    let indices: UInt64Array = (0..call.rows)
        .map(|row| {
            let range = lists.range(row)?;
            if range.clone().any(|index| values.is_null(index)) {
                return None;
            }
            let compare = |a: &usize, b: &usize| rows.row(*a).cmp(&rows.row(*b));
            let found = if largest { range.max_by(compare) } else { range.min_by(compare) };
            found.map(|index| index as u64)
        })
        .collect();
    Ok(arrow::compute::take(values, &indices, None)?)
}

/// The elements as varchar.
fn texts_of(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        DataType::Utf8 | DataType::Utf8View => Ok(values.clone()),
        DataType::Null => Ok(arrow::array::new_null_array(&DataType::Utf8, values.len())),
        _ => super::cast::cast(values, &DataType::Utf8),
    }
}

fn array_join(call: &Call) -> Result<ArrayRef> {
    let (lists, separators) = (call.lists(0)?, call.texts(1)?);
    let missing = if call.has(2) { Some(call.texts(2)?) } else { None };
    let values = texts_of(lists.values())?;
    let values = Texts::of(&values, false).ok_or_else(|| failed("an array of varchar is wanted"))?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(separator)) = (lists.range(row), separators.get(row)) else {
            result.push(None)?;
            continue;
        };
        let missing = missing.as_ref().and_then(|missing| missing.get(row));
        let parts: Vec<&str> = range.filter_map(|index| values.get(index).or(missing)).collect();
        result.push(Some(&joined(&parts, separator)?))?;
    }
    Ok(result.finish())
}

/// The parts with the separator between them, if that is not too long for a value.
fn joined(parts: &[&str], separator: &str) -> Result<String> {
    let separators = separator.len().saturating_mul(parts.len().saturating_sub(1));
    let size = parts.iter().fold(separators, |size, part| size.saturating_add(part.len()));
    if size > MAX_VALUE_BYTES {
        return Err(failed("the result of a function is too large"));
    }
    Ok(parts.join(separator))
}

/// `concat_ws(separator, array)`.
pub(crate) fn concat_ws(call: &Call) -> Result<ArrayRef> {
    let (separators, lists) = (call.texts(0)?, call.lists(1)?);
    let values = texts_of(lists.values())?;
    let values = Texts::of(&values, false).ok_or_else(|| failed("an array of varchar is wanted"))?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(separator)) = (lists.range(row), separators.get(row)) else {
            result.push(None)?;
            continue;
        };
        let parts: Vec<&str> = range.filter_map(|index| values.get(index)).collect();
        result.push(Some(&joined(&parts, separator)?))?;
    }
    Ok(result.finish())
}

#[derive(Clone, Copy, PartialEq)]
enum Combination {
    Except,
    Intersect,
    Union,
}

fn combine(call: &Call, combination: Combination) -> Result<ArrayRef> {
    let (left, right) = (call.lists(0)?, call.lists(1)?);
    let comparable = Comparable::new(left.values().data_type())?;
    let (a, b) = (comparable.rows(left.values())?, comparable.rows(right.values())?);
    let both = arrow::compute::concat(&[left.values().as_ref(), right.values().as_ref()])?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let (Some(x), Some(y)) = (left.range(row), right.range(row)) else {
            picks.end(false)?;
            continue;
        };
        let mut seen = HashSet::new();
        let others: HashSet<_> = match combination {
            Combination::Union => HashSet::new(),
            _ => y.clone().map(|index| b.row(index)).collect(),
        };
        for index in x {
            let keep = match combination {
                Combination::Except => !others.contains(&a.row(index)),
                Combination::Intersect => others.contains(&a.row(index)),
                Combination::Union => true,
            };
            if keep && seen.insert(a.row(index)) {
                picks.pick(Some(index));
            }
        }
        if combination == Combination::Union {
            for index in y {
                if seen.insert(b.row(index)) {
                    picks.pick(Some(left.values().len() + index));
                }
            }
        }
        picks.end(true)?;
    }
    picks.list(&both, &call.result)
}

fn arrays_overlap(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.lists(0)?, call.lists(1)?);
    let comparable = Comparable::new(left.values().data_type())?;
    let (a, b) = (comparable.rows(left.values())?, comparable.rows(right.values())?);
    let answers: BooleanArray = (0..call.rows)
        .map(|row| {
            let (mut x, y) = (left.range(row)?, right.range(row)?);
            let others: HashSet<_> =
                y.clone().filter(|index| right.values().is_valid(*index)).map(|index| b.row(index)).collect();
            let unknown = x.clone().any(|index| left.values().is_null(index))
                || y.clone().any(|index| right.values().is_null(index));
            let found = x.any(|index| left.values().is_valid(index) && others.contains(&a.row(index)));
            if found { Some(true) } else { (!unknown).then_some(false) }
        })
        .collect();
    Ok(Arc::new(answers))
}

fn flatten(call: &Call) -> Result<ArrayRef> {
    use arrow::array::AsArray;
    let outer = call.lists(0)?;
    let DataType::List(_) = outer.values().data_type() else {
        return Err(failed("flatten takes an array of arrays"));
    };
    let inner = outer.values().as_list::<i32>();
    let offsets = inner.value_offsets();
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = outer.range(row);
        let valid = range.is_some();
        for list in range.into_iter().flatten().filter(|list| inner.is_valid(*list)) {
            for index in offsets[list]..offsets[list + 1] {
                picks.pick(Some(index as usize));
            }
        }
        picks.end(valid)?;
    }
    picks.list(inner.values(), &call.result)
}

fn slice(call: &Call) -> Result<ArrayRef> {
    let (lists, starts, lengths) = (call.lists(0)?, call.longs(1)?, call.longs(2)?);
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(start), Some(length)) = (lists.range(row), starts.get(row), lengths.get(row))
        else {
            picks.end(false)?;
            continue;
        };
        if length < 0 {
            return Err(failed("length must be greater than or equal to 0"));
        }
        let begin = match start {
            0 => return Err(failed("SQL array indices start at 1")),
            1.. => start - 1,
            _ => range.len() as i64 + start,
        };
        if let Ok(begin) = usize::try_from(begin) {
            for index in range.skip(begin).take(usize::try_from(length).unwrap_or(usize::MAX)) {
                picks.pick(Some(index));
            }
        }
        picks.end(true)?;
    }
    picks.list(lists.values(), &call.result)
}

fn trim_array(call: &Call) -> Result<ArrayRef> {
    let (lists, counts) = (call.lists(0)?, call.longs(1)?);
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let (Some(range), Some(count)) = (lists.range(row), counts.get(row)) else {
            picks.end(false)?;
            continue;
        };
        let kept = usize::try_from(count).ok().and_then(|count| range.len().checked_sub(count));
        let Some(kept) = kept else {
            return Err(failed("size must not be negative, nor exceed array cardinality"));
        };
        for index in range.take(kept) {
            picks.pick(Some(index));
        }
        picks.end(true)?;
    }
    picks.list(lists.values(), &call.result)
}

fn repeat(call: &Call) -> Result<ArrayRef> {
    let (value, counts) = (&call.arguments[0], call.longs(1)?);
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let Some(count) = counts.get(row) else {
            picks.end(false)?;
            continue;
        };
        let count = usize::try_from(count)
            .map_err(|_| failed("count argument of repeat function must be greater than or equal to 0"))?;
        if count > MAX_ENTRIES {
            return Err(failed(format!(
                "count argument of repeat function must be less than or equal to {MAX_ENTRIES}"
            )));
        }
        for _ in 0..count {
            picks.pick(Some(value.at(row)));
        }
        picks.end(true)?;
    }
    picks.list(&value.array, &call.result)
}

fn sequence(call: &Call) -> Result<ArrayRef> {
    let (starts, ends) = (call.longs(0)?, call.longs(1)?);
    let (mut picks, mut values) = (Picks::new(call.rows), Vec::new());
    for row in 0..call.rows {
        let step = if call.has(2) { call.longs(2)?.get(row) } else { None };
        let (Some(start), Some(end)) = (starts.get(row), ends.get(row)) else {
            picks.end(false)?;
            continue;
        };
        if call.has(2) && step.is_none() {
            picks.end(false)?;
            continue;
        }
        let step = step.unwrap_or(if end >= start { 1 } else { -1 });
        if step == 0 || (step > 0) != (end >= start) && end != start {
            return Err(failed(
                "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start",
            ));
        }
        let entries = (i128::from(end) - i128::from(start)) / i128::from(step) + 1;
        if entries > MAX_ENTRIES as i128 {
            return Err(failed(format!(
                "result of sequence function must not have more than {MAX_ENTRIES} entries"
            )));
        }
        for entry in 0..entries as i64 {
            picks.pick(Some(values.len()));
            // The product alone can be out of range where the entry is not.
            values.push((i128::from(start) + i128::from(entry) * i128::from(step)) as i64);
        }
        picks.end(true)?;
    }
    picks.with_values(Arc::new(Int64Array::from(values)), &call.result)
}

fn zip(call: &Call) -> Result<ArrayRef> {
    let lists = (0..call.arguments.len()).map(|index| call.lists(index)).collect::<Result<Vec<_>>>()?;
    let mut columns: Vec<Picks> = lists.iter().map(|_| Picks::new(call.rows)).collect();
    for row in 0..call.rows {
        let ranges: Option<Vec<_>> = lists.iter().map(|list| list.range(row)).collect();
        let valid = ranges.is_some();
        let mut ranges = ranges.unwrap_or_default();
        let longest = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        for _ in 0..longest {
            for (column, range) in columns.iter_mut().zip(&mut ranges) {
                column.pick(range.next());
            }
        }
        for column in &mut columns {
            column.end(valid)?;
        }
    }
    let arrays = columns
        .iter()
        .zip(&lists)
        .map(|(column, list)| column.take(list.values()))
        .collect::<Result<Vec<_>>>()?;
    let DataType::Struct(fields) = element_type(&call.result) else { return Err(failed("a row is wanted")) };
    let length = arrays.first().map_or(0, |array| array.len());
    let rows = arrow::array::StructArray::try_new_with_length(fields, arrays, None, length)?;
    match columns.into_iter().next() {
        Some(shape) => shape.with_values(Arc::new(rows), &call.result),
        None => Ok(new_empty_array(&call.result)),
    }
}

fn reverse(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let range = lists.range(row);
        let valid = range.is_some();
        for index in range.into_iter().flatten().rev() {
            picks.pick(Some(index));
        }
        picks.end(valid)?;
    }
    picks.list(lists.values(), &call.result)
}

fn concat_texts(call: &Call) -> Result<ArrayRef> {
    let parts = (0..call.arguments.len()).map(|index| call.texts(index)).collect::<Result<Vec<_>>>()?;
    let mut result = TextBuilder::new(call.rows);
    for row in 0..call.rows {
        let given: Option<Vec<&str>> = parts.iter().map(|part| part.get(row)).collect();
        result.push(given.map(|given| given.concat()).as_deref())?;
    }
    Ok(result.finish())
}

fn concat_arrays(call: &Call) -> Result<ArrayRef> {
    let lists = (0..call.arguments.len()).map(|index| call.lists(index)).collect::<Result<Vec<_>>>()?;
    let arrays: Vec<&dyn Array> = lists.iter().map(|list| list.values().as_ref()).collect();
    let all = arrow::compute::concat(&arrays)?;
    let mut picks = Picks::new(call.rows);
    for row in 0..call.rows {
        let ranges: Option<Vec<_>> = lists.iter().map(|list| list.range(row)).collect();
        let valid = ranges.is_some();
        let mut before = 0;
        for (list, range) in lists.iter().zip(ranges.unwrap_or_default()) {
            for index in range {
                picks.pick(Some(before + index));
            }
            before += list.values().len();
        }
        picks.end(valid)?;
    }
    picks.list(&all, &call.result)
}

fn first(call: &Call) -> Result<ArrayRef> {
    let lists = call.lists(0)?;
    let indices: UInt64Array =
        (0..call.rows).map(|row| lists.range(row)?.next().map(|index| index as u64)).collect();
    Ok(arrow::compute::take(lists.values(), &indices, None)?)
}
