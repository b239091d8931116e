//! One principal, one action, one resource: whether any request is allowed, and by what.

use std::{collections::BTreeSet, sync::LazyLock};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{
    Context, Effect, Identity as IdentityPolicies, Policies, Policy, PolicyKind, PrincipalRef, Question,
    search,
};

use super::{
    AllowedRequest, PolicyName, PolicyRole, PrincipalKind, Said,
    held::Named,
    subject::{Persona, Side, Subject},
    world::Requests,
};
use crate::{
    context,
    principal::{Caller, Principal},
};

/// A session's name of which no policy speaks.
const SOME_SESSION: &str = "any-session";

/// What a principal wants to do with what.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) facts: &'a Context,
    pub(super) policy: Option<&'a Policy>,
    pub(super) policy_name: &'a str,
    pub(super) owner: Option<AccountId>,
    pub(super) must_allow: bool,
    pub(super) root_always_may: bool,
    pub(super) outsiders_kept_out: bool,
    pub(super) canonical_user: fn(AccountId) -> String,
}

impl Target<'_> {
    /// As a subject meets it: where the owner's root may whatever the resource's policy says, without that policy.
    fn met_by(&self, subject: &Subject) -> Self {
        let rescues = self.root_always_may && subject.side == Side::Root && subject.account == self.owner;
        Self { policy: self.policy.filter(|_| !rescues), ..*self }
    }
}

/// As if some things were otherwise.
#[derive(Default)]
pub(super) struct Change<'a> {
    /// Policies that the principal has besides its own.
    pub(super) own: Vec<&'a Policy>,
    /// That it has no boundary.
    pub(super) unbounded: bool,
}

impl Change<'_> {
    pub(super) fn none() -> Self {
        Self::default()
    }
}

/// A policy that lets its holder do everything.
pub(super) static ALLOW_ALL: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Identity).expect("the text is a policy")
});

/// A resource's policy that lets everyone do everything.
pub(super) static ALLOW_EVERYONE: LazyLock<Policy> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
    Policy::parse(text, PolicyKind::Resource).expect("the text is a policy")
});

/// What was found of one principal.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) allowed: Option<AllowedRequest>,
    pub(super) denied: Option<AllowedRequest>,
    pub(super) complete: bool,
}

/// A principal as policies are held against it.
struct Guise {
    principal: Principal,
    /// Stands in for the principal where it is one of which not all is known.
    stand_in: Option<String>,
    session: Option<String>,
    context: Context,
    known: Vec<String>,
}

/// Whether the subject may do this, in at most `steps` evaluations.
pub(super) fn judge(
    subject: &Subject,
    target: &Target<'_>,
    change: &Change<'_>,
    now: DateTime<Utc>,
    steps: usize,
) -> Judgement {
    if is_never_allowed(subject, target.action) {
        return Judgement { complete: true, ..Judgement::default() };
    }
    let target = &target.met_by(subject);
    if target.outsiders_kept_out && subject.account != target.owner && subject.kind != PrincipalKind::Service
    {
        return Judgement { complete: true, ..Judgement::default() };
    }
    let own: Vec<&Policy> =
        subject.held.own.iter().map(|named| &named.policy).chain(change.own.iter().copied()).collect();
    let levels: Vec<Vec<&Policy>> = subject
        .held
        .service_control
        .iter()
        .map(|level| level.iter().map(|named| &named.policy).collect())
        .collect();
    let policies = policies(subject, target, change, &own, &levels);
    let requests = Requests { nature: subject.nature(), action: target.action, tags: taggable(subject), now };
    let mut judgement = Judgement { complete: true, ..Judgement::default() };
    for guise in guises(subject, target, now) {
        let known: Vec<&str> = guise.known.iter().map(String::as_str).collect();
        let question = guise.question(target, policies.boundary.is_some(), &known);
        let found = search(&question, &policies, &requests, steps);
        let shown = |example: opentrail_policy::Example| AllowedRequest {
            resource: example.resource,
            session: guise.session.clone(),
            keys: example.keys,
        };
        judgement.allowed = judgement.allowed.or(found.allowed.map(shown));
        judgement.denied = judgement.denied.or(found.denied.map(shown));
        judgement.complete &= found.complete;
    }
    judgement
}

/// A root assumes no role, whatever policies say: STS refuses before it asks them.
fn is_never_allowed(subject: &Subject, action: &str) -> bool {
    subject.kind == PrincipalKind::Root && action.eq_ignore_ascii_case("sts:AssumeRole")
}

fn policies<'a>(
    subject: &'a Subject,
    target: &Target<'a>,
    change: &Change<'a>,
    own: &'a [&'a Policy],
    levels: &'a [Vec<&'a Policy>],
) -> Policies<'a> {
    let boundary = subject.held.boundary.as_ref().filter(|_| !change.unbounded);
    Policies {
        identity: match subject.side {
            Side::Policies => IdentityPolicies::Policies(own),
            Side::Root => IdentityPolicies::Root,
            Side::None => IdentityPolicies::None,
        },
        boundary: boundary.map(|named| &named.policy),
        session: &[],
        service_control: levels,
        resource: target.policy,
        resource_must_allow: target.must_allow,
        same_account: target.owner.is_none() || target.owner == subject.account,
    }
}

/// The tags of a role that a session may replace.
fn taggable(subject: &Subject) -> &[crate::tags::Tag] {
    if subject.taggable { &subject.tags } else { &[] }
}

impl Guise {
    fn question<'a>(&'a self, target: &Target<'a>, bounded: bool, known: &'a [&'a str]) -> Question<'a> {
        Question {
            action: target.action,
            resource: target.resource,
            principal: Some(self.reference()),
            bounded,
            context: &self.context,
            known,
        }
    }

    fn reference(&self) -> PrincipalRef<'_> {
        match &self.stand_in {
            Some(name) if name.starts_with("arn:") || name.contains('.') => PrincipalRef::Federated(name),
            Some(account) => PrincipalRef::Root { account },
            None => self.principal.as_policy_principal(),
        }
    }
}

/// The ways in which a subject may appear: a role once for each name of a session that policies tell apart.
fn guises(subject: &Subject, target: &Target<'_>, now: DateTime<Utc>) -> Vec<Guise> {
    match &subject.persona {
        Persona::Known(principal) => vec![known(subject, target, principal.clone(), None, now)],
        Persona::Role(role) => {
            let mut names = session_names(subject, target, &role.name, &role.id);
            names.insert(SOME_SESSION.to_owned());
            let guise = |name: String| {
                let principal = Principal::assumed_role(role, &name);
                known(subject, target, principal, Some(name), now)
            };
            let mut guises: Vec<Guise> = names.into_iter().map(guise).collect();
            // Any session is the plainest example.
            guises.sort_by_key(|guise| guise.session.as_deref() != Some(SOME_SESSION));
            for guise in &mut guises {
                guise.session.take_if(|name| name == SOME_SESSION);
            }
            guises
        }
        Persona::Account(account) => {
            let mut context = target.facts.clone();
            context.set("aws:PrincipalAccount", account.as_str());
            context.set("aws:PrincipalIsAWSService", "false").set("aws:ViaAWSService", "false");
            vec![stranger(account, context)]
        }
        Persona::Anyone => {
            let mut context = target.facts.clone();
            context.set("aws:PrincipalIsAWSService", "false").set("aws:ViaAWSService", "false");
            vec![stranger("000000000000", context)]
        }
        Persona::Provider(name) => vec![stranger(name, target.facts.clone())],
    }
}

/// Someone of whom only the account, or the identity provider, is known.
fn stranger(stand_in: &str, context: Context) -> Guise {
    Guise {
        principal: Principal::Anonymous,
        stand_in: Some(stand_in.to_owned()),
        session: None,
        context,
        known: ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrg", Context::CANONICAL_USER]
            .map(str::to_owned)
            .into(),
    }
}

fn known(
    subject: &Subject,
    target: &Target<'_>,
    principal: Principal,
    session: Option<String>,
    now: DateTime<Utc>,
) -> Guise {
    let is_service = matches!(principal, Principal::Service { .. });
    let mut context = target.facts.clone();
    let caller = Caller { principal, access_key_id: None, session: None };
    let tags = if subject.taggable { &[][..] } else { &subject.tags };
    context::set_caller(&mut context, &caller, tags, now);
    if let Some(account) = subject.account {
        context.set(Context::CANONICAL_USER, (target.canonical_user)(account));
    }
    context.extend(&subject.keys);
    // What is not set by now is not there, except what a session or the request itself brings.
    let mut closed = vec!["aws:username", "aws:userid", "aws:Principal", Context::CANONICAL_USER];
    if subject.taggable {
        closed.retain(|key| *key != "aws:Principal");
        closed.extend([
            "aws:PrincipalOrg",
            "aws:PrincipalArn",
            "aws:PrincipalAccount",
            "aws:PrincipalType",
            "aws:PrincipalServiceName",
            "aws:PrincipalIsAWSService",
        ]);
    }
    if !matches!(subject.persona, Persona::Role(_)) {
        closed.extend(["aws:SourceIdentity", "aws:FederatedProvider"]);
    }
    if !is_service {
        closed.extend(["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrg"]);
    }
    let known = closed.into_iter().map(str::to_owned).collect();
    Guise { principal: caller.principal, stand_in: None, session, context, known }
}

/// The names of sessions that policies speak of, by the session's ARN or by `aws:userid`.
fn session_names(subject: &Subject, target: &Target<'_>, role: &str, id: &str) -> BTreeSet<String> {
    let held = &subject.held;
    let own = held.own.iter().chain(&held.boundary).chain(held.service_control.iter().flatten());
    let texts = own.map(|named| &named.policy).chain(target.policy);
    let beginnings = [format!("assumed-role/{role}/"), format!("{id}:")];
    let mut names = BTreeSet::new();
    for policy in texts {
        for beginning in &beginnings {
            let found = policy.source().split(beginning.as_str()).skip(1);
            names.extend(
                found.filter_map(|rest| rest.split('"').next()).map(|name| name.replace(['*', '?'], "x")),
            );
        }
    }
    // At least two characters of those that a session's name may have (STS API reference, AssumeRole).
    let is_name = |name: &String| {
        (2..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    };
    names.retain(is_name);
    names
}

/// The statements that have a part in the answer for a subject.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) allowed_by: Vec<Said>,
    pub(super) limited_by: Vec<Said>,
}

/// Which statements allow the subject this, and which stop or limit it.
pub(super) fn said(subject: &Subject, target: &Target<'_>, now: DateTime<Utc>) -> Statements {
    let target = &target.met_by(subject);
    let mut statements = Statements::default();
    if subject.side == Side::Root && subject.kind == PrincipalKind::Root {
        let name = PolicyName { role: PolicyRole::RootUser, name: String::new(), through: None };
        statements.allowed_by.push(Said { policy: name, sid: None, statement: 0, needs: Vec::new() });
    }
    let resource_role = match target.policy.map(Policy::kind) {
        Some(PolicyKind::Trust) => PolicyRole::Trust,
        _ => PolicyRole::Resource,
    };
    let of_resource = target.policy.map(|policy| Named {
        policy: policy.clone(),
        name: PolicyName { role: resource_role, name: target.policy_name.to_owned(), through: None },
    });
    let held = &subject.held;
    let grants = held.own.iter().chain(&of_resource);
    let limits = held.boundary.iter().chain(held.service_control.iter().flatten());
    for guise in guises(subject, target, now) {
        let known: Vec<&str> = guise.known.iter().map(String::as_str).collect();
        let question = guise.question(target, held.boundary.is_some(), &known);
        for (named, grants) in
            grants.clone().map(|named| (named, true)).chain(limits.clone().map(|named| (named, false)))
        {
            for explained in named.policy.explain(&question) {
                let said = Said {
                    policy: named.name.clone(),
                    sid: explained.statement.sid().map(str::to_owned),
                    statement: explained.statement.index(),
                    needs: explained.needs.iter().map(ToString::to_string).collect(),
                };
                let denies = explained.statement.effect() == Effect::Deny;
                let list =
                    if grants && !denies { &mut statements.allowed_by } else { &mut statements.limited_by };
                // What allows in any case limits nothing.
                let matters =
                    grants || denies || !said.needs.is_empty() || named.name.role == PolicyRole::Boundary;
                if matters && !list.contains(&said) {
                    list.push(said);
                }
            }
        }
    }
    statements
}
