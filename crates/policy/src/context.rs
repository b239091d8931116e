//! The condition keys of one request.

/// The condition keys of one request and their values.
///
/// Names are compared without regard to case, as AWS does (`aws:SourceIP` is `aws:SourceIp`). A key is
/// single-valued or multivalued by the way it was set; a policy variable takes its value only from a
/// single-valued key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// In the order of their names' digests, and of their names where those are equal.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Key,
    values: Values,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    One([String; 1]),
    Many(Vec<String>),
}

/// The name of a condition key in the form in which names are compared, found by comparing numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    digest: u64,
    name: Box<str>,
}

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        let name = fold(name);
        // FNV-1a. Names whose digests are equal are told apart, only slower.
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { digest, name }
    }

    /// In lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Values {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => value,
            Self::Many(values) => values,
        }
    }
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
        self.put(Key::new(key), Values::One([value.into()]))
    }

    /// Sets a multivalued key, replacing what it was. Without values the key is present and empty, which
    /// conditions treat as absent.
    pub fn set_many<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.put(Key::new(key), Values::Many(values.into_iter().map(Into::into).collect()))
    }

    /// Sets single-valued keys as [`set`](Self::set) does one after the other, however many there are in little time:
    /// a caller who may do nothing may still send thousands of tags.
    pub fn set_each<V: Into<String>>(&mut self, keys: impl IntoIterator<Item = (String, V)>) -> &mut Self {
        let new = keys.into_iter().map(|(key, value)| (Key::new(&key), Values::One([value.into()])));
        self.entries.extend(new.map(|(key, values)| Entry { key, values }));
        // Of equal keys the one that was set last comes first and stays.
        self.entries.reverse();
        self.entries.sort_by(|one, other| one.key.cmp(&other.key));
        self.entries.dedup_by(|other, one| other.key == one.key);
        self
    }

    fn put(&mut self, key: Key, values: Values) -> &mut Self {
        match self.place(&key) {
            Ok(at) => self.entries[at].values = values,
            Err(at) => self.entries.insert(at, Entry { key, values }),
        }
        self
    }

    /// Where a key is, or would be.
    fn place(&self, key: &Key) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.key.cmp(key))
    }

    /// The context with one more single-valued key, for building one in an expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Takes every key of `other`, which wins where both have one.
    pub fn extend(&mut self, other: &Context) {
        for Entry { key, values } in &other.entries {
            self.put(key.clone(), values.clone());
        }
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let found = self.place(&Key::new(key));
        found.map(|at| self.entries.remove(at)).is_ok()
    }

    /// Keeps the keys of which this says so; it is told their names in lower case.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.entries.retain(|entry| keep(entry.key.name()));
    }

    /// The values of a key; `None` if it was never set.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.values(&Key::new(key))
    }

    /// The value of a single-valued key; `None` if it is absent or multivalued.
    pub fn single(&self, key: &str) -> Option<&str> {
        self.single_value(&Key::new(key))
    }

    /// Every key, its name in lower case, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.entries.iter().map(|entry| (entry.key.name(), entry.values.as_slice()))
    }

    pub(crate) fn values(&self, key: &Key) -> Option<&[String]> {
        self.place(key).ok().map(|at| self.entries[at].values.as_slice())
    }

    pub(crate) fn single_value(&self, key: &Key) -> Option<&str> {
        match &self.entries[self.place(key).ok()?].values {
            Values::One([value]) => Some(value),
            Values::Many(_) => None,
        }
    }
}

/// The form in which names of keys are compared.
fn fold(key: &str) -> Box<str> {
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
    fn many_keys_at_once_are_as_one_after_the_other() {
        let keys = ["b", "a", "A", "c", "B"].map(str::to_owned);
        let (mut at_once, mut one_by_one) = (Context::new().with("c", "0"), Context::new().with("c", "0"));
        at_once.set_many("a", ["x", "y"]);
        one_by_one.set_many("a", ["x", "y"]);
        at_once.set_each(keys.iter().enumerate().map(|(n, key)| (key.clone(), n.to_string())));
        for (n, key) in keys.iter().enumerate() {
            one_by_one.set(key, n.to_string());
        }
        assert_eq!(at_once, one_by_one);
        assert_eq!(at_once.single("a"), Some("2"));
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
