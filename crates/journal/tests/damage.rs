//! Damage is found and named: which file, which byte, which entry.

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use opentrail_journal::{
    Damage, Journal, JournalError, JournalOptions, Seq,
    disk::{Fault, FaultyDisk, RealDisk},
    fsck,
};

const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 1000, queue_bytes: 1 << 20, tail_bytes: 0 };
const HEADER: u64 = 48;
const FRAME: u64 = 120;

/// 40 entries of 120 bytes on the disk: nine in each segment but the first, each its own group.
async fn fill(dir: &Path) {
    let (journal, _) = Journal::open(dir, OPTIONS, Arc::new(RealDisk)).expect("a new journal");
    for number in 1..=40u8 {
        journal.append(Bytes::from(vec![number; 100]), None).await.expect("it is durable");
    }
    journal.close().await;
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    names
}

fn first_of(name: &str) -> u64 {
    name.trim_end_matches(".seg").parse().expect("a number")
}

fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).expect("the file is there");
    bytes[at as usize] ^= 4;
    fs::write(path, bytes).expect("it can be written");
}

fn named(error: JournalError) -> (String, u64, u64, Damage) {
    match error {
        JournalError::Corrupt { segment, offset, seq, damage } => (segment, offset, seq.0, damage),
        other => panic!("{other}"),
    }
}

fn reopen(dir: &Path) -> Result<Journal, JournalError> {
    Journal::open(dir, OPTIONS, Arc::new(RealDisk)).map(|(journal, _)| journal)
}

#[tokio::test]
async fn a_flipped_bit_in_an_earlier_segment_is_named_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let name = names(dir.path())[1].clone();
    let seq = first_of(&name) + 2;
    flip(&dir.path().join(&name), HEADER + 2 * FRAME + 50);

    let journal = reopen(dir.path()).unwrap();
    let mut reader = journal.reader(Seq(0));
    let mut read = 0;
    let error = loop {
        match reader.next_batch(7, usize::MAX).await {
            Ok(items) => read += items.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(read, seq - 1, "all before it is read");
    assert_eq!(named(error), (name.clone(), HEADER + 2 * FRAME, seq, Damage::Checksum));
    assert!(reader.next_batch(1, 1).await.is_err(), "the damage stays");
    let after = journal.reader(Seq(first_of(&names(dir.path())[2]) - 1)).try_next_batch(100, usize::MAX);
    assert!(!after.unwrap().is_empty(), "other segments are still read");
    journal.close().await;

    let report = fsck(dir.path(), &RealDisk).unwrap();
    assert_eq!((report.entries, report.last, report.problems.len()), (39, Seq(40), 1));
    let problem = &report.problems[0];
    assert_eq!(
        (&problem.segment, problem.offset, problem.seq.0, problem.damage),
        (&name, HEADER + 2 * FRAME, seq, Damage::Checksum)
    );
}

#[tokio::test]
async fn a_bit_that_flips_on_the_way_from_the_disk_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let disk = FaultyDisk::default();
    let (journal, _) = Journal::open(dir.path(), OPTIONS, Arc::new(disk.clone())).unwrap();
    disk.inject(Fault::flipped_bit(HEADER + 30, 5).on(names(dir.path())[0].clone()));
    let error = journal.reader(Seq(0)).try_next_batch(1, 1).unwrap_err();
    assert_eq!(named(error), (names(dir.path())[0].clone(), HEADER, 1, Damage::Checksum));
    disk.heal();
    assert_eq!(journal.reader(Seq(0)).try_next_batch(100, usize::MAX).unwrap().len(), 40);
}

#[tokio::test]
async fn every_flipped_bit_in_the_last_segment_refuses_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let name = names(dir.path()).pop().unwrap();
    let path = dir.path().join(&name);
    let good = fs::read(&path).unwrap();
    for at in (0..44).chain(HEADER..good.len() as u64).step_by(3) {
        flip(&path, at);
        let (segment, offset, seq, _) = named(reopen(dir.path()).unwrap_err());
        let frame = at.checked_sub(HEADER).map(|at| at / FRAME);
        assert_eq!(segment, name);
        assert_eq!(offset, frame.map_or(0, |frame| HEADER + frame * FRAME));
        assert_eq!(seq, first_of(&name) + frame.unwrap_or(0));
        assert!(!fsck(dir.path(), &RealDisk).unwrap().is_sound());
        fs::write(&path, &good).unwrap();
    }
    reopen(dir.path()).unwrap();
}

#[tokio::test]
async fn without_the_mark_damage_before_a_later_group_is_still_damage() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    fs::remove_file(dir.path().join("durable")).unwrap();
    let name = names(dir.path()).pop().unwrap();
    let path = dir.path().join(&name);
    let good = fs::read(&path).unwrap();
    flip(&path, HEADER + FRAME + 3);
    assert_eq!(named(reopen(dir.path()).unwrap_err()).1, HEADER + FRAME);
    assert!(!fsck(dir.path(), &RealDisk).unwrap().is_sound());

    // The very last entry could be a torn write: without the mark nobody can tell.
    fs::write(&path, &good).unwrap();
    flip(&path, good.len() as u64 - 1);
    let report = fsck(dir.path(), &RealDisk).unwrap();
    assert_eq!((report.is_sound(), report.torn.map(|torn| torn.bytes)), (true, Some(FRAME)));
    let (journal, recovery) = Journal::open(dir.path(), OPTIONS, Arc::new(RealDisk)).unwrap();
    assert_eq!((journal.durable(), recovery.cut.unwrap().bytes), (Seq(39), FRAME));
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let names = names(dir.path());
    fs::remove_file(dir.path().join(&names[2])).unwrap();
    let (segment, _, seq, damage) = named(reopen(dir.path()).unwrap_err());
    assert_eq!((&segment, seq, damage), (&names[2], first_of(&names[2]), Damage::Missing));
    let report = fsck(dir.path(), &RealDisk).unwrap();
    assert!(report.problems.iter().any(|problem| problem.segment == names[2]));
}

#[tokio::test]
async fn a_cut_segment_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let names = names(dir.path());
    for name in [&names[1], names.last().unwrap()] {
        let path = dir.path().join(name);
        let good = fs::read(&path).unwrap();
        for cut in [1, FRAME as usize, good.len() - HEADER as usize, good.len() - 10] {
            fs::write(&path, &good[..good.len() - cut]).unwrap();
            assert_eq!(&named(reopen(dir.path()).unwrap_err()).0, name, "{cut} bytes cut");
            let report = fsck(dir.path(), &RealDisk).unwrap();
            assert!(report.problems.iter().any(|problem| problem.segment == *name), "{cut} {report:?}");
        }
        fs::write(&path, &good).unwrap();
    }
    reopen(dir.path()).unwrap();
}

#[tokio::test]
async fn a_journal_whose_segments_are_all_gone_is_not_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    for name in names(dir.path()) {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    let damage = named(reopen(dir.path()).unwrap_err()).3;
    assert_eq!(damage, Damage::LostEntries { durable: Seq(40) });
    assert!(!fsck(dir.path(), &RealDisk).unwrap().is_sound());
}

#[tokio::test]
async fn bytes_that_look_like_an_entry_inside_a_payload_are_not_taken_for_one() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let name = names(dir.path()).pop().unwrap();
    let whole = fs::read(dir.path().join(&name)).unwrap();
    let copied = &whole[whole.len() - 2 * FRAME as usize..];

    // Entry 41 carries good entries of another segment; then it is torn.
    let other = tempfile::tempdir().unwrap();
    let journal = reopen(other.path()).unwrap();
    for number in 1..=38u8 {
        journal.append(Bytes::from(vec![number; 1]), None).await.unwrap();
    }
    journal.append(Bytes::copy_from_slice(copied), None).await.unwrap();
    journal.close().await;
    fs::remove_file(other.path().join("durable")).unwrap();
    let path = other.path().join(names(other.path()).pop().unwrap());
    let bytes = fs::read(&path).unwrap();
    flip(&path, bytes.len() as u64 - copied.len() as u64 - 3);
    assert_eq!(reopen(other.path()).unwrap().durable(), Seq(38));
}

#[tokio::test]
async fn fsck_of_a_sound_journal_counts_it_and_of_an_open_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fsck(&dir.path().join("none"), &RealDisk).unwrap().segments, 0);
    fill(dir.path()).await;
    let report = fsck(dir.path(), &RealDisk).unwrap();
    assert!(report.is_sound() && report.torn.is_none());
    assert_eq!((report.entries, report.first, report.last), (40, Seq(1), Seq(40)));
    assert_eq!(report.bytes, report.segments as u64 * HEADER + 40 * FRAME);
    let _open = reopen(dir.path()).unwrap();
    assert!(matches!(fsck(dir.path(), &RealDisk), Err(JournalError::InUse { .. })));
}
