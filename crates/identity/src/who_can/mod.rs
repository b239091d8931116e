//! Who can do a thing: every principal that the policies in force let, and every one that can get there.
//!
//! [`Identity::authorize`](crate::Identity::authorize) answers for one request. Here the request is not known: any
//! object of a bucket, any address, any time, with MFA or without. For each principal the policies are held against
//! all the requests that it can make ([`opentrail_policy::search`]), so that
//!
//! - [`Sure::Always`] means that `authorize` allows every one of them,
//! - [`Sure::Sometimes`] that it allows some, with an example of one, and
//! - a principal that is not named at all is denied all of them.
//!
//! Where the search had to stop before it knew, a principal is named as [`Sure::Undecided`], never left out. Tests
//! hold this against `authorize` itself, over generated accounts.

#[cfg(test)]
mod agreement;
mod held;
mod judge;
mod named;
mod obtain;
mod subject;
mod world;

use std::{cell::Cell, fmt};

use chrono::{DateTime, Utc};
use opentrail_event::AccountId;
use opentrail_policy::{Case, Context, Policy};

use self::{
    judge::{Change, Judgement, Target},
    subject::Subject,
};
use crate::documents::Documents;

/// Most principals that are looked at in one answer. IAM has at most 5,000 users and 1,000 roles in an account.
pub const MAX_PRINCIPALS: usize = 20_000;
/// Most evaluations for one principal and one action.
const STEPS: usize = 5_000;
/// Most questions about detours (who may assume which role, who may write which policy) in one answer.
const DETOURS: usize = 60_000;

/// What is asked.
#[derive(Clone)]
pub struct WhoCanAsk<'a> {
    /// `service:Name`, such as `s3:DeleteObjectVersion`.
    pub action: &'a str,
    /// The ARN; `*` and `?` in it stand for what is not known: `arn:aws:s3:::logs/*` is any object.
    pub resource: &'a str,
    /// The account that the resource belongs to; each principal's own where the action is about none.
    pub owner: Option<AccountId>,
    /// The resource's own policy, and what it is called: a bucket's name, a role's ARN.
    pub resource_policy: Option<(&'a Policy, String)>,
    /// Whether that policy must allow even within one account, as a role's trust policy must.
    pub resource_must_allow: bool,
    /// The condition keys that every request about the resource has.
    pub facts: Context,
    /// The accounts of which every principal is looked at. Of others only what the resource's policy says of the
    /// account as a whole is told.
    pub accounts: Vec<AccountId>,
    /// The canonical user id of an account, which S3's policies may name.
    pub canonical_user: fn(AccountId) -> String,
    /// That the owner's root may whatever the resource's policy says, as with a bucket's policy.
    pub root_always_may: bool,
    /// That nobody of another account may, as with a public bucket under `RestrictPublicBuckets`.
    pub outsiders_kept_out: bool,
    /// The ARN of the bucket that the resource is, or is in.
    pub bucket: Option<String>,
}

/// How sure it is that a principal may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// Every request of its kind is allowed.
    Always,
    /// Some are.
    Sometimes,
    /// None is as things are, but the principal may change that.
    CanObtain,
    /// The policies are too many to know within the limits.
    Undecided,
}

/// What a policy is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyRole {
    /// An inline policy of a user, group or role.
    Inline,
    /// A managed policy.
    Managed,
    /// A permissions boundary.
    Boundary,
    /// A service control policy.
    ServiceControl,
    /// The resource's own.
    Resource,
    /// A role's trust policy.
    Trust,
    /// None: what a root user has without any.
    RootUser,
}

/// A policy as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyName {
    /// What it is.
    pub role: PolicyRole,
    /// Its name or ARN.
    pub name: String,
    /// What the principal has it from: `group NAME`.
    pub through: Option<String>,
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.role {
            PolicyRole::Inline => "inline policy",
            PolicyRole::Managed => "policy",
            PolicyRole::Boundary => "permissions boundary",
            PolicyRole::ServiceControl => "service control policy",
            PolicyRole::Resource => "resource policy",
            PolicyRole::Trust => "trust policy",
            PolicyRole::RootUser => return f.write_str("root user"),
        };
        write!(f, "{kind} {}", self.name)?;
        self.through.iter().try_for_each(|group| write!(f, " of {group}"))
    }
}

/// A statement that has a part in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its policy.
    pub policy: PolicyName,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Its place in the policy, from 0.
    pub statement: usize,
    /// What has to be true for it to apply, in words; nothing where it applies in any case.
    pub needs: Vec<String>,
}

/// A request that is allowed. What it does not name may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedRequest {
    /// Its resource.
    pub resource: String,
    /// The session's name, where one of which a policy speaks is needed.
    pub session: Option<String>,
    /// Its condition keys; `None` for those that it must not have.
    pub keys: Case,
}

/// A thing to do on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// What: `sts:AssumeRole`, `iam:PutUserPolicy`.
    pub action: String,
    /// With what.
    pub resource: String,
    /// The statements that allow it.
    pub allowed_by: Vec<Said>,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// An account's root user.
    Root,
    /// A user.
    User,
    /// A role.
    Role,
    /// Someone of an account elsewhere.
    Account,
    /// An AWS service.
    Service,
    /// Whoever an identity provider vouches for.
    Provider,
    /// Someone without credentials.
    Anonymous,
    /// Someone of any account elsewhere.
    Anyone,
}

/// A principal that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Able {
    /// Its ARN, a service's name, an identity provider's ARN, `anonymous`, or `*` for anyone with an account elsewhere.
    pub principal: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Its account, where it has one.
    pub account: Option<AccountId>,
    /// How sure.
    pub sure: Sure,
    /// The statements that allow it.
    pub allowed_by: Vec<Said>,
    /// The statements that deny it when they apply, and the limits that must allow it too.
    pub limited_by: Vec<Said>,
    /// A request that is allowed.
    pub example: Option<AllowedRequest>,
    /// What it does first, in order; empty where nothing is needed.
    pub detours: Vec<Detour>,
}

/// The answer.
#[derive(Debug, Clone, Default)]
pub struct WhoCan {
    /// Those that can, by account and name.
    pub able: Vec<Able>,
    /// How many principals were looked at.
    pub looked_at: usize,
    /// Whether all were looked at and all detours tried.
    pub complete: bool,
}

/// One answer in the making.
struct Inquiry<'a> {
    ask: &'a WhoCanAsk<'a>,
    now: DateTime<Utc>,
    /// Questions about detours that may still be asked.
    left: Cell<usize>,
}

/// Finds everyone who can.
pub(crate) fn who_can(docs: &impl Documents, ask: &WhoCanAsk<'_>, now: DateTime<Utc>) -> WhoCan {
    let inquiry = Inquiry { ask, now, left: Cell::new(DETOURS) };
    let mut subjects = subject::all(docs, ask);
    let complete = subjects.len() <= MAX_PRINCIPALS;
    subjects.truncate(MAX_PRINCIPALS);
    let target = inquiry.target();
    let mut able: Vec<Option<Able>> =
        subjects.iter().map(|subject| inquiry.direct(subject, &target)).collect();
    let strangers = obtain::find(docs, &inquiry, &subjects, &mut able);
    let mut able: Vec<Able> = able.into_iter().flatten().chain(strangers).collect();
    able.sort_by(|one, other| {
        (one.sure, &one.account, &one.principal).cmp(&(other.sure, &other.account, &other.principal))
    });
    WhoCan { able, looked_at: subjects.len(), complete: complete && inquiry.left.get() > 0 }
}

impl<'a> Inquiry<'a> {
    /// What was asked about.
    fn target(&self) -> Target<'_> {
        let ask = self.ask;
        Target {
            action: ask.action,
            resource: ask.resource,
            facts: &ask.facts,
            policy: ask.resource_policy.as_ref().map(|(policy, _)| *policy),
            policy_name: ask.resource_policy.as_ref().map_or("", |(_, name)| name),
            owner: ask.owner,
            must_allow: ask.resource_must_allow,
            root_always_may: ask.root_always_may,
            outsiders_kept_out: ask.outsiders_kept_out,
            canonical_user: ask.canonical_user,
        }
    }

    /// Whether the subject can as things are.
    fn direct(&self, subject: &Subject, target: &Target<'_>) -> Option<Able> {
        let judgement = judge::judge(subject, target, &Change::none(), self.now, STEPS);
        let sure = judgement.sure()?;
        let said = judge::said(subject, target, self.now);
        Some(Able {
            allowed_by: said.allowed_by,
            limited_by: said.limited_by,
            example: judgement.example(),
            ..subject.able(sure)
        })
    }
}

impl Judgement {
    /// How sure it is that the principal may; `None` if it is sure that it may not.
    fn sure(&self) -> Option<Sure> {
        match (&self.allowed, &self.denied) {
            (Some(_), None) if self.complete => Some(Sure::Always),
            (Some(_), _) => Some(Sure::Sometimes),
            (None, _) if self.complete => None,
            (None, _) => Some(Sure::Undecided),
        }
    }

    /// An allowed request, where not every one is.
    fn example(&self) -> Option<AllowedRequest> {
        self.denied.as_ref().and(self.allowed.clone())
    }
}

impl Subject {
    fn able(&self, sure: Sure) -> Able {
        Able {
            principal: self.shown.clone(),
            kind: self.kind,
            account: self.account,
            sure,
            allowed_by: Vec::new(),
            limited_by: Vec::new(),
            example: None,
            detours: Vec::new(),
        }
    }
}
