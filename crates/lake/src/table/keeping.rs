//! Which files stay although the table is without them, and which belong to nobody.

use std::collections::{HashMap, HashSet};

use object_store::path::Path;

/// What is known of files besides those that the newest metadata names.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Files that are being written, or belong to a commit of which it is not known whether it is there.
    in_flight: HashSet<Path>,
    /// Files that a commit at this time, in milliseconds since 1970, took away.
    replaced: HashMap<Path, i64>,
}

impl Keeping {
    /// These are about to be written.
    pub(super) fn fly(&mut self, paths: &[Path]) {
        self.in_flight.extend(paths.iter().cloned());
    }

    /// These are in the table, or gone.
    pub(super) fn landed(&mut self, paths: &[Path]) {
        for path in paths {
            self.in_flight.remove(path);
        }
    }

    pub(super) fn replaced(&mut self, paths: impl IntoIterator<Item = Path>, at_ms: i64) {
        for path in paths {
            let at = self.replaced.entry(path).or_insert(at_ms);
            *at = at_ms.max(*at);
        }
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.in_flight.contains(path) || self.replaced.contains_key(path)
    }

    /// What was replaced at this time or before.
    pub(super) fn due(&self, until_ms: i64) -> Vec<Path> {
        let due = self.replaced.iter().filter(|(_, at)| **at <= until_ms);
        due.map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn forget(&mut self, paths: &[Path]) {
        for path in paths {
            self.replaced.remove(path);
        }
    }
}
