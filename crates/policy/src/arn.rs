//! ARNs as conditions compare them: six parts, each on its own.

use crate::{
    Context, PolicyError,
    pattern::{Pattern, Syntax, Unresolved},
    variable::{self, NotAVariable},
};

/// The parts of an ARN: `arn`, partition, service, region, account, resource.
const PARTS: usize = 6;

/// Whether `name` is one of AWS's partitions.
pub(crate) fn is_partition(name: &str) -> bool {
    matches!(
        name,
        "aws" | "aws-cn" | "aws-us-gov" | "aws-iso" | "aws-iso-b" | "aws-iso-e" | "aws-iso-f" | "aws-eusc"
    )
}

/// A condition value to compare ARNs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    /// One pattern for each part: an asterisk never spans the colon between two of the first five.
    Parts(Box<[Pattern; PARTS]>),
    /// A value that does not show its parts: `*`, or a variable that stands for a whole ARN.
    Whole(Pattern),
    /// Constant text that no ARN can equal.
    Nothing,
}

impl ArnPattern {
    pub(crate) fn compile(source: &str, variables: bool) -> Result<Self, NotAVariable> {
        let syntax = Syntax { wildcards: true, variables };
        let parts = split(source, variables)
            .into_iter()
            .map(|part| Pattern::compile(part, syntax))
            .collect::<Result<Vec<_>, _>>()?;
        match <[Pattern; PARTS]>::try_from(parts) {
            Ok(parts) => Ok(Self::Parts(Box::new(parts))),
            Err(_) => {
                let whole = Pattern::compile(source, syntax)?;
                if source == "*" || !whole.is_constant() { Ok(Self::Whole(whole)) } else { Ok(Self::Nothing) }
            }
        }
    }

    /// The patterns that it is made of.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Parts(parts) => &parts[..],
            Self::Whole(pattern) => std::slice::from_ref(pattern),
            Self::Nothing => &[],
        }
    }

    /// Whether `arn` is one, and fits.
    pub(crate) fn matches(&self, arn: &str, context: &Context) -> Result<bool, Unresolved> {
        let mut parts = arn.splitn(PARTS, ':');
        if parts.clone().count() != PARTS || parts.clone().next() != Some("arn") {
            return Ok(false);
        }
        match self {
            Self::Nothing => Ok(false),
            Self::Whole(pattern) => pattern.matches(arn, context),
            Self::Parts(patterns) => {
                for (pattern, part) in patterns.iter().zip(&mut parts) {
                    if !pattern.matches(part, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

/// The colon-separated parts of an ARN pattern, the sixth with all that follows. Colons inside a policy
/// variable separate nothing.
pub(crate) fn split(source: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::with_capacity(PARTS);
    let (mut start, mut at) = (0, 0);
    while let Some(found) = source[at..].find([':', '$']) {
        at += found;
        if source[at..].starts_with(':') {
            if parts.len() == PARTS - 1 {
                break;
            }
            parts.push(&source[start..at]);
            start = at + 1;
        } else if variables
            && let Some(after_opening) = source[at..].strip_prefix("${")
            && let Ok((_, length)) = variable::read(after_opening)
        {
            at += 1 + length;
        }
        at += 1;
    }
    parts.push(&source[start..]);
    parts
}

/// Checks that a `Resource` of a policy has the form of an ARN: `*`, or `arn:` and five more parts, fewer
/// only where an asterisk may stand for the missing ones.
pub(crate) fn check_resource(source: &str, variables: bool) -> Result<(), PolicyError> {
    if source == "*" {
        return Ok(());
    }
    let parts = split(source, variables);
    let complete = parts.len() == PARTS || source.contains('*');
    let ["arn", partition, ..] = parts[..] else {
        return Err(PolicyError::InvalidResource { resource: source.to_owned() });
    };
    if !is_partition(partition) && !partition.contains(['*', '?', '$']) {
        let (partition, resource) = (partition.to_owned(), source.to_owned());
        return Err(PolicyError::InvalidPartition { partition, resource });
    }
    if complete { Ok(()) } else { Err(PolicyError::InvalidResource { resource: source.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::{ArnPattern, check_resource};
    use crate::Context;

    fn matches(pattern: &str, arn: &str) -> bool {
        let context = Context::new()
            .with("aws:PrincipalAccount", "111122223333")
            .with("aws:PrincipalArn", "arn:aws:iam::111122223333:role/r");
        ArnPattern::compile(pattern, true).expect("a pattern").matches(arn, &context) == Ok(true)
    }

    #[test]
    fn an_asterisk_stays_within_its_part() {
        let trail = "arn:aws:cloudtrail:us-east-1:111122223333:trail/t";
        assert!(matches("arn:aws:cloudtrail:*:111122223333:trail/*", trail));
        assert!(matches("arn:*:cloudtrail:*:${aws:PrincipalAccount}:*", trail));
        assert!(!matches("arn:aws:*:trail/t", trail));
        assert!(!matches("arn:aws:cloudtrail:*:trail/t:*", trail));
        assert!(matches("arn:aws:sns:*:*:a:*", "arn:aws:sns:us-east-1:111122223333:a:b:c"));
    }

    #[test]
    fn a_whole_arn_may_come_from_a_variable() {
        assert!(matches("${aws:PrincipalArn}", "arn:aws:iam::111122223333:role/r"));
        assert!(!matches("${aws:PrincipalArn}", "arn:aws:iam::111122223333:role/s"));
        assert!(matches("${aws:userid, 'arn:aws:iam::1:role/}'}", "arn:aws:iam::1:role/}"));
        assert!(matches("*", "arn:aws:iam::111122223333:role/r"));
        assert!(!matches("*", "not an arn"));
    }

    #[test]
    fn a_resource_is_an_arn_or_everything() {
        for good in [
            "*",
            "arn:aws:s3:::b/*",
            "arn:*:s3:::b",
            "arn:aws:s3:*",
            "arn:aws:iam::${aws:PrincipalAccount}:r",
        ] {
            assert!(check_resource(good, true).is_ok(), "{good}");
        }
        for wrong in ["", "bucket", "arn:aws:s3::b", "aws:s3:::b", "arn:error:s3:::b", "arn", "s3:*", "*/x"] {
            assert!(check_resource(wrong, true).is_err(), "{wrong}");
        }
    }
}
