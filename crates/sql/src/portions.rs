//! Batches in portions that what follows can take without making far more of them than fits into memory.
//!
//! DataFusion unnests a batch at once, however long its lists are, each element with a copy of its row; a window gives its
//! whole partition as one batch. Here a batch is cut where that would make more than some rows, or than some bytes; a list
//! that is too long by itself is cut too, and its row comes once for each part.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{Stream, StreamExt};

use crate::cancel::Cancel;
use crate::functions::of_range;

/// Bytes that unnesting may make of one portion, as far as they can be told.
const PORTION_BYTES: usize = 16 << 20;

/// Gives the rows of its input in portions.
#[derive(Debug)]
pub(crate) struct Portions {
    input: Arc<dyn ExecutionPlan>,
    /// The columns that will be unnested.
    lists: Vec<usize>,
    cancel: Cancel,
}

impl Portions {
    /// No portion has more rows than a batch.
    pub(crate) fn of_rows(input: Arc<dyn ExecutionPlan>, cancel: Cancel) -> Self {
        Portions { input, lists: Vec::new(), cancel }
    }

    /// No portion has more rows than a batch once these columns are unnested.
    pub(crate) fn of_lists(input: Arc<dyn ExecutionPlan>, lists: Vec<usize>, cancel: Cancel) -> Self {
        Portions { input, lists, cancel }
    }
}

impl DisplayAs for Portions {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Portions")
    }
}

impl ExecutionPlan for Portions {
    fn name(&self) -> &'static str {
        "Portions"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Portions { input, lists: self.lists.clone(), cancel: self.cancel.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = context.session_config().batch_size().max(1);
        Ok(Box::pin(Cutting {
            input: self.input.execute(partition, context)?,
            cutter: Cutter { lists: self.lists.clone(), rows, bytes: PORTION_BYTES },
            batch: None,
            cancel: self.cancel.clone(),
        }))
    }
}

struct Cutting {
    input: SendableRecordBatchStream,
    cutter: Cutter,
    batch: Option<Rest>,
    cancel: Cancel,
}

impl Stream for Cutting {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            this.cancel.check()?;
            if let Some(rest) = &mut this.batch {
                if let Some(portion) = this.cutter.next(rest)? {
                    return Poll::Ready(Some(Ok(portion)));
                }
                this.batch = None;
            }
            match ready!(this.input.poll_next_unpin(context)).transpose()? {
                Some(batch) => this.batch = Some(this.cutter.begin(batch)),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl RecordBatchStream for Cutting {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

/// How batches are cut.
#[derive(Debug)]
struct Cutter {
    lists: Vec<usize>,
    rows: usize,
    bytes: usize,
}

/// What was not given yet of a batch.
#[derive(Debug)]
struct Rest {
    batch: RecordBatch,
    /// How many rows unnesting makes of each row that is left.
    lengths: VecDeque<usize>,
    row: usize,
    /// Elements of that row's lists that were given.
    given: usize,
}

impl Cutter {
    fn begin(&self, batch: RecordBatch) -> Rest {
        let columns: Vec<&ArrayRef> =
            self.lists.iter().filter_map(|index| batch.columns().get(*index)).collect();
        let length = |row: usize| columns.iter().map(|column| length(column, row)).max().unwrap_or(1).max(1);
        let lengths = (0..batch.num_rows()).map(length).collect();
        Rest { batch, lengths, row: 0, given: 0 }
    }

    /// The next portion; none after the last.
    fn next(&self, rest: &mut Rest) -> Result<Option<RecordBatch>> {
        let start = rest.row;
        let (mut rows, mut bytes) = (0_usize, 0_usize);
        while let Some(length) = rest.lengths.front().copied() {
            let left = length - rest.given;
            // What does not multiply need not be measured.
            let width = if length > 1 { self.width(&rest.batch, rest.row) } else { 0 };
            let fits = rest.given == 0
                && rows.saturating_add(left) <= self.rows
                && bytes.saturating_add(left.saturating_mul(width)) <= self.bytes;
            if !fits && rest.row == start {
                return self.part(rest, left, width).map(Some);
            }
            if !fits {
                break;
            }
            rows += left;
            bytes += left * width;
            rest.lengths.pop_front();
            rest.row += 1;
        }
        Ok((rest.row > start).then(|| rest.batch.slice(start, rest.row - start)))
    }

    /// Some elements of the lists of one row.
    fn part(&self, rest: &mut Rest, left: usize, width: usize) -> Result<RecordBatch> {
        let taken = (self.bytes / width.max(1)).min(self.rows).clamp(1, left);
        let one = rest.batch.slice(rest.row, 1);
        let mut columns = one.columns().to_vec();
        for index in &self.lists {
            if let Some(column) = columns.get_mut(*index) {
                *column = elements(column, rest.given, taken)?;
            }
        }
        rest.given += taken;
        if taken == left {
            rest.lengths.pop_front();
            rest.row += 1;
            rest.given = 0;
        }
        Ok(RecordBatch::try_new(one.schema(), columns)?)
    }

    /// Bytes of a row without its lists.
    fn width(&self, batch: &RecordBatch, row: usize) -> usize {
        let columns = batch.columns().iter().enumerate();
        columns
            .filter(|(index, _)| !self.lists.contains(index))
            .map(|(_, column)| of_range(column, row, row + 1))
            .sum()
    }
}

fn length(column: &ArrayRef, row: usize) -> usize {
    match column.data_type() {
        _ if column.is_null(row) => 0,
        DataType::List(_) => usize::try_from(column.as_list::<i32>().value_length(row)).unwrap_or(0),
        DataType::LargeList(_) => usize::try_from(column.as_list::<i64>().value_length(row)).unwrap_or(0),
        // All have one length, and are short.
        _ => 1,
    }
}

/// Some elements of the only list of a column.
fn elements(column: &ArrayRef, from: usize, count: usize) -> Result<ArrayRef> {
    match column.data_type() {
        _ if column.is_null(0) => Ok(Arc::clone(column)),
        DataType::List(_) => elements_of(column.as_list::<i32>(), from, count),
        DataType::LargeList(_) => elements_of(column.as_list::<i64>(), from, count),
        _ => Ok(Arc::clone(column)),
    }
}

fn elements_of<O: OffsetSizeTrait>(
    list: &GenericListArray<O>,
    from: usize,
    count: usize,
) -> Result<ArrayRef> {
    let (DataType::List(item) | DataType::LargeList(item)) = list.data_type() else {
        return Ok(Arc::new(list.clone()));
    };
    let elements = list.value(0);
    let from = from.min(elements.len());
    let elements = elements.slice(from, count.min(elements.len() - from));
    let offsets = OffsetBuffer::from_lengths([elements.len()]);
    Ok(Arc::new(GenericListArray::<O>::try_new(Arc::clone(item), offsets, elements, None)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray, StringArray};
    use arrow::datatypes::{Field, Int64Type, Schema};

    use super::*;

    fn batch(lists: Vec<Option<Vec<Option<i64>>>>, text: &str) -> RecordBatch {
        let texts = StringArray::from(vec![text; lists.len()]);
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let schema = Schema::new(vec![
            Field::new("l", lists.data_type().clone(), true),
            Field::new("t", DataType::Utf8, false),
        ]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(lists), Arc::new(texts)]).expect("a batch")
    }

    fn cut(cutter: &Cutter, batch: RecordBatch) -> Vec<Vec<Option<Vec<i64>>>> {
        let mut rest = cutter.begin(batch);
        let mut portions = Vec::new();
        while let Some(portion) = cutter.next(&mut rest).expect("it cuts") {
            let lists = portion.column(0).as_list::<i32>().clone();
            let values = |list: ArrayRef| -> Vec<i64> {
                let list: &Int64Array = list.as_primitive();
                list.values().to_vec()
            };
            portions.push(lists.iter().map(|list| list.map(values)).collect());
        }
        portions
    }

    #[test]
    fn batches_are_cut_by_what_becomes_of_them() {
        let lists =
            || vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some((3..9).map(Some).collect())];
        let cutter = |rows, bytes| Cutter { lists: vec![0], rows, bytes };
        let whole = vec![Some(vec![1, 2]), None, Some(vec![]), Some(vec![3, 4, 5, 6, 7, 8])];
        assert_eq!(cut(&cutter(100, 1 << 20), batch(lists(), "t")), vec![whole.clone()]);
        let by_rows: [Vec<Option<Vec<i64>>>; 3] =
            [whole[..3].to_vec(), vec![Some(vec![3, 4, 5, 6])], vec![Some(vec![7, 8])]];
        assert_eq!(cut(&cutter(4, 1 << 20), batch(lists(), "t")), by_rows);
        let wide = "x".repeat(1000);
        let by_bytes: [Vec<Option<Vec<i64>>>; 4] =
            [whole[..3].to_vec(), vec![Some(vec![3, 4])], vec![Some(vec![5, 6])], vec![Some(vec![7, 8])]];
        assert_eq!(cut(&cutter(100, 2500), batch(lists(), &wide)), by_bytes);
    }

    #[test]
    fn without_lists_rows_are_counted() {
        let cutter = Cutter { lists: Vec::new(), rows: 2, bytes: 1 };
        let given = cut(&cutter, batch(vec![Some(vec![Some(1)]); 5], "t"));
        assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
