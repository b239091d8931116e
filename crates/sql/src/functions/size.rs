//! How much memory values take, which is asked before they are copied.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::datatypes::{ByteArrayType, DataType, GenericBinaryType, GenericStringType};
use datafusion::common::Result;

use super::call::failed;
use super::column::MAX_BATCH_BYTES;

/// Bytes of a value of a type that has no text and no parts, at most.
const PLAIN: usize = 16;

/// Refuses to copy elements, each as often as it is picked, if the copies take more than a function may make for one batch.
pub(crate) fn check_copies(elements: &ArrayRef, picked: impl IntoIterator<Item = usize>) -> Result<()> {
    let mut bytes = 0_usize;
    for index in picked {
        bytes = bytes.saturating_add(of_range(elements, index, index + 1));
        if bytes > MAX_BATCH_BYTES {
            return Err(failed("the arrays that a function makes are too large"));
        }
    }
    Ok(())
}

/// Bytes of the values from `start` to before `end`; NULL counts as what is stored for it.
pub(crate) fn of_range(array: &dyn Array, start: usize, end: usize) -> usize {
    let end = end.min(array.len());
    if start >= end {
        return 0;
    }
    let plain = (end - start) * PLAIN;
    plain
        + match array.data_type() {
            DataType::Utf8 => of_bytes::<GenericStringType<i32>>(array, start, end),
            DataType::LargeUtf8 => of_bytes::<GenericStringType<i64>>(array, start, end),
            DataType::Binary => of_bytes::<GenericBinaryType<i32>>(array, start, end),
            DataType::LargeBinary => of_bytes::<GenericBinaryType<i64>>(array, start, end),
            // They share their texts until somebody wants them as plain strings.
            DataType::Utf8View => of_views(array.as_string_view().views(), start, end),
            DataType::BinaryView => of_views(array.as_binary_view().views(), start, end),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let (from, to) = between(list.value_offsets(), start, end);
                of_range(list.values(), from, to)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (from, to) = between(map.value_offsets(), start, end);
                of_range(map.entries(), from, to)
            }
            DataType::Struct(_) => {
                array.as_struct().columns().iter().map(|column| of_range(column, start, end)).sum()
            }
            _ => 0,
        }
}

fn of_bytes<T: ByteArrayType>(array: &dyn Array, start: usize, end: usize) -> usize {
    let (from, to) = between(array.as_bytes::<T>().value_offsets(), start, end);
    to - from
}

/// A view begins with the length of what it shows.
fn of_views(views: &[u128], start: usize, end: usize) -> usize {
    views.get(start..end).unwrap_or_default().iter().map(|view| *view as u32 as usize).sum()
}

fn between<O: OffsetSizeTrait>(offsets: &[O], start: usize, end: usize) -> (usize, usize) {
    let at = |index: usize| offsets.get(index).map_or(0, |offset| offset.as_usize());
    (at(start), at(end).max(at(start)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, ListArray, StringArray, StringViewArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Fields};

    use super::*;

    #[test]
    fn parts_are_counted() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("de")]));
        assert_eq!(of_range(&texts, 0, 3), 5 + 3 * PLAIN);
        assert_eq!(of_range(&texts, 2, 9), 2 + PLAIN);
        assert_eq!(of_range(&texts.slice(1, 2), 1, 2), 2 + PLAIN);
        assert_eq!(of_range(&texts, 3, 3), 0);
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "more than twelve bytes"]));
        assert_eq!(of_range(&views, 1, 2), 22 + PLAIN);
        let fields =
            Fields::from(vec![Field::new("t", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let rows: ArrayRef = Arc::new(StructArray::new(fields.clone(), vec![texts, numbers], None));
        assert_eq!(of_range(&rows, 0, 1), 3 + 3 * PLAIN);
        let item = Arc::new(Field::new_struct("item", fields, true));
        let lists: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([1, 2]), rows, None));
        assert_eq!(of_range(&lists, 1, 2), 2 + PLAIN + 6 * PLAIN);
    }

    #[test]
    fn copies_are_refused_before_they_are_made() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
        assert!(check_copies(&texts, std::iter::repeat_n(0, 10)).is_ok());
        assert!(check_copies(&texts, std::iter::repeat(0)).is_err());
    }
}
