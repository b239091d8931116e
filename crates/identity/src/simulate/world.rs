//! What a simulation is about: the policies, the caller and the condition keys.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use opentrail_event::{AccountId, Arn};
use opentrail_policy::{Context, Policy, PolicyKind, Position};

use super::{Ask, ContextEntry, Exclusion, account_of_arn};
use crate::{
    context,
    documents::Documents,
    entity::{self, Entity, EntityKind},
    error::{IdentityError, InvalidInput},
    group::Group,
    in_force::{Holder, InForce, PolicyName, PolicyOrigin},
    limits,
    principal::{Caller, Principal},
    role::Role,
    user::User,
};

/// The name of a role's session that nobody opened.
const SIMULATED_SESSION: &str = "simulated";

/// A policy and what the simulator calls it.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub(super) policy: Policy,
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// Of each statement, once it was asked for.
    positions: Vec<OnceLock<Option<(Position, Position)>>>,
}

impl Labelled {
    fn new(policy: Policy, id: impl Into<String>, kind: &'static str) -> Self {
        let positions = policy.statements().iter().map(|_| OnceLock::new()).collect();
        Self { policy, id: id.into(), kind, positions }
    }

    /// Where a statement begins and ends. The whole text is read for it, and so once only.
    pub(super) fn position(&self, statement: usize) -> Option<(Position, Position)> {
        *self.positions.get(statement)?.get_or_init(|| self.policy.position(statement))
    }
}

/// What a simulation is about.
#[derive(Debug)]
pub struct World {
    pub(super) identity: Vec<Labelled>,
    pub(super) boundary: Option<Labelled>,
    pub(super) service_control: Vec<Vec<Labelled>>,
    pub(super) resource: Option<Labelled>,
    pub(super) caller: Option<Principal>,
    pub(super) resource_owner: Option<AccountId>,
    pub(super) context: Context,
}

impl World {
    /// Gathers what an account asks to simulate.
    ///
    /// # Errors
    /// `NoSuchEntity` for a source or caller that is not there, `InvalidInput` for anything that is not of its form.
    pub fn new(
        docs: &impl Documents,
        account: AccountId,
        ask: &Ask<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, IdentityError> {
        let mut world = Self::of_texts(ask)?;
        let mut tags = Vec::new();
        if let Some(arn) = ask.source_arn {
            let source = find(docs, account, "PolicySourceArn", arn)?;
            let (in_force, origins) = InForce::with_origins(docs, &source.holder());
            world.take(&in_force, &origins, ask);
            tags = in_force.tags;
        }
        let caller_arn = ask.caller_arn.or(ask.source_arn);
        if let Some(arn) = caller_arn {
            let caller = find(docs, account, "CallerArn", arn)?;
            if ask.caller_arn.is_some() {
                tags = InForce::with_origins(docs, &caller.holder()).0.tags;
            }
            if world.resource.is_some() && matches!(caller, Source::Role(_)) {
                let reason = "Simulation of resource-based policies isn't supported for IAM roles.";
                return Err(invalid(reason));
            }
            world.caller = caller.principal();
        } else if world.resource.is_some() {
            return Err(invalid("CallerArn is required if you include a ResourcePolicy."));
        }
        let mut keys = Context::new();
        keys.set("aws:CurrentTime", context::time(now));
        keys.set("aws:EpochTime", now.timestamp().to_string());
        if let Some(principal) = &world.caller {
            let account = principal.account();
            let caller = Caller { principal: principal.clone(), access_key_id: None, session: None };
            context::set_caller(&mut keys, &caller, &tags, now);
            context::set_accounts(&mut keys, docs, account, world.resource_owner);
        }
        keys.extend(&context_of(ask.context)?);
        world.context = keys;
        Ok(world)
    }

    /// With what is given as text.
    fn of_texts(ask: &Ask<'_>) -> Result<Self, IdentityError> {
        let texts = ask.policies.iter().chain(ask.boundaries).chain(ask.service_control.iter().flatten());
        let bytes = texts.map(String::len).sum::<usize>() + ask.resource_policy.map_or(0, str::len);
        if bytes > limits::SIMULATED_BYTES {
            return Err(invalid(format!(
                "The policies are longer than {} bytes together.",
                limits::SIMULATED_BYTES
            )));
        }
        let given = |list: &str, at: usize, text: &str| {
            let label = format!("{list}.{}", at + 1);
            read(&label, text, PolicyKind::Identity).map(|policy| Labelled::new(policy, label, "none"))
        };
        let all = |list: &str, texts: &[String]| {
            texts.iter().enumerate().map(|(at, text)| given(list, at, text)).collect::<Result<Vec<_>, _>>()
        };
        let mut boundaries = all("PermissionsBoundaryPolicyInputList", ask.boundaries)?;
        if boundaries.len() > 1 {
            return Err(invalid("Only one permissions boundary can be simulated."));
        }
        let resource = ask.resource_policy.map(|text| {
            let policy = read("ResourcePolicy", text, PolicyKind::Resource)?;
            Ok::<_, IdentityError>(Labelled::new(policy, "ResourcePolicy", "resource"))
        });
        let levels = ask.service_control.iter().map(|level| all("ServiceControlPolicyInputList", level));
        Ok(Self {
            identity: all("PolicyInputList", ask.policies)?,
            boundary: boundaries.pop(),
            service_control: levels.collect::<Result<_, _>>()?,
            resource: resource.transpose()?,
            caller: None,
            resource_owner: ask.resource_owner.map(owner).transpose()?,
            context: Context::new(),
        })
    }

    /// Adds the policies of the source, without those that are left out.
    fn take(&mut self, in_force: &InForce, origins: &[PolicyOrigin], ask: &Ask<'_>) {
        for (policy, origin) in in_force.identity.iter().zip(origins) {
            if !ask.exclusions.iter().any(|exclusion| exclusion.matches(origin)) {
                let (id, kind) = label(origin);
                self.identity.push(Labelled::new(policy.clone(), id, kind));
            }
        }
        if self.boundary.is_none() && !ask.exclusions.iter().any(Exclusion::matches_boundary) {
            let boundary = in_force.boundary.clone();
            self.boundary =
                boundary.map(|policy| Labelled::new(policy, "PermissionsBoundary", "user-managed"));
        }
        if !ask.exclusions.iter().any(Exclusion::matches_service_control) {
            let labelled = |policy: &Policy| Labelled::new(policy.clone(), "ServiceControlPolicy", "none");
            self.service_control =
                in_force.service_control.iter().map(|level| level.iter().map(labelled).collect()).collect();
        }
    }
}

/// What the simulator calls a policy that is attached or inline, and of which kind it is to it.
fn label(origin: &PolicyOrigin) -> (String, &'static str) {
    match &origin.name {
        PolicyName::Inline(name) => {
            let holder = origin.holder.word();
            (format!("{holder}_{}_{name}", origin.holder_name), holder)
        }
        PolicyName::Managed(arn) => {
            let kind = if arn.starts_with("arn:aws:iam::aws:") { "aws-managed" } else { "user-managed" };
            (arn.rsplit('/').next().unwrap_or(arn).to_owned(), kind)
        }
    }
}

/// A user, a group or a role.
pub(super) enum Source {
    User(Arc<User>),
    Group(Arc<Group>),
    Role(Arc<Role>),
}

impl Source {
    pub(super) fn holder(&self) -> Holder<'_> {
        match self {
            Self::User(user) => Holder::User(user),
            Self::Group(group) => Holder::Group(group),
            Self::Role(role) => Holder::Role(role),
        }
    }

    /// Whose call it would be; a group makes none, and no policy names one.
    fn principal(&self) -> Option<Principal> {
        match self {
            Self::User(user) => Some(Principal::user(user)),
            Self::Group(_) => None,
            Self::Role(role) => Some(Principal::assumed_role(role, SIMULATED_SESSION)),
        }
    }
}

/// The user, group or role of this ARN, of the account that asks.
pub(super) fn find(
    docs: &impl Documents,
    account: AccountId,
    member: &str,
    arn: &str,
) -> Result<Source, IdentityError> {
    let malformed =
        || invalid(format!("Invalid Entity Arn: {} in {member}", arn.chars().take(256).collect::<String>()));
    let Some((owner, kind, path, name)) = entity::parts_of_arn(arn) else { return Err(malformed()) };
    if owner != account {
        return Err(malformed());
    }
    let found = match kind {
        EntityKind::User => entity::find::<User>(docs, account, name).map(Source::User),
        EntityKind::Group => entity::find::<Group>(docs, account, name).map(Source::Group),
        EntityKind::Role => entity::find::<Role>(docs, account, name).map(Source::Role),
    }?;
    let its_path = match &found {
        Source::User(user) => user.path(),
        Source::Group(group) => group.path(),
        Source::Role(role) => role.path(),
    };
    if its_path == path { Ok(found) } else { Err(malformed()) }
}

/// The account that resources belong to whose ARN names none.
fn owner(text: &str) -> Result<AccountId, IdentityError> {
    let of_root = |arn: &Arn| arn.as_str().ends_with(":root").then(|| account_of_arn(arn.as_str())).flatten();
    let account = text.parse().ok().or_else(|| text.parse().ok().as_ref().and_then(of_root));
    account.ok_or_else(|| invalid("ResourceOwner must be an account ID, or the ARN of its root."))
}

fn context_of(entries: &[ContextEntry<'_>]) -> Result<Context, IdentityError> {
    let mut context = Context::new();
    for ContextEntry { key, values, value_type, multivalued } in entries {
        if let Some(value) = values.iter().find(|value| !value_type.accepts(value)) {
            let shown: String = value.chars().take(256).collect();
            return Err(invalid(format!("Invalid value {shown} for the type of the context key {key}.")));
        }
        match (values, multivalued) {
            (many, true) => context.set_many(key, many.iter().cloned()),
            ([value], false) => context.set(key, value.as_str()),
            _ => {
                return Err(invalid(format!(
                    "The context key {key} is of a type that has exactly one value."
                )));
            }
        };
    }
    Ok(context)
}

/// Reads a policy given as text.
pub(super) fn read(label: &str, text: &str, kind: PolicyKind) -> Result<Policy, IdentityError> {
    Policy::parse(text, kind).map_err(|error| invalid(format!("Invalid Input {label}: {error}")))
}

/// What cannot be simulated.
pub(super) fn invalid(reason: impl Into<String>) -> IdentityError {
    IdentityError::InvalidInput(InvalidInput::Simulation(reason.into()))
}
