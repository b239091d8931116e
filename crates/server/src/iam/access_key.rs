//! Access keys. Without a user name these operations are about the caller's own keys.

use std::sync::Arc;

use opentrail_identity::{
    AccessKey, AccessKeyStatus, KeyHolder, LastUse, Principal, User, access_key, root_arn,
};
use opentrail_policy::Context;
use opentrail_state::Transaction;
use opentrail_wire::value::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    choice::choose,
    page::{More, Paging},
    subject::Named,
};
use crate::{
    call::Call,
    fault::{Common, Fault},
    operation::{Described, Read, Write},
};

/// Whose name the answer of `CreateAccessKey`, which must have one, gives to the root.
const ROOT: &str = "root";

/// Whose keys: the named user's, else the caller's own.
fn holder<'a>(user_name: Option<&'a str>, call: &'a Call) -> Result<KeyHolder<'a>, Fault> {
    match (user_name, &call.caller.principal) {
        (Some(name), _) => Ok(KeyHolder::User(name)),
        (None, Principal::User { name, .. }) => Ok(KeyHolder::User(name)),
        (None, Principal::Root { .. }) => Ok(KeyHolder::Root),
        (None, _) => {
            let text = "Must specify userName when calling with non-User credentials";
            Err(call.fault(Common::Invalid, text))
        }
    }
}

/// The ARN of whose keys they are.
fn holder_arn(user_name: Option<&str>, call: &Call) -> Result<String, Fault> {
    Ok(match holder(user_name, call)? {
        KeyHolder::Root => root_arn(call.account).to_string(),
        KeyHolder::User(name) => Named::<User>::new(name).arn(call),
    })
}

/// The condition keys about whose keys they are.
fn describe_holder(user_name: Option<&str>, call: &Call, context: &mut Context) {
    if let Ok(KeyHolder::User(name)) = holder(user_name, call) {
        Named::<User>::new(name).describe(call, context);
    }
}

/// CreateAccessKey: the only answer that has the secret.
pub(super) struct CreateAccessKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccessKeyInput {
    user_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccessKeyOutput {
    access_key: AccessKeyShape,
}

/// `AccessKey`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeyShape {
    user_name: String,
    access_key_id: String,
    status: &'static str,
    secret_access_key: String,
    create_date: Timestamp,
}

impl Described for CreateAccessKey {
    type Input = CreateAccessKeyInput;
    type Output = CreateAccessKeyOutput;
    const NAME: &'static str = "CreateAccessKey";
    const SECRETS: &'static [&'static str] = &["SecretAccessKey"];

    fn resource(input: &CreateAccessKeyInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &CreateAccessKeyInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Write for CreateAccessKey {
    fn act(
        input: CreateAccessKeyInput,
        call: &Call,
        tx: &mut Transaction,
    ) -> Result<CreateAccessKeyOutput, Fault> {
        let holder = holder(input.user_name.as_deref(), call)?;
        let new = call
            .rooms
            .identity
            .create_access_key(tx, call.account, holder, call.arrival.at)
            .map_err(|e| call.refused(e))?;
        let user_name = match holder {
            KeyHolder::Root => ROOT,
            KeyHolder::User(name) => name,
        };
        Ok(CreateAccessKeyOutput {
            access_key: AccessKeyShape {
                user_name: user_name.to_owned(),
                access_key_id: new.key.id,
                status: new.key.status.as_str(),
                secret_access_key: new.secret.to_string(),
                create_date: new.key.created_at.into(),
            },
        })
    }
}

/// ListAccessKeys
pub(super) struct ListAccessKeys;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeysInput {
    user_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeysOutput {
    access_key_metadata: Vec<MetadataShape>,
    #[serde(flatten)]
    more: More,
}

/// `AccessKeyMetadata`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetadataShape {
    user_name: Option<String>,
    access_key_id: String,
    status: &'static str,
    create_date: Timestamp,
}

impl MetadataShape {
    fn of(key: &AccessKey, holder: KeyHolder<'_>) -> Self {
        let user_name = match holder {
            KeyHolder::Root => None,
            KeyHolder::User(name) => Some(name.to_owned()),
        };
        Self {
            user_name,
            access_key_id: key.id.clone(),
            status: key.status.as_str(),
            create_date: key.created_at.into(),
        }
    }
}

impl Described for ListAccessKeys {
    type Input = ListAccessKeysInput;
    type Output = ListAccessKeysOutput;
    const NAME: &'static str = "ListAccessKeys";

    fn resource(input: &ListAccessKeysInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &ListAccessKeysInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Read for ListAccessKeys {
    async fn act(input: ListAccessKeysInput, call: &Call) -> Result<ListAccessKeysOutput, Fault> {
        let holder = holder(input.user_name.as_deref(), call)?;
        let page = access_key::list(&call.rooms.state, call.account, holder, input.paging.request())
            .map_err(|e| call.refused(e))?;
        let access_key_metadata = page.items.iter().map(|key| MetadataShape::of(key, holder)).collect();
        Ok(ListAccessKeysOutput { access_key_metadata, more: page.next.into() })
    }
}

/// UpdateAccessKey
pub(super) struct UpdateAccessKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAccessKeyInput {
    user_name: Option<String>,
    access_key_id: String,
    status: String,
}

impl Described for UpdateAccessKey {
    type Input = UpdateAccessKeyInput;
    type Output = ();
    const NAME: &'static str = "UpdateAccessKey";

    fn resource(input: &UpdateAccessKeyInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &UpdateAccessKeyInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Write for UpdateAccessKey {
    fn act(input: UpdateAccessKeyInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        const STATUSES: &[(&str, AccessKeyStatus)] =
            &[("Active", AccessKeyStatus::Active), ("Inactive", AccessKeyStatus::Inactive)];
        let status = choose(call, "status", &input.status, STATUSES)?;
        let holder = holder(input.user_name.as_deref(), call)?;
        access_key::update(tx, call.account, holder, &input.access_key_id, status, call.arrival.at)
            .map_err(|e| call.refused(e))
    }
}

/// DeleteAccessKey
pub(super) struct DeleteAccessKey;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteAccessKeyInput {
    user_name: Option<String>,
    access_key_id: String,
}

impl Described for DeleteAccessKey {
    type Input = DeleteAccessKeyInput;
    type Output = ();
    const NAME: &'static str = "DeleteAccessKey";

    fn resource(input: &DeleteAccessKeyInput, call: &Call) -> Result<String, Fault> {
        holder_arn(input.user_name.as_deref(), call)
    }

    fn context(input: &DeleteAccessKeyInput, call: &Call, context: &mut Context) {
        describe_holder(input.user_name.as_deref(), call, context);
    }
}

impl Write for DeleteAccessKey {
    fn act(input: DeleteAccessKeyInput, call: &Call, tx: &mut Transaction) -> Result<(), Fault> {
        let holder = holder(input.user_name.as_deref(), call)?;
        access_key::delete(tx, call.account, holder, &input.access_key_id).map_err(|e| call.refused(e))
    }
}

/// GetAccessKeyLastUsed
pub(super) struct GetAccessKeyLastUsed;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccessKeyLastUsedInput {
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccessKeyLastUsedOutput {
    user_name: Option<String>,
    access_key_last_used: LastUsedShape,
}

/// `AccessKeyLastUsed`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsedShape {
    last_used_date: Option<Timestamp>,
    service_name: String,
    region: String,
}

impl From<Option<LastUse>> for LastUsedShape {
    fn from(last: Option<LastUse>) -> Self {
        const UNKNOWN: &str = "N/A";
        match last {
            Some(last) => Self {
                last_used_date: Some(last.at.into()),
                service_name: last.service.to_string(),
                region: last.region.to_string(),
            },
            None => {
                Self { last_used_date: None, service_name: UNKNOWN.to_owned(), region: UNKNOWN.to_owned() }
            }
        }
    }
}

/// The key, if it is the account's own. Whoever asks about another is told what AWS tells: not whether
/// there is such a key, only that it is not theirs to ask about.
fn own_key(access_key_id: &str, call: &Call) -> Result<Arc<AccessKey>, Fault> {
    let key = call.rooms.state.get::<AccessKey>(access_key_id);
    key.filter(|key| key.account == call.account).ok_or_else(|| {
        let caller = call.caller.principal.arn().map(|arn| arn.to_string()).unwrap_or_default();
        let id: String = access_key_id.chars().take(128).collect();
        let text = format!(
            "User: {caller} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key {id}"
        );
        call.fault(Common::AccessDenied, text)
    })
}

impl Described for GetAccessKeyLastUsed {
    type Input = GetAccessKeyLastUsedInput;
    type Output = GetAccessKeyLastUsedOutput;
    const NAME: &'static str = "GetAccessKeyLastUsed";

    fn resource(input: &GetAccessKeyLastUsedInput, call: &Call) -> Result<String, Fault> {
        let key = own_key(&input.access_key_id, call)?;
        Ok(match access_key::user_name(&call.rooms.state, &key) {
            Some(name) => Named::<User>::new(name).arn(call),
            None => root_arn(call.account).to_string(),
        })
    }
}

impl Read for GetAccessKeyLastUsed {
    async fn act(input: GetAccessKeyLastUsedInput, call: &Call) -> Result<GetAccessKeyLastUsedOutput, Fault> {
        let key = own_key(&input.access_key_id, call)?;
        Ok(GetAccessKeyLastUsedOutput {
            user_name: access_key::user_name(&call.rooms.state, &key),
            access_key_last_used: call.rooms.identity.access_key_last_used(&key.id).into(),
        })
    }
}
