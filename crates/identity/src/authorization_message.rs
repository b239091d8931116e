//! Why a call was denied, sealed for those who may know: what `DecodeAuthorizationMessage` opens.
//!
//! The one who is denied gets the message and can't read it; an identity of the same account that is allowed
//! `sts:DecodeAuthorizationMessage` can. Its form is the one of the STS API reference.

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_keyring::{Keyring, Sealed};
use opentrail_policy::{Context, Effect, Statement};
use opentrail_state::State;
use serde_json::{Value, json};

use crate::{
    authorize::{self, Ask},
    denial::Denial,
    error::IdentityError,
    limits,
    principal::Caller,
};

/// What the seal is bound to: a message is opened within its account only.
fn seal_context(account: AccountId) -> String {
    format!("identity.authorization-message.v1/{account}")
}

/// Bytes that a seal adds, and of which base64 makes four characters each.
const SEAL_BYTES: usize = 64;
const MOST_BYTES: usize = limits::GIVEN_MESSAGE_CHARS / 4 * 3 - SEAL_BYTES;

/// The message of a denial; none for a caller without an account, whose message nobody could open. Where it would be
/// too long, conditions of the context are left out, and then the statements.
pub(crate) fn encode(
    state: &State,
    keyring: &Keyring,
    caller: &Caller,
    ask: &Ask<'_>,
    denial: &Denial,
    now: DateTime<Utc>,
) -> Option<String> {
    let account = caller.principal.account()?;
    let evidence = authorize::evidence(state, caller, ask, now);
    let matched: Vec<Value> = evidence
        .denying
        .iter()
        .filter_map(|(policy, at)| policy.statements().get(*at))
        .map(matched)
        .collect();
    let conditions = conditions(&evidence.context);
    let text = [(matched.as_slice(), conditions.as_slice()), (&matched, &[]), (&[], &[])]
        .into_iter()
        .map(|(matched, conditions)| message(caller, ask, denial, matched, conditions).to_string())
        .find(|text| text.len() <= MOST_BYTES)?;
    Some(String::from(keyring.seal(&seal_context(account), text.as_bytes())))
}

/// What a message says, if it is one of this account.
pub(crate) fn decode(keyring: &Keyring, account: AccountId, message: &str) -> Result<String, IdentityError> {
    let invalid = |_| IdentityError::AuthorizationMessage;
    if message.len() > limits::ENCODED_MESSAGE_CHARS {
        return Err(IdentityError::AuthorizationMessage);
    }
    let sealed = Sealed::try_from(message.to_owned()).map_err(|_| IdentityError::AuthorizationMessage)?;
    let plain = keyring.unseal(&seal_context(account), &sealed).map_err(invalid)?;
    String::from_utf8(plain.to_vec()).map_err(|_| IdentityError::AuthorizationMessage)
}

fn message(
    caller: &Caller,
    ask: &Ask<'_>,
    denial: &Denial,
    matched: &[Value],
    conditions: &[Value],
) -> Value {
    let principal = &caller.principal;
    let mut who = json!({});
    let names = [
        ("id", principal.principal_id()),
        ("name", principal.user_name().map(str::to_owned)),
        ("arn", principal.arn().map(|arn| arn.to_string())),
    ];
    for (name, value) in names {
        if let Some(value) = value {
            who[name] = value.into();
        }
    }
    json!({
        "allowed": false,
        "explicitDeny": denial.is_explicit(),
        "matchedStatements": { "items": matched },
        "failures": { "items": [] },
        "context": {
            "principal": who,
            "action": ask.action,
            "resource": ask.resource,
            "conditions": { "items": conditions },
        },
    })
}

/// A statement that denies.
fn matched(statement: &Statement) -> Value {
    let conditions = statement.conditions().map(|(operator, key, given)| {
        json!({ "operator": operator, "key": key, "values": values(given.iter().map(String::as_str)) })
    });
    let effect = match statement.effect() {
        Effect::Allow => "ALLOW",
        Effect::Deny => "DENY",
    };
    let named = |member: &str, negated: bool| {
        if negated { format!("not{}{}", member[..1].to_uppercase(), &member[1..]) } else { member.to_owned() }
    };
    let principals: Vec<String> = statement.principals().collect();
    let mut shown = json!({ "statementId": statement.sid().unwrap_or(""), "effect": effect });
    shown[named("principals", statement.negates_principals())] =
        values(principals.iter().map(String::as_str));
    shown["principalGroups"] = json!({ "items": [] });
    shown[named("actions", statement.negates_actions())] = values(statement.actions());
    shown[named("resources", statement.negates_resources())] = values(statement.resources());
    shown["conditions"] = json!({ "items": conditions.collect::<Vec<_>>() });
    shown
}

/// The context's keys in the order of their names.
fn conditions(context: &Context) -> Vec<Value> {
    let mut keys: Vec<_> = context.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    let shown = |(key, given): (&str, &[String])| json!({ "key": key, "values": values(given.iter().map(String::as_str)) });
    keys.into_iter().map(shown).collect()
}

fn values<'a>(values: impl Iterator<Item = &'a str>) -> Value {
    let items: Vec<Value> = values.map(|value| json!({ "value": value })).collect();
    json!({ "items": items })
}
