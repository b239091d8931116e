//! InviteAccountToOrganization, EnableAllFeatures, and what is done with handshakes.

use opentrail_event::EventError;
use opentrail_identity::{
    Documents, account,
    organization::{
        FeatureSet,
        handshake::{self, Action, Handshake, Invitation, Invited},
        refusal::InvalidReason,
    },
};
use opentrail_policy::Context;
use opentrail_state::{OwnedEvent, Transaction};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    access,
    happening::{Happening, With, events},
    invalid,
    organization::Nothing,
    page::Paging,
    refused,
    shape::{TagShape, hide, tags},
    tagging,
};
use crate::{
    call::Call,
    fault::Fault,
    operation::{Described, Read, Write},
};

/// `Handshake`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HandshakeShape {
    id: String,
    arn: String,
    parties: Vec<Party>,
    state: &'static str,
    requested_timestamp: Timestamp,
    expiration_timestamp: Timestamp,
    action: &'static str,
    resources: Vec<ResourceShape>,
}

/// `HandshakeParty`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Party {
    id: String,
    #[serde(rename = "Type")]
    kind: String,
}

/// `HandshakeResource`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResourceShape {
    value: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    resources: Option<Vec<ResourceShape>>,
}

impl ResourceShape {
    fn new(kind: &'static str, value: impl Into<String>) -> Self {
        Self { value: value.into(), kind, resources: None }
    }
}

impl HandshakeShape {
    fn of(handshake: &Handshake, call: &Call, docs: &impl Documents) -> Self {
        let organization = Party { id: handshake.organization.clone(), kind: "ORGANIZATION".to_owned() };
        let (kind, id) = match &handshake.email {
            Some(email) => ("EMAIL", email.clone()),
            None => ("ACCOUNT", handshake.account.to_string()),
        };
        let is_own = handshake.action == Action::EnableAllFeatures;
        let other = (!is_own).then(|| Party { id: id.clone(), kind: kind.to_owned() });
        let mut resources = vec![about_organization(handshake, docs)];
        if !is_own {
            resources.push(ResourceShape::new(kind, id));
        }
        resources.extend(handshake.notes.as_ref().map(|notes| ResourceShape::new("NOTES", notes.as_str())));
        let parent = handshake.parent.as_ref();
        resources.extend(parent.map(|id| ResourceShape::new("PARENT_HANDSHAKE", id.as_str())));
        Self {
            id: handshake.id.clone(),
            arn: handshake.arn(),
            parties: std::iter::once(organization).chain(other).collect(),
            state: handshake.state(call.arrival.at).as_str(),
            requested_timestamp: handshake.requested_at.into(),
            expiration_timestamp: handshake.expires_at.into(),
            action: handshake.action.as_str(),
            resources,
        }
    }
}

fn about_organization(handshake: &Handshake, docs: &impl Documents) -> ResourceShape {
    let mut about = ResourceShape::new("ORGANIZATION", handshake.organization.as_str());
    if handshake.action == Action::Invite {
        let management = account::profile(docs, handshake.management_account);
        let features = match handshake.feature_set {
            FeatureSet::All => "ALL",
            FeatureSet::ConsolidatedBilling => "CONSOLIDATED_BILLING",
        };
        about.resources = Some(vec![
            ResourceShape::new("MASTER_EMAIL", management.email),
            ResourceShape::new("MASTER_NAME", management.name),
            ResourceShape::new("ORGANIZATION_FEATURE_SET", features),
        ]);
    }
    about
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneHandshake {
    handshake: HandshakeShape,
}

impl OneHandshake {
    fn of(handshake: &Handshake, call: &Call, docs: &impl Documents) -> Self {
        Self { handshake: HandshakeShape::of(handshake, call, docs) }
    }
}

/// Hides what the service's model calls sensitive in handshakes: addresses, names and notes.
fn hide_values(elements: &mut Value) {
    match elements {
        Value::Object(members) => {
            let is_shown = |kind: &Value| {
                let shown = ["ACCOUNT", "ORGANIZATION", "ORGANIZATION_FEATURE_SET", "PARENT_HANDSHAKE"];
                kind.as_str().is_some_and(|kind| shown.contains(&kind))
            };
            if members.get("type").is_some_and(|kind| !is_shown(kind)) {
                for name in ["value", "id"] {
                    if let Some(member) = members.get_mut(name) {
                        *member = "****".into();
                    }
                }
            }
            members.values_mut().for_each(hide_values);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_values),
        _ => {}
    }
}

/// InviteAccountToOrganization
pub(super) struct InviteAccountToOrganization;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InviteInput {
    target: Party,
    notes: Option<String>,
    tags: Option<Vec<TagShape>>,
}

impl Described for InviteAccountToOrganization {
    type Input = InviteInput;
    type Output = OneHandshake;
    const NAME: &'static str = "InviteAccountToOrganization";

    fn context(input: &InviteInput, _: &Call, context: &mut Context) {
        tagging::set_request_tags(context, input.tags.as_deref());
    }

    fn amend(_: &InviteInput, parameters: &mut Value) {
        hide_values(parameters);
        hide(parameters, &["notes"]);
    }

    fn amend_elements(elements: &mut Value) {
        hide_values(elements);
    }
}

impl Write for InviteAccountToOrganization {
    async fn prepare(input: &InviteInput, call: &Call) -> Result<(), Fault> {
        tagging::permit_with_creation(input.tags.as_deref(), call)
    }

    fn act(input: InviteInput, call: &Call, tx: &mut Transaction) -> Result<OneHandshake, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let target = match input.target.kind.as_str() {
            "ACCOUNT" => Invited::Account(&input.target.id),
            "EMAIL" => Invited::Email(&input.target.id),
            _ => {
                let message =
                    "You specified the wrong type of entity as a party: invite an ACCOUNT or an EMAIL.";
                return Err(invalid(InvalidReason::InvalidPartyTypeTarget, message));
            }
        };
        let tags = tags(input.tags.as_deref());
        let invitation = Invitation { target, notes: input.notes.as_deref(), tags: &tags };
        let sent = handshake::invite(tx, &organization, &invitation, call.arrival.at).map_err(refused)?;
        Ok(OneHandshake::of(&sent, call, tx))
    }
}

/// EnableAllFeatures
pub(super) struct EnableAllFeatures;

impl Described for EnableAllFeatures {
    type Input = Nothing;
    type Output = OneHandshake;
    const NAME: &'static str = "EnableAllFeatures";
}

impl Write for EnableAllFeatures {
    fn act(input: Nothing, call: &Call, tx: &mut Transaction) -> Result<OneHandshake, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        let sent = handshake::enable_all_features(tx, &organization, call.arrival.at).map_err(refused)?;
        Ok(OneHandshake::of(&sent, call, tx))
    }
}

/// The input of operations on one handshake.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneId {
    handshake_id: String,
}

fn arn(input: &OneId, call: &Call) -> String {
    let found = handshake::get(&call.rooms.state, call.account, &input.handshake_id, call.arrival.at);
    found.map_or_else(|_| "*".to_owned(), |handshake| handshake.arn())
}

/// AcceptHandshake
pub(super) struct AcceptHandshake;

impl Described for AcceptHandshake {
    type Input = OneId;
    type Output = With<OneHandshake>;
    const NAME: &'static str = "AcceptHandshake";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(arn(input, call))
    }

    fn amend_elements(elements: &mut Value) {
        hide_values(elements);
    }
}

impl Write for AcceptHandshake {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<With<OneHandshake>, Fault> {
        let at = call.arrival.at;
        let accepted = handshake::accept(tx, call.account, &input.handshake_id, at).map_err(refused)?;
        let management = accepted.organization.management_account;
        let has_joined = accepted.handshake.action == Action::Invite;
        let joined = has_joined.then(|| Happening::joined(management, call.account, "INVITED", at));
        Ok(With {
            answer: OneHandshake::of(&accepted.handshake, call, tx),
            happenings: joined.into_iter().collect(),
        })
    }

    fn also(output: &With<OneHandshake>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}

/// DeclineHandshake
pub(super) struct DeclineHandshake;

impl Described for DeclineHandshake {
    type Input = OneId;
    type Output = OneHandshake;
    const NAME: &'static str = "DeclineHandshake";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(arn(input, call))
    }

    fn amend_elements(elements: &mut Value) {
        hide_values(elements);
    }
}

impl Write for DeclineHandshake {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<OneHandshake, Fault> {
        let id = &input.handshake_id;
        let declined = handshake::decline(tx, call.account, id, call.arrival.at).map_err(refused)?;
        Ok(OneHandshake::of(&declined, call, tx))
    }
}

/// CancelHandshake
pub(super) struct CancelHandshake;

impl Described for CancelHandshake {
    type Input = OneId;
    type Output = OneHandshake;
    const NAME: &'static str = "CancelHandshake";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(arn(input, call))
    }

    fn amend_elements(elements: &mut Value) {
        hide_values(elements);
    }
}

impl Write for CancelHandshake {
    fn act(input: OneId, call: &Call, tx: &mut Transaction) -> Result<OneHandshake, Fault> {
        let id = &input.handshake_id;
        let canceled = handshake::cancel(tx, call.account, id, call.arrival.at).map_err(refused)?;
        Ok(OneHandshake::of(&canceled, call, tx))
    }
}

/// DescribeHandshake
pub(super) struct DescribeHandshake;

impl Described for DescribeHandshake {
    type Input = OneId;
    type Output = OneHandshake;
    const NAME: &'static str = "DescribeHandshake";

    fn resource(input: &OneId, call: &Call) -> Result<String, Fault> {
        Ok(arn(input, call))
    }
}

impl Read for DescribeHandshake {
    async fn act(input: OneId, call: &Call) -> Result<OneHandshake, Fault> {
        let docs = &call.rooms.state;
        let found = handshake::get(docs, call.account, &input.handshake_id, call.arrival.at);
        Ok(OneHandshake::of(&*found.map_err(refused)?, call, docs))
    }
}

/// `HandshakeFilter`
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    action_type: Option<String>,
    parent_handshake_id: Option<String>,
}

impl Filter {
    fn takes(&self, handshake: &Handshake) -> bool {
        let action = self.action_type.as_deref();
        let parent = self.parent_handshake_id.as_deref();
        action.is_none_or(|action| action == handshake.action.as_str())
            && (parent.is_none() || parent == handshake.parent.as_deref())
    }
}

/// The input of both lists.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    filter: Option<Filter>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Handshakes {
    handshakes: Vec<HandshakeShape>,
    next_token: Option<String>,
}

impl ListInput {
    fn page(&self, mut found: Vec<std::sync::Arc<Handshake>>, call: &Call) -> Result<Handshakes, Fault> {
        if let Some(filter) = &self.filter {
            found.retain(|handshake| filter.takes(handshake));
        }
        let (page, next_token) = self.paging.cut(found, |handshake| handshake.id.clone())?;
        let docs = &call.rooms.state;
        let handshakes = page.iter().map(|handshake| HandshakeShape::of(handshake, call, docs)).collect();
        Ok(Handshakes { handshakes, next_token })
    }
}

/// ListHandshakesForAccount: every account may, in an organization or not.
pub(super) struct ListHandshakesForAccount;

impl Described for ListHandshakesForAccount {
    type Input = ListInput;
    type Output = Handshakes;
    const NAME: &'static str = "ListHandshakesForAccount";
}

impl Read for ListHandshakesForAccount {
    async fn act(input: ListInput, call: &Call) -> Result<Handshakes, Fault> {
        let found = handshake::for_account(&call.rooms.state, call.account, call.arrival.at);
        input.page(found, call)
    }
}

/// ListHandshakesForOrganization
pub(super) struct ListHandshakesForOrganization;

impl Described for ListHandshakesForOrganization {
    type Input = ListInput;
    type Output = Handshakes;
    const NAME: &'static str = "ListHandshakesForOrganization";
}

impl Read for ListHandshakesForOrganization {
    async fn act(input: ListInput, call: &Call) -> Result<Handshakes, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let found = handshake::for_organization(docs, &organization, call.arrival.at);
        input.page(found, call)
    }
}
