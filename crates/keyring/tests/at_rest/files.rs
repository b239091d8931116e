//! Single files: what shows below, what grows, what is damaged.

use super::*;

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
