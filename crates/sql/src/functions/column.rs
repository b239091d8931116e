//! The arguments of a call as a body reads them: typed views that hide which of Arrow's arrays holds the values, and whether
//! there is one value for all rows.

use arrow::array::StringBuilder;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, LargeStringArray,
    ListArray, MapArray, StringArray, StringViewArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use super::call::{Call, failed};
use super::size;

/// Bytes that one value made by a function may have: a row of a result cannot be larger, and a query cannot fill the memory
/// with one call.
pub(crate) const MAX_VALUE_BYTES: usize = 16 << 20;

/// Bytes that one function may make for one batch, 8 KiB for each of its rows. The engine's memory has no account of them.
pub(crate) const MAX_BATCH_BYTES: usize = 64 << 20;

/// One argument: an array with a value a row, or with one value for all rows.
#[derive(Clone)]
pub(crate) struct Argument {
    /// The values.
    pub array: ArrayRef,
    /// Whether the first value stands for all rows.
    pub constant: bool,
}

impl Argument {
    /// An argument as the type that the function takes.
    pub(crate) fn of(value: &ColumnarValue, to: &DataType) -> Result<Self> {
        let (array, constant) = match value {
            ColumnarValue::Array(array) => (array.clone(), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let array = if array.data_type() == to { array } else { arrow::compute::cast(&array, to)? };
        Ok(Self { array, constant })
    }

    /// The index of a row's value.
    pub(crate) fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    /// Whether a row is NULL.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.at(row)) || self.array.data_type().is_null()
    }

    /// The values with one a row.
    pub(crate) fn expanded(&self, rows: usize) -> Result<ArrayRef> {
        if !self.constant {
            return Ok(self.array.clone());
        }
        size::check_copies(&self.array, std::iter::repeat_n(0, rows))?;
        let indices = arrow::array::UInt64Array::from(vec![0u64; rows]);
        Ok(arrow::compute::take(&self.array, &indices, None)?)
    }
}

/// Strings of any of Arrow's string arrays.
pub(crate) enum Texts<'a> {
    /// Utf8.
    Small(&'a StringArray, bool),
    /// LargeUtf8.
    Large(&'a LargeStringArray, bool),
    /// Utf8View.
    View(&'a StringViewArray, bool),
}

impl<'a> Texts<'a> {
    /// The strings of an array, if it holds strings.
    pub(crate) fn of(array: &'a dyn Array, constant: bool) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => Some(Self::Small(array.as_string(), constant)),
            DataType::LargeUtf8 => Some(Self::Large(array.as_string(), constant)),
            DataType::Utf8View => Some(Self::View(array.as_string_view(), constant)),
            _ => None,
        }
    }

    /// The string of a row, unless NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Small(array, constant) => {
                let row = if *constant { 0 } else { row };
                array.is_valid(row).then(|| array.value(row))
            }
            Self::Large(array, constant) => {
                let row = if *constant { 0 } else { row };
                array.is_valid(row).then(|| array.value(row))
            }
            Self::View(array, constant) => {
                let row = if *constant { 0 } else { row };
                array.is_valid(row).then(|| array.value(row))
            }
        }
    }

    /// Whether one string stands for all rows.
    pub(crate) fn constant(&self) -> bool {
        match self {
            Self::Small(_, constant) | Self::Large(_, constant) | Self::View(_, constant) => *constant,
        }
    }
}

macro_rules! view {
    ($view:ident, $array:ty, $item:ty, $text:literal) => {
        #[doc = $text]
        pub(crate) struct $view<'a>(&'a $array, bool);

        impl<'a> $view<'a> {
            /// The value of a row, unless NULL.
            pub(crate) fn get(&self, row: usize) -> Option<$item> {
                let row = if self.1 { 0 } else { row };
                self.0.is_valid(row).then(|| self.0.value(row))
            }
        }
    };
}
view!(Longs, Int64Array, i64, "bigint values.");
view!(Doubles, Float64Array, f64, "double values.");
view!(Booleans, BooleanArray, bool, "boolean values.");
view!(Binaries, BinaryArray, &'a [u8], "varbinary values.");

/// Arrays: where each row's elements are in the array of all elements.
pub(crate) struct Lists<'a> {
    list: &'a ListArray,
    constant: bool,
}

impl<'a> Lists<'a> {
    /// The elements of all rows.
    pub(crate) fn values(&self) -> &'a ArrayRef {
        self.list.values()
    }

    /// Where a row's elements are, unless NULL.
    pub(crate) fn range(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let row = if self.constant { 0 } else { row };
        if self.list.is_null(row) {
            return None;
        }
        let offsets = self.list.value_offsets();
        Some(offsets[row] as usize..offsets[row + 1] as usize)
    }
}

/// Maps: where each row's entries are in the arrays of all keys and values.
pub(crate) struct Maps<'a> {
    map: &'a MapArray,
    constant: bool,
}

impl<'a> Maps<'a> {
    /// The keys of all rows.
    pub(crate) fn keys(&self) -> &'a ArrayRef {
        self.map.keys()
    }

    /// The values of all rows.
    pub(crate) fn values(&self) -> &'a ArrayRef {
        self.map.values()
    }

    /// Where a row's entries are, unless NULL.
    pub(crate) fn range(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let row = if self.constant { 0 } else { row };
        if self.map.is_null(row) {
            return None;
        }
        let offsets = self.map.value_offsets();
        Some(offsets[row] as usize..offsets[row + 1] as usize)
    }
}

impl Call {
    fn argument(&self, index: usize) -> Result<&Argument> {
        self.arguments.get(index).ok_or_else(|| failed("an argument is missing"))
    }

    /// Whether the call has an argument of this index.
    pub(crate) fn has(&self, index: usize) -> bool {
        index < self.arguments.len()
    }

    /// An argument that holds strings.
    pub(crate) fn texts(&self, index: usize) -> Result<Texts<'_>> {
        let argument = self.argument(index)?;
        Texts::of(&argument.array, argument.constant).ok_or_else(|| failed("a varchar is wanted"))
    }

    /// An argument that holds whole numbers.
    pub(crate) fn longs(&self, index: usize) -> Result<Longs<'_>> {
        let argument = self.argument(index)?;
        let array =
            argument.array.as_primitive_opt::<Int64Type>().ok_or_else(|| failed("a bigint is wanted"))?;
        Ok(Longs(array, argument.constant))
    }

    /// An argument that holds doubles.
    pub(crate) fn doubles(&self, index: usize) -> Result<Doubles<'_>> {
        let argument = self.argument(index)?;
        let array =
            argument.array.as_primitive_opt::<Float64Type>().ok_or_else(|| failed("a double is wanted"))?;
        Ok(Doubles(array, argument.constant))
    }

    /// An argument that holds truth values.
    pub(crate) fn booleans(&self, index: usize) -> Result<Booleans<'_>> {
        let argument = self.argument(index)?;
        let array = argument.array.as_boolean_opt().ok_or_else(|| failed("a boolean is wanted"))?;
        Ok(Booleans(array, argument.constant))
    }

    /// An argument that holds bytes.
    pub(crate) fn binaries(&self, index: usize) -> Result<Binaries<'_>> {
        let argument = self.argument(index)?;
        let array = argument.array.as_binary_opt::<i32>().ok_or_else(|| failed("a varbinary is wanted"))?;
        Ok(Binaries(array, argument.constant))
    }

    /// An argument that holds arrays.
    pub(crate) fn lists(&self, index: usize) -> Result<Lists<'_>> {
        let argument = self.argument(index)?;
        let list = argument.array.as_list_opt::<i32>().ok_or_else(|| failed("an array is wanted"))?;
        Ok(Lists { list, constant: argument.constant })
    }

    /// An argument that holds maps.
    pub(crate) fn maps(&self, index: usize) -> Result<Maps<'_>> {
        let argument = self.argument(index)?;
        let map = argument.array.as_map_opt().ok_or_else(|| failed("a map is wanted"))?;
        Ok(Maps { map, constant: argument.constant })
    }
}

/// Collects varchar results and refuses to grow without bound.
pub(crate) struct TextBuilder {
    builder: StringBuilder,
    bytes: usize,
}

impl TextBuilder {
    /// A builder for so many rows.
    pub(crate) fn new(rows: usize) -> Self {
        Self { builder: StringBuilder::with_capacity(rows, rows * 16), bytes: 0 }
    }

    /// The next row.
    pub(crate) fn push(&mut self, value: Option<&str>) -> Result<()> {
        if let Some(text) = value {
            self.bytes += text.len();
            if text.len() > MAX_VALUE_BYTES || self.bytes > MAX_BATCH_BYTES {
                return Err(failed("the result of a function is too large"));
            }
        }
        self.builder.append_option(value);
        Ok(())
    }

    /// The array.
    pub(crate) fn finish(mut self) -> ArrayRef {
        std::sync::Arc::new(self.builder.finish())
    }
}

/// Collects arrays as indices into an array of elements.
pub(crate) struct Picks {
    offsets: Vec<i32>,
    valid: Vec<bool>,
    indices: Vec<Option<u64>>,
}

/// Elements that one function may make for one batch, 512 for each of its rows.
const MAX_BATCH_ELEMENTS: usize = 4 << 20;

impl Picks {
    /// Nothing picked yet.
    pub(crate) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, valid: Vec::with_capacity(rows), indices: Vec::new() }
    }

    /// An element of the row under way; `None` is NULL.
    pub(crate) fn pick(&mut self, index: Option<usize>) {
        self.indices.push(index.map(|index| index as u64));
    }

    /// Ends the row.
    pub(crate) fn end(&mut self, valid: bool) -> Result<()> {
        if self.indices.len() > MAX_BATCH_ELEMENTS {
            return Err(failed("the arrays that a function makes are too large"));
        }
        let end = i32::try_from(self.indices.len())
            .map_err(|_| failed("the arrays that a function makes are too large"))?;
        self.offsets.push(end);
        self.valid.push(valid);
        Ok(())
    }

    /// The picked elements as one array.
    pub(crate) fn take(&self, elements: &ArrayRef) -> Result<ArrayRef> {
        size::check_copies(elements, self.indices.iter().flatten().map(|index| *index as usize))?;
        let indices = arrow::array::UInt64Array::from(self.indices.clone());
        Ok(arrow::compute::take(elements, &indices, None)?)
    }

    /// The arrays of picked elements, of the array type `list`.
    pub(crate) fn list(self, elements: &ArrayRef, list: &DataType) -> Result<ArrayRef> {
        let values = self.take(elements)?;
        self.with_values(values, list)
    }

    /// The arrays of these elements, one for each pick.
    pub(crate) fn with_values(self, values: ArrayRef, list: &DataType) -> Result<ArrayRef> {
        list_array(self.offsets, self.valid, values, list)
    }

    /// Where rows end, and which are not NULL.
    pub(crate) fn into_shape(self) -> (Vec<i32>, Vec<bool>) {
        (self.offsets, self.valid)
    }
}

/// An array of arrays of a given type.
pub(crate) fn list_array(
    offsets: Vec<i32>,
    valid: Vec<bool>,
    values: ArrayRef,
    list: &DataType,
) -> Result<ArrayRef> {
    let DataType::List(field) = list else {
        return Err(failed("an array type is wanted"));
    };
    let values = if values.data_type() == field.data_type() {
        values
    } else {
        arrow::compute::cast(&values, field.data_type())?
    };
    Ok(std::sync::Arc::new(ListArray::try_new(
        field.clone(),
        OffsetBuffer::new(offsets.into()),
        values,
        Some(valid.into()),
    )?))
}

/// An array of maps of a given type.
pub(crate) fn map_array(
    offsets: Vec<i32>,
    valid: Vec<bool>,
    keys: ArrayRef,
    values: ArrayRef,
    map: &DataType,
) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = map else {
        return Err(failed("a map type is wanted"));
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(failed("a map type is wanted"));
    };
    let columns = [keys, values]
        .into_iter()
        .zip(fields)
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                Ok(arrow::compute::cast(&column, field.data_type())?)
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let entries_array = arrow::array::StructArray::try_new(fields.clone(), columns, None)?;
    Ok(std::sync::Arc::new(MapArray::try_new(
        entries.clone(),
        OffsetBuffer::new(offsets.into()),
        entries_array,
        Some(valid.into()),
        *sorted,
    )?))
}
