//! Other engines read a table from its metadata file: pyiceberg, and Polars with its own reader of Parquet.
//!
//! `OPENTRAIL_TEST_PYTHON` names a Python that has them (`make test` prepares one).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arrow_array::{RecordBatch, cast::AsArray};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use iceberg::spec::{NestedField, Schema};
use object_store::ObjectStoreExt;
use opentrail_event::Event;
use opentrail_journal::disk::RealDisk;
use opentrail_lake::{
    Columns, EncodedFile, Extra, Keep, Run, Shape, encode_keeping,
    table::{Layout, Marks, Records, Table, TableOptions},
    warehouse::{Location, Warehouse},
};
use parquet::arrow::{
    ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder, arrow_writer::ArrowWriterOptions,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_049_600, 0).unwrap()
}

fn time_of(number: u64) -> DateTime<Utc> {
    let seconds = i64::try_from(number).unwrap();
    now() - chrono::Duration::seconds(seconds % 5 * DAY + seconds)
}

fn event(number: u64) -> Event {
    let record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::123456789012:assumed-role/deploy/session-{number}"),
            "sessionContext": {"sessionIssuer": {"userName": "deploy"}, "attributes": {"mfaAuthenticated": "false"}},
        },
        "eventTime": time_of(number).format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "eventSource": "s3.amazonaws.com",
        "eventName": if number.is_multiple_of(3) { "PutObject" } else { "GetObject" },
        "awsRegion": "us-east-1",
        "requestParameters": {"bucketName": "b", "key": format!("k/{number}")},
        "resources": [{"type": "AWS::S3::Object", "ARN": format!("arn:aws:s3:::b/k/{number}")}, {"ARN": "arn:aws:s3:::b"}],
        "readOnly": !number.is_multiple_of(3),
        "eventID": format!("{number:08}"),
        "eventCategory": "Data",
    });
    Event::parse(Bytes::from(record.to_string())).unwrap()
}

fn rows(numbers: impl Iterator<Item = u64>) -> RecordBatch {
    let mut columns = Columns::new(Shape::Event);
    for number in numbers {
        columns.push(&event(number), Extra::default());
    }
    columns.finish().unwrap()
}

fn files(numbers: impl Iterator<Item = u64>, keep: Keep) -> Vec<EncodedFile> {
    encode_keeping(Shape::Event, &[rows(numbers)], keep).unwrap()
}

/// A table whose files are for other engines too.
fn whole() -> TableOptions {
    TableOptions { records: Records::by(|| Keep::Whole), ..TableOptions::default() }
}

/// What both engines find in the table; they must agree.
fn read(table: &Table) -> Value {
    let python = std::env::var("OPENTRAIL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/read_with_engines.py");
    let output = Command::new(&python).args([script, &table.metadata().0]).output();
    let output = output
        .unwrap_or_else(|error| panic!("{python}: {error}; `make test` prepares a Python with pyiceberg"));
    assert!(
        output.status.success(),
        "{python} cannot read the table; `make test` prepares a Python with pyiceberg (OPENTRAIL_TEST_PYTHON).\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_same_rows(table: &Table, numbers: &[u64]) {
    let found = read(table);
    let ids: Vec<String> = numbers.iter().map(|number| format!("{number:08}")).collect();
    for engine in ["pyiceberg", "polars"] {
        let rows = found[engine].as_array().unwrap();
        assert_eq!(
            rows.iter().map(|row| row["eventID"].as_str().unwrap()).collect::<Vec<_>>(),
            ids,
            "{engine}"
        );
        for (row, number) in rows.iter().zip(numbers) {
            let record: Value = serde_json::from_slice(event(*number).raw()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(row["eventJson"].as_str().unwrap()).unwrap(), record);
            assert_eq!(row["arn"], record["userIdentity"]["arn"], "{engine}");
            assert_eq!(row["issuer"], "deploy", "{engine}");
            assert_eq!(row["time"], time_of(*number).timestamp_micros(), "{engine}");
            assert_eq!(row["resources"], json!([format!("arn:aws:s3:::b/k/{number}"), "arn:aws:s3:::b"]));
            assert_eq!(row["key"], format!("k/{number}"), "{engine}");
            assert_eq!(row["readOnly"], record["readOnly"], "{engine}");
        }
    }
    let days =
        numbers.iter().map(|number| time_of(*number).date_naive()).collect::<std::collections::BTreeSet<_>>();
    if days.len() > 1 {
        let (one, all) = (found["files_of_a_day"].as_u64().unwrap(), found["files"].as_u64().unwrap());
        assert!(one < all, "a filter on the time leaves files out: {one} of {all}");
    }
    assert_eq!(found["files_of_a_region_that_is_not_there"], 0, "a filter on a text leaves files out");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_engines_find_the_same_rows_before_and_after_compaction_and_retention() {
    let dir = TempDir::new().unwrap();
    let warehouse = Warehouse::at(&Location::Folder(dir.path().join("lake")), Arc::new(RealDisk)).unwrap();
    let path = warehouse.table_path("store");
    let table = Table::create(&warehouse, path, Shape::Event, whole(), now()).await.unwrap();
    assert_same_rows(&table, &[]);
    for batch in 0..20_u64 {
        let numbers = batch * 3..batch * 3 + 3;
        let marks = Marks::from([("journal".to_owned(), batch.to_string())]);
        table.append(files(numbers, Keep::Whole), marks, now() - chrono::Duration::hours(1)).await.unwrap();
    }
    let all: Vec<u64> = (0..60).collect();
    assert_same_rows(&table, &all);

    let before = table.snapshot().files().count();
    while table.compact(now()).await.unwrap().is_some() {}
    let after = table.snapshot().files().count();
    assert!(after < before / 2, "{before} files, {after} after");
    assert_same_rows(&table, &all);

    let limit = (now() - chrono::Duration::days(2)).date_naive();
    table.drop_before(limit, now()).await.unwrap();
    let kept: Vec<u64> = (0..60).filter(|number| time_of(*number).date_naive() >= limit).collect();
    assert_same_rows(&table, &kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_keep_forms_are_written_again_for_other_engines() {
    let dir = TempDir::new().unwrap();
    let warehouse = Warehouse::at(&Location::Folder(dir.path().join("lake")), Arc::new(RealDisk)).unwrap();
    let path = warehouse.table_path("store");
    let federated = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&federated);
    let records = Records::by(move || if asked.load(Ordering::Relaxed) { Keep::Whole } else { Keep::Forms });
    let options = TableOptions { records, ..TableOptions::default() };
    let table = Table::create(&warehouse, path, Shape::Event, options, now()).await.unwrap();
    for numbers in [0..7, 7..20] {
        table.append(files(numbers, Keep::Forms), Marks::new(), now()).await.unwrap();
    }
    while table.compact(now()).await.unwrap().is_some() {}
    assert!(table.snapshot().files().all(|file| file.has_forms));
    federated.store(true, Ordering::Relaxed);
    table.append(files(20..30, Keep::Whole), Marks::new(), now()).await.unwrap();
    while table.compact(now()).await.unwrap().is_some() {}
    assert!(table.snapshot().files().all(|file| !file.has_forms));
    assert_same_rows(&table, &(0..30).collect::<Vec<_>>());
    let path = warehouse.table_path("store");
    let table = Table::open(&warehouse, path, Shape::Event, TableOptions::default(), now()).await.unwrap();
    assert!(table.snapshot().files().all(|file| !file.has_forms), "as the manifests say");
}

/// The columns as they were before records had forms.
fn first_version() -> Layout {
    let fields = Shape::Event.iceberg().as_struct().fields().to_vec();
    let fields = fields.into_iter().filter(|field| !field.name.starts_with("opentrail_"));
    let fields = fields.map(|field| match field.name.as_str() {
        "eventJson" => Arc::new(NestedField::required(field.id, "eventJson", *field.field_type.clone())),
        _ => field,
    });
    let schema = Arc::new(Schema::builder().with_schema_id(0).with_fields(fields).build().unwrap());
    let arrow = Arc::new(iceberg::arrow::schema_to_arrow_schema(&schema).unwrap());
    let order = Shape::Event.sort_order();
    let merge = Arc::new(|_: Vec<Run>, _| panic!("it is not compacted"));
    Layout { schema, arrow, partitions: Shape::Event.partition_spec(), order, merge }
}

/// A file as that version wrote it: each record whole, no form.
fn file_of_first_version(numbers: impl Iterator<Item = u64>) -> EncodedFile {
    let (layout, rows) = (first_version(), rows(numbers));
    let rows = rows.project(&(0..layout.arrow.fields().len()).collect::<Vec<_>>()).unwrap();
    let rows = RecordBatch::try_new(layout.arrow.clone(), rows.columns().to_vec()).unwrap();
    let mut bytes = Vec::new();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, layout.arrow, options).unwrap();
    writer.write(&rows).unwrap();
    let metadata = Arc::new(writer.close().unwrap());
    let rows = rows.num_rows() as u64;
    EncodedFile {
        day: now().date_naive(),
        bytes: bytes.into(),
        rows,
        metadata,
        min_time: now(),
        max_time: now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_the_first_version_goes_on_with_its_files() {
    let dir = TempDir::new().unwrap();
    let warehouse = Warehouse::at(&Location::Folder(dir.path().join("lake")), Arc::new(RealDisk)).unwrap();
    let path = || warehouse.table_path("store");
    // Every fifth is of the first day.
    let of_one_day = |range: std::ops::Range<u64>| range.map(|number| number * 5);
    let old =
        Table::create(&warehouse, path(), first_version(), TableOptions::default(), now()).await.unwrap();
    for range in [0..6, 6..9] {
        old.append(vec![file_of_first_version(of_one_day(range))], Marks::new(), now()).await.unwrap();
    }
    drop(old);

    let table = Table::open(&warehouse, path(), Shape::Event, TableOptions::default(), now()).await.unwrap();
    let metadata: Value = serde_json::from_slice(&table.metadata().1).unwrap();
    assert_eq!(metadata["current-schema-id"], 1);
    assert_eq!(metadata["last-column-id"], 121);
    let fields = metadata["schemas"][1]["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap().clone();
    assert_eq!((&field("eventJson")["id"], &field("eventJson")["required"]), (&json!(33), &json!(false)));
    assert_eq!((&field("opentrail_form")["id"], &field("opentrail_rest")["id"]), (&json!(120), &json!(121)));
    assert_same_rows(&table, &of_one_day(0..9).collect::<Vec<_>>());
    let version = table.snapshot().version;
    drop(table);
    let table = Table::open(&warehouse, path(), Shape::Event, TableOptions::default(), now()).await.unwrap();
    assert_eq!(table.snapshot().version, version, "it has the columns now");

    table.append(files(of_one_day(9..12), Keep::Forms), Marks::new(), now()).await.unwrap();
    let mixed: Vec<bool> = table.snapshot().files().map(|file| file.has_forms).collect();
    assert_eq!(mixed.iter().filter(|has_forms| **has_forms).count(), 1);
    assert_eq!(records(&table, &warehouse).await, expected(of_one_day(0..12)));
    let later = now() + chrono::Duration::days(1);
    while table.compact(later).await.unwrap().is_some() {}
    assert!(table.snapshot().files().count() < 3);
    assert!(table.snapshot().files().all(|file| file.has_forms), "also what the first version wrote");
    assert_eq!(records(&table, &warehouse).await, expected(of_one_day(0..12)));
}

fn expected(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    let mut records: Vec<String> = numbers.map(|number| event(number).raw_str().to_owned()).collect();
    records.sort_unstable();
    records
}

/// The records of all rows in files, whatever version they are of.
async fn records(table: &Table, warehouse: &Warehouse) -> Vec<String> {
    let mut found = Vec::new();
    for file in table.snapshot().files() {
        let bytes = warehouse.store().get(&file.path).await.unwrap().bytes().await.unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let records = opentrail_lake::records(Shape::Event, &batch.unwrap()).unwrap();
            found.extend(records.as_string::<i32>().iter().map(|record| record.unwrap().to_owned()));
        }
    }
    found.sort_unstable();
    found
}
