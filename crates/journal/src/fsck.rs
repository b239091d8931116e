//! Checking everything on the disk against itself, without changing anything.

use std::path::Path;

use crate::{
    JournalError, Seq,
    disk::Disk,
    error::{Damage, io_error},
    journal::lock,
    mark::read_mark,
    recovery::{TornTail, check_chain, find_frame, later_group_follows, list_segments, unborn_segment},
    segment::{Frames, segment_name},
};

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, inside the journal's folder.
    pub segment: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// The entry that should be there.
    pub seq: Seq,
    /// What is wrong.
    pub damage: Damage,
}

/// What [`fsck`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsckReport {
    /// Segments read.
    pub segments: usize,
    /// Good entries.
    pub entries: u64,
    /// Bytes in all segments.
    pub bytes: u64,
    /// The oldest entry there should be.
    pub first: Seq,
    /// The newest good entry.
    pub last: Seq,
    /// What a crash left half-written at the end. It was never acknowledged, opening cuts it off: no problem.
    pub torn: Option<TornTail>,
    /// Everything that is damaged, in order.
    pub problems: Vec<Problem>,
}

impl FsckReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, error: JournalError) -> Result<(), JournalError> {
        match error {
            JournalError::Corrupt { segment, offset, seq, damage } => {
                self.problems.push(Problem { segment, offset, seq, damage });
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Reads every segment in `dir` and checks each entry, the order, and the chain of segments. A folder that is
/// not there is an empty journal.
///
/// # Errors
/// [`JournalError::InUse`] while the journal is open; [`JournalError::Io`] if something cannot be read.
/// Damage is not an error but in the report.
pub fn fsck(dir: &Path, disk: &dyn Disk) -> Result<FsckReport, JournalError> {
    let mut report = FsckReport::default();
    if !disk.exists(dir).map_err(|error| io_error("look at", dir, error))? {
        return Ok(report);
    }
    let _owned = lock(disk, dir)?;
    let mark = read_mark(disk, dir).map_err(|error| io_error("read the mark in", dir, error))?;
    let mut segments = list_segments(disk, dir)?;
    report.segments = segments.len();
    report.bytes = segments.iter().map(|(_, len)| len).sum();
    report.first = segments.first().map_or(Seq(1), |(first, _)| *first);
    report.last = report.first.previous();
    report.torn = unborn_segment(disk, dir, &segments, mark)?;
    if report.torn.is_some() {
        segments.pop();
    }
    let mark = mark.unwrap_or_default();
    for (at, &(first, len)) in segments.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| segments[at]);
        let after = segments.get(at + 1).map(|(first, _)| *first);
        check_segment(disk, dir, (first, len), before, after, mark, &mut report)?;
    }
    if report.problems.is_empty() && mark > report.last {
        let (first, len) = segments.last().copied().unwrap_or((Seq(1), 0));
        report.problems.push(Problem {
            segment: segment_name(first),
            offset: len,
            seq: report.last.next(),
            damage: Damage::LostEntries { durable: mark },
        });
    }
    Ok(report)
}

fn check_segment(
    disk: &dyn Disk,
    dir: &Path,
    (first, len): (Seq, u64),
    before: Option<(Seq, u64)>,
    after: Option<Seq>,
    mark: Seq,
    report: &mut FsckReport,
) -> Result<(), JournalError> {
    let mut frames = match Frames::open(disk, dir, first) {
        Ok(frames) => frames,
        Err(error) => return report.add(error),
    };
    if let Some(Err(error)) = before.map(|before| check_chain(before, frames.header())) {
        report.add(error)?;
    }
    loop {
        match frames.next(len) {
            Ok(Some(frame)) => {
                report.entries += 1;
                report.last = frame.seq;
            }
            Ok(None) => break,
            Err(JournalError::Corrupt { segment, offset, seq, damage }) => {
                let last = after.is_none() && seq > mark;
                if last && !later_group_follows(&frames, len)? {
                    report.torn = Some(TornTail { segment, offset, bytes: len - offset, damage });
                    return Ok(());
                }
                report.problems.push(Problem { segment, offset, seq, damage });
                let Some((header, offset)) = find_frame(&frames, offset + 1, len)? else { return Ok(()) };
                frames.seek(header.seq, offset);
            }
            Err(error) => return Err(error),
        }
    }
    if after.is_some_and(|after| after != frames.expected()) {
        report.add(frames.corrupt(Damage::Truncated))?;
    }
    Ok(())
}
