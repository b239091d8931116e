//! Any sequence of changes, restarts, power cuts and faults leaves the rows that were acknowledged.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod table_scene;

use std::{collections::BTreeMap, time::Duration};

use opentrail_journal::disk::{CrashKeeps, Fault, Operation};
use opentrail_lake::table::TableOptions;
use proptest::prelude::*;
use table_scene::{Scene, at, day, ids_of, now, options};

#[derive(Debug, Clone)]
enum Step {
    Append {
        days_ago: i64,
    },
    Compact,
    Drop {
        days_ago: i64,
    },
    Expire,
    Wait {
        seconds: i64,
    },
    Reopen,
    /// The power goes in the middle of the next step.
    Cut {
        after: u64,
        keeps: CrashKeeps,
    },
    /// The next step's disk fails once.
    Fail {
        operation: Operation,
        after: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let keeps = prop_oneof![
        Just(CrashKeeps::Nothing),
        (0..5000_u64).prop_map(CrashKeeps::FirstBytes),
        any::<u64>().prop_map(CrashKeeps::SomeSectors),
        Just(CrashKeeps::Everything),
    ];
    let operation = prop::sample::select(vec![
        Operation::Create,
        Operation::Write,
        Operation::Sync,
        Operation::SyncDir,
        Operation::Rename,
        Operation::Remove,
    ]);
    prop_oneof![
        8 => (0..6_i64).prop_map(|days_ago| Step::Append { days_ago }),
        3 => Just(Step::Compact),
        1 => (0..7_i64).prop_map(|days_ago| Step::Drop { days_ago }),
        1 => Just(Step::Expire),
        1 => (0..500_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Reopen),
        2 => (0..60_u64, keeps).prop_map(|(after, keeps)| Step::Cut { after, keeps }),
        2 => (operation, 0..6_u64).prop_map(|(operation, after)| Step::Fail { operation, after }),
    ]
}

/// What must be there, and what may.
#[derive(Default)]
struct Model {
    /// The day of each append that was acknowledged, or may be there.
    appends: BTreeMap<u64, i64>,
    acknowledged: u64,
    /// Rows of days before are gone, or may be.
    dropped: Option<i64>,
    maybe_dropped: Option<i64>,
    time: i64,
}

impl Model {
    /// Compares, and takes over what turned out to have happened.
    async fn settle(&mut self, scene: &Scene) {
        let mark = scene.mark();
        assert!(mark == self.acknowledged || mark == self.acknowledged + 1, "{mark} {}", self.acknowledged);
        self.acknowledged = mark;
        self.appends.retain(|number, _| *number <= mark);
        let with = |dropped: Option<i64>| {
            let kept = self.appends.iter().filter(|(_, ago)| dropped.is_none_or(|limit| **ago <= limit));
            kept.flat_map(|(number, _)| ids_of(*number)).collect::<Vec<_>>()
        };
        let ids = scene.ids().await;
        if ids != with(self.dropped) {
            assert_eq!(ids, with(self.maybe_dropped), "rows are lost or there twice");
            self.dropped = self.maybe_dropped;
        }
        self.maybe_dropped = self.dropped;
        let limit = self.dropped;
        self.appends.retain(|_, ago| limit.is_none_or(|limit| *ago <= limit));
        self.dropped = None;
        self.maybe_dropped = None;
    }
}

async fn run(steps: Vec<Step>) {
    let mut scene = Scene::with(TableOptions { grace: Duration::from_secs(300), ..options() }).await;
    let mut model = Model::default();
    let mut cut = None;
    for step in steps {
        let time = at(now().timestamp() + model.time);
        let ordered = !matches!(step, Step::Cut { .. } | Step::Fail { .. });
        match step {
            Step::Append { days_ago } => {
                let number = model.acknowledged + 1;
                model.appends.insert(number, days_ago);
                if scene.append(number, days_ago).await.is_ok() {
                    model.acknowledged = number;
                }
            }
            Step::Compact => drop(scene.table.compact(time).await),
            Step::Drop { days_ago } => {
                model.maybe_dropped = Some(days_ago);
                if scene.table.drop_before(day(days_ago), time).await.is_ok() {
                    model.dropped = model.maybe_dropped;
                }
            }
            Step::Expire => drop(scene.table.expire(time).await),
            Step::Wait { seconds } => model.time += seconds,
            Step::Reopen => {
                if cut.is_none() {
                    scene.disk.heal();
                    scene = scene.reopened(time).await;
                }
            }
            Step::Cut { after, keeps } => {
                scene.disk.cut_power_after(after);
                cut = Some(keeps);
            }
            Step::Fail { operation, after } => {
                scene.disk.inject(Fault::error(operation, std::io::ErrorKind::Other).after(after));
            }
        }
        if !ordered {
            continue;
        }
        if let Some(keeps) = cut.take() {
            scene = scene.crashed(keeps, time).await;
        }
        scene.disk.heal();
        model.settle(&scene).await;
        scene.assert_readable().await;
    }
    if let Some(keeps) = cut {
        scene = scene.crashed(keeps, now()).await;
    }
    scene.disk.heal();
    model.settle(&scene).await;
    // Whatever happened, it goes on, and the next success makes doubts certain.
    scene.append(model.acknowledged + 1, 0).await.unwrap();
    scene.assert_readable().await;
    scene.assert_nothing_left_over(at(now().timestamp() + model.time + 1000)).await;
    scene.assert_readable().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_there_exactly_once(steps in prop::collection::vec(step(), 1..30)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
