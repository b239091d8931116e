//! An event data store: an import of log files and ten questions over it, both beside DuckDB on the same files; and
//! uploads of events while it is asked.

mod duckdb;
mod logs;
mod questions;
mod store;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::{Setting, megabytes, middle};
use crate::{
    client::{Access, Connection},
    error::{BenchError, check},
    events::{BATCH, Events},
    fsck,
    load::{self, Until},
    outcome::{Outcome, Target, Unit},
    process::Server,
    real_events::{RealEvents, Spread, find_files},
    usage::{self, Stretch},
};
use duckdb::DuckDb;
use logs::Logs;
use questions::Question;
use store::Store;

/// What issue 5 asks for, in megabytes of JSON a second.
const IMPORT_MB: f64 = 150.0;
/// The design's target for resident memory while events come in.
const RESIDENT_MB: f64 = 600.0;
const BUCKET: &str = "bench-logs";
/// The stretch of time that the imported events cover.
const SPAN: TimeDelta = TimeDelta::days(30);
/// How often each question is asked of each; the middle one counts.
const TURNS: usize = 3;
/// How long events are uploaded, in seconds, without questions and then with them.
const STRETCH: f64 = 20.0;
/// Longest wait until files are merged, and until uploaded events are seen.
const SETTLE_LIMIT: Duration = Duration::from_secs(600);
/// Files that were merged go quickly, so that the folder's size is that of the table.
const FLAGS: [&str; 6] = ["--lake-grace", "60s", "--query-time", "60s", "--lake-tidy-interval", "5s"];
/// No file came or went for so long when merging has come to its end: longer than those that were merged stay.
const QUIET: Duration = Duration::from_secs(75);

/// What each engine took for a question.
struct Took {
    name: &'static str,
    lake: Duration,
    duckdb: Duration,
    rows: usize,
}

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let python = setting.python.as_deref().ok_or_else(|| {
        BenchError::Missing(
            "no DuckDB to compare with: run through `make bench`, or give --python".to_owned(),
        )
    })?;
    let uploads = (setting.amount(setting.lake_events) / BATCH).max(1);
    let total = uploads * BATCH;
    let events = RealEvents::load(&setting.records, Spread::Regions, 0x1a4e)?.over(SPAN, total);
    let logs = logs::write(&setting.folder.join("logs"), &events, uploads)?;
    let mut outcome = Outcome::default();
    outcome.work.push(format!(
        "{} log files with {BATCH} real records each that have new ids and lie in 30 days: {total} events, {:.0} MB of \
         JSON, {:.0} MB of gzip",
        logs.names.len(),
        megabytes(logs.json_bytes),
        megabytes(logs.gzip_bytes)
    ));

    let server = setting.launcher.start(&setting.folder, &FLAGS)?;
    let access = server.access();
    logs.put(&access, BUCKET).await?;
    let mut connection = access.connect().await?;
    let store = Store::make(&mut connection).await?;
    let mut peer = DuckDb::start(python)?;
    import(&server, &mut connection, &store, &logs, total, &mut outcome).await?;
    let parquet = setting.folder.join("duckdb");
    let written = peer.write(&logs.folder, &parquet)?;
    outcome.tells(
        "… DuckDB, the same files into its own Parquet",
        megabytes(logs.json_bytes) / written.seconds,
        Unit::MegabytesPerSecond,
    );
    let stored = settled(&setting.folder.join("data")).await?;
    outcome.notes.push(format!(
        "on disk: {:.0} MB in the store, {:.0} MB in DuckDB's Parquet, which has columns and records too",
        megabytes(stored),
        megabytes(written.bytes)
    ));
    let ten = questions::ten(&events, total)?;
    compare(&mut connection, &store, &mut peer, &ten, &mut outcome).await?;
    let search = one(&mut connection, &store, &mut peer, &questions::search(&events, total)).await?;
    outcome.notes.push(line(&search));
    outcome.notes.push(format!("compared with {}", peer.version()?));
    drop(peer);
    beside(setting, &server, &access, &store, &ten, total, &mut outcome).await?;
    server.stop()?;
    outcome.checks.push(fsck::clean(&setting.launcher, &setting.folder)?);
    Ok(outcome)
}

/// The import.
async fn import(
    server: &Server,
    connection: &mut Connection,
    store: &Store,
    logs: &Logs,
    total: u64,
    outcome: &mut Outcome,
) -> Result<(), BenchError> {
    let stretch = Stretch::begin(server.pid())?;
    let (took, statistics) = store.import(connection, BUCKET).await?;
    let used = stretch.end()?;
    let files = logs.names.len() as u64;
    check(
        statistics.files_completed == files
            && statistics.events_completed == total
            && statistics.failed_entries == 0,
        || {
            format!(
                "{} of {files} files and {} of {total} events were imported, {} failed",
                statistics.files_completed, statistics.events_completed, statistics.failed_entries
            )
        },
    )?;
    store.each_once(connection).await?;
    let found = store.count(connection).await?;
    check(found == total, || format!("{total} events were imported, {found} are there"))?;
    outcome.aims(
        "StartImport of log files from a bucket, JSON",
        megabytes(logs.json_bytes) / took.as_secs_f64(),
        Unit::MegabytesPerSecond,
        Target::AtLeast(IMPORT_MB),
    );
    outcome.checks.push(format!("all {total} events are in the store exactly once, and no file failed"));
    let peak = usage::memory(server.pid())?.peak;
    outcome.notes.push(format!(
        "import: {:.1} s; {}; peak of resident memory {:.0} MB",
        took.as_secs_f64(),
        used.line(),
        megabytes(peak)
    ));
    Ok(())
}

/// The questions, of both in turn.
async fn compare(
    connection: &mut Connection,
    store: &Store,
    peer: &mut DuckDb,
    questions: &[Question],
    outcome: &mut Outcome,
) -> Result<(), BenchError> {
    let mut all = Vec::new();
    for question in questions {
        all.push(one(connection, store, peer, question).await?);
    }
    let lake = all.iter().map(|took| took.lake).sum::<Duration>().as_secs_f64();
    let duckdb = all.iter().map(|took| took.duckdb).sum::<Duration>().as_secs_f64();
    outcome.aims(
        "ten questions in total, compared with DuckDB over its own Parquet of the same files",
        duckdb / lake,
        Unit::Times,
        Target::AtLeast(1.0),
    );
    outcome.tells("… the store, from StartQuery to the rows", lake, Unit::Seconds);
    outcome.tells("… DuckDB", duckdb, Unit::Seconds);
    outcome.checks.push(format!("both give the same rows to each question, in each of {TURNS} turns"));
    outcome.notes.extend(all.iter().map(line));
    Ok(())
}

fn line(took: &Took) -> String {
    let (lake, duckdb) = (took.lake.as_secs_f64(), took.duckdb.as_secs_f64());
    format!("{}: {lake:.3} s, DuckDB {duckdb:.3} s ({} rows)", took.name, took.rows)
}

async fn one(
    connection: &mut Connection,
    store: &Store,
    peer: &mut DuckDb,
    question: &Question,
) -> Result<Took, BenchError> {
    let (mut lake, mut duckdb, mut count) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        let (took, ours) = store.ask(connection, &question.lake).await?;
        let theirs = peer.ask(&question.duckdb)?;
        check(ours == theirs.rows && !ours.is_empty(), || {
            let place =
                ours.iter().zip(&theirs.rows).position(|(one, other)| one != other).unwrap_or_default();
            format!(
                "{}: {} rows and {} of DuckDB; row {place}: {:?} and {:?}",
                question.name,
                ours.len(),
                theirs.rows.len(),
                ours.get(place),
                theirs.rows.get(place)
            )
        })?;
        count = ours.len();
        lake.push(took);
        duckdb.push(Duration::from_secs_f64(theirs.seconds));
    }
    Ok(Took { name: question.name, lake: middle(lake), duckdb: middle(duckdb), rows: count })
}

/// Uploads into the store, first by themselves, then while a client asks one question after the other.
async fn beside(
    setting: &Setting,
    server: &Server,
    access: &Access,
    store: &Store,
    questions: &[Question],
    imported: u64,
    outcome: &mut Outcome,
) -> Result<(), BenchError> {
    let mut connection = access.connect().await?;
    store.start_ingestion(&mut connection).await?;
    let mut there = imported;
    let mut upload = async |seed: u64| {
        let events: Arc<dyn Events> = setting.real_events(Spread::Regions, seed)?;
        let until = Until::Elapsed(setting.stretch(STRETCH));
        let mut connection = access.connect().await?;
        let began = Instant::now();
        let load = load::run(access, &events, setting.connections, until).await?;
        there += load.events();
        while store.count(&mut connection).await? != there {
            if began.elapsed() > SETTLE_LIMIT {
                return Err(BenchError::TooLate {
                    what: "all uploaded events in the store",
                    limit: SETTLE_LIMIT,
                });
            }
        }
        Ok(load.events() as f64 / began.elapsed().as_secs_f64())
    };
    let alone = upload(0xa10e).await?;
    let mut asker = access.connect().await?;
    let mut answered = 0_u64;
    let asking = async {
        for question in questions.iter().cycle() {
            store.ask(&mut asker, &question.lake).await?;
            answered += 1;
        }
        Ok::<_, BenchError>(())
    };
    let together = tokio::select! {
        rate = upload(0xb51d) => rate?,
        asked = asking => return Err(asked.err().unwrap_or(BenchError::Missing("no questions".to_owned()))),
    };
    let memory = usage::memory(server.pid())?;
    store.each_once(&mut connection).await?;
    outcome.tells(
        "POST /v1/events, until a query of the store counts them all",
        alone,
        Unit::EventsPerSecond,
    );
    outcome.tells("… while a client asks the ten questions without a pause", together, Unit::EventsPerSecond);
    outcome.aims(
        "… peak of resident memory, with all of the above",
        megabytes(memory.peak),
        Unit::Megabytes,
        Target::Below(RESIDENT_MB),
    );
    outcome.notes.push(format!("{answered} questions were answered meanwhile"));
    outcome.checks.push(format!(
        "all {} uploaded events are in the store exactly once besides the imported ones",
        there - imported
    ));
    Ok(())
}

/// The bytes of the store's Parquet files, once merging has come to an end.
async fn settled(data: &Path) -> Result<u64, BenchError> {
    let began = Instant::now();
    let mut last = (parquet(data)?, Instant::now());
    while last.1.elapsed() < QUIET {
        if began.elapsed() > SETTLE_LIMIT {
            return Err(BenchError::TooLate { what: "the end of merging", limit: SETTLE_LIMIT });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = parquet(data)?;
        if now != last.0 {
            last = (now, Instant::now());
        }
    }
    Ok(last.0.values().sum())
}

/// The Parquet files below a folder and their sizes.
fn parquet(folder: &Path) -> Result<BTreeMap<PathBuf, u64>, BenchError> {
    let mut paths = Vec::new();
    find_files(folder, ".parquet", &mut paths)?;
    // A file may go meanwhile.
    let sized =
        paths.into_iter().filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok()?.len())));
    Ok(sized.collect())
}
