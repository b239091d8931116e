//! The columns of a table.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array, UInt64Array,
    builder::{
        BooleanBuilder, ListBuilder, StringBuilder, TimestampMillisecondBuilder, UInt32Builder, UInt64Builder,
    },
    cast::AsArray,
    types::{TimestampMillisecondType, UInt32Type, UInt64Type},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use opentrail_event::{AccountId, Event, ResourceName};
use parquet::errors::ParquetError;

use crate::{
    keys::account_number,
    position::{Place, Position},
};

/// The column with the record itself; the last.
pub(crate) const RECORD: &str = "record";
const OWNER: usize = 0;
const EVENT_TIME: usize = 1;
const SEQ: usize = 2;
const INDEX: usize = 3;
/// Where the record's column is among the leaf columns; each list is one leaf.
pub(crate) const RECORD_LEAF: usize = 16;

/// The tables' schema. Lake asks SQL of it: names are those of CloudTrail Lake in snake case.
pub(crate) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let texts = |name: &str| Field::new(name, DataType::new_list(DataType::Utf8, true), false);
    Arc::new(Schema::new(vec![
        text("owner", false),
        Field::new("event_time", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
        Field::new("seq", DataType::UInt64, false),
        Field::new("index", DataType::UInt32, false),
        text("event_id", false),
        text("event_name", false),
        text("event_source", false),
        text("aws_region", false),
        text("category", false),
        Field::new("read_only", DataType::Boolean, true),
        text("username", true),
        text("access_key_id", true),
        text("error_code", true),
        text("user_identity_arn", true),
        texts("resource_types"),
        texts("resource_names"),
        text(RECORD, false),
    ]))
});

/// Rows on their way into a table.
pub(crate) struct Columns {
    owner: StringBuilder,
    event_time: TimestampMillisecondBuilder,
    seq: UInt64Builder,
    index: UInt32Builder,
    event_id: StringBuilder,
    event_name: StringBuilder,
    event_source: StringBuilder,
    aws_region: StringBuilder,
    category: StringBuilder,
    read_only: BooleanBuilder,
    username: StringBuilder,
    access_key_id: StringBuilder,
    error_code: StringBuilder,
    user_identity_arn: StringBuilder,
    resource_types: ListBuilder<StringBuilder>,
    resource_names: ListBuilder<StringBuilder>,
    record: StringBuilder,
    record_bytes: usize,
    rows: usize,
}

impl Columns {
    pub(crate) fn new() -> Self {
        Self {
            owner: StringBuilder::new(),
            event_time: TimestampMillisecondBuilder::new().with_timezone("UTC"),
            seq: UInt64Builder::new(),
            index: UInt32Builder::new(),
            event_id: StringBuilder::new(),
            event_name: StringBuilder::new(),
            event_source: StringBuilder::new(),
            aws_region: StringBuilder::new(),
            category: StringBuilder::new(),
            read_only: BooleanBuilder::new(),
            username: StringBuilder::new(),
            access_key_id: StringBuilder::new(),
            error_code: StringBuilder::new(),
            user_identity_arn: StringBuilder::new(),
            resource_types: ListBuilder::new(StringBuilder::new()),
            resource_names: ListBuilder::new(StringBuilder::new()),
            record: StringBuilder::new(),
            record_bytes: 0,
            rows: 0,
        }
    }

    pub(crate) fn push(
        &mut self,
        owner: &AccountId,
        position: Position,
        event: &Event,
        resources: &[ResourceName],
    ) {
        self.owner.append_value(owner.as_str());
        self.event_time.append_value(position.time);
        self.seq.append_value(position.seq);
        self.index.append_value(position.index);
        self.event_id.append_value(event.id());
        self.event_name.append_value(event.name());
        self.event_source.append_value(event.source());
        self.aws_region.append_value(event.region());
        self.category.append_value(event.category().as_str());
        self.read_only.append_option(event.read_only());
        self.username.append_option(event.user_name());
        self.access_key_id.append_option(event.access_key_id());
        self.error_code.append_option(event.error_code());
        self.user_identity_arn.append_option(event.user_identity_arn());
        for resource in resources {
            self.resource_types.values().append_option(resource.kind.as_deref());
            self.resource_names.values().append_value(&resource.name);
        }
        self.resource_types.append(true);
        self.resource_names.append(true);
        self.record.append_value(event.raw_str());
        self.record_bytes += event.raw().len();
        self.rows += 1;
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of their records.
    pub(crate) fn record_bytes(&self) -> usize {
        self.record_bytes
    }

    /// The rows; this is empty again.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, ParquetError> {
        (self.rows, self.record_bytes) = (0, 0);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.owner.finish()),
            Arc::new(self.event_time.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.index.finish()),
            Arc::new(self.event_id.finish()),
            Arc::new(self.event_name.finish()),
            Arc::new(self.event_source.finish()),
            Arc::new(self.aws_region.finish()),
            Arc::new(self.category.finish()),
            Arc::new(self.read_only.finish()),
            Arc::new(self.username.finish()),
            Arc::new(self.access_key_id.finish()),
            Arc::new(self.error_code.finish()),
            Arc::new(self.user_identity_arn.finish()),
            Arc::new(self.resource_types.finish()),
            Arc::new(self.resource_names.finish()),
            Arc::new(self.record.finish()),
        ];
        RecordBatch::try_new(SCHEMA.clone(), columns).map_err(ParquetError::from)
    }
}

/// The columns of a batch that say where its rows stand, and the records.
pub(crate) struct Places {
    owner: StringArray,
    time: TimestampMillisecondArray,
    seq: UInt64Array,
    index: UInt32Array,
    record: StringArray,
}

impl Places {
    /// `None` if the batch has another schema.
    pub(crate) fn of(batch: &RecordBatch) -> Option<Self> {
        let column = |at| batch.columns().get(at);
        Some(Self {
            owner: column(OWNER)?.as_string_opt::<i32>()?.clone(),
            time: column(EVENT_TIME)?.as_primitive_opt::<TimestampMillisecondType>()?.clone(),
            seq: column(SEQ)?.as_primitive_opt::<UInt64Type>()?.clone(),
            index: column(INDEX)?.as_primitive_opt::<UInt32Type>()?.clone(),
            record: batch.column_by_name(RECORD)?.as_string_opt::<i32>()?.clone(),
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.time.len()
    }

    pub(crate) fn position(&self, row: usize) -> Position {
        Position { time: self.time.value(row), seq: self.seq.value(row), index: self.index.value(row) }
    }

    pub(crate) fn place(&self, row: usize) -> Place {
        Place { position: self.position(row), owner: account_number(self.owner.value(row)) }
    }

    pub(crate) fn owner(&self, row: usize) -> &str {
        self.owner.value(row)
    }

    pub(crate) fn record(&self, row: usize) -> &str {
        self.record.value(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_the_leaf_that_lookups_read() {
        // No field but the lists has children, and each of these has one leaf.
        assert_eq!(SCHEMA.fields().len() - 1, RECORD_LEAF);
        assert_eq!(SCHEMA.field(RECORD_LEAF).name(), RECORD);
        let batch = Columns::new().take().expect("no rows are a batch too");
        assert!(Places::of(&batch).is_some());
    }
}
