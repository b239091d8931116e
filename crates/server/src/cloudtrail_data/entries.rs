//! The shapes of PutAuditEvents, and the checks that concern a call as a whole.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    fault::{Common, Fault},
};

/// Most events in a call (AWS: AuditEvents).
const MAX_EVENTS: usize = 100;
/// Most bytes of event data in a call (AWS: PutAuditEvents).
const MAX_BYTES: usize = 1 << 20;
/// Longest id of an event (AWS: Uuid).
const MAX_ID: usize = 128;
/// The lengths of an external id (AWS: ExternalId).
const EXTERNAL_ID: std::ops::RangeInclusive<usize> = 2..=1224;

/// PutAuditEventsRequest
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    pub(super) audit_events: Vec<Entry>,
    pub(super) channel_arn: String,
    pub(super) external_id: Option<String>,
}

/// `AuditEvent`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) event_data: String,
    pub(super) event_data_checksum: Option<String>,
}

/// PutAuditEventsResponse
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    pub(super) failed: Vec<Failed>,
    pub(super) successful: Vec<Successful>,
}

/// `ResultErrorEntry`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failed {
    pub(super) error_code: &'static str,
    pub(super) error_message: String,
    pub(super) id: String,
}

/// `AuditEventResultEntry`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Successful {
    #[serde(rename = "eventID")]
    pub(super) event_id: String,
    pub(super) id: String,
}

impl Input {
    /// Checks what concerns the call as a whole.
    pub(super) fn check(&self, call: &Call) -> Result<(), Fault> {
        let invalid = |message: String| Err(call.fault(Common::Invalid, message));
        if !(1..=MAX_EVENTS).contains(&self.audit_events.len()) {
            return invalid(format!("A call must have 1 to {MAX_EVENTS} events."));
        }
        let is_id_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_id = |id: &str| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_id_letter);
        if !self.audit_events.iter().all(|entry| is_id(&entry.id)) {
            return invalid(format!(
                "The id of an event must have 1 to {MAX_ID} letters, digits, hyphens and underscores."
            ));
        }
        let is_letter = |c: char| c.is_alphanumeric() || "_+=,.@:/-".contains(c);
        let is_external = |id: &str| EXTERNAL_ID.contains(&id.chars().count()) && id.chars().all(is_letter);
        if self.external_id.as_deref().is_some_and(|id| !is_external(id)) {
            return invalid("The externalId is not valid.".to_owned());
        }
        if self.audit_events.iter().map(|entry| entry.event_data.len()).sum::<usize>() > MAX_BYTES {
            return Err(call.fault(Common::TooLarge, format!("A call can have {MAX_BYTES} bytes of events.")));
        }
        Ok(())
    }

    /// Refuses a call in which two events have the same id.
    pub(super) fn check_ids(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        match self.audit_events.iter().find(|entry| !seen.insert(&entry.id)) {
            Some(entry) => {
                let message = format!("More than one event has the id {}.", entry.id);
                Err(Fault::declared("DuplicatedAuditEventId", message))
            }
            None => Ok(()),
        }
    }
}
