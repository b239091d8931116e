//! A machine that loses its power at any moment.

use std::collections::BTreeMap;

use opentrail_journal::{Seq, disk::CrashKeeps};
use opentrail_state::{Change, Entry, fsck};
use proptest::prelude::*;

use crate::fixture::{Opened, World, event, thing, things};

type Model = BTreeMap<String, u64>;

/// What one round does before the power fails.
#[derive(Debug, Clone)]
enum Act {
    Put(u8),
    Delete(u8),
    Call,
    Snapshot,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => (0u8..6).prop_map(Act::Put),
        2 => (0u8..6).prop_map(Act::Delete),
        2 => Just(Act::Call),
        2 => Just(Act::Snapshot),
    ];
    proptest::collection::vec(act, 1..25)
}

fn keeps() -> impl Strategy<Value = CrashKeeps> {
    prop_oneof![
        Just(CrashKeeps::Nothing),
        (0u64..4000).prop_map(CrashKeeps::FirstBytes),
        any::<u64>().prop_map(CrashKeeps::SomeSectors),
        Just(CrashKeeps::Everything),
    ]
}

/// The documents after each entry, by what was acknowledged, and those that an act in doubt would give.
struct History {
    acknowledged: Vec<Model>,
    doubtful: Option<Model>,
}

/// Acts until the power fails or nothing is left to do.
async fn act(opened: &Opened, acts: &[Act], history: &mut History, number: &mut u64) {
    for act in acts {
        let mut model = history.acknowledged.last().unwrap().clone();
        *number += 1;
        let mut tx = opened.state.begin().await;
        let name = match act {
            Act::Snapshot => {
                drop(tx);
                if opened.state.snapshot_now().await.is_err() {
                    return;
                }
                continue;
            }
            Act::Put(id) => {
                let id = format!("1/{id}");
                tx.put(&id, &thing(*number));
                model.insert(id, *number);
                "Put"
            }
            Act::Delete(id) => {
                let id = format!("1/{id}");
                let there = tx.delete::<crate::fixture::Thing>(&id);
                assert_eq!(model.remove(&id).is_some(), there);
                if there { "Delete" } else { "Miss" }
            }
            Act::Call => "Call",
        };
        match tx.commit(vec![event(name, *number)]).await {
            Ok(seq) => {
                assert_eq!(seq.0 as usize, history.acknowledged.len());
                history.acknowledged.push(model);
            }
            Err(_) => {
                history.doubtful = Some(model);
                return;
            }
        }
    }
}

/// After a restart: nothing acknowledged is missing, and nothing is there that was not at least asked for.
fn settle(opened: &Opened, history: &mut History) {
    let durable = opened.journal.durable().0 as usize;
    let acknowledged = history.acknowledged.len() - 1;
    if durable == acknowledged + 1 {
        history.acknowledged.push(history.doubtful.take().expect("an entry that nobody asked for"));
    } else {
        assert_eq!(durable, acknowledged, "an acknowledged entry is missing");
    }
    history.doubtful = None;
    let expected: Vec<(String, u64)> = history.acknowledged[durable].clone().into_iter().collect();
    assert_eq!(things(&opened.state), expected);
}

/// Every entry has its record, and the record says what the entry changed.
fn changes_match_records(opened: &Opened) {
    let mut reader = opened.journal.reader(Seq(0));
    loop {
        let items = reader.try_next_batch(64, 1 << 20).unwrap();
        if items.is_empty() {
            return;
        }
        for item in items {
            let entry = Entry::decode(&item.payload).unwrap();
            let names: Vec<&str> = entry.events.iter().map(|owned| owned.event.name()).collect();
            let expected = match &entry.changes[..] {
                [Change::Put { .. }] => vec!["Put"],
                [Change::Delete { .. }] => vec!["Delete"],
                [] if names == ["Miss"] => vec!["Miss"],
                [] => vec!["Call"],
                more => panic!("{more:?}"),
            };
            assert_eq!(names, expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn documents_are_what_the_acknowledged_entries_say(
        rounds in proptest::collection::vec((acts(), 0u64..120, keeps(), any::<bool>()), 1..5)
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let mut history = History { acknowledged: vec![Model::new()], doubtful: None };
            let mut number = 0;
            for (acts, changes, keeps, while_opening) in rounds {
                if while_opening {
                    world.disk.cut_power_after(changes / 12);
                }
                if let Ok(opened) = world.try_open().await {
                    settle(&opened, &mut history);
                    world.disk.cut_power_after(changes);
                    act(&opened, &acts, &mut history, &mut number).await;
                    opened.journal.close().await;
                }
                world.disk.crash(keeps).unwrap();
            }
            let opened = world.open().await;
            settle(&opened, &mut history);
            changes_match_records(&opened);
            let report = fsck(&opened.journal, &world.state_dir(), &world.disk).unwrap();
            assert!(report.rejected.is_empty(), "{:?}", report.rejected);
            opened.state.verify().await.unwrap();
            opened.close().await;
        });
    }
}
