//! The records of what KMS does to keys by itself.
//!
//! Their form: <https://docs.aws.amazon.com/kms/latest/developerguide/ct-delete-key.html> and `ct-rotatekey.html`.

use chrono::{DateTime, Utc};
use opentrail_event::{Record, RecordResource, UserIdentity};
use opentrail_state::OwnedEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Key, MaterialOrigin};
use crate::error::KeyringError;

const KMS: &str = "kms.amazonaws.com";
const AWS_INTERNAL: &str = "AWS Internal";

pub(crate) fn key_deleted(key: &Key, at: DateTime<Utc>) -> Result<OwnedEvent, KeyringError> {
    event(key, "DeleteKey", json!({ "keyId": key.id }), at)
}

/// `before` with its last material, `after` with the new one.
pub(crate) fn key_rotated(before: &Key, after: &Key, at: DateTime<Utc>) -> Result<OwnedEvent, KeyringError> {
    let (previous, current) = (before.material(), after.material());
    let details = json!({
        "rotationType": if current.origin == MaterialOrigin::OnDemand { "ON_DEMAND" } else { "AUTOMATIC" },
        "keyOrigin": "AWS_KMS",
        "previousKeyMaterialId": previous.id,
        "currentKeyMaterialId": current.id,
        "keyId": after.id,
    });
    event(after, "RotateKey", details, at)
}

pub(crate) fn managed_key_made(
    key: &Key,
    service: &str,
    at: DateTime<Utc>,
) -> Result<OwnedEvent, KeyringError> {
    let details = json!({ "keyId": key.id, "service": format!("{service}.amazonaws.com") });
    event(key, "CreateKey", details, at)
}

fn event(key: &Key, name: &str, details: Value, at: DateTime<Utc>) -> Result<OwnedEvent, KeyringError> {
    let identity = UserIdentity::AwsService { invoked_by: AWS_INTERNAL.to_owned() };
    let mut record = Record::new(Uuid::new_v4(), at, identity, KMS, name, key.region.clone(), key.account);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = AWS_INTERNAL.to_owned();
    record.user_agent = Some(AWS_INTERNAL.to_owned());
    record.read_only = Some(false);
    record.resources = vec![RecordResource::new("AWS::KMS::Key", key.arn.as_str(), Some(key.account))];
    record.service_event_details = Some(details);
    Ok(OwnedEvent { owner: key.account, event: record.into_event()? })
}
