//! A bounded map for the hot path.

use std::{collections::HashMap, hash::Hash, mem};

use parking_lot::Mutex;

/// Keeps about the most recently used entries, at most as many as it was made for.
///
/// Entries live in two generations. A hit moves its entry to the young one; when that is full the old
/// one is dropped and the young takes its place. Every operation is O(1), and nothing used within the
/// last `capacity / 2` insertions is lost.
pub(crate) struct Cache<K, V> {
    half: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { half: (capacity / 2).max(1), generations: Mutex::new(generations) }
    }

    pub(crate) fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut generations = self.generations.lock();
        if let Some(value) = generations.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        let found = value.clone();
        self.place(&mut generations, key, value);
        Some(found)
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        let mut generations = self.generations.lock();
        generations.old.remove(&key);
        self.place(&mut generations, key, value);
    }

    pub(crate) fn remove<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut generations = self.generations.lock();
        generations.young.remove(key);
        generations.old.remove(key);
    }

    fn place(&self, generations: &mut Generations<K, V>, key: K, value: V) {
        if generations.young.len() >= self.half && !generations.young.contains_key(&key) {
            generations.old = mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let generations = self.generations.lock();
        generations.young.len() + generations.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let cache = Cache::new(10);
        for i in 0..1_000 {
            cache.insert(i, i);
            assert!(cache.len() <= 10);
        }
    }

    #[test]
    fn what_is_used_stays() {
        let cache = Cache::new(10);
        cache.insert(0, "used");
        for i in 1..1_000 {
            cache.insert(i, "once");
            assert_eq!(cache.get(&0), Some("used"));
        }
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn what_is_removed_is_gone() {
        let cache = Cache::new(4);
        cache.insert("a".to_owned(), 1);
        cache.remove("a");
        assert_eq!(cache.get("a"), None);
    }
}
