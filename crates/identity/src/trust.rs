//! Trust policies, bound to the very users and roles that they name.
//!
//! A trust policy names users and roles by ARN, but means the ones that there are: a user created anew under
//! the name of one that was deleted is not trusted. So what an ARN stands for when the policy is written is
//! kept with it.
//!
//! Source: the IAM User Guide, "AWS JSON policy elements: Principal".

use opentrail_event::AccountId;
use opentrail_policy::{Bindings, PolicyError, PolicyKind};
use serde_json::Value;

use crate::{
    binding,
    documents::Documents,
    entity::{self, EntityKind},
    error::{IdentityError, Quota},
    limits,
    name::counted_chars,
    permissions::PolicyText,
    principal::Principal,
};

/// Reads a trust policy and binds it.
///
/// A user or role of the role's own account must be there. Whether one of another account is cannot always be
/// known here; if it is, it is bound too.
pub(crate) fn read(
    docs: &impl Documents,
    account: AccountId,
    member: &'static str,
    document: &str,
) -> Result<(PolicyText, Bindings), IdentityError> {
    let policy = PolicyText::new(member, document, PolicyKind::Trust)?;
    if counted_chars(document) > limits::TRUST_POLICY_CHARS {
        return Err(IdentityError::LimitExceeded(Quota::Count("ACLSizePerRole", limits::TRUST_POLICY_CHARS)));
    }
    let mut bindings = Bindings::new();
    for arn in named_principals(document) {
        let Some((owner, EntityKind::User | EntityKind::Role, ..)) = entity::parts_of_arn(&arn) else {
            continue;
        };
        match binding::unique_id(docs, &arn) {
            Some(id) => drop(bindings.insert(arn, id)),
            None if owner == account => return Err(PolicyError::InvalidPrincipal { principal: arn }.into()),
            None => {}
        }
    }
    Ok((policy, bindings))
}

/// Whether the caller is the one that an ARN in the policy stands for, as far as it has the caller's ARN.
pub(crate) fn is_meant(bindings: &Bindings, caller: &Principal) -> bool {
    let (arn, id) = match caller {
        Principal::User { arn, id, .. } => (arn, id),
        Principal::AssumedRole { role_arn, role_id, .. } => (role_arn, role_id),
        Principal::FederatedUser { user, .. } => return is_meant(bindings, user),
        Principal::Root { .. }
        | Principal::WebIdentity { .. }
        | Principal::Service { .. }
        | Principal::Anonymous => return true,
    };
    bindings.get(arn.as_str()).is_none_or(|bound| **bound == **id)
}

/// Everything under `AWS` in the `Principal` elements of a policy that was read before.
fn named_principals(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let one_or_many = |value: Option<&Value>| match value {
        Some(Value::Array(many)) => many.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let statements = one_or_many(document.get("Statement"));
    let principals = statements.iter().filter_map(|statement| statement.get("Principal"));
    let named = principals.flat_map(|principal| one_or_many(principal.get("AWS")));
    named.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::named_principals;

    #[test]
    fn principals_are_found_in_every_form() {
        let one = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"a"},"Action":"sts:AssumeRole"}}"#;
        assert_eq!(named_principals(one), ["a"]);
        let many = r#"{"Statement":[{"Principal":{"AWS":["a","b"],"Service":"s"}},{"Principal":"*"},{"Principal":{"AWS":"c"}}]}"#;
        assert_eq!(named_principals(many), ["a", "b", "c"]);
    }
}
