//! A table's metadata: how it begins, and what a commit makes of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use iceberg::spec::{
    MAIN_BRANCH, Operation, Schema, Snapshot as IcebergSnapshot, Summary, TableMetadata, TableMetadataBuilder,
};
use serde_json::json;
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

fn wrong(error: iceberg::Error) -> LakeError {
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
    serde_json::from_value(document).map_err(|error| LakeError::Iceberg(error.to_string()))
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

/// The metadata after a commit; `location` is that of the metadata before it.
pub(super) fn after(
    before: &TableMetadata,
    location: String,
    update: Update,
    now_ms: i64,
) -> Result<TableMetadata, LakeError> {
    let mut builder = before.clone().into_builder(Some(location));
    if let Some(schema) = update.schema {
        builder = builder.add_current_schema(schema).map_err(wrong)?;
    }
    builder = with_marks(builder, update.marks)?;
    let mut forgotten = update.forgotten;
    if let Some(new) = update.snapshot {
        let snapshot = IcebergSnapshot::builder()
            .with_snapshot_id(new.id)
            .with_parent_snapshot_id(before.current_snapshot_id())
            .with_sequence_number(before.next_sequence_number())
            // Iceberg's times never go back, clocks may.
            .with_timestamp_ms(now_ms.max(before.last_updated_ms()))
            .with_manifest_list(new.list)
            .with_summary(Summary {
                operation: new.operation,
                additional_properties: new
                    .summary
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_string()))
                    .collect(),
            })
            // A commit that adds columns adds no files.
            .with_schema_id(before.current_schema_id())
            .build();
        builder = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).map_err(wrong)?;
        forgotten.extend(too_many(before));
    }
    if !forgotten.is_empty() {
        builder = builder.remove_snapshots(&forgotten);
    }
    Ok(builder.build().map_err(wrong)?.metadata)
}

fn with_marks(mut builder: TableMetadataBuilder, marks: Marks) -> Result<TableMetadataBuilder, LakeError> {
    let (gone, set): (HashMap<_, _>, HashMap<_, _>) = marks
        .into_iter()
        .map(|(name, value)| (format!("{MARK}{name}"), value))
        .partition(|(_, value)| value.is_empty());
    if !gone.is_empty() {
        let names: Vec<_> = gone.into_keys().collect();
        builder = builder.remove_properties(&names).map_err(wrong)?;
    }
    if !set.is_empty() {
        builder = builder.set_properties(set).map_err(wrong)?;
    }
    Ok(builder)
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
