//! The condition keys that are the same for every service.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use opentrail_event::AccountId;
use opentrail_policy::Context;

use crate::{
    documents::Documents,
    organization,
    principal::{Caller, Principal},
    tags::Tag,
};

/// What the edge knows of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// When it came (`aws:CurrentTime`, `aws:EpochTime`).
    pub at: DateTime<Utc>,
    /// Where it came from (`aws:SourceIp`).
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS (`aws:SecureTransport`).
    pub secure_transport: bool,
    /// `aws:UserAgent`.
    pub user_agent: Option<&'a str>,
    /// `aws:Referer`.
    pub referer: Option<&'a str>,
    /// The region that the call is for (`aws:RequestedRegion`).
    pub region: Option<&'a str>,
}

impl RequestFacts<'_> {
    /// Their condition keys, for [`Ask::context`](crate::Ask::context) to begin with.
    pub fn context(&self) -> Context {
        let mut context = Context::new();
        context.set("aws:CurrentTime", time(self.at));
        context.set("aws:EpochTime", self.at.timestamp().to_string());
        context.set("aws:SecureTransport", boolean(self.secure_transport));
        let texts = [
            ("aws:UserAgent", self.user_agent),
            ("aws:Referer", self.referer),
            ("aws:RequestedRegion", self.region),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                context.set(key, value);
            }
        }
        if let Some(ip) = self.source_ip {
            context.set("aws:SourceIp", ip.to_canonical().to_string());
        }
        context
    }
}

/// Sets the keys of the tags that a request brings: `aws:RequestTag/…` and `aws:TagKeys`.
pub fn set_request_tags(context: &mut Context, tags: &[Tag]) {
    if !tags.is_empty() {
        context.set_many("aws:TagKeys", tags.iter().map(|tag| tag.key.as_str()));
    }
    context.set_each(tags.iter().map(|tag| (format!("aws:RequestTag/{}", tag.key), tag.value.as_str())));
}

/// Sets the keys of the tags that are on the resource: `aws:ResourceTag/…`, and the same under the service's own
/// name (`iam:ResourceTag/…`).
pub fn set_resource_tags(context: &mut Context, service: &str, tags: &[Tag]) {
    for tag in tags {
        context.set(&format!("aws:ResourceTag/{}", tag.key), tag.value.as_str());
        context.set(&format!("{service}:ResourceTag/{}", tag.key), tag.value.as_str());
    }
}

/// Sets the keys that tell of the caller. They come last, so that nothing else passes for them.
pub(crate) fn set_caller(context: &mut Context, caller: &Caller, entity_tags: &[Tag], now: DateTime<Utc>) {
    let principal = &caller.principal;
    forget_caller(context);
    let service = match principal {
        Principal::Service { name } => Some(name),
        _ => None,
    };
    if let Some(name) = service {
        context.set("aws:PrincipalServiceName", name.as_ref());
        context.set_many("aws:PrincipalServiceNamesList", [name.as_ref()]);
    }
    context.set("aws:PrincipalIsAWSService", boolean(service.is_some()));
    // A service that asks KMS for somebody does so with what that one may (forward access session).
    let via_service = service.is_none() && context.get("kms:ViaService").is_some();
    context.set("aws:ViaAWSService", boolean(via_service));
    if let Some(kind) = principal.policy_type() {
        context.set("aws:PrincipalType", kind);
    }
    if let Some(arn) = principal.as_policy_principal().principal_arn() {
        context.set("aws:PrincipalArn", arn);
    }
    if let Some(account) = principal.account() {
        context.set("aws:PrincipalAccount", account.as_str());
    }
    let user_id = if *principal == Principal::Anonymous {
        Some("anonymous".to_owned())
    } else {
        principal.principal_id()
    };
    if let Some(id) = user_id {
        context.set("aws:userid", id);
    }
    if let Some(name) = principal.user_name() {
        context.set("aws:username", name);
    }
    for tag in entity_tags {
        context.set(&format!("aws:PrincipalTag/{}", tag.key), tag.value.as_str());
    }
    if let Principal::WebIdentity { identity } = principal {
        identity.set_session_keys(context);
    }
    set_session(context, caller, now);
}

/// Sets the keys that tell of the accounts of caller and resource, and of the organizations that they are in; for a
/// service also of the account that it acts for (`aws:SourceAccount`). A resource that is said to be nobody's is the
/// caller's.
pub(crate) fn set_accounts(
    context: &mut Context,
    docs: &impl Documents,
    caller: Option<AccountId>,
    resource: Option<AccountId>,
) {
    if let Some(owner) = resource.or(caller) {
        context.set("aws:ResourceAccount", owner.as_str());
    }
    let source = context.single("aws:SourceAccount").and_then(|account| account.parse::<AccountId>().ok());
    let parties = [("Principal", caller), ("Resource", resource.or(caller)), ("Source", source)];
    for (party, account) in parties {
        // They are nobody's to bring along, whether there is an organization or not.
        let (id_key, paths_key) = (format!("aws:{party}OrgID"), format!("aws:{party}OrgPaths"));
        context.remove(&id_key);
        context.remove(&paths_key);
        let Some(account) = account else { continue };
        let Some(id) = organization::principal_org_id(docs, account) else { continue };
        context.set(&id_key, id);
        if let Some(path) = organization::principal_org_path(docs, account) {
            context.set_many(&paths_key, [path]);
        }
    }
}

/// Removes what a request brought along under the names of keys that tell of the caller.
fn forget_caller(context: &mut Context) {
    for key in CALLER_KEYS {
        context.remove(key);
    }
    context.retain(|key| !key.starts_with(PRINCIPAL_TAG));
}

fn set_session(context: &mut Context, caller: &Caller, now: DateTime<Utc>) {
    let Some(session) = &caller.session else { return };
    for tag in &session.tags {
        context.set(&format!("aws:PrincipalTag/{}", tag.key), tag.value.as_str());
    }
    context.set("aws:TokenIssueTime", time(session.issued_at));
    set_mfa(context, session.mfa_authenticated_at, now);
    if let Some(identity) = &session.source_identity {
        context.set("aws:SourceIdentity", identity.as_str());
    }
    if let Some(identity) = &session.web_identity {
        identity.set_session_keys(context);
    }
}

/// Sets the keys that tell whether, and how many seconds ago, the caller gave an MFA code. Long-term credentials
/// have neither key.
pub(crate) fn set_mfa(context: &mut Context, at: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    context.set("aws:MultiFactorAuthPresent", boolean(at.is_some()));
    if let Some(at) = at {
        context.set("aws:MultiFactorAuthAge", (now - at).num_seconds().max(0).to_string());
    }
}

/// What the keys of a caller's tags begin with, in the form in which a context keeps its names.
const PRINCIPAL_TAG: &str = "aws:principaltag/";

/// Keys that only the caller's own nature sets.
const CALLER_KEYS: &[&str] = &[
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalIsAWSService",
    "aws:ViaAWSService",
    "aws:PrincipalType",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:userid",
    "aws:username",
    "aws:TokenIssueTime",
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:SourceIdentity",
    "aws:FederatedProvider",
];

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
