//! The condition keys of one request.

use std::collections::BTreeMap;

/// The condition keys of one request and their values.
///
/// Names are compared without regard to case, as AWS does (`aws:SourceIP` is `aws:SourceIp`). A key is
/// single-valued or multivalued by the way it was set; a policy variable takes its value only from a
/// single-valued key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    keys: BTreeMap<Box<str>, Values>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Values {
    values: Vec<String>,
    multivalued: bool,
}

impl Context {
    /// The key against which a `CanonicalUser` principal is compared: the canonical user ID of the
    /// caller's account. S3 knows it, IAM does not, so whoever asks sets it.
    pub const CANONICAL_USER: &'static str = "opentrail:CanonicalUser";

    /// A context without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a single-valued key, replacing what it was.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        self.keys.insert(fold(key), Values { values: vec![value.into()], multivalued: false });
        self
    }

    /// Sets a multivalued key, replacing what it was. Without values the key is present and empty, which
    /// conditions treat as absent.
    pub fn set_many<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) -> &mut Self {
        let values = values.into_iter().map(Into::into).collect();
        self.keys.insert(fold(key), Values { values, multivalued: true });
        self
    }

    /// The context with one more single-valued key, for building one in an expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Takes every key of `other`, which wins where both have one.
    pub fn extend(&mut self, other: &Context) {
        self.keys.extend(other.keys.iter().map(|(key, values)| (key.clone(), values.clone())));
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.keys.remove(&fold(key)).is_some()
    }

    /// The values of a key; `None` if it was never set.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.folded(&fold(key))
    }

    /// The value of a single-valued key; `None` if it is absent or multivalued.
    pub fn single(&self, key: &str) -> Option<&str> {
        self.single_folded(&fold(key))
    }

    /// Every key, its name in lower case, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.keys.iter().map(|(key, values)| (&**key, values.values.as_slice()))
    }

    pub(crate) fn folded(&self, key: &str) -> Option<&[String]> {
        self.keys.get(key).map(|found| found.values.as_slice())
    }

    pub(crate) fn single_folded(&self, key: &str) -> Option<&str> {
        match self.keys.get(key) {
            Some(Values { values, multivalued: false }) => values.first().map(String::as_str),
            _ => None,
        }
    }
}

/// The form in which names of keys are compared.
pub(crate) fn fold(key: &str) -> Box<str> {
    key.to_lowercase().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::Context;

    #[test]
    fn names_are_compared_without_case() {
        let context = Context::new().with("aws:SourceIp", "10.0.0.1");
        assert_eq!(context.single("AWS:SOURCEIP"), Some("10.0.0.1"));
        assert_eq!(context.get("aws:SourceVpc"), None);
    }

    #[test]
    fn a_multivalued_key_has_no_single_value() {
        let mut context = Context::new();
        context.set_many("aws:TagKeys", ["one"]);
        assert_eq!(context.single("aws:TagKeys"), None);
        assert_eq!(context.get("aws:TagKeys"), Some(&["one".to_owned()][..]));
    }

    #[test]
    fn the_later_context_wins() {
        let mut context = Context::new().with("a", "1").with("b", "1");
        context.extend(&Context::new().with("B", "2"));
        assert_eq!((context.single("a"), context.single("b")), (Some("1"), Some("2")));
        assert!(context.remove("A") && !context.remove("A"));
    }
}
