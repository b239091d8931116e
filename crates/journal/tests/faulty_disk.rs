//! The faulty disk itself: a test double is worth what it is true to.

use std::{fs, io::ErrorKind, sync::Arc};

use opentrail_journal::disk::{Access, CrashKeeps, Disk, Fault, FaultyDisk, Operation, RealDisk};

#[test]
fn unsynced_bytes_and_names_are_lost_and_synced_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let (kept, unnamed) = (dir.path().join("kept"), dir.path().join("unnamed"));
    let file = disk.create_new(&kept, Access::Default).unwrap();
    file.write_all_at(b"synced", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(dir.path()).unwrap();
    file.write_all_at(b"unsynced", 3).unwrap();
    disk.create_new(&unnamed, Access::Default).unwrap().sync_all().unwrap();

    disk.crash(CrashKeeps::Nothing).unwrap();
    assert_eq!(fs::read(&kept).unwrap(), b"synced");
    assert!(!unnamed.exists());
    assert!(file.write_at(b"x", 0).is_err(), "handles die with the machine");
}

#[test]
fn unsynced_removals_and_renames_come_undone() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    for (path, text) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        fs::write(path, text).unwrap();
    }
    let disk = FaultyDisk::default();
    disk.rename(&a, &b).unwrap();
    disk.remove_file(&c).unwrap();
    assert_eq!((fs::read(&b).unwrap(), a.exists(), c.exists()), (b"a".to_vec(), false, false));
    disk.crash(CrashKeeps::Nothing).unwrap();
    for (path, text) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }

    disk.rename(&a, &b).unwrap();
    disk.remove_file(&c).unwrap();
    disk.sync_dir(dir.path()).unwrap();
    disk.crash(CrashKeeps::Nothing).unwrap();
    assert_eq!((fs::read(&b).unwrap(), a.exists(), c.exists()), (b"a".to_vec(), false, false));
}

#[test]
fn an_atomic_write_is_whole_whenever_the_power_goes() {
    for keeps in [CrashKeeps::Nothing, CrashKeeps::Everything, CrashKeeps::SomeSectors(5)] {
        let mut seen = Vec::new();
        for changes in 0..8 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let disk = FaultyDisk::default();
            disk.write_atomically(&path, &[1; 3000], Access::Default).unwrap();
            disk.cut_power_after(changes);
            let written = disk.write_atomically(&path, &[2; 4000], Access::Default);
            disk.crash(keeps).unwrap();
            let found = fs::read(&path).unwrap();
            assert!(found == [1; 3000] || found == [2; 4000], "{keeps:?} {changes}");
            assert!(written.is_err() || found == [2; 4000]);
            seen.push(found[0]);
        }
        assert!(seen.is_sorted() && seen[0] == 1 && seen[7] == 2, "{seen:?}");
    }
}

#[test]
fn bytes_whose_sync_failed_are_not_saved_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let path = dir.path().join("file");
    let file = disk.create_new(&path, Access::Default).unwrap();
    disk.sync_dir(dir.path()).unwrap();
    file.write_all_at(b"lost", 0).unwrap();
    disk.inject(Fault::error(Operation::Sync, ErrorKind::Other));
    assert!(file.sync_data().is_err());
    file.write_all_at(b"kept", 4).unwrap();
    file.sync_data().unwrap();
    disk.crash(CrashKeeps::Nothing).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"\0\0\0\0kept");
}

#[test]
fn space_is_used_up_by_growth_and_given_back_by_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let file = disk.create_new(&dir.path().join("file"), Access::Default).unwrap();
    disk.limit_space(Some(10));
    assert_eq!(file.write_at(&[1; 8], 0).unwrap(), 8);
    assert_eq!(file.write_at(&[1; 8], 4).unwrap(), 6, "four in place, two more");
    assert_eq!(file.write_at(&[1; 8], 10).unwrap_err().kind(), ErrorKind::StorageFull);
    file.set_len(6).unwrap();
    assert_eq!(file.write_at(&[1; 8], 6).unwrap(), 4);
}

#[test]
fn faults_strike_where_when_and_as_often_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new(Arc::new(RealDisk));
    let file = disk.create_new(&dir.path().join("one"), Access::Default).unwrap();
    let other = disk.create_new(&dir.path().join("two"), Access::Default).unwrap();
    disk.inject(Fault::error(Operation::Write, ErrorKind::Other).on("one").after(1).times(2));
    let outcomes: Vec<bool> = (0..5).map(|_| file.write_at(b"x", 0).is_ok()).collect();
    assert_eq!(outcomes, [true, false, false, true, true]);
    other.write_at(b"abc", 0).unwrap();
    disk.inject(Fault::flipped_bit(1, 0).on("two"));
    let mut buffer = [0; 2];
    other.read_exact_at(&mut buffer, 1).unwrap();
    assert_eq!(&buffer, b"cc");
    disk.heal();
    other.read_exact_at(&mut buffer, 1).unwrap();
    assert_eq!(&buffer, b"bc");
}

#[test]
fn a_crash_frees_locks() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let path = dir.path().join("lock");
    let held = disk.lock(&path).unwrap();
    assert_eq!(disk.lock(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
    disk.crash(CrashKeeps::Everything).unwrap();
    let again = disk.lock(&path).unwrap();
    drop(held);
    assert!(disk.lock(&path).is_err(), "the dead lock's end does not free the new one");
    drop(again);
    disk.lock(&path).unwrap();
}
