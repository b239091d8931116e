//! Ways round: principals that may not, and may do something first that lets them.
//!
//! Two kinds. A principal may *become* another: assume its role, or give itself a key or password of its user. And
//! it may *change the rules*: write a policy of its own, lift its boundary, rewrite a bucket's policy or a role's
//! trust. Both are followed over several hops, shortest ways first.

use std::collections::BTreeMap;

use opentrail_event::AccountId;
use opentrail_policy::{Context, Policy, PolicyKind};

use super::{
    Able, Detour, Inquiry, PrincipalKind, Sure,
    held::Held,
    judge::{self, ALLOW_ALL, ALLOW_EVERYONE, Change, Target},
    named::Named,
    subject::{self, Subject},
};
use crate::{
    documents::Documents,
    entity::{self, Entity},
    group::Group,
    role::Role,
    trust,
};

/// Most hops from one principal to the next.
const HOPS: usize = 6;
/// Most evaluations for one question about a detour.
const STEPS: usize = 300;
/// Most groups of an account of which it is tried whether joining one helps.
const GROUPS: usize = 300;

/// Actions that write a policy of the principal itself.
const OF_USER: &[&str] = &["iam:PutUserPolicy", "iam:AttachUserPolicy"];
const OF_ROLE: &[&str] = &["iam:PutRolePolicy", "iam:AttachRolePolicy"];
const OF_GROUP: &[&str] = &["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
const LIFT_OF_USER: &[&str] = &["iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary"];
const LIFT_OF_ROLE: &[&str] = &["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"];
/// Actions that give whoever does them credentials of a user.
const BECOME_USER: &[&str] = &["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"];

/// Fills in who can get there; what is returned are principals elsewhere that may assume a role which can.
pub(super) fn find(
    docs: &impl Documents,
    inquiry: &Inquiry<'_>,
    subjects: &[Subject],
    able: &mut [Option<Able>],
) -> Vec<Able> {
    let search = Ways { docs, inquiry, subjects };
    for (subject, able) in subjects.iter().zip(&mut *able) {
        if able.as_ref().is_none_or(|able| able.sure == Sure::Undecided)
            && let Some(detours) = search.rules_changed(subject)
        {
            *able = Some(Able { detours, ..subject.able(Sure::CanObtain) });
        }
    }
    let mut frontier: Vec<usize> = (0..able.len()).filter(|at| able[*at].is_some()).collect();
    for _ in 0..HOPS {
        let mut next = Vec::new();
        for (at, subject) in
            subjects.iter().enumerate().filter(|(at, _)| able[*at].is_none()).collect::<Vec<_>>()
        {
            let way = frontier.iter().find_map(|goal| {
                let first = search.becomes(subject, &subjects[*goal])?;
                let rest = able[*goal].iter().flat_map(|able| able.detours.iter().cloned());
                Some(first.into_iter().chain(rest).collect::<Vec<_>>())
            });
            if let Some(detours) = way {
                able[at] = Some(Able { detours, ..subject.able(Sure::CanObtain) });
                next.push(at);
            }
        }
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    search.strangers(able)
}

struct Ways<'a, D> {
    docs: &'a D,
    inquiry: &'a Inquiry<'a>,
    subjects: &'a [Subject],
}

/// What a detour is about.
struct Means<'a> {
    action: &'a str,
    resource: &'a str,
    owner: Option<AccountId>,
    policy: Option<&'a Policy>,
}

impl<D: Documents> Ways<'_, D> {
    /// The detour, if the subject may take it.
    fn may(&self, subject: &Subject, means: &Means<'_>) -> Option<Detour> {
        let left = &self.inquiry.left;
        left.set(left.get().checked_sub(1)?);
        let facts = facts(means.owner);
        let target = Target {
            action: means.action,
            resource: means.resource,
            facts: &facts,
            policy: means.policy,
            policy_name: means.resource,
            owner: means.owner,
            must_allow: means.policy.is_some_and(|policy| policy.kind() == PolicyKind::Trust),
            root_always_may: matches!(means.action, "s3:PutBucketPolicy" | "s3:DeleteBucketPolicy"),
            outsiders_kept_out: false,
            canonical_user: self.inquiry.ask.canonical_user,
        };
        let judgement = judge::judge(subject, &target, &Change::none(), self.inquiry.now, STEPS);
        judgement.allowed.as_ref()?;
        let allowed_by = judge::said(subject, &target, self.inquiry.now).allowed_by;
        Some(Detour { action: means.action.to_owned(), resource: means.resource.to_owned(), allowed_by })
    }

    /// A detour of these that the subject may take with something of its own account.
    fn may_any(&self, subject: &Subject, actions: &[&str], resource: &str) -> Option<Detour> {
        let owner = subject.account;
        actions.iter().find_map(|action| self.may(subject, &Means { action, resource, owner, policy: None }))
    }

    /// Whether the subject could if these things were otherwise.
    fn could(&self, subject: &Subject, change: &Change<'_>) -> bool {
        let target = self.inquiry.target();
        judge::judge(subject, &target, change, self.inquiry.now, STEPS).allowed.is_some()
    }

    /// How the subject changes the rules so that it can.
    fn rules_changed(&self, subject: &Subject) -> Option<Vec<Detour>> {
        self.account_known(subject)?;
        self.own_policy(subject)
            .or_else(|| self.bucket_policy(subject))
            .or_else(|| self.expiry(subject))
            .or_else(|| self.group(subject))
    }

    /// Of outsiders it is not known what else they may.
    fn account_known(&self, subject: &Subject) -> Option<AccountId> {
        subject.account.filter(|account| self.inquiry.ask.accounts.contains(account))
    }

    /// It writes a policy of its own, lifts its boundary, or both.
    fn own_policy(&self, subject: &Subject) -> Option<Vec<Detour>> {
        let granted = || Change { own: vec![&ALLOW_ALL], unbounded: false };
        let unbounded = |own: Vec<&'static Policy>| Change { own, unbounded: true };
        if self.could(subject, &granted()) {
            return self.write_policy(subject).map(|detour| vec![detour]);
        }
        subject.held.boundary.as_ref()?;
        let lift = || {
            let actions = if subject.is_user() { LIFT_OF_USER } else { LIFT_OF_ROLE };
            self.may_any(subject, actions, &subject.shown)
        };
        if self.could(subject, &unbounded(Vec::new())) {
            return lift().map(|detour| vec![detour]);
        }
        if !self.could(subject, &unbounded(vec![&ALLOW_ALL])) {
            return None;
        }
        Some(vec![lift()?, self.write_policy(subject)?])
    }

    fn write_policy(&self, subject: &Subject) -> Option<Detour> {
        let own = if subject.is_user() {
            OF_USER
        } else if subject.role().is_some() {
            OF_ROLE
        } else {
            return None;
        };
        let of_group = || subject.held.groups.iter().find_map(|group| self.may_any(subject, OF_GROUP, group));
        let version = || {
            let policies = subject.held.attached.iter();
            policies.into_iter().find_map(|arn| self.may_any(subject, &["iam:CreatePolicyVersion"], arn))
        };
        self.may_any(subject, own, &subject.shown).or_else(of_group).or_else(version)
    }

    /// It joins a group that can.
    fn group(&self, subject: &Subject) -> Option<Vec<Detour>> {
        let account = subject.account.filter(|_| subject.is_user())?;
        let groups = self.docs.documents::<Group>(&entity::account_prefix(account));
        groups.into_iter().take(GROUPS).find_map(|(_, group)| {
            let arn = group.arn();
            let detour = self.may_any(subject, &["iam:AddUserToGroup"], &arn)?;
            let held = Held::of_group(self.docs, &group);
            let own: Vec<&Policy> = held.own.iter().map(|named| &named.policy).collect();
            self.could(subject, &Change { own, unbounded: false }).then(|| vec![detour])
        })
    }

    /// It rewrites the bucket's policy, or deletes it.
    fn bucket_policy(&self, subject: &Subject) -> Option<Vec<Detour>> {
        let ask = self.inquiry.ask;
        let bucket = ask.bucket.as_deref()?;
        let policy = ask.resource_policy.as_ref().map(|(policy, _)| *policy);
        let could = |policy: Option<&Policy>| {
            let target = Target { policy, ..self.inquiry.target() };
            let judgement = judge::judge(subject, &target, &Change::none(), self.inquiry.now, STEPS);
            judgement.allowed.is_some()
        };
        let ways = [("s3:PutBucketPolicy", Some(&*ALLOW_EVERYONE)), ("s3:DeleteBucketPolicy", None)];
        ways.into_iter().find_map(|(action, becomes)| {
            let means = Means { action, resource: bucket, owner: ask.owner, policy };
            could(becomes).then(|| self.may(subject, &means)).flatten().map(|detour| vec![detour])
        })
    }

    /// It has S3 delete the objects, by a rule.
    fn expiry(&self, subject: &Subject) -> Option<Vec<Detour>> {
        let ask = self.inquiry.ask;
        let action = ask.action.to_ascii_lowercase();
        let bucket = ask.bucket.as_deref().filter(|_| action.starts_with("s3:deleteobject"))?;
        let policy = ask.resource_policy.as_ref().map(|(policy, _)| *policy);
        let means =
            Means { action: "s3:PutLifecycleConfiguration", resource: bucket, owner: ask.owner, policy };
        self.may(subject, &means).map(|detour| vec![detour])
    }

    /// How one becomes the other.
    fn becomes(&self, subject: &Subject, goal: &Subject) -> Option<Vec<Detour>> {
        self.account_known(subject)?;
        match goal.role() {
            Some(role) => self.assumes(subject, role),
            None if goal.is_user() && goal.account == subject.account => {
                self.may_any(subject, BECOME_USER, &goal.shown).map(|detour| vec![detour])
            }
            None => None,
        }
    }

    fn assumes(&self, subject: &Subject, role: &Role) -> Option<Vec<Detour>> {
        let arn = role.arn();
        let assume = |trust: Option<&Policy>| {
            let means =
                Means { action: "sts:AssumeRole", resource: &arn, owner: Some(role.account), policy: trust };
            // A root has no roles.
            (subject.kind != PrincipalKind::Root).then(|| self.may(subject, &means)).flatten()
        };
        let trust = role.trust_policy.policy(PolicyKind::Trust);
        if trust.is_some()
            && is_meant(subject, role)
            && let Some(detour) = assume(trust)
        {
            return Some(vec![detour]);
        }
        if subject.account != Some(role.account) {
            return None;
        }
        let rewrite = || self.may_any(subject, &["iam:UpdateAssumeRolePolicy"], &arn);
        if subject.kind != PrincipalKind::Root
            && let Some(first) = rewrite()
            && let Some(second) = assume(Some(&ALLOW_EVERYONE))
        {
            return Some(vec![first, second]);
        }
        // Some service acts with it then, and does what it is told.
        self.may_any(subject, &["iam:PassRole"], &arn).map(|detour| vec![detour])
    }

    /// Principals of other accounts, services and identity providers that may assume a role which can.
    fn strangers(&self, able: &[Option<Able>]) -> Vec<Able> {
        let mut found: BTreeMap<String, Able> = BTreeMap::new();
        let reached = self
            .subjects
            .iter()
            .zip(able)
            .filter_map(|(subject, able)| Some((subject.role()?, able.as_ref()?)));
        for (role, goal) in reached {
            let Some(trust) = role.trust_policy.policy(PolicyKind::Trust) else { continue };
            let arn = role.arn();
            for stranger in subject::outsiders(&Named::of(trust), self.inquiry.ask) {
                if stranger.kind == PrincipalKind::Anonymous || known_already(self.subjects, able, &stranger)
                {
                    continue;
                }
                let actions: &[&str] = match stranger.kind {
                    PrincipalKind::Provider => &["sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"],
                    _ => &["sts:AssumeRole"],
                };
                let detour = actions.iter().find_map(|action| {
                    let means =
                        Means { action, resource: &arn, owner: Some(role.account), policy: Some(trust) };
                    self.may(&stranger, &means)
                });
                if let Some(detour) = detour {
                    let detours = std::iter::once(detour).chain(goal.detours.iter().cloned()).collect();
                    let shortest = |known: &mut Able| {
                        if known.detours.len() > Vec::len(&detours) {
                            known.detours = Vec::clone(&detours);
                        }
                    };
                    found.entry(stranger.shown.clone()).and_modify(shortest).or_insert_with(|| Able {
                        detours: detours.clone(),
                        ..stranger.able(Sure::CanObtain)
                    });
                }
            }
        }
        found.into_values().collect()
    }
}

fn known_already(subjects: &[Subject], able: &[Option<Able>], stranger: &Subject) -> bool {
    subjects.iter().zip(able).any(|(subject, able)| able.is_some() && subject.shown == stranger.shown)
}

/// Whether a trust policy that names the subject by its ARN means this very one.
fn is_meant(subject: &Subject, role: &Role) -> bool {
    use super::subject::Persona;
    let principal = match &subject.persona {
        Persona::Known(principal) => principal.clone(),
        Persona::Role(own) => crate::principal::Principal::assumed_role(own, "any-session"),
        Persona::Account(_) | Persona::Anyone | Persona::Provider(_) => return true,
    };
    trust::is_meant(&role.trusted, &principal)
}

/// The condition keys of a request about something of this account.
fn facts(owner: Option<AccountId>) -> Context {
    let mut facts = Context::new();
    if let Some(owner) = owner {
        facts.set("aws:ResourceAccount", owner.as_str());
    }
    facts
}
