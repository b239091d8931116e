//! Users and roles that a policy names by ARN, bound to the very ones that there are.
//!
//! A policy means whom it names when it is written: a user created anew under the name of one that was deleted is
//! somebody else. AWS puts the unique id in the place of the ARN; here the ids are kept beside the text.
//!
//! Source: the IAM User Guide, "AWS JSON policy elements: Principal".

use std::{collections::BTreeMap, sync::Arc};

use crate::{Policy, principal::Entry};

/// The unique id of each user and role that a policy names by ARN.
pub type Bindings = BTreeMap<String, String>;

impl Policy {
    /// The ARNs of the users and roles that its `Principal` and `NotPrincipal` elements name.
    pub fn named_by_arn(&self) -> impl Iterator<Item = &str> {
        let principals = self.0.statements.iter().filter_map(|statement| statement.principals.as_ref());
        principals.flat_map(|principals| &principals.entries).filter_map(Entry::arn)
    }

    /// The policy that means by these ARNs those of the ids, and nobody else of the same name.
    #[must_use]
    pub fn bound(&self, to: &Bindings) -> Self {
        if to.is_empty() {
            return self.clone();
        }
        let mut document = (*self.0).clone();
        let principals = document.statements.iter_mut().filter_map(|statement| statement.principals.as_mut());
        for entry in principals.flat_map(|principals| &mut principals.entries) {
            if let Some(id) = entry.arn().and_then(|arn| to.get(arn)) {
                *entry = Entry::UniqueId(id.clone());
            }
        }
        Self(Arc::new(document))
    }
}

#[cfg(test)]
mod tests {
    use super::Bindings;
    use crate::{Context, Match, Policy, PolicyKind, PrincipalRef, Request};

    const ALICE: &str = "arn:aws:iam::123456789012:user/alice";

    fn policy(effect: &str, element: &str) -> Policy {
        let text = format!(
            r#"{{"Statement":{{"Effect":"{effect}","{element}":{{"AWS":["{ALICE}","123456789012"]}},"Action":"*","Resource":"*"}}}}"#
        );
        Policy::parse(&text, PolicyKind::Resource).expect("a policy")
    }

    fn matched(policy: &Policy, id: &str) -> Match {
        let principal = PrincipalRef::User { arn: ALICE, account: "123456789012", id };
        let context = Context::new();
        policy.evaluate(&Request { action: "s3:GetObject", resource: "*", principal, context: &context })
    }

    #[test]
    fn a_name_means_the_one_it_was_written_for() {
        let bindings = Bindings::from([(ALICE.to_owned(), "AIDAAAAAAAAAAAAAAAAA1".to_owned())]);
        let written = policy("Deny", "NotPrincipal");
        assert_eq!(written.named_by_arn().collect::<Vec<_>>(), [ALICE]);
        let bound = written.bound(&bindings);
        assert_eq!(bound.source(), written.source());
        assert!(matches!(matched(&bound, "AIDAAAAAAAAAAAAAAAAA1"), Match::None));
        assert!(matches!(matched(&bound, "AIDAAAAAAAAAAAAAAAAA2"), Match::Deny { .. }));
        assert!(matches!(matched(&written, "AIDAAAAAAAAAAAAAAAAA2"), Match::None));
        let allows = policy("Allow", "Principal").bound(&bindings);
        let grants = |id| match matched(&allows, id) {
            Match::Allow { grant, .. } => Some(grant),
            _ => None,
        };
        assert_eq!(grants("AIDAAAAAAAAAAAAAAAAA1"), Some(crate::Grant::Principal));
        assert_eq!(grants("AIDAAAAAAAAAAAAAAAAA2"), Some(crate::Grant::Account));
    }
}
