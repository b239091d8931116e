//! A power cut at every step of what a table does: no row is lost, none is there twice, marks and rows agree, and
//! who reads an older snapshot goes on reading.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod table_scene;

use std::{io, sync::Arc, time::Duration};

use opentrail_journal::disk::{CrashKeeps, Disk, Fault, FaultyDisk, Operation, RealDisk};
use opentrail_keyring::{EncryptedDisk, FolderKey};
use opentrail_lake::{LakeError, table::TableOptions};
use table_scene::{Scene, day, ids_of, later, layout, now, options};
use tempfile::TempDir;
use zeroize::Zeroizing;

const KEEPS: [CrashKeeps; 4] =
    [CrashKeeps::Nothing, CrashKeeps::FirstBytes(3000), CrashKeeps::SomeSectors(7), CrashKeeps::Everything];

#[tokio::test]
async fn a_power_cut_at_any_step_of_an_append_is_survived() {
    for keeps in KEEPS {
        let mut cut = 0;
        loop {
            let scene = Scene::new().await;
            for number in 1..=3 {
                scene.append(number, 1).await.unwrap();
            }
            scene.disk.cut_power_after(cut);
            let survived = scene.append(4, 0).await.is_ok();
            let scene = scene.crashed(keeps, now()).await;
            let mark = scene.mark();
            assert!(mark == 4 || (mark == 3 && !survived), "cut {cut}: {mark}");
            scene.assert_whole().await;
            for number in mark + 1..=6 {
                scene.append(number, 0).await.unwrap();
            }
            scene.assert_whole().await;
            scene.assert_nothing_left_over(later(601)).await;
            if survived {
                break;
            }
            cut += 1;
        }
        assert!(cut > 15, "an append took only {cut} steps");
    }
}

#[tokio::test]
async fn a_power_cut_at_any_step_of_an_append_that_merges_manifests_is_survived() {
    let mut cut = 0;
    loop {
        let scene = Scene::new().await;
        for number in 1..=16 {
            scene.append(number, 1).await.unwrap();
        }
        scene.disk.cut_power_after(cut);
        let survived = scene.append(17, 0).await.is_ok();
        let scene = scene.crashed(CrashKeeps::Nothing, now()).await;
        scene.assert_whole().await;
        if survived {
            assert_eq!(scene.current_manifests().await.len(), 2);
            break;
        }
        cut += 2;
    }
    assert!(cut > 20, "it took only {cut} steps");
}

#[tokio::test]
async fn a_power_cut_at_any_step_of_compaction_is_survived() {
    for keeps in [CrashKeeps::Nothing, CrashKeeps::SomeSectors(5)] {
        let mut cut = 0;
        loop {
            let scene = Scene::new().await;
            for number in 1..=6 {
                scene.append(number, 2).await.unwrap();
            }
            let before = scene.table.snapshot();
            scene.disk.cut_power_after(cut);
            let survived = scene.table.compact(now()).await.is_ok();
            let scene = scene.crashed(keeps, later(1)).await;
            assert_eq!(scene.mark(), 6);
            scene.assert_whole().await;
            assert_eq!(scene.ids_in(&before).await.unwrap().len(), 12, "cut {cut}");
            while scene.table.compact(later(2)).await.unwrap().is_some() {}
            assert_eq!(scene.table.snapshot().files().count(), 1);
            scene.assert_whole().await;
            assert_eq!(scene.ids_in(&before).await.unwrap().len(), 12, "cut {cut}");
            scene.assert_nothing_left_over(later(700)).await;
            scene.assert_whole().await;
            if survived {
                break;
            }
            cut += 1;
        }
        assert!(cut > 15, "compaction took only {cut} steps");
    }
}

#[tokio::test]
async fn a_power_cut_at_any_step_of_retention_is_survived() {
    let mut cut = 0;
    loop {
        let scene = Scene::new().await;
        for number in 1..=6 {
            scene.append(number, i64::try_from(number).unwrap()).await.unwrap();
        }
        let before = scene.table.snapshot();
        scene.disk.cut_power_after(cut);
        let survived = scene.table.drop_before(day(3), now()).await.is_ok();
        let scene = scene.crashed(CrashKeeps::Nothing, later(1)).await;
        let ids = scene.ids().await;
        assert!(ids.len() == 12 || ids.len() == 6, "cut {cut}: {ids:?}");
        assert!(!survived || ids.len() == 6);
        assert_eq!(scene.ids_in(&before).await.unwrap().len(), 12);
        scene.assert_readable().await;
        scene.table.drop_before(day(3), later(1)).await.unwrap();
        assert_eq!(scene.ids().await, (1..=3).flat_map(ids_of).collect::<Vec<_>>());
        scene.assert_nothing_left_over(later(700)).await;
        if survived {
            break;
        }
        cut += 1;
    }
    assert!(cut > 12, "retention took only {cut} steps");
}

#[tokio::test]
async fn a_power_cut_at_any_step_of_expiry_is_survived() {
    for keeps in [CrashKeeps::Nothing, CrashKeeps::Everything] {
        let mut cut = 0;
        loop {
            let scene = Scene::new().await;
            for number in 1..=24 {
                scene.append(number, 2).await.unwrap();
            }
            while scene.table.compact(now()).await.unwrap().is_some() {}
            scene.append(25, 0).await.unwrap();
            scene.disk.cut_power_after(cut);
            let survived = scene.table.expire(later(601)).await.is_ok();
            // Files that can't be removed are no error, so ask the disk whether it was cut off.
            let all = scene.append(26, 0).await.is_ok();
            let scene = scene.crashed(keeps, later(601)).await;
            scene.assert_whole().await;
            scene.assert_nothing_left_over(later(601)).await;
            scene.assert_whole().await;
            if survived && all {
                break;
            }
            cut += 3;
        }
        assert!(cut > 30, "expiry took only {cut} steps");
    }
}

#[tokio::test]
async fn a_full_disk_is_waited_out_and_leaves_nothing() {
    let scene = Scene::new().await;
    scene.append(1, 0).await.unwrap();
    for space in (0..20_000).step_by(700) {
        scene.disk.limit_space(Some(space));
        if scene.append(2, 0).await.is_ok() {
            break;
        }
        scene.assert_whole().await;
        assert_eq!(scene.mark(), 1);
    }
    scene.disk.heal();
    assert_eq!(scene.mark(), 2);
    scene.append(3, 0).await.unwrap();
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(601)).await;
}

#[tokio::test]
async fn whatever_fails_the_table_can_be_used_afterwards() {
    let scene = Scene::with(TableOptions { grace: Duration::ZERO, ..options() }).await;
    let mut number = 0;
    for operation in
        [Operation::Create, Operation::Write, Operation::Sync, Operation::Rename, Operation::SyncDir]
    {
        for place in [".staging", "data", "metadata", "lake"] {
            for after in 0..4 {
                number = scene.mark();
                let fault = Fault::error(operation, io::ErrorKind::Other).on(place).after(after);
                scene.disk.inject(fault);
                let result = scene.append(number + 1, 1).await;
                if let Err(error) = &result {
                    assert!(matches!(error, LakeError::Warehouse(_)), "{error:?}");
                }
                assert_eq!(scene.mark(), number + u64::from(result.is_ok()), "{operation:?} {place} {after}");
                let compacted = scene.table.compact(now()).await;
                scene.disk.heal();
                scene.assert_whole().await;
                drop(compacted);
            }
        }
    }
    assert!(number > 20);
    let scene = scene.crashed(CrashKeeps::Nothing, later(1)).await;
    scene.assert_whole().await;
    scene.assert_nothing_left_over(later(1)).await;
}

#[tokio::test]
async fn a_commit_whose_name_could_not_be_synced_did_not_happen() {
    let scene = Scene::new().await;
    scene.append(1, 0).await.unwrap();
    // The third sync of the folder is that of the commit.
    scene.disk.inject(Fault::error(Operation::SyncDir, io::ErrorKind::Other).on("metadata").after(2));
    scene.append(2, 0).await.unwrap_err();
    assert_eq!(scene.mark(), 1);
    let scene = scene.crashed(CrashKeeps::Everything, now()).await;
    let mark = scene.mark();
    scene.assert_whole().await;
    scene.append(mark + 1, 0).await.unwrap();
    scene.assert_whole().await;
}

#[tokio::test]
async fn an_encrypted_folder_shows_nothing_and_survives_power_cuts() {
    let key_folder = TempDir::new().unwrap();
    let key = FolderKey::create(&RealDisk, key_folder.path(), &Zeroizing::new([7; 32])).unwrap();
    let below = FaultyDisk::default();
    let dir = Arc::new(TempDir::new().unwrap());
    let open = || {
        let above: Arc<dyn Disk> = Arc::new(EncryptedDisk::new(Arc::new(below.clone()), &key));
        Scene::open_on(dir.clone(), below.clone(), above, options(), layout(3), now())
    };
    let mut scene = open().await.unwrap();
    for cut in (0..60).step_by(3) {
        let number = scene.mark() + 1;
        below.cut_power_after(cut);
        let appended = scene.append(number, 2).await;
        drop(scene.table.compact(now()).await);
        drop(scene);
        below.crash(CrashKeeps::SomeSectors(cut)).unwrap();
        scene = open().await.unwrap();
        assert!(scene.mark() == number || appended.is_err());
        scene.assert_whole().await;
    }
    assert!(scene.mark() > 5);
    for path in scene.objects().await {
        let raw = std::fs::read(dir.path().join("lake").join(path.as_ref())).unwrap();
        let shows = |text: &str| raw.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!["eventTime", "PAR1", "Obj\u{1}", "000001-a"].into_iter().any(shows), "{path}");
    }
}
