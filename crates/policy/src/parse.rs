//! From a document's text to a policy.

use std::{collections::HashSet, sync::Arc};

use crate::{
    Effect, PolicyError, PolicyKind, Shape, Statement, Version, arn,
    condition::Condition,
    document::{Clause, Document},
    json::{self, Json},
    pattern::{Pattern, Syntax},
    principal::{Entry, Principals},
};

type Members = Vec<(String, Json)>;

/// Reads a whole document.
pub(crate) fn document(source: &str, kind: PolicyKind) -> Result<Document, PolicyError> {
    let (mut version, mut id, mut statements) = (Version::V2008, None, None);
    for (name, value) in json::read_object(source, kind)? {
        match name.as_str() {
            "Version" => version = read_version(value)?,
            "Id" => id = Some(text("Id", value)?.into_boxed_str()),
            "Statement" => statements = Some(value),
            _ => return Err(PolicyError::UnknownElement { element: name }),
        }
    }
    let objects = match statements {
        None => return Err(PolicyError::MissingElement { element: "Statement", kind }),
        Some(Json::List(items)) if !items.is_empty() => items,
        Some(statement @ Json::Object(_)) => vec![statement],
        Some(_) => return Err(wrong("Statement", Shape::ObjectOrList)),
    };
    let reader = Reader { kind, variables: version == Version::V2012 };
    let statements = objects
        .into_iter()
        .enumerate()
        .map(|(index, object)| match object {
            Json::Object(members) => reader.statement(index, members),
            _ => Err(wrong("Statement", Shape::ObjectOrList)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut sids = HashSet::new();
    for sid in statements.iter().filter_map(Statement::sid) {
        if !sids.insert(sid) {
            return Err(PolicyError::DuplicateSid { sid: sid.to_owned() });
        }
    }
    Ok(Document { source: source.into(), kind, version, id, statements })
}

fn read_version(value: Json) -> Result<Version, PolicyError> {
    let version = text("Version", value)?;
    match version.as_str() {
        "2012-10-17" => Ok(Version::V2012),
        "2008-10-17" => Ok(Version::V2008),
        _ => Err(PolicyError::UnknownVersion { version }),
    }
}

/// What the elements of a statement are read by.
struct Reader {
    kind: PolicyKind,
    variables: bool,
}

/// `Action` or `NotAction`, and the like.
struct Pair {
    element: &'static str,
    negated: bool,
    value: Json,
}

/// Puts one half of a pair in its place, which the other half must not have taken.
fn place(
    slot: &mut Option<Pair>,
    element: &'static str,
    negated: bool,
    value: Json,
) -> Result<(), PolicyError> {
    match slot.replace(Pair { element, negated, value }) {
        None => Ok(()),
        Some(_) => Err(PolicyError::BothOfPair { element }),
    }
}

impl Reader {
    fn statement(&self, index: usize, members: Members) -> Result<Statement, PolicyError> {
        let (mut sid, mut effect, mut condition) = (None, None, None);
        let (mut principal, mut action, mut resource) = (None, None, None);
        for (name, value) in members {
            match name.as_str() {
                "Sid" => sid = self.sid(value)?,
                "Effect" => effect = Some(read_effect(value)?),
                "Condition" => condition = Some(value),
                "Principal" => place(&mut principal, "Principal", false, value)?,
                "NotPrincipal" => place(&mut principal, "Principal", true, value)?,
                "Action" => place(&mut action, "Action", false, value)?,
                "NotAction" => place(&mut action, "Action", true, value)?,
                "Resource" => place(&mut resource, "Resource", false, value)?,
                "NotResource" => place(&mut resource, "Resource", true, value)?,
                _ => return Err(PolicyError::UnknownElement { element: name }),
            }
        }
        let effect = effect.ok_or_else(|| self.missing("Effect"))?;
        let principals = self.principals(principal, effect)?;
        let actions = self.actions(action)?;
        let resources = self.resources(resource)?;
        let conditions = match condition {
            Some(block) => self.conditions(block)?,
            None => Vec::new(),
        };
        Ok(Statement { index, sid, effect, principals, actions, resources, conditions })
    }

    fn missing(&self, element: &'static str) -> PolicyError {
        PolicyError::MissingElement { element, kind: self.kind }
    }

    fn prohibited(&self, element: &'static str) -> PolicyError {
        PolicyError::ProhibitedElement { element, kind: self.kind }
    }

    /// An empty `Sid` is none. Only identity policies restrict its characters.
    fn sid(&self, value: Json) -> Result<Option<Arc<str>>, PolicyError> {
        let sid = text("Sid", value)?;
        if self.kind == PolicyKind::Identity && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(PolicyError::InvalidSid { sid });
        }
        Ok(if sid.is_empty() { None } else { Some(sid.into()) })
    }

    fn principals(&self, pair: Option<Pair>, effect: Effect) -> Result<Option<Principals>, PolicyError> {
        let Some(Pair { negated, value, .. }) = pair else {
            return match self.kind {
                PolicyKind::Identity => Ok(None),
                PolicyKind::Resource | PolicyKind::Trust => Err(self.missing("Principal")),
            };
        };
        match self.kind {
            PolicyKind::Identity => return Err(self.prohibited("Principal")),
            PolicyKind::Trust if negated => return Err(self.prohibited("NotPrincipal")),
            PolicyKind::Resource | PolicyKind::Trust => {}
        }
        if negated && effect == Effect::Allow {
            return Err(PolicyError::NotPrincipalWithAllow);
        }
        let entries = match value {
            Json::Text(everyone) if everyone == "*" => vec![Entry::Everyone],
            Json::Text(principal) => return Err(PolicyError::InvalidPrincipal { principal }),
            Json::Object(types) => principal_entries(types)?,
            _ => return Err(wrong("Principal", Shape::Principals)),
        };
        if entries.is_empty() {
            return Err(self.missing("Principal"));
        }
        Ok(Some(Principals { negated, entries }))
    }

    fn actions(&self, pair: Option<Pair>) -> Result<Clause, PolicyError> {
        let Some(Pair { element, negated, value }) = pair else { return Err(self.missing("Action")) };
        let written = texts(element, value)?;
        if written.is_empty() {
            return Err(self.missing("Action"));
        }
        let mut patterns = Vec::with_capacity(written.len());
        for action in written {
            let service = check_action(&action)?;
            if self.kind == PolicyKind::Trust && !service.eq_ignore_ascii_case("sts") {
                return Err(PolicyError::NotAnAssumeRoleAction { action });
            }
            // Actions are compared in lower case, and have no policy variables.
            let syntax = Syntax { wildcards: true, variables: false };
            let pattern = compile(&action.to_ascii_lowercase(), syntax)?;
            patterns.push((action.into_boxed_str(), pattern));
        }
        Ok(Clause { negated, patterns })
    }

    fn resources(&self, pair: Option<Pair>) -> Result<Option<Clause>, PolicyError> {
        let Some(Pair { element, negated, value }) = pair else {
            return match self.kind {
                PolicyKind::Trust => Ok(None),
                PolicyKind::Identity | PolicyKind::Resource => Err(self.missing("Resource")),
            };
        };
        if self.kind == PolicyKind::Trust {
            return Err(self.prohibited("Resource"));
        }
        let written = texts(element, value)?;
        if written.is_empty() {
            return Err(self.missing("Resource"));
        }
        let syntax = Syntax { wildcards: true, variables: self.variables };
        let mut patterns = Vec::with_capacity(written.len());
        for resource in written {
            arn::check_resource(&resource, self.variables)?;
            let pattern = compile(&resource, syntax)?;
            patterns.push((resource.into_boxed_str(), pattern));
        }
        Ok(Some(Clause { negated, patterns }))
    }

    fn conditions(&self, block: Json) -> Result<Vec<Condition>, PolicyError> {
        let Json::Object(operators) = block else { return Err(wrong("Condition", Shape::Object)) };
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let Json::Object(keys) = keys else { return Err(wrong(&operator, Shape::Object)) };
            for (key, values) in keys {
                let values = scalars(&key, values)?;
                conditions.push(Condition::compile(&operator, &key, &values, self.variables)?);
            }
        }
        Ok(conditions)
    }
}

fn read_effect(value: Json) -> Result<Effect, PolicyError> {
    let effect = text("Effect", value)?;
    match effect.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        _ => Err(PolicyError::InvalidEffect { effect }),
    }
}

fn principal_entries(types: Members) -> Result<Vec<Entry>, PolicyError> {
    let mut entries = Vec::new();
    for (kind, values) in types {
        let entry: fn(String) -> Result<Entry, PolicyError> = match kind.as_str() {
            "AWS" => |value| Entry::aws(&value),
            "Service" => |value| Ok(Entry::Service(value)),
            "Federated" => |value| Ok(Entry::Federated(value)),
            "CanonicalUser" => |value| Ok(Entry::CanonicalUser(value)),
            _ => return Err(PolicyError::UnknownElement { element: kind }),
        };
        for value in texts(&kind, values)? {
            if value.is_empty() {
                return Err(PolicyError::InvalidPrincipal { principal: value });
            }
            entries.push(entry(value)?);
        }
    }
    Ok(entries)
}

/// Checks `*` or `service:Name` and gives the service.
fn check_action(action: &str) -> Result<&str, PolicyError> {
    if action == "*" {
        return Ok("*");
    }
    let Some((service, name)) = action.split_once(':') else {
        return Err(PolicyError::ActionWithoutService { action: action.to_owned() });
    };
    if name.contains(':') {
        return Err(PolicyError::ActionWithColons { action: action.to_owned() });
    }
    let is_name =
        !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if service != "*" && !is_name {
        return Err(PolicyError::InvalidService { service: service.to_owned() });
    }
    Ok(service)
}

fn compile(source: &str, syntax: Syntax) -> Result<Pattern, PolicyError> {
    Pattern::compile(source, syntax).map_err(|_| PolicyError::InvalidVariable { value: source.to_owned() })
}

fn wrong(element: &str, expected: Shape) -> PolicyError {
    PolicyError::WrongType { element: element.to_owned(), expected }
}

fn text(element: &str, value: Json) -> Result<String, PolicyError> {
    match value {
        Json::Text(text) => Ok(text),
        _ => Err(wrong(element, Shape::Text)),
    }
}

fn texts(element: &str, value: Json) -> Result<Vec<String>, PolicyError> {
    match value {
        Json::Text(text) => Ok(vec![text]),
        Json::List(items) => items
            .into_iter()
            .map(|item| match item {
                Json::Text(text) => Ok(text),
                _ => Err(wrong(element, Shape::TextOrList)),
            })
            .collect(),
        _ => Err(wrong(element, Shape::TextOrList)),
    }
}

/// The values of one condition key. AWS takes an empty list, which nothing matches.
fn scalars(key: &str, value: Json) -> Result<Vec<String>, PolicyError> {
    let scalar = |value: Json| match value {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(wrong(key, Shape::ScalarOrList)),
    };
    match value {
        Json::List(items) => items.into_iter().map(scalar).collect(),
        other => Ok(vec![scalar(other)?]),
    }
}
