//! Any sequence of writes, cuts, syncs and crashes, against a model.

use super::*;

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
