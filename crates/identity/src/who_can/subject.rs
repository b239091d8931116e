//! The principals that are looked at.

use std::{collections::BTreeSet, sync::Arc};

use opentrail_event::AccountId;
use opentrail_policy::{Context, Effect, PolicyKind};

use super::{PrincipalKind, WhoCanAsk, held::Held, named::Named, world::Nature};
use crate::{
    account::Account,
    context,
    documents::Documents,
    entity::{self, Entity},
    principal::{Principal, root_arn},
    role::Role,
    tags::Tag,
    user::User,
};

/// Services of ours that write into buckets.
const OWN_SERVICES: &[&str] = &["cloudtrail.amazonaws.com", "logging.s3.amazonaws.com"];

/// Whose policies let the principal, besides the resource's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Its own.
    Policies,
    /// All that nothing denies.
    Root,
    /// Nobody's.
    None,
}

/// Who it is to policies.
#[derive(Debug, Clone)]
pub(super) enum Persona {
    /// One that is here.
    Known(Principal),
    /// A role, whose sessions may have any name.
    Role(Arc<Role>),
    /// Someone of an account of which no more is known than its number.
    Account(String),
    /// Someone of an account that is not named.
    Anyone,
    /// Who is vouched for by an identity provider.
    Provider(String),
}

/// A principal that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// As answers name it.
    pub(super) shown: String,
    pub(super) kind: PrincipalKind,
    pub(super) account: Option<AccountId>,
    pub(super) persona: Persona,
    pub(super) side: Side,
    pub(super) held: Held,
    pub(super) tags: Vec<Tag>,
    /// Whether sessions may bring tags of their own.
    pub(super) taggable: bool,
    /// The condition keys that tell of its account and organization.
    pub(super) keys: Context,
}

impl Subject {
    pub(super) fn nature(&self) -> Nature {
        match &self.persona {
            Persona::Role(_) => Nature::Role,
            Persona::Known(Principal::Root { .. } | Principal::User { .. }) => Nature::Own,
            Persona::Known(_) | Persona::Provider(_) => Nature::Sessionless,
            Persona::Account(_) | Persona::Anyone => Nature::Unknown,
        }
    }

    /// The role, if it is one.
    pub(super) fn role(&self) -> Option<&Arc<Role>> {
        match &self.persona {
            Persona::Role(role) => Some(role),
            _ => None,
        }
    }

    pub(super) fn is_user(&self) -> bool {
        matches!(self.persona, Persona::Known(Principal::User { .. }))
    }

    fn of(shown: String, kind: PrincipalKind, persona: Persona, side: Side) -> Self {
        let (held, tags) = (Held::default(), Vec::new());
        Self { shown, kind, account: None, persona, side, held, tags, taggable: false, keys: Context::new() }
    }

    fn belongs(&mut self, docs: &impl Documents, account: AccountId) {
        self.account = Some(account);
        context::set_accounts(&mut self.keys, docs, Some(account), None);
        // Whose the resource is, each question says.
        self.keys.retain(|key| !key.starts_with("aws:resource"));
    }

    fn root(docs: &impl Documents, account: AccountId) -> Self {
        let persona = Persona::Known(Principal::Root { account });
        let mut subject = Self::of(root_arn(account).to_string(), PrincipalKind::Root, persona, Side::Root);
        subject.held = Held::of_root(docs, account);
        subject.belongs(docs, account);
        subject
    }

    fn user(docs: &impl Documents, user: &User) -> Self {
        let persona = Persona::Known(Principal::user(user));
        let mut subject = Self::of(user.arn(), PrincipalKind::User, persona, Side::Policies);
        subject.held = Held::of_user(docs, user);
        subject.tags = user.tags.clone();
        subject.belongs(docs, user.account);
        subject
    }

    fn role_of(docs: &impl Documents, role: &Arc<Role>) -> Self {
        let mut subject =
            Self::of(role.arn(), PrincipalKind::Role, Persona::Role(Arc::clone(role)), Side::Policies);
        subject.held = Held::of_role(docs, role);
        subject.tags = role.tags.clone();
        subject.belongs(docs, role.account);
        let trust = role.trust_policy.policy(PolicyKind::Trust);
        subject.taggable = trust.is_none_or(|trust| {
            trust.statements().iter().any(|statement| {
                statement.effect() == Effect::Allow
                    && (statement.negates_actions() || statement.actions().any(may_tag))
            })
        });
        subject
    }

    /// Whoever of an account elsewhere.
    pub(super) fn of_account(account: &str) -> Self {
        let shown = format!("arn:aws:iam::{account}:root");
        let mut subject =
            Self::of(shown, PrincipalKind::Account, Persona::Account(account.to_owned()), Side::Root);
        subject.account = account.parse().ok();
        subject
    }

    /// Whoever of any account elsewhere.
    pub(super) fn anyone() -> Self {
        Self::of("*".to_owned(), PrincipalKind::Anyone, Persona::Anyone, Side::Root)
    }

    pub(super) fn anonymous() -> Self {
        Self::of(
            "anonymous".to_owned(),
            PrincipalKind::Anonymous,
            Persona::Known(Principal::Anonymous),
            Side::None,
        )
    }

    pub(super) fn service(name: &str) -> Self {
        let persona = Persona::Known(Principal::Service { name: Arc::from(name) });
        Self::of(name.to_owned(), PrincipalKind::Service, persona, Side::None)
    }

    pub(super) fn provider(arn: &str) -> Self {
        Self::of(arn.to_owned(), PrincipalKind::Provider, Persona::Provider(arn.to_owned()), Side::None)
    }
}

/// Whether the pattern of an action takes in `sts:TagSession`; a wildcard counts as one that does.
fn may_tag(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let beginning = action.split(['*', '?']).next().unwrap_or_default();
    if beginning.len() < action.len() {
        "sts:tagsession".starts_with(beginning)
    } else {
        action == "sts:tagsession"
    }
}

/// Everyone of the accounts that are asked about, and whoever else the resource's policy names.
pub(super) fn all(docs: &impl Documents, ask: &WhoCanAsk<'_>) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for account in ask.accounts.iter().copied().filter(|account| !is_closed(docs, *account)) {
        subjects.push(Subject::root(docs, account));
        let prefix = entity::account_prefix(account);
        subjects.extend(docs.documents::<User>(&prefix).iter().map(|(_, user)| Subject::user(docs, user)));
        subjects.extend(docs.documents::<Role>(&prefix).iter().map(|(_, role)| Subject::role_of(docs, role)));
    }
    if let Some((policy, _)) = &ask.resource_policy {
        subjects.extend(outsiders(&Named::of(policy), ask));
    }
    subjects
}

fn is_closed(docs: &impl Documents, account: AccountId) -> bool {
    docs.document::<Account>(account.as_str()).is_some_and(|account| account.closed_at.is_some())
}

/// Those that a policy names and that are not of the accounts that are asked about.
pub(super) fn outsiders(named: &Named, ask: &WhoCanAsk<'_>) -> Vec<Subject> {
    let known: BTreeSet<&str> = ask.accounts.iter().map(AccountId::as_str).collect();
    let elsewhere = named.accounts.iter().filter(|account| !known.contains(account.as_str()));
    let mut services: BTreeSet<&str> = named.services.iter().map(String::as_str).collect();
    let mut subjects: Vec<Subject> = elsewhere.map(|account| Subject::of_account(account)).collect();
    if named.everyone {
        subjects.extend([Subject::anonymous(), Subject::anyone()]);
        services.extend(OWN_SERVICES);
    }
    subjects.extend(services.into_iter().map(Subject::service));
    subjects.extend(named.providers.iter().map(|arn| Subject::provider(arn)));
    subjects
}
