//! CreateAccount, DescribeCreateAccountStatus, ListCreateAccountStatus.

use opentrail_event::EventError;
use opentrail_identity::organization::{
    creation::{self, Creation, NewAccount},
    refusal::InvalidReason,
};
use opentrail_policy::Context;
use opentrail_state::{OwnedEvent, Transaction};
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    access,
    happening::{Happening, With, events, spoken},
    invalid,
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

/// What records do not show of a new account.
const HIDDEN: &[&str] = &["accountName", "email"];

/// `CreateAccountStatus`
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StatusShape {
    id: String,
    account_name: String,
    state: &'static str,
    requested_timestamp: Option<Timestamp>,
    completed_timestamp: Option<Timestamp>,
    account_id: Option<String>,
    failure_reason: Option<&'static str>,
}

impl StatusShape {
    /// As CreateAccount answers, which never says how it ended.
    fn begun(creation: &Creation) -> Self {
        Self {
            id: creation.id.clone(),
            account_name: creation.account_name.clone(),
            state: "IN_PROGRESS",
            requested_timestamp: Some(creation.requested_at.into()),
            ..Self::default()
        }
    }
}

impl From<&Creation> for StatusShape {
    fn from(creation: &Creation) -> Self {
        Self {
            state: creation.outcome.state(),
            completed_timestamp: Some(creation.requested_at.into()),
            account_id: creation.outcome.account().map(|account| account.to_string()),
            failure_reason: creation.outcome.failure(),
            ..Self::begun(creation)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneStatus {
    create_account_status: StatusShape,
}

/// CreateAccount
pub(super) struct CreateAccount;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    email: String,
    account_name: String,
    role_name: Option<String>,
    iam_user_access_to_billing: Option<String>,
    tags: Option<Vec<TagShape>>,
}

impl Described for CreateAccount {
    type Input = CreateInput;
    type Output = With<OneStatus>;
    const NAME: &'static str = "CreateAccount";

    fn context(input: &CreateInput, _: &Call, context: &mut Context) {
        tagging::set_request_tags(context, input.tags.as_deref());
    }

    fn amend(_: &CreateInput, parameters: &mut Value) {
        hide(parameters, HIDDEN);
    }

    fn amend_elements(elements: &mut Value) {
        hide(elements, HIDDEN);
    }
}

impl Write for CreateAccount {
    async fn prepare(input: &CreateInput, call: &Call) -> Result<(), Fault> {
        tagging::permit_with_creation(input.tags.as_deref(), call)
    }

    fn act(input: CreateInput, call: &Call, tx: &mut Transaction) -> Result<With<OneStatus>, Fault> {
        let organization = access::governed::<Self>(&input, call, tx)?;
        if !matches!(input.iam_user_access_to_billing.as_deref(), None | Some("ALLOW" | "DENY")) {
            let message = "You specified an invalid value for IamUserAccessToBilling.";
            return Err(invalid(InvalidReason::InvalidEnum, message));
        }
        let tags = tags(input.tags.as_deref());
        let new = NewAccount {
            email: &input.email,
            name: &input.account_name,
            role_name: input.role_name.as_deref(),
            tags: &tags,
        };
        let at = call.arrival.at;
        let creation = creation::create(tx, &organization, &new, at).map_err(|error| call.refused(error))?;
        let management = organization.management_account;
        let mut happenings = vec![Happening::new("CreateAccountResult", management, result(&creation))];
        if let Some(account) = creation.outcome.account() {
            happenings.push(Happening::joined(management, account, "CREATED", at));
        }
        Ok(With { answer: OneStatus { create_account_status: StatusShape::begun(&creation) }, happenings })
    }

    fn also(output: &With<OneStatus>, call: &Call) -> Result<Vec<OwnedEvent>, EventError> {
        events(&output.happenings, call)
    }
}

/// What became of a wish for an account, as its event says it.
fn result(creation: &Creation) -> Value {
    let mut status = json!({
        "id": creation.id,
        "state": creation.outcome.state(),
        "accountName": creation.account_name,
        "requestedTimestamp": spoken(creation.requested_at),
        "completedTimestamp": spoken(creation.requested_at),
    });
    if let Some(account) = creation.outcome.account() {
        status["accountId"] = account.as_str().into();
    }
    if let Some(reason) = creation.outcome.failure() {
        status["failureReason"] = reason.into();
    }
    hide(&mut status, HIDDEN);
    json!({ "createAccountStatus": status })
}

/// DescribeCreateAccountStatus
pub(super) struct DescribeCreateAccountStatus;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeInput {
    create_account_request_id: String,
}

impl Described for DescribeCreateAccountStatus {
    type Input = DescribeInput;
    type Output = OneStatus;
    const NAME: &'static str = "DescribeCreateAccountStatus";
}

impl Read for DescribeCreateAccountStatus {
    async fn act(input: DescribeInput, call: &Call) -> Result<OneStatus, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let found = creation::get(docs, &organization, &input.create_account_request_id).map_err(refused)?;
        Ok(OneStatus { create_account_status: StatusShape::from(&*found) })
    }
}

/// ListCreateAccountStatus
pub(super) struct ListCreateAccountStatus;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    states: Option<Vec<String>>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    create_account_statuses: Vec<StatusShape>,
    next_token: Option<String>,
}

impl Described for ListCreateAccountStatus {
    type Input = ListInput;
    type Output = ListOutput;
    const NAME: &'static str = "ListCreateAccountStatus";
}

impl Read for ListCreateAccountStatus {
    async fn act(input: ListInput, call: &Call) -> Result<ListOutput, Fault> {
        let docs = &call.rooms.state;
        let organization = access::read::<Self>(&input, call, docs)?;
        let wanted = input.states.unwrap_or_default();
        if wanted.iter().any(|state| !matches!(state.as_str(), "IN_PROGRESS" | "SUCCEEDED" | "FAILED")) {
            return Err(invalid(InvalidReason::InvalidEnum, "You specified an invalid state."));
        }
        let mut found = creation::list(docs, &organization);
        found.retain(|it| wanted.is_empty() || wanted.iter().any(|state| state == it.outcome.state()));
        let (page, next_token) = input.paging.cut(found, |creation| creation.id.clone())?;
        let create_account_statuses = page.iter().map(|creation| StatusShape::from(&**creation)).collect();
        Ok(ListOutput { create_account_statuses, next_token })
    }
}
