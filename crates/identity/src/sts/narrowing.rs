//! The policies and tags that a session is opened with.

use opentrail_event::AccountId;
use opentrail_policy::PolicyKind;
use opentrail_state::State;

use crate::{
    error::{Constraint, IdentityError, InvalidValue},
    limits, managed_policy,
    permissions::PolicyText,
    session::SessionInfo,
    tags::{self, Tag, same_key},
};

/// The policies that narrow a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrowing<'a> {
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: &'a [String],
}

impl Narrowing<'_> {
    /// Checks what can be checked without knowing the account.
    pub(super) fn check(&self) -> Result<(), IdentityError> {
        let (count, most) = (self.policy_arns.len(), limits::SESSION_POLICY_ARNS);
        if count > most {
            let constraint = Constraint::MaxLength(most);
            return Err(InvalidValue::new("policyArns", &count.to_string(), constraint).into());
        }
        match self.policy {
            Some(text) if text.chars().count() > limits::SESSION_POLICY_CHARS => {
                let constraint = Constraint::MaxLength(limits::SESSION_POLICY_CHARS);
                Err(InvalidValue::new("policy", text, constraint).into())
            }
            _ => Ok(()),
        }
    }

    /// Narrows the session, whose managed policies are this account's or AWS's.
    pub(super) fn apply(
        self,
        state: &State,
        account: AccountId,
        info: &mut SessionInfo,
    ) -> Result<(), IdentityError> {
        if let Some(text) = self.policy {
            info.policy = Some(PolicyText::new("policy", text, PolicyKind::Identity)?);
        }
        for arn in self.policy_arns {
            managed_policy::check_attachable(state, account, arn)
                .map_err(|error| in_words_of_sts("policyArns", error))?;
        }
        info.policy_arns = self.policy_arns.to_vec();
        Ok(())
    }
}

/// Checks session tags, and that the keys that go along are among theirs.
pub(super) fn check_tags(tags: &[Tag], transitive_keys: &[String]) -> Result<(), IdentityError> {
    tags::check(tags).map_err(|error| in_words_of_sts("tags", error))?;
    let absent = |key: &&String| !tags.iter().any(|tag| same_key(&tag.key, key));
    match transitive_keys.iter().find(absent) {
        Some(key) => Err(InvalidValue::new("transitiveTagKeys", key, Constraint::TransitiveTagKey).into()),
        None => Ok(()),
    }
}

/// What IAM has a code for and STS has not: there it is a value that breaks its constraint.
fn in_words_of_sts(member: &'static str, error: IdentityError) -> IdentityError {
    match error {
        IdentityError::InvalidInput(_) | IdentityError::LimitExceeded(_) | IdentityError::NoSuchEntity(_) => {
            InvalidValue::new(member, &error.to_string(), Constraint::Told).into()
        }
        error => error,
    }
}

/// How much of the allowed size a session's policies and tags take, in percent.
pub(super) fn packed_size(info: &SessionInfo) -> Result<Option<usize>, IdentityError> {
    if !info.is_narrowed() && info.tags.is_empty() {
        return Ok(None);
    }
    let policies = info.policy.iter().map(|policy| policy.as_str().len());
    let arns = info.policy_arns.iter().map(String::len);
    let tags = info.tags.iter().map(|tag| tag.key.len() + tag.value.len());
    let keys = info.transitive_tag_keys.iter().map(String::len);
    let bytes: usize = policies.chain(arns).chain(tags).chain(keys).sum();
    let percent = (bytes * 100).div_ceil(limits::PACKED_SESSION_BYTES);
    if percent > 100 { Err(IdentityError::PackedPolicyTooLarge { percent }) } else { Ok(Some(percent)) }
}
