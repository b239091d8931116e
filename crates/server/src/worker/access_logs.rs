//! Delivers access logs: what the calls of a bucket left goes into a file in its target bucket, as the service that S3
//! does it with, and under the target's policy.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{NaiveDate, Utc};
use opentrail_event::{Category, RecordResource};
use opentrail_identity::{Ask, Caller};
use opentrail_vault::{
    Bucket, Encryption, Expected, NewObject, ObjectHeaders, PutOptions, VaultError, WriteConditions,
    access_log::{AccessLogLine, AccessLogging, LogFileName},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    call::Arrival,
    fault::{Common, Dialect, Fault},
    recording::{Deed, Who},
    rooms::Rooms,
};

/// Who delivers.
const LOGGING: &str = "logging.s3.amazonaws.com";

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

/// Delivers a bucket's lines, a file for each day of theirs. What can't be delivered now waits, within the bounds.
async fn deliver(rooms: &Rooms, bucket: &str, lines: Vec<AccessLogLine>) {
    let Ok(source) = rooms.vault.bucket(bucket) else { return };
    let Some(logging) = &source.logging else { return };
    let mut days: BTreeMap<NaiveDate, Vec<AccessLogLine>> = BTreeMap::new();
    for line in lines {
        days.entry(line.time.date_naive()).or_default().push(line);
    }
    for lines in days.into_values() {
        match store(rooms, &source, logging, &lines).await {
            Ok(()) => metrics::counter!("opentrail_access_log_lines_total").increment(lines.len() as u64),
            Err(reason) => {
                metrics::counter!("opentrail_access_log_failures_total").increment(1);
                tracing::warn!(bucket, target = logging.target_bucket, reason, "access logs wait");
                rooms.access_log.add(bucket, lines);
            }
        }
    }
}

async fn store(
    rooms: &Rooms,
    source: &Bucket,
    logging: &AccessLogging,
    lines: &[AccessLogLine],
) -> Result<(), String> {
    let shown = |error: VaultError| error.to_string();
    let target = rooms.vault.bucket(&logging.target_bucket).map_err(shown)?;
    let arrival = Arrival::of_service(LOGGING);
    let event = lines.first().map_or_else(Utc::now, |line| line.time);
    let key = LogFileName { source, logging, event, delivery: arrival.at, unique: rand::random() }.key();
    let body = Bytes::from(lines.iter().map(AccessLogLine::render).collect::<String>());
    if !may(rooms, source, &target, &key, &arrival).map_err(shown)? {
        let fault = Fault::common(Common::AccessDenied, Dialect::S3, "Access Denied");
        let denied = put_object(&target, &key, &arrival, Some(&fault));
        denied.keep(&rooms.recorder, Dialect::S3).await.map_err(|fault| fault.message().to_owned())?;
        return Err("the target bucket's policy does not allow it".to_owned());
    }
    let headers = ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() };
    let encryption = Some(Encryption::S3);
    let object = NewObject { headers, encryption, ..NewObject::of(target.owner) };
    let mut options = PutOptions::new(object);
    options.length = Some(body.len() as u64);
    let mut upload = rooms.vault.begin_put(&target.name, &key, options).map_err(shown)?;
    upload.write(body).await.map_err(shown)?;
    let staged = upload.finish(&Expected::default()).await.map_err(shown)?;
    let events = put_object(&target, &key, &arrival, None).events(&rooms.recorder);
    let events = events.map_err(|error| error.to_string())?;
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
