//! The record of a call: who did what, from where, and what came of it.

mod strangers;

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use opentrail_event::{
    AccountId, Category, Event, EventError, Record, RecordResource, Region, TlsDetails, UserIdentity,
};
use opentrail_identity::{Caller, Principal, login_profile, mfa};
use opentrail_lake::store::Stores as EventDataStores;
use opentrail_state::{OwnedEvent, State};
use opentrail_trails::Trails;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    call::{Arrival, Call},
    fault::{Common, Dialect, Fault, WrongProof},
};

use strangers::summary;
pub(crate) use strangers::{Strangers, TELL_INTERVAL};

/// What every record of a denied call says.
const ACCESS_DENIED: &str = "AccessDenied";

/// The one who called, as far as the door could tell.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// Credentials that hold.
    Known(&'a Caller),
    /// Credentials that do not: the access key id they named, if any.
    Unknown(Option<&'a str>),
    /// A service of ours, acting for itself.
    Service(&'a str),
    /// A service of ours, acting for a caller with the caller's permissions.
    Through(&'a Caller, &'a str),
}

impl Who<'_> {
    fn identity(self, viewpoint: AccountId) -> UserIdentity {
        match self {
            Who::Known(caller) => caller.user_identity(viewpoint),
            Who::Unknown(access_key_id) => {
                UserIdentity::Unknown { access_key_id: access_key_id.map(str::to_owned) }
            }
            Who::Service(name) => UserIdentity::AwsService { invoked_by: name.to_owned() },
            Who::Through(caller, name) => caller.user_identity(viewpoint).through(name),
        }
    }
}

/// What a record says of a call, whatever the service.
pub(crate) struct Deed<'a> {
    pub(crate) event_source: &'a str,
    pub(crate) event_name: &'a str,
    pub(crate) region: Region,
    pub(crate) arrival: &'a Arrival,
    pub(crate) who: Who<'a>,
    /// The accounts whose record it is: the caller's, and that of what was touched. With more than one,
    /// each gets its own record, joined by `sharedEventID`.
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) read_only: bool,
    /// A data event is kept only where a trail or an event data store selects it.
    pub(crate) category: Category,
    pub(crate) parameters: Option<Value>,
    pub(crate) elements: Option<Value>,
    pub(crate) additional: Option<Value>,
    pub(crate) resources: Vec<RecordResource>,
    pub(crate) fault: Option<&'a Fault>,
}

/// Where records are kept, and who asks for those that are not kept anyway.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) state: State,
    pub(crate) trails: Trails,
    /// Event data stores, which ask for more.
    pub(crate) event_data_stores: EventDataStores,
    /// How many calls of senders whom nobody knows are recorded one by one.
    pub(crate) strangers: Arc<Strangers>,
}

impl Recorder {
    /// Writes, for each account, how many calls of strangers it has no records of, and since when.
    pub(crate) async fn tell_left_out(&self, region: &Region) {
        let left_out = self.strangers.take();
        if left_out.is_empty() {
            return;
        }
        tracing::warn!(?left_out, "calls without valid credentials were not recorded one by one");
        let summaries: Result<Vec<_>, _> =
            left_out.iter().map(|(account, left_out)| summary(*account, left_out, region)).collect();
        match summaries {
            Ok(events) => {
                if let Err(error) = self.state.append(Vec::new(), events).await {
                    tracing::warn!(%error, "their number can't be recorded; it is tried again");
                    self.strangers.put_back(left_out);
                }
            }
            Err(error) => tracing::error!(%error, "their number can't be recorded"),
        }
    }
}

impl Deed<'_> {
    /// Whether it is a failed call of a sender who proved nothing: anyone can make as many as they like.
    fn is_strangers(&self) -> bool {
        match self.who {
            Who::Unknown(_) => true,
            Who::Known(caller) => {
                let proves_little =
                    matches!(caller.principal, Principal::Anonymous | Principal::WebIdentity { .. });
                self.fault.is_some() && proves_little
            }
            Who::Service(_) | Who::Through(..) => false,
        }
    }

    /// The events of this deed, for the journal entry that makes it durable.
    pub(crate) fn events(mut self, recorder: &Recorder) -> Result<Vec<OwnedEvent>, EventError> {
        self.accounts.dedup();
        let shared = (self.accounts.len() > 1).then(Uuid::new_v4);
        let mut events = Vec::with_capacity(self.accounts.len());
        for owner in std::mem::take(&mut self.accounts) {
            let event = self.event(owner, shared)?;
            let is_wanted = || {
                recorder.trails.selects_data_event(&event, owner)
                    || recorder.event_data_stores.selects_data_event(&event, owner)
            };
            if self.category != Category::Data || is_wanted() {
                events.push(OwnedEvent { owner, event });
            }
        }
        Ok(events)
    }

    /// The event; should what the caller sent be too much for one, then without what it sent. A change is never
    /// without its record.
    fn event(&mut self, owner: AccountId, shared: Option<Uuid>) -> Result<Event, EventError> {
        self.record(owner, shared).into_event().or_else(|error| {
            tracing::warn!(%error, event_name = self.event_name, "a record is kept without its details");
            (self.parameters, self.elements, self.additional) = (None, None, None);
            self.resources.clear();
            self.record(owner, shared).into_event()
        })
    }

    fn record(&self, owner: AccountId, shared: Option<Uuid>) -> Record {
        let arrival = self.arrival;
        let mut record = Record::new(
            Uuid::new_v4(),
            arrival.at,
            self.who.identity(owner),
            self.event_source,
            self.event_name,
            self.region.clone(),
            owner,
        );
        if self.category == Category::Data {
            record = record.into_data_event();
        }
        record.source_ip_address = match self.who {
            Who::Service(name) | Who::Through(_, name) => name.to_owned(),
            Who::Known(_) | Who::Unknown(_) => arrival.source_ip.to_string(),
        };
        record.user_agent = arrival.user_agent.clone();
        record.error_code = self.fault.map(|fault| fault.recorded_code().to_owned());
        record.error_message = self.fault.map(|fault| fault.message().to_owned());
        record.request_parameters = self.parameters.clone();
        record.response_elements = self.elements.clone();
        record.additional_event_data = self.additional.clone();
        record.request_id = Some(arrival.request_id.clone());
        record.read_only = Some(self.read_only);
        record.resources = self.resources.clone();
        record.shared_event_id = shared;
        record.tls_details = arrival.tls.as_ref().map(|tls| TlsDetails {
            tls_version: Some(tls.version.clone()),
            cipher_suite: Some(tls.cipher_suite.clone()),
            client_provided_host_header: arrival.host.clone(),
        });
        record
    }

    /// Makes the record durable by itself: for calls that changed nothing. Of strangers' calls, those beyond a
    /// rate are only counted.
    ///
    /// Where a call failed by a wrong MFA code or password, that it was wrong is counted in the same entry; so nobody may hold
    /// a transaction while this is called.
    pub(crate) async fn keep(self, recorder: &Recorder, dialect: Dialect) -> Result<(), Fault> {
        self.keep_with(Vec::new(), recorder, dialect).await
    }

    /// As [`keep`](Self::keep), with more events of the same call in the same journal entry.
    pub(crate) async fn keep_with(
        self,
        more: Vec<OwnedEvent>,
        recorder: &Recorder,
        dialect: Dialect,
    ) -> Result<(), Fault> {
        let stranger = self.is_strangers().then_some(self.arrival);
        let wrong = self.fault.and_then(Fault::wrong).cloned();
        let mut events = self.events(recorder).map_err(|error| unwritable(&error, dialect))?;
        events.extend(more);
        if let Some(wrong) = wrong {
            let mut tx = recorder.state.begin().await;
            match &wrong {
                WrongProof::Code(wrong) => mfa::keep_wrong_code(&mut tx, wrong),
                WrongProof::Password(wrong) => login_profile::keep_wrong_password(&mut tx, wrong),
            }
            tx.commit(events).await.map_err(|error| Fault::of_state(error, dialect))?;
            return Ok(());
        }
        let Some(first) = events.first() else { return Ok(()) };
        if let Some(arrival) = stranger
            && !recorder.strangers.admit(arrival.source_ip, first.owner, arrival.at, Instant::now())
        {
            return Ok(());
        }
        recorder.state.append(Vec::new(), events).await.map_err(|error| Fault::of_state(error, dialect))?;
        Ok(())
    }
}

/// A record of ours that can't be written is our fault, and the call must not succeed without it.
pub(crate) fn unwritable(error: &EventError, dialect: Dialect) -> Fault {
    tracing::error!(%error, "a record can't be written");
    Fault::common(Common::Internal, dialect, "The call could not be recorded.")
}

/// What is known of a call of an operation before its outcome is.
#[derive(Clone)]
pub(crate) struct Trace {
    name: &'static str,
    read_only: bool,
    secrets: &'static [&'static str],
    parameters: Option<Value>,
    resources: Vec<RecordResource>,
    other_accounts: Vec<AccountId>,
    is_discreet: bool,
}

impl Trace {
    pub(crate) fn new(name: &'static str, read_only: bool, secrets: &'static [&'static str]) -> Self {
        Self {
            name,
            read_only,
            secrets,
            parameters: None,
            resources: Vec::new(),
            other_accounts: Vec::new(),
            is_discreet: false,
        }
    }

    /// Sets `requestParameters`; an input without members is null there.
    pub(crate) fn set_parameters(&mut self, mut parameters: Value) {
        remove_secrets(&mut parameters, self.secrets);
        self.parameters =
            Some(parameters).filter(|p| p.as_object().is_none_or(|members| !members.is_empty()));
    }

    /// Sets `resources`, and whose record it is besides the caller's.
    pub(crate) fn set_resources(&mut self, resources: Vec<RecordResource>, call: &Call) {
        self.other_accounts = other_owners(&resources, call.account);
        self.resources = resources;
    }

    /// The events of this call, should it succeed.
    pub(crate) fn events(&self, call: &Call, elements: Option<Value>) -> Result<Vec<OwnedEvent>, Fault> {
        let deed = self.clone().deed(call, elements, None);
        deed.events(&call.rooms.recorder).map_err(|error| unwritable(&error, call.dialect()))
    }

    /// Says that the record of a denied call shows no more of it than that it was denied.
    pub(crate) fn set_discreet(&mut self) {
        self.is_discreet = true;
    }

    /// Records the success of a call that changed nothing.
    pub(crate) async fn succeeded(self, call: &Call, elements: Option<Value>) -> Result<(), Fault> {
        self.deed(call, elements, None).keep(&call.rooms.recorder, call.dialect()).await
    }

    /// Records a failure, and answers it; where the record can't be kept, that is the failure.
    pub(crate) async fn failed(mut self, call: &Call, fault: Fault) -> Fault {
        if self.is_discreet && fault.recorded_code() == ACCESS_DENIED {
            self.parameters = None;
            self.resources.clear();
        }
        // Who is refused learns nothing of what others have, not even whether it is there.
        self.resources.retain(|resource| resource.account_id.is_none_or(|owner| owner == call.account));
        match self.deed(call, None, Some(&fault)).keep(&call.rooms.recorder, call.dialect()).await {
            Ok(()) => fault,
            Err(unrecorded) => unrecorded,
        }
    }

    fn deed<'a>(self, call: &'a Call, elements: Option<Value>, fault: Option<&'a Fault>) -> Deed<'a> {
        let elements = elements
            .map(|mut elements| {
                remove_secrets(&mut elements, self.secrets);
                elements
            })
            .filter(|e| e.as_object().is_none_or(|members| !members.is_empty()));
        let mut accounts = vec![call.account];
        if fault.is_none() {
            accounts.extend(self.other_accounts);
        }
        Deed {
            event_source: call.service.event_source,
            event_name: self.name,
            region: call.recorded_region(),
            arrival: &call.arrival,
            who: call.who(),
            accounts,
            read_only: self.read_only,
            category: Category::Management,
            parameters: self.parameters,
            elements,
            additional: None,
            resources: self.resources,
            fault,
        }
    }
}

/// The accounts that resources belong to, each once, but for the caller's.
fn other_owners(resources: &[RecordResource], own: AccountId) -> Vec<AccountId> {
    let owners: BTreeSet<AccountId> = resources.iter().filter_map(|resource| resource.account_id).collect();
    owners.into_iter().filter(|owner| *owner != own).collect()
}

/// Takes members with these names (in the API's spelling) out, at any depth.
fn remove_secrets(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !secrets.iter().any(|secret| secret.eq_ignore_ascii_case(name)));
            members.values_mut().for_each(|member| remove_secrets(member, secrets));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove_secrets(item, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use opentrail_event::{AccountId, RecordResource};
    use serde_json::json;

    use super::{other_owners, remove_secrets};

    #[test]
    fn every_other_owner_has_a_record_once() {
        let [own, one, two]: [AccountId; 3] =
            ["111111111111", "222222222222", "333333333333"].map(|id| id.parse().expect("an account"));
        let of = |owner| RecordResource::new("AWS::KMS::Key", "arn", owner);
        let resources = [of(Some(two)), of(None), of(Some(own)), of(Some(one)), of(Some(two))];
        assert_eq!(other_owners(&resources, own), [one, two]);
        assert!(other_owners(&[of(Some(own))], own).is_empty());
    }

    #[test]
    fn secrets_leave_at_any_depth() {
        let mut elements = json!({"accessKey": {"accessKeyId": "AKIA", "secretAccessKey": "s"}, "l": [{"secretAccessKey": 1}]});
        remove_secrets(&mut elements, &["SecretAccessKey"]);
        assert_eq!(elements, json!({"accessKey": {"accessKeyId": "AKIA"}, "l": [{}]}));
    }
}
