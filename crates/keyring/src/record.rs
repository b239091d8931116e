//! The records of what the keyring does by itself: no caller asked for it, and no change goes unrecorded.

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::{AccountId, Event, EventError, Record, Region, UserIdentity};
use opentrail_state::OwnedEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{error::KeyringError, signing::SigningKeyDocument};

/// The service that the signing keys belong to.
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

pub(crate) fn signing_key_made(
    account: AccountId,
    key: &SigningKeyDocument,
    at: DateTime<Utc>,
) -> Result<OwnedEvent, KeyringError> {
    let name = if key.serial == 1 { "CreateSigningKey" } else { "RotateSigningKey" };
    let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let details = json!({
        "fingerprint": key.fingerprint,
        "validityStartTime": text(key.valid_from),
        "validityEndTime": text(key.valid_to),
    });
    Ok(service_event(account, name, key.region.clone(), details, at)?)
}

pub(crate) fn master_key_adopted(account: AccountId, at: DateTime<Utc>) -> Result<OwnedEvent, KeyringError> {
    // The master key serves all regions, so its record is where those of global services are.
    Ok(service_event(account, "AdoptMasterKey", Region::us_east_1(), json!({ "keyVersion": 1 }), at)?)
}

fn service_event(
    account: AccountId,
    name: &str,
    region: Region,
    details: Value,
    at: DateTime<Utc>,
) -> Result<OwnedEvent, EventError> {
    let identity = UserIdentity::AwsService { invoked_by: CLOUDTRAIL.to_owned() };
    let mut record = Record::new(Uuid::new_v4(), at, identity, CLOUDTRAIL, name, region, account);
    record.event_type = "AwsServiceEvent";
    record.source_ip_address = CLOUDTRAIL.to_owned();
    record.user_agent = Some(CLOUDTRAIL.to_owned());
    record.read_only = Some(false);
    record.service_event_details = Some(details);
    let event: Event = record.into_event()?;
    Ok(OwnedEvent { owner: account, event })
}
