//! A disk that is full or fails.

use std::io::ErrorKind;

use opentrail_journal::{
    JournalError,
    disk::{Fault, Operation},
};
use opentrail_state::StateError;

use crate::fixture::{Thing, World, event, put, thing, things};

#[tokio::test]
async fn a_full_disk_refuses_the_commit_and_it_succeeds_when_there_is_room() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    world.disk.limit_space(Some(0));
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(2));
    let refused = tx.commit(vec![event("PutThing", 2)]).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
    assert!(matches!(refused, StateError::Journal(JournalError::DiskFull(_))), "{refused}");
    assert_eq!(opened.state.get::<Thing>("1/a").unwrap().size, 1);
    let refused = opened.state.append(Vec::new(), vec![event("Call", 3)]).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused}");

    world.disk.limit_space(None);
    put(&opened.state, "1/a", 3).await;
    assert_eq!(opened.state.get::<Thing>("1/a").unwrap().size, 3);
    opened.close().await;
    let opened = world.open().await;
    assert_eq!(things(&opened.state), [("1/a".to_owned(), 3)]);
    opened.close().await;
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_changed_any_more_and_a_restart_recovers() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    world.disk.inject(Fault::error(Operation::Sync, ErrorKind::Other).on("journal"));
    for size in 2..4 {
        let mut tx = opened.state.begin().await;
        tx.put("1/a", &thing(size));
        let failed = tx.commit(vec![event("PutThing", size)]).await.unwrap_err();
        assert!(matches!(failed, StateError::Journal(JournalError::Poisoned(_))), "{failed}");
        assert!(!failed.is_retryable());
        assert_eq!(opened.state.get::<Thing>("1/a").unwrap().size, 1);
    }
    world.disk.heal();
    opened.journal.close().await;
    drop(opened);
    let opened = world.open().await;
    let size = opened.state.get::<Thing>("1/a").unwrap().size;
    assert!(size == 1 || size == 2, "only what was acknowledged or in doubt may be there: {size}");
    put(&opened.state, "1/a", 4).await;
    opened.close().await;
}

#[tokio::test]
async fn a_snapshot_that_fails_loses_nothing_and_is_tried_again() {
    let world = World::new();
    let opened = world.open().await;
    for (size, fault) in [
        Fault::error(Operation::Create, ErrorKind::PermissionDenied),
        Fault::error(Operation::Write, ErrorKind::StorageFull),
        Fault::error(Operation::Sync, ErrorKind::Other),
        Fault::error(Operation::Rename, ErrorKind::Other),
        Fault::error(Operation::SyncDir, ErrorKind::Other),
    ]
    .into_iter()
    .enumerate()
    {
        put(&opened.state, "1/a", size as u64).await;
        world.disk.inject(fault.on("state"));
        let failed = opened.state.snapshot_now().await.unwrap_err();
        assert!(matches!(failed, StateError::Disk { .. }), "{failed}");
        world.disk.heal();
        opened.state.verify().await.unwrap();
    }
    opened.state.snapshot_now().await.unwrap();
    assert_eq!(opened.state.verify().await.unwrap().snapshots.last(), Some(&opened.journal.durable()));
    opened.close().await;
}

#[tokio::test]
async fn short_writes_are_carried_on() {
    let world = World::new();
    world.disk.inject(Fault::short_writes(7));
    let opened = world.open().await;
    for size in 0..5 {
        put(&opened.state, &format!("1/{size}"), size).await;
    }
    let before = things(&opened.state);
    opened.close().await;
    let opened = world.open().await;
    assert_eq!(opened.state.recovery().replayed, 0);
    assert_eq!(things(&opened.state), before);
    opened.close().await;
}
