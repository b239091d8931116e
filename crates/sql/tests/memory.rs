//! What a query may do to the memory of the process: a few hundred MB more than queries may have, and no more.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentrail_memory::Arena;
use opentrail_sql::{Engine, EngineOptions, Limits, MemoryGauge, SqlError, Statement};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Memory of queries here. Thrice that and what the engine allows besides are 352 MiB.
const MEMORY: usize = 32 << 20;
const LIMIT: usize = 3 * MEMORY + (256 << 20);
/// What queries may be above the limit until they have ended.
const BEYOND: usize = 200 << 20;

/// A thousand numbers as `e`, to be joined with itself.
const NUMBERS: &str = "WITH d AS (SELECT x FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t(x)), \
    e AS (SELECT a.x + 10 * b.x + 100 * c.x AS x FROM d a, d b, d c), \
    texts AS (SELECT CAST(a.x AS varchar) || ' and some text that takes room ' || CAST(b.x AS varchar) AS t \
    FROM e a, e b, e c) ";

#[derive(Debug)]
struct Gauge(Arena);

impl MemoryGauge for Gauge {
    fn enter(&self) {
        self.0.enter().expect("it enters");
    }

    fn allocated(&self) -> usize {
        self.0.allocated().expect("a number")
    }
}

/// Looks at the engine's memory until it is dropped.
struct Peak {
    highest: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Peak {
    fn of(gauge: &Arc<Gauge>) -> Self {
        let peak = Peak { highest: Arc::default(), is_over: Arc::default() };
        let (gauge, highest, is_over) =
            (Arc::clone(gauge), Arc::clone(&peak.highest), Arc::clone(&peak.is_over));
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                highest.fetch_max(gauge.allocated(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        peak
    }

    fn highest(&self) -> usize {
        self.highest.load(Ordering::Relaxed)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The most memory that the process ever had, in bytes.
fn most_resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

async fn rows(engine: &Engine, sql: &str) -> Result<Vec<Vec<Option<String>>>, SqlError> {
    let statement = Statement::parse(&format!("{NUMBERS} {sql}"))?;
    let limits = Limits { time: Duration::from_secs(60), rows: None, spills: true };
    let mut running = engine.run_in_turn(&statement, BTreeMap::new(), &[], limits).await?;
    let mut rows = Vec::new();
    while let Some(piece) = running.next().await? {
        rows.extend(piece);
    }
    Ok(rows)
}

/// Queries that would take all the memory that there is.
const RUNAWAY: [(&str, &str); 8] = [
    ("a window over everything", "SELECT max(t) OVER () FROM texts"),
    ("a window whose values are as large as it is", "SELECT array_agg(a.x) OVER () FROM e a, e b"),
    ("a window of large values", "SELECT first_value(sequence(x, x + 4000)) OVER () FROM e"),
    (
        "a running window",
        "SELECT cardinality(array_agg(t) OVER (ORDER BY t)) FROM (SELECT t FROM texts LIMIT 300000)",
    ),
    (
        "unnested products",
        "SELECT max(x) OVER () FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y) \
         CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z)",
    ),
    ("all values as an array", "SELECT array_agg(t) FROM texts"),
    ("all values as a text", "SELECT length(array_join(array_agg(t || repeat('x', 1000)), ',')) FROM texts"),
    (
        "a join of large texts",
        "SELECT max(a.t || b.t) OVER () FROM (SELECT repeat(t, 100) AS t FROM texts) a, (SELECT 'x' AS t FROM e) b",
    ),
];

/// Queries that make much of little, piece by piece, or spill.
const FRUGAL: [(&str, &str); 4] = [
    (
        "SELECT count(*) FROM (SELECT CAST(a.x AS varchar) || ' and some text ' || CAST(b.x AS varchar) AS t FROM e a, e b \
         WHERE b.x < 500 GROUP BY 1)",
        "500000",
    ),
    (
        "SELECT count(*) FROM UNNEST(sequence(1, 2000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 2000)) AS b(y)",
        "4000000",
    ),
    ("SELECT count(cardinality(sequence(1, 10000))) FROM e", "1000"),
    (
        "SELECT sum(length(t)) FROM (SELECT lpad('x', 1000000, 'x') AS t) CROSS JOIN UNNEST(sequence(1, 2000)) AS u(n)",
        "2000000000",
    ),
];

fn engine(folder: &Path, gauge: Arc<Gauge>) -> Engine {
    Engine::new(EngineOptions {
        memory: MEMORY,
        spill_folder: folder.join("spill"),
        spill: 1 << 30,
        threads: 2,
        concurrent: 2,
        gauge: Some(gauge),
    })
    .expect("an engine")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runaway_query_ends_before_it_takes_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let gauge = Arc::new(Gauge(Arena::new().expect("an arena")));
    let engine = engine(folder.path(), gauge.clone());
    let before = most_resident();
    for (name, sql) in RUNAWAY {
        let peak = Peak::of(&gauge);
        let ended = rows(&engine, sql).await.map(|rows| rows.len());
        println!(
            "{name}: {} MiB at most, {} resident, {ended:?}",
            peak.highest() >> 20,
            most_resident() >> 20
        );
        let is_memory = matches!(ended, Err(SqlError::ExceededMemory(_) | SqlError::OutOfMemory(_)));
        assert!(is_memory, "{name}: {ended:?}");
        assert!(peak.highest() < LIMIT + BEYOND, "{name}: {} bytes", peak.highest());
        let next = rows(&engine, "SELECT count(*) FROM e").await;
        assert_eq!(next, Ok(vec![vec![Some("1000".to_owned())]]), "after {name}");
    }
    for (sql, expected) in FRUGAL {
        let peak = Peak::of(&gauge);
        let given = rows(&engine, sql).await;
        println!("{sql}: {} MiB at most, {} resident", peak.highest() >> 20, most_resident() >> 20);
        assert_eq!(given, Ok(vec![vec![Some(expected.to_owned())]]), "{sql}");
    }
    let grown = most_resident() - before;
    assert!(grown < LIMIT + 2 * BEYOND, "{grown} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_before_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let gauge = Arc::new(Gauge(Arena::new().expect("an arena")));
    let engine = engine(folder.path(), gauge);
    let statement = Statement::parse(&format!("{NUMBERS} SELECT a.x FROM e a, e b")).expect("a query");
    let mut first = engine.run(&statement, BTreeMap::new(), &[], Limits::default()).await.expect("it starts");
    let mut given = first.next().await.expect("rows").map_or(0, |rows| rows.len());
    let ended = rows(&engine, "SELECT max(t) OVER () FROM texts").await;
    assert!(matches!(ended, Err(SqlError::ExceededMemory(_))), "{ended:?}");
    while let Some(piece) = first.next().await.expect("rows") {
        given += piece.len();
    }
    assert_eq!(given, 1_000_000);
}
