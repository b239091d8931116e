//! Tags: at most 50, keys unique whatever their case.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Constraint, IdentityError, InvalidInput, InvalidValue, Quota},
    limits,
};

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1 to 128 letters, digits, spaces and `_.:/=+-@`; not beginning with `aws:`.
    pub key: String,
    /// 0 to 256 of the same.
    pub value: String,
}

impl Tag {
    /// A tag of this key and value, not yet checked.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The keys of IAM's tags differ in more than case.
pub(crate) fn same_key(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Whether a set of tags, as a request gives it, may be put on something.
pub(crate) fn check(tags: &[Tag]) -> Result<(), IdentityError> {
    check_count("tags", tags.len())?;
    let mut seen = HashSet::new();
    for tag in tags {
        check_text("tags.member.key", &tag.key, 1, limits::TAG_KEY_CHARS)?;
        check_text("tags.member.value", &tag.value, 0, limits::TAG_VALUE_CHARS)?;
        let key = tag.key.to_lowercase();
        if key.starts_with("aws:") {
            return Err(IdentityError::InvalidInput(InvalidInput::ReservedTagKey(tag.key.clone())));
        }
        if !seen.insert(key) {
            return Err(IdentityError::InvalidInput(InvalidInput::DuplicateTagKeys));
        }
    }
    Ok(())
}

/// More in one request than anything can have is no request.
fn check_count(member: &'static str, count: usize) -> Result<(), InvalidValue> {
    let most = limits::TAGS_PER_ENTITY;
    if count <= most {
        return Ok(());
    }
    Err(InvalidValue::new(member, &format!("[{count} members]"), Constraint::MaxLength(most)))
}

/// Puts tags on something: a key that is there already gets the new value, and its new case.
pub(crate) fn put(tags: &mut Vec<Tag>, new: &[Tag]) -> Result<(), IdentityError> {
    check(new)?;
    let mut changed = tags.clone();
    for tag in new {
        match changed.iter_mut().find(|old| same_key(&old.key, &tag.key)) {
            Some(old) => old.clone_from(tag),
            None => changed.push(tag.clone()),
        }
    }
    if changed.len() > limits::TAGS_PER_ENTITY {
        return Err(IdentityError::LimitExceeded(Quota::Tags));
    }
    *tags = changed;
    Ok(())
}

/// Takes tags off something; keys that are not there are no error.
pub(crate) fn remove(tags: &mut Vec<Tag>, keys: &[impl AsRef<str>]) -> Result<(), IdentityError> {
    check_count("tagKeys", keys.len())?;
    for key in keys {
        check_text("tagKeys.member", key.as_ref(), 1, limits::TAG_KEY_CHARS)?;
    }
    tags.retain(|tag| !keys.iter().any(|key| same_key(key.as_ref(), &tag.key)));
    Ok(())
}

fn check_text(member: &'static str, value: &str, least: usize, most: usize) -> Result<(), InvalidValue> {
    let chars = value.chars().count();
    if chars < least {
        return Err(InvalidValue::new(member, value, Constraint::MinLength(least)));
    }
    if chars > most {
        return Err(InvalidValue::new(member, value, Constraint::MaxLength(most)));
    }
    let allowed =
        |c: char| c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c);
    if value.chars().all(allowed) {
        Ok(())
    } else {
        let pattern = match least {
            0 => r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
            _ => r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        };
        Err(InvalidValue::new(member, value, Constraint::Pattern(pattern)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Tag, check, put, remove};

    #[test]
    fn keys_are_the_same_whatever_their_case() {
        assert!(check(&[Tag::new("Dept", "a"), Tag::new("dept", "b")]).is_err());
        let mut tags = vec![Tag::new("Dept", "a")];
        put(&mut tags, &[Tag::new("dept", "b")]).unwrap();
        assert_eq!(tags, [Tag::new("dept", "b")]);
        remove(&mut tags, &["DEPT", "other"]).unwrap();
        assert!(tags.is_empty());
    }

    #[test]
    fn fifty_tags_fit_and_no_more() {
        let many: Vec<_> = (0..50).map(|i| Tag::new(format!("k{i}"), "")).collect();
        let mut tags = Vec::new();
        put(&mut tags, &many).unwrap();
        assert!(put(&mut tags, &[Tag::new("one more", "")]).is_err());
        assert_eq!(tags.len(), 50);
    }

    #[test]
    fn what_aws_keeps_and_what_is_no_text_is_refused() {
        for tag in [Tag::new("aws:x", ""), Tag::new("", ""), Tag::new("a*b", ""), Tag::new("k", "v\n")] {
            assert!(check(std::slice::from_ref(&tag)).is_err(), "{tag:?}");
        }
        assert!(check(&[Tag::new("équipe", "Ünïcode 1:2/3=4+5-6@7")]).is_ok());
    }
}
