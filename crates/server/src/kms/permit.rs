//! Who may do what with a key: its policy, the caller's policies where the key's policy lets them speak, grants.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html> and
//! `policy-conditions.html`. In short: a deny anywhere is final. Without one, the key policy must allow; where it
//! allows the account rather than the principal, the principal's own policies must too, and so must those of a
//! principal of another account. What the key policy does not allow, a grant can.

use std::{collections::HashMap, sync::Arc};

use opentrail_identity::{Ask, Caller, Denial, Identity, Principal, Verdict, root_arn};
use opentrail_keyring::{
    EncryptionContext, Key, Keyring,
    customer::{Grant, GrantConstraints},
};
use opentrail_policy::{Bindings, Context, Policy, PolicyKind};
use parking_lot::Mutex;
use serde_json::json;

use super::grant_shape::grantable;
/// What decides on the use of keys. Clones share the policies that were read.
#[derive(Clone)]
pub(crate) struct KeyGuard {
    identity: Identity,
    keyring: Keyring,
    policies: Arc<KeyPolicies>,
}

/// Key policies that were read lately, by the key's ARN.
#[derive(Default)]
struct KeyPolicies {
    parsed: Mutex<HashMap<String, (Option<Policy>, Bindings)>>,
}

/// With policies of 32 KB, their text twice and their form, that is some 100 MB at most.
const CACHED_POLICIES: usize = 1024;

impl KeyPolicies {
    /// The key's policy; none if it can't be read, and then it allows nothing.
    fn of(&self, key: &Key) -> Option<Policy> {
        let mut parsed = self.parsed.lock();
        if let Some((Some(policy), principals)) = parsed.get(&key.arn)
            && policy.source() == key.policy
            && *principals == key.policy_principals
        {
            return Some(policy.clone());
        }
        let policy = Policy::parse(&key.policy, PolicyKind::Resource)
            .inspect_err(|error| tracing::error!(%error, key = key.arn, "a key policy can't be read"))
            .ok()
            .map(|policy| policy.bound(&key.policy_principals));
        if parsed.len() >= CACHED_POLICIES {
            parsed.clear();
        }
        parsed.insert(key.arn.clone(), (policy.clone(), key.policy_principals.clone()));
        policy
    }
}

/// What is to be done with a key, as far as permissions ask.
pub(crate) struct Use<'a> {
    /// `kms:Decrypt`, …
    pub(crate) action: &'a str,
    /// The encryption context, where the operation takes one.
    pub(crate) context: Option<&'a EncryptionContext>,
    /// The service through which the caller asks: `s3.us-east-1.amazonaws.com`.
    pub(crate) via: Option<&'a str>,
    /// The key as the caller named it: who is refused a key of another account is told of no other name.
    pub(crate) named: &'a str,
    /// The request's own condition keys.
    pub(crate) ask: Context,
}

/// The operations and constraints of a grant that is to be made: who may make one by a grant only, may make none that
/// is wider.
pub(super) type Granting<'a> = (&'a [String], &'a GrantConstraints);

impl KeyGuard {
    /// Decides with these identities, keys and grants.
    pub(crate) fn new(identity: Identity, keyring: Keyring) -> Self {
        Self { identity, keyring, policies: Arc::default() }
    }

    /// Whether the caller may use the key so. A service that asks for itself (`cloudtrail.amazonaws.com`) needs the
    /// key policy or a grant.
    ///
    /// The key's state is not looked at: the keyring does, when the key is used.
    pub(crate) fn may(&self, caller: &Caller, key: &Key, wish: &Use<'_>) -> Result<(), Refused> {
        self.may_grant(caller, key, wish, None)
    }

    /// As [`may`](Self::may), where the use is the making of a grant.
    pub(super) fn may_grant(
        &self,
        caller: &Caller,
        key: &Key,
        wish: &Use<'_>,
        granting: Option<Granting<'_>>,
    ) -> Result<(), Refused> {
        let policy = self.policies.of(key);
        let context = full_context(caller, key, wish);
        let denial = match self.decide(caller, key, wish.action, &context, policy.as_ref()) {
            Verdict::Allowed => return Ok(()),
            Verdict::Denied(denial) => denial,
        };
        // A policy that can't be read may have denied.
        if !denial.is_explicit() && policy.is_some() && self.is_granted(caller, key, wish, granting, &context)
        {
            return Ok(());
        }
        match caller.principal.account() {
            Some(account) if account != key.account => {
                Err(Refused::of_stranger(caller, wish.action, wish.named))
            }
            _ => Err(Refused::Denied(denial)),
        }
    }

    /// Whether the one this ARN or service's name stands for, and this unique id where it is known, is the caller, or
    /// may speak through the caller's own policies, for what a grant decides.
    pub(crate) fn is(
        &self,
        caller: &Caller,
        (principal, id): (&str, Option<&str>),
        key: &Key,
        wish: &Use<'_>,
    ) -> bool {
        let context = full_context(caller, key, wish);
        names_of(&caller.principal).iter().any(|name| name == principal)
            && is_meant(id, unique_id(&caller.principal))
            && self.speaks_as(principal, caller, key, wish.action, &context)
    }

    /// The condition keys of a use, with those about the caller.
    pub(crate) fn context(&self, caller: &Caller, key: &Key, wish: &Use<'_>) -> Context {
        self.identity.context(caller, &full_context(caller, key, wish))
    }

    fn decide(
        &self,
        caller: &Caller,
        key: &Key,
        action: &str,
        context: &Context,
        policy: Option<&Policy>,
    ) -> Verdict {
        let ask = Ask {
            action,
            resource: &key.arn,
            context: context.clone(),
            resource_policy: policy,
            resource_account: Some(key.account),
            resource_must_allow: true,
        };
        self.identity.authorize(caller, &ask)
    }

    fn is_granted(
        &self,
        caller: &Caller,
        key: &Key,
        wish: &Use<'_>,
        granting: Option<Granting<'_>>,
        context: &Context,
    ) -> bool {
        let operation = wish.action.strip_prefix("kms:").unwrap_or(wish.action);
        let names = names_of(&caller.principal);
        // A key can have 50,000 grants: they are not looked through for what none of them can give.
        if names.is_empty() || !grantable(key).contains(&operation) {
            return false;
        }
        let source_arn = context.single("aws:SourceArn");
        let id = unique_id(&caller.principal);
        let fits = |grant: &Grant| {
            let has = |name: &str| grant.operations.iter().any(|has| has == name);
            let as_narrow = || {
                granting.is_none_or(|(operations, constraints)| {
                    operations.iter().all(|name| has(name)) && grant.constraints.contain(constraints)
                })
            };
            has(operation)
                && grant.constraints.hold(wish.context, source_arn)
                && is_meant(grant.grantee_id.as_deref(), id)
                && as_narrow()
        };
        // The grants that fit differ in the caller's name only, so that each name is decided on once.
        names.iter().any(|name| {
            let granted = self.keyring.grants(key, None, 1, |grant| grant.grantee == *name && fits(grant));
            !granted.is_empty() && self.speaks_as(name, caller, key, wish.action, context)
        })
    }

    /// Whether a key policy that allows this name would let the caller.
    fn speaks_as(&self, name: &str, caller: &Caller, key: &Key, action: &str, context: &Context) -> bool {
        statement_for(name, action)
            .is_some_and(|policy| self.decide(caller, key, action, context, Some(&policy)).is_allowed())
    }
}

/// The names by which a grant can mean the caller: the account's root, a user's ARN, a session's and its role's, a
/// service's name. None of who has no credentials.
fn names_of(principal: &Principal) -> Vec<String> {
    let mut names: Vec<String> = principal.account().map(|id| root_arn(id).to_string()).into_iter().collect();
    match principal {
        Principal::User { arn, .. } => names.push(arn.to_string()),
        Principal::AssumedRole { role_arn, arn, .. } => names.extend([role_arn.to_string(), arn.to_string()]),
        Principal::Service { name } => names.push(name.to_string()),
        _ => {}
    }
    names
}

/// The unique id by which a grant can be bound to the caller: a user's, or a session's role's.
fn unique_id(principal: &Principal) -> Option<&str> {
    match principal {
        Principal::User { id, .. } => Some(id),
        Principal::AssumedRole { role_id, .. } => Some(role_id),
        _ => None,
    }
}

/// Whether a caller with this unique id is the one that a grant is bound to, if it is to anyone.
fn is_meant(bound: Option<&str>, id: Option<&str>) -> bool {
    bound.is_none_or(|bound| id == Some(bound))
}

/// Every condition key that there is about the use, but for those about the caller's identity.
fn full_context(caller: &Caller, key: &Key, wish: &Use<'_>) -> Context {
    let mut context = wish.ask.clone();
    set_key(&mut context, key);
    set_use(&mut context, caller, wish);
    context
}

/// Why a caller may not use a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The policies say so.
    #[error("{0}")]
    Denied(Denial),
    /// To other accounts nothing is told of a key, not even whether it is there.
    #[error(
        "User: {caller} is not authorized to perform: {action} on resource: {key} because the resource does not \
         exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly \
         denies access"
    )]
    Stranger { caller: String, action: String, key: String },
}

impl Refused {
    /// What a caller hears of a key of another account that they may not use, or that does not exist.
    pub(crate) fn of_stranger(caller: &Caller, action: &str, key: &str) -> Self {
        let caller = caller.principal.arn().map(|arn| arn.to_string()).unwrap_or_default();
        Self::Stranger { caller, action: action.to_owned(), key: key.to_owned() }
    }
}

/// What a grant says, as a key policy could: this principal may do this. None if nobody has such a name.
pub(super) fn statement_for(principal: &str, action: &str) -> Option<Policy> {
    let kind = if principal.starts_with("arn:") { "AWS" } else { "Service" };
    let text = json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Principal": { kind: principal }, "Action": action, "Resource": "*" },
    });
    Policy::parse(&text.to_string(), PolicyKind::Resource).ok()
}

/// The keys that tell of the KMS key.
fn set_key(context: &mut Context, key: &Key) {
    context.set("kms:KeySpec", key.spec.as_str());
    context.set("kms:CustomerMasterKeySpec", key.spec.as_str());
    context.set("kms:KeyUsage", key.usage.as_str());
    context.set("kms:CustomerMasterKeyUsage", key.usage.as_str());
    context.set("kms:KeyOrigin", "AWS_KMS");
    context.set("kms:MultiRegion", "false");
    context.set("aws:ResourceAccount", key.account.as_str());
    if !key.aliases.is_empty() {
        context.set_many("kms:ResourceAliases", key.aliases.iter().cloned());
    }
    for (name, value) in &key.tags {
        context.set(&format!("aws:ResourceTag/{name}"), value.as_str());
    }
}

/// The keys that tell of the request.
fn set_use(context: &mut Context, caller: &Caller, wish: &Use<'_>) {
    if let Some(account) = caller.principal.account() {
        context.set("kms:CallerAccount", account.as_str());
    }
    if let Some(via) = wish.via {
        context.set("kms:ViaService", via);
    } else {
        context.remove("kms:ViaService");
    }
    let Some(pairs) = wish.context.filter(|pairs| !pairs.is_empty()) else { return };
    context.set_many("kms:EncryptionContextKeys", pairs.keys().cloned());
    for (name, value) in pairs {
        context.set(&format!("kms:EncryptionContext:{name}"), value.as_str());
    }
}

#[cfg(test)]
mod tests {
    use opentrail_identity::{Caller, Principal};

    use super::names_of;

    #[test]
    fn a_grant_means_a_caller_by_name_role_or_account() {
        let account = "123456789012".parse().expect("an account");
        let root = "arn:aws:iam::123456789012:root";
        let (role, session) =
            ("arn:aws:iam::123456789012:role/r", "arn:aws:sts::123456789012:assumed-role/r/s");
        let assumed = Principal::AssumedRole {
            account,
            role_name: "r".into(),
            role_path: "/".into(),
            role_id: "AROA1".into(),
            session_name: "s".into(),
            role_arn: role.parse().expect("an ARN"),
            arn: session.parse().expect("an ARN"),
        };
        assert_eq!(names_of(&assumed), [root, role, session]);
        assert_eq!(names_of(&Caller::root(account).principal), [root]);
        let service = Caller::service("cloudtrail.amazonaws.com").principal;
        assert_eq!(names_of(&service), ["cloudtrail.amazonaws.com"]);
        assert!(names_of(&Caller::anonymous().principal).is_empty());
    }
}
