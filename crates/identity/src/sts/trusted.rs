//! What a role's trust policy has to allow before a session is opened: its start, and what it carries.

use opentrail_policy::{Context, Decision, Policy};

use crate::{authorize::Ask, role::Role};

pub(super) const TAG_SESSION: &str = "sts:TagSession";
pub(super) const SET_SOURCE_IDENTITY: &str = "sts:SetSourceIdentity";

/// A session that is about to be opened.
pub(super) struct Opening<'a> {
    /// The operation that opens it.
    pub(super) action: &'static str,
    pub(super) has_tags: bool,
    pub(super) has_source_identity: bool,
    /// The role as the caller named it.
    pub(super) role_arn: &'a str,
    pub(super) role: &'a Role,
    pub(super) trust: &'a Policy,
    pub(super) context: Context,
}

impl<'a> Opening<'a> {
    /// The first action that is not allowed, with the decision on it.
    pub(super) fn first_refused(
        &self,
        decide: impl Fn(&Ask<'a>) -> Decision,
    ) -> Option<(&'static str, Decision)> {
        let needed = [
            (self.action, true),
            (TAG_SESSION, self.has_tags),
            (SET_SOURCE_IDENTITY, self.has_source_identity),
        ];
        let actions = needed.into_iter().filter(|(_, needed)| *needed).map(|(action, _)| action);
        actions.map(|action| (action, decide(&self.ask(action)))).find(|(_, decision)| !decision.is_allow())
    }

    /// What is asked about one of the actions.
    pub(super) fn ask(&self, action: &'static str) -> Ask<'a> {
        Ask {
            action,
            resource: self.role_arn,
            context: self.context.clone(),
            resource_policy: Some(self.trust),
            resource_account: Some(self.role.account),
            resource_must_allow: true,
        }
    }
}
