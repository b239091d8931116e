//! A table's metadata: how it begins, and what a commit makes of it.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use iceberg::spec::{MAIN_BRANCH, Operation, Schema, Snapshot as IcebergSnapshot, Summary, TableMetadata};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    options::Layout,
    snapshot::{DataFile, Marks, Snapshot},
};
use crate::LakeError;

/// Marks are properties whose names begin so.
const MARK: &str = "opentrail.mark.";
/// How many snapshots the metadata lists, besides those in the grace period that nobody lists.
pub(super) const SNAPSHOTS_LISTED: usize = 10;
/// How many metadata files before the newest stay.
pub(super) const VERSIONS_KEPT: u64 = 20;

/// The metadata as it is written.
type Document = serde_json::Map<String, Value>;

fn wrong(error: iceberg::Error) -> LakeError {
    LakeError::Iceberg(error.to_string())
}

fn malformed(error: serde_json::Error) -> LakeError {
    LakeError::Iceberg(error.to_string())
}

/// The metadata of a table without rows. Iceberg's builder would number the columns anew; they must keep the ids
/// that are in the files.
pub(super) fn new(layout: &Layout, location: &str, now_ms: i64) -> Result<TableMetadata, LakeError> {
    let last_partition = layout.partitions.fields().iter().map(|field| field.field_id).max().unwrap_or(999);
    let document = json!({
        "format-version": 2,
        "table-uuid": Uuid::new_v4(),
        "location": location,
        "last-sequence-number": 0,
        "last-updated-ms": now_ms,
        "last-column-id": layout.schema.highest_field_id(),
        "schemas": [layout.schema.as_ref()],
        "current-schema-id": layout.schema.schema_id(),
        "partition-specs": [layout.partitions],
        "default-spec-id": layout.partitions.spec_id(),
        "last-partition-id": last_partition,
        "sort-orders": [layout.order],
        "default-sort-order-id": layout.order.order_id,
        "properties": {
            "write.format.default": "parquet",
            "write.metadata.delete-after-commit.enabled": "true",
            "write.metadata.previous-versions-max": VERSIONS_KEPT.to_string(),
        },
    });
    serde_json::from_value(document).map_err(malformed)
}

/// The marks among a table's properties.
pub(super) fn marks(metadata: &TableMetadata) -> Marks {
    let properties = metadata.properties().iter();
    properties
        .filter_map(|(name, value)| Some((name.strip_prefix(MARK)?.to_owned(), value.clone())))
        .collect()
}

/// Whether the layout has columns that the table lacks.
///
/// # Errors
/// [`LakeError::Table`] where they contradict each other.
pub(super) fn evolves(metadata: &TableMetadata, layout: &Layout) -> Result<bool, LakeError> {
    let there = metadata.current_schema();
    if there.as_struct() == layout.schema.as_struct() {
        return Ok(false);
    }
    let contradiction = |reason: String| LakeError::Table { table: metadata.location().to_owned(), reason };
    let mut lacks = false;
    for id in 1..=layout.schema.highest_field_id() {
        let (Some(new), old) = (layout.schema.field_by_id(id), there.field_by_id(id)) else { continue };
        match old {
            None => lacks = true,
            Some(old) => {
                let same_kind = match (new.field_type.as_ref(), old.field_type.as_ref()) {
                    (a, b) if a.is_primitive() || b.is_primitive() => a == b,
                    (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
                };
                if new.name != old.name || !same_kind {
                    return Err(contradiction(format!(
                        "column {id} is {} in it and not {}",
                        old.name, new.name
                    )));
                }
            }
        }
    }
    // A table that a newer program wrote has columns that this one doesn't know, and keeps them.
    Ok(lacks)
}

/// What a commit changes in the metadata.
#[derive(Debug, Default)]
pub(super) struct Update {
    pub(super) schema: Option<Schema>,
    pub(super) marks: Marks,
    pub(super) snapshot: Option<NewSnapshot>,
    /// Snapshots that are listed no more.
    pub(super) forgotten: Vec<i64>,
}

/// The snapshot that a commit makes.
#[derive(Debug)]
pub(super) struct NewSnapshot {
    pub(super) id: i64,
    pub(super) list: String,
    pub(super) operation: Operation,
    pub(super) summary: BTreeMap<&'static str, u64>,
}

/// The metadata after a commit, and its text; `location` is that of the metadata before it.
///
/// Its times never go back, clocks may: Iceberg's readers refuse metadata whose times do. Only a commit with a snapshot
/// is made by Iceberg's builder, which gives every other one the machine's time.
pub(super) fn after(
    before: &TableMetadata,
    location: String,
    update: Update,
    now_ms: i64,
) -> Result<(TableMetadata, Bytes), LakeError> {
    let now_ms = now_ms.max(newest_time(before));
    let mut forgotten = update.forgotten;
    let mut document = match update.snapshot {
        Some(new) => {
            forgotten.extend(too_many(before));
            with_snapshot(before, location, new, now_ms)?
        }
        None => without_snapshot(before, location, now_ms)?,
    };
    if let Some(schema) = update.schema {
        add_schema(&mut document, before, schema)?;
    }
    set_marks(&mut document, update.marks);
    forget(&mut document, &forgotten);
    let json = serde_json::to_vec(&document).map_err(malformed)?;
    // What can't be read must not become the table.
    let metadata = serde_json::from_slice(&json).map_err(malformed)?;
    Ok((metadata, json.into()))
}

/// The latest of all times that the metadata has.
fn newest_time(metadata: &TableMetadata) -> i64 {
    let snapshots = metadata.snapshots().map(|snapshot| snapshot.timestamp_ms());
    let history = metadata.history().iter().map(|entry| entry.timestamp_ms);
    let files = metadata.metadata_log().iter().map(|entry| entry.timestamp_ms);
    snapshots.chain(history).chain(files).fold(metadata.last_updated_ms(), i64::max)
}

fn document_of(metadata: &TableMetadata) -> Result<Document, LakeError> {
    let value = serde_json::to_value(metadata).map_err(malformed)?;
    serde_json::from_value(value).map_err(malformed)
}

fn with_snapshot(
    before: &TableMetadata,
    location: String,
    new: NewSnapshot,
    now_ms: i64,
) -> Result<Document, LakeError> {
    let summary = new.summary.into_iter().map(|(name, value)| (name.to_owned(), value.to_string()));
    let snapshot = IcebergSnapshot::builder()
        .with_snapshot_id(new.id)
        .with_parent_snapshot_id(before.current_snapshot_id())
        .with_sequence_number(before.next_sequence_number())
        .with_timestamp_ms(now_ms)
        .with_manifest_list(new.list)
        .with_summary(Summary { operation: new.operation, additional_properties: summary.collect() })
        // A commit that adds columns adds no files.
        .with_schema_id(before.current_schema_id())
        .build();
    let builder = before.clone().into_builder(Some(location));
    let builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).map_err(wrong)?;
    document_of(&builder.build().map_err(wrong)?.metadata)
}

fn without_snapshot(before: &TableMetadata, location: String, now_ms: i64) -> Result<Document, LakeError> {
    let mut document = document_of(before)?;
    document.insert("last-updated-ms".to_owned(), json!(now_ms));
    change(&mut document, "metadata-log", |files| {
        files.push(json!({ "metadata-file": location, "timestamp-ms": before.last_updated_ms() }));
        let kept = usize::try_from(VERSIONS_KEPT).unwrap_or(usize::MAX);
        files.drain(..files.len().saturating_sub(kept));
    });
    Ok(document)
}

fn add_schema(document: &mut Document, before: &TableMetadata, schema: Schema) -> Result<(), LakeError> {
    let id = before.schemas_iter().map(|schema| schema.schema_id()).max().unwrap_or(0) + 1;
    let last_column = before.last_column_id().max(schema.highest_field_id());
    let schema = schema.into_builder().with_schema_id(id).build().map_err(wrong)?;
    let schema = serde_json::to_value(schema).map_err(malformed)?;
    change(document, "schemas", |schemas| schemas.push(schema));
    document.insert("current-schema-id".to_owned(), json!(id));
    document.insert("last-column-id".to_owned(), json!(last_column));
    Ok(())
}

fn set_marks(document: &mut Document, marks: Marks) {
    let properties = document.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    for (name, value) in marks {
        let name = format!("{MARK}{name}");
        if value.is_empty() {
            properties.remove(&name);
        } else {
            properties.insert(name, value.into());
        }
    }
}

/// Lists these snapshots no more. None of them is the current one. The history has no gaps: it begins after them.
fn forget(document: &mut Document, forgotten: &[i64]) {
    if forgotten.is_empty() {
        return;
    }
    let is_forgotten = |entry: &Value| {
        entry.get("snapshot-id").and_then(Value::as_i64).is_some_and(|id| forgotten.contains(&id))
    };
    change(document, "snapshots", |snapshots| snapshots.retain(|snapshot| !is_forgotten(snapshot)));
    change(document, "snapshot-log", |history| {
        let gone = history.iter().rposition(is_forgotten).map_or(0, |last| last + 1);
        history.drain(..gone);
    });
}

/// Changes a list in the metadata.
fn change(document: &mut Document, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut list = match document.remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    change(&mut list);
    document.insert(name.to_owned(), Value::Array(list));
}

/// The oldest snapshots, so that with one more no more than [`SNAPSHOTS_LISTED`] are listed.
fn too_many(before: &TableMetadata) -> Vec<i64> {
    let mut listed: Vec<_> =
        before.snapshots().map(|snapshot| (snapshot.sequence_number(), snapshot.snapshot_id())).collect();
    listed.sort_unstable();
    let surplus = (listed.len() + 1).saturating_sub(SNAPSHOTS_LISTED);
    listed.into_iter().take(surplus).map(|(_, id)| id).collect()
}

/// What Iceberg's snapshots say of a change, by the names that it gives.
pub(super) fn summary(
    after: &Snapshot,
    added: &[Arc<DataFile>],
    removed: &[Arc<DataFile>],
) -> BTreeMap<&'static str, u64> {
    let mut summary = BTreeMap::from([
        ("total-data-files", after.files().count() as u64),
        ("total-records", after.rows),
        ("total-files-size", after.bytes),
        ("total-delete-files", 0),
        ("total-position-deletes", 0),
        ("total-equality-deletes", 0),
    ]);
    let names = [
        ["added-data-files", "added-records", "added-files-size"],
        ["deleted-data-files", "deleted-records", "removed-files-size"],
    ];
    for (names, files) in names.into_iter().zip([added, removed]).filter(|(_, files)| !files.is_empty()) {
        let rows = files.iter().map(|file| file.rows).sum();
        let bytes = files.iter().map(|file| file.size).sum();
        summary.extend(names.into_iter().zip([files.len() as u64, rows, bytes]));
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn a_new_table_keeps_the_ids_of_its_columns() {
        for shape in Shape::ALL {
            let layout = Layout::from(shape);
            let metadata = new(&layout, "memory:///table", 0).expect("metadata");
            assert_eq!(metadata.current_schema().as_struct(), layout.schema.as_struct(), "{shape:?}");
            assert_eq!(metadata.default_partition_spec().fields().len(), 1);
            assert_eq!(metadata.default_sort_order().fields.len(), shape.sorted_by().len());
        }
    }
}
