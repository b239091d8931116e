//! What happens with a call besides the call itself: events of the service's own, in the history of the management
//! account.
//!
//! Source: the user guide, "Logging API calls with AWS CloudTrail".

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, EventError, Record, Region, UserIdentity};
use opentrail_state::OwnedEvent;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::SERVICE;
use crate::call::Call;

/// An event of Organizations itself.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    name: &'static str,
    management: AccountId,
    details: Value,
}

/// How records of Organizations write a time.
pub(super) fn spoken(at: DateTime<Utc>) -> String {
    at.format("%b %-d, %Y %-I:%M:%S %p").to_string()
}

impl Happening {
    pub(super) fn new(name: &'static str, management: AccountId, details: Value) -> Self {
        Self { name, management, details }
    }

    /// An account is in an organization from here on.
    pub(super) fn joined(management: AccountId, account: AccountId, method: &str, at: DateTime<Utc>) -> Self {
        let details = json!({
            "accountId": account,
            "managementAccountId": management,
            "joinedMethod": method,
            "joinedTime": spoken(at),
        });
        Self::new("AccountJoinedOrganization", management, details)
    }

    /// An account is not in its organization any more.
    pub(super) fn departed(
        management: AccountId,
        account: AccountId,
        method: &str,
        at: DateTime<Utc>,
    ) -> Self {
        let details = json!({
            "accountId": account,
            "managementAccountId": management,
            "departureMethod": method,
            "departureTime": spoken(at),
        });
        Self::new("AccountDepartedOrganization", management, details)
    }

    fn event(&self, call: &Call) -> Result<OwnedEvent, EventError> {
        let service = SERVICE.event_source;
        let identity = UserIdentity::AwsService { invoked_by: service.to_owned() };
        let region = Region::us_east_1();
        let at = call.arrival.at;
        let mut record =
            Record::new(Uuid::new_v4(), at, identity, service, self.name, region, self.management);
        record.event_type = "AwsServiceEvent";
        record.source_ip_address = service.to_owned();
        record.user_agent = Some(service.to_owned());
        record.read_only = Some(false);
        record.service_event_details = Some(self.details.clone());
        Ok(OwnedEvent { owner: self.management, event: record.into_event()? })
    }
}

/// The events of these.
pub(super) fn events(happenings: &[Happening], call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
    happenings.iter().map(|happening| happening.event(call)).collect()
}

/// An answer, and what else happened.
pub(super) struct With<T> {
    pub(super) answer: T,
    pub(super) happenings: Vec<Happening>,
}

impl<T: Serialize> Serialize for With<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.answer.serialize(serializer)
    }
}
