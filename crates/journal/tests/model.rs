//! The journal against a list, under random use, faults and crashes.

use std::{io::ErrorKind, path::Path, sync::Arc};

use bytes::Bytes;
use opentrail_journal::{
    Hold, Journal, JournalError, JournalOptions, Reader, Seq,
    disk::{CrashKeeps, Fault, FaultyDisk, Operation},
    fsck,
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// Entries of these sizes, all on their way at once.
    Append(Vec<usize>),
    Read {
        items: usize,
        bytes: usize,
    },
    Close,
    Crash(CrashKeeps),
    /// Power goes after so many changes, in the middle of the steps that follow.
    CutPower(u64),
    FailSync(u64),
    ShortWrites(usize),
    Space(u64),
    Heal,
    Advance(u64),
    Reclaim,
}

fn keeps() -> impl Strategy<Value = CrashKeeps> {
    prop_oneof![
        Just(CrashKeeps::Nothing),
        Just(CrashKeeps::Everything),
        (0u64..4000).prop_map(CrashKeeps::FirstBytes),
        any::<u64>().prop_map(CrashKeeps::SomeSectors),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec(0usize..900, 1..12).prop_map(Step::Append),
        4 => (1usize..20, 1usize..3000).prop_map(|(items, bytes)| Step::Read { items, bytes }),
        1 => Just(Step::Close),
        2 => keeps().prop_map(Step::Crash),
        1 => (0u64..30).prop_map(Step::CutPower),
        1 => (0u64..4).prop_map(Step::FailSync),
        1 => (1usize..300).prop_map(Step::ShortWrites),
        1 => (0u64..3000).prop_map(Step::Space),
        2 => Just(Step::Heal),
        2 => (0u64..40).prop_map(Step::Advance),
        2 => Just(Step::Reclaim),
    ]
}

struct World {
    dir: tempfile::TempDir,
    disk: FaultyDisk,
    options: JournalOptions,
    open: Option<Open>,
    /// What must be there: entry 1 is the first.
    log: Vec<Bytes>,
    /// What may follow it, because its callers heard that the outcome is unknown.
    unknown: Vec<Bytes>,
    made: u64,
    /// The reader has had everything up to here.
    read: Seq,
}

struct Open {
    journal: Journal,
    reader: Reader,
    hold: Hold,
}

impl World {
    fn new(options: JournalOptions) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = FaultyDisk::default();
        let (log, unknown) = (Vec::new(), Vec::new());
        Self { dir, disk, options, open: None, log, unknown, made: 0, read: Seq(0) }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Opens if need be, starting the machine again if its power is gone.
    fn opened(&mut self) -> &mut Open {
        if self.open.is_none() {
            let disk = Arc::new(self.disk.clone());
            let opened = Journal::open(self.path(), self.options.clone(), disk);
            let (journal, recovery) = match opened {
                Ok(opened) => opened,
                Err(JournalError::Corrupt { .. }) => panic!("a crash is no damage: {opened:?}"),
                Err(_) => {
                    self.crash(CrashKeeps::Nothing);
                    return self.opened();
                }
            };
            let last = recovery.last.0 as usize;
            assert!(last >= self.log.len(), "{last} of {} acknowledged entries", self.log.len());
            let found = last - self.log.len();
            assert!(found <= self.unknown.len(), "more than was appended");
            self.log.extend(self.unknown.drain(..found));
            self.unknown.clear();
            let (reader, hold) = (journal.reader(self.read), journal.hold("reader", self.read));
            self.open = Some(Open { journal, reader, hold });
        }
        self.open.as_mut().expect("it was opened just now")
    }

    fn crash(&mut self, keeps: CrashKeeps) {
        self.disk.crash(keeps).expect("the machine starts again");
        self.open = None;
        let report = fsck(self.path(), &self.disk).expect("the check runs");
        assert!(report.is_sound(), "{report:?}");
    }

    async fn append(&mut self, sizes: &[usize]) {
        let journal = self.opened().journal.clone();
        let mut group = Vec::new();
        for size in sizes {
            self.made += 1;
            let payload: Bytes = format!("{:0>width$}", self.made, width = *size).into();
            match journal.enqueue(payload.clone(), None).await {
                Ok(appending) => group.push((payload, appending)),
                Err(JournalError::Poisoned(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for (payload, appending) in group {
            match appending.await {
                Ok(seq) => {
                    self.log.push(payload);
                    assert_eq!(seq, Seq(self.log.len() as u64));
                }
                Err(JournalError::DiskFull(_)) => {}
                Err(JournalError::Poisoned(_)) => self.unknown.push(payload),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(journal.durable(), Seq(self.log.len() as u64));
    }

    async fn read(&mut self, items: usize, bytes: usize) {
        let from = self.read.0 as usize;
        self.opened();
        let there = self.log.len();
        let reader = &mut self.opened().reader;
        let batch = if from == there {
            reader.try_next_batch(items, bytes)
        } else {
            reader.next_batch(items, bytes).await
        };
        // Only a dead machine keeps a reader from entries that it holds.
        let Ok(batch) = batch else { return };
        assert_eq!(batch.is_empty(), from == there);
        assert!(batch.len() <= items);
        let size: usize = batch.iter().map(|item| item.payload.len()).sum();
        assert!(batch.len() == 1 || size <= bytes);
        for (at, item) in batch.iter().enumerate() {
            assert_eq!((item.seq.0 as usize, &item.payload), (from + at + 1, &self.log[from + at]));
        }
        self.read = Seq((from + batch.len()) as u64);
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append(sizes) => self.append(&sizes).await,
            Step::Read { items, bytes } => self.read(items, bytes).await,
            Step::Close => {
                if let Some(open) = self.open.take() {
                    open.journal.close().await;
                }
            }
            Step::Crash(keeps) => self.crash(keeps),
            Step::CutPower(changes) => self.disk.cut_power_after(changes),
            Step::FailSync(after) => {
                self.disk.inject(Fault::error(Operation::Sync, ErrorKind::Other).after(after))
            }
            Step::ShortWrites(bytes) => self.disk.inject(Fault::short_writes(bytes)),
            Step::Space(bytes) => self.disk.limit_space(Some(bytes)),
            Step::Heal => self.disk.heal(),
            Step::Advance(by) => {
                let to = Seq(self.read.0.saturating_sub(by));
                self.opened().hold.advance(to);
            }
            Step::Reclaim => {
                let journal = self.opened().journal.clone();
                let floor = self.opened().hold.position();
                if let Ok(reclaimed) = journal.reclaim().await {
                    assert!(reclaimed.first <= floor.next());
                }
            }
        }
    }

    /// In the end everything that is kept is as it was appended.
    fn check_all(&mut self) {
        self.crash(CrashKeeps::Nothing);
        let journal = self.opened().journal.clone();
        let first = journal.first();
        let items = journal.reader(first.previous()).try_next_batch(usize::MAX, usize::MAX);
        let items = items.expect("all entries are readable");
        let kept = &self.log[first.previous().0 as usize..];
        assert!(items.iter().map(|item| &item.payload).eq(kept.iter()));
        assert!(first <= self.read.next());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn it_behaves_as_a_list(
        steps in proptest::collection::vec(step(), 1..40),
        segment_bytes in 200u64..5000,
        queue_bytes in 1usize..8000,
        tail_bytes in prop_oneof![Just(0), 0usize..10_000],
        writes_back: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(JournalOptions { segment_bytes, queue_bytes, tail_bytes });
            world.disk.write_back_at_once(writes_back);
            for step in steps {
                world.take(step).await;
            }
            world.check_all();
        });
    }
}
