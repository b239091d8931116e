//! What a query may use, and what becomes of it when it uses more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentrail_sql::{Limits, SqlError};

use crate::stage::{STORE, Stage, engine, events, eventually, finish, table};

/// A query that would run for hours and gives no row before its end.
const ENDLESS: &str = "WITH d AS (SELECT x FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t(x)), \
    e AS (SELECT a.x + 10 * b.x + 100 * c.x AS x FROM d a, d b, d c) \
    SELECT count(*) FROM e a, e b, e c, e f WHERE a.x + b.x + c.x + f.x = -1";

/// A million rows of text to sort.
const MUCH: &str = "WITH d AS (SELECT x FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t(x)), \
    e AS (SELECT a.x + 10 * b.x + 100 * c.x AS x FROM d a, d b, d c) \
    SELECT CAST(a.x AS varchar) || 'some text that takes room' || CAST(b.x AS varchar) AS t FROM e a, e b WHERE b.x < 800";

#[tokio::test]
async fn a_query_ends_when_its_time_is_over() {
    let stage = Stage::new().await;
    let started = Instant::now();
    let time = Duration::from_millis(300);
    let mut running =
        stage.start(ENDLESS, Limits { time, rows: None, spills: true }).await.expect("it starts");
    assert_eq!(running.next().await, Err(SqlError::TimedOut(time)));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_dropped_query_frees_its_place_within_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage { engine: engine(&folder, |options| options.concurrent = 1), ..Stage::new().await };
    let running = stage.start(ENDLESS, Limits::default()).await.expect("it starts");
    let busy = stage.start("SELECT 1", Limits::default()).await.expect_err("no place");
    assert_eq!(busy, SqlError::Busy(1));
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(running);
    let dropped = Instant::now();
    loop {
        match stage.try_ask("SELECT 1").await {
            Ok(answer) => break assert_eq!(answer.lines(), ["1"]),
            Err(SqlError::Busy(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
        assert!(dropped.elapsed() < Duration::from_secs(2), "the place is not free");
    }
}

#[tokio::test]
async fn queries_are_checked_and_wait_beside_those_that_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage { engine: engine(&folder, |options| options.concurrent = 1), ..Stage::new().await };
    let running = stage.start(ENDLESS, Limits::default()).await.expect("it starts");
    let statement = |sql: &str| opentrail_sql::Statement::parse(sql).expect("a query");
    let time = Duration::from_secs(30);
    let check = |sql: &str, time: Duration| {
        let (engine, statement) = (stage.engine.clone(), statement(sql));
        async move { engine.check(&statement, BTreeMap::new(), &[], time).await }
    };
    assert_eq!(check("SELECT 1", time).await, Ok(()));
    assert!(matches!(check("SELECT nothing", time).await, Err(SqlError::Mistake(_))));
    assert_eq!(check("SELECT 1", Duration::ZERO).await, Err(SqlError::TimedOut(Duration::ZERO)));
    let one = statement("SELECT 1");
    let short = Limits { time: Duration::from_millis(50), rows: None, spills: true };
    let late = stage.engine.run_in_turn(&one, BTreeMap::new(), &[], short).await;
    assert!(matches!(late, Err(SqlError::TimedOut(_))), "{late:?}");
    let waiting = stage.engine.run_in_turn(&one, BTreeMap::new(), &[], Limits::default());
    let (waited, ()) = tokio::join!(waiting, async { drop(running) });
    assert_eq!(
        finish(waited.expect("its turn")).await.map(|answer| answer.lines()),
        Ok(vec!["1".to_owned()])
    );
}

#[tokio::test]
async fn what_is_too_large_for_memory_is_spilled() {
    let folder = tempfile::tempdir().expect("a folder");
    let stage = Stage { engine: engine(&folder, |options| options.memory = 24 << 20), ..Stage::new().await };
    let mut running =
        stage.start(&format!("{MUCH} ORDER BY t DESC"), Limits::default()).await.expect("it starts");
    let mut last: Option<String> = None;
    let mut rows = 0;
    while let Some(piece) = running.next().await.expect("rows") {
        for row in piece {
            let text = row.into_iter().next().flatten().expect("a text");
            assert!(last.as_ref().is_none_or(|last| *last >= text));
            last = Some(text);
            rows += 1;
        }
    }
    assert_eq!(rows, 800_000);
    drop(running);
    let spill = folder.path().join("spill");
    let files = || walk(&spill);
    eventually("the spilled files are gone", || files() == 0).await;
}

fn walk(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { walk(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn too_much_to_spill_is_an_error_of_the_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = engine(&folder, |options| {
        options.memory = 8 << 20;
        options.spill = 1 << 20;
    });
    let stage = Stage { engine: small, ..Stage::new().await };
    let error = stage.error(&format!("{MUCH} ORDER BY t DESC")).await;
    assert!(matches!(error, SqlError::OutOfDisk(_)), "{error:?}");
    let error = stage
        .error(&format!("SELECT max(cardinality(a)) FROM (SELECT array_agg(t) AS a FROM ({MUCH}))"))
        .await;
    assert!(matches!(error, SqlError::OutOfMemory(_) | SqlError::OutOfDisk(_)), "{error:?}");
    assert_eq!(stage.lines("SELECT count(*) FROM {t}").await, ["6"]);
}

#[tokio::test]
async fn nothing_is_spilled_where_nothing_may_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = engine(&folder, |options| {
        options.memory = 8 << 20;
        options.spill = 0;
    });
    let stage = Stage { engine: small, ..Stage::new().await };
    assert_eq!(stage.lines("SELECT count(*) FROM {t}").await, ["6"]);
    let error = stage.error(&format!("{MUCH} ORDER BY t DESC")).await;
    assert!(matches!(error, SqlError::OutOfMemory(_) | SqlError::OutOfDisk(_)), "{error:?}");
}

#[tokio::test]
async fn no_function_makes_a_value_of_any_size() {
    let stage = Stage::new().await;
    for call in [
        "generate_series(1, 10000000000)",
        "range(1, 10000000000)",
        "array_repeat(1, 10000000000)",
        "array_resize(ARRAY[1], 10000000000)",
        "list_repeat(1, 10000000000)",
        "sequence(1, 10000000000)",
        "repeat(1, 10000000000)",
        "lpad('a', 10000000000, 'b')",
    ] {
        stage.error(&format!("SELECT {call}")).await;
    }
}

#[tokio::test]
async fn rows_beyond_the_limit_are_not_given() {
    let stage = Stage::new().await;
    let limits = Limits { rows: Some(2), ..Limits::default() };
    let running = stage.start("SELECT number FROM {t} ORDER BY number", limits).await.expect("it starts");
    assert_eq!(finish(running).await.expect("rows").lines(), ["0", "1"]);
}

#[tokio::test]
async fn a_panic_ends_its_query_and_nothing_else() {
    let stage = Stage::new().await;
    let mut broken = table(&events(0..4), Vec::new()).await;
    broken.store = std::sync::Arc::new(Panicking);
    let tables = BTreeMap::from([(STORE.to_owned(), broken)]);
    let statement =
        opentrail_sql::Statement::parse(&format!("SELECT eventName FROM {STORE}")).expect("a query");
    let running = stage.engine.run(&statement, tables, &[], Limits::default()).await;
    let ended = match running {
        Ok(running) => finish(running).await.map(|answer| answer.lines()),
        Err(error) => Err(error),
    };
    assert!(matches!(ended, Err(SqlError::Internal(_))), "{ended:?}");
    assert_eq!(stage.lines("SELECT count(*) FROM {t} WHERE number > 0").await, ["5"]);
}

/// A store that panics when it is read.
#[derive(Debug)]
struct Panicking;

impl std::fmt::Display for Panicking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Panicking")
    }
}

#[async_trait::async_trait]
impl object_store::ObjectStore for Panicking {
    async fn put_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::PutPayload,
        _: object_store::PutOptions,
    ) -> object_store::Result<object_store::PutResult> {
        panic!("on purpose")
    }

    async fn put_multipart_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::PutMultipartOptions,
    ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
        panic!("on purpose")
    }

    async fn get_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::GetOptions,
    ) -> object_store::Result<object_store::GetResult> {
        panic!("on purpose")
    }

    fn delete_stream(
        &self,
        _: futures::stream::BoxStream<'static, object_store::Result<object_store::path::Path>>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::path::Path>> {
        panic!("on purpose")
    }

    fn list(
        &self,
        _: Option<&object_store::path::Path>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        panic!("on purpose")
    }

    async fn list_with_delimiter(
        &self,
        _: Option<&object_store::path::Path>,
    ) -> object_store::Result<object_store::ListResult> {
        panic!("on purpose")
    }

    async fn copy_opts(
        &self,
        _: &object_store::path::Path,
        _: &object_store::path::Path,
        _: object_store::CopyOptions,
    ) -> object_store::Result<()> {
        panic!("on purpose")
    }
}
