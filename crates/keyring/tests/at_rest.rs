//! The disk that encrypts: it is a disk like any other, crashes included, and shows nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use opentrail_journal::{
    Journal, JournalError, JournalOptions, Seq,
    disk::{Access, CrashKeeps, Disk, DiskFile, Fault, FaultyDisk, Operation, RealDisk},
};
use opentrail_keyring::{
    EncryptedDisk, FolderKey, KeyringError,
    at_rest::{EXTENTS, HEADER_BYTES, NOTE_NAME},
};
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

const SECRET: &[u8] = b"nobody may read this";

fn master(byte: u8) -> Zeroizing<[u8; 32]> {
    Zeroizing::new([byte; 32])
}

/// An encrypted folder over a disk that fails on command.
struct World {
    folder: TempDir,
    below: FaultyDisk,
    key: FolderKey,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = FolderKey::create(&RealDisk, folder.path(), &master(1)).unwrap();
        Self { folder, below: FaultyDisk::default(), key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The disk as a process that starts has it.
    fn disk(&self) -> EncryptedDisk {
        EncryptedDisk::new(Arc::new(self.below.clone()), &self.key)
    }

    fn raw(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
}

fn shows(raw: &[u8], plain: &[u8]) -> bool {
    raw.windows(plain.len()).any(|part| part == plain)
}

#[test]
fn nothing_of_a_file_is_readable_below_and_all_of_it_above() {
    let world = World::new();
    let disk = world.disk();
    disk.write_atomically(&world.path("file"), SECRET, Access::Private).unwrap();
    assert!(!shows(&world.raw("file"), SECRET));
    assert_eq!(world.raw("file").len() as u64, HEADER_BYTES + SECRET.len() as u64);
    assert_eq!(world.disk().read(&world.path("file")).unwrap(), SECRET);
    assert_eq!(disk.info(&world.path("file")).unwrap().unwrap().len, SECRET.len() as u64);
    let listed = disk.read_dir(world.folder.path()).unwrap();
    assert_eq!(listed.iter().find(|entry| entry.name == "file").unwrap().len, SECRET.len() as u64);
}

#[test]
fn the_same_text_is_never_the_same_on_the_disk() {
    let world = World::new();
    for name in ["one", "two"] {
        world.disk().write_atomically(&world.path(name), SECRET, Access::Default).unwrap();
    }
    assert_ne!(world.raw("one")[4096..], world.raw("two")[4096..]);

    // What is cut off and written once more is under another nonce, in one process and in the next.
    let disk = world.disk();
    let mut seen = vec![world.raw("one")[4096..].to_vec()];
    let file = disk.open_write(&world.path("one")).unwrap();
    for _ in 0..3 {
        file.set_len(0).unwrap();
        file.write_all_at(SECRET, 0).unwrap();
        seen.push(world.raw("one")[4096..].to_vec());
    }
    drop((file, disk));
    let file = world.disk().open_write(&world.path("one")).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(SECRET, 0).unwrap();
    seen.push(world.raw("one")[4096..].to_vec());
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert_eq!(world.disk().read(&world.path("one")).unwrap(), SECRET);
}

#[test]
fn appending_leaves_the_bytes_that_are_there_alone() {
    let world = World::new();
    let file = world.disk().create_new(&world.path("log"), Access::Default).unwrap();
    file.write_all_at(b"durable", 0).unwrap();
    let before = world.raw("log");
    file.write_all_at(b", and more", 7).unwrap();
    assert_eq!(world.raw("log")[..before.len()], before);
    drop(file);
    let file = world.disk().open_write(&world.path("log")).unwrap();
    file.write_all_at(b" later", 17).unwrap();
    assert_eq!(world.raw("log")[4096..before.len()], before[4096..]);
    assert_eq!(world.disk().read(&world.path("log")).unwrap(), b"durable, and more later");
}

#[test]
fn a_file_that_grows_is_written_again_with_the_same_bytes_only() {
    let world = World::new();
    let file = world.disk().create_new(&world.path("log"), Access::Default).unwrap();
    file.write_all_at(b"0123456789", 0).unwrap();
    file.write_all_at(b"345", 3).unwrap();
    let refused = file.write_all_at(b"xyz", 3).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
    file.write_all_at(b"89abc", 8).unwrap();
    assert_eq!(world.disk().read(&world.path("log")).unwrap(), b"0123456789abc");
}

#[test]
fn a_reader_that_was_first_sees_what_is_appended_after_a_restart() {
    let world = World::new();
    world.disk().write_atomically(&world.path("log"), b"old", Access::Default).unwrap();
    let disk = world.disk();
    let reader = disk.open_read(&world.path("log")).unwrap();
    let writer = disk.open_write(&world.path("log")).unwrap();
    writer.write_all_at(b" and new", 3).unwrap();
    let mut read = [0; 11];
    reader.read_exact_at(&mut read, 0).unwrap();
    assert_eq!(&read, b"old and new");
}

#[test]
fn a_file_that_is_opened_again_and_again_is_copied_when_its_header_is_full() {
    let world = World::new();
    let path = world.path("log");
    world.disk().create_new(&path, Access::Default).unwrap();
    let mut expected = Vec::new();
    for round in 0..3 * EXTENTS {
        let file = world.disk().open_write(&path).unwrap();
        file.write_all_at(&[round as u8], expected.len() as u64).unwrap();
        expected.push(round as u8);
    }
    assert_eq!(world.disk().read(&path).unwrap(), expected);
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 2, "the file and the note");
}

#[test]
fn a_disk_that_stays_full_uses_one_place_in_the_header() {
    let world = World::new();
    let file = world.disk().create_new(&world.path("log"), Access::Default).unwrap();
    file.write_all_at(b"kept", 0).unwrap();
    for round in 0..3 * EXTENTS {
        file.write_all_at(&[round as u8; 100], 4).unwrap();
        file.set_len(4).unwrap();
        file.sync_data().unwrap();
    }
    file.write_all_at(b" and room", 4).unwrap();
    assert_eq!(world.disk().read(&world.path("log")).unwrap(), b"kept and room");
}

#[test]
fn a_damaged_header_reads_as_nothing_and_is_not_written() {
    let world = World::new();
    world.disk().write_atomically(&world.path("file"), SECRET, Access::Default).unwrap();
    for bit in [0, 9 * 8, 20 * 8 + 3, 50 * 8, 70 * 8] {
        world.below.heal();
        world.below.inject(Fault::flipped_bit(bit / 8, (bit % 8) as u8));
        assert_eq!(world.disk().read(&world.path("file")).unwrap(), vec![0; SECRET.len()], "bit {bit}");
        let refused = world.disk().open_write(&world.path("file")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn a_file_of_a_crash_before_its_first_sync_is_empty_and_usable() {
    let world = World::new();
    for len in [0, 100, 4096] {
        for name in ["grows", "in place"] {
            std::fs::write(world.path(name), vec![0; len]).unwrap();
            let disk = world.disk();
            assert_eq!(disk.read(&world.path(name)).unwrap(), b"");
            let file = if name == "grows" {
                disk.open_write(&world.path(name)).unwrap()
            } else {
                disk.open_rewritten(&world.path(name), Access::Default).unwrap()
            };
            file.write_all_at(&[1; 16], 0).unwrap();
            assert_eq!(world.disk().read(&world.path(name)).unwrap(), [1; 16]);
        }
    }
}

#[test]
fn files_in_place_have_whole_units_and_holes_are_zeros() {
    let world = World::new();
    let disk = world.disk();
    let file = disk.open_rewritten(&world.path("index"), Access::Private).unwrap();
    assert_eq!(file.set_len(100).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(file.write_at(b"short", 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    file.set_len(1 << 20).unwrap();
    file.write_all_at(SECRET, 500_000).unwrap();
    let mut expected = vec![0; 1 << 20];
    expected[500_000..500_000 + SECRET.len()].copy_from_slice(SECRET);
    assert_eq!(world.disk().read(&world.path("index")).unwrap(), expected);
    assert!(!shows(&world.raw("index"), &SECRET[..8]));
}

#[test]
fn the_note_opens_with_its_master_key_only() {
    let world = World::new();
    let folder = world.folder.path();
    assert!(FolderKey::is_kept(&RealDisk, folder).unwrap());
    FolderKey::open(&RealDisk, folder, &master(1)).unwrap();
    let refused = FolderKey::open(&RealDisk, folder, &master(2)).unwrap_err();
    assert!(matches!(refused, KeyringError::WrongMasterKey), "{refused}");
    std::fs::write(world.path(NOTE_NAME), b"{}").unwrap();
    let refused = FolderKey::open(&RealDisk, folder, &master(1)).unwrap_err();
    assert!(matches!(refused, KeyringError::Disk { .. }), "{refused}");
}

/// What a test does to a file.
#[derive(Debug, Clone)]
enum Step {
    Write(u64, Vec<u8>),
    Append(Vec<u8>),
    SetLen(u64),
    Read(u64, usize),
    Sync,
    Reopen,
    Restart,
}

fn steps(unit: u64) -> impl Strategy<Value = Vec<Step>> {
    let bytes = move || {
        proptest::collection::vec(any::<u8>(), 1..600).prop_map(move |mut bytes| {
            bytes.resize(bytes.len().next_multiple_of(unit as usize), 7);
            bytes
        })
    };
    let step = prop_oneof![
        3 => (0u64..9000, bytes()).prop_map(move |(at, bytes)| Step::Write(at - at % unit, bytes)),
        3 => bytes().prop_map(Step::Append),
        2 => (0u64..9000).prop_map(move |len| Step::SetLen(len - len % unit)),
        3 => (0u64..9000, 0usize..6000).prop_map(|(at, len)| Step::Read(at, len)),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

fn open(disk: &EncryptedDisk, path: &Path, in_place: bool) -> Box<dyn DiskFile> {
    if in_place { disk.open_rewritten(path, Access::Default) } else { disk.open_write(path) }.unwrap()
}

/// Does the steps to a file and to bytes in memory, and compares.
fn run(steps: Vec<Step>, in_place: bool, short: Option<usize>) {
    let world = World::new();
    if let Some(bytes) = short {
        world.below.inject(Fault::short_writes(bytes));
    }
    let path = world.path("file");
    let mut disk = world.disk();
    if !in_place {
        disk.create_new(&path, Access::Default).unwrap();
    }
    let mut file = open(&disk, &path, in_place);
    let mut model: Vec<u8> = Vec::new();
    for step in steps {
        match step {
            Step::Write(at, bytes) if in_place || at >= model.len() as u64 => {
                file.write_all_at(&bytes, at).unwrap();
                let end = at as usize + bytes.len();
                model.resize(model.len().max(end), 0);
                model[at as usize..end].copy_from_slice(&bytes);
            }
            Step::Write(..) => {}
            Step::Append(bytes) => {
                file.write_all_at(&bytes, model.len() as u64).unwrap();
                model.extend_from_slice(&bytes);
            }
            Step::SetLen(len) => {
                file.set_len(len).unwrap();
                model.resize(len as usize, 0);
            }
            Step::Read(at, len) => {
                let start = (at as usize).min(model.len());
                let end = (start + len).min(model.len());
                let mut read = vec![0; end - start];
                file.read_exact_at(&mut read, start as u64).unwrap();
                assert_eq!(read, model[start..end]);
            }
            Step::Sync => file.sync_data().unwrap(),
            Step::Reopen => file = open(&disk, &path, in_place),
            Step::Restart => {
                disk = world.disk();
                file = open(&disk, &path, in_place);
            }
        }
        assert_eq!(file.len().unwrap(), model.len() as u64);
        assert_eq!(disk.read(&path).unwrap(), model);
    }
    assert_eq!(world.disk().read(&path).unwrap(), model);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_file_that_grows_is_a_file(steps in steps(1), short in proptest::option::of(1usize..300)) {
        run(steps, false, short);
    }

    #[test]
    fn a_file_in_place_is_a_file(steps in steps(16), short in proptest::option::of(1usize..300)) {
        run(steps, true, short);
    }

    /// Whatever a crash keeps of the bytes that were not synced: those that were are there, and the file goes on.
    #[test]
    fn synced_bytes_survive_every_crash(
        rounds in proptest::collection::vec(
            (1usize..3000, 0usize..3000, 0u8..4, any::<u64>(), any::<bool>()), 1..8)
    ) {
        let world = World::new();
        let path = world.path("log");
        let file = world.disk().create_new(&path, Access::Default).unwrap();
        file.sync_all().unwrap();
        world.disk().sync_dir(world.folder.path()).unwrap();
        drop(file);
        let mut durable: Vec<u8> = Vec::new();
        for (number, (synced, unsynced, keeps, seed, cut)) in rounds.into_iter().enumerate() {
            let disk = world.disk();
            let file = disk.open_write(&path).unwrap();
            // As the journal does: what a crash left behind the durable bytes is cut off.
            file.set_len(durable.len() as u64).unwrap();
            file.write_all_at(&vec![number as u8; synced], durable.len() as u64).unwrap();
            if cut {
                file.set_len(durable.len() as u64).unwrap();
                file.write_all_at(&vec![!(number as u8); synced], durable.len() as u64).unwrap();
            }
            file.sync_data().unwrap();
            durable.resize(durable.len() + synced, if cut { !(number as u8) } else { number as u8 });
            file.write_all_at(&vec![0x55; unsynced], durable.len() as u64).unwrap();
            world.below.crash(match keeps {
                0 => CrashKeeps::Nothing,
                1 => CrashKeeps::FirstBytes(seed % 4000),
                2 => CrashKeeps::SomeSectors(seed),
                _ => CrashKeeps::Everything,
            }).unwrap();
            let read = world.disk().read(&path).unwrap();
            prop_assert!(read.len() >= durable.len());
            prop_assert!(read[..durable.len()] == durable[..], "round {number}");
        }
    }

    /// A cut that was not synced before the file went on may come back with all its bytes.
    #[test]
    fn a_cut_that_a_crash_undoes_gives_the_old_bytes_or_the_new(
        kept in 1usize..200, lost in 1usize..200, keeps in 0u8..3, seed in any::<u64>()
    ) {
        let world = World::new();
        let path = world.path("log");
        let old = vec![1; kept + lost];
        let file = world.disk().create_new(&path, Access::Default).unwrap();
        file.write_all_at(&old[..kept], 0).unwrap();
        drop(file);
        let file = world.disk().open_write(&path).unwrap();
        file.write_all_at(&old[kept..], kept as u64).unwrap();
        file.sync_all().unwrap();
        world.disk().sync_dir(world.folder.path()).unwrap();
        file.set_len(kept as u64).unwrap();
        file.write_all_at(&[2; 50], kept as u64).unwrap();
        world.below.crash(match keeps {
            0 => CrashKeeps::Nothing,
            1 => CrashKeeps::FirstBytes(seed % 100),
            _ => CrashKeeps::Everything,
        }).unwrap();
        let read = world.disk().read(&path).unwrap();
        prop_assert!(read.len() >= kept && read[..kept] == old[..kept], "{read:?}");
    }
}

/// A journal over an encrypted disk over one that fails.
fn journal(world: &World) -> Result<Journal, JournalError> {
    let options = JournalOptions { segment_bytes: 4096, queue_bytes: 1 << 20, tail_bytes: 1000 };
    Journal::open(&world.path("journal"), options, Arc::new(world.disk())).map(|(journal, _)| journal)
}

fn entry(seq: u64) -> Bytes {
    format!("{} {seq}", String::from_utf8_lossy(SECRET)).repeat(1 + seq as usize % 20).into()
}

fn check(journal: &Journal, acknowledged: u64) {
    let items = journal.reader(Seq(0)).try_next_batch(usize::MAX, usize::MAX).unwrap();
    assert!(items.len() as u64 >= acknowledged, "{} {acknowledged}", items.len());
    for (seq, item) in (1..).zip(items) {
        assert_eq!((item.seq, item.payload), (Seq(seq), entry(seq)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_keeps_what_it_acknowledged_through_every_kind_of_crash() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let mut acknowledged = 0;
    for round in 0..60 {
        let journal = journal(&world).unwrap();
        check(&journal, acknowledged);
        acknowledged = journal.durable().0;
        world.below.cut_power_after(7 + round * 3 % 41);
        while journal.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
        }
        world
            .below
            .crash(match round % 4 {
                0 => CrashKeeps::Nothing,
                1 => CrashKeeps::FirstBytes(round * 17),
                2 => CrashKeeps::SomeSectors(round),
                _ => CrashKeeps::Everything,
            })
            .unwrap();
        drop(journal);
    }
    assert!(acknowledged > 60);
    for entry in std::fs::read_dir(world.path("journal")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!shows(&std::fs::read(&path).unwrap(), &SECRET[..10]), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_under_a_journal_is_named_as_damage() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let journal_of_20 = journal(&world).unwrap();
    for seq in 1..=20 {
        journal_of_20.append(entry(seq), None).await.unwrap();
    }
    journal_of_20.close().await;
    for offset in [0, 20, 60, 75, HEADER_BYTES + 10, HEADER_BYTES + 300] {
        world.below.heal();
        world.below.inject(Fault::flipped_bit(offset, 3).on("00000001.seg"));
        let outcome = journal(&world).and_then(|journal| {
            let mut reader = journal.reader(Seq(0));
            while !reader.try_next_batch(1, usize::MAX)?.is_empty() {}
            Ok(())
        });
        assert!(matches!(outcome, Err(JournalError::Corrupt { .. })), "byte {offset}: {outcome:?}");
    }
    world.below.heal();
    check(&journal(&world).unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_on_a_full_encrypted_disk_goes_on_when_there_is_room() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let journal_that_fills = journal(&world).unwrap();
    let mut acknowledged = 0;
    for round in 0..30 {
        world.below.limit_space(Some(1000 + round * 37));
        while journal_that_fills.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
        }
        world.below.limit_space(None);
        journal_that_fills.append(entry(acknowledged + 1), None).await.unwrap();
        acknowledged += 1;
    }
    check(&journal_that_fills, acknowledged);
    journal_that_fills.close().await;
    check(&journal(&world).unwrap(), acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_loses_nothing_that_was_acknowledged() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let mut acknowledged = 0;
    for round in 0..12 {
        let journal = journal(&world).unwrap();
        check(&journal, acknowledged);
        acknowledged = journal.durable().0;
        world.below.inject(Fault::error(Operation::Sync, io::ErrorKind::Other).after(round % 4));
        while journal.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
            if acknowledged > 20 * (round + 1) {
                break;
            }
        }
        drop(journal);
        world.below.heal();
        if round % 3 == 2 {
            world.below.crash(CrashKeeps::Nothing).unwrap();
        }
    }
}
