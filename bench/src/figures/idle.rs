//! A server on an empty folder that nobody calls: how soon it is ready, and what it holds in memory.

use super::{Setting, megabytes};
use crate::{
    error::BenchError,
    latency::Latencies,
    outcome::{Outcome, Target, Unit},
    usage,
};

/// The design's targets.
const START_SECONDS: f64 = 1.0;
const RESIDENT_MB: f64 = 100.0;
/// Starts that are timed, each on a folder of its own.
const STARTS: u32 = 7;

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let mut starts = Latencies::default();
    for start in 1..STARTS {
        let folder = setting.folder.join(start.to_string());
        std::fs::create_dir(&folder).map_err(BenchError::file(&folder))?;
        let server = setting.launcher.start(&folder, &[])?;
        starts.add(server.started_in);
        server.stop()?;
    }
    let server = setting.launcher.start(&setting.folder, &[])?;
    starts.add(server.started_in);
    let quiet = setting.stretch(15.0);
    let before = usage::processor(server.pid())?;
    tokio::time::sleep(quiet).await;
    let memory = usage::memory(server.pid())?;
    let used = usage::processor(server.pid())?.saturating_sub(before);
    server.stop()?;

    let mut outcome = Outcome::default();
    let resident = megabytes(memory.resident);
    outcome.aims("idle: resident memory", resident, Unit::Megabytes, Target::Below(RESIDENT_MB));
    let worst = starts.quantile(1.0).as_secs_f64();
    let what = "start on an empty folder, from exec to /readyz saying 200";
    outcome.aims(what, worst, Unit::Seconds, Target::Below(START_SECONDS));
    outcome
        .work
        .push(format!("{STARTS} starts on new folders, the slowest counts; memory after {quiet:?} of quiet"));
    outcome.checks.push("each server ended well when asked to".to_owned());
    outcome.notes.push(format!("starts: {}", starts.line()));
    outcome.notes.push(format!(
        "memory: {:.0} MB of it anonymous, peak {:.0} MB; {:.1} % of a core while idle",
        megabytes(memory.anonymous),
        megabytes(memory.peak),
        100.0 * used.as_secs_f64() / quiet.as_secs_f64()
    ));
    Ok(outcome)
}
