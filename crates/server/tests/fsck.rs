//! A data folder is checked against itself: a sound one is sound, and each damage is named.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use opentrail_server::{
    Options, Server,
    fsck::{FsckError, FsckReport, fsck},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A folder in which a server was started and stopped.
async fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(options(folder.path())).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    server.run(stop).await.unwrap();
    folder
}

fn options(folder: &Path) -> Options {
    Options::new(folder.to_owned(), ([127, 0, 0, 1], 0).into())
}

/// The problems of one room.
fn problems<'a>(report: &'a FsckReport, name: &str) -> &'a [String] {
    let room = report.rooms.iter().find(|room| room.room == name);
    room.map_or(&[], |room| &room.problems)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn only_file(folder: PathBuf, ending: &str) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(ending));
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Names and contents of all files.
fn image(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_sound_and_the_check_changes_nothing() {
    let folder = folder().await;
    let before = image(folder.path());
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.rooms.len() >= 9, "{report:?}");
    assert!(before == image(folder.path()), "the check changed a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_end_is_a_note_and_stays_where_it_is() {
    let folder = folder().await;
    let segment = only_file(folder.path().join("journal"), ".seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend_from_slice(&[7; 100]);
    fs::write(&segment, &bytes).unwrap();
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.rooms.iter().any(|room| room.room == "journal" && room.notes.len() == 1), "{report:?}");
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_journal_is_named() {
    let folder = folder().await;
    flip(&only_file(folder.path().join("journal"), ".seg"), 200);
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(!report.is_sound());
    let named = problems(&report, "journal");
    assert!(named[0].contains(".seg, byte ") && named[0].contains("checksum"), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_snapshot_is_named() {
    let folder = folder().await;
    let snapshot = only_file(folder.path().join("state"), ".state");
    flip(&snapshot, fs::read(&snapshot).unwrap().len() / 2);
    let report = fsck(folder.path(), None).await.unwrap();
    let named = problems(&report, "state");
    assert!(named.iter().any(|problem| problem.contains("snapshot-")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_and_none_are_named() {
    let folder = folder().await;
    let key = folder.path().join("master.key");
    flip(&key, 0);
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(problems(&report, "keyring")[0].contains("master key"), "{report:?}");
    fs::remove_file(&key).unwrap();
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(problems(&report, "keyring")[0].contains("missing"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_others_can_read_are_named() {
    let folder = folder().await;
    let key = folder.path().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let report = fsck(folder.path(), None).await.unwrap();
    assert!(problems(&report, "folder")[0].contains("master.key"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_and_no_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::open(options(folder.path())).await.unwrap();
    assert!(matches!(fsck(folder.path(), None).await, Err(FsckError::InUse(_))));
    drop(server);
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(fsck(&nowhere, None).await, Err(FsckError::NoFolder(_))));
}
