//! Groups by numbers of texts are the groups by the texts: each question is asked of files, which have dictionaries, and
//! of the same rows in memory, which have none.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use opentrail_sql::{DataFile, Engine, Limits, SqlError, Statement, TableData};
use proptest::prelude::*;

use crate::stage::{DAY, engine, finish};

const QUESTIONS: [&str; 26] = [
    "SELECT name, count(*) FROM {t} GROUP BY name",
    "SELECT name, source, flag, count(*), count(number), min(eventTime), max(number), sum(number) FROM {t} GROUP BY name, source, flag",
    "SELECT id, count(*), count(DISTINCT who.arn) FROM {t} GROUP BY id",
    "SELECT who.arn, who.inner.user, count(*), count(name) FROM {t} WHERE name IN ('a', 'b', '12') GROUP BY who.arn, who.inner.user",
    "SELECT date_trunc('day', eventTime), count(DISTINCT who.arn), count(DISTINCT id), count(DISTINCT number) FROM {t} GROUP BY 1",
    "SELECT date_trunc('hour', eventTime), count(*) FROM {t} WHERE who.type = 'Root' GROUP BY 1",
    "SELECT who.type, count(*) FROM {t} WHERE who.arn IS NOT NULL GROUP BY who.type",
    "SELECT who.type, count(*) FROM {t} WHERE who.arn IS NULL GROUP BY 1",
    "SELECT who.type, name, count(*) FROM {t} WHERE who.arn LIKE '%1' OR name <> 'a' GROUP BY 1, 2",
    "SELECT name, count(*) FROM {t} WHERE who.type NOT IN ('Root', 'x') AND number > 2 GROUP BY name",
    "SELECT upper(name), length(who.arn), count(*) FROM {t} GROUP BY 1, 2",
    "SELECT coalesce(who.arn, name, 'none'), count(*) FROM {t} GROUP BY 1",
    "SELECT name, count(*) FROM {t} GROUP BY name HAVING count(*) > 2",
    "SELECT source, count(DISTINCT name) FILTER (WHERE flag), count(*) FILTER (WHERE who.type = 'Root') FROM {t} GROUP BY source",
    "SELECT source, max(name), min(who.arn), count(DISTINCT upper(name)) FROM {t} GROUP BY source",
    "SELECT a.name, b.who.type, count(*) FROM {t} AS a JOIN {t} AS b ON a.id = b.id GROUP BY a.name, b.who.type",
    "SELECT DISTINCT name, who.type FROM {t}",
    "SELECT CAST(name AS bigint) AS n, count(*) FROM {t} WHERE name LIKE '1%' GROUP BY 1",
    "SELECT name, source, count(*) FROM {t} GROUP BY ROLLUP (name, source)",
    "SELECT count(DISTINCT name), count(DISTINCT who.arn), count(*) FROM {t}",
    "SELECT who.arn FROM {t} WHERE who.type = 'Root' ORDER BY 1 LIMIT 3",
    "SELECT who, who.arn FROM {t} WHERE who.inner.user = 'u1'",
    "SELECT number, flag, count(DISTINCT source) FROM {t} GROUP BY number, flag",
    "SELECT n, count(*) FROM (SELECT name AS n, number + 1 AS m FROM {t} WHERE number > 1) WHERE m < 6 GROUP BY n",
    "SELECT n, count(*) FROM (SELECT name AS n FROM {t} UNION ALL SELECT who.arn FROM {t}) GROUP BY n",
    "SELECT date(eventTime), name, count(*) FROM {t} GROUP BY 1, 2",
];

#[derive(Debug, Clone)]
struct Row {
    time: i64,
    name: Option<&'static str>,
    source: Option<&'static str>,
    id: u16,
    flag: Option<bool>,
    number: Option<i64>,
    who: Option<Who>,
}

#[derive(Debug, Clone)]
struct Who {
    kind: Option<&'static str>,
    arn: Option<u8>,
    user: Option<Option<u8>>,
}

/// How a part of the rows is written.
#[derive(Debug, Clone, Copy)]
enum How {
    /// With dictionaries.
    Dictionaries,
    /// With dictionaries that are soon full.
    Overflowing,
    Plain,
    /// Without some of the columns.
    Less,
    /// Without the members that are asked for.
    WithoutMembers,
    /// Not in a file.
    Tail,
}

fn row() -> impl Strategy<Value = Row> {
    let name = prop::option::weighted(0.9, prop::sample::select(vec!["a", "b", "c", "", "12", "1", "ä"]));
    let source = prop::option::weighted(0.9, prop::sample::select(vec!["s3", "iam", "sts"]));
    let kind = prop::option::of(prop::sample::select(vec!["Root", "IAMUser", "x"]));
    let who = (kind, prop::option::of(0..5_u8), prop::option::of(prop::option::of(0..3_u8)));
    let who = prop::option::weighted(0.8, who.prop_map(|(kind, arn, user)| Who { kind, arn, user }));
    let time = (0..3_i64, 0..24_i64).prop_map(|(day, hour)| DAY + day * 86_400_000 + hour * 3_600_000);
    (time, name, source, 0..40_u16, any::<Option<bool>>(), prop::option::of(0..6_i64), who).prop_map(
        |(time, name, source, id, flag, number, who)| Row { time, name, source, id, flag, number, who },
    )
}

fn parts() -> impl Strategy<Value = Vec<(How, Vec<Row>)>> {
    let how = prop::sample::select(vec![
        How::Dictionaries,
        How::Dictionaries,
        How::Overflowing,
        How::Plain,
        How::Less,
        How::WithoutMembers,
        How::Tail,
    ]);
    prop::collection::vec((how, prop::collection::vec(row(), 1..60)), 1..5)
}

fn inner() -> Fields {
    Fields::from(vec![Field::new("user", DataType::Utf8, true)])
}

fn who() -> Fields {
    Fields::from(vec![
        Field::new("type", DataType::Utf8, true),
        Field::new("arn", DataType::Utf8, true),
        Field::new("inner", DataType::Struct(inner()), true),
        Field::new("other", DataType::Utf8, true),
    ])
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("eventTime", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("name", DataType::Utf8, true),
        Field::new("source", DataType::Utf8, true),
        Field::new("id", DataType::Utf8, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("number", DataType::Int64, true),
        Field::new("who", DataType::Struct(who()), true),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let of_who = |text: &dyn Fn(&Who) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.who.as_ref().and_then(text)).collect::<StringArray>())
    };
    let user = of_who(&|who| who.user.flatten().map(|user| format!("u{user}")));
    let has = |is: &dyn Fn(&Row) -> bool| Some(NullBuffer::from_iter(rows.iter().map(is)));
    let within = has(&|row| row.who.as_ref().is_some_and(|who| who.user.is_some()));
    let members: Vec<ArrayRef> = vec![
        of_who(&|who| who.kind.map(str::to_owned)),
        of_who(&|who| who.arn.map(|arn| format!("arn:aws:iam::111122223333:user/{arn}"))),
        Arc::new(StructArray::new(inner(), vec![user], within)),
        of_who(&|_| Some("other".to_owned())),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time * 1000))),
        Arc::new(rows.iter().map(|row| row.name).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.source).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(format!("id{}", row.id))).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>()),
        Arc::new(StructArray::new(who(), members, has(&|row| row.who.is_some()))),
    ];
    RecordBatch::try_new(schema(), columns).expect("a batch")
}

/// What a file has of a batch, and the batch that queries see of it.
fn less(batch: &RecordBatch, how: How) -> (RecordBatch, RecordBatch) {
    let gone =
        |index: usize| arrow::array::new_null_array(schema().field(index).data_type(), batch.num_rows());
    let mut seen = batch.columns().to_vec();
    let stored = match how {
        How::Less => {
            seen[2] = gone(2);
            seen[6] = gone(6);
            batch.project(&[0, 1, 3, 4, 5]).expect("columns")
        }
        How::WithoutMembers => {
            let whole: &StructArray = arrow::array::AsArray::as_struct(batch.column(6));
            let members = Fields::from(vec![who()[3].clone()]);
            let one = StructArray::new(members, vec![whole.column(3).clone()], whole.nulls().cloned());
            let mut fields = schema().fields().to_vec();
            fields[6] = Arc::new(Field::new("who", one.data_type().clone(), true));
            let mut nulls: Vec<ArrayRef> =
                who().iter().map(|it| arrow::array::new_null_array(it.data_type(), whole.len())).collect();
            nulls[3] = whole.column(3).clone();
            seen[6] = Arc::new(StructArray::new(who(), nulls, whole.nulls().cloned()));
            let mut columns = batch.columns().to_vec();
            columns[6] = Arc::new(one);
            RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch")
        }
        _ => batch.clone(),
    };
    (stored, RecordBatch::try_new(schema(), seen).expect("a batch"))
}

fn properties(how: How) -> WriterProperties {
    let builder = WriterProperties::builder().set_max_row_group_row_count(Some(37)).set_write_batch_size(4);
    match how {
        How::Plain => builder.set_dictionary_enabled(false),
        How::Overflowing => builder.set_dictionary_page_size_limit(16).set_data_page_row_count_limit(8),
        _ => builder,
    }
    .build()
}

/// The rows in files, and the same in memory.
async fn tables(parts: &[(How, Vec<Row>)]) -> [TableData; 2] {
    let store = Arc::new(InMemory::new());
    let (mut files, mut tail, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (how, rows)) in parts.iter().enumerate() {
        let (stored, seen) = less(&batch(rows), *how);
        all.push(seen);
        if matches!(how, How::Tail) {
            tail.push(stored);
            continue;
        }
        let mut writer =
            ArrowWriter::try_new(Vec::new(), stored.schema(), Some(properties(*how))).expect("a writer");
        writer.write(&stored).expect("rows");
        let bytes = writer.into_inner().expect("a file");
        let file = DataFile {
            path: Path::from(format!("{number}.parquet")),
            size: bytes.len() as u64,
            rows: rows.len() as u64,
            min_time: rows.iter().map(|row| row.time).min().unwrap_or_default(),
            max_time: rows.iter().map(|row| row.time).max().unwrap_or_default(),
        };
        let to: &dyn ObjectStore = store.as_ref();
        to.put(&file.path, bytes.into()).await.expect("kept");
        files.push(file);
    }
    let table = |files, tail| TableData {
        schema: schema(),
        store: store.clone(),
        files,
        tail,
        time_column: "eventTime".to_owned(),
        computed: None,
    };
    [table(files, tail), table(Vec::new(), all)]
}

/// The rows of an answer in some order that is always the same.
async fn ask(engine: &Engine, table: &TableData, question: &str) -> Result<Vec<String>, SqlError> {
    let statement = Statement::parse(&question.replace("{t}", "t"))?;
    let tables = BTreeMap::from([("t".to_owned(), table.clone())]);
    let mut lines = finish(engine.run(&statement, tables, &[], Limits::default()).await?).await?.lines();
    lines.sort();
    Ok(lines)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn files_and_memory_give_the_same_groups(parts in parts()) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let engine = engine(&folder, |_| {});
        runtime.block_on(async {
            let [files, memory] = tables(&parts).await;
            for question in QUESTIONS {
                let ours = ask(&engine, &files, question).await;
                let plain = ask(&engine, &memory, question).await;
                match (ours, plain) {
                    (Ok(ours), Ok(plain)) => assert_eq!(ours, plain, "{question}"),
                    (ours, plain) => panic!("{question}: {ours:?}, {plain:?}"),
                }
            }
        });
    }
}

/// Each of a thousand rows is a group with a set of its own.
#[tokio::test]
async fn groups_are_the_same_where_memory_is_short() {
    let row = |number: u16| Row {
        time: DAY + i64::from(number),
        name: Some("a"),
        source: None,
        id: number,
        flag: None,
        number: Some(i64::from(number % 7)),
        who: Some(Who { kind: Some("Root"), arn: Some((number % 200) as u8), user: None }),
    };
    let parts: Vec<(How, Vec<Row>)> =
        (0..4).map(|part| (How::Dictionaries, (part * 1000..(part + 1) * 1000).map(row).collect())).collect();
    let [files, memory] = tables(&parts).await;
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let small = engine(&folders[0], |options| options.memory = 4 << 20);
    let large = engine(&folders[1], |_| {});
    for question in [
        "SELECT id, count(*), count(DISTINCT who.arn), sum(number) FROM {t} GROUP BY id",
        "SELECT number, count(DISTINCT id) FROM {t} GROUP BY number",
    ] {
        let expected = ask(&large, &memory, question).await.expect("an answer");
        match ask(&small, &files, question).await {
            Ok(lines) => assert_eq!(lines, expected, "{question}"),
            Err(error) => assert!(matches!(error, SqlError::ExceededMemory(_)), "{question}: {error:?}"),
        }
    }
}
