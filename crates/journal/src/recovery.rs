//! Opening what a crash left.
//!
//! Earlier segments are checked by their headers and lengths; only the last is read. What is incomplete at its
//! end was never acknowledged and is cut off. Anything else that is not as it was written is damage and refuses
//! the journal, by name.

use std::{collections::VecDeque, path::Path};

use crate::{
    JournalError, Seq,
    catalog::{Catalog, SegmentInfo},
    disk::{Disk, DiskFile, read_up_to},
    error::{Damage, io_error},
    frame::{FRAME_HEADER_BYTES, FrameHeader},
    mark::read_mark,
    segment::{
        Frames, SEGMENT_HEADER_BYTES, SegmentHeader, create_segment, parse_segment_name, segment_name,
    },
};

/// How many bytes are searched at a time for an entry after a bad one.
const SEARCH_BYTES: usize = 1 << 20;

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The oldest entry that is kept; one after `last` if there is none.
    pub first: Seq,
    /// The newest entry.
    pub last: Seq,
    /// Segments on the disk.
    pub segments: usize,
    /// What a crash had left half-written, and what therefore was cut off. It was never acknowledged.
    pub cut: Option<TornTail>,
}

/// A half-written end of the last segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file, inside the journal's folder.
    pub segment: String,
    /// Where the incomplete part begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Why the entry there is not one.
    pub damage: Damage,
}

/// What the writer goes on from.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) catalog: Catalog,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
    pub(crate) report: Recovery,
}

/// The segments in a folder with their lengths, oldest first.
pub(crate) fn list_segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<(Seq, u64)>, JournalError> {
    let entries = disk.read_dir(dir).map_err(|error| io_error("list", dir, error))?;
    let mut segments: Vec<(Seq, u64)> = entries
        .iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| Some((parse_segment_name(&entry.name)?, entry.len)))
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Checks that `next` is the segment after `before`, which has so many bytes.
pub(crate) fn check_chain(before: (Seq, u64), next: &SegmentHeader) -> Result<(), JournalError> {
    if next.previous == before {
        return Ok(());
    }
    // A name between the two is absent, or the earlier segment does not have its length.
    let (segment, offset, damage) = if next.previous.0 != before.0 {
        (next.previous.0, 0, Damage::Missing)
    } else {
        (before.0, before.1.min(next.previous.1), Damage::Truncated)
    };
    Err(JournalError::Corrupt { segment: segment_name(segment), offset, seq: segment, damage })
}

/// Brings the journal in `dir` into a state to go on from.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path) -> Result<Recovered, JournalError> {
    let mark = read_mark(disk, dir).map_err(|error| io_error("read the mark in", dir, error))?;
    let mut segments = list_segments(disk, dir)?;
    let unborn = remove_unborn_segment(disk, dir, &mut segments, mark)?;
    let Some((last, len)) = segments.pop() else {
        return begin(disk, dir, mark, unborn);
    };
    let mut sealed = VecDeque::with_capacity(segments.len());
    let mut before = None;
    for (first, len) in segments {
        read_chained(disk, dir, first, before)?;
        before = Some((first, len));
        sealed.push_back(SegmentInfo::new(first, len));
    }
    let header = read_chained(disk, dir, last, before)?;
    let scan = scan(disk, dir, last, len, mark.unwrap_or_default())?;
    let newest = scan.next.previous();
    if let Some(durable) = mark.filter(|mark| *mark > newest) {
        return Err(lost(last, scan.info.len, scan.next, durable));
    }
    let file = settle(disk, dir, &scan, len)?;
    let cut = scan.torn.or(unborn);
    let catalog = Catalog::new(sealed, scan.info);
    let report = Recovery { first: catalog.first(), last: newest, segments: catalog.count(), cut };
    Ok(Recovered { catalog, file, header, report })
}

fn lost(segment: Seq, offset: u64, seq: Seq, durable: Seq) -> JournalError {
    JournalError::Corrupt {
        segment: segment_name(segment),
        offset,
        seq,
        damage: Damage::LostEntries { durable },
    }
}

fn read_chained(
    disk: &dyn Disk,
    dir: &Path,
    first: Seq,
    before: Option<(Seq, u64)>,
) -> Result<SegmentHeader, JournalError> {
    let frames = Frames::open(disk, dir, first)?;
    let header = *frames.header();
    before.map_or(Ok(()), |before| check_chain(before, &header))?;
    Ok(header)
}

/// A journal without segments: a new one, unless the mark knows of entries.
fn begin(
    disk: &dyn Disk,
    dir: &Path,
    mark: Option<Seq>,
    unborn: Option<TornTail>,
) -> Result<Recovered, JournalError> {
    let first = Seq(1);
    if let Some(durable) = mark.filter(|mark| *mark >= first) {
        return Err(lost(first, 0, first, durable));
    }
    let header = SegmentHeader::new(first, (Seq::ZERO, 0));
    let file = create_segment(disk, dir, &header)
        .map_err(|error| io_error("create", dir.join(segment_name(first)), error))?;
    let catalog = Catalog::new(VecDeque::new(), SegmentInfo::new(first, SEGMENT_HEADER_BYTES));
    let report = Recovery { first, last: Seq::ZERO, segments: 1, cut: unborn };
    Ok(Recovered { catalog, file, header, report })
}

/// A crash while a segment was being made leaves a file without a good header and without entries. Its
/// predecessor is then still there, for retention drops a segment only after the next is durable.
fn remove_unborn_segment(
    disk: &dyn Disk,
    dir: &Path,
    segments: &mut Vec<(Seq, u64)>,
    mark: Option<Seq>,
) -> Result<Option<TornTail>, JournalError> {
    let Some(torn) = unborn_segment(disk, dir, segments, mark)? else { return Ok(None) };
    let path = dir.join(&torn.segment);
    disk.remove_file(&path)
        .and_then(|()| disk.sync_dir(dir))
        .map_err(|error| io_error("remove", path, error))?;
    segments.pop();
    Ok(Some(torn))
}

/// The last segment, if it is one whose making was interrupted.
pub(crate) fn unborn_segment(
    disk: &dyn Disk,
    dir: &Path,
    segments: &[(Seq, u64)],
    mark: Option<Seq>,
) -> Result<Option<TornTail>, JournalError> {
    let Some(&(first, len)) = segments.last() else { return Ok(None) };
    let orphan = segments.len() == 1 && first != Seq(1);
    if len > SEGMENT_HEADER_BYTES || orphan || mark.is_some_and(|mark| mark >= first) {
        return Ok(None);
    }
    match Frames::open(disk, dir, first) {
        Err(JournalError::Corrupt { damage: damage @ Damage::Header, segment, offset, .. }) => {
            Ok(Some(TornTail { segment, offset, bytes: len, damage }))
        }
        Err(JournalError::Corrupt { .. }) | Ok(_) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What reading the last segment gave.
struct Scan {
    info: SegmentInfo,
    /// The entry that comes next.
    next: Seq,
    /// Where the entries begin that the mark does not vouch for.
    unmarked: u64,
    torn: Option<TornTail>,
}

fn scan(disk: &dyn Disk, dir: &Path, first: Seq, len: u64, mark: Seq) -> Result<Scan, JournalError> {
    let mut frames = Frames::open(disk, dir, first)?;
    let mut info = SegmentInfo::new(first, SEGMENT_HEADER_BYTES);
    let mut unmarked = if mark < first { 0 } else { SEGMENT_HEADER_BYTES };
    let torn = loop {
        match frames.next(len) {
            Ok(Some(frame)) => {
                info.pass((frame.seq, frame.offset));
                info.len = frames.offset();
                if frame.seq <= mark {
                    unmarked = info.len;
                }
            }
            Ok(None) => break None,
            Err(JournalError::Corrupt { damage, segment, offset, seq }) => {
                let later = seq <= mark || later_group_follows(&frames, len)?;
                if later {
                    return Err(JournalError::Corrupt { segment, offset, seq, damage });
                }
                break Some(TornTail { segment, offset, bytes: len - offset, damage });
            }
            Err(error) => return Err(error),
        }
    };
    Ok(Scan { info, next: frames.expected(), unmarked, torn })
}

/// Whether, after the bad entry that `frames` stands at, there is a good one that was written when the bad
/// one was durable already.
pub(crate) fn later_group_follows(frames: &Frames, len: u64) -> Result<bool, JournalError> {
    let bad = frames.expected();
    let mut from = frames.offset();
    while let Some((header, offset)) = find_frame(frames, from, len)? {
        if header.group() > bad {
            return Ok(true);
        }
        from = offset + header.frame_len();
    }
    Ok(false)
}

/// The first whole and good entry at or after `from` that may stand after the one `frames` expects.
pub(crate) fn find_frame(
    frames: &Frames,
    from: u64,
    len: u64,
) -> Result<Option<(FrameHeader, u64)>, JournalError> {
    let mut window = vec![0; SEARCH_BYTES + FRAME_HEADER_BYTES];
    let mut start = from;
    while start + FRAME_HEADER_BYTES as u64 <= len {
        let size = window.len().min((len - start) as usize);
        let read = read_up_to(frames.file(), &mut window[..size], start)
            .map_err(|error| io_error("read", frames.path(), error))?;
        for (at, bytes) in window[..read].windows(FRAME_HEADER_BYTES).enumerate() {
            let Some(bytes) = bytes.first_chunk() else { continue };
            let header = FrameHeader::decode(bytes);
            let offset = start + at as u64;
            if may_follow(&header, frames, offset, len) && is_good(&header, frames, offset)? {
                return Ok(Some((header, offset)));
            }
        }
        if read < size || size < window.len() {
            break;
        }
        start += SEARCH_BYTES as u64 + 1;
    }
    Ok(None)
}

fn may_follow(header: &FrameHeader, frames: &Frames, offset: u64, len: u64) -> bool {
    let most = (len - frames.offset()) / FRAME_HEADER_BYTES as u64;
    let seqs = frames.expected().0..=frames.expected().0.saturating_add(most);
    header.check_len().is_ok()
        && seqs.contains(&header.seq.0)
        && header.group() >= frames.header().first
        && header.frame_len() <= len - offset
}

fn is_good(header: &FrameHeader, frames: &Frames, offset: u64) -> Result<bool, JournalError> {
    let mut payload = vec![0; header.len as usize];
    frames
        .file()
        .read_exact_at(&mut payload, offset + FRAME_HEADER_BYTES as u64)
        .map_err(|error| io_error("read", frames.path(), error))?;
    Ok(header.check(frames.header().salt, &payload).is_ok())
}

/// Cuts the torn end and makes what stays durable: it was read from the cache, not from the disk.
///
/// Entries that the mark does not vouch for are written once more before the sync. If their sync had failed,
/// the system may hold their pages for clean and would not write them.
fn settle(disk: &dyn Disk, dir: &Path, scan: &Scan, len: u64) -> Result<Box<dyn DiskFile>, JournalError> {
    let path = dir.join(segment_name(scan.info.first));
    let file = disk.open_write(&path).map_err(|error| io_error("open", &path, error))?;
    if scan.info.len < len {
        file.set_len(scan.info.len).map_err(|error| io_error("cut", &path, error))?;
    }
    let mut offset = scan.unmarked;
    let mut buffer = vec![0; SEARCH_BYTES];
    while offset < scan.info.len {
        let size = buffer.len().min((scan.info.len - offset) as usize);
        file.read_exact_at(&mut buffer[..size], offset)
            .and_then(|()| file.write_all_at(&buffer[..size], offset))
            .map_err(|error| io_error("write again", &path, error))?;
        offset += size as u64;
    }
    file.sync_data().map_err(|error| io_error("sync", &path, error))?;
    disk.sync_dir(dir).map_err(|error| io_error("sync", dir, error))?;
    Ok(file)
}
