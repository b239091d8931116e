//! Appending, reading, and going on after a restart.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use opentrail_journal::{
    Item, Journal, JournalError, JournalOptions, MAX_ENTRY_BYTES, Recovery, Seq,
    disk::{FaultyDisk, RealDisk},
};

fn open(dir: &Path, options: JournalOptions) -> (Journal, Recovery) {
    Journal::open(dir, options, Arc::new(RealDisk)).expect("the journal opens")
}

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 2000, queue_bytes: 1 << 20, tail_bytes: 0 }
}

fn entry(number: u64) -> Bytes {
    Bytes::from(format!("entry {number} {}", "x".repeat(number as usize % 97)))
}

fn check(items: &[Item], first: u64) {
    for (at, item) in items.iter().enumerate() {
        let number = first + at as u64;
        assert_eq!((item.seq, &item.payload), (Seq(number), &entry(number)));
    }
}

#[tokio::test]
async fn entries_come_back_in_order_from_memory_and_from_the_disk() {
    for tail_bytes in [0, 3000, 1 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, recovery) = open(dir.path(), JournalOptions { tail_bytes, ..small() });
        assert_eq!((recovery.first, recovery.last, recovery.cut), (Seq(1), Seq(0), None));
        for number in 1..=200 {
            assert_eq!(journal.append(entry(number), None).await.unwrap(), Seq(number));
        }
        assert!(journal.status().segments > 3);
        let mut reader = journal.reader(Seq(0));
        let mut seen = 0;
        while seen < 200 {
            let items = reader.next_batch(7, 300).await.unwrap();
            assert!((1..=7).contains(&items.len()));
            check(&items, seen + 1);
            seen += items.len() as u64;
        }
        assert_eq!(reader.position(), Seq(200));
        assert!(reader.try_next_batch(1, 1).unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_restart_goes_on_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let (journal, recovery) = open(dir.path(), small());
        assert_eq!((recovery.last, recovery.cut), (Seq(round * 30), None));
        for number in 1..=30 {
            journal.append(entry(round * 30 + number), None).await.unwrap();
        }
        if round % 2 == 0 {
            journal.close().await;
        }
    }
    let (journal, _) = open(dir.path(), small());
    let items = journal.reader(Seq(10)).try_next_batch(usize::MAX, usize::MAX).unwrap();
    assert_eq!(items.len(), 140);
    check(&items, 11);
}

#[tokio::test]
async fn attachments_travel_with_entries_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), JournalOptions::default());
    journal.append(entry(1), Some(Arc::new("decoded".to_owned()))).await.unwrap();
    let items = journal.reader(Seq(0)).next_batch(1, 1).await.unwrap();
    let attachment = items[0].attachment.clone().unwrap();
    assert_eq!(*attachment.downcast::<String>().unwrap(), "decoded");
}

#[tokio::test]
async fn a_reader_waits_for_the_next_entry() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let mut reader = journal.reader(Seq(0));
    let waiting = tokio::spawn(async move { reader.next_batch(10, 1000).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    journal.append(entry(1), None).await.unwrap();
    check(&waiting.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn large_small_and_empty_entries_share_a_group() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), JournalOptions { tail_bytes: 0, ..JournalOptions::default() });
    let sizes = [0, 1, 64 << 10, 3, (64 << 10) - 1, 3 << 20, 0, 9 << 20, 5];
    let mut appending = Vec::new();
    for (at, size) in sizes.iter().enumerate() {
        appending.push(journal.enqueue(Bytes::from(vec![at as u8; *size]), None).await.unwrap());
    }
    for (at, appending) in appending.into_iter().enumerate() {
        assert_eq!(appending.await.unwrap(), Seq(at as u64 + 1));
    }
    let items = journal.reader(Seq(0)).try_next_batch(100, usize::MAX).unwrap();
    assert_eq!(items.len(), sizes.len());
    for (at, (item, size)) in items.iter().zip(sizes).enumerate() {
        assert!(item.payload.len() == size && item.payload.iter().all(|byte| *byte == at as u8));
    }
}

#[tokio::test]
async fn too_large_an_entry_is_refused_and_the_largest_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let error = journal.append(Bytes::from(vec![0; MAX_ENTRY_BYTES + 1]), None).await.unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { limit: MAX_ENTRY_BYTES, .. }), "{error}");
    assert_eq!(journal.append(Bytes::from(vec![7; MAX_ENTRY_BYTES]), None).await.unwrap(), Seq(1));
    let items = journal.reader(Seq(0)).try_next_batch(1, 1).unwrap();
    assert_eq!(items[0].payload.len(), MAX_ENTRY_BYTES);
}

#[tokio::test]
async fn a_folder_is_opened_once() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let again = Journal::open(dir.path(), small(), Arc::new(RealDisk));
    assert!(matches!(again, Err(JournalError::InUse { .. })));
    drop(journal);
    open(dir.path(), small());
}

#[tokio::test]
async fn after_close_appends_are_refused_and_readers_finish() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    let appending = journal.enqueue(entry(1), None).await.unwrap();
    journal.close().await;
    journal.close().await;
    assert_eq!(appending.await.unwrap(), Seq(1), "what was in the queue is written");
    assert!(matches!(journal.append(entry(2), None).await, Err(JournalError::Closed)));
    let mut reader = journal.reader(Seq(0));
    check(&reader.next_batch(9, 9).await.unwrap(), 1);
    assert!(matches!(reader.next_batch(9, 9).await, Err(JournalError::Closed)));
    open(dir.path(), small());
}

#[tokio::test]
async fn a_position_beyond_the_end_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path(), small());
    journal.append(entry(1), None).await.unwrap();
    let error = journal.reader(Seq(2)).next_batch(1, 1).await.unwrap_err();
    assert!(matches!(error, JournalError::Ahead { position: Seq(2), durable: Seq(1) }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_a_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (journal, _) = Journal::open(dir.path(), JournalOptions::default(), Arc::new(disk.clone())).unwrap();
    disk.reset_counts();
    disk.inject(opentrail_journal::disk::Fault::delay(
        opentrail_journal::disk::Operation::Sync,
        Duration::from_millis(2),
    ));
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    journal.append(entry(1), None).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(journal.durable(), Seq(64 * 20));
    let syncs = disk.counts().file_syncs;
    assert!(syncs < 64 * 20 / 8, "{syncs} syncs for 1280 appends");
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_bounds_memory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let options = JournalOptions { queue_bytes: 10_000, ..small() };
    let (journal, _) = Journal::open(dir.path(), options, Arc::new(disk.clone())).unwrap();
    disk.hold_syncs();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(Bytes::from(vec![0; 1000]), None).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(journal.status().queue_bytes <= 10_000);
    assert_eq!(journal.durable(), Seq(0));
    disk.release_syncs();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    journal.settled().await;
    assert_eq!((journal.durable(), journal.status().queue_bytes), (Seq(100), 0));
}

#[tokio::test]
async fn settled_waits_for_what_was_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (journal, _) = Journal::open(dir.path(), small(), Arc::new(disk.clone())).unwrap();
    journal.settled().await;
    disk.hold_syncs();
    let appending = journal.enqueue(entry(1), None).await.unwrap();
    let settled = tokio::time::timeout(Duration::from_millis(20), journal.settled()).await;
    assert!(settled.is_err());
    disk.release_syncs();
    journal.settled().await;
    assert_eq!(journal.durable(), Seq(1));
    appending.await.unwrap();
}
