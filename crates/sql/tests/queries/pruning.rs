//! What need not be read is not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use opentrail_sql::{DataFile, SqlError, TableData};

use crate::stage::{DAY, STORE, Stage, events, schema, write};

const MS_OF_DAY: i64 = 86_400_000;

/// One file that there is, on the stage's day, and one of the day before that there is not: opening it is an error.
async fn with_missing_file() -> Stage {
    let mut stage = Stage::new().await;
    let store = Arc::new(InMemory::new());
    let present = write(&store, "present.parquet", &events(0..4), DAY, DAY + 3 * 3_600_000).await;
    let missing = DataFile {
        path: Path::from("missing.parquet"),
        min_time: DAY - MS_OF_DAY,
        max_time: DAY - 1,
        ..present.clone()
    };
    let table = TableData {
        schema: schema(),
        store,
        files: vec![missing, present],
        tail: vec![events(4..6)],
        time_column: "eventTime".to_owned(),
        computed: None,
    };
    stage.tables = BTreeMap::from([(STORE.to_owned(), table)]);
    stage
}

#[tokio::test]
async fn files_of_other_times_are_not_opened() {
    let stage = with_missing_file().await;
    for sql in [
        "SELECT count(eventName) FROM {t} WHERE eventTime >= '2023-07-20 00:00:00'",
        "SELECT count(eventName) FROM {t} WHERE eventTime > timestamp '2023-07-19 23:59:59.999'",
        "SELECT count(eventName) FROM {t} WHERE eventTime BETWEEN '2023-07-20' AND '2023-07-20 12:00:00' AND eventName <> ''",
        "SELECT count(eventName) FROM {t} WHERE eventTime >= from_iso8601_timestamp('2023-07-20T00:00:01Z') - interval '1' second",
    ] {
        assert_eq!(stage.lines(sql).await, ["6"], "{sql}");
    }
    let both = stage.error("SELECT count(eventName) FROM {t} WHERE eventTime >= '2023-07-19 23:00:00'").await;
    assert!(matches!(both, SqlError::Table(_)), "{both:?}");
    let none = "SELECT count(eventName) FROM {t} WHERE eventTime > '2024-01-01'";
    assert_eq!(stage.lines(none).await, ["0"]);
}

/// A query has columns of a file that its output does not name; where it has none, a file still has rows.
#[tokio::test]
async fn columns_that_only_the_query_itself_reads_are_read() {
    let stage = Stage::new().await;
    let rows = stage.lines("SELECT count(*) FROM {t}").await;
    for sql in [
        "SELECT count(*) FROM (SELECT DISTINCT eventTime, number FROM {t})",
        "SELECT count(*) FROM (SELECT * FROM {t} ORDER BY eventTime LIMIT 100)",
        "SELECT count(*) FROM {t} WHERE eventName = eventName",
        "SELECT count(*) FROM {t} WHERE eventName IN (SELECT eventName FROM {t})",
        "SELECT count(*) FROM {t} AS a WHERE EXISTS (SELECT 1 FROM {t} AS b WHERE b.eventName = a.eventName)",
        "SELECT sum(n) FROM (SELECT eventName, count(*) AS n FROM {t} GROUP BY eventName)",
        "SELECT sum(one) FROM (SELECT 1 AS one FROM {t})",
    ] {
        assert_eq!(stage.lines(sql).await, rows, "{sql}");
    }
}

#[tokio::test]
async fn rows_are_counted_without_opening_a_file() {
    let stage = with_missing_file().await;
    let answer = stage.ask("SELECT count(*) FROM {t}").await;
    assert_eq!(answer.lines(), ["10"]);
    assert_eq!(answer.scanned.rows, 10, "they were looked at, though not read");
    let twice = stage.ask("SELECT count(*) FROM {t} UNION ALL SELECT count(*) FROM {t}").await;
    assert_eq!((twice.lines(), twice.scanned.rows), (vec!["10".to_owned(), "10".to_owned()], 20));
}

#[tokio::test]
async fn the_newest_rows_are_found_without_the_oldest_files() {
    let stage = with_missing_file().await;
    let newest = stage
        .ask("SELECT number FROM {t} WHERE eventTime > '2023-07-20 00:30:00' ORDER BY eventTime DESC LIMIT 2")
        .await;
    assert_eq!(newest.lines(), ["5", "4"]);
}

#[tokio::test]
async fn a_bloom_filter_excludes_a_name_that_is_not_there() {
    let stage = Stage::new().await;
    let answer = stage.ask("SELECT number FROM {t} WHERE eventSource = 'signin.amazonaws.com'").await;
    assert_eq!(answer.lines(), ["2"]);
    let absent = stage.ask("SELECT userIdentity FROM {t} WHERE eventName = 'HeadObject'").await;
    assert!(absent.rows.is_empty());
    assert_eq!(absent.scanned.rows, 2, "the tail's rows only");
}

#[tokio::test]
async fn what_was_read_is_reported() {
    let stage = Stage::new().await;
    let one = stage.ask("SELECT number FROM {t} WHERE number >= 0").await.scanned;
    let all = stage.ask("SELECT * FROM {t}").await.scanned;
    assert_eq!((one.rows, all.rows), (6, 6));
    assert!(one.bytes > 0 && one.bytes < all.bytes, "{one:?} {all:?}");
}

#[tokio::test]
async fn fields_that_are_not_asked_for_are_not_read() {
    let mut stage = Stage::new().await;
    let table = stage.tables.get_mut(STORE).expect("the table");
    table.tail.clear();
    let bytes = async |sql: &str| stage.ask(sql).await.scanned.bytes;
    let whole = bytes("SELECT userIdentity FROM {t}").await;
    let field = bytes("SELECT userIdentity.sessionContext.attributes.mfaAuthenticated FROM {t}").await;
    assert!(field > 0 && field * 3 < whole, "{field} of {whole}");
    let filtered = "SELECT userIdentity.arn, count(*) FROM {t} WHERE userIdentity.sessionContext.attributes.mfaAuthenticated = 'true' \
                    GROUP BY 1";
    assert_eq!(stage.lines(filtered).await, ["arn:aws:iam::111122223333:user/alice|2"]);
    let both = "SELECT userIdentity.type, userIdentity FROM {t} WHERE userIdentity.arn IS NULL";
    assert!(
        stage.lines(both).await[0].starts_with("IAMUser|{type=IAMUser, arn=null, accountid=111122223333")
    );
    let united = "SELECT u.arn FROM (SELECT userIdentity AS u FROM {t} UNION ALL SELECT userIdentity FROM {t}) WHERE u.arn LIKE '%bob'";
    assert_eq!(stage.lines(united).await.len(), 2);
    let related = "SELECT a.number FROM {t} a WHERE EXISTS (SELECT 1 FROM {t} b WHERE b.userIdentity.arn = a.userIdentity.arn \
                   AND b.number > a.number) ORDER BY 1";
    assert_eq!(stage.lines(related).await, ["0"]);
}

#[tokio::test]
async fn columns_that_a_file_has_not_are_null() {
    let mut stage = Stage::new().await;
    let store = Arc::new(InMemory::new());
    let narrow = events(0..4).project(&[0, 1]).expect("two columns");
    let file = write(&store, "narrow.parquet", &narrow, DAY, DAY + MS_OF_DAY).await;
    let table = stage.tables.get_mut(STORE).expect("the table");
    table.store = store;
    table.files = vec![file];
    let lines = stage.lines("SELECT eventName, number, userIdentity.arn FROM {t} WHERE eventTime < '2023-07-20 01:30:00' ORDER BY 1").await;
    assert_eq!(lines, ["GetObject|-|-", "PutObject|-|-"]);
    let lines = stage.lines("SELECT number FROM {t} WHERE number IS NOT NULL ORDER BY 1").await;
    assert_eq!(lines, ["4", "5"]);
}

#[tokio::test]
async fn an_escaped_character_of_a_pattern_excludes_nothing_that_it_matches() {
    let mut stage = Stage::new().await;
    let store = Arc::new(InMemory::new());
    let names =
        arrow::array::StringArray::from(vec!["Get_Object", "Get_Object", "Get_Object\\x", "Get_Objects"]);
    let mut columns = events(0..4).columns().to_vec();
    columns[1] = Arc::new(names);
    let batch = arrow::array::RecordBatch::try_new(schema(), columns).expect("a batch");
    let file = write(&store, "escaped.parquet", &batch, DAY, DAY + MS_OF_DAY).await;
    let table = stage.tables.get_mut(STORE).expect("the table");
    (table.store, table.files) = (store, vec![file]);
    table.tail.clear();
    for (condition, count) in [
        (r"eventName LIKE 'Get\_%' ESCAPE '\'", "4"),
        (r"eventName LIKE 'Get$_Object' ESCAPE '$'", "2"),
        (r"eventName NOT LIKE 'Get$_Object%' ESCAPE '$'", "0"),
        (r"eventName LIKE 'Get_Object\%'", "1"),
        (r"eventName LIKE concat('Get\_', 'Obj%') ESCAPE '\'", "4"),
        (r"eventName LIKE concat('Get_Object\', '%')", "1"),
        ("eventName LIKE 'Get_Object%'", "4"),
    ] {
        let counted = stage.lines(&format!("SELECT count(eventName) FROM {{t}} WHERE {condition}")).await;
        assert_eq!(counted, [count], "{condition}");
    }
}
