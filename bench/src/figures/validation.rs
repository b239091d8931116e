//! Validating a bucket, with `opentrail validate` and with `aws cloudtrail validate-logs`, side by side: the same
//! bucket in the same server, the same region, the same stretch of time, turn by turn.

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;

use super::{Setting, megabytes, middle};
use crate::{
    bucket::Bucket,
    error::{BenchError, check},
    events::{BATCH, Events},
    load::{self, Until},
    outcome::{Outcome, Target, Unit},
    process::{Launcher, Server, output},
    real_events::Spread,
    trail,
    usage::Stretch,
};

/// The design's target.
const TIMES: f64 = 20.0;
/// Uploads whose events fill the bucket.
const BATCHES: u64 = 80;
/// Bytes of records at which a log file is closed: about 8 events, as many as those of the real bucket in
/// `shared/data/trail` have on average (30,476 in 3,871 files).
const FILE_BYTES: &str = "9750";
/// The region of all events, whose digests and log files are validated.
const REGION: &str = "us-west-1";
/// Turns; the middle one counts.
const TURNS: usize = 3;
/// How many digests there shall be at least.
const DIGESTS: usize = 10;
const DELIVERY_LIMIT: Duration = Duration::from_secs(600);

/// What a validator found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Valid {
    digests: u64,
    log_files: u64,
}

pub(super) async fn measure(setting: &Setting) -> Result<Outcome, BenchError> {
    let aws = setting.aws.as_deref().filter(|path| path.is_file()).ok_or_else(|| {
        BenchError::Missing("no AWS CLI to compare with: run through `make bench`, or give --aws".to_owned())
    })?;
    let events: Arc<dyn Events> = setting.real_events(Spread::One(REGION), 0x5005)?;
    let began = Utc::now() - TimeDelta::minutes(1);
    let (arn, bytes) = fill(setting, &events).await?;

    // A server that adds no digests while it is validated.
    let server = setting.launcher.start(&setting.folder, &["--digest-interval", "1h"])?;
    let bucket = Bucket::of(&server);
    let in_bucket = bucket.files(&format!("/CloudTrail/{REGION}/")).await?.len() as u64;
    let span = (began, Utc::now());
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let stretch = Stretch::begin(server.pid())?;
    let mut found = Vec::new();
    for _ in 0..TURNS {
        let (took, valid) = with_aws(aws, &server, &arn, span)?;
        theirs.push(took);
        found.push(valid);
        let (took, valid) = with_opentrail(&setting.launcher, &server, &arn, span)?;
        ours.push(took);
        found.push(valid);
    }
    let used = stretch.end()?;
    let first = found[0];
    check(found.iter().all(|valid| *valid == first), || format!("the validators differ: {found:?}"))?;
    check(first.log_files == in_bucket, || {
        format!("{in_bucket} log files are in the bucket, {} were validated", first.log_files)
    })?;
    let every = setting.launcher.run(Some(&server), &["validate", "--trail-arn", &arn])?;
    server.stop()?;

    let (theirs, ours) = (middle(theirs), middle(ours));
    let mut outcome = Outcome::default();
    outcome.aims(
        "validating a bucket, compared with `aws cloudtrail validate-logs`",
        theirs.as_secs_f64() / ours.as_secs_f64(),
        Unit::Times,
        Target::AtLeast(TIMES),
    );
    outcome.tells("… `opentrail validate`, whole command", ours.as_secs_f64(), Unit::Seconds);
    outcome.tells("… `aws cloudtrail validate-logs`, whole command", theirs.as_secs_f64(), Unit::Seconds);
    outcome.work.push(format!(
        "one region of a bucket: {} digests, {} log files with {} real records ({:.0} MB of JSON); {TURNS} turns of each \
         command in alternation against the same server, the middle one counts",
        first.digests,
        first.log_files,
        BATCH * setting.amount(BATCHES).max(1),
        megabytes(bytes)
    ));
    outcome.checks.push(format!(
        "both found all {} digests and all {} log files valid, in every turn, and these are all that are there",
        first.digests, first.log_files
    ));
    let lines: Vec<&str> = every.lines().map(str::trim).take(3).collect();
    outcome.checks.push(format!("all regions, asked for the chains' heads: {}", lines.join("; ")));
    outcome.notes.push(version(aws)?);
    outcome.notes.push(format!("all turns, the validators among everything else: {}", used.line()));
    Ok(outcome)
}

/// Fills the bucket, and leaves the server stopped with every log file in a digest; answers the trail's ARN.
async fn fill(setting: &Setting, events: &Arc<dyn Events>) -> Result<(String, u64), BenchError> {
    let flags = ["--delivery-interval", "1s", "--digest-interval", "2s", "--delivery-file-bytes", FILE_BYTES];
    let server = setting.launcher.start(&setting.folder, &flags)?;
    let access = server.access();
    let mut connection = access.connect().await?;
    let arn = trail::make(&mut connection).await?;
    let batches = setting.amount(BATCHES).max(1);
    let load = load::run(&access, events, setting.connections, Until::Batches(batches)).await?;
    let bucket = Bucket::of(&server);
    let mut connection = access.connect().await?;
    let digests = format!("/CloudTrail-Digest/{REGION}/");
    let logs = format!("/CloudTrail/{REGION}/");
    let began = Instant::now();
    let mut quiet = (0, 0);
    // Until no log file came during two digests' time, and there are enough digests.
    loop {
        let (files, chain) = (bucket.files(&logs).await?.len(), bucket.files(&digests).await?.len());
        if files != quiet.0 {
            quiet = (files, chain);
        }
        if files > 0 && chain >= quiet.1 + 3 && chain >= DIGESTS {
            break;
        }
        if began.elapsed() > DELIVERY_LIMIT {
            return Err(BenchError::TooLate { what: "the last log file", limit: DELIVERY_LIMIT });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let delivered = bucket.read(&bucket.files(&logs).await?, &**events, load.events()).await?;
    check(delivered.count == load.events(), || {
        format!("{} of {} events were delivered", delivered.count, load.events())
    })?;
    trail::stop(&mut connection).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.stop()?;
    Ok((arn, load.bytes))
}

fn with_aws(
    aws: &Path,
    server: &Server,
    arn: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(Duration, Valid), BenchError> {
    let mut command = Command::new(aws);
    command.args(["cloudtrail", "validate-logs", "--trail-arn", arn, "--region", REGION]);
    command.args(["--start-time", &text(from), "--end-time", &text(to)]);
    command.envs(server.client_environment());
    let began = Instant::now();
    let said = output(command)?;
    let took = began.elapsed();
    let count = |what: &str| {
        let line = said.lines().find_map(|line| line.strip_suffix(&format!(" {what} files valid")))?;
        let (valid, all) = line.trim().split_once('/')?;
        (valid == all).then(|| valid.parse().ok())?
    };
    match (count("digest"), count("log")) {
        (Some(digests), Some(log_files)) => Ok((took, Valid { digests, log_files })),
        _ => Err(BenchError::Wrong(format!("aws cloudtrail validate-logs does not find all valid: {said}"))),
    }
}

#[derive(Deserialize)]
struct Report {
    verdict: String,
    digests: Counts,
    log_files: Counts,
}

#[derive(Deserialize)]
struct Counts {
    valid: u64,
    invalid: u64,
}

fn with_opentrail(
    launcher: &Launcher,
    server: &Server,
    arn: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(Duration, Valid), BenchError> {
    let (from, to) = (text(from), text(to));
    let arguments = [
        "validate",
        "--trail-arn",
        arn,
        "--in-region",
        REGION,
        "--start-time",
        &from,
        "--end-time",
        &to,
        "--output",
        "json",
    ];
    let began = Instant::now();
    let said = launcher.run(Some(server), &arguments)?;
    let took = began.elapsed();
    let report: Report = serde_json::from_str(&said)?;
    let all = report.verdict.eq_ignore_ascii_case("valid")
        && report.digests.invalid + report.log_files.invalid == 0;
    check(all, || format!("opentrail validate does not find all valid: {said}"))?;
    Ok((took, Valid { digests: report.digests.valid, log_files: report.log_files.valid }))
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn version(aws: &Path) -> Result<String, BenchError> {
    let mut command = Command::new(aws);
    command.arg("--version");
    Ok(format!("compared with {}", output(command)?.trim()))
}
