//! The object store in a folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path,
};
use opentrail_journal::disk::{CrashKeeps, Disk, Fault, FaultyDisk, Operation, RealDisk};
use opentrail_lake::{
    LakeError,
    warehouse::{DiskStore, Location, Unsynced, Warehouse},
};
use tempfile::TempDir;

fn store() -> (TempDir, FaultyDisk, DiskStore) {
    let dir = TempDir::new().unwrap();
    let disk = FaultyDisk::default();
    let store = DiskStore::open(dir.path(), Arc::new(disk.clone())).unwrap();
    (dir, disk, store)
}

async fn names(store: &DiskStore, prefix: &str) -> Vec<String> {
    let prefix = Path::from(prefix);
    let listed: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
    listed.into_iter().map(|object| object.location.to_string()).collect()
}

async fn read(store: &DiskStore, name: &str) -> Option<Bytes> {
    match store.get(&Path::from(name)).await {
        Ok(object) => Some(object.bytes().await.unwrap()),
        Err(Error::NotFound { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn objects_are_put_read_listed_and_deleted() {
    let (_dir, _disk, store) = store();
    for name in ["a/b/one", "a/b/two", "a/three", "ab/four"] {
        store.put(&Path::from(name), format!("the object {name}").into()).await.unwrap();
    }
    assert_eq!(names(&store, "").await, ["a/b/one", "a/b/two", "a/three", "ab/four"]);
    assert_eq!(names(&store, "a").await, ["a/b/one", "a/b/two", "a/three"], "a prefix ends with a folder");
    assert_eq!(names(&store, "nothing").await, Vec::<String>::new());
    let listed = store.list_with_delimiter(Some(&Path::from("a"))).await.unwrap();
    assert_eq!(listed.common_prefixes, [Path::from("a/b")]);
    assert_eq!(listed.objects[0].location, Path::from("a/three"));
    assert_eq!(listed.objects[0].size, 18);

    let three = Path::from("a/three");
    assert_eq!(store.get_range(&three, 4..10).await.unwrap(), "object");
    assert_eq!(store.get_ranges(&three, &[0..3, 11..18]).await.unwrap(), ["the", "a/three"]);
    let suffix = GetOptions { range: Some(GetRange::Suffix(5)), ..GetOptions::default() };
    assert_eq!(store.get_opts(&three, suffix).await.unwrap().bytes().await.unwrap(), "three");
    assert!(store.get_ranges(&three, &[0..3, 0..19]).await.is_err());
    let meta = store.head(&three).await.unwrap();
    let same = GetOptions { if_none_match: meta.e_tag.clone(), ..GetOptions::default() };
    assert!(matches!(store.get_opts(&three, same).await, Err(Error::NotModified { .. })));

    store.copy_opts(&three, &Path::from("copies/three"), CopyOptions::default()).await.unwrap();
    assert_eq!(read(&store, "copies/three").await.unwrap(), "the object a/three");
    let there = store.copy_if_not_exists(&three, &Path::from("ab/four")).await;
    assert!(matches!(there, Err(Error::AlreadyExists { .. })));

    store.put(&three, "another".into()).await.unwrap();
    assert_eq!(read(&store, "a/three").await.unwrap(), "another");
    for name in ["a/b/one", "a/b/two"] {
        store.delete(&Path::from(name)).await.unwrap();
    }
    assert!(matches!(store.delete(&Path::from("a/b/two")).await, Err(Error::NotFound { .. })));
    assert!(store.list_with_delimiter(Some(&Path::from("a"))).await.unwrap().common_prefixes.is_empty());
    assert!(matches!(store.get(&Path::from("a/b")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_large_object_is_read_in_pieces() {
    let (_dir, _disk, store) = store();
    let path = Path::from("large");
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    store.put(&path, bytes.clone().into()).await.unwrap();
    let pieces: Vec<_> = store.get(&path).await.unwrap().into_stream().try_collect::<Vec<_>>().await.unwrap();
    assert!(pieces.len() > 1);
    assert_eq!(pieces.concat(), bytes);
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let (dir, _disk, store) = store();
    assert!(Path::parse("../x").is_err(), "the crate itself has no such names");
    for name in [".lock", ".staging/0", "a/.hidden"] {
        let path = Path::from(name);
        assert!(store.put(&path, "x".into()).await.is_err(), "{name}");
        assert!(store.get(&path).await.is_err(), "{name}");
        assert!(store.delete(&path).await.is_err(), "{name}");
    }
    let strange = Path::from("a/..\\..\0/%2e%2e/x");
    if store.put(&strange, "x".into()).await.is_ok() {
        assert_eq!(names(&store, "").await, [strange.to_string()]);
    }
    assert!(!dir.path().parent().unwrap().join("x").exists());
}

#[tokio::test]
async fn creating_never_replaces() {
    let (_dir, _disk, store) = store();
    let path = Path::from("metadata/v1.metadata.json");
    let puts = (0..16).map(|number| {
        let (store, path) = (store.clone(), path.clone());
        tokio::spawn(async move {
            let put =
                store.put_opts(&path, number.to_string().into(), PutOptions::from(PutMode::Create)).await;
            put.map(|_| number)
        })
    });
    let results: Vec<_> = futures::stream::iter(puts).buffer_unordered(16).collect().await;
    let mut made = Vec::new();
    for result in results {
        match result.unwrap() {
            Ok(number) => made.push(number),
            Err(error) => assert!(matches!(error, Error::AlreadyExists { .. }), "{error}"),
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(read(&store, "metadata/v1.metadata.json").await.unwrap(), made[0].to_string());
}

#[tokio::test]
async fn a_put_that_returned_survives_a_power_cut_and_one_that_did_not_leaves_nothing_half() {
    for keeps in
        [CrashKeeps::Nothing, CrashKeeps::FirstBytes(20), CrashKeeps::SomeSectors(3), CrashKeeps::Everything]
    {
        for create in [true, false] {
            let mut cut = 0;
            loop {
                let (dir, disk, store) = store();
                let (new, old) = ("n".repeat(2000), "o".repeat(1500));
                let path = Path::from("t/metadata/v2");
                if !create {
                    store.put(&path, old.clone().into()).await.unwrap();
                }
                disk.cut_power_after(cut);
                let mode = if create { PutMode::Create } else { PutMode::Overwrite };
                let returned = store.put_opts(&path, new.clone().into(), mode.into()).await.is_ok();
                drop(store);
                disk.crash(keeps).unwrap();
                let store = DiskStore::open(dir.path(), Arc::new(disk.clone())).unwrap();
                match read(&store, path.as_ref()).await {
                    Some(found) if found == new => {}
                    Some(found) => assert!(!returned && !create && found == old, "cut {cut}"),
                    None => assert!(!returned && create, "cut {cut}"),
                }
                assert!(disk.read_dir(&dir.path().join(".staging")).unwrap().is_empty());
                if returned {
                    break;
                }
                cut += 1;
            }
            assert!(cut >= 4, "a put took only {cut} steps");
        }
    }
}

#[tokio::test]
async fn what_fails_is_not_there() {
    let (_dir, disk, store) = store();
    store.put(&Path::from("t/there"), "x".into()).await.unwrap();
    for operation in
        [Operation::Create, Operation::Write, Operation::Sync, Operation::Rename, Operation::SyncDir]
    {
        disk.inject(Fault::error(operation, io::ErrorKind::Other));
        let create = PutOptions::from(PutMode::Create);
        store.put_opts(&Path::from("t/new"), "bytes".into(), create).await.unwrap_err();
        disk.heal();
        assert_eq!(names(&store, "").await, ["t/there"], "{operation:?}");
    }
    disk.limit_space(Some(3));
    store.put(&Path::from("t/new"), "bytes".into()).await.unwrap_err();
    disk.heal();
    store.put(&Path::from("t/new"), "bytes".into()).await.unwrap();
}

#[tokio::test]
async fn an_object_in_parts_is_there_when_it_is_complete() {
    let (dir, disk, store) = store();
    let path = Path::from("parts/object");
    let mut upload = store.put_multipart(&path).await.unwrap();
    let parts: Vec<_> = (0..20).map(|n| upload.put_part(vec![n; 1000].into())).collect();
    // In any order of waiting they are written in the order of asking.
    for part in parts.into_iter().rev() {
        part.await.unwrap();
    }
    assert!(read(&store, "parts/object").await.is_none());
    upload.complete().await.unwrap();
    let expected: Vec<u8> = (0..20).flat_map(|n| vec![n; 1000]).collect();
    assert_eq!(read(&store, "parts/object").await.unwrap(), expected);

    let mut dropped = store.put_multipart(&Path::from("parts/dropped")).await.unwrap();
    dropped.put_part("x".into()).await.unwrap();
    dropped.abort().await.unwrap();
    drop(dropped);
    disk.inject(Fault::error(Operation::Write, io::ErrorKind::StorageFull).after(1));
    let mut full = store.put_multipart(&Path::from("parts/full")).await.unwrap();
    full.put_part("x".into()).await.unwrap();
    full.put_part("x".into()).await.unwrap_err();
    full.complete().await.unwrap_err();
    assert_eq!(names(&store, "").await, ["parts/object"]);
    for _ in 0..500 {
        if disk.read_dir(&dir.path().join(".staging")).unwrap().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a half-written object stayed");
}

#[tokio::test]
async fn an_object_that_is_not_worth_a_sync_costs_none() {
    let (_dir, disk, store) = store();
    store.put(&Path::from("t/hint"), "1".into()).await.unwrap();
    disk.reset_counts();
    let mut options = PutOptions::default();
    options.extensions.insert(Unsynced);
    store.put_opts(&Path::from("t/hint"), "2".into(), options).await.unwrap();
    let counts = disk.counts();
    assert_eq!((counts.file_syncs, counts.dir_syncs), (0, 0));
    assert_eq!(read(&store, "t/hint").await.unwrap(), "2");
}

#[tokio::test]
async fn a_folder_is_used_by_one_process() {
    let (dir, disk, store) = store();
    let second = DiskStore::open(dir.path(), Arc::new(disk.clone()));
    assert!(matches!(second, Err(LakeError::Disk { .. })), "{second:?}");
    drop(store);
    DiskStore::open(dir.path(), Arc::new(disk)).unwrap();
}

#[tokio::test]
async fn names_in_metadata_start_with_the_warehouse() {
    let dir = TempDir::new().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let own = Warehouse::in_data_folder(&dir.path().join("a"), disk.clone()).unwrap();
    assert_eq!(own.uri(&own.table_path("store")), "s3://opentrail-lake/store");
    assert!(own.is_behind_door());
    let folder = dir.path().join("b");
    let elsewhere = Warehouse::at(&Location::Folder(folder.clone()), disk).unwrap();
    assert_eq!(elsewhere.uri(&elsewhere.table_path("store")), format!("file://{}/store", folder.display()));
    assert!(!elsewhere.is_behind_door());
}
