//! A column that files don't have as queries see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use object_store::memory::InMemory;
use opentrail_sql::{Compute, Computed, TableData};

use crate::stage::{DAY, STORE, Stage, events, schema, write};

/// In the files `errorCode` is null in each row but the second; a column that queries don't see has what it is made of.
fn stored() -> SchemaRef {
    let mut fields = schema().fields().to_vec();
    fields.push(Arc::new(Field::new("hidden", DataType::Utf8, true)));
    Arc::new(Schema::new(fields))
}

/// The table's own schema: no row lacks the computed column.
fn queried() -> SchemaRef {
    let stage = schema();
    let fields = stage.fields().iter().map(|field| match field.name().as_str() {
        "errorCode" => Arc::new(Field::new("errorCode", DataType::Utf8, false)),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn with_column(batch: &RecordBatch, schema: &SchemaRef, name: &str, column: ArrayRef) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    let place = schema.index_of(name).expect("a column");
    columns.resize(columns.len().max(place + 1), Arc::clone(&column));
    columns[place] = column;
    RecordBatch::try_new(Arc::clone(schema), columns).expect("a batch")
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = cast(batch.column_by_name(name).expect("a column"), &DataType::Utf8View).expect("texts");
    let column: &StringViewArray = column.as_string_view();
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// `NAME:HIDDEN:TYPE`, or what the file has.
fn compute(rows: &RecordBatch) -> ArrayRef {
    let identity = rows.column_by_name("userIdentity").expect("a column").as_struct();
    let kinds = cast(identity.column_by_name("type").expect("a field"), &DataType::Utf8).expect("texts");
    let value = |row: usize| {
        text(rows, "errorCode", row).unwrap_or_else(|| {
            let part = |name: &str| text(rows, name, row).unwrap_or_default();
            format!("{}:{}:{}", part("eventName"), part("hidden"), kinds.as_string::<i32>().value(row))
        })
    };
    Arc::new(StringArray::from_iter_values((0..rows.num_rows()).map(value)))
}

/// A stage, and how often something was computed.
async fn stage() -> (Stage, Arc<AtomicUsize>) {
    let mut stage = Stage::new().await;
    let codes: ArrayRef = Arc::new(StringArray::from(vec![None, Some("whole-1"), None, None]));
    let hidden: ArrayRef = Arc::new(StringArray::from(vec!["h0", "h1", "h2", "h3"]));
    let rows = with_column(&events(0..4), &schema(), "errorCode", codes);
    let rows = with_column(&rows, &stored(), "hidden", hidden);
    let codes: ArrayRef = Arc::new(StringArray::from(vec!["tail-4", "tail-5"]));
    let nothing: ArrayRef = Arc::new(StringArray::new_null(2));
    let tail = with_column(&events(4..6), &schema(), "errorCode", codes);
    let tail = with_column(&tail, &stored(), "hidden", nothing);
    let store = Arc::new(InMemory::new());
    let file = write(&store, "data/a.parquet", &rows, DAY, DAY + 3 * 3_600_000).await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let compute: Compute = Arc::new(move |rows| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(compute(rows))
    });
    let table = TableData {
        schema: queried(),
        store,
        files: vec![file],
        tail: vec![tail],
        time_column: "eventTime".to_owned(),
        computed: Some(Computed { column: "errorCode".to_owned(), stored: stored(), compute }),
    };
    stage.tables = BTreeMap::from([(STORE.to_owned(), table)]);
    (stage, count)
}

const ALL: [&str; 6] = [
    "GetObject:h0:IAMUser",
    "whole-1",
    "ConsoleLogin:h2:IAMUser",
    "GetObject:h3:IAMUser",
    "tail-4",
    "tail-5",
];

#[tokio::test]
async fn it_is_computed_for_rows_of_files_and_taken_from_others() {
    let (stage, _) = stage().await;
    assert_eq!(stage.lines("SELECT errorcode FROM {t} ORDER BY number").await, ALL);
    let beside =
        stage.lines("SELECT number, errorCode, userIdentity.arn FROM {t} ORDER BY number LIMIT 1").await;
    assert_eq!(beside, ["0|GetObject:h0:IAMUser|arn:aws:iam::111122223333:user/alice"]);
    let answer = stage.ask("SELECT * FROM {t} ORDER BY number").await;
    let columns = schema();
    let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(answer.names(), names);
    assert_eq!(answer.rows.iter().map(|row| row[3].clone().expect("a value")).collect::<Vec<_>>(), ALL);
}

#[tokio::test]
async fn conditions_see_the_computed_value_and_not_what_files_have() {
    let (stage, _) = stage().await;
    for (condition, numbers) in [
        ("errorCode LIKE '%h0%'", vec!["0"]),
        ("errorCode = 'GetObject:h3:IAMUser'", vec!["3"]),
        ("errorCode IN ('GetObject:h3:IAMUser', 'whole-1', 'tail-5')", vec!["1", "3", "5"]),
        ("errorCode IS NOT NULL", vec!["0", "1", "2", "3", "4", "5"]),
        ("errorCode IS NULL", vec![]),
        ("errorCode > 'u'", vec!["1"]),
        ("errorCode < 'H'", vec!["0", "2", "3"]),
        ("errorCode <> 'whole-1'", vec!["0", "2", "3", "4", "5"]),
        ("NOT errorCode LIKE 'Get%'", vec!["1", "2", "4", "5"]),
        ("coalesce(errorCode, 'none') <> 'none'", vec!["0", "1", "2", "3", "4", "5"]),
        ("eventName = 'GetObject' AND errorCode LIKE '%:h%'", vec!["0", "3"]),
        ("eventName = 'GetObject' OR errorCode LIKE 'whole%'", vec!["0", "1", "3", "5"]),
        ("eventTime >= '2023-07-20 03:00:00' AND errorCode LIKE '%h3%'", vec!["3"]),
        ("eventTime < '2023-07-20 01:00:00' OR errorCode = 'tail-4'", vec!["0", "4"]),
        ("errorCode = eventName || ':h2:IAMUser'", vec!["2"]),
        ("userIdentity.arn LIKE '%alice' AND errorCode LIKE 'Console%'", vec!["2"]),
    ] {
        let found = stage.lines(&format!("SELECT number FROM {{t}} WHERE {condition} ORDER BY 1")).await;
        assert_eq!(found, numbers, "{condition}");
        let count = stage.lines(&format!("SELECT count(*) FROM {{t}} WHERE {condition}")).await;
        assert_eq!(count, [numbers.len().to_string()], "{condition}");
    }
}

#[tokio::test]
async fn sorts_joins_and_aggregates_see_it() {
    let (stage, _) = stage().await;
    assert_eq!(
        stage.lines("SELECT errorCode FROM {t} ORDER BY errorCode DESC LIMIT 2").await,
        ["whole-1", "tail-5"]
    );
    assert_eq!(
        stage.lines("SELECT errorCode FROM {t} ORDER BY errorCode LIMIT 1").await,
        ["ConsoleLogin:h2:IAMUser"]
    );
    assert_eq!(stage.lines("SELECT count(errorCode), max(errorCode) FROM {t}").await, ["6|whole-1"]);
    let joined = "SELECT a.number, b.number FROM {t} a JOIN {t} b ON a.errorCode = b.errorCode AND b.number < 2 ORDER BY 1";
    assert_eq!(stage.lines(joined).await, ["0|0", "1|1"]);
    let outer = "SELECT count(*) FROM {t} a LEFT JOIN (SELECT errorCode FROM {t} WHERE number < 3) b ON a.errorCode = b.errorCode \
                 WHERE b.errorCode IS NULL";
    assert_eq!(stage.lines(outer).await, ["3"]);
    let both = "SELECT errorCode FROM {t} WHERE number = 0 UNION ALL SELECT eventName FROM {t} WHERE errorCode LIKE 'whole%'";
    assert_eq!(stage.lines(both).await.len(), 2);
    let exists = "SELECT number FROM {t} WHERE errorCode IN (SELECT errorCode FROM {t} WHERE eventName = 'ConsoleLogin')";
    assert_eq!(stage.lines(exists).await, ["2"]);
}

#[tokio::test]
async fn who_does_not_read_it_does_not_pay_for_it() {
    let (stage, count) = stage().await;
    let cheap = stage.ask("SELECT eventName FROM {t} WHERE number >= 0").await.scanned;
    assert_eq!(stage.lines("SELECT count(*) FROM {t}").await, ["6"]);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    let dear = stage.ask("SELECT errorCode FROM {t} WHERE number >= 0").await.scanned;
    assert!(count.load(Ordering::Relaxed) > 0);
    assert!(cheap.bytes < dear.bytes, "{cheap:?} {dear:?}");
}

#[tokio::test]
async fn conditions_on_other_columns_still_leave_files_out() {
    let (stage, count) = stage().await;
    let answer = stage.ask("SELECT errorCode FROM {t} WHERE eventName = 'HeadObject'").await;
    assert!(answer.rows.is_empty());
    assert_eq!((answer.scanned.rows, count.load(Ordering::Relaxed)), (2, 0), "the tail's rows only");
    let some = stage.ask("SELECT errorCode FROM {t} WHERE number = 2").await;
    assert_eq!(some.lines(), [ALL[2]]);
}

#[tokio::test]
async fn what_it_is_made_of_is_no_column() {
    let (stage, _) = stage().await;
    let error = stage.error("SELECT hidden FROM {t}").await;
    assert!(error.to_string().contains("hidden"), "{error}");
}
