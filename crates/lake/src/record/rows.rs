//! Records of many rows.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, builder::StringBuilder, new_null_array};
use arrow_schema::{ArrowError, DataType};

use super::{
    array::Records,
    derive::form,
    programs::Programs,
    prove::proves,
    restore::Restorer,
    source::{Members, Texts},
};
use crate::{
    LakeError,
    schema::{FORM, RECORD, REST, Shape},
};

/// How long a rest may be for a form to be taken that fits a record and is not its own: the column of a member may have
/// what such a form leaves to the rest.
const SHORT_REST: usize = 32;

/// How a file keeps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Keep {
    /// As forms, where they have one: the least bytes.
    #[default]
    Forms,
    /// Whole, in `eventJson`, for engines that know no forms.
    Whole,
}

/// The records of rows as files have them: `eventJson`, the forms, the rests.
pub(crate) struct Stored<'a> {
    records: Texts<'a>,
    forms: Option<Texts<'a>>,
    rests: Option<Texts<'a>>,
}

impl<'a> Stored<'a> {
    /// # Errors
    /// [`LakeError::Arrow`] if the rows are not those of a file.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, LakeError> {
        let texts = |name: &str| batch.column_by_name(name).and_then(Texts::of);
        let records = texts(RECORD).ok_or_else(|| damaged("rows have no column of records"))?;
        Ok(Self { records, forms: texts(FORM), rests: texts(REST) })
    }

    /// The record itself, where the row has it whole.
    pub(crate) fn record(&self, row: usize) -> Option<&'a str> {
        self.records.at(row)
    }

    fn form(&self, row: usize) -> Option<&'a str> {
        self.forms.and_then(|forms| forms.at(row))
    }

    fn rest(&self, row: usize) -> Option<&'a str> {
        self.rests.and_then(|rests| rests.at(row))
    }
}

/// The batch with nulls in place of its records, which [`Keep::rows`] is given beside it.
pub(crate) fn without_records(batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let nulls = new_null_array(&DataType::Utf8, batch.num_rows());
    with_columns(batch, &[(RECORD, nulls)])
}

impl Keep {
    /// The rows as a file is to have them. `record` tells the whole record of a row; a row of which it tells none has a
    /// form in the batch.
    ///
    /// # Errors
    /// [`LakeError::Arrow`] if a row has neither record nor form.
    pub(crate) fn rows<'r>(
        self,
        shape: Shape,
        batch: &RecordBatch,
        record: impl Fn(usize) -> Option<&'r str>,
    ) -> Result<RecordBatch, LakeError> {
        let rows = Members::of_rows(shape, batch);
        let mut programs = Programs::new(&rows);
        let stored = Stored::of(batch)?;
        let mut kept = Kept::default();
        for row in 0..batch.num_rows() {
            match (self, record(row), stored.form(row)) {
                (Self::Forms, Some(record), _) => kept.form_of(record, &rows, &mut programs, row),
                (Self::Whole, Some(record), _) => kept.whole(record),
                (Self::Forms, None, Some(form)) => kept.formed(form, stored.rest(row)),
                (Self::Whole, None, Some(form)) => {
                    kept.restored(form, stored.rest(row), &mut programs, row)?
                }
                (_, None, None) => return Err(damaged("a row has no record")),
            }
        }
        let Kept { mut records, mut forms, mut rests, .. } = kept;
        let columns: [(&str, ArrayRef); 3] = [
            (RECORD, Arc::new(records.finish())),
            (FORM, Arc::new(forms.finish())),
            (REST, Arc::new(rests.finish())),
        ];
        with_columns(batch, &columns)
    }
}

/// The three columns while they grow.
#[derive(Default)]
struct Kept {
    records: StringBuilder,
    forms: StringBuilder,
    rests: StringBuilder,
    rest: Vec<u8>,
    restorer: Restorer,
}

impl Kept {
    fn whole(&mut self, record: &str) {
        self.records.append_value(record);
        self.forms.append_null();
        self.rests.append_null();
    }

    fn formed(&mut self, form: &str, rest: Option<&str>) {
        self.records.append_null();
        self.forms.append_value(form);
        self.rests.append_option(rest);
    }

    fn form_of(&mut self, record: &str, rows: &Members<'_>, programs: &mut Programs<'_, '_>, row: usize) {
        let form = self.proven(record, rows, programs, row);
        let (Some(form), Ok(rest)) = (form, std::str::from_utf8(&self.rest)) else {
            return self.whole(record);
        };
        if form.len() + rest.len() >= record.len() {
            return self.whole(record);
        }
        self.records.append_null();
        self.forms.append_value(form);
        self.rests.append_option(Some(rest).filter(|rest| !rest.is_empty()));
    }

    /// A form that makes the record; `rest` is then what it needs besides. Most often it is one of the latest, and the
    /// record need not be taken apart.
    fn proven<'p>(
        &mut self,
        record: &str,
        rows: &Members<'_>,
        programs: &'p mut Programs<'_, '_>,
        row: usize,
    ) -> Option<&'p str> {
        let rest = &mut self.rest;
        let is_recent =
            programs.try_recent(|program| proves(program, record, row, rest) && rest.len() <= SHORT_REST);
        if !is_recent {
            let program = programs.of(&form(record, rows, row)?).ok()?;
            return proves(program, record, row, rest).then_some(&program.form);
        }
        programs.latest().map(|program| &*program.form)
    }

    fn restored(
        &mut self,
        form: &str,
        rest: Option<&str>,
        programs: &mut Programs<'_, '_>,
        row: usize,
    ) -> Result<(), LakeError> {
        let program = programs.of(form).map_err(|_| misfit())?;
        let record = self.restorer.record(program, rest, row).map_err(|_| misfit())?;
        self.records.append_value(record);
        self.forms.append_null();
        self.rests.append_null();
        Ok(())
    }
}

/// The records of rows as a file has them, byte for byte as they came.
///
/// The batch has the columns of [`Shape::arrow`], found by their names; texts may be views, and if those of `eventJson`
/// are, so are these.
///
/// # Errors
/// [`LakeError::Arrow`] if a row has neither record nor form, or a form that doesn't fit it.
pub fn records(shape: Shape, batch: &RecordBatch) -> Result<ArrayRef, LakeError> {
    let stored = Stored::of(batch)?;
    let rows = Members::of_rows(shape, batch);
    let mut programs = Programs::new(&rows);
    let mut restorer = Restorer::default();
    let mut records = Records::like(stored.records, batch.num_rows());
    for row in 0..batch.num_rows() {
        let record = match (stored.record(row), stored.form(row)) {
            (Some(record), _) => record,
            (None, Some(form)) => {
                let program = programs.of(form).map_err(|_| misfit())?;
                restorer.record(program, stored.rest(row), row).map_err(|_| misfit())?
            }
            (None, None) => return Err(damaged("a row has no record")),
        };
        records.push(record)?;
    }
    Ok(records.finish())
}

fn with_columns(batch: &RecordBatch, new: &[(&str, ArrayRef)]) -> Result<RecordBatch, LakeError> {
    let mut columns = batch.columns().to_vec();
    for (name, array) in new {
        let place = batch.schema().index_of(name)?;
        if let Some(column) = columns.get_mut(place) {
            *column = array.clone();
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

fn misfit() -> LakeError {
    damaged("a record can't be made of its form and its row")
}

fn damaged(reason: &str) -> LakeError {
    LakeError::Arrow(ArrowError::InvalidArgumentError(reason.to_owned()))
}
