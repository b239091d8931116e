//! What short writes, failed syncs and a full disk do.

use std::{fs, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use opentrail_journal::{
    Health, Journal, JournalError, JournalOptions, Seq,
    disk::{CrashKeeps, Fault, FaultyDisk, Operation},
    fsck,
};

const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 4000, queue_bytes: 1 << 20, tail_bytes: 0 };

fn open(dir: &Path, disk: &FaultyDisk) -> Journal {
    Journal::open(dir, OPTIONS, Arc::new(disk.clone())).expect("the journal opens").0
}

fn entry(number: u64) -> Bytes {
    Bytes::from(format!("{number:->100}"))
}

/// Everything that is there, each payload as the number it was made from.
fn numbers(journal: &Journal) -> Vec<u64> {
    let mut reader = journal.reader(journal.first().previous());
    let items = reader.try_next_batch(usize::MAX, usize::MAX).expect("all entries are readable");
    let number = |payload: &[u8]| String::from_utf8_lossy(payload).trim_start_matches('-').parse();
    items.iter().map(|item| number(&item.payload).expect("a number")).collect()
}

#[tokio::test]
async fn short_writes_are_continued() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    disk.inject(Fault::short_writes(7));
    let journal = open(dir.path(), &disk);
    for number in 1..=100 {
        journal.append(entry(number), None).await.unwrap();
    }
    assert_eq!(numbers(&journal), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failed_sync_stops_the_journal_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    journal.append(entry(1), None).await.unwrap();
    disk.inject(Fault::error(Operation::Sync, ErrorKind::Other));
    let unknown = journal.append(entry(2), None).await;
    assert!(matches!(unknown, Err(JournalError::Poisoned(_))), "{unknown:?}");

    let before = disk.counts();
    let refused = journal.append(entry(3), None).await.unwrap_err();
    assert!(refused.to_string().contains(".seg"), "{refused}");
    assert!(!refused.is_retryable());
    assert!(matches!(journal.reclaim().await, Err(JournalError::Poisoned(_))));
    assert_eq!(disk.counts(), before, "nothing is written after the failure");
    assert!(matches!(journal.status().health, Health::Poisoned(_)));
    assert_eq!(numbers(&journal), [1], "what was durable is still read");
    drop(journal);

    // The failed sync's pages count as clean: only recovery's second writing can have saved entry 2.
    let journal = open(dir.path(), &disk);
    assert_eq!(numbers(&journal), [1, 2]);
    journal.append(entry(4), None).await.unwrap();
    disk.crash(CrashKeeps::Nothing).unwrap();
    drop(journal);
    assert_eq!(numbers(&open(dir.path(), &disk)), [1, 2, 4]);
}

#[tokio::test]
async fn all_that_wait_hear_of_the_failure() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    disk.hold_syncs();
    disk.inject(Fault::error(Operation::Sync, ErrorKind::Other).after(1).always());
    let mut appending = Vec::new();
    for number in 0..20 {
        appending.push(journal.enqueue(entry(number), None).await.unwrap());
    }
    disk.release_syncs();
    let mut failed = 0;
    for appending in appending {
        failed += u64::from(appending.await.is_err());
    }
    journal.settled().await;
    assert_eq!(failed + journal.durable().0, 20);
    assert_eq!(journal.status().queue_bytes, 0);
}

#[tokio::test]
async fn a_full_disk_refuses_and_is_used_again_when_space_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    let mut taken = Vec::new();
    for round in 0..20 {
        // Too little for the third entry of each round, also where a new segment begins.
        disk.limit_space(Some(300));
        for at in 0..3 {
            let number = round * 10 + at;
            match journal.append(entry(number), None).await {
                Ok(seq) => {
                    taken.push(number);
                    assert_eq!(seq, Seq(taken.len() as u64));
                }
                Err(error) => {
                    assert!(matches!(error, JournalError::DiskFull(_)) && error.is_retryable(), "{error}");
                    assert!(matches!(journal.status().health, Health::Full));
                }
            }
        }
        disk.limit_space(None);
        journal.append(entry(round * 10 + 5), None).await.unwrap();
        taken.push(round * 10 + 5);
        assert!(journal.status().health.is_healthy());
    }
    assert!(taken.len() < 80 && journal.status().segments > 1);
    assert_eq!(numbers(&journal), taken);
    drop(journal);
    assert_eq!(numbers(&open(dir.path(), &disk)), taken);
}

#[tokio::test]
async fn a_journal_that_nobody_uses_notices_that_space_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    disk.limit_space(Some(50));
    assert!(journal.append(entry(1), None).await.is_err());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(matches!(journal.status().health, Health::Full), "a little space is not enough");
    disk.limit_space(None);
    let healthy = async {
        while !journal.status().health.is_healthy() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), healthy).await.expect("space is noticed");
    drop(journal);
    assert!(fs::read_dir(dir.path()).unwrap().all(|entry| entry.unwrap().file_name() != "probe"));
}

#[tokio::test]
async fn what_was_refused_never_comes_back_whatever_a_crash_keeps() {
    for (keeps, at_once) in [
        (CrashKeeps::Nothing, false),
        (CrashKeeps::Nothing, true),
        (CrashKeeps::Everything, false),
        (CrashKeeps::SomeSectors(3), false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        disk.write_back_at_once(at_once);
        let journal = open(dir.path(), &disk);
        journal.append(entry(1), None).await.unwrap();
        disk.limit_space(Some(150));
        let group =
            [journal.enqueue(entry(2), None).await.unwrap(), journal.enqueue(entry(3), None).await.unwrap()];
        let mut refused = 0;
        for appending in group {
            refused += u32::from(appending.await.is_err());
        }
        assert!(refused > 0);
        let kept = numbers(&journal);
        disk.crash(keeps).unwrap();
        drop(journal);
        assert_eq!(numbers(&open(dir.path(), &disk)), kept);
    }
}

#[tokio::test]
async fn if_the_cut_after_a_full_disk_fails_the_journal_stops() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    disk.limit_space(Some(50));
    disk.inject(Fault::error(Operation::SetLen, ErrorKind::Other));
    assert!(matches!(journal.append(entry(1), None).await, Err(JournalError::Poisoned(_))));
    disk.heal();
    assert!(matches!(journal.append(entry(1), None).await, Err(JournalError::Poisoned(_))));
}

#[tokio::test]
async fn a_failed_sync_of_the_folder_acknowledges_nothing_in_the_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open(dir.path(), &disk);
    disk.inject(Fault::error(Operation::SyncDir, ErrorKind::Other));
    let mut acknowledged = Vec::new();
    for number in 1..=100 {
        match journal.append(entry(number), None).await {
            Ok(_) => acknowledged.push(number),
            Err(_) => break,
        }
    }
    assert!(!acknowledged.is_empty() && acknowledged.len() < 100);
    disk.crash(CrashKeeps::Nothing).unwrap();
    drop(journal);
    assert_eq!(numbers(&open(dir.path(), &disk)), acknowledged);
}

#[tokio::test]
async fn a_journal_without_its_mark_still_works() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    disk.inject(Fault::error(Operation::Create, ErrorKind::PermissionDenied).on("durable"));
    let journal = open(dir.path(), &disk);
    for number in 1..=10 {
        journal.append(entry(number), None).await.unwrap();
    }
    drop(journal);
    assert_eq!(numbers(&open(dir.path(), &disk)).len(), 10);
}

#[test]
fn opening_on_a_full_disk_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    disk.limit_space(Some(0));
    let opened = Journal::open(dir.path(), OPTIONS, Arc::new(disk.clone()));
    assert!(matches!(opened, Err(JournalError::DiskFull(_))), "{opened:?}");
    disk.limit_space(Some(20));
    let opened = Journal::open(dir.path(), OPTIONS, Arc::new(disk.clone()));
    assert!(matches!(opened, Err(JournalError::DiskFull(_))), "{opened:?}");
    disk.heal();
    drop(open(dir.path(), &disk));
    assert!(fsck(dir.path(), &disk).unwrap().is_sound());
}
