//! Rows of a file, in the columns that the table has now.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, ListArray, RecordBatch, RecordBatchReader, StructArray, cast::AsArray, make_array,
    new_null_array,
};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::LakeError;

/// How many rows are decoded at a time.
const DECODED_AT_ONCE: usize = 4096;

/// All rows of a file. Columns that it lacks, because it is older than they are, are null.
pub(super) fn read(file: Bytes, schema: &SchemaRef) -> Result<Vec<RecordBatch>, LakeError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    // The reader makes room for so many rows in each column.
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(DECODED_AT_ONCE);
    let reader = builder.with_batch_size(DECODED_AT_ONCE.min(rows.max(1))).build()?;
    let found = reader.schema();
    reader
        .map(|batch| {
            let batch = batch?;
            if found.fields() == schema.fields() {
                return Ok(RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?);
            }
            let columns = conform_all(found.fields(), batch.columns(), schema.fields(), batch.num_rows())?;
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        })
        .collect()
}

fn conform_all(
    from: &Fields,
    columns: &[ArrayRef],
    to: &Fields,
    rows: usize,
) -> Result<Vec<ArrayRef>, LakeError> {
    to.iter()
        .map(|field| match from.iter().position(|there| there.name() == field.name()) {
            Some(at) => conform(&columns[at], field),
            None => Ok(new_null_array(field.data_type(), rows)),
        })
        .collect()
}

fn conform(array: &ArrayRef, to: &FieldRef) -> Result<ArrayRef, LakeError> {
    match (array.data_type(), to.data_type()) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::Struct(from), DataType::Struct(fields)) => {
            let group = array.as_struct();
            let columns = conform_all(from, group.columns(), fields, group.len())?;
            let conformed = if fields.is_empty() {
                StructArray::new_empty_fields(group.len(), group.nulls().cloned())
            } else {
                StructArray::try_new(fields.clone(), columns, group.nulls().cloned())?
            };
            Ok(Arc::new(conformed))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = conform(list.values(), item)?;
            let conformed =
                ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(conformed))
        }
        // The same but for the fields' metadata; what is not the same is refused.
        (_, to) => Ok(make_array(array.to_data().into_builder().data_type(to.clone()).build()?)),
    }
}

/// What rows take in memory.
pub(super) fn bytes(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, StringArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{Field, Schema};
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn field(name: &str, kind: DataType) -> Field {
        Field::new(name, kind, true)
    }

    #[test]
    fn columns_that_a_file_lacks_are_null_at_any_depth() {
        let item = Fields::from(vec![field("arn", DataType::Utf8)]);
        let list = |item: &Fields| DataType::List(Arc::new(field("item", DataType::Struct(item.clone()))));
        let old = Schema::new(vec![field("id", DataType::Int32), field("resources", list(&item))]);
        let arns: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let resources = ListArray::new(
            Arc::new(field("item", DataType::Struct(item.clone()))),
            OffsetBuffer::from_lengths([1, 2]),
            Arc::new(StructArray::new(item.clone(), vec![arns], None)),
            None,
        );
        let batch = RecordBatch::try_new(
            Arc::new(old.clone()),
            vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(resources)],
        )
        .unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::new(old), None).unwrap();
        writer.write(&batch).unwrap();
        let file = Bytes::from(writer.into_inner().unwrap());

        let wider = Fields::from(vec![field("arn", DataType::Utf8), field("type", DataType::Utf8)]);
        let new = Arc::new(Schema::new(vec![
            field("name", DataType::Utf8),
            field("id", DataType::Int32),
            field("resources", list(&wider)),
        ]));
        let read = read(file, &new).unwrap();
        assert_eq!(read[0].schema(), new);
        assert_eq!(read[0].column(0).null_count(), 2);
        assert_eq!(read[0].column(1).as_ref(), &Int32Array::from(vec![1, 2]) as &dyn Array);
        let second = read[0].column(2).as_list::<i32>().value(1);
        assert_eq!(second.as_struct().column(0).as_string::<i32>().value(1), "c");
        assert_eq!(second.as_struct().column(1).null_count(), 2);
    }
}
