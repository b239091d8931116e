//! Conditional reads, writes and deletes.

use chrono::{DateTime, SubsecRound, Utc};

use crate::{
    VaultError,
    object::{ObjectMeta, Version},
};

/// The condition of a request that did not hold, by its header's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `If-Match` (for a copy's source `x-amz-copy-source-if-match`).
    IfMatch,
    /// `If-None-Match`.
    IfNoneMatch,
    /// `If-Modified-Since`.
    IfModifiedSince,
    /// `If-Unmodified-Since`.
    IfUnmodifiedSince,
}

impl Condition {
    /// The header's name, as S3 writes it in the error's `Condition` member.
    pub fn name(self) -> &'static str {
        match self {
            Self::IfMatch => "If-Match",
            Self::IfNoneMatch => "If-None-Match",
            Self::IfModifiedSince => "If-Modified-Since",
            Self::IfUnmodifiedSince => "If-Unmodified-Since",
        }
    }
}

/// The value of an `If-Match` or `If-None-Match` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagMatch {
    /// `*`: whatever is there.
    Any,
    /// One of these entity tags, without quotes.
    OneOf(Vec<String>),
}

impl EtagMatch {
    /// Reads a header's value: `*`, or entity tags with or without quotes, separated by commas. A weak tag
    /// (`W/"…"`) counts as its strong one, since S3 makes no weak ones.
    pub fn parse(header: &str) -> Self {
        let header = header.trim();
        if header == "*" {
            return Self::Any;
        }
        let tags = header.split(',').map(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
        });
        Self::OneOf(tags.collect())
    }

    fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
}

/// Conditions of GET, HEAD and of a copy's source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// `If-Match`.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagMatch>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<DateTime<Utc>>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<DateTime<Utc>>,
}

impl ReadConditions {
    /// Checks them in the order of RFC 9110, section 13.2.2: a time counts only where the tag's condition of
    /// the same direction was not given, as S3 documents for GetObject.
    ///
    /// # Errors
    /// [`VaultError::PreconditionFailed`], or [`VaultError::NotModified`].
    pub fn check(&self, meta: &ObjectMeta) -> Result<(), VaultError> {
        let modified = meta.last_modified.trunc_subsecs(0);
        if let Some(tags) = &self.if_match {
            if !tags.matches(&meta.etag) {
                return Err(VaultError::PreconditionFailed { condition: Condition::IfMatch });
            }
        } else if self.if_unmodified_since.is_some_and(|since| modified > since) {
            return Err(VaultError::PreconditionFailed { condition: Condition::IfUnmodifiedSince });
        }
        let unchanged = match &self.if_none_match {
            Some(tags) => tags.matches(&meta.etag),
            None => self.if_modified_since.is_some_and(|since| modified <= since),
        };
        if unchanged {
            return Err(VaultError::NotModified {
                etag: meta.etag.clone(),
                last_modified: meta.last_modified,
            });
        }
        Ok(())
    }

    /// As [`Self::check`] for the source of a copy, where "not modified" is a failed condition too (412).
    ///
    /// # Errors
    /// [`VaultError::PreconditionFailed`].
    pub fn check_copy_source(&self, meta: &ObjectMeta) -> Result<(), VaultError> {
        self.check(meta).map_err(|error| match error {
            VaultError::NotModified { .. } => VaultError::PreconditionFailed {
                condition: if self.if_none_match.is_some() {
                    Condition::IfNoneMatch
                } else {
                    Condition::IfModifiedSince
                },
            },
            other => other,
        })
    }
}

/// Conditions of a write, held against the key's current version under the key's lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// `If-Match`: write only over this object.
    pub if_match: Option<EtagMatch>,
    /// `If-None-Match`: S3 knows `*` only, write only where there is no object.
    pub if_none_match: Option<EtagMatch>,
}

impl WriteConditions {
    pub(crate) fn check(&self, key: &str, current: Option<&Version>) -> Result<(), VaultError> {
        if self.if_match.is_none() && self.if_none_match.is_none() {
            return Ok(());
        }
        let object = match current {
            Some(Version::Object(meta)) => Some(meta),
            Some(Version::DeleteMarker(_)) | None => None,
        };
        if let Some(tags) = &self.if_match {
            match object {
                None => return Err(VaultError::NoSuchKey { key: key.to_owned(), delete_marker: None }),
                Some(meta) if !tags.matches(&meta.etag) => {
                    return Err(VaultError::PreconditionFailed { condition: Condition::IfMatch });
                }
                Some(_) => {}
            }
        }
        if let (Some(tags), Some(meta)) = (&self.if_none_match, object)
            && tags.matches(&meta.etag)
        {
            return Err(VaultError::PreconditionFailed { condition: Condition::IfNoneMatch });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::EtagMatch;

    #[test]
    fn entity_tags_come_with_and_without_quotes() {
        assert_eq!(EtagMatch::parse(" * "), EtagMatch::Any);
        assert_eq!(
            EtagMatch::parse(r#""a", W/"b",c"#),
            EtagMatch::OneOf(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()])
        );
    }
}
