//! Few large files in place of many small ones.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{
    Inner,
    commit::Change,
    rows,
    snapshot::{DataFile, Snapshot},
};
use crate::{EncodedFile, Expected, Keep, LakeError, Run};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// How much larger rows are in memory than in a file: real records, 12 to 24 times.
const EXPANSION: u64 = 24;
/// How many rows of a file are in memory at once, however large or small they are.
const ROWS_AT_ONCE: (u64, u64) = (64, 4096);
/// Files whose sizes differ by less than this factor are of one tier.
const TIER: u64 = 8;
/// How many files of one tier are merged while a day still grows. Each row is written again once a tier.
const MANY: usize = 8;
/// How many are when it doesn't.
const FEW: usize = 2;
/// A day that no file was added to for so long doesn't grow. One that does after all is merged with [`FEW`] files at a
/// time, which writes rows more often and does no other harm.
const QUIET_AFTER: TimeDelta = TimeDelta::minutes(1);
/// How many files are merged at once. Of each, a page of every column is in memory.
const AT_ONCE: usize = MANY;

/// What one step of compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The day whose files were merged.
    pub day: NaiveDate,
    /// How many there were.
    pub files_before: usize,
    /// Their bytes.
    pub bytes_before: u64,
    /// The bytes of the one that they became.
    pub bytes_after: u64,
}

impl Inner {
    pub(super) async fn compact(&self, now: DateTime<Utc>) -> Result<Option<Compacted>, LakeError> {
        loop {
            let snapshot = self.state().snapshot.clone();
            let growing = self.growing(now);
            let keep = self.options.records.now();
            let chosen = formed(&snapshot, keep)
                .map(|file| vec![file])
                .or_else(|| choose(&snapshot, |day| growing.contains(&day), self.options.target_bytes));
            let Some(chosen) = chosen else { return Ok(None) };
            let new = self.merged(&chosen, keep).await?;
            let report = report(&chosen, &new);
            let (added, objects) = self.describe(&[new])?;
            let uploaded = self.upload(objects).await?;
            let change = Change { added, removed: chosen, ..Change::default() };
            match self.commit(change, uploaded, now).await {
                Ok(_) => return Ok(Some(report)),
                // Retention took a day away meanwhile.
                Err(LakeError::Outdated { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Days that files are still added to: today, and those that an import is at.
    fn growing(&self, now: DateTime<Utc>) -> HashSet<NaiveDate> {
        let mut added = self.added.lock();
        added.retain(|_, at| now.signed_duration_since(*at) < QUIET_AFTER);
        added.keys().copied().chain([now.date_naive()]).collect()
    }

    /// One file of many. Their rows go through memory some at a time; the new file is in memory as a whole.
    async fn merged(&self, chosen: &[Arc<DataFile>], keep: Keep) -> Result<EncodedFile, LakeError> {
        let share = self.options.rewrite_memory / (chosen.len() as u64).max(1);
        let mut runs: Vec<Run> = Vec::with_capacity(chosen.len());
        for file in chosen {
            let at_once = share / (file.size * EXPANSION / file.rows.max(1)).max(1);
            let at_once = at_once.clamp(ROWS_AT_ONCE.0, ROWS_AT_ONCE.1) as usize;
            runs.push(rows::run(self.warehouse.store(), file, &self.layout.arrow, at_once).await?);
        }
        let rows = chosen.iter().map(|file| file.rows).sum();
        let bytes = chosen.iter().map(|file| file.size).sum::<u64>();
        let expected = Expected { rows, bytes: usize::try_from(bytes).unwrap_or(0), keep };
        let merge = self.layout.merge.clone();
        let new = tokio::task::spawn_blocking(move || merge(runs, expected)).await;
        let new = new.map_err(|_| LakeError::Interrupted)??;
        if new.rows != rows || chosen.iter().any(|file| file.day != new.day) {
            let reason = format!("{rows} rows of one day became {}, or rows of another", new.rows);
            return Err(LakeError::Table { table: self.names.table().to_string(), reason });
        }
        Ok(new)
    }
}

/// A file that is to be written again because it keeps its records otherwise than `keep` asks for. Whole records become
/// forms when their file is merged, and not before.
fn formed(snapshot: &Snapshot, keep: Keep) -> Option<Arc<DataFile>> {
    match keep {
        Keep::Forms => None,
        Keep::Whole => snapshot.files().find(|file| file.has_forms).cloned(),
    }
}

fn report(merged: &[Arc<DataFile>], new: &EncodedFile) -> Compacted {
    Compacted {
        day: new.day,
        files_before: merged.len(),
        bytes_before: merged.iter().map(|file| file.size).sum(),
        bytes_after: new.bytes.len() as u64,
    }
}

/// The files that are best merged next: those of the tier, of any day, that has most.
fn choose(snapshot: &Snapshot, grows: impl Fn(NaiveDate) -> bool, full: u64) -> Option<Vec<Arc<DataFile>>> {
    let mut best: Option<Vec<Arc<DataFile>>> = None;
    for day in snapshot.days() {
        let mut tiers: BTreeMap<u32, Vec<Arc<DataFile>>> = BTreeMap::new();
        for file in snapshot.files_of(day).iter().filter(|file| file.size <= full / 2) {
            tiers.entry(file.size.max(1).ilog(TIER)).or_default().push(file.clone());
        }
        let enough = if grows(day) { MANY } else { FEW };
        let many = tiers.into_values().filter(|files| files.len() >= enough).max_by_key(Vec::len);
        if let Some(many) = many
            && best.as_ref().is_none_or(|best| best.len() < many.len())
        {
            best = Some(many);
        }
    }
    let mut chosen = best?;
    chosen.sort_by_key(|file| (file.min_time_ms, file.path.clone()));
    let mut size = 0;
    let fit = chosen.iter().take(AT_ONCE).take_while(|file| {
        size += file.size;
        size <= full
    });
    // Two small ones always fit.
    let fit = fit.count();
    chosen.truncate(fit);
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;
    use crate::table::Marks;

    fn file(day: u32, number: u32, size: u64) -> Arc<DataFile> {
        let day = NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let path = Path::from(format!("{day}-{number}"));
        Arc::new(DataFile {
            path,
            size,
            rows: 1,
            day,
            min_time_ms: i64::from(number),
            max_time_ms: 0,
            has_forms: false,
        })
    }

    fn chosen(files: Vec<Arc<DataFile>>) -> Option<Vec<u64>> {
        let snapshot = Snapshot::new(1, 1, Marks::new(), files);
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        choose(&snapshot, |day| day == today, 1000).map(|files| files.iter().map(|file| file.size).collect())
    }

    #[test]
    fn a_day_that_grows_waits_for_many_files_of_a_size() {
        assert_eq!(chosen((0..7).map(|n| file(21, n, 70)).collect()), None);
        assert_eq!(chosen((0..8).map(|n| file(21, n, 70)).collect()), Some(vec![70; 8]));
        assert_eq!(chosen((0..8).map(|n| file(21, n, 8_u64.pow(n % 4))).collect()), None);
    }

    #[test]
    fn a_day_that_is_quiet_is_merged_to_the_end() {
        assert_eq!(chosen((0..2).map(|n| file(3, n, 70)).collect()), Some(vec![70; 2]));
        assert_eq!(chosen((0..2).map(|n| file(3, n, 501)).collect()), None);
    }

    #[test]
    fn no_more_than_a_file_may_have_is_merged() {
        assert_eq!(chosen((0..9).map(|n| file(3, n, 300)).collect()), Some(vec![300; 3]));
    }
}
