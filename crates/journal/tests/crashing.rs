//! A power cut at any moment: what was acknowledged is there, what is there was appended, in order.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use bytes::Bytes;
use opentrail_journal::{
    Journal, JournalError, JournalOptions, Recovery,
    disk::{CrashKeeps, FaultyDisk},
    fsck,
};

const OPTIONS: JournalOptions =
    JournalOptions { segment_bytes: 3000, queue_bytes: 1 << 20, tail_bytes: 1000 };

fn open(dir: &Path, disk: &FaultyDisk) -> Result<(Journal, Recovery), JournalError> {
    Journal::open(dir, OPTIONS, Arc::new(disk.clone()))
}

fn entry(number: u64) -> Bytes {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(8 + (number * 131 % 700) as usize, number as u8);
    payload.into()
}

fn read_all(journal: &Journal) -> Vec<Bytes> {
    let mut reader = journal.reader(journal.first().previous());
    let items = reader.try_next_batch(usize::MAX, usize::MAX).expect("all entries are readable");
    items.into_iter().map(|item| item.payload).collect()
}

/// Appends groups of six until the power goes; answers how many entries were acknowledged.
async fn append_until_cut(journal: &Journal, from: u64) -> u64 {
    let mut next = from;
    loop {
        let mut group = Vec::new();
        for number in next..next + 6 {
            match journal.enqueue(entry(number), None).await {
                Ok(appending) => group.push(appending),
                Err(_) => return next,
            }
        }
        for appending in group {
            match appending.await {
                Ok(_) => next += 1,
                Err(_) => return next,
            }
        }
    }
}

async fn survive(changes: u64, keeps: CrashKeeps) {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::default();
    let mut acknowledged = 0;
    for round in 0..3 {
        disk.cut_power_after(changes + round * 5);
        let opened = open(dir.path(), &disk);
        if let Ok((journal, _)) = &opened {
            acknowledged = append_until_cut(journal, journal.durable().0).await;
        }
        disk.crash(keeps).expect("the machine starts again");
        drop(opened);

        let report = fsck(dir.path(), &disk).expect("the check runs");
        assert!(report.is_sound(), "{changes} {keeps:?} {report:?}");
        let (journal, recovery) = open(dir.path(), &disk).expect("a crash damages nothing");
        let there = read_all(&journal);
        assert_eq!(recovery.last.0, there.len() as u64);
        assert!(there.len() as u64 >= acknowledged, "{changes} {keeps:?} {} {acknowledged}", there.len());
        for (number, payload) in there.iter().enumerate() {
            assert_eq!(payload, &entry(number as u64));
        }
        journal.close().await;
    }
}

#[tokio::test]
async fn a_crash_at_any_change_loses_nothing_acknowledged() {
    for changes in 0..45 {
        for keeps in [
            CrashKeeps::Nothing,
            CrashKeeps::Everything,
            CrashKeeps::FirstBytes(changes * 37),
            CrashKeeps::SomeSectors(changes),
            CrashKeeps::SomeSectors(changes + 1000),
        ] {
            survive(changes, keeps).await;
        }
    }
}

/// One group of three entries is on its way when the power goes; the first bytes of it reach the disk.
async fn torn_at(bytes: u64) -> (Vec<Bytes>, Recovery) {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::default();
    let (journal, _) = open(dir.path(), &disk).expect("a new journal");
    journal.append(entry(0), None).await.expect("it is durable");
    // The mark's bytes come first in the order of the writes.
    disk.hold_syncs();
    let mut group = Vec::new();
    for number in 1..=3 {
        group.push(journal.enqueue(entry(number), None).await.expect("there is room"));
    }
    while disk.counts().writes < 5 {
        tokio::task::yield_now().await;
    }
    disk.crash(CrashKeeps::FirstBytes(bytes)).expect("the machine starts again");
    drop((journal, group));
    let (journal, recovery) = open(dir.path(), &disk).expect("a torn tail is no damage");
    assert_eq!(journal.append(entry(9), None).await.expect("it goes on"), recovery.last.next());
    (read_all(&journal), recovery)
}

#[tokio::test]
async fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let mut kept = BTreeSet::new();
    let mut cuts = 0;
    for bytes in (0..1500).step_by(13) {
        let (there, recovery) = torn_at(bytes).await;
        let count = there.len() - 1;
        assert!(there[..count].iter().enumerate().all(|(at, payload)| *payload == entry(at as u64)));
        assert_eq!(there[count], entry(9));
        if let Some(cut) = recovery.cut {
            assert!(cut.bytes > 0 && cut.segment == "00000000000000000001.seg");
            cuts += 1;
        }
        kept.insert(count);
    }
    assert!(kept.first() == Some(&1) && kept.len() > 1 && cuts > 10, "{kept:?} {cuts}");
}
