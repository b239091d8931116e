//! Whether the documents of organizations agree with each other.

use super::{
    document::{Member, Organization, Unit, units_above},
    node::Node,
    policy,
};
use crate::documents::Documents;

/// What is named in a document and is not there: the document, and the id of what is missing.
pub(crate) fn missing(docs: &impl Documents) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for (document, member) in docs.documents::<Member>("") {
        match docs.document::<Organization>(&member.organization) {
            None => missing.push((document, member.organization.clone())),
            Some(whole) if units_above(docs, &whole, &member.parent).is_none() => {
                missing.push((document, member.parent.clone()));
            }
            Some(_) => {}
        }
    }
    for (document, unit) in docs.documents::<Unit>("") {
        match docs.document::<Organization>(&unit.organization) {
            None => missing.push((document, unit.organization.clone())),
            Some(whole) if units_above(docs, &whole, &unit.parent).is_none() => {
                missing.push((document, unit.parent.clone()));
            }
            Some(_) => {}
        }
    }
    for (document, whole) in docs.documents::<Organization>("") {
        let management = whole.management_account.to_string();
        if docs.document::<Member>(&management).is_none_or(|member| member.organization != whole.id) {
            missing.push((document, management));
        }
        for node in Node::all(docs, &whole) {
            let lost = node
                .policies()
                .iter()
                .filter(|id| policy::find(docs, &whole, id).is_none_or(|policy| policy.in_force().is_none()));
            missing.extend(lost.map(|id| (node.arn(), id.clone())));
        }
    }
    missing
}
