//! Delivers access logs: what the calls of a bucket left goes into a file in its target bucket, as the service that S3
//! does it with, and under the target's policy.

use std::{iter::Peekable, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use opentrail_event::{Category, RecordResource};
use opentrail_identity::{Ask, Caller};
use opentrail_vault::{
    Bucket, Encryption, Expected, NewObject, ObjectHeaders, PutOptions, VaultError, WriteConditions,
    access_log::{AccessLogLine, AccessLogging, LogFileName, LogTargetProblem},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    access_log::{Logged, leave_out},
    call::Arrival,
    fault::{Common, Dialect, Fault},
    recording::{Deed, Who},
    rooms::Rooms,
};

/// Who delivers.
const LOGGING: &str = "logging.s3.amazonaws.com";
/// A file that has this many bytes gets no further line: it is in memory while it is written.
const FILE_BYTES: usize = 4 << 20;

/// What goes into one file: lines of one day.
struct File {
    event: DateTime<Utc>,
    body: String,
    lines: Vec<AccessLogLine>,
}

/// Why a file was not written.
enum Undelivered {
    /// It can be later.
    Waits(String),
    /// The target is not one that these lines may go to.
    Never(LogTargetProblem),
}

/// Works until `stop`, and once more then.
pub(crate) async fn run(rooms: Arc<Rooms>, pause: Duration, stop: CancellationToken) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => is_last = true,
        }
        for (bucket, lines) in rooms.access_log.take() {
            deliver(&rooms, &bucket, lines).await;
        }
    }
}

/// Delivers a bucket's lines. What can't be delivered now waits, within the bounds.
async fn deliver(rooms: &Rooms, bucket: &Logged, mut lines: Vec<AccessLogLine>) {
    let Ok(source) = rooms.vault.bucket(&bucket.0) else { return };
    if source.owner != bucket.1 {
        // A bucket of another account has the name now, and the lines are none of its business.
        return leave_out(lines.len() as u64, "source");
    }
    let Some(logging) = &source.logging else { return };
    lines.sort_by_key(|line| line.time);
    let mut lines = lines.into_iter().peekable();
    while let Some(file) = next_file(&mut lines) {
        match store(rooms, &source, logging, &file).await {
            Ok(()) => {
                metrics::counter!("opentrail_access_log_lines_total").increment(file.lines.len() as u64);
            }
            Err(Undelivered::Waits(reason)) => {
                metrics::counter!("opentrail_access_log_failures_total").increment(1);
                tracing::warn!(source.name, target = logging.target_bucket, reason, "access logs wait");
                return rooms.access_log.add(bucket, file.lines.into_iter().chain(lines));
            }
            Err(Undelivered::Never(problem)) => {
                let left_out = file.lines.len() + lines.count();
                tracing::warn!(source.name, target = logging.target_bucket, %problem, left_out, "access logs are left out");
                return leave_out(left_out as u64, "target");
            }
        }
    }
}

/// The first of these lines, sorted by time, as far as they go into one file: S3 sorts files by day.
fn next_file(lines: &mut Peekable<impl Iterator<Item = AccessLogLine>>) -> Option<File> {
    let event = lines.peek()?.time;
    let mut file = File { event, body: String::new(), lines: Vec::new() };
    while let Some(line) =
        lines.next_if(|line| line.time.date_naive() == event.date_naive() && file.body.len() < FILE_BYTES)
    {
        file.body.push_str(&line.render());
        file.lines.push(line);
    }
    Some(file)
}

async fn store(
    rooms: &Rooms,
    source: &Bucket,
    logging: &AccessLogging,
    file: &File,
) -> Result<(), Undelivered> {
    let shown = |error: VaultError| Undelivered::Waits(error.to_string());
    let target = rooms.vault.bucket(&logging.target_bucket).map_err(shown)?;
    LogTargetProblem::between(source, &target).map_err(Undelivered::Never)?;
    let arrival = Arrival::of_service(LOGGING);
    let key =
        LogFileName { source, logging, event: file.event, delivery: arrival.at, unique: rand::random() }
            .key();
    if !may(rooms, source, &target, &key, &arrival).map_err(shown)? {
        let fault = Fault::common(Common::AccessDenied, Dialect::S3, "Access Denied");
        let denied = put_object(&target, &key, &arrival, Some(&fault));
        let kept = denied.keep(&rooms.recorder, Dialect::S3).await;
        kept.map_err(|fault| Undelivered::Waits(fault.message().to_owned()))?;
        return Err(Undelivered::Waits("the target bucket's policy does not allow it".to_owned()));
    }
    let body = Bytes::copy_from_slice(file.body.as_bytes());
    let headers = ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() };
    let encryption = Some(Encryption::S3);
    let object = NewObject { headers, encryption, ..NewObject::of(target.owner) };
    let mut options = PutOptions::new(object);
    options.length = Some(body.len() as u64);
    let mut upload = rooms.vault.begin_put(&target.name, &key, options).map_err(shown)?;
    upload.write(body).await.map_err(shown)?;
    let staged = upload.finish(&Expected::default()).await.map_err(shown)?;
    let events = put_object(&target, &key, &arrival, None).events(&rooms.recorder);
    let events = events.map_err(|error| Undelivered::Waits(error.to_string()))?;
    let conditions = WriteConditions::default();
    rooms.vault.commit_put(staged, &conditions, arrival.at, |_| events).await.map(drop).map_err(shown)
}

/// Whether the target's policy lets the service write this file (S3 user guide, "Permissions for log delivery").
fn may(
    rooms: &Rooms,
    source: &Bucket,
    target: &Bucket,
    key: &str,
    arrival: &Arrival,
) -> Result<bool, VaultError> {
    let policy = rooms.vault.bucket_policy(&target.name)?;
    let mut context = arrival.context(&target.region);
    context.set("aws:SourceArn", format!("arn:aws:s3:::{}", source.name));
    context.set("aws:SourceAccount", source.owner.as_str());
    context.set("aws:PrincipalIsAWSService", "true");
    context.set("aws:PrincipalServiceName", LOGGING);
    // As for the delivery: it never leaves the process.
    context.set("aws:SecureTransport", "true");
    let ask = Ask {
        action: "s3:PutObject",
        resource: &format!("arn:aws:s3:::{}/{key}", target.name),
        context,
        resource_policy: policy.as_deref(),
        resource_account: Some(target.owner),
        ..Ask::default()
    };
    Ok(rooms.identity.authorize(&Caller::service(LOGGING), &ask).is_allowed())
}

/// The record of the service writing a file.
fn put_object<'a>(target: &Bucket, key: &str, arrival: &'a Arrival, fault: Option<&'a Fault>) -> Deed<'a> {
    let bucket_arn = format!("arn:aws:s3:::{}", target.name);
    Deed {
        event_source: "s3.amazonaws.com",
        event_name: "PutObject",
        region: target.region.clone(),
        arrival,
        who: Who::Service(LOGGING),
        accounts: vec![target.owner],
        read_only: false,
        category: Category::Data,
        parameters: Some(json!({"bucketName": target.name, "key": key})),
        elements: None,
        additional: None,
        resources: vec![
            RecordResource::new("AWS::S3::Object", format!("{bucket_arn}/{key}"), None),
            RecordResource::new("AWS::S3::Bucket", bucket_arn, Some(target.owner)),
        ],
        fault,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use opentrail_vault::access_log::AccessLogLine;

    use super::{FILE_BYTES, next_file};

    fn line(time: &str, agent: usize) -> AccessLogLine {
        let time: DateTime<Utc> = time.parse().expect("a time");
        let mut line = AccessLogLine::of("owner", "bucket", time, "id", "REST.GET.OBJECT");
        line.user_agent = Some("u".repeat(agent));
        line
    }

    #[test]
    fn a_file_has_lines_of_one_day_and_a_few_mebibytes() {
        let mut lines: Vec<_> = (0..5000).map(|_| line("2026-11-20T23:59:59Z", 2000)).collect();
        lines.push(line("2026-11-21T00:00:00Z", 1));
        let (first, count) = (lines[0].clone(), lines.len());
        let mut lines = lines.into_iter().peekable();
        let files: Vec<_> = std::iter::from_fn(|| next_file(&mut lines)).collect();
        assert_eq!(files.iter().map(|file| file.lines.len()).sum::<usize>(), count);
        assert_eq!(files.len(), 4);
        for file in &files {
            assert!(file.body.len() < FILE_BYTES + 10_000);
            assert_eq!(file.body.lines().count(), file.lines.len());
        }
        assert!(files[0].body.starts_with(&first.render()));
        assert_eq!(files[3].lines.len(), 1);
    }
}
