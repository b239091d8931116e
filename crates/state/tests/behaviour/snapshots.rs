//! Snapshots: when they are written, what they hold, and what happens when one is bad.

use std::fs;

use opentrail_journal::Seq;
use opentrail_state::{SnapshotError, StateError, fsck};

use crate::fixture::{World, event, eventually, put, thing, things};

#[tokio::test]
async fn a_closed_state_opens_without_replaying_anything() {
    let world = World::new();
    let opened = world.open().await;
    for size in 0..20 {
        put(&opened.state, &format!("1/{size:02}"), size).await;
    }
    opened.state.append(Vec::new(), vec![event("Call", 1)]).await.unwrap();
    let before = things(&opened.state);
    let generation = opened.state.generation();
    opened.close().await;

    let opened = world.open().await;
    let recovery = opened.state.recovery();
    assert_eq!(recovery.snapshot, Some(Seq(21)));
    assert_eq!((recovery.replayed, recovery.documents), (0, 20));
    assert_eq!(things(&opened.state), before);
    assert!(opened.state.generation() >= generation);
    put(&opened.state, "1/00", 99).await;
    assert_eq!(opened.state.revision::<crate::fixture::Thing>("1/00"), Some(2));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_written_in_the_background_as_entries_pass_even_without_changes() {
    let mut world = World::new();
    world.options.snapshot_entries = 50;
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    for number in 0..60 {
        opened.state.append(Vec::new(), vec![event("Call", number)]).await.unwrap();
    }
    eventually("there is a snapshot", || !world.snapshots().is_empty()).await;
    opened.journal.close().await;
    drop(opened);
    let opened = world.open().await;
    assert!(opened.state.recovery().snapshot >= Some(Seq(50)));
    assert!(opened.state.recovery().replayed <= 11);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_written_as_bytes_pass() {
    let mut world = World::new();
    world.options.snapshot_bytes = 10_000;
    let opened = world.open().await;
    for number in 0..100 {
        opened.state.append(Vec::new(), vec![event("Call", number)]).await.unwrap();
    }
    eventually("there is a snapshot", || !world.snapshots().is_empty()).await;
    opened.close().await;
}

#[tokio::test]
async fn a_snapshot_that_a_crash_left_half_written_is_removed() {
    let world = World::new();
    world.open().await.close().await;
    let leftover = world.state_dir().join(format!(".snapshot-{:020}.state.tmp", 7));
    let strange = world.state_dir().join("snapshot-of-somebody.state");
    fs::write(&leftover, b"half").unwrap();
    fs::write(&strange, b"not ours").unwrap();
    let opened = world.open().await;
    assert!(!leftover.exists());
    assert!(strange.exists());
    assert!(opened.state.recovery().rejected.is_empty());
    opened.close().await;
}

#[tokio::test]
async fn two_snapshots_are_kept() {
    let world = World::new();
    let opened = world.open().await;
    for size in 0..5 {
        put(&opened.state, "1/a", size).await;
        opened.state.snapshot_now().await.unwrap();
        opened.state.snapshot_now().await.unwrap();
    }
    assert_eq!(world.snapshots().len(), 2);
    let report = opened.state.verify().await.unwrap();
    assert_eq!(report.snapshots, [Seq(4), Seq(5)]);
    assert_eq!((report.entries, report.records, report.documents), (5, 5, 1));
    opened.close().await;
}

#[tokio::test]
async fn a_bad_snapshot_is_reported_and_the_one_before_and_the_journal_give_the_same() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    opened.state.snapshot_now().await.unwrap();
    put(&opened.state, "1/b", 2).await;
    put(&opened.state, "1/a", 3).await;
    let before = things(&opened.state);
    opened.close().await;
    let newest = world.snapshots().pop().unwrap();
    let whole = fs::read(&newest).unwrap();
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        fs::write(&newest, &bad).unwrap();
        let opened = world.open().await;
        let recovery = opened.state.recovery();
        assert_eq!(recovery.rejected.len(), 1, "byte {at}");
        assert_eq!(recovery.rejected[0].path, newest);
        assert_eq!((recovery.snapshot, recovery.replayed), (Some(Seq(1)), 2));
        assert_eq!(things(&opened.state), before);
        opened.journal.close().await;
    }
    fs::write(&newest, &whole[..whole.len() / 2]).unwrap();
    let opened = world.open().await;
    assert!(matches!(opened.state.recovery().rejected[0].cause, SnapshotError::Checksum));
    opened.close().await;
    let opened = world.open().await;
    assert!(opened.state.recovery().rejected.is_empty(), "the next snapshot replaced the bad one");
    assert_eq!(opened.state.recovery().replayed, 0);
    opened.close().await;
}

#[tokio::test]
async fn without_any_snapshot_the_journal_alone_gives_the_documents() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    put(&opened.state, "1/b", 2).await;
    let before = things(&opened.state);
    opened.close().await;
    fs::remove_dir_all(world.state_dir()).unwrap();
    let opened = world.open().await;
    assert_eq!(opened.state.recovery().replayed, 2);
    assert_eq!(things(&opened.state), before);
    opened.close().await;
}

#[tokio::test]
async fn the_journal_is_kept_as_far_back_as_the_older_snapshot_and_no_further() {
    let mut world = World::new();
    world.journal_options.segment_bytes = 4096;
    let opened = world.open().await;
    for size in 0..100 {
        put(&opened.state, "1/a", size).await;
    }
    opened.state.snapshot_now().await.unwrap();
    for size in 100..200 {
        put(&opened.state, "1/a", size).await;
    }
    opened.journal.reclaim().await.unwrap();
    assert_eq!(opened.journal.first(), Seq(1), "one snapshot alone must not be relied upon");
    opened.state.snapshot_now().await.unwrap();
    opened.journal.reclaim().await.unwrap();
    let first = opened.journal.first();
    assert!(Seq(1) < first && first <= Seq(101), "{first}");
    put(&opened.state, "1/b", 1).await;
    let before = things(&opened.state);
    opened.state.verify().await.unwrap();
    opened.journal.close().await;
    drop(opened);

    let newest = world.snapshots().pop().unwrap();
    fs::write(&newest, b"").unwrap();
    let opened = world.open().await;
    assert_eq!(opened.state.recovery().snapshot, Some(Seq(100)));
    assert_eq!(things(&opened.state), before);
    opened.journal.close().await;
    drop(opened);

    fs::remove_dir_all(world.state_dir()).unwrap();
    let failed = world.try_open().await.err().unwrap();
    assert!(matches!(failed, StateError::Gap { needed: Seq(0), .. }), "{failed}");
}

#[tokio::test]
async fn a_journal_that_ends_before_the_snapshot_is_refused() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    opened.close().await;
    fs::remove_dir_all(world.journal_dir()).unwrap();
    let failed = world.try_open().await.err().unwrap();
    assert!(matches!(failed, StateError::Lost { snapshot: Seq(1), durable: Seq(0) }), "{failed}");
}

#[tokio::test]
async fn fsck_finds_a_snapshot_that_is_whole_and_wrong() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    opened.state.snapshot_now().await.unwrap();
    fsck(&opened.journal, &world.state_dir(), &world.disk).unwrap();
    let file = world.snapshots().pop().unwrap();
    let snapshot = fs::read(&file).unwrap();
    opened.journal.close().await;
    drop(opened);

    // Another history that has as many entries.
    let other = World::new();
    let opened = other.open().await;
    let mut tx = opened.state.begin().await;
    tx.put("1/b", &thing(2));
    tx.commit(vec![event("PutThing", 2)]).await.unwrap();
    opened.state.snapshot_now().await.unwrap();
    fs::write(other.snapshots().pop().unwrap(), snapshot).unwrap();
    let failed = fsck(&opened.journal, &other.state_dir(), &other.disk).unwrap_err();
    assert!(matches!(&failed, StateError::Differs { seq: Seq(1), id, .. } if id == "1/a"), "{failed}");
    opened.journal.close().await;
}
