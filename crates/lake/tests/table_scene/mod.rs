//! A table on a disk that fails on command, and rows to put into it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the scene")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use arrow_array::{Array, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt;
use iceberg::spec::{
    FormatVersion, Manifest, ManifestList, NestedField, NullOrder, PartitionSpec, PrimitiveType, Schema,
    SortDirection, SortField, SortOrder, TableMetadata, Transform, Type,
};
use object_store::{ObjectStoreExt, path::Path};
use opentrail_journal::disk::{CrashKeeps, Disk, FaultyDisk};
use opentrail_lake::{
    EncodedFile, LakeError, Run,
    table::{Layout, Marks, Snapshot, Table, TableOptions},
    warehouse::{Location, Warehouse},
};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    file::metadata::ParquetMetaData,
};
use tempfile::TempDir;

/// The mark that the tests set.
pub const MARK: &str = "journal";
pub const DAY: i64 = 86_400;

/// The time at which tests take place, at midday.
pub fn now() -> DateTime<Utc> {
    at(1_700_049_600)
}

pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

pub fn later(seconds: i64) -> DateTime<Utc> {
    now() + chrono::Duration::seconds(seconds)
}

pub fn day(ago: i64) -> NaiveDate {
    later(-ago * DAY).date_naive()
}

pub fn options() -> TableOptions {
    TableOptions { grace: Duration::from_secs(600), ..TableOptions::default() }
}

/// A table of three columns: small enough for a power cut at every step.
pub fn layout(columns: usize) -> Layout {
    let text = |id, name: &str, required| {
        Arc::new(NestedField::new(id, name, Type::Primitive(PrimitiveType::String), required))
    };
    let mut fields = vec![
        text(1, "id", true),
        Arc::new(NestedField::new(2, "eventTime", Type::Primitive(PrimitiveType::Timestamp), true)),
    ];
    fields.extend((2..columns).map(|n| text(i32::try_from(n).unwrap() + 1, &format!("detail{n}"), false)));
    let schema = Arc::new(Schema::builder().with_schema_id(0).with_fields(fields).build().unwrap());
    let partitions = PartitionSpec::builder(schema.clone())
        .add_partition_field("eventTime", "eventDay", Transform::Day)
        .unwrap()
        .build()
        .unwrap();
    let order = SortOrder::builder()
        .with_order_id(1)
        .with_sort_field(SortField {
            source_id: 1,
            transform: Transform::Identity,
            direction: SortDirection::Ascending,
            null_order: NullOrder::First,
        })
        .build(&schema)
        .unwrap();
    let arrow = Arc::new(iceberg::arrow::schema_to_arrow_schema(&schema).unwrap());
    let merge = |runs: Vec<Run>, _| {
        let rows = runs.into_iter().flatten().collect::<Result<Vec<_>, _>>()?;
        Ok(encode(&rows)?.remove(0))
    };
    Layout { schema, arrow, partitions, order, merge: Arc::new(merge) }
}

pub fn batch(layout: &Layout, rows: &[(String, i64)]) -> RecordBatch {
    let ids: StringArray = rows.iter().map(|(id, _)| Some(id.as_str())).collect();
    let times: TimestampMicrosecondArray =
        rows.iter().map(|(_, seconds)| Some(seconds * 1_000_000 + 1)).collect();
    let mut columns: Vec<Arc<dyn Array>> = vec![Arc::new(ids), Arc::new(times)];
    for field in &layout.arrow.fields()[2..] {
        let details = rows.iter().map(|(id, _)| Some(format!("{} of {id}", field.name())));
        columns.push(Arc::new(details.collect::<StringArray>()));
    }
    RecordBatch::try_new(layout.arrow.clone(), columns).unwrap()
}

/// Sorts by id and writes one file for each day, as `lake::encode` does for events.
fn encode(batches: &[RecordBatch]) -> Result<Vec<EncodedFile>, LakeError> {
    let mut rows: Vec<(i64, String, usize, usize)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let ids = batch.column(0).as_string::<i32>();
        let times = batch.column(1).as_primitive::<arrow_array::types::TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let day = times.value(row).div_euclid(DAY * 1_000_000);
            rows.push((day, ids.value(row).to_owned(), number, row));
        }
    }
    rows.sort();
    let sources: Vec<_> = batches.iter().collect();
    rows.chunk_by(|a, b| a.0 == b.0)
        .map(|rows| {
            let places: Vec<_> = rows.iter().map(|row| (row.2, row.3)).collect();
            let sorted = arrow_select::interleave::interleave_record_batch(&sources, &places)?;
            let mut bytes = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut bytes, sorted.schema(), None)?;
            writer.write(&sorted)?;
            let metadata: Arc<ParquetMetaData> = Arc::new(writer.close()?);
            let times = sorted.column(1).as_primitive::<arrow_array::types::TimestampMicrosecondType>();
            let time = |micros: Option<i64>| DateTime::from_timestamp_micros(micros.unwrap()).unwrap();
            Ok(EncodedFile {
                day: at(rows[0].0 * DAY).date_naive(),
                bytes: bytes.into(),
                rows: rows.len() as u64,
                metadata,
                min_time: time(times.values().iter().copied().min()),
                max_time: time(times.values().iter().copied().max()),
            })
        })
        .collect()
}

pub fn files(layout: &Layout, rows: &[(String, i64)]) -> Vec<EncodedFile> {
    encode(&[batch(layout, rows)]).unwrap()
}

pub struct Scene {
    pub dir: Arc<TempDir>,
    pub disk: FaultyDisk,
    pub warehouse: Warehouse,
    pub table: Table,
    pub options: TableOptions,
    pub layout: Layout,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(options()).await
    }

    pub async fn with(options: TableOptions) -> Self {
        let dir = Arc::new(TempDir::new().unwrap());
        Self::open(dir, FaultyDisk::default(), options, layout(3), now()).await.unwrap()
    }

    pub async fn open(
        dir: Arc<TempDir>,
        disk: FaultyDisk,
        options: TableOptions,
        layout: Layout,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        Self::open_on(dir, disk.clone(), Arc::new(disk), options, layout, now).await
    }

    /// As [`Scene::open`], with another disk over the one that fails on command.
    pub async fn open_on(
        dir: Arc<TempDir>,
        disk: FaultyDisk,
        above: Arc<dyn Disk>,
        options: TableOptions,
        layout: Layout,
        now: DateTime<Utc>,
    ) -> Result<Self, LakeError> {
        let warehouse = Warehouse::at(&Location::Folder(dir.path().join("lake")), above)?;
        let path = warehouse.table_path("store");
        let table = Table::open_or_create(&warehouse, path, layout.clone(), options.clone(), now).await?;
        Ok(Self { dir, disk, warehouse, table, options, layout })
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("lake/store")
    }

    /// Ends the process and starts another.
    pub async fn reopened(self, now: DateTime<Utc>) -> Self {
        let Self { dir, disk, options, layout, table, warehouse } = self;
        drop((table, warehouse));
        Self::open(dir, disk, options, layout, now).await.unwrap()
    }

    /// The machine loses its power and starts again.
    pub async fn crashed(self, keeps: CrashKeeps, now: DateTime<Utc>) -> Self {
        let Self { dir, disk, options, layout, table, warehouse } = self;
        drop((table, warehouse));
        disk.crash(keeps).unwrap();
        Self::open(dir, disk, options, layout, now).await.unwrap()
    }

    /// Append number `number`: two rows of the day so many days ago, and the mark. It is made an hour ago, so that
    /// the day doesn't count as one that grows.
    pub async fn append(&self, number: u64, days_ago: i64) -> Result<Arc<Snapshot>, LakeError> {
        let time = now().timestamp() - days_ago * DAY + i64::try_from(number).unwrap();
        let rows: Vec<_> = ids_of(number).into_iter().map(|id| (id, time)).collect();
        let marks = Marks::from([(MARK.to_owned(), number.to_string())]);
        self.table.append(files(&self.layout, &rows), marks, later(-3600)).await
    }

    pub fn mark(&self) -> u64 {
        self.table.mark(MARK).map_or(0, |mark| mark.parse().unwrap())
    }

    /// The ids of all rows, sorted.
    pub async fn ids(&self) -> Vec<String> {
        self.ids_in(&self.table.snapshot()).await.unwrap()
    }

    pub async fn ids_in(&self, snapshot: &Snapshot) -> Result<Vec<String>, object_store::Error> {
        let mut ids = Vec::new();
        for file in snapshot.files() {
            let bytes = self.warehouse.store().get(&file.path).await?.bytes().await?;
            assert_eq!(bytes.len() as u64, file.size);
            let before = ids.len();
            for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                ids.extend(batch.column(0).as_string::<i32>().iter().map(|id| id.unwrap().to_owned()));
            }
            assert_eq!((ids.len() - before) as u64, file.rows);
        }
        ids.sort();
        Ok(ids)
    }

    /// Rows and mark agree, every snapshot that the metadata lists can be read, and a reader that follows the
    /// metadata finds the same files.
    pub async fn assert_whole(&self) {
        let expected: Vec<String> = (1..=self.mark()).flat_map(ids_of).collect();
        let mut expected = expected;
        expected.sort();
        assert_eq!(self.ids().await, expected);
        self.assert_readable().await;
    }

    pub async fn assert_readable(&self) {
        let metadata = self.metadata();
        for snapshot in metadata.snapshots() {
            let files = self.files_of(snapshot.manifest_list()).await;
            if Some(snapshot.snapshot_id()) == metadata.current_snapshot_id() {
                let seen: BTreeSet<Path> =
                    self.table.snapshot().files().map(|file| file.path.clone()).collect();
                assert_eq!(files, seen);
            }
            for file in files {
                self.warehouse.store().head(&file).await.unwrap();
            }
        }
    }

    pub fn metadata(&self) -> TableMetadata {
        serde_json::from_slice(&self.table.metadata().1).unwrap()
    }

    pub fn path_of(&self, uri: &str) -> Path {
        Path::parse(uri.strip_prefix(self.warehouse.root()).unwrap()).unwrap()
    }

    async fn get(&self, uri: &str) -> Bytes {
        self.warehouse.store().get(&self.path_of(uri)).await.unwrap().bytes().await.unwrap()
    }

    /// The manifests of a list.
    pub async fn manifests_of(&self, list: &str) -> Vec<(String, Manifest)> {
        let list = ManifestList::parse_with_version(&self.get(list).await, FormatVersion::V2).unwrap();
        let mut manifests = Vec::new();
        for manifest in list.entries() {
            let bytes = self.get(&manifest.manifest_path).await;
            assert_eq!(i64::try_from(bytes.len()).unwrap(), manifest.manifest_length);
            manifests.push((manifest.manifest_path.clone(), Manifest::parse_avro(&bytes).unwrap()));
        }
        manifests
    }

    pub async fn current_manifests(&self) -> Vec<(String, Manifest)> {
        let metadata = self.metadata();
        match metadata.current_snapshot() {
            Some(snapshot) => self.manifests_of(snapshot.manifest_list()).await,
            None => Vec::new(),
        }
    }

    async fn files_of(&self, list: &str) -> BTreeSet<Path> {
        let manifests = self.manifests_of(list).await;
        let entries = manifests.iter().flat_map(|(_, manifest)| manifest.entries());
        entries.filter(|entry| entry.is_alive()).map(|entry| self.path_of(entry.file_path())).collect()
    }

    /// Everything in the table's folder.
    pub async fn objects(&self) -> BTreeSet<Path> {
        let listed: Vec<_> = self.warehouse.store().list(None).try_collect().await.unwrap();
        listed.into_iter().map(|object| object.location).collect()
    }

    /// After the grace period nothing is there that the metadata doesn't name.
    pub async fn assert_nothing_left_over(&self, now: DateTime<Utc>) {
        self.table.expire(now).await.unwrap();
        self.table.sweep(now).await.unwrap();
        let metadata = self.metadata();
        let mut named = self.table.snapshot().files().map(|file| file.path.clone()).collect::<BTreeSet<_>>();
        for snapshot in metadata.snapshots() {
            named.insert(self.path_of(snapshot.manifest_list()));
            named.extend(
                self.manifests_of(snapshot.manifest_list()).await.iter().map(|(uri, _)| self.path_of(uri)),
            );
        }
        let left: Vec<_> = self
            .objects()
            .await
            .into_iter()
            .filter(|path| !named.contains(path))
            .filter(|path| {
                let name = path.filename().unwrap();
                !name.ends_with(".metadata.json") && name != "version-hint.text"
            })
            .collect();
        assert_eq!(left, Vec::<Path>::new());
    }
}

/// The rows of an append.
pub fn ids_of(number: u64) -> Vec<String> {
    vec![format!("{number:06}-a"), format!("{number:06}-b")]
}
