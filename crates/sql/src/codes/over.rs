//! An expression over columns of which some come as dictionaries.
//!
//! It was planned for the texts themselves. Where it reads nothing but one dictionary, it is asked once for each text and
//! not for each row; else the texts are put in.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, FieldRef, Int32Type, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use parking_lot::Mutex;

use super::column::identity;

/// Dictionaries whose answers are kept: those that partitions read at a time.
const KEPT: usize = 16;

/// How many texts a dictionary may have for each row that is asked about.
const TEXTS_PER_ROW: usize = 2;

#[derive(Debug)]
pub(super) struct Over {
    /// With the columns of `own`.
    inner: Arc<dyn PhysicalExpr>,
    /// The columns that it reads, with the types that it was planned for.
    own: SchemaRef,
    /// Where they are.
    places: Vec<usize>,
    /// Whether rows with the same text have the same answer.
    asks_texts: bool,
    answers: Mutex<HashMap<(usize, usize), Answers>>,
}

#[derive(Debug, Clone)]
struct Answers {
    /// Kept so that its place in memory stays its own.
    _texts: ArrayRef,
    /// One for each text, then that for NULL.
    answers: ArrayRef,
}

/// `expr`, which was planned for columns of `plain`, over columns that are as in `given`.
pub(super) fn over(
    expr: &Arc<dyn PhysicalExpr>,
    plain: &Schema,
    given: &Schema,
) -> Result<Arc<dyn PhysicalExpr>> {
    let mut places: Vec<usize> = collect_columns(expr).iter().map(Column::index).collect();
    places.sort_unstable();
    places.dedup();
    if places.iter().all(|place| given.fields().get(*place).is_some_and(|field| !is_dictionary(field))) {
        return Ok(Arc::clone(expr));
    }
    let own = Arc::new(plain.project(&places)?);
    let inner = Arc::clone(expr).transform(|expr| {
        let Some(column) = expr.as_any().downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let place = places.iter().position(|place| *place == column.index()).unwrap_or_default();
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), place)) as Arc<dyn PhysicalExpr>))
    })?;
    let asks_texts = places.len() == 1 && !is_volatile(expr);
    Ok(Arc::new(Over { inner: inner.data, own, places, asks_texts, answers: Mutex::default() }))
}

pub(super) fn is_dictionary(field: &FieldRef) -> bool {
    matches!(field.data_type(), DataType::Dictionary(_, _))
}

impl Over {
    fn answers(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.own), columns, &options)?;
        self.inner.evaluate(&batch)?.into_array(rows)
    }

    /// One answer for each row.
    fn by_row(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let columns = self.places.iter().zip(self.own.fields());
        let columns = columns.map(|(place, field)| cast(batch.column(*place), field.data_type()));
        self.answers(columns.collect::<std::result::Result<_, _>>()?, batch.num_rows())
    }

    /// The same, but asked once for each text. None if there is something in the dictionary that it fails for: that need
    /// not be in a row.
    fn by_text(&self, column: &DictionaryArray<Int32Type>, kind: &DataType) -> Result<Option<ArrayRef>> {
        let texts = column.values();
        let place = identity(texts);
        let known = self.answers.lock().get(&place).cloned();
        let known = match known {
            Some(known) => known,
            None if texts.len() > column.len().saturating_mul(TEXTS_PER_ROW) => return Ok(None),
            None => {
                let all = concat(&[texts, &new_null_array(texts.data_type(), 1)])?;
                let Ok(answers) = self.answers(vec![cast(&all, kind)?], all.len()) else { return Ok(None) };
                let made = Answers { _texts: Arc::clone(texts), answers };
                let mut kept = self.answers.lock();
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(place, made.clone());
                made
            }
        };
        let null = i32::try_from(texts.len()).unwrap_or(i32::MAX);
        let keys = column.keys();
        let numbers: Int32Array = match keys.nulls() {
            None => keys.clone(),
            Some(valid) => {
                let numbers = keys.values().iter().zip(valid);
                numbers.map(|(key, valid)| if valid { *key } else { null }).collect::<Vec<_>>().into()
            }
        };
        Ok(Some(take(&known.answers, &numbers, None)?))
    }
}

impl PartialEq for Over {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner) && self.places == other.places
    }
}

impl Eq for Over {}

impl Hash for Over {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.places.hash(state);
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Over {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        self.inner.return_field(&self.own)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let only = self.places.first().filter(|_| self.asks_texts).map(|place| batch.column(*place));
        let by_text = match (only.and_then(|column| column.as_dictionary_opt()), self.own.fields().first()) {
            (Some(column), Some(field)) => self.by_text(column, field.data_type())?,
            _ => None,
        };
        let answers = match by_text {
            Some(answers) => answers,
            None => self.by_row(batch)?,
        };
        Ok(ColumnarValue::Array(answers))
    }

    /// Its columns are not those that optimizers could put others in for.
    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
