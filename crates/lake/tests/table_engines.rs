//! Other engines read a table from its metadata file: pyiceberg, and Polars with its own reader of Parquet.
//!
//! `OPENTRAIL_TEST_PYTHON` names a Python that has them (`make test` prepares one).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{process::Command, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::Event;
use opentrail_journal::disk::RealDisk;
use opentrail_lake::{
    Columns, EncodedFile, Extra, Shape, encode,
    table::{Marks, Table, TableOptions},
    warehouse::{Location, Warehouse},
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

fn files(numbers: impl Iterator<Item = u64>) -> Vec<EncodedFile> {
    let mut columns = Columns::new(Shape::Event);
    for number in numbers {
        columns.push(&event(number), Extra::default());
    }
    encode(Shape::Event, &[columns.finish().unwrap()]).unwrap()
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
    let table = Table::create(&warehouse, path, Shape::Event, TableOptions::default(), now()).await.unwrap();
    assert_same_rows(&table, &[]);
    for batch in 0..20_u64 {
        let numbers = batch * 3..batch * 3 + 3;
        let marks = Marks::from([("journal".to_owned(), batch.to_string())]);
        table.append(files(numbers), marks, now() - chrono::Duration::hours(1)).await.unwrap();
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
