//! The values of a column as numbers, which are given as values come.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, LargeStringBuilder, StringArray, StringBuilder,
    StringViewBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::{HashMap, Result};

use datafusion::common::exec_datafusion_err;

/// The number of NULL.
pub(super) const NULL: u32 = 0;

/// That a dictionary's text has no number yet.
const UNKNOWN: u32 = u32::MAX;

/// Dictionaries whose numbers are kept: rows of several inputs may come in turns.
const KEPT: usize = 4;

/// What a value takes besides its text, in bytes.
const ENTRY: usize = 64;

/// Whether values of this type can have numbers.
pub(super) fn can_have(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(key, texts) => **key == DataType::Int32 && **texts == DataType::Utf8,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => true,
        other => is_number(other),
    }
}

fn is_number(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(_, _)
    )
}

/// Where the texts of a dictionary are in memory, and how many: the same for all batches that share it, as long as it is
/// there.
pub(super) fn identity(texts: &ArrayRef) -> (usize, usize) {
    let place = match texts.as_string_opt::<i32>() {
        Some(texts) => texts.value_offsets().as_ptr() as usize,
        None => Arc::as_ptr(texts).cast::<u8>() as usize,
    };
    (place, texts.len())
}

/// Numbers of the values of one column: 0 for NULL, then from 1 on.
#[derive(Debug)]
pub(super) enum Codes {
    Texts(Texts),
    Numbers(Numbers),
}

impl Codes {
    /// For values of a type for which [`can_have`] says yes.
    pub(super) fn of(kind: &DataType) -> Self {
        if is_number(kind) { Codes::Numbers(Numbers::default()) } else { Codes::Texts(Texts::default()) }
    }

    /// The numbers of a batch's values, which replace what is in `out`.
    pub(super) fn number(&mut self, values: &ArrayRef, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        out.reserve(values.len());
        match self {
            Codes::Texts(texts) => texts.number(values, out),
            Codes::Numbers(numbers) => numbers.number(values, out),
        }
    }

    /// The values of numbers, as an array of this type.
    pub(super) fn values(&self, codes: impl Iterator<Item = u32>, kind: &DataType) -> Result<ArrayRef> {
        match self {
            Codes::Texts(texts) => texts.values(codes, kind),
            Codes::Numbers(numbers) => {
                let values: Int64Array =
                    codes.map(|code| numbers.values.get(place(code)?).copied()).collect();
                let values: ArrayRef = Arc::new(values);
                match kind {
                    DataType::Date32 => Ok(cast(&cast(&values, &DataType::Int32)?, kind)?),
                    _ => Ok(cast(&values, kind)?),
                }
            }
        }
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        match self {
            Codes::Texts(texts) => {
                texts.bytes
                    + texts.kept.iter().map(|kept| kept.codes.capacity() * 4 + kept.bytes).sum::<usize>()
            }
            Codes::Numbers(numbers) => numbers.values.len() * ENTRY,
        }
    }
}

/// The place of a value; none for NULL.
fn place(code: u32) -> Option<usize> {
    (code as usize).checked_sub(1)
}

/// Each text once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    codes: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    bytes: usize,
    kept: Vec<Dictionary>,
}

/// The numbers of a dictionary's texts, of those that were asked for.
#[derive(Debug)]
struct Dictionary {
    texts: ArrayRef,
    codes: Vec<u32>,
    bytes: usize,
}

impl Texts {
    fn code(
        codes: &mut HashMap<Arc<str>, u32>,
        texts: &mut Vec<Arc<str>>,
        bytes: &mut usize,
        text: &str,
    ) -> u32 {
        if let Some(code) = codes.get(text) {
            return *code;
        }
        let own: Arc<str> = Arc::from(text);
        texts.push(Arc::clone(&own));
        *bytes += text.len() + ENTRY;
        let code = u32::try_from(texts.len()).unwrap_or(UNKNOWN - 1);
        codes.insert(own, code);
        code
    }

    fn number(&mut self, values: &ArrayRef, out: &mut Vec<u32>) -> Result<()> {
        if let Some(column) = values.as_dictionary_opt::<Int32Type>() {
            return self.number_dictionary(column, out);
        }
        match values.data_type() {
            DataType::Utf8 => self.number_texts(values.as_string::<i32>().iter(), out),
            DataType::LargeUtf8 => self.number_texts(values.as_string::<i64>().iter(), out),
            DataType::Utf8View => self.number_texts(values.as_string_view().iter(), out),
            other => return Err(exec_datafusion_err!("{other} has no texts")),
        }
        Ok(())
    }

    fn number_texts<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>, out: &mut Vec<u32>) {
        let mut last = (None, NULL);
        for value in values {
            if value != last.0 {
                let code = value
                    .map_or(NULL, |text| Self::code(&mut self.codes, &mut self.texts, &mut self.bytes, text));
                last = (value, code);
            }
            out.push(last.1);
        }
    }

    fn number_dictionary(&mut self, column: &DictionaryArray<Int32Type>, out: &mut Vec<u32>) -> Result<()> {
        let texts: &StringArray = column
            .values()
            .as_string_opt()
            .ok_or_else(|| exec_datafusion_err!("a dictionary has no texts"))?;
        let kept = self.kept(column.values());
        let (codes, own, bytes) = (&mut self.codes, &mut self.texts, &mut self.bytes);
        let Some(kept) = self.kept.get_mut(kept) else {
            return Err(exec_datafusion_err!("a dictionary is gone"));
        };
        let mut code_of = |key: i32| {
            let key = usize::try_from(key).unwrap_or(usize::MAX);
            match kept.codes.get_mut(key) {
                Some(code) if *code != UNKNOWN => *code,
                Some(code) => {
                    *code = if texts.is_null(key) {
                        NULL
                    } else {
                        Self::code(codes, own, bytes, texts.value(key))
                    };
                    *code
                }
                None => NULL,
            }
        };
        let keys = column.keys();
        match keys.nulls() {
            None => out.extend(keys.values().iter().map(|key| code_of(*key))),
            Some(_) => out.extend(keys.iter().map(|key| key.map_or(NULL, &mut code_of))),
        }
        Ok(())
    }

    /// Where a dictionary's numbers are.
    fn kept(&mut self, texts: &ArrayRef) -> usize {
        let own = identity(texts);
        if let Some(place) = self.kept.iter().position(|kept| identity(&kept.texts) == own) {
            return place;
        }
        if self.kept.len() >= KEPT {
            self.kept.remove(0);
        }
        let bytes = texts.get_array_memory_size();
        self.kept.push(Dictionary { texts: Arc::clone(texts), codes: vec![UNKNOWN; texts.len()], bytes });
        self.kept.len() - 1
    }

    fn values(&self, codes: impl Iterator<Item = u32>, kind: &DataType) -> Result<ArrayRef> {
        let texts = codes.map(|code| self.texts.get(place(code)?).map(AsRef::<str>::as_ref));
        Ok(match kind {
            DataType::Utf8View => {
                let mut builder = StringViewBuilder::new().with_deduplicate_strings();
                texts.for_each(|text| builder.append_option(text));
                Arc::new(builder.finish())
            }
            DataType::LargeUtf8 => {
                let mut builder = LargeStringBuilder::new();
                texts.for_each(|text| builder.append_option(text));
                Arc::new(builder.finish())
            }
            _ => {
                let mut builder = StringBuilder::new();
                texts.for_each(|text| builder.append_option(text));
                Arc::new(builder.finish())
            }
        })
    }
}

/// Each number once.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    codes: HashMap<i64, u32>,
    values: Vec<i64>,
}

impl Numbers {
    fn number(&mut self, values: &ArrayRef, out: &mut Vec<u32>) -> Result<()> {
        let values = match values.data_type() {
            DataType::Date32 => &cast(values, &DataType::Int32)?,
            _ => values,
        };
        let values = cast(values, &DataType::Int64)?;
        let values: &Int64Array = values.as_primitive::<Int64Type>();
        let mut last = (None, NULL);
        for value in values {
            if value != last.0 {
                let code = value.map_or(NULL, |number| {
                    *self.codes.entry(number).or_insert_with(|| {
                        self.values.push(number);
                        u32::try_from(self.values.len()).unwrap_or(UNKNOWN - 1)
                    })
                });
                last = (value, code);
            }
            out.push(last.1);
        }
        Ok(())
    }
}
