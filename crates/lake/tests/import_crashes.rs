//! A power cut at any step of an import loses no row and doubles none; what goes on after it ends as it should.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod import_scene;
mod ingest_scene;

use std::{sync::Arc, time::Duration};

use import_scene::{AtWork, Bucket, file, key, noon, real_time};
use ingest_scene::{Scene, ids_of, owner};
use opentrail_journal::disk::{CrashKeeps, Disk};
use opentrail_lake::{
    import::{Import, ImportStatus, TimeRange},
    store::EventDataStore,
};

/// Files of the bucket, events in each.
const FILES: usize = 40;
const EVENTS: usize = 5;

fn bucket() -> Arc<Bucket> {
    let bucket = Arc::new(Bucket::default());
    for number in 0..FILES {
        let time = noon(1 + (number % 4) as u64);
        bucket.put(key("us-east-1", time, number), file(number * EVENTS..(number + 1) * EVENTS, time));
    }
    // One that can't be taken, which must be known after the crash too.
    bucket.put(key("us-east-1", noon(2), 999), "not gzip");
    bucket
}

/// A store that has some of the events, and an import that nobody works on.
async fn asked_for(bucket: &Arc<Bucket>) -> (Scene, EventDataStore, Import) {
    let scene = Scene::new(real_time()).await;
    let store = scene.create(owner(1), "audit").await;
    let at_work = AtWork::start(&scene, bucket);
    let live = (0..EVENTS).map(|number| ingest_scene::event_at(format!("{number:06}"), "us-east-1", noon(1)));
    scene.append(owner(1), live.collect()).await;
    scene.caught_up().await;
    scene.lake.flush().await.unwrap();
    at_work.stop().await;
    let at_work = AtWork::idle(&scene);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    at_work.stop().await;
    (scene, store, import)
}

/// Whether the import came to its end before the power went.
async fn work_until_the_power_goes(scene: &Scene, bucket: &Arc<Bucket>, import: &Import) -> bool {
    let Some(at_work) = AtWork::try_start(scene, bucket) else { return false };
    let survived = loop {
        if scene.disk.exists(&scene.folder()).is_err() {
            break false;
        }
        let known = at_work.imports.rules().get(import.account, &import.region, &import.id.to_string());
        if known.is_ok_and(|import| !import.status.is_ongoing()) {
            break true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    at_work.stop().await;
    survived
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_an_import_is_survived() {
    let bucket = bucket();
    for (keeps, stride) in [(CrashKeeps::Nothing, 13), (CrashKeeps::SomeSectors(7), 31)] {
        let mut cut = 0;
        loop {
            let (scene, store, import) = asked_for(&bucket).await;
            scene.disk.cut_power_after(cut);
            let survived = work_until_the_power_goes(&scene, &bucket, &import).await;
            let scene = scene.crashed(keeps).await;
            // What is there is a part of what there shall be, each once.
            let found = scene.ids(store.id).await;
            assert!(found.windows(2).all(|two| two[0] < two[1]), "an event is twice after {cut} changes");
            let at_work = AtWork::start(&scene, &bucket);
            let (status, statistics) = at_work.ended(&import).await;
            assert_eq!((status, statistics.failed_entries), (ImportStatus::Failed, 1), "after {cut} changes");
            assert_eq!(statistics.files_completed, FILES as u64, "after {cut} changes");
            assert_eq!(scene.ids(store.id).await, ids_of(0..FILES * EVENTS), "after {cut} changes");
            at_work.stop().await;
            if survived {
                assert!(cut > 20, "an import took only {cut} changes");
                break;
            }
            cut += stride;
        }
    }
}
