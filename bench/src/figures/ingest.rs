//! `POST /v1/events` in uploads of 500, durable, without a trail.

use std::sync::Arc;

use super::{Setting, megabytes};
use crate::{
    error::BenchError,
    events::{BATCH, Events},
    fsck, history,
    load::{self, Until},
    outcome::{Outcome, Target, Unit},
    real_events::Spread,
    usage::{self, Stretch},
};

/// The design's target.
const EVENTS_PER_SECOND: f64 = 100_000.0;
/// How long, in seconds.
const STRETCH: f64 = 20.0;
/// Events that are looked up afterwards.
const SAMPLE: u64 = 200;
/// The newest events that history must show before it has caught up.
const NEWEST: u64 = 20_000;

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let real = setting.real_events(Spread::Regions, 0x1001)?;
    let mean = real.mean_bytes();
    let events: Arc<dyn Events> = real;
    let server = setting.launcher.start(&setting.folder, &[])?;
    let access = server.access();
    let stretch = Stretch::begin(server.pid())?;
    let until = Until::Elapsed(setting.stretch(STRETCH));
    let load = load::run(&access, &events, setting.connections, until).await?;
    let used = stretch.end()?;

    let mut connection = access.connect().await?;
    let behind = history::caught_up(&mut connection, &*events, load.events(), NEWEST).await?;
    let found = history::sample(&mut connection, &*events, load.events(), SAMPLE).await?;
    let memory = usage::memory(server.pid())?;
    server.stop()?;
    let fsck = fsck::clean(&setting.launcher, &setting.folder)?;

    let mut outcome = Outcome::default();
    outcome.aims(
        format!("POST /v1/events, batches of {BATCH}, durable"),
        load.rate(),
        Unit::EventsPerSecond,
        Target::AtLeast(EVENTS_PER_SECOND),
    );
    outcome.work.push(format!(
        "{} real records of {mean:.0} bytes on average with new ids, over {} connections in {:.1} s; event history \
         indexes them at the same time",
        load.events(),
        setting.connections,
        load.elapsed.as_secs_f64()
    ));
    outcome.checks.push("every event sent was accepted, none taken for known, none rejected".to_owned());
    outcome.checks.extend([found, fsck]);
    outcome.notes.push(format!(
        "an upload: {}; {} were told to wait",
        load.latencies.line(),
        load.pushed_back
    ));
    outcome.notes.push(format!("{:.0} MB/s of bodies", load.bytes as f64 / load.elapsed.as_secs_f64() / 1e6));
    outcome.notes.push(used.line());
    outcome.notes.push(format!(
        "history had caught up {:.1} s after the last answer; peak of resident memory {:.0} MB",
        behind.as_secs_f64(),
        megabytes(memory.peak)
    ));
    Ok(outcome)
}
