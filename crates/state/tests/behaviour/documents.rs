//! Documents and transactions, without faults.

use std::collections::BTreeMap;

use bytes::Bytes;
use opentrail_journal::Seq;
use opentrail_state::{Change, Entry, Fact, MAX_ID_BYTES, StateError};
use proptest::prelude::*;

use crate::fixture::{Misread, Other, Thing, World, event, put, thing, things};

#[tokio::test]
async fn a_commit_is_one_entry_with_changes_facts_and_records() {
    let world = World::new();
    let opened = world.open().await;
    let mut reader = opened.journal.reader(Seq(0));
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(7));
    tx.put("1/b", &Other { name: "b".into() });
    tx.fact(Fact { view: "vault".into(), body: Bytes::from_static(b"fact") });
    let seq = tx.commit(vec![event("One", 1), event("Two", 2)]).await.unwrap();

    let items = reader.try_next_batch(10, 1 << 20).unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].seq, seq);
    let carried = Entry::of(&items[0]).unwrap();
    let decoded = Entry::decode(&items[0].payload).unwrap();
    for entry in [&*carried, &decoded] {
        let kinds: Vec<&str> = entry
            .changes
            .iter()
            .map(|change| match change {
                Change::Put { kind, revision: 1, .. } => kind.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, ["test.other", "test.thing"]);
        assert_eq!(entry.facts[0].body, "fact");
        let names: Vec<&str> = entry.events.iter().map(|owned| owned.event.name()).collect();
        assert_eq!(names, ["One", "Two"]);
    }
    assert_eq!(Entry::facts_of(&items[0], "vault").unwrap().len(), 1);
    assert_eq!(Entry::facts_of(&items[0], "other").unwrap().len(), 0);
    opened.close().await;
}

#[tokio::test]
async fn readers_see_a_change_only_after_its_commit_and_the_transaction_sees_it_before() {
    let world = World::new();
    let opened = world.open().await;
    let state = &opened.state;
    put(state, "1/a", 1).await;
    put(state, "1/b", 2).await;

    let mut tx = state.begin().await;
    tx.put("1/a", &thing(10));
    tx.put("1/c", &thing(3));
    assert!(tx.delete::<Thing>("1/b"));
    assert!(!tx.delete::<Thing>("1/b"));
    assert!(!tx.delete::<Thing>("1/none"));
    assert_eq!(tx.get::<Thing>("1/a").unwrap().size, 10);
    assert!(tx.get::<Thing>("1/b").is_none());
    let ids = |found: Vec<(String, _)>| found.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(tx.list::<Thing>("1/")), ["1/a", "1/c"]);
    assert_eq!(ids(tx.scan::<Thing>("1/", Some("1/a"), 1)), ["1/c"]);
    assert_eq!(tx.revision::<Thing>("1/a"), Some(2));
    assert_eq!(things(state), [("1/a".to_owned(), 1), ("1/b".to_owned(), 2)]);

    let before = (state.generation(), state.generation_of::<Thing>(), state.generation_of::<Other>());
    tx.commit(vec![event("Change", 1)]).await.unwrap();
    assert_eq!(things(state), [("1/a".to_owned(), 10), ("1/c".to_owned(), 3)]);
    assert!(state.generation() > before.0);
    assert!(state.generation_of::<Thing>() > before.1);
    assert_eq!(state.generation_of::<Other>(), before.2);
    opened.close().await;
}

#[tokio::test]
async fn a_dropped_transaction_changes_nothing_and_lets_the_next_in() {
    let world = World::new();
    let opened = world.open().await;
    let mut tx = opened.state.begin().await;
    tx.put("1/a", &thing(1));
    tx.fact(Fact { view: "vault".into(), body: Bytes::new() });
    assert!(!tx.is_empty());
    drop(tx);
    assert!(opened.state.begin().await.is_empty());
    assert_eq!(opened.journal.durable(), Seq(0));
    assert!(things(&opened.state).is_empty());
    opened.close().await;
}

#[tokio::test]
async fn an_empty_commit_writes_nothing() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    let mut tx = opened.state.begin().await;
    tx.put("1/b", &thing(1));
    tx.delete::<Thing>("1/b");
    assert!(tx.is_empty());
    assert_eq!(tx.commit(Vec::new()).await.unwrap(), Seq(1));
    assert_eq!(opened.state.append(Vec::new(), Vec::new()).await.unwrap(), Seq(1));
    assert_eq!(opened.journal.durable(), Seq(1));
    opened.close().await;
}

#[tokio::test]
async fn what_cannot_be_kept_makes_the_commit_fail_and_changes_nothing() {
    let world = World::new();
    let opened = world.open().await;
    let mut tx = opened.state.begin().await;
    tx.put("1/fine", &thing(1));
    tx.put(&"x".repeat(MAX_ID_BYTES + 1), &thing(1));
    let refused = tx.commit(vec![event("Change", 1)]).await.unwrap_err();
    assert!(matches!(refused, StateError::Refused { limit: MAX_ID_BYTES, .. }), "{refused}");
    assert!(!refused.is_retryable());
    assert!(things(&opened.state).is_empty());
    assert_eq!(opened.journal.durable(), Seq(0));
    put(&opened.state, "1/fine", 2).await;
    opened.close().await;
}

#[tokio::test]
async fn a_document_that_does_not_fit_its_type_is_found_by_check() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    assert!(opened.state.get::<Misread>("1/a").is_none());
    assert!(matches!(opened.state.try_get::<Misread>("1/a"), Err(StateError::Document { .. })));
    assert!(opened.state.check::<Misread>().is_err());
    assert_eq!(opened.state.check::<Thing>().unwrap(), 1);
    assert!(opened.state.list::<Misread>("").is_empty());
    opened.close().await;
}

#[tokio::test]
async fn a_value_is_decoded_once_for_all_readers() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/a", 1).await;
    let first = opened.state.get::<Thing>("1/a").unwrap();
    let second = opened.state.list::<Thing>("1/").remove(0).1;
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_depend_on_what_was_read_are_never_lost() {
    let world = World::new();
    let opened = world.open().await;
    put(&opened.state, "1/counter", 0).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let state = opened.state.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut tx = state.begin().await;
                    let size = tx.get::<Thing>("1/counter").unwrap().size;
                    tx.put("1/counter", &thing(size + 1));
                    tx.commit(vec![event("Count", size)]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(opened.state.get::<Thing>("1/counter").unwrap().size, 80);
    assert_eq!(opened.state.revision::<Thing>("1/counter"), Some(81));
    opened.close().await;
}

#[derive(Debug, Clone)]
enum Step {
    Put(String, u64),
    Delete(String),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let id = "[12]/[a-c]{1,2}";
    let step = prop_oneof![
        3 => (id, 0u64..100).prop_map(|(id, size)| Step::Put(id, size)),
        1 => id.prop_map(Step::Delete),
    ];
    proptest::collection::vec(proptest::collection::vec(step, 0..5), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn reads_agree_with_a_plain_map(
        transactions in steps(),
        prefix in "[12]?(/[a-c]?)?",
        after in proptest::option::of("[12]/[a-c]"),
        limit in 0usize..6,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let opened = world.open().await;
            let mut model: BTreeMap<String, u64> = BTreeMap::new();
            let expected = |model: &BTreeMap<String, u64>| {
                let found = model.iter().filter(|(id, _)| id.starts_with(&prefix));
                let found = found.filter(|(id, _)| after.as_ref().is_none_or(|after| *id > after));
                found.take(limit).map(|(id, size)| (id.clone(), *size)).collect::<Vec<_>>()
            };
            for steps in transactions {
                let mut tx = opened.state.begin().await;
                for step in &steps {
                    match step {
                        Step::Put(id, size) => {
                            tx.put(id, &thing(*size));
                            model.insert(id.clone(), *size);
                        }
                        Step::Delete(id) => {
                            assert_eq!(tx.delete::<Thing>(id), model.remove(id).is_some());
                        }
                    }
                }
                let found = tx.scan::<Thing>(&prefix, after.as_deref(), limit);
                let found: Vec<_> = found.into_iter().map(|(id, thing)| (id, thing.size)).collect();
                assert_eq!(found, expected(&model));
                tx.commit(vec![event("Steps", 1)]).await.unwrap();
                let found = opened.state.scan::<Thing>(&prefix, after.as_deref(), limit);
                let found: Vec<_> = found.into_iter().map(|(id, thing)| (id, thing.size)).collect();
                assert_eq!(found, expected(&model));
            }
            opened.journal.close().await;
            drop(opened);
            let opened = world.open().await;
            assert_eq!(things(&opened.state), model.into_iter().collect::<Vec<_>>());
            opened.journal.close().await;
        });
    }
}
