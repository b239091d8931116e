//! Stores whose seven days are over.

use chrono::{DateTime, Utc};
use opentrail_event::{EventError, Record, RecordResource, UserIdentity};
use opentrail_state::OwnedEvent;
use serde_json::json;
use uuid::Uuid;

use super::{document::EventDataStore, rules::Stores};

const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Stores that are gone.
    pub deleted: usize,
    /// Stores that are still there though their time has come; the log says why.
    pub failed: usize,
}

impl Stores {
    /// Deletes the stores whose time has come by `now`, each in one entry of the journal with its record. What their
    /// tables have is dropped by whoever keeps the tables, when it reads of it.
    pub async fn do_what_is_due(&self, now: DateTime<Utc>) -> Due {
        let mut due = Due::default();
        for store in self.due(now) {
            let mut tx = self.state.begin().await;
            // It may have been restored while others had the lock.
            if !self.remove_due(&mut tx, &store.document(), now) {
                continue;
            }
            let arn = store.arn().to_string();
            let outcome = match record(&store, now) {
                Ok(event) => tx.commit(vec![event]).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match outcome {
                Ok(_) => {
                    tracing::info!(store = arn, "an event data store was deleted: its time had come");
                    due.deleted += 1;
                }
                Err(error) => {
                    tracing::warn!(store = arn, error, "an event data store can't be deleted yet");
                    due.failed += 1;
                }
            }
        }
        due
    }
}

/// The record of the deletion, which nobody asked for at that moment.
fn record(store: &EventDataStore, at: DateTime<Utc>) -> Result<OwnedEvent, EventError> {
    let identity = UserIdentity::AwsService { invoked_by: CLOUDTRAIL.to_owned() };
    let (region, account) = (store.region.clone(), store.account);
    let mut record =
        Record::new(Uuid::new_v4(), at, identity, CLOUDTRAIL, "DeleteEventDataStore", region, account);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = CLOUDTRAIL.to_owned();
    record.user_agent = Some(CLOUDTRAIL.to_owned());
    record.read_only = Some(false);
    let arn = store.arn().to_string();
    record.resources =
        vec![RecordResource::new("AWS::CloudTrail::EventDataStore", arn.as_str(), Some(account))];
    record.service_event_details = Some(json!({ "eventDataStore": arn }));
    Ok(OwnedEvent { owner: account, event: record.into_event()? })
}
