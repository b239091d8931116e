//! Lake's files: CloudTrail's log files become columns and Parquet, in this process, without a table or a server.

use std::{io::Read, path::Path, time::Instant};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use opentrail_event::{Event, split_records};
use opentrail_lake::{Columns, EncodedFile, Extra, Shape, encode, schema};

use super::Setting;
use crate::{
    error::{BenchError, check},
    outcome::{Outcome, Target, Unit},
    real_events::{LOG_FILE, find_files},
};

/// What issue 5 asks for: bytes on disk for a byte of CloudTrail's own files.
const OF_GZIP: f64 = 0.5;
/// How often it is measured; the fastest counts, for nothing but the work itself belongs to it.
const RUNS: usize = 3;

/// What came of all files.
struct Made {
    events: u64,
    json_bytes: u64,
    files: Vec<EncodedFile>,
    seconds: f64,
}

pub(super) fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let logs = read(&setting.records)?;
    let gzip: u64 = logs.iter().map(|log| log.len() as u64).sum();
    let mut runs = (0..RUNS).map(|_| make(&logs)).collect::<Result<Vec<_>, _>>()?;
    runs.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let made = runs.swap_remove(0);
    let stored: u64 = made.files.iter().map(|file| file.bytes.len() as u64).sum();
    let rows: u64 = made.files.iter().map(|file| file.rows).sum();
    check(rows == made.events, || format!("{} events went in, {rows} rows came out", made.events))?;
    let kept = column_bytes(&made.files, stands_for_record);
    let each = |bytes: u64| bytes as f64 / made.events as f64;

    let mut outcome = Outcome::default();
    outcome.aims(
        "bytes on disk for a byte of gzip JSON",
        stored as f64 / gzip as f64,
        Unit::Parts,
        Target::Below(OF_GZIP),
    );
    let speed = made.json_bytes as f64 / 1e6 / made.seconds;
    outcome.tells("gunzip, parse, columns, sort and Parquet, one core", speed, Unit::MegabytesPerSecond);
    outcome.work.push(format!(
        "{} events in {} log files as CloudTrail delivered them, {:.0} bytes of JSON and {:.0} bytes of gzip an event; \
         {} Parquet files, one a day; {RUNS} runs, the fastest counts",
        made.events,
        logs.len(),
        each(made.json_bytes),
        each(gzip),
        made.files.len()
    ));
    outcome.checks.push("the files have as many rows as there were events".to_owned());
    outcome.notes.push(format!(
        "{:.0} bytes an event: {:.0} for its columns, {:.1} for what of the record they lack (its form, odd values, records \
         that are kept whole), the rest for bloom filters and footers",
        each(stored),
        each(column_bytes(&made.files, |path| !stands_for_record(path))),
        each(kept),
    ));
    outcome
        .notes
        .push("random ids, which don't compress, are about 78 bytes of each of these events".to_owned());
    Ok(outcome)
}

fn read(folder: &Path) -> Result<Vec<Vec<u8>>, BenchError> {
    let mut paths = Vec::new();
    find_files(folder, LOG_FILE, &mut paths)?;
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).map_err(BenchError::file(path))).collect()
}

fn make(logs: &[Vec<u8>]) -> Result<Made, BenchError> {
    let wrong = |error: &dyn std::fmt::Display| BenchError::Wrong(error.to_string());
    let start = Instant::now();
    let mut columns = Columns::new(Shape::Event);
    let (mut events, mut json_bytes) = (0, 0);
    for log in logs {
        let mut text = Vec::new();
        MultiGzDecoder::new(log.as_slice()).read_to_end(&mut text)?;
        for record in split_records(Bytes::from(text)) {
            let record = record.map_err(|error| wrong(&error))?;
            let event = Event::parse(record).map_err(|error| wrong(&error))?;
            events += 1;
            json_bytes += event.raw().len() as u64;
            columns.push(&event, Extra::default());
        }
    }
    let batch = columns.finish().map_err(|error| wrong(&error))?;
    let files = encode(Shape::Event, &[batch]).map_err(|error| wrong(&error))?;
    Ok(Made { events, json_bytes, files, seconds: start.elapsed().as_secs_f64() })
}

fn stands_for_record(column: &str) -> bool {
    [schema::RECORD, schema::FORM, schema::REST].contains(&column)
}

/// The compressed bytes of some columns.
fn column_bytes(files: &[EncodedFile], counts: impl Fn(&str) -> bool) -> u64 {
    let columns = files.iter().flat_map(|file| file.metadata.row_groups()).flat_map(|group| group.columns());
    let some = columns.filter(|column| counts(&column.column_path().string()));
    some.map(|column| u64::try_from(column.compressed_size()).unwrap_or_default()).sum()
}
