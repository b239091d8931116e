//! What a table has, at one moment.

use std::{collections::BTreeMap, sync::Arc};

use chrono::NaiveDate;
use object_store::path::Path;

/// How far something has been taken into a table, by the name of what was taken. Set in the commit that adds the
/// rows, so that rows and marks always agree. In a change, an empty text takes a mark away.
pub type Marks = BTreeMap<String, String>;

/// One Parquet file of a table. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is in the warehouse's object store.
    pub path: Path,
    /// Its length in bytes.
    pub size: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The UTC day that all of its rows are of.
    pub day: NaiveDate,
    /// The time of the earliest row, in milliseconds since 1970, rounded down.
    pub min_time_ms: i64,
    /// The time of the latest row, in milliseconds since 1970, rounded up.
    pub max_time_ms: i64,
    /// Whether records of it have only their form there ([`crate::Keep::Forms`]).
    pub has_forms: bool,
}

/// The files of a table after a commit, and the marks that were set with them. Its files can be read until the
/// grace period has passed after a later commit replaced them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Iceberg's id of the snapshot; 0 while the table has never had a file.
    pub id: i64,
    /// The number of the commit: that in `v{N}.metadata.json`.
    pub version: u64,
    /// How far everything has been taken into the table.
    pub marks: Arc<Marks>,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    pub(super) days: BTreeMap<NaiveDate, Arc<[Arc<DataFile>]>>,
}

impl Snapshot {
    pub(super) fn new(id: i64, version: u64, marks: Marks, files: Vec<Arc<DataFile>>) -> Self {
        let mut grouped: BTreeMap<NaiveDate, Vec<Arc<DataFile>>> = BTreeMap::new();
        for file in files {
            grouped.entry(file.day).or_default().push(file);
        }
        let days: BTreeMap<_, Arc<[_]>> =
            grouped.into_iter().map(|(day, files)| (day, files.into())).collect();
        Self::of_days(id, version, Arc::new(marks), days)
    }

    fn of_days(
        id: i64,
        version: u64,
        marks: Arc<Marks>,
        days: BTreeMap<NaiveDate, Arc<[Arc<DataFile>]>>,
    ) -> Self {
        let files = || days.values().flat_map(|files| files.iter());
        let rows = files().map(|file| file.rows).sum();
        let bytes = files().map(|file| file.size).sum();
        Self { id, version, marks, rows, bytes, days }
    }

    /// The snapshot that a commit makes of this one. Days that it doesn't touch are shared.
    pub(super) fn after(
        &self,
        (id, version): (i64, u64),
        marks: Arc<Marks>,
        added: &[Arc<DataFile>],
        removed: &[Arc<DataFile>],
    ) -> Self {
        let mut days = self.days.clone();
        let touched: std::collections::BTreeSet<_> =
            added.iter().chain(removed).map(|file| file.day).collect();
        for day in touched {
            let there = days.get(&day).into_iter().flat_map(|files| files.iter());
            let files: Arc<[_]> = there
                .filter(|file| !removed.iter().any(|gone| gone.path == file.path))
                .chain(added.iter().filter(|file| file.day == day))
                .cloned()
                .collect();
            if files.is_empty() {
                days.remove(&day);
            } else {
                days.insert(day, files);
            }
        }
        Self::of_days(id, version, marks, days)
    }

    /// All files, ordered by day.
    pub fn files(&self) -> impl Iterator<Item = &Arc<DataFile>> {
        self.days.values().flat_map(|files| files.iter())
    }

    /// The files of one day.
    pub fn files_of(&self, day: NaiveDate) -> &[Arc<DataFile>] {
        self.days.get(&day).map_or(&[], |files| files)
    }

    /// The days that there are rows of.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> {
        self.days.keys().copied()
    }

    pub(super) fn has(&self, file: &DataFile) -> bool {
        self.files_of(file.day).iter().any(|there| there.path == file.path)
    }
}
