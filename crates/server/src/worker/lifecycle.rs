//! Applies the lifecycle rules of all buckets, again and again.
//!
//! S3 writes no CloudTrail events for what its rules do. Here every deed of a rule leaves one, as an
//! `AwsServiceEvent` of S3 in the same journal entry as the deed: a data event, kept where a trail selects data
//! events of the object, like those of callers. Its name is that of S3's event notifications for the same deed, and
//! `serviceEventDetails` has the operation as S3's access logs call it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use opentrail_event::{EventError, Record, RecordResource, UserIdentity};
use opentrail_state::OwnedEvent;
use opentrail_vault::{
    Bucket, StorageClass, VaultError,
    lifecycle::{Due, LifecycleAction, Performed},
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::clock::SteadyClock;
use crate::{recording::Recorder, rooms::Rooms};

/// Who acts.
const S3: &str = "s3.amazonaws.com";
/// How often buckets are looked through, at most and at least; in between, 24 times a day of the calendar.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LOOKS_A_DAY: u32 = 24;

/// Works until `stop`, first at the start: what became due while nothing ran is late already, and a server that is
/// often started again would never come to it.
pub(crate) async fn run(rooms: Arc<Rooms>, day: Duration, stop: CancellationToken) {
    let pause = (day / LOOKS_A_DAY).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    // A day of the calendar may be short for tests; the clock is that of the world in any case.
    let clock = SteadyClock::new();
    loop {
        let buckets = rooms.state.list::<Bucket>("");
        for (name, _) in buckets.iter().filter(|(_, bucket)| bucket.lifecycle.is_some()) {
            match look_through(&rooms, &clock, name, &stop).await {
                Ok(()) | Err(VaultError::NoSuchBucket { .. }) => {}
                Err(VaultError::Closing) => return,
                Err(error) => tracing::warn!(bucket = name, %error, "lifecycle rules wait"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks through one bucket and does what is due. What one version refuses keeps none of the others.
async fn look_through(
    rooms: &Rooms,
    clock: &SteadyClock,
    bucket: &str,
    stop: &CancellationToken,
) -> Result<(), VaultError> {
    let mut walk = rooms.vault.lifecycle_walk(bucket)?;
    while let Some(place) = walk {
        let (due, next) = rooms.vault.lifecycle_step(place, rooms.calendar, clock.now()).await?;
        for due in due {
            if stop.is_cancelled() {
                return Ok(());
            }
            act(rooms, &due, clock.now()).await?;
        }
        walk = next;
    }
    Ok(())
}

async fn act(rooms: &Rooms, due: &Due, now: DateTime<Utc>) -> Result<(), VaultError> {
    let events = |performed: &Performed| events(&rooms.recorder, due, performed, now);
    match rooms.vault.lifecycle_act(due, now, events).await {
        Ok(Some(_)) => {
            metrics::counter!("opentrail_lifecycle_actions_total", "action" => name(due.action)).increment(1);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(VaultError::Locked { .. } | VaultError::MfaRequired) => {
            metrics::counter!("opentrail_lifecycle_held_total").increment(1);
            tracing::debug!(bucket = due.bucket.name, key = due.key, "a version is held and stays");
            Ok(())
        }
        // Nothing else can be done then either.
        Err(error @ (VaultError::DiskFull | VaultError::IndexUnavailable | VaultError::Closing)) => {
            Err(error)
        }
        Err(error) => {
            metrics::counter!("opentrail_lifecycle_failures_total").increment(1);
            tracing::error!(bucket = due.bucket.name, key = due.key, %error, "a lifecycle rule failed");
            Ok(())
        }
    }
}

/// The event's name: that of S3's event notifications, without its colons.
fn name(action: LifecycleAction) -> &'static str {
    match action {
        LifecycleAction::Expire | LifecycleAction::RemoveMarker | LifecycleAction::RemoveNoncurrent => {
            "LifecycleExpirationDelete"
        }
        LifecycleAction::Transition(_) => "LifecycleTransition",
        LifecycleAction::AbortUpload => "LifecycleAbortMultipartUpload",
    }
}

/// The operation, as S3's access logs call it (S3 user guide, "Lifecycle and logging").
fn operation(performed: &Performed) -> &'static str {
    match performed.action {
        LifecycleAction::Expire if performed.marker_id.is_some() => "S3.CREATE.DELETEMARKER",
        LifecycleAction::Expire | LifecycleAction::RemoveMarker | LifecycleAction::RemoveNoncurrent => {
            "S3.EXPIRE.OBJECT"
        }
        LifecycleAction::Transition(class) => match class {
            StorageClass::StandardIa => "S3.TRANSITION_SIA.OBJECT",
            StorageClass::OneZoneIa => "S3.TRANSITION_ZIA.OBJECT",
            StorageClass::IntelligentTiering => "S3.TRANSITION_INT.OBJECT",
            StorageClass::GlacierIr => "S3.TRANSITION_GIR.OBJECT",
            StorageClass::DeepArchive => "S3.TRANSITION_GDA.OBJECT",
            StorageClass::Glacier | StorageClass::Standard | StorageClass::ReducedRedundancy => {
                "S3.TRANSITION.OBJECT"
            }
        },
        LifecycleAction::AbortUpload => "S3.DELETE.UPLOAD",
    }
}

/// The records of a deed, as far as a trail asks for them.
fn events(
    recorder: &Recorder,
    due: &Due,
    performed: &Performed,
    now: DateTime<Utc>,
) -> Result<Vec<OwnedEvent>, EventError> {
    let (bucket, owner) = (&due.bucket, due.bucket.owner);
    let event_name = match (performed.action, &performed.marker_id) {
        (LifecycleAction::Expire, Some(_)) => "LifecycleExpirationDeleteMarkerCreated",
        (action, _) => name(action),
    };
    let identity = UserIdentity::AwsService { invoked_by: S3.to_owned() };
    let mut record = Record::new(Uuid::new_v4(), now, identity, S3, event_name, bucket.region.clone(), owner)
        .into_data_event();
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = S3.to_owned();
    record.user_agent = Some(S3.to_owned());
    record.read_only = Some(false);
    record.service_event_details = Some(details(due, performed));
    record.resources = vec![
        RecordResource::new("AWS::S3::Object", format!("arn:aws:s3:::{}/{}", bucket.name, due.key), None),
        RecordResource::new("AWS::S3::Bucket", format!("arn:aws:s3:::{}", bucket.name), Some(owner)),
    ];
    let event = record.into_event()?;
    let is_selected = recorder.trails.selects_data_event(&event, owner);
    Ok(if is_selected { vec![OwnedEvent { owner, event }] } else { Vec::new() })
}

fn details(due: &Due, performed: &Performed) -> Value {
    let mut details = Map::new();
    let mut set = |name: &str, value: Value| details.insert(name.to_owned(), value);
    set("bucketName", json!(due.bucket.name));
    set("key", json!(due.key));
    set("operation", json!(operation(performed)));
    set("lifecycleRuleId", json!(due.rule_id));
    for (name, value) in [
        ("versionId", &performed.version_id),
        ("deleteMarkerVersionId", &performed.marker_id),
        ("uploadId", &performed.upload_id),
    ] {
        if let Some(value) = value {
            set(name, json!(value));
        }
    }
    if let LifecycleAction::Transition(class) = performed.action {
        set("storageClass", json!(class.name()));
        set("size", json!(performed.size));
    }
    Value::Object(details)
}
