//! An event is fresh once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use std::{collections::HashSet, time::Duration};

use opentrail_archive::{ArchiveOptions, SeenIds, Standing};
use opentrail_event::EventId;
use opentrail_journal::disk::CrashKeeps;
use proptest::prelude::*;
use scene::{Scene, Spec, options, owner, runtime};
use tokio::time::timeout;

fn key(number: u16) -> EventId {
    EventId::of(&format!("event-{number}"))
}

fn small() -> ArchiveOptions {
    ArchiveOptions { seen_memory_ids: 200, seen_run_ids: 100_000, ..options() }
}

#[derive(Debug, Clone)]
enum Step {
    /// Reserve, append and commit.
    Record(u64, Vec<u16>),
    /// Reserve and append, and the caller is torn down before it commits.
    Torn(u64, Vec<u16>),
    /// Reserve, and nothing is appended.
    GiveUp(u64, Vec<u16>),
    /// The server's own calls do not reserve.
    Own(u64, Vec<u16>),
    Flush,
    Compact,
    Reopen,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let some = || (0..2u64, proptest::collection::vec(0..120u16, 1..20));
    prop_oneof![
        4 => some().prop_map(|(owner, ids)| Step::Record(owner, ids)),
        2 => some().prop_map(|(owner, ids)| Step::Torn(owner, ids)),
        2 => some().prop_map(|(owner, ids)| Step::GiveUp(owner, ids)),
        1 => some().prop_map(|(owner, ids)| Step::Own(owner, ids)),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

async fn append(scene: &Scene, account: u64, ids: &[u16]) {
    let events = ids.iter().map(|id| Spec::new(format!("event-{id}"), 1_699_999_000).event()).collect();
    scene.append(owner(account), events).await;
}

async fn play(steps: Vec<Step>) {
    let mut scene = Scene::new(small()).await;
    let mut running = scene.start();
    let mut recorded: HashSet<(u64, u16)> = HashSet::new();
    for step in steps {
        let seen = scene.archive.seen();
        match step.clone() {
            Step::Record(account, ids) | Step::Torn(account, ids) | Step::GiveUp(account, ids) => {
                let keys: Vec<EventId> = ids.iter().map(|id| key(*id)).collect();
                let reservation = seen.reserve(owner(account), &keys).unwrap();
                let mut fresh = Vec::new();
                for (id, standing) in ids.iter().zip(reservation.standings()) {
                    let expected = if recorded.contains(&(account, *id)) {
                        Standing::Recorded
                    } else if fresh.contains(id) {
                        Standing::Pending
                    } else {
                        fresh.push(*id);
                        Standing::Fresh
                    };
                    assert_eq!(*standing, expected, "{step:?}");
                }
                if !matches!(step, Step::GiveUp(..)) {
                    append(&scene, account, &fresh).await;
                    recorded.extend(fresh.iter().map(|id| (account, *id)));
                }
                if matches!(step, Step::Record(..)) {
                    reservation.commit()
                } else {
                    drop(reservation)
                }
                timeout(Duration::from_secs(10), seen.settled()).await.unwrap();
            }
            Step::Own(account, ids) => {
                let new: Vec<u16> = ids.into_iter().filter(|id| recorded.insert((account, *id))).collect();
                append(&scene, account, &new).await;
                scene.archive.caught_up(scene.state.journal().durable()).await;
            }
            Step::Flush => scene.archive.flush().await.unwrap(),
            Step::Compact => scene.archive.compact().await.unwrap(),
            Step::Reopen | Step::Crash => {
                running.stop().await;
                scene = if matches!(step, Step::Crash) {
                    scene.crashed(CrashKeeps::Nothing).await
                } else {
                    scene.reopened().await
                };
                running = scene.start();
            }
        }
    }
    running.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn an_id_is_fresh_until_its_event_is_in_the_journal(steps in proptest::collection::vec(step(), 1..40)) {
        runtime().block_on(play(steps));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_with_one_id_take_turns() {
    let scene = Scene::new(small()).await;
    let running = scene.start();
    let seen = scene.archive.seen();
    let first = seen.reserve(owner(1), &[key(1), key(2)]).unwrap();
    let second = seen.reserve(owner(1), &[key(2), key(3)]).unwrap();
    assert_eq!(second.standings(), [Standing::Pending, Standing::Fresh]);
    let other = seen.reserve(owner(2), &[key(2)]).unwrap();
    assert_eq!(other.standings(), [Standing::Fresh], "accounts have nothing to do with each other");
    other.release();
    second.commit();
    let waiting = tokio::spawn({
        let seen = seen.clone();
        async move { seen.settled().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    first.release();
    timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    let third = seen.reserve(owner(1), &[key(1), key(2), key(3)]).unwrap();
    assert_eq!(third.standings(), [Standing::Fresh, Standing::Fresh, Standing::Recorded]);
    third.release();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_found_in_many_merged_runs() {
    let scene = Scene::new(small()).await;
    let running = scene.start();
    for round in 0..30u16 {
        let ids: Vec<u16> = (round * 100..round * 100 + 100).collect();
        append(&scene, 1, &ids).await;
        scene.archive.caught_up(scene.state.journal().durable()).await;
        scene.archive.flush().await.unwrap();
    }
    scene.archive.compact().await.unwrap();
    running.stop().await;
    let scene = scene.reopened().await;
    let known: Vec<EventId> = (0..3000).map(key).collect();
    let unknown: Vec<EventId> = (3000..6000).map(key).collect();
    let seen = scene.archive.seen();
    let reservation = seen.reserve(owner(1), &known).unwrap();
    assert!(reservation.standings().iter().all(|standing| *standing == Standing::Recorded));
    let reservation = seen.reserve(owner(1), &unknown).unwrap();
    assert!(reservation.standings().iter().all(|standing| *standing == Standing::Fresh));
    reservation.release();
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert_eq!((report.seen_ids, report.problems.len()), (3000, 0));
    assert!(report.seen_runs < 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_a_fact_tells_of_are_known_after_a_crash() {
    let scene = Scene::new(small()).await;
    let running = scene.start();
    let reservation = scene.archive.seen().reserve(owner(1), &[key(1), key(2)]).unwrap();
    assert_eq!(reservation.standings(), [Standing::Fresh, Standing::Fresh]);
    let fact = SeenIds::fact(owner(1), &[key(1), key(2)]);
    scene.state.append(vec![fact], Vec::new()).await.unwrap();
    drop(reservation);
    running.stop().await;
    let scene = scene.crashed(CrashKeeps::Nothing).await;
    let running = scene.start();
    scene.archive.caught_up(scene.state.journal().durable()).await;
    let reservation = scene.archive.seen().reserve(owner(1), &[key(1), key(2), key(3)]).unwrap();
    assert_eq!(reservation.standings(), [Standing::Recorded, Standing::Recorded, Standing::Fresh]);
    reservation.release();
    let other = scene.archive.seen().reserve(owner(2), &[key(1)]).unwrap();
    assert_eq!(other.standings(), [Standing::Fresh], "they are the account's own");
    other.release();
    running.stop().await;
}
