//! Few large files in place of many small ones.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use object_store::ObjectStoreExt;

use super::{
    Inner,
    commit::Change,
    rows,
    snapshot::{DataFile, Snapshot},
};
use crate::{EncodedFile, Keep, LakeError};

/// How much larger rows are in memory than in a file, before any were seen.
pub(super) const FIRST_EXPANSION: f64 = 12.0;
/// Whatever was measured, no less and no more.
const EXPANSION: (f64, f64) = (2.0, 100.0);
/// Files whose sizes differ by less than this factor are of one tier.
const TIER: u64 = 8;
/// How many files of one tier are merged while a day still grows. Each row is written again once a tier.
const MANY: usize = 8;
/// How many are when it doesn't.
const FEW: usize = 2;
/// A day that no file was added to for so long doesn't grow. Events come some time after they happened, too.
const QUIET_AFTER: TimeDelta = TimeDelta::minutes(15);
/// How many files are merged at once.
const AT_ONCE: usize = 64;

/// What one step of compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The day whose files were merged.
    pub day: NaiveDate,
    /// How many there were.
    pub files_before: usize,
    /// How many became of them.
    pub files_after: usize,
    /// Their bytes.
    pub bytes_before: u64,
    /// The bytes of what became of them.
    pub bytes_after: u64,
}

impl Inner {
    pub(super) async fn compact(&self, now: DateTime<Utc>) -> Result<Option<Compacted>, LakeError> {
        loop {
            let snapshot = self.state().snapshot.clone();
            let expansion = *self.expansion.lock();
            let full = full_size(self.options.target_bytes, self.options.rewrite_memory, expansion);
            let growing = self.growing(now);
            let keep = self.options.records.now();
            let work = match formed(&snapshot, keep) {
                Some(file) => Some((vec![file], 1)),
                None => choose(&snapshot, |day| growing.contains(&day), full).map(|chosen| (chosen, FEW)),
            };
            let Some((chosen, least)) = work else { return Ok(None) };
            let Some((merged, new)) = self.merged(&chosen, least, keep).await? else {
                if *self.expansion.lock() > expansion {
                    // Files were larger in memory than thought: fewer are small now.
                    continue;
                }
                return Ok(None);
            };
            let report = report(&merged, &new);
            let (added, objects) = self.describe(&new)?;
            let uploaded = self.upload(objects).await?;
            let change = Change { added, removed: merged, ..Change::default() };
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

    /// Reads files, as many of the first ones as fit into memory but `least`, and writes their rows in order; `None`
    /// where these are less, or become no fewer files. One that is written again alone may.
    async fn merged(
        &self,
        chosen: &[Arc<DataFile>],
        least: usize,
        keep: Keep,
    ) -> Result<Option<(Vec<Arc<DataFile>>, Vec<EncodedFile>)>, LakeError> {
        let mut batches = Vec::new();
        let (mut merged, mut in_memory, mut in_files) = (Vec::new(), 0, 0);
        for file in chosen {
            let bytes = self.warehouse.store().get(&file.path).await?.bytes().await?;
            in_files += bytes.len() as u64;
            let schema = self.layout.arrow.clone();
            let read = blocking(move || rows::read(bytes, &schema)).await?;
            let found: u64 = read.iter().map(|batch| batch.num_rows() as u64).sum();
            if found != file.rows {
                let reason = format!("it has {found} rows and not {}", file.rows);
                return Err(LakeError::Table { table: file.path.to_string(), reason });
            }
            in_memory += rows::bytes(&read);
            if in_memory > self.options.rewrite_memory && merged.len() >= least {
                break;
            }
            merged.push(file.clone());
            batches.extend(read);
            if in_memory > self.options.rewrite_memory {
                break;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let expansion = in_memory as f64 / in_files.max(1) as f64;
        *self.expansion.lock() = expansion.clamp(EXPANSION.0, EXPANSION.1);
        if merged.len() < least {
            return Ok(None);
        }
        let encode = self.layout.encode.clone();
        let new = blocking(move || encode(&batches, keep)).await?;
        let (before, after) = (total(&merged), new.iter().map(|file| file.rows).sum::<u64>());
        if before != after || new.iter().any(|file| Some(file.day) != merged.first().map(|file| file.day)) {
            let reason = format!("{before} rows of one day became {after}, or rows of another");
            return Err(LakeError::Table { table: self.names.table().to_string(), reason });
        }
        Ok((new.len() < merged.len() || least == 1).then_some((merged, new)))
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

fn total(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

fn report(merged: &[Arc<DataFile>], new: &[EncodedFile]) -> Compacted {
    Compacted {
        day: merged.first().map(|file| file.day).unwrap_or_default(),
        files_before: merged.len(),
        files_after: new.len(),
        bytes_before: merged.iter().map(|file| file.size).sum(),
        bytes_after: new.iter().map(|file| file.bytes.len() as u64).sum(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LakeError> + Send + 'static,
) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LakeError::Interrupted)?
}

/// How large a file is that is merged no more: one that is as large as it should be, or fills the memory.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn full_size(target: u64, memory: u64, expansion: f64) -> u64 {
    target.min((memory as f64 / expansion) as u64).max(1)
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

    #[test]
    fn memory_decides_how_large_a_file_may_be() {
        assert_eq!(full_size(1000, 4000, 8.0), 500);
        assert_eq!(full_size(100, 4000, 8.0), 100);
    }
}
