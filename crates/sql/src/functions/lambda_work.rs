//! What functions with lambdas do with their bodies, once these are planned.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};

use super::call::{failed, list_of};
use super::column::{Picks, TextBuilder, Texts, list_array, map_array};
use super::lambda::{Batch, HigherOrder, Planned, Work, attempt};
use super::regex::Pattern;
use super::types::map_of;

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

impl HigherOrder {
    /// The result for a batch.
    pub(super) fn run(&self, batch: &Batch) -> Result<ArrayRef> {
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
