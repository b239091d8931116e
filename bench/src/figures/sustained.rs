//! The same uploads while a multi-region trail delivers them and event history indexes them.
//!
//! The rate that counts is over the whole stretch from the first upload until everything is in the bucket and in
//! history, so that a backlog can't make it look better.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{Setting, megabytes};
use crate::{
    bucket::{Bucket, Delivered, File},
    error::{BenchError, check},
    events::{BATCH, Events},
    fsck, history,
    load::{self, Until},
    outcome::{Outcome, Target, Unit},
    process::Server,
    real_events::Spread,
    trail,
    usage::{self, Stretch},
};

/// The design's targets.
const EVENTS_PER_SECOND: f64 = 50_000.0;
const RESIDENT_MB: f64 = 600.0;
/// How long events are sent, in seconds.
const STRETCH: f64 = 60.0;
/// How often the trail delivers.
const INTERVAL: Duration = Duration::from_secs(5);
/// The longest wait for the last log file.
const DELIVERY_LIMIT: Duration = Duration::from_secs(900);
const SAMPLE: u64 = 200;
const NEWEST: u64 = 20_000;

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let real = setting.real_events(Spread::Regions, 0x2002)?;
    let mean = real.mean_bytes();
    let events: Arc<dyn Events> = real;
    let interval = format!("{}s", INTERVAL.as_secs());
    let server = setting.launcher.start(&setting.folder, &["--delivery-interval", &interval])?;
    let access = server.access();
    let mut connection = access.connect().await?;
    trail::make(&mut connection).await?;

    let (began, began_at) = (Instant::now(), Utc::now());
    let stretch = Stretch::begin(server.pid())?;
    let until = Until::Elapsed(setting.stretch(STRETCH));
    let load = load::run(&access, &events, setting.connections, until).await?;
    let used = stretch.end()?;
    let mut connection = access.connect().await?;
    history::caught_up(&mut connection, &*events, load.events(), NEWEST).await?;
    let in_history = began.elapsed();
    let (files, delivered) = all_delivered(&server, &*events, load.events()).await?;
    let in_bucket = last_written(&delivered, began_at)?;
    let found = history::sample(&mut connection, &*events, load.events(), SAMPLE).await?;
    let status = trail::status(&mut connection).await?;
    check(status.get("LatestDeliveryError").is_none(), || format!("the trail has an error: {status}"))?;
    let memory = usage::memory(server.pid())?;
    server.stop()?;
    let fsck = fsck::clean(&setting.launcher, &setting.folder)?;

    let whole = in_history.max(in_bucket);
    let mut outcome = Outcome::default();
    outcome.aims(
        "the same with a multi-region trail delivering and history indexing, until all is delivered",
        load.events() as f64 / whole.as_secs_f64(),
        Unit::EventsPerSecond,
        Target::AtLeast(EVENTS_PER_SECOND),
    );
    outcome.tells("… accepted while sending", load.rate(), Unit::EventsPerSecond);
    outcome.aims(
        "… peak of resident memory",
        megabytes(memory.peak),
        Unit::Megabytes,
        Target::Below(RESIDENT_MB),
    );
    outcome.work.push(format!(
        "{} uploads of {BATCH} real records of {mean:.0} bytes on average with new ids, over {} connections in {:.1} s; \
         log files every {INTERVAL:?}",
        load.batches,
        setting.connections,
        load.elapsed.as_secs_f64()
    ));
    outcome.checks.push(format!(
        "all {} events are in the bucket's {} log files exactly once, byte for byte as sent (and {} records of other \
         calls)",
        delivered.count,
        files.len(),
        delivered.others
    ));
    outcome.checks.extend([found, fsck]);
    outcome.notes.push(format!(
        "an upload: {}; {} were told to wait",
        load.latencies.line(),
        load.pushed_back
    ));
    outcome.notes.push(format!("while sending: {}", used.line()));
    outcome.notes.push(format!(
        "from the first upload, history had everything after {:.1} s, the bucket after {:.1} s",
        in_history.as_secs_f64(),
        in_bucket.as_secs_f64()
    ));
    let packed: u64 = files.iter().map(|file| file.bytes).sum();
    outcome.notes.push(format!("log files: {:.0} MB gzipped", megabytes(packed)));
    Ok(outcome)
}

/// Waits until no log file comes any more, then reads them all; again, where something is missing yet.
async fn all_delivered(
    server: &Server,
    events: &dyn Events,
    sent: u64,
) -> Result<(Vec<File>, Delivered), BenchError> {
    let began = Instant::now();
    let bucket = Bucket::of(server);
    loop {
        let files = settled(&bucket).await?;
        let delivered = bucket.read(&files, events, sent).await?;
        if delivered.count == sent {
            return Ok((files, delivered));
        }
        if began.elapsed() > DELIVERY_LIMIT {
            let missing = delivered.seen.iter().position(|seen| !seen).unwrap_or_default() as u64;
            return Err(BenchError::Wrong(format!(
                "{} of {sent} events were delivered; {} is missing",
                delivered.count,
                events.id(missing)
            )));
        }
    }
}

/// The log files, once there were no new ones for twice the interval.
async fn settled(bucket: &Bucket) -> Result<Vec<File>, BenchError> {
    let mut files = bucket.files("/CloudTrail/").await?;
    let mut since = Instant::now();
    while since.elapsed() < 2 * INTERVAL {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = bucket.files("/CloudTrail/").await?;
        if now != files {
            files = now;
            since = Instant::now();
        }
    }
    Ok(files)
}

fn last_written(delivered: &Delivered, began: DateTime<Utc>) -> Result<Duration, BenchError> {
    let took = delivered.last.and_then(|last| (last - began).to_std().ok());
    took.ok_or_else(|| BenchError::Wrong("the bucket does not say when its files were written".to_owned()))
}
