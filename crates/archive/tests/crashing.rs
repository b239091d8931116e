//! A power cut at every step of storing and merging loses nothing and doubles nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod scene;

use opentrail_archive::{ArchiveOptions, LookupQuery, Standing};
use opentrail_event::{Event, EventId};
use opentrail_journal::disk::{CrashKeeps, Fault, Operation};
use scene::{Scene, Spec, ids, now, options, owner};

const START: i64 = 1_699_999_000;

fn batch(round: i64, count: i64) -> Vec<Event> {
    (0..count).map(|n| Spec::new(format!("{round}-{n}"), START + (n * 7 + round) % 50).event()).collect()
}

async fn assert_whole(scene: &Scene, expected: usize) {
    let query = LookupQuery { limit: 1000, ..LookupQuery::new(owner(1), now()) };
    let mut found = ids(&scene.all(&query).await);
    assert_eq!(found.len(), expected);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), expected, "an event is there twice");
    let keys: Vec<EventId> = found.iter().map(|id| EventId::of(id)).collect();
    let reservation = scene.archive.seen().reserve(owner(1), &keys).unwrap();
    assert!(reservation.standings().iter().all(|standing| *standing == Standing::Recorded));
    let report = opentrail_archive::fsck(&scene.folder(), &scene.disk).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

fn small() -> ArchiveOptions {
    // So few rows make a whole table that a few tables are worth merging.
    ArchiveOptions { file_rows: 300, seen_memory_ids: 10, seen_run_ids: 10_000, ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_storing_is_survived() {
    for keeps in [CrashKeeps::Nothing, CrashKeeps::SomeSectors(3), CrashKeeps::Everything] {
        let mut cut = 0;
        loop {
            let scene = Scene::new(small()).await;
            let running = scene.start();
            let seq = scene.append(owner(1), batch(0, 30)).await;
            scene.archive.caught_up(seq).await;
            running.stop().await;
            scene.disk.cut_power_after(cut);
            let survived = scene.archive.flush().await.is_ok();
            let scene = scene.crashed(keeps).await;
            assert_whole(&scene, 30).await;
            if survived {
                break;
            }
            cut += 1;
        }
        assert!(cut > 15, "storing took only {cut} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_merging_is_survived() {
    let mut cut = 0;
    loop {
        let scene = Scene::new(small()).await;
        for round in 0..9 {
            scene.append(owner(1), batch(round, 10)).await;
        }
        let mut scene = scene;
        for round in 9..17 {
            scene.append(owner(1), batch(round, 10)).await;
            scene = scene.reopened().await;
            scene.archive.flush().await.unwrap();
        }
        assert!(scene.archive.status().tables >= 8);
        scene.disk.cut_power_after(cut);
        let survived = scene.archive.compact().await.is_ok();
        let scene = scene.crashed(CrashKeeps::Nothing).await;
        assert_whole(&scene, 170).await;
        if survived {
            assert_eq!(scene.archive.status().tables, 1);
            break;
        }
        // Every step would take long; these are as many places.
        cut += 3;
    }
    assert!(cut > 15, "merging took only {cut} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_out() {
    let scene = Scene::new(ArchiveOptions { tail_bytes: 4096, ..small() }).await;
    let running = scene.start();
    scene
        .disk
        .inject(Fault::error(Operation::Create, std::io::ErrorKind::StorageFull).on("events-").always());
    let seq = scene.append(owner(1), batch(0, 5)).await;
    scene.archive.caught_up(seq).await;
    assert!(scene.archive.flush().await.is_err());
    assert_whole(&scene, 5).await;
    scene.disk.heal();
    for round in 1..5 {
        scene.append(owner(1), batch(round, 50)).await;
    }
    let last = scene.append(owner(1), batch(9, 1)).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), scene.archive.caught_up(last)).await.unwrap();
    scene.archive.flush().await.unwrap();
    running.stop().await;
    assert_whole(&scene, 206).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_is_tried_again_with_new_files() {
    let scene = Scene::new(small()).await;
    let running = scene.start();
    let seq = scene.append(owner(1), batch(0, 20)).await;
    scene.archive.caught_up(seq).await;
    running.stop().await;
    for fault in [
        Fault::error(Operation::Sync, std::io::ErrorKind::Other).on("events-"),
        Fault::error(Operation::SyncDir, std::io::ErrorKind::Other).on("archive"),
        Fault::error(Operation::Rename, std::io::ErrorKind::Other).on("MANIFEST"),
        Fault::short_writes(100).on("events-"),
    ] {
        scene.disk.inject(fault);
        let _ = scene.archive.flush().await;
        assert_whole(&scene, 20).await;
        scene.disk.heal();
    }
    scene.archive.flush().await.unwrap();
    assert_whole(&scene.crashed(CrashKeeps::Nothing).await, 20).await;
}
