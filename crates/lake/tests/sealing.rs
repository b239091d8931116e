//! Stores that have a key: what is on the disk of them, and what happens while the key can't be had.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod import_scene;
mod ingest_scene;

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use import_scene::{AtWork, Bucket, file, key as name_of, noon, real_time};
use ingest_scene::{Scene, ids_of, now, numbered, options, owner, region};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, path::Path};
use opentrail_journal::disk::{CrashKeeps, FaultyDisk};
use opentrail_lake::{
    import::{ImportStatus, TimeRange},
    ingest::{LakeOptions, TableKeys},
    store::{CreateEventDataStore, EventDataStore, StoreId, StoreKey, UpdateEventDataStore, WrappedKey},
    warehouse::{DataKey, KeyRefused, Seal, Sealing, Warehouse},
};
use tempfile::TempDir;
use zeroize::Zeroizing;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const GONE: u8 = 2;

/// The key service of a test.
#[derive(Debug, Default)]
struct Service(AtomicU8);

impl Service {
    fn is_now(&self, state: u8) {
        self.0.store(state, Ordering::SeqCst);
    }
}

#[async_trait]
impl TableKeys for Service {
    async fn open(&self, _: &EventDataStore, key: &StoreKey) -> Result<DataKey, KeyRefused> {
        match self.0.load(Ordering::SeqCst) {
            OPEN => Ok(DataKey::new(Zeroizing::new(key.wrapped.0.as_slice().try_into().unwrap()))),
            CLOSED => Err(KeyRefused::Closed("the key is disabled".to_owned())),
            _ => Err(KeyRefused::Gone("the key is deleted".to_owned())),
        }
    }
}

fn key(byte: u8) -> StoreKey {
    let arn = format!("arn:aws:kms:us-east-1:000000000001:key/{byte}");
    StoreKey { arn, wrapped: WrappedKey(vec![byte; 32]), since_creation: false }
}

fn with(service: &Arc<Service>) -> LakeOptions {
    LakeOptions { keys: service.clone(), ..options() }
}

async fn sealed(scene: &Scene, name: &str) -> EventDataStore {
    let ask = CreateEventDataStore { kms_key: Some(key(7)), ..CreateEventDataStore::default() };
    scene.create_with(owner(1), name, ask).await
}

async fn give_key(scene: &Scene, store: &EventDataStore, key: StoreKey) {
    let mut tx = scene.state.begin().await;
    let ask = UpdateEventDataStore {
        named: store.id.to_string(),
        kms_key: Some(key),
        ..UpdateEventDataStore::default()
    };
    scene.stores.update(&mut tx, owner(1), &region("us-east-1"), &ask, now()).unwrap();
    tx.commit(vec![]).await.unwrap();
}

/// The files of a store as they are on the disk.
fn files(scene: &Scene, id: StoreId) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = scene.tables().join(id.to_string());
    let mut found = Vec::new();
    for part in ["data", "metadata"] {
        for entry in std::fs::read_dir(folder.join(part)).into_iter().flatten() {
            let path = entry.unwrap().path();
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found
}

fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OTLSEAL1")
}

async fn until(check: impl AsyncFn() -> bool) {
    let all = async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("it comes to pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_a_store_with_a_key_is_sealed() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(with(&service)).await;
    let (mine, open) = (sealed(&scene, "mine").await, scene.create(owner(1), "open").await);
    for round in 0..3 {
        scene.append(owner(1), numbered(round * 10..(round + 1) * 10)).await;
        scene.follow().await;
        scene.lake.flush().await.unwrap();
    }
    scene.lake.tidy().await.unwrap();
    let on_disk = files(&scene, mine.id);
    assert!(on_disk.len() > 6);
    for (path, bytes) in on_disk {
        assert!(is_sealed(&bytes), "{}", path.display());
        assert!(!bytes.windows(4).any(|window| window == b"PAR1"), "{}", path.display());
    }
    assert!(files(&scene, open.id).iter().all(|(_, bytes)| !is_sealed(bytes)));
    assert_eq!(scene.ids(mine.id).await, ids_of(0..30));
    let scene = scene.reopened().await;
    assert_eq!(scene.ids(mine.id).await, ids_of(0..30));
    assert_eq!(scene.ids(open.id).await, ids_of(0..30));
}

/// Whether all of the store's files can be read.
async fn is_readable(scene: &Scene, id: StoreId) -> bool {
    let (live, view) = (scene.lake.table(id).unwrap(), scene.lake.view(id).unwrap());
    for file in view.files() {
        let Ok(object) = live.warehouse().store().get(&file.path).await else { return false };
        if object.bytes().await.is_err() {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_changed_or_exchanged_are_refused() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(with(&service)).await;
    let mine = sealed(&scene, "mine").await;
    for round in 0..2 {
        scene.append(owner(1), numbered(round * 10..(round + 1) * 10)).await;
        scene.follow().await;
        scene.lake.flush().await.unwrap();
    }
    assert!(is_readable(&scene, mine.id).await);
    let mut data = files(&scene, mine.id);
    data.retain(|(path, _)| path.extension().is_some_and(|end| end == "parquet"));
    let [(one, first), (other, second)] = data.try_into().unwrap();
    let mut flipped = first.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for bytes in [&flipped, &first[..first.len() - 1].to_vec(), &second, &b"PAR1 in the clear PAR1".to_vec()]
    {
        std::fs::write(&one, bytes).unwrap();
        assert!(!is_readable(&scene, mine.id).await);
    }
    std::fs::write(&one, &first).unwrap();
    std::fs::write(&other, &first).unwrap();
    assert!(!is_readable(&scene, mine.id).await);
    std::fs::write(&other, &second).unwrap();
    assert!(is_readable(&scene, mine.id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_gets_a_key_later_has_its_older_files_sealed() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(with(&service)).await;
    let store = scene.create(owner(1), "mine").await;
    scene.append(owner(1), numbered(0..10)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    assert!(files(&scene, store.id).iter().all(|(_, bytes)| !is_sealed(bytes)));
    give_key(&scene, &store, key(9)).await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..10), "what is there can be read");
    scene.append(owner(1), numbered(10..20)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    let scene = scene.reopened().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..20));
    scene.lake.tidy().await.unwrap();
    assert!(files(&scene, store.id).iter().all(|(_, bytes)| is_sealed(bytes)));
    assert_eq!(scene.ids(store.id).await, ids_of(0..20));
    assert_eq!(scene.reopened().await.ids(store.id).await, ids_of(0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_never_changed() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(with(&service)).await;
    let mine = sealed(&scene, "mine").await;
    let again = StoreKey { wrapped: WrappedKey(vec![1; 32]), ..key(7) };
    give_key(&scene, &mine, again).await;
    let kept = scene.stores.by_arn(&mine.arn()).unwrap().kms_key.clone().unwrap();
    assert_eq!((kept.wrapped, kept.since_creation), (key(7).wrapped, true));
    let mut tx = scene.state.begin().await;
    let ask = UpdateEventDataStore {
        named: mine.id.to_string(),
        kms_key: Some(key(8)),
        ..UpdateEventDataStore::default()
    };
    let refused = scene.stores.update(&mut tx, owner(1), &region("us-east-1"), &ask, now()).unwrap_err();
    assert_eq!(refused.code(), "InvalidParameterException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_key_is_closed_holds_up_nobody_and_has_everything_when_it_opens() {
    let service = Arc::<Service>::default();
    let limits = LakeOptions {
        memory_bytes: 400_000,
        flush_bytes: 100_000,
        flush_after: Duration::from_millis(50),
        ..with(&service)
    };
    let scene = Scene::new(limits).await;
    let (mine, open) = (sealed(&scene, "mine").await, scene.create(owner(1), "open").await);
    scene.append(owner(1), numbered(0..10)).await;
    let running = scene.start();
    until(async || !files(&scene, mine.id).is_empty()).await;
    service.is_now(CLOSED);
    for round in 0..40 {
        scene.append(owner(1), numbered(10 + round * 100..10 + (round + 1) * 100)).await;
    }
    scene.caught_up().await;
    assert_eq!(scene.ids(open.id).await, ids_of(0..4010), "others go on");
    until(async || !scene.lake.table(mine.id).unwrap().is_whole()).await;
    assert!(scene.lake.status().stored < scene.state.journal().durable(), "the journal keeps what waits");
    service.is_now(OPEN);
    let live = scene.lake.table(mine.id).unwrap();
    tokio::time::timeout(Duration::from_secs(60), live.whole()).await.unwrap();
    scene.append(owner(1), numbered(4010..4020)).await;
    scene.caught_up().await;
    assert_eq!(scene.ids(mine.id).await, ids_of(0..4020));
    until(async || scene.lake.status().stored == scene.state.journal().durable()).await;
    running.stop().await;
    drop(live);
    let scene = scene.reopened().await;
    assert_eq!(scene.ids(mine.id).await, ids_of(0..4020));
    assert_eq!(scene.ids(open.id).await, ids_of(0..4020));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_key_waits_for_it() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(with(&service)).await;
    let (mine, open) = (sealed(&scene, "mine").await, scene.create(owner(1), "open").await);
    scene.append(owner(1), numbered(0..10)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    scene.append(owner(1), numbered(10..20)).await;
    service.is_now(CLOSED);
    let scene = scene.reopened().await;
    let running = scene.start();
    scene.append(owner(1), numbered(20..30)).await;
    scene.caught_up().await;
    assert_eq!(scene.ids(open.id).await, ids_of(0..30));
    let live = scene.lake.table(mine.id).unwrap();
    assert!(!live.is_whole());
    service.is_now(OPEN);
    tokio::time::timeout(Duration::from_secs(60), live.whole()).await.unwrap();
    assert_eq!(scene.ids(mine.id).await, ids_of(0..30));
    running.stop().await;
    drop(live);
    assert_eq!(scene.reopened().await.ids(mine.id).await, ids_of(0..30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_key_is_gone_takes_nothing_and_holds_nothing() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(LakeOptions { flush_after: Duration::from_millis(50), ..with(&service) }).await;
    let (_mine, open) = (sealed(&scene, "mine").await, scene.create(owner(1), "open").await);
    service.is_now(GONE);
    let running = scene.start();
    scene.append(owner(1), numbered(0..10)).await;
    until(async || scene.lake.status().stored == scene.state.journal().durable()).await;
    assert_eq!(scene.ids(open.id).await, ids_of(0..10));
    running.stop().await;
    let scene = scene.reopened().await;
    assert_eq!(scene.ids(open.id).await, ids_of(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_loses_no_row_of_a_sealed_store() {
    let mut cut = 0;
    loop {
        let service = Arc::<Service>::default();
        let scene = Scene::new(with(&service)).await;
        let mine = scene.create(owner(1), "mine").await;
        scene.append(owner(1), numbered(0..10)).await;
        scene.follow().await;
        scene.lake.flush().await.unwrap();
        give_key(&scene, &mine, key(5)).await;
        scene.append(owner(1), numbered(10..20)).await;
        scene.follow().await;
        scene.disk.cut_power_after(cut);
        let survived = scene.lake.flush().await.is_ok() && scene.lake.tidy().await.is_ok();
        let scene = scene.crashed(CrashKeeps::Nothing).await;
        assert_eq!(scene.ids(mine.id).await, ids_of(0..20), "cut after {cut}");
        scene.lake.flush().await.unwrap();
        scene.lake.tidy().await.unwrap();
        assert_eq!(scene.ids(mine.id).await, ids_of(0..20), "cut after {cut}");
        assert!(files(&scene, mine.id).iter().all(|(_, bytes)| is_sealed(bytes)), "cut after {cut}");
        if survived {
            return;
        }
        cut += 3;
    }
}

/// A seal with a key of its own.
#[derive(Debug)]
struct Always;

#[async_trait]
impl Seal for Always {
    fn sealing(&self) -> Sealing {
        Sealing::All
    }

    async fn key(&self) -> Result<DataKey, KeyRefused> {
        Ok(DataKey::new(Zeroizing::new([3; 32])))
    }
}

#[tokio::test]
async fn ranges_of_a_sealed_file_are_those_of_the_plain_one() {
    let dir = TempDir::new().unwrap();
    let plain = Warehouse::in_data_folder(dir.path(), Arc::new(FaultyDisk::default())).unwrap();
    let warehouse = plain.sealed_with(Arc::new(Always));
    let (store, path) = (warehouse.store(), Path::from("t/data/file"));
    let content: Bytes = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    store.put(&path, content.clone().into()).await.unwrap();
    let meta = store.head(&path).await.unwrap();
    assert_eq!(meta.size, 300_000);
    assert!(plain.store().head(&path).await.unwrap().size > 300_000);
    let ranges: Vec<Range<u64>> = vec![
        0..1,
        65_535..65_537,
        65_536..65_536,
        131_072..131_073,
        299_999..300_000,
        10..250_000,
        0..300_000,
    ];
    let parts = store.get_ranges(&path, &ranges).await.unwrap();
    for (range, part) in ranges.iter().zip(&parts) {
        let wanted = content.slice(range.start as usize..range.end as usize);
        assert_eq!(part, &wanted, "{range:?}");
        if !range.is_empty() {
            assert_eq!(store.get_range(&path, range.clone()).await.unwrap(), wanted, "{range:?}");
            let bounded = GetRange::Bounded(range.clone());
            let options = GetOptions { range: Some(bounded), ..GetOptions::default() };
            let got = store.get_opts(&path, options).await.unwrap();
            assert_eq!((got.meta.size, got.range.clone()), (300_000, range.clone()));
            assert_eq!(got.bytes().await.unwrap(), wanted, "{range:?}");
        }
    }
    let suffix = GetOptions { range: Some(GetRange::Suffix(70_000)), ..GetOptions::default() };
    assert_eq!(store.get_opts(&path, suffix).await.unwrap().bytes().await.unwrap(), content.slice(230_000..));
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), content);
    assert!(store.get_ranges(&path, &[0..3, 299_999..300_001]).await.is_err());
    // Under another name it is not this file, and what is not sealed is none of the table's.
    let other = Path::from("t/data/other");
    plain.store().copy(&path, &other).await.unwrap();
    assert!(store.get_range(&other, 0..10).await.is_err());
    plain
        .store()
        .put(&other, Bytes::from_static(b"something in the clear that is long").into())
        .await
        .unwrap();
    assert!(store.get_range(&other, 0..10).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_a_store_whose_key_is_closed_fails_and_says_why_until_it_is_open() {
    let service = Arc::<Service>::default();
    let scene = Scene::new(LakeOptions { keys: service.clone(), ..real_time() }).await;
    let store = sealed(&scene, "mine").await;
    let bucket = Arc::new(Bucket::default());
    bucket.put(name_of("us-east-1", noon(1), 0), file(0..10, noon(1)));
    service.is_now(CLOSED);
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    assert_eq!(at_work.ended(&import).await.0, ImportStatus::Failed);
    let (failures, _) = at_work.imports.failures(&import, None, 10).unwrap().unwrap();
    let [(_, _, failure)] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(failure.fault.kind, "InsufficientEncryptionPolicy");
    assert!(failure.fault.message.contains("the key is disabled"), "{}", failure.fault.message);
    assert!(bucket.reads().is_empty());

    service.is_now(OPEN);
    at_work.retry(&scene, &import).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.events_completed), (ImportStatus::Completed, 10));
    assert_eq!(scene.ids(store.id).await, ids_of(0..10));
    at_work.stop().await;
}
