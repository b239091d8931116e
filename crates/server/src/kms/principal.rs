//! Whether those that policies and grants name are there.

use opentrail_event::AccountId;
use opentrail_identity::{Entity, role, user};
use serde_json::Value;

use crate::call::Call;

/// Whether this is a principal's ARN and, in an account that is here, of a principal that exists.
pub(super) fn exists(call: &Call, arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", "aws", service, "", account, resource] = parts[..] else { return false };
    let Ok(account) = account.parse::<AccountId>() else { return false };
    let (kind, path) = resource.split_once('/').unwrap_or((resource, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    let state = &call.rooms.state;
    match (service, kind) {
        ("iam", "root") => resource == "root",
        ("iam" | "sts", _) if name.is_empty() => false,
        // Of other accounts it is theirs to say who is there.
        ("iam", "user" | "role") if account != call.account => true,
        ("iam", "user") => user::get(state, account, name).is_ok_and(|user| user.arn() == arn),
        ("iam", "role") => role::get(state, account, name).is_ok_and(|role| role.arn() == arn),
        ("sts", "assumed-role" | "federated-user") => true,
        _ => false,
    }
}

/// Whether all that a policy names by ARN exist.
pub(super) fn all_exist(call: &Call, policy: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    };
    let named = statements.iter().flat_map(|statement| {
        let elements = ["Principal", "NotPrincipal"].into_iter().filter_map(|name| statement.get(name));
        elements.filter_map(|principals| principals.get("AWS")).flat_map(texts)
    });
    named.filter(|text| text.starts_with("arn:")).all(|arn| exists(call, arn))
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}
