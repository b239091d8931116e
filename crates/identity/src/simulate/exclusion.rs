//! Policies of a principal that a simulation leaves out.

use crate::{
    entity::EntityKind,
    error::IdentityError,
    in_force::{PolicyName, PolicyOrigin},
    managed_policy::PolicyArn,
};

use super::world::invalid;

/// What is left out.
#[derive(Debug, Clone)]
pub enum Exclusion<'a> {
    /// Every policy of a kind.
    Kind(ExclusionKind),
    /// A managed policy by its ARN, whose name may have `?` and one `*`.
    Arn(&'a str),
    /// An inline policy.
    Inline {
        /// Its name.
        policy: &'a str,
        /// What has it.
        holder: EntityKind,
        /// The name of what has it, which may have `?` and one `*`.
        holder_name: &'a str,
    },
}

/// A kind of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExclusionKind {
    /// `inline`
    Inline,
    /// `aws-managed`
    AwsManaged,
    /// `user-managed`
    UserManaged,
    /// `permission-boundary`
    Boundary,
    /// `scp`
    ServiceControl,
    /// `rcp`, of which there are none.
    ResourceControl,
}

impl<'a> Exclusion<'a> {
    /// By a managed policy's ARN.
    ///
    /// # Errors
    /// `InvalidInput` for what is no such ARN, and for wildcards where none may be.
    pub fn by_arn(arn: &'a str) -> Result<Self, IdentityError> {
        let parsed = PolicyArn::parse(arn).filter(|parsed| {
            let name_begins = arn.len() - parsed.name.len();
            !arn[..name_begins].contains(['*', '?']) && parsed.name.matches('*').count() <= 1
        });
        parsed.map(|_| Self::Arn(arn)).ok_or_else(|| invalid("Invalid ARN in PolicyExclusionList."))
    }

    /// By an inline policy's name and what has it.
    ///
    /// # Errors
    /// `InvalidInput` for wildcards where none may be.
    pub fn by_name(policy: &'a str, holder: EntityKind, holder_name: &'a str) -> Result<Self, IdentityError> {
        if policy.contains(['*', '?']) || holder_name.matches('*').count() > 1 {
            return Err(invalid("Invalid inline policy identifier in PolicyExclusionList."));
        }
        Ok(Self::Inline { policy, holder, holder_name })
    }

    pub(super) fn matches(&self, origin: &PolicyOrigin) -> bool {
        match (self, &origin.name) {
            (Self::Kind(ExclusionKind::Inline), PolicyName::Inline(_)) => true,
            (Self::Kind(kind), PolicyName::Managed(arn)) => {
                let of_aws = arn.starts_with("arn:aws:iam::aws:");
                *kind == if of_aws { ExclusionKind::AwsManaged } else { ExclusionKind::UserManaged }
            }
            (Self::Arn(pattern), PolicyName::Managed(arn)) => fits(pattern, arn),
            (Self::Inline { policy, holder, holder_name }, PolicyName::Inline(name)) => {
                policy == name && *holder == origin.holder && fits(holder_name, &origin.holder_name)
            }
            _ => false,
        }
    }

    pub(super) fn matches_boundary(&self) -> bool {
        matches!(self, Self::Kind(ExclusionKind::Boundary))
    }

    pub(super) fn matches_service_control(&self) -> bool {
        matches!(self, Self::Kind(ExclusionKind::ServiceControl))
    }
}

/// Whether a name is what a pattern with `?` and at most one `*` describes.
fn fits(pattern: &str, name: &str) -> bool {
    let same = |pattern: &str, text: &str| {
        pattern.chars().count() == text.chars().count()
            && pattern.chars().zip(text.chars()).all(|(wanted, found)| wanted == '?' || wanted == found)
    };
    let Some((start, end)) = pattern.split_once('*') else { return same(pattern, name) };
    let name: Vec<char> = name.chars().collect();
    let (first, last) = (start.chars().count(), end.chars().count());
    if first + last > name.len() {
        return false;
    }
    let text = |part: &[char]| part.iter().collect::<String>();
    same(start, &text(&name[..first])) && same(end, &text(&name[name.len() - last..]))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn one_asterisk_and_question_marks() {
        for (pattern, name, expected) in [
            ("alice", "alice", true),
            ("al?ce", "alice", true),
            ("a*e", "alice", true),
            ("*", "", true),
            ("a*ce", "ace", true),
            ("ac*ce", "ace", false),
            ("?", "", false),
            ("b*", "alice", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
