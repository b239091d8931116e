//! What principals' ARNs stand for: the unique ids that policies and grants are bound to.

use opentrail_policy::{Bindings, Policy};
use serde_json::Value;

use crate::{
    documents::Documents,
    entity::{self, Entity, EntityKind},
    role::Role,
    user::User,
};

/// The unique id of the user or role that an ARN stands for now; the role's for a session of one. `None` where there
/// is none, or none that is known here.
pub fn unique_id(docs: &impl Documents, arn: &str) -> Option<String> {
    if let Some(session) = arn.strip_prefix("arn:aws:sts::") {
        let (account, role) = session.split_once(":assumed-role/")?;
        let role = role.split_once('/').map_or(role, |(role, _)| role);
        return Some(entity::find::<Role>(docs, account.parse().ok()?, role).ok()?.unique_id().to_owned());
    }
    let (account, kind, path, name) = entity::parts_of_arn(arn)?;
    let (found_path, id) = match kind {
        EntityKind::User => path_and_id(&*entity::find::<User>(docs, account, name).ok()?),
        EntityKind::Role => path_and_id(&*entity::find::<Role>(docs, account, name).ok()?),
        EntityKind::Group => return None,
    };
    (found_path == path).then_some(id)
}

fn path_and_id(entity: &impl Entity) -> (String, String) {
    (entity.path().to_owned(), entity.unique_id().to_owned())
}

/// What the ARNs of users and roles that a policy names stand for now.
pub fn bindings(docs: &impl Documents, policy: &Policy) -> Bindings {
    let bound = policy.named_by_arn().filter_map(|arn| Some((arn.to_owned(), unique_id(docs, arn)?)));
    bound.collect()
}

/// The first user or role named by a policy that isn't there. A policy that names nobody now would mean whoever is made
/// under that name later.
pub fn first_missing<'a>(docs: &impl Documents, policy: &'a Policy) -> Option<&'a str> {
    policy.named_by_arn().find(|arn| unique_id(docs, arn).is_none())
}

/// The text of a policy as AWS shows it: the ids of those it means who are gone stand in the place of their ARNs.
pub fn shown(docs: &impl Documents, text: &str, bindings: &Bindings) -> String {
    let is_gone = |(arn, id): &(&String, &String)| unique_id(docs, arn).as_ref() != Some(*id);
    let gone: Bindings = bindings.iter().filter(is_gone).map(|(arn, id)| (arn.clone(), id.clone())).collect();
    if gone.is_empty() {
        return text.to_owned();
    }
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(many)) => many.as_mut_slice(),
        Some(one) => std::slice::from_mut(one),
        None => &mut [],
    };
    for statement in statements {
        for element in ["Principal", "NotPrincipal"] {
            let named = statement.get_mut(element).and_then(|principals| principals.get_mut("AWS"));
            let named = match named {
                Some(Value::Array(many)) => many.as_mut_slice(),
                Some(one) => std::slice::from_mut(one),
                None => &mut [],
            };
            for arn in named {
                if let Some(id) = arn.as_str().and_then(|arn| gone.get(arn)) {
                    *arn = Value::from(id.as_str());
                }
            }
        }
    }
    document.to_string()
}
