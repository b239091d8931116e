//! A power cut at every step of what event data stores do loses no row and doubles none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod ingest_scene;

use chrono::TimeDelta;
use ingest_scene::{Scene, event_at, ids_of, now, numbered, options, owner};
use opentrail_journal::disk::CrashKeeps;
use opentrail_lake::store::CreateEventDataStore;

/// Cuts the power after ever more changes of the disk during `act`, until it survives.
async fn cut_everywhere(
    keeps: CrashKeeps,
    stride: u64,
    prepare: impl AsyncFn() -> Scene,
    act: impl AsyncFn(&Scene) -> bool,
    check: impl AsyncFn(&Scene),
) -> u64 {
    let mut cut = 0;
    loop {
        let scene = prepare().await;
        scene.disk.cut_power_after(cut);
        let survived = act(&scene).await;
        let scene = scene.crashed(keeps).await;
        check(&scene).await;
        // What the crash left hinders nothing that comes.
        scene.lake.flush().await.unwrap();
        scene.lake.tidy().await.unwrap();
        check(&scene).await;
        check(&scene.reopened().await).await;
        if survived {
            return cut;
        }
        cut += stride;
    }
}

async fn three_stores() -> Scene {
    let scene = Scene::new(options()).await;
    for name in ["one", "two"] {
        scene.create(owner(1), name).await;
    }
    scene.create(owner(2), "other").await;
    scene.append(owner(1), numbered(0..20)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    scene.append(owner(1), numbered(20..40)).await;
    scene.append(owner(2), numbered(0..5)).await;
    scene.follow().await;
    scene
}

async fn three_are_whole(scene: &Scene) {
    let found = scene.contents().await;
    assert_eq!(found["one"], ids_of(0..40));
    assert_eq!(found["two"], ids_of(0..40));
    assert_eq!(found["other"], ids_of(0..5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_writing_is_survived() {
    for (keeps, stride) in
        [(CrashKeeps::Nothing, 1), (CrashKeeps::SomeSectors(3), 5), (CrashKeeps::Everything, 5)]
    {
        let act = async |scene: &Scene| scene.lake.flush().await.is_ok();
        let steps = cut_everywhere(keeps, stride, three_stores, act, three_are_whole).await;
        assert!(steps > 15, "writing took only {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_merging_is_survived() {
    let prepare = async || {
        let scene = Scene::new(options()).await;
        scene.create(owner(1), "one").await;
        for round in 0..8 {
            scene.append(owner(1), numbered(round * 5..(round + 1) * 5)).await;
            scene.follow().await;
            scene.lake.flush().await.unwrap();
        }
        scene
    };
    let act = async |scene: &Scene| scene.lake.tidy().await.is_ok();
    let check = async |scene: &Scene| assert_eq!(scene.contents().await["one"], ids_of(0..40));
    let steps = cut_everywhere(CrashKeeps::Nothing, 1, prepare, act, check).await;
    assert!(steps > 3, "merging took only {steps} steps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_retention_is_survived() {
    let prepare = async || {
        let scene = Scene::new(options()).await;
        let ask = CreateEventDataStore { retention_days: Some(20), ..CreateEventDataStore::default() };
        scene.create_with(owner(1), "one", ask).await;
        let days = 0..10;
        let events = days.map(|day| event_at(format!("{day:06}"), "us-east-1", now() - TimeDelta::days(day)));
        scene.append(owner(1), events.collect()).await;
        scene.follow().await;
        scene.lake.flush().await.unwrap();
        shorten(&scene).await;
        scene
    };
    let act = async |scene: &Scene| scene.lake.tidy().await.is_ok();
    let check = async |scene: &Scene| {
        let found = &scene.contents().await["one"];
        assert!(*found == ids_of(0..10) || *found == ids_of(0..8), "all that goes, goes at once: {found:?}");
    };
    let steps = cut_everywhere(CrashKeeps::Nothing, 1, prepare, act, check).await;
    assert!(steps > 3, "dropping took only {steps} steps");
}

async fn shorten(scene: &Scene) {
    use opentrail_lake::store::UpdateEventDataStore;
    let store = scene.stores.all().pop().unwrap();
    let ask = UpdateEventDataStore {
        named: store.id.to_string(),
        retention_days: Some(7),
        ..UpdateEventDataStore::default()
    };
    let mut tx = scene.state.begin().await;
    scene.stores.update(&mut tx, owner(1), &ingest_scene::region("us-east-1"), &ask, now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    scene.follow().await;
}
