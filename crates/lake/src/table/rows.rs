//! Rows of a file, in the columns that the table has now.

use std::{iter, sync::Arc};

use arrow_array::{
    Array, ArrayRef, ListArray, RecordBatch, StructArray, cast::AsArray, make_array, new_null_array,
};
use arrow_schema::{DataType, FieldRef, Fields, SchemaRef};
use futures::StreamExt;
use object_store::ObjectStore;
use parquet::arrow::{ParquetRecordBatchStreamBuilder, async_reader::ParquetObjectReader};
use tokio::runtime::Handle;

use super::snapshot::DataFile;
use crate::{LakeError, Run};

/// A file's rows, `at_once` at a time. Columns that it lacks, because it is older than they are, are null. The run blocks
/// while it reads, and needs the runtime that this is called in.
pub(super) async fn run(
    store: &Arc<dyn ObjectStore>,
    file: &DataFile,
    schema: &SchemaRef,
    at_once: usize,
) -> Result<Run, LakeError> {
    let reader = ParquetObjectReader::new(store.clone(), file.path.clone()).with_file_size(file.size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let found = builder.metadata().file_metadata().num_rows();
    if u64::try_from(found) != Ok(file.rows) {
        let reason = format!("it has {found} rows and not {}", file.rows);
        return Err(LakeError::Table { table: file.path.to_string(), reason });
    }
    let mut rows = builder.with_batch_size(at_once).build()?;
    let (schema, runtime) = (schema.clone(), Handle::current());
    let batches = iter::from_fn(move || runtime.block_on(rows.next()));
    Ok(Box::new(batches.map(move |batch| with_columns(&batch?, &schema))))
}

fn with_columns(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let from = batch.schema_ref().fields();
    let columns = if from == schema.fields() {
        batch.columns().to_vec()
    } else {
        conform_all(from, batch.columns(), schema.fields(), batch.num_rows())?
    };
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
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

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, StringArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{Field, Schema};

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
            Arc::new(old),
            vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(resources)],
        )
        .unwrap();
        let wider = Fields::from(vec![field("arn", DataType::Utf8), field("type", DataType::Utf8)]);
        let new = Arc::new(Schema::new(vec![
            field("name", DataType::Utf8),
            field("id", DataType::Int32),
            field("resources", list(&wider)),
        ]));
        let read = with_columns(&batch, &new).unwrap();
        assert_eq!(read.schema(), new);
        assert_eq!(read.column(0).null_count(), 2);
        assert_eq!(read.column(1).as_ref(), &Int32Array::from(vec![1, 2]) as &dyn Array);
        let second = read.column(2).as_list::<i32>().value(1);
        assert_eq!(second.as_struct().column(0).as_string::<i32>().value(1), "c");
        assert_eq!(second.as_struct().column(1).null_count(), 2);
    }
}
