//! How fast the journal is on this machine's disk, checking what it reads back.
//!
//! `cargo run --release -p opentrail-journal --example throughput -- FOLDER`

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use opentrail_journal::{Journal, JournalError, JournalOptions, Seq, disk::RealDisk};

const EVENT_BYTES: usize = 1300;

struct Run {
    name: &'static str,
    callers: usize,
    appends: usize,
    events: usize,
}

const RUNS: [Run; 4] = [
    Run { name: "single calls, 1 caller", callers: 1, appends: 500, events: 1 },
    Run { name: "single calls, 64 callers", callers: 64, appends: 500, events: 1 },
    Run { name: "batches of 500, 1 caller", callers: 1, appends: 300, events: 500 },
    Run { name: "batches of 500, 8 callers", callers: 8, appends: 150, events: 500 },
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for run in RUNS {
        let dir = folder.join(format!("journal-throughput-{}", std::process::id()));
        let (journal, _) = Journal::open(&dir, JournalOptions::default(), Arc::new(RealDisk))?;
        let (took, slowest) = append(&journal, &run).await?;
        let entries = run.callers * run.appends;
        let events = (entries * run.events) as f64;
        let read = read_all(&journal, entries as u64).await?;
        journal.close().await;
        let opening = Instant::now();
        let (journal, recovery) = Journal::open(&dir, JournalOptions::default(), Arc::new(RealDisk))?;
        assert_eq!(recovery.last, Seq(entries as u64));
        let opened = opening.elapsed();
        drop(journal);
        std::fs::remove_dir_all(&dir)?;
        println!(
            "{:<26} {:>9.0} events/s {:>8.0} appends/s, slowest {slowest:>9.1?}; read {:>9.0} events/s; open {opened:.1?}",
            run.name,
            events / took.as_secs_f64(),
            entries as f64 / took.as_secs_f64(),
            events / read.as_secs_f64(),
        );
    }
    Ok(())
}

async fn append(journal: &Journal, run: &Run) -> Result<(Duration, Duration), JournalError> {
    let payload = Bytes::from(vec![b'e'; EVENT_BYTES * run.events]);
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..run.callers {
        let (journal, payload, appends) = (journal.clone(), payload.clone(), run.appends);
        tasks.spawn(async move {
            let mut slowest = Duration::ZERO;
            for _ in 0..appends {
                let began = Instant::now();
                journal.append(payload.clone(), None).await?;
                slowest = slowest.max(began.elapsed());
            }
            Ok::<_, JournalError>(slowest)
        });
    }
    let mut slowest = Duration::ZERO;
    for result in tasks.join_all().await {
        slowest = slowest.max(result?);
    }
    Ok((began.elapsed(), slowest))
}

/// Reads everything, most of it from the disk, and checks the count and the bytes.
async fn read_all(journal: &Journal, entries: u64) -> Result<Duration, JournalError> {
    let began = Instant::now();
    let mut reader = journal.reader(Seq::ZERO);
    while reader.position() < Seq(entries) {
        for item in reader.next_batch(1000, 4 << 20).await? {
            assert!(item.payload.first() == Some(&b'e') && item.payload.len() % EVENT_BYTES == 0);
        }
    }
    Ok(began.elapsed())
}
