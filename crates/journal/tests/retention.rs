//! What holds keep, what reclaiming drops, and what readers of dropped entries hear.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use opentrail_journal::{
    Journal, JournalError, JournalOptions, Seq,
    disk::{CrashKeeps, FaultyDisk, RealDisk},
};

const OPTIONS: JournalOptions = JournalOptions { segment_bytes: 1000, queue_bytes: 1 << 20, tail_bytes: 0 };

fn open(dir: &Path) -> Journal {
    Journal::open(dir, OPTIONS, Arc::new(RealDisk)).expect("the journal opens").0
}

async fn append(journal: &Journal, count: usize) {
    for _ in 0..count {
        journal.append(Bytes::from_static(&[7; 100]), None).await.expect("it is durable");
    }
}

#[tokio::test]
async fn without_a_hold_nothing_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, 50).await;
    let reclaimed = journal.reclaim().await.unwrap();
    assert_eq!((reclaimed.segments, reclaimed.first), (0, Seq(1)));
}

#[tokio::test]
async fn segments_go_when_the_slowest_hold_has_passed_them() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, 100).await;
    let before = journal.status();
    let fast = journal.hold("fast", Seq(100));
    let slow = journal.hold("slow", Seq(0));
    assert_eq!(journal.reclaim().await.unwrap().segments, 0);

    slow.advance(Seq(50));
    let reclaimed = journal.reclaim().await.unwrap();
    assert!(reclaimed.segments > 2 && reclaimed.first <= Seq(51) && reclaimed.first > Seq(35));
    let after = journal.status();
    assert_eq!(after.bytes, before.bytes - reclaimed.bytes);
    assert_eq!(after.segments, before.segments - reclaimed.segments);
    assert_eq!(after.holds, [("fast", Seq(100)), ("slow", Seq(50))]);
    let items = journal.reader(slow.position()).try_next_batch(usize::MAX, usize::MAX).unwrap();
    assert_eq!(items.len(), 50, "what is held is there");

    let gone = journal.reader(Seq(0)).next_batch(1, 1).await.unwrap_err();
    assert!(matches!(gone, JournalError::Gone { first } if first == reclaimed.first), "{gone}");

    drop(fast);
    slow.release();
    journal.reclaim().await.unwrap();
    assert_eq!(journal.status().segments, 1, "the active segment stays");
    assert_eq!(journal.append(Bytes::new(), None).await.unwrap(), Seq(101));
}

#[tokio::test]
async fn the_rest_opens_again_and_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, 100).await;
    journal.hold("all", Seq(100));
    let first = journal.reclaim().await.unwrap().first;
    assert!(first > Seq(1));
    drop(journal);
    let journal = open(dir.path());
    assert_eq!((journal.first(), journal.durable()), (first, Seq(100)));
    append(&journal, 30).await;
    assert_eq!(journal.durable(), Seq(130));
}

#[tokio::test]
async fn a_reader_with_an_open_segment_reads_it_to_its_end_or_hears_that_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    append(&journal, 100).await;
    let mut reader = journal.reader(Seq(0));
    assert_eq!(reader.next_batch(3, usize::MAX).await.unwrap().len(), 3);
    journal.hold("other", Seq(60));
    journal.reclaim().await.unwrap();
    let gone = reader.next_batch(3, usize::MAX).await.unwrap_err();
    assert!(matches!(gone, JournalError::Gone { .. }), "{gone}");
    assert_eq!(reader.position(), Seq(3));
}

#[tokio::test]
async fn a_crash_while_segments_are_dropped_leaves_no_gap() {
    for changes in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let (journal, _) = Journal::open(dir.path(), OPTIONS, Arc::new(disk.clone())).unwrap();
        append(&journal, 60).await;
        journal.hold("reader", Seq(55));
        disk.cut_power_after(changes);
        let _ = journal.reclaim().await;
        disk.crash(CrashKeeps::Nothing).unwrap();
        drop(journal);
        let (journal, _) = Journal::open(dir.path(), OPTIONS, Arc::new(disk.clone())).unwrap();
        let items = journal.reader(Seq(55)).try_next_batch(100, usize::MAX).unwrap();
        assert_eq!(items.len(), 5);
    }
}
