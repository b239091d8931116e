//! The records of replication.
//!
//! S3 writes no CloudTrail events for the statuses of replication. Here, as with lifecycle rules, every deed leaves one,
//! as an `AwsServiceEvent` of S3 in the same journal entry: a data event, kept where a trail selects data events of the
//! object. A copy's is the destination owner's; what became of a version is the source owner's, under the name that S3's
//! event notifications have for it where there is one. The uses of KMS keys are records of KMS, as with callers.

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Category, EventError, Record, RecordResource, UserIdentity};
use opentrail_identity::Caller;
use opentrail_state::OwnedEvent;
use opentrail_vault::{
    Bucket, Version,
    replication::{Replicated, ReplicationRule, ReplicationStatus, Waiting},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{S3, permit::KeyUse};
use crate::{
    call::Arrival,
    recording::{Deed, Recorder, Who},
};

/// What a record tells of.
pub(super) struct Told<'a> {
    /// The source.
    pub(super) bucket: &'a Bucket,
    pub(super) waiting: &'a Waiting,
    pub(super) rule: Option<&'a ReplicationRule>,
    /// Why the copy was refused.
    pub(super) reason: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
}

/// The events of a copy that was made, or told what changed.
pub(super) fn copied(
    recorder: &Recorder,
    told: &Told<'_>,
    into: &Bucket,
    role: &str,
    done: Replicated,
    used: &[KeyUse],
    caller: &Caller,
) -> Result<Vec<OwnedEvent>, EventError> {
    let name = match (&told.waiting.version, done) {
        (Version::DeleteMarker(_), _) => "ReplicateDelete",
        (Version::Object(_), Replicated::Changed) => "ReplicateObjectSettings",
        (Version::Object(_), _) => "ReplicateObject",
    };
    let mut details = details(told);
    details.insert("sourceBucketName".to_owned(), json!(told.bucket.name));
    details.insert("bucketName".to_owned(), json!(into.name));
    details.insert("role".to_owned(), json!(role));
    let mut events = event(recorder, told, into, name, details)?;
    if done == Replicated::Made {
        let arrival = Arrival::of_service(S3);
        for of_key in used {
            events.extend(key_use(of_key, caller, into.owner, &arrival).events(recorder)?);
        }
    }
    Ok(events)
}

/// The events of what became of a version.
pub(super) fn settled(
    recorder: &Recorder,
    told: &Told<'_>,
    status: ReplicationStatus,
) -> Result<Vec<OwnedEvent>, EventError> {
    let name = if told.reason.is_some() { "OperationFailedReplication" } else { "OperationReplicated" };
    let mut details = details(told);
    details.insert("destinationBucketName".to_owned(), json!(told.waiting.destination));
    details.insert("replicationStatus".to_owned(), json!(status.name()));
    event(recorder, told, told.bucket, name, details)
}

fn details(told: &Told<'_>) -> Map<String, Value> {
    let mut details = Map::new();
    details.insert("bucketName".to_owned(), json!(told.bucket.name));
    details.insert("key".to_owned(), json!(told.waiting.key));
    details.insert("versionId".to_owned(), json!(told.waiting.version.id()));
    if let Some(rule) = told.rule {
        details.insert("replicationRuleId".to_owned(), json!(rule.id));
    }
    details
}

fn event(
    recorder: &Recorder,
    told: &Told<'_>,
    bucket: &Bucket,
    name: &'static str,
    details: Map<String, Value>,
) -> Result<Vec<OwnedEvent>, EventError> {
    let (owner, identity) = (bucket.owner, UserIdentity::AwsService { invoked_by: S3.to_owned() });
    let mut record = Record::new(Uuid::new_v4(), told.now, identity, S3, name, bucket.region.clone(), owner)
        .into_data_event();
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = S3.to_owned();
    record.user_agent = Some(S3.to_owned());
    record.read_only = Some(false);
    record.service_event_details = Some(Value::Object(details));
    if let Some(reason) = told.reason {
        record.error_code = Some("ReplicationFailed".to_owned());
        record.error_message = Some(reason.to_owned());
    }
    let object = format!("arn:aws:s3:::{}/{}", bucket.name, told.waiting.key);
    record.resources = vec![
        RecordResource::new("AWS::S3::Object", object, None),
        RecordResource::new("AWS::S3::Bucket", format!("arn:aws:s3:::{}", bucket.name), Some(owner)),
    ];
    let event = record.into_event()?;
    let is_selected = recorder.trails.selects_data_event(&event, owner);
    Ok(if is_selected { vec![OwnedEvent { owner, event }] } else { Vec::new() })
}

/// The record of a KMS key that the role used through S3.
fn key_use<'a>(used: &'a KeyUse, caller: &'a Caller, owner: AccountId, arrival: &'a Arrival) -> Deed<'a> {
    let account = caller.principal.account().unwrap_or(owner);
    Deed {
        event_source: "kms.amazonaws.com",
        event_name: used.action,
        region: used.key.region.clone(),
        arrival,
        who: Who::Through(caller, S3),
        accounts: vec![account, used.key.account],
        read_only: true,
        category: Category::Management,
        parameters: Some(json!({
            "keyId": used.key.arn,
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": used.context,
        })),
        elements: None,
        additional: None,
        resources: vec![RecordResource::new("AWS::KMS::Key", used.key.arn.as_str(), Some(used.key.account))],
        fault: None,
    }
}
