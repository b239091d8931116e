//! The record that an import has come to its end.
//!
//! CloudTrail documents none. Here a change of the control plane has a record, also one that nobody called for: an
//! `AwsServiceEvent` of CloudTrail.

use opentrail_event::{EventError, Record, RecordResource, UserIdentity};
use opentrail_lake::import::{Import, ImportStatus, Statistics};
use opentrail_state::OwnedEvent;
use serde_json::json;
use uuid::Uuid;

use crate::store::CLOUDTRAIL;

/// The record for the import's account.
pub(super) fn record(import: &Import, statistics: &Statistics) -> Result<Vec<OwnedEvent>, EventError> {
    let name = if import.status == ImportStatus::Completed { "ImportCompleted" } else { "ImportFailed" };
    let identity = UserIdentity::AwsService { invoked_by: CLOUDTRAIL.to_owned() };
    let (owner, region) = (import.account, import.region.clone());
    let mut record = Record::new(Uuid::new_v4(), import.updated, identity, CLOUDTRAIL, name, region, owner);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = CLOUDTRAIL.to_owned();
    record.user_agent = Some(CLOUDTRAIL.to_owned());
    record.read_only = Some(false);
    record.service_event_details = Some(json!({
        "importId": import.id.to_string(),
        "destinations": [import.destination],
        "importStatus": import.status.as_str(),
        "importStatistics": {
            "prefixesFound": statistics.prefixes_found,
            "prefixesCompleted": statistics.prefixes_completed,
            "filesCompleted": statistics.files_completed,
            "eventsCompleted": statistics.events_completed,
            "failedEntries": statistics.failed_entries,
        },
        "eventsOutsideRetentionPeriod": statistics.events_expired,
    }));
    record.resources = vec![RecordResource::new(
        "AWS::CloudTrail::EventDataStore",
        import.destination.as_str(),
        Some(owner),
    )];
    Ok(vec![OwnedEvent { owner, event: record.into_event()? }])
}
