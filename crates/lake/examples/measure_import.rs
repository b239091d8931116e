//! How fast files of CloudTrail come into a store: `measure_import FOLDER [files|large] GIGABYTES [WORK]`.
//!
//! The records of FOLDER's files are repeated with new ids and times until they are so many gigabytes of JSON, in files
//! as small as they are there, or of some 4 MB; then they are imported from memory into a table on the disk, once
//! (WORK is where), and once more, where everything is there already.
#![expect(clippy::print_stdout, reason = "what it measures is its output")]

use std::{
    collections::BTreeMap,
    error::Error,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Days, Utc};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use opentrail_event::{AccountId, Event, Region, split_records};
use opentrail_journal::{
    Journal, JournalOptions,
    disk::{Disk, RealDisk},
};
use opentrail_lake::{
    import::{
        Buckets, Import, Imports, S3Source, Source, SourceError, SourceObject, SourcePage, StartImport,
        Statistics, TimeRange,
    },
    ingest::{Lake, LakeOptions},
    store::{CreateEventDataStore, Stores},
    warehouse::Warehouse,
};
use opentrail_state::{OwnedEvent, State, StateOptions};
use tokio_util::sync::CancellationToken;

type Failed = Box<dyn Error>;

/// JSON of a large file, as CloudTrail's busy accounts have them.
const LARGE: usize = 4 << 20;
const PAGE: usize = 1000;

#[derive(Clone)]
struct Memory(Arc<BTreeMap<String, Bytes>>);

#[async_trait]
impl Source for Memory {
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<SourcePage, SourceError> {
        let start = after.map_or(prefix.to_owned(), |after| format!("{after}\u{1}"));
        let mut found = self
            .0
            .range(start..)
            .map(|(key, body)| SourceObject { key: key.clone(), size: body.len() as u64 });
        let objects = found.by_ref().take(PAGE).collect();
        Ok(SourcePage { objects, more: found.next().is_some() })
    }

    async fn get(&self, key: &str) -> Result<Bytes, SourceError> {
        self.0.get(key).cloned().ok_or_else(|| SourceError::refused("NoSuchKey", "it is gone"))
    }
}

#[async_trait]
impl Buckets for Memory {
    async fn source(&self, _: &Import) -> Result<Arc<dyn Source>, SourceError> {
        Ok(Arc::new(self.clone()))
    }

    fn ended(&self, _: &Import, _: &Statistics) -> Vec<OwnedEvent> {
        Vec::new()
    }
}

/// The records of each file of a folder.
fn read(folder: &Path, into: &mut Vec<Vec<String>>) -> Result<(), Failed> {
    for member in std::fs::read_dir(folder)? {
        let path = member?.path();
        if path.is_dir() {
            read(&path, into)?;
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let mut text = Vec::new();
        match bytes.starts_with(&[0x1f, 0x8b]) {
            true => drop(MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text)?),
            false => text = bytes,
        }
        let records: Vec<String> = split_records(text.into())
            .filter_map(|record| Some(Event::parse(record.ok()?).ok()?.raw_str().to_owned()))
            .collect();
        if !records.is_empty() {
            into.push(records);
        }
    }
    Ok(())
}

fn packed(records: &[String]) -> Result<Bytes, Failed> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"{\"Records\":[")?;
    for (place, record) in records.iter().enumerate() {
        encoder.write_all(if place > 0 { b"," } else { b"" })?;
        encoder.write_all(record.as_bytes())?;
    }
    encoder.write_all(b"]}")?;
    Ok(encoder.finish()?.into())
}

/// The files repeated to so many bytes of JSON, each round on a day of its own.
fn grown(
    files: &[Vec<String>],
    are_large: bool,
    bytes: usize,
) -> Result<(BTreeMap<String, Bytes>, usize, usize), Failed> {
    let (mut bucket, mut total, mut records, mut number) = (BTreeMap::new(), 0, 0, 0_u64);
    let mut open: Vec<String> = Vec::new();
    let mut open_bytes = 0;
    for round in 0_u64.. {
        let day = Utc::now() - Days::new(1 + (round * 7) % 300);
        for file in files {
            for record in file {
                number += 1;
                let record = renewed(record, number, day);
                total += record.len();
                open_bytes += record.len();
                records += 1;
                open.push(record);
            }
            if !are_large || open_bytes >= LARGE {
                let key = format!(
                    "AWSLogs/123456789012/CloudTrail/us-east-1/{}/123456789012_CloudTrail_us-east-1_{}_{number:016}.json.gz",
                    day.format("%Y/%m/%d"),
                    day.format("%Y%m%dT%H%MZ")
                );
                bucket.insert(key, packed(&open)?);
                open.clear();
                open_bytes = 0;
            }
            if total >= bytes {
                return Ok((bucket, total, records));
            }
        }
    }
    Ok((bucket, total, records))
}

fn renewed(record: &str, number: u64, day: DateTime<Utc>) -> String {
    let Ok(event) = Event::parse(Bytes::copy_from_slice(record.as_bytes())) else { return record.to_owned() };
    let id = format!("{:08x}-0000-4000-8000-{number:012x}", number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff);
    let time = day.date_naive().and_time(event.time().time()).and_utc();
    let old = event.time().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let new = time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    record.replacen(event.id(), &id, 1).replace(&old, &new)
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    format!("{} {}", line("VmRSS"), line("VmHWM"))
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize| arguments.get(at).cloned().unwrap_or_default();
    let (are_large, gigabytes): (bool, f64) = (argument(2) == "large", argument(3).parse()?);
    let mut files = Vec::new();
    read(Path::new(&argument(1)), &mut files)?;
    let (bucket, bytes, records) = grown(&files, are_large, (gigabytes * 1e9) as usize)?;
    drop(files);
    let packed: usize = bucket.values().map(Bytes::len).sum();
    println!(
        "{} files, {records} records, {} MB of JSON, {} MB of gzip; {}",
        bucket.len(),
        bytes / 1_000_000,
        packed / 1_000_000,
        memory()
    );

    let work = PathBuf::from(argument(4)).join(format!("measure-import-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let measured = measure(&work, Memory(Arc::new(bucket)), bytes).await;
    std::fs::remove_dir_all(&work)?;
    measured
}

async fn measure(work: &Path, bucket: Memory, bytes: usize) -> Result<(), Failed> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (journal, _) = Journal::open(&work.join("journal"), JournalOptions::default(), disk.clone())?;
    let state = State::open(journal, &work.join("state"), disk.clone(), StateOptions::default()).await?;
    let warehouse = Warehouse::in_data_folder(&work.join("tables"), disk.clone())?;
    let lake =
        Lake::open(&work.join("lake"), &state, disk.clone(), warehouse, LakeOptions::default()).await?;
    let imports = Imports::open(&work.join("imports"), &state, disk, lake.clone())?;
    let stop = CancellationToken::new();
    tokio::spawn(lake.clone().run(stop.clone()));
    tokio::spawn(imports.clone().run(Arc::new(bucket), stop.clone()));

    let (account, region): (AccountId, Region) = ("123456789012".parse()?, Region::us_east_1());
    let ask = CreateEventDataStore { name: "measured".to_owned(), ..CreateEventDataStore::default() };
    let mut tx = state.begin().await;
    let store = Stores::new(state.clone()).create(&mut tx, account, &region, &ask, Utc::now())?;
    tx.commit(Vec::new()).await?;
    for round in ["new", "again"] {
        let ask = StartImport {
            destination: store.arn().to_string(),
            source: S3Source {
                location_uri: "s3://bucket/".to_owned(),
                region: region.to_string(),
                role_arn: String::new(),
            },
            range: TimeRange::default(),
        };
        let started = Instant::now();
        let mut tx = state.begin().await;
        let import = imports.rules().start(&mut tx, account, &region, &ask, Utc::now())?.import;
        tx.commit(Vec::new()).await?;
        imports.wake();
        let statistics = loop {
            let now = imports.rules().get(account, &region, &import.id.to_string())?;
            let (status, statistics) = imports.statistics(&now)?;
            if !status.is_ongoing() {
                break statistics;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let elapsed = started.elapsed();
        let snapshot = lake.table(store.id).and_then(|live| live.snapshot());
        let stored = snapshot.map_or(0, |snapshot| snapshot.bytes);
        println!(
            "{round}: {:.1} s, {:.0} MB/s of JSON, {statistics:?}, {} MB stored; {}",
            elapsed.as_secs_f64(),
            bytes as f64 / 1e6 / elapsed.as_secs_f64(),
            stored / 1_000_000,
            memory()
        );
    }
    stop.cancel();
    Ok(())
}
