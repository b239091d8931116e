//! A table of six events, in a file and a tail, and an engine to ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, LargeStringArray, ListArray, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use opentrail_sql::{
    DataFile, Engine, EngineOptions, Limits, Running, Scanned, SqlError, Statement, TableData,
};
use tempfile::TempDir;

/// The table's name.
pub(crate) const STORE: &str = "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809";

/// 2023-07-20 00:00:00 UTC in milliseconds.
pub(crate) const DAY: i64 = 1_689_811_200_000;

const HOUR: i64 = 3_600_000;

pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) tables: BTreeMap<String, TableData>,
    pub(crate) _folder: TempDir,
}

pub(crate) struct Answer {
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) scanned: Scanned,
}

impl Answer {
    /// Rows as text, values separated by `|`, NULL as `-`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        self.rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>().join("|")).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.columns.iter().map(|(_, kind)| kind.as_str()).collect()
    }
}

pub(crate) fn engine(folder: &TempDir, change: impl FnOnce(&mut EngineOptions)) -> Engine {
    let mut options = EngineOptions {
        memory: 256 << 20,
        spill_folder: folder.path().join("spill"),
        spill: 1 << 30,
        threads: 2,
        concurrent: 4,
        gauge: None,
    };
    change(&mut options);
    Engine::new(options).expect("an engine")
}

impl Stage {
    /// Four events in a file, two in the tail.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder, |_| {});
        let table = table(&events(0..4), vec![events(4..6)]).await;
        Stage { engine, tables: BTreeMap::from([(STORE.to_owned(), table)]), _folder: folder }
    }

    pub(crate) async fn start(&self, sql: &str, limits: Limits) -> Result<Running, SqlError> {
        let sql = sql.replace("{t}", STORE);
        let statement = Statement::parse(&sql)?;
        self.engine.run(&statement, self.tables.clone(), &[], limits).await
    }

    pub(crate) async fn try_ask(&self, sql: &str) -> Result<Answer, SqlError> {
        finish(self.start(sql, Limits::default()).await?).await
    }

    /// `{t}` in the text is the table's name.
    pub(crate) async fn ask(&self, sql: &str) -> Answer {
        match self.try_ask(sql).await {
            Ok(answer) => answer,
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        self.ask(sql).await.lines()
    }

    pub(crate) async fn error(&self, sql: &str) -> SqlError {
        match self.try_ask(sql).await {
            Ok(answer) => panic!("{sql} gave {:?}", answer.lines()),
            Err(error) => error,
        }
    }
}

pub(crate) async fn finish(mut running: Running) -> Result<Answer, SqlError> {
    let columns = running.columns().iter().map(|column| (column.name.clone(), column.kind.clone())).collect();
    let mut rows = Vec::new();
    while let Some(piece) = running.next().await? {
        rows.extend(piece);
    }
    Ok(Answer { columns, rows, scanned: running.scanned() })
}

/// Waits until something is so, for at most ten seconds.
pub(crate) async fn eventually(what: &str, is: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not happen");
}

pub(crate) async fn table(in_file: &RecordBatch, tail: Vec<RecordBatch>) -> TableData {
    let store = Arc::new(InMemory::new());
    let file = write(&store, "data/a.parquet", in_file, DAY, DAY + 3 * HOUR).await;
    TableData {
        schema: schema(),
        store,
        files: vec![file],
        tail,
        time_column: "eventTime".to_owned(),
        computed: None,
    }
}

pub(crate) async fn write(
    store: &Arc<InMemory>,
    path: &str,
    batch: &RecordBatch,
    min: i64,
    max: i64,
) -> DataFile {
    let properties = WriterProperties::builder().set_bloom_filter_enabled(true).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("rows");
    let bytes = writer.into_inner().expect("a file");
    let file = DataFile {
        path: Path::from(path),
        size: bytes.len() as u64,
        rows: batch.num_rows() as u64,
        min_time: min,
        max_time: max,
    };
    let store: &dyn ObjectStore = store.as_ref();
    store.put(&file.path, bytes.into()).await.expect("kept");
    file
}

fn text_fields(names: &[&str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

fn attributes() -> Fields {
    text_fields(&["creationDate", "mfaAuthenticated"])
}

fn session() -> Fields {
    Fields::from(vec![Field::new("attributes", DataType::Struct(attributes()), true)])
}

fn identity() -> Fields {
    let mut fields: Vec<_> = text_fields(&["type", "arn", "accountId"]).iter().cloned().collect();
    fields.push(Arc::new(Field::new("sessionContext", DataType::Struct(session()), true)));
    fields.into()
}

fn resource() -> Fields {
    text_fields(&["accountId", "type", "arn"])
}

fn resource_item() -> Field {
    Field::new("item", DataType::Struct(resource()), true)
}

fn map_type() -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

pub(crate) fn schema() -> SchemaRef {
    let ms = DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        Field::new("eventTime", ms, true),
        Field::new("eventName", DataType::Utf8, true),
        Field::new("eventSource", DataType::Utf8, true),
        Field::new("errorCode", DataType::Utf8, true),
        Field::new("readOnly", DataType::Boolean, true),
        Field::new("userIdentity", DataType::Struct(identity()), true),
        Field::new("requestParameters", map_type(), true),
        Field::new("resources", DataType::List(Arc::new(resource_item())), true),
        Field::new("number", DataType::Int64, true),
        Field::new("document", DataType::LargeUtf8, true),
    ]))
}

const NAMES: [&str; 6] = ["GetObject", "PutObject", "ConsoleLogin", "GetObject", "DeleteTrail", "GetObject"];
const SOURCES: [&str; 6] = [
    "s3.amazonaws.com",
    "s3.amazonaws.com",
    "signin.amazonaws.com",
    "s3.amazonaws.com",
    "cloudtrail.amazonaws.com",
    "s3.amazonaws.com",
];
const ERRORS: [Option<&str>; 6] =
    [None, Some("AccessDenied"), None, Some("NoSuchKey"), Some("AccessDenied"), None];
const USERS: [Option<&str>; 6] =
    [Some("alice"), Some("bob"), Some("alice"), None, Some("bob"), Some("carol")];
const MFA: [Option<&str>; 6] =
    [Some("true"), Some("false"), Some("true"), None, Some("false"), Some("false")];

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

/// The events of a range: one each hour from [`DAY`] on.
pub(crate) fn events(range: std::ops::Range<usize>) -> RecordBatch {
    let of = |values: &[Option<&'static str>; 6]| texts(range.clone().map(|index| values[index]));
    let always = |values: &[&'static str; 6]| texts(range.clone().map(|index| Some(values[index])));
    let arns: Vec<Option<String>> = range
        .clone()
        .map(|index| USERS[index].map(|user| format!("arn:aws:iam::111122223333:user/{user}")))
        .collect();
    let attributes_column =
        StructArray::new(attributes(), vec![always(&["2023-07-20T00:00:00Z"; 6]), of(&MFA)], None);
    let session_column = StructArray::new(session(), vec![Arc::new(attributes_column)], None);
    let identity_column = StructArray::new(
        identity(),
        vec![
            always(&["IAMUser"; 6]),
            texts(arns.iter().map(Option::as_deref)),
            always(&["111122223333"; 6]),
            Arc::new(session_column),
        ],
        None,
    );
    let times = range.clone().map(|index| DAY + index as i64 * HOUR);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMillisecondArray::from_iter_values(times)),
        always(&NAMES),
        always(&SOURCES),
        of(&ERRORS),
        Arc::new(BooleanArray::from_iter(range.clone().map(|index| Some(NAMES[index].starts_with("Get"))))),
        Arc::new(identity_column),
        parameters(range.clone()),
        resources(range.clone()),
        Arc::new(Int64Array::from_iter_values(range.clone().map(|index| index as i64))),
        Arc::new(LargeStringArray::from_iter_values(range.map(|index| format!("{{\"n\":{index}}}")))),
    ];
    RecordBatch::try_new(schema(), columns).expect("a batch")
}

/// `{bucketName=b0, key=k0}` for events of S3, NULL for the others.
fn parameters(range: std::ops::Range<usize>) -> ArrayRef {
    let names =
        MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for index in range {
        let s3 = SOURCES[index].starts_with("s3");
        if s3 {
            builder.keys().append_value("bucketName");
            builder.values().append_value(format!("b{}", index % 2));
            builder.keys().append_value("key");
            builder.values().append_option((index != 3).then(|| format!("k{index}")));
        }
        builder.append(s3).expect("an entry");
    }
    Arc::new(builder.finish())
}

/// As many resources as the event's number, modulo three.
fn resources(range: std::ops::Range<usize>) -> ArrayRef {
    let counts: Vec<usize> = range.clone().map(|index| index % 3).collect();
    let owners = range.clone().flat_map(|index| (0..index % 3).map(move |part| (index, part)));
    let arns: Vec<String> = owners.map(|(index, part)| format!("arn:aws:s3:::b{index}/{part}")).collect();
    let total = arns.len();
    let items = StructArray::new(
        resource(),
        vec![
            texts(vec![Some("111122223333"); total]),
            texts(vec![Some("AWS::S3::Object"); total]),
            texts(arns.iter().map(|arn| Some(arn.as_str()))),
        ],
        None,
    );
    let list =
        ListArray::new(Arc::new(resource_item()), OffsetBuffer::from_lengths(counts), Arc::new(items), None);
    assert_eq!(list.len(), range.len());
    Arc::new(list)
}
