//! Tags of objects and buckets.

use std::collections::BTreeMap;

use crate::{VaultError, error::InvalidTagReason, limits};

/// Tags: keys and values.
pub type Tags = BTreeMap<String, String>;

/// Makes tags of the pairs a caller sent.
///
/// # Errors
/// [`VaultError::InvalidTag`] where a key occurs twice or a rule of S3 is broken (`max`:
/// [`limits::MAX_OBJECT_TAGS`] or [`limits::MAX_BUCKET_TAGS`]).
pub fn tags_of(pairs: impl IntoIterator<Item = (String, String)>, max: usize) -> Result<Tags, VaultError> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        if tags.insert(key, value).is_some() {
            return Err(VaultError::InvalidTag { reason: InvalidTagReason::Duplicate });
        }
    }
    check_tags(&tags, max)?;
    Ok(tags)
}

pub(crate) fn check_tags(tags: &Tags, max: usize) -> Result<(), VaultError> {
    let broken = |reason| Err(VaultError::InvalidTag { reason });
    if tags.len() > max {
        return broken(InvalidTagReason::TooMany { limit: max });
    }
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > limits::MAX_TAG_KEY_CHARS || !key.chars().all(allowed) {
            return broken(InvalidTagReason::Key);
        }
        if value.chars().count() > limits::MAX_TAG_VALUE_CHARS || !value.chars().all(allowed) {
            return broken(InvalidTagReason::Value);
        }
        if key.starts_with("aws:") {
            return broken(InvalidTagReason::System);
        }
    }
    Ok(())
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @` (S3 user guide, "Categorizing your storage
/// using tags").
fn allowed(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::tags_of;
    use crate::{VaultError, error::InvalidTagReason, limits};

    fn reason(pairs: &[(&str, &str)]) -> Option<InvalidTagReason> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        match tags_of(pairs, limits::MAX_OBJECT_TAGS) {
            Ok(_) => None,
            Err(VaultError::InvalidTag { reason }) => Some(reason),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_rules_of_tags() {
        assert_eq!(reason(&[("team", "blue"), ("größe", "1")]), None);
        assert_eq!(reason(&[("a", "1"), ("a", "2")]), Some(InvalidTagReason::Duplicate));
        assert_eq!(reason(&[("", "1")]), Some(InvalidTagReason::Key));
        assert_eq!(reason(&[("a", &"x".repeat(257))]), Some(InvalidTagReason::Value));
        assert_eq!(reason(&[("aws:a", "1")]), Some(InvalidTagReason::System));
        assert_eq!(reason(&[("a<", "1")]), Some(InvalidTagReason::Key));
    }
}
