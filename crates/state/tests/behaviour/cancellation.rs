//! A caller that goes away, at any point of its call.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use opentrail_journal::Seq;
use opentrail_state::{Fact, StateError};

use crate::fixture::{Thing, World, event, eventually, put, thing, things};

/// Polls a future once and drops it: a caller that goes away while it waits.
fn begin_and_leave(future: impl Future) {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(future.as_mut().poll(&mut context), Poll::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_has_begun_becomes_visible_without_its_caller() {
    let world = World::new();
    let opened = world.open().await;
    world.disk.hold_syncs();
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(1));
    begin_and_leave(tx.commit(vec![event("PutThing", 1)]));
    assert!(things(&opened.state).is_empty(), "visible before it is durable");

    let next = opened.state.begin();
    let waiting = tokio::time::timeout(Duration::from_millis(50), next).await;
    assert!(waiting.is_err(), "the next writer came in before the commit was done");
    world.disk.release_syncs();
    let tx = opened.state.begin().await;
    assert_eq!(tx.get::<Thing>("1/a").unwrap().size, 1);
    drop(tx);
    assert_eq!(things(&opened.state), [("1/a".to_owned(), 1)]);
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_closure_of_an_append_runs_without_its_caller() {
    let world = World::new();
    let opened = world.open().await;
    world.disk.hold_syncs();
    let heard = Arc::new(AtomicU64::new(0));
    let facts = vec![Fact { view: "vault".into(), body: Bytes::from_static(b"put") }];
    let hears = Arc::clone(&heard);
    begin_and_leave(opened.state.append_then(facts, vec![event("PutObject", 1)], move |result| {
        hears.store(result.unwrap().0, Ordering::SeqCst);
    }));
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    world.disk.release_syncs();
    eventually("the closure was called", || heard.load(Ordering::SeqCst) == 1).await;
    opened.close().await;
}

#[tokio::test]
async fn the_closures_get_the_outcome_and_give_the_answer() {
    let world = World::new();
    let opened = world.open().await;
    let answer = opened.state.append_then(Vec::new(), vec![event("Call", 1)], |result| result.unwrap().0 + 1);
    assert_eq!(answer.await.unwrap(), 2);

    let state = opened.state.clone();
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(1));
    let seen = tx.commit_then(vec![event("PutThing", 1)], move |result| {
        (result.unwrap(), state.get::<Thing>("1/a").is_some(), state.generation())
    });
    assert_eq!(seen.await.unwrap(), (Seq(2), true, 2));
    opened.close().await;
}

#[tokio::test]
async fn a_closure_that_panics_is_its_own_callers_trouble_only() {
    let world = World::new();
    let opened = world.open().await;
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(1));
    let outcome = tx.commit_then(vec![event("PutThing", 1)], |_| panic!("a mistake in the closure")).await;
    assert!(matches!(outcome, Err::<(), _>(StateError::Interrupted)));
    assert_eq!(things(&opened.state), [("1/a".to_owned(), 1)]);
    put(&opened.state, "1/b", 2).await;
    opened.close().await;
}

#[test]
fn a_commit_that_the_runtime_tears_down_leaves_no_stale_documents_to_write_down() {
    let world = World::new();
    let doomed = tokio::runtime::Runtime::new().unwrap();
    let opened = doomed.block_on(world.open());
    doomed.block_on(async {
        world.disk.hold_syncs();
        let mut tx = opened.state.begin().await;
        tx.put("1/a", &thing(1));
        begin_and_leave(tx.commit(vec![event("PutThing", 1)]));
        eventually("the entry is on its way", || opened.journal.status().queue_bytes > 0).await;
    });
    doomed.shutdown_background();
    world.disk.release_syncs();

    let next = tokio::runtime::Runtime::new().unwrap();
    next.block_on(async {
        eventually("the entry is durable", || opened.journal.durable() == Seq(1)).await;
        // The documents lack the change, so neither a snapshot nor another change may build on them.
        let refused = opened.state.snapshot_now().await.unwrap_err();
        assert!(matches!(refused, StateError::Interrupted), "{refused}");
        let mut tx = opened.state.begin().await;
        tx.put("1/a", &thing(2));
        let refused = tx.commit(vec![event("PutThing", 2)]).await.unwrap_err();
        assert!(matches!(refused, StateError::Interrupted), "{refused}");
        opened.journal.close().await;
        drop(opened);
        let opened = world.open().await;
        assert_eq!(things(&opened.state), [("1/a".to_owned(), 1)]);
        opened.close().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_cannot_fill_the_memory() {
    let mut world = World::new();
    world.options.in_flight_bytes = 4096;
    let opened = world.open().await;
    world.disk.hold_syncs();
    let started = Arc::new(AtomicU64::new(0));
    for _ in 0..100 {
        let started = Arc::clone(&started);
        let fact = Fact { view: "vault".into(), body: Bytes::from(vec![0; 2000]) };
        begin_and_leave(opened.state.append_then(vec![fact], Vec::new(), move |result| {
            result.unwrap();
            started.fetch_add(1, Ordering::SeqCst);
        }));
    }
    world.disk.release_syncs();
    opened.state.append(Vec::new(), vec![event("Last", 1)]).await.unwrap();
    eventually("the entries that were let in are durable", || started.load(Ordering::SeqCst) >= 1).await;
    assert!(opened.journal.durable().0 < 10, "{}", opened.journal.durable());
    opened.close().await;
}
