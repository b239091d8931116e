//! Iceberg's manifests and manifest lists, as bytes.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt};
use iceberg::{
    io::FileIO,
    spec::{
        DataFile as IcebergFile, FormatVersion, Literal, ManifestContentType, ManifestEntry, ManifestFile,
        ManifestList, ManifestListWriter, ManifestWriter, ManifestWriterBuilder, PrimitiveLiteral,
        TableMetadata,
    },
};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::{
    snapshot::DataFile,
    statistics::{day_of, days_since_1970},
};
use crate::{LakeError, warehouse::Warehouse};

/// How many manifests of about the same size become one.
pub(super) const MERGED_AT: usize = 16;
/// A manifest with so many files is not merged any more: about a megabyte.
pub(super) const FULL: u64 = 1000;
/// How many manifests are read at once.
const READ_AT_ONCE: usize = 8;

/// Bytes that a commit puts.
#[derive(Debug, Clone)]
pub(super) struct NewObject {
    pub(super) path: Path,
    pub(super) bytes: Bytes,
}

fn wrong(error: iceberg::Error) -> LakeError {
    LakeError::Iceberg(error.to_string())
}

/// A manifest with the values that its entries inherit from the list filled in.
pub(super) async fn load(
    warehouse: &Warehouse,
    manifest: &ManifestFile,
) -> Result<Vec<ManifestEntry>, LakeError> {
    let path = path_of(warehouse, &manifest.manifest_path)?;
    let bytes = warehouse.store().get(&path).await?.bytes().await?;
    let io = FileIO::new_with_memory();
    io.new_output(&manifest.manifest_path).map_err(wrong)?.write(bytes).await.map_err(wrong)?;
    let (entries, _) = manifest.load_manifest(&io).await.map_err(wrong)?.into_parts();
    Ok(entries.into_iter().map(Arc::unwrap_or_clone).collect())
}

/// The entries of many manifests, a few of which are read at once.
pub(super) async fn load_all(
    warehouse: &Warehouse,
    manifests: impl IntoIterator<Item = ManifestFile>,
) -> Result<Vec<ManifestEntry>, LakeError> {
    let loads: Vec<_> =
        manifests.into_iter().map(|manifest| async move { load(warehouse, &manifest).await }).collect();
    let loaded: Vec<_> = futures::stream::iter(loads).buffered(READ_AT_ONCE).try_collect().await?;
    Ok(loaded.into_iter().flatten().collect())
}

/// Where an object of the table is, by its name in the metadata.
pub(super) fn path_of(warehouse: &Warehouse, uri: &str) -> Result<Path, LakeError> {
    let below = uri.strip_prefix(warehouse.root()).and_then(|rest| rest.strip_prefix('/'));
    let path = below.and_then(|rest| Path::parse(rest).ok());
    path.ok_or_else(|| LakeError::Table {
        table: uri.to_owned(),
        reason: format!("it is not in this warehouse, {}", warehouse.root()),
    })
}

/// A file as queries see it.
pub(super) fn seen(
    warehouse: &Warehouse,
    file: &IcebergFile,
    columns: SeenColumns,
) -> Result<DataFile, LakeError> {
    let damaged =
        |reason: &str| LakeError::Table { table: file.file_path().to_owned(), reason: reason.to_owned() };
    let day = match file.partition().iter().next() {
        Some(Some(Literal::Primitive(PrimitiveLiteral::Int(days)))) => day_of(*days),
        _ => None,
    };
    let micros = |bounds: &std::collections::HashMap<i32, iceberg::spec::Datum>| match bounds
        .get(&columns.time)
        .map(iceberg::spec::Datum::literal)
    {
        Some(PrimitiveLiteral::Long(micros)) => Some(*micros),
        _ => None,
    };
    let day = day.ok_or_else(|| damaged("the file has no day"))?;
    let midnight = i64::from(days_since_1970(day)) * MS_PER_DAY;
    Ok(DataFile {
        path: path_of(warehouse, file.file_path())?,
        size: file.file_size_in_bytes(),
        rows: file.record_count(),
        day,
        min_time_ms: micros(file.lower_bounds()).map_or(midnight, |time| time.div_euclid(1000)),
        max_time_ms: micros(file.upper_bounds()).map_or(midnight + MS_PER_DAY, |time| {
            time.div_euclid(1000) + i64::from(time.rem_euclid(1000) > 0)
        }),
        has_forms: columns.form.is_some_and(|form| has_values(file, form)),
    })
}

/// The columns of which a queries' view of a file knows something, by their ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenColumns {
    pub(super) time: i32,
    /// That of records' forms, in a table that has it.
    pub(super) form: Option<i32>,
}

/// Whether a column is not null in every row. A file that is older than the column says nothing of it.
fn has_values(file: &IcebergFile, column: i32) -> bool {
    let nulls = file.null_value_counts().get(&column).copied().unwrap_or(0);
    file.value_counts().get(&column).is_some_and(|values| *values > nulls)
}

const MS_PER_DAY: i64 = 24 * 3600 * 1000;

/// The days that a manifest has files of; `None` where it doesn't say.
pub(super) fn days(manifest: &ManifestFile) -> Option<(NaiveDate, NaiveDate)> {
    let summary = manifest.partitions.as_ref()?.first()?;
    Some((day_in(summary.lower_bound.as_ref()?)?, day_in(summary.upper_bound.as_ref()?)?))
}

fn day_in(bound: &impl AsRef<[u8]>) -> Option<NaiveDate> {
    day_of(i32::from_le_bytes(bound.as_ref().try_into().ok()?))
}

/// How many files a manifest has that are there.
pub(super) fn alive(manifest: &ManifestFile) -> u64 {
    u64::from(manifest.added_files_count.unwrap_or(0)) + u64::from(manifest.existing_files_count.unwrap_or(0))
}

/// Manifests that are worth being merged into one: the first size of which there are many.
pub(super) fn worth_merging<'a>(manifests: impl Iterator<Item = &'a ManifestFile>) -> Vec<ManifestFile> {
    let mut sizes: BTreeMap<u32, Vec<&ManifestFile>> = BTreeMap::new();
    for manifest in manifests.filter(|manifest| alive(manifest) < FULL) {
        let size = alive(manifest).max(1).ilog(MERGED_AT as u64);
        sizes.entry(size).or_default().push(manifest);
    }
    let many = sizes.into_values().find(|same| same.len() >= MERGED_AT);
    many.unwrap_or_default().into_iter().cloned().collect()
}

/// Writes the manifests of one commit.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) warehouse: &'a Warehouse,
    pub(super) metadata: &'a TableMetadata,
    pub(super) snapshot_id: i64,
}

impl Writer<'_> {
    fn begin(&self, io: &FileIO, path: &Path) -> Result<ManifestWriter, LakeError> {
        let output = io.new_output(self.warehouse.uri(path)).map_err(wrong)?;
        let schema = self.metadata.current_schema().clone();
        let spec = self.metadata.default_partition_spec().as_ref().clone();
        Ok(ManifestWriterBuilder::new(output, Some(self.snapshot_id), schema, spec).build_v2_data())
    }

    async fn end(
        &self,
        io: &FileIO,
        path: Path,
        writer: ManifestWriter,
    ) -> Result<(ManifestFile, NewObject), LakeError> {
        let manifest = writer.write_manifest_file().await.map_err(wrong)?;
        let bytes = taken(io, &manifest.manifest_path).await?;
        Ok((manifest, NewObject { path, bytes }))
    }

    /// A manifest of files that this commit adds.
    pub(super) async fn added(
        &self,
        path: Path,
        files: Vec<IcebergFile>,
    ) -> Result<(ManifestFile, NewObject), LakeError> {
        let io = FileIO::new_with_memory();
        let mut writer = self.begin(&io, &path)?;
        for file in files {
            // Below zero: it gets the commit's own number.
            writer.add_file(file, -1).map_err(wrong)?;
        }
        self.end(&io, path, writer).await
    }

    /// A manifest of files that were there before; those in `removed` are noted as gone.
    pub(super) async fn existing(
        &self,
        path: Path,
        entries: Vec<ManifestEntry>,
        removed: &HashSet<String>,
    ) -> Result<(ManifestFile, NewObject), LakeError> {
        let io = FileIO::new_with_memory();
        let mut writer = self.begin(&io, &path)?;
        for entry in entries.into_iter().filter(ManifestEntry::is_alive) {
            let sequence = entry.sequence_number.unwrap_or(0);
            let added_by = entry.snapshot_id.unwrap_or(0);
            if removed.contains(entry.file_path()) {
                writer.add_delete_file(entry.data_file, sequence, entry.file_sequence_number)
            } else {
                writer.add_existing_file(entry.data_file, added_by, sequence, entry.file_sequence_number)
            }
            .map_err(wrong)?;
        }
        self.end(&io, path, writer).await
    }

    /// The list of the snapshot's manifests.
    pub(super) async fn list(
        &self,
        path: Path,
        manifests: &[ManifestFile],
    ) -> Result<(Vec<ManifestFile>, NewObject), LakeError> {
        let io = FileIO::new_with_memory();
        let uri = self.warehouse.uri(&path);
        let output = io.new_output(&uri).map_err(wrong)?.writer().await.map_err(wrong)?;
        let parent = self.metadata.current_snapshot_id();
        let sequence = self.metadata.next_sequence_number();
        let mut writer = ManifestListWriter::v2(output, self.snapshot_id, parent, sequence);
        writer.add_manifests(manifests.iter().cloned()).map_err(wrong)?;
        writer.close().await.map_err(wrong)?;
        let bytes = taken(&io, &uri).await?;
        // Read back: the sequence numbers are filled in on the way.
        let numbered = parse_list(&bytes)?;
        Ok((numbered, NewObject { path, bytes }))
    }
}

async fn taken(io: &FileIO, uri: &str) -> Result<Bytes, LakeError> {
    io.new_input(uri).map_err(wrong)?.read().await.map_err(wrong)
}

/// The manifests of a list.
pub(super) fn parse_list(bytes: &[u8]) -> Result<Vec<ManifestFile>, LakeError> {
    let list = ManifestList::parse_with_version(bytes, FormatVersion::V2).map_err(wrong)?;
    let manifests: Vec<_> = list.consume_entries().into_iter().collect();
    if manifests.iter().any(|manifest| manifest.content != ManifestContentType::Data) {
        return Err(LakeError::Iceberg("the table has delete files, which nothing here writes".to_owned()));
    }
    Ok(manifests)
}

/// Reads the manifests of a snapshot.
pub(super) async fn read_list(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
) -> Result<Vec<ManifestFile>, LakeError> {
    parse_list(&store.get(path).await?.bytes().await?)
}
