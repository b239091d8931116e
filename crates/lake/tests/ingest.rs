//! What event data stores take from the journal: which events, at once, each once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod ingest_scene;

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use ingest_scene::{Scene, event, event_at, ids_of, now, numbered, of_category, options, owner, region};
use opentrail_journal::{
    Seq,
    disk::{CrashKeeps, Fault, Operation},
};
use opentrail_lake::{
    channel::ChannelEvents,
    ingest::LakeOptions,
    store::{CreateEventDataStore, UpdateEventDataStore},
};
use opentrail_selector::{AdvancedEventSelector, AdvancedFieldSelector};
use opentrail_state::OwnedEvent;
use opentrail_trails::{
    Organization,
    organization::{self, OrganizationId},
};
use serde_json::value::RawValue;

fn category(name: &str) -> AdvancedEventSelector {
    let field = |field: &str, value: &str| AdvancedFieldSelector {
        field: field.to_owned(),
        equals: Some(vec![value.to_owned()]),
        ..AdvancedFieldSelector::default()
    };
    let mut fields = vec![field("eventCategory", name)];
    if name == "Data" {
        fields.push(field("resources.type", "AWS::S3::Object"));
    }
    AdvancedEventSelector { name: None, field_selectors: fields }
}

async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not come about");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_in_a_view_at_once_and_stays_there_once() {
    let scene = Scene::new(options()).await;
    let store = scene.create(owner(1), "mine").await;
    assert!(scene.ids(store.id).await.is_empty());
    let running = scene.start();
    scene.append(owner(1), numbered(0..300)).await;
    scene.append(owner(2), vec![event("of somebody else")]).await;
    scene.caught_up().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..300));
    let view = scene.lake.view(store.id).unwrap();
    assert_eq!(view.files().count(), 0);
    scene.lake.flush().await.unwrap();
    assert_eq!(scene.ids(store.id).await, ids_of(0..300));
    assert_eq!(scene.ids_in(&view).await, ids_of(0..300), "a view that was taken before stays whole");
    assert!(scene.lake.view(store.id).unwrap().tail.is_empty());
    scene.append(owner(1), numbered(300..310)).await;
    scene.caught_up().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..310));
    running.stop().await;
    let scene = scene.reopened().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..310), "after a start all is there at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_and_selectors_decide() {
    let scene = Scene::new(options()).await;
    let home_only = CreateEventDataStore { is_multi_region: Some(false), ..CreateEventDataStore::default() };
    let home = scene.create_with(owner(1), "home", home_only).await;
    let data =
        CreateEventDataStore { selectors: Some(vec![category("Data")]), ..CreateEventDataStore::default() };
    let data = scene.create_with(owner(1), "data", data).await;
    let everywhere = scene.create(owner(1), "everywhere").await;
    scene
        .append(
            owner(1),
            vec![event("a"), event_at("b", "eu-west-1", now()), of_category("c", "eu-west-1", now(), "Data")],
        )
        .await;
    scene.follow().await;
    assert_eq!(scene.ids(home.id).await, ["a"]);
    assert_eq!(scene.ids(everywhere.id).await, ["a", "b"]);
    assert_eq!(scene.ids(data.id).await, ["c"]);
}

/// Changes of stores between events, each with its own record; answers what each store must have.
async fn eventful(scene: &Scene) -> Vec<(&'static str, Vec<&'static str>)> {
    let (account, home) = (owner(1), region("us-east-1"));
    let stopped = scene.create(account, "stopped").await;
    let changed = scene.create(account, "changed").await;
    let doomed = scene.create(account, "doomed").await;
    let record = |id: &str| vec![OwnedEvent { owner: account, event: event(id) }];
    scene.append(account, vec![event("a")]).await;

    let mut tx = scene.state.begin().await;
    scene.stores.stop_ingestion(&mut tx, account, &home, &stopped.id.to_string(), now()).unwrap();
    tx.commit(record("stop")).await.unwrap();
    scene.append(account, vec![event("b")]).await;

    let mut tx = scene.state.begin().await;
    let ask = UpdateEventDataStore {
        named: changed.id.to_string(),
        selectors: Some(vec![category("Data")]),
        ..UpdateEventDataStore::default()
    };
    scene.stores.update(&mut tx, account, &home, &ask, now()).unwrap();
    tx.commit(record("change")).await.unwrap();
    scene.append(account, vec![event("c"), of_category("d", "us-east-1", now(), "Data")]).await;

    let mut tx = scene.state.begin().await;
    scene.stores.start_ingestion(&mut tx, account, &home, &stopped.id.to_string(), now()).unwrap();
    tx.commit(record("start")).await.unwrap();
    scene.append(account, vec![event("e")]).await;

    let mut tx = scene.state.begin().await;
    let named = doomed.id.to_string();
    scene.stores.delete(&mut tx, account, &home, &named, |_, _| Ok(()), now()).unwrap();
    tx.commit(record("delete")).await.unwrap();
    scene.append(account, vec![event("f")]).await;
    vec![
        ("changed", vec!["a", "b", "change", "d", "stop"]),
        ("doomed", vec!["a", "b", "c", "change", "delete", "e", "start", "stop"]),
        ("stopped", vec!["a", "delete", "e", "f", "start", "stop"]),
    ]
}

async fn assert_contents(scene: &Scene, expected: &[(&str, Vec<&str>)], when: &str) {
    let found = scene.contents().await;
    assert_eq!(found.len(), expected.len());
    for (name, ids) in expected {
        assert_eq!(&found[*name], ids, "{name} {when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_takes_is_decided_at_the_event_s_place_in_the_journal() {
    let scene = Scene::new(options()).await;
    let expected = eventful(&scene).await;
    scene.follow().await;
    assert_contents(&scene, &expected, "as it happens").await;
    let scene = scene.reopened().await;
    assert_contents(&scene, &expected, "from the beginning of the journal").await;
    scene.lake.flush().await.unwrap();
    assert_contents(&scene.reopened().await, &expected, "in files").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_between_changes_knows_the_stores_as_they_were() {
    // One table that can't be written holds the checkpoint back before the changes; the others go ahead.
    let scene = Scene::new(options()).await;
    let expected = eventful(&scene).await;
    let held = scene.stores.all().into_iter().find(|store| store.name == "changed").unwrap();
    scene
        .disk
        .inject(Fault::error(Operation::Create, ErrorKind::StorageFull).on(held.id.to_string()).always());
    scene.follow().await;
    assert!(scene.lake.flush().await.is_err());
    assert_contents(&scene, &expected, "while one can't be written").await;
    scene.disk.heal();
    let scene = scene.crashed(CrashKeeps::Nothing).await;
    assert_contents(&scene, &expected, "after a crash").await;
    scene.lake.flush().await.unwrap();
    let scene = scene.crashed(CrashKeeps::Nothing).await;
    assert_contents(&scene, &expected, "after a crash with all in files").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_join_and_leave_an_organization_at_their_place() {
    let scene = Scene::new(options()).await;
    let id: OrganizationId = "o-exampleorgid".parse().unwrap();
    let of = |trusted| Organization {
        id: id.clone(),
        management: owner(1),
        all_features: true,
        trusted,
        administrators: BTreeSet::new(),
    };
    let follow = async |members: &[u64], trusted: bool| {
        let mut tx = scene.state.begin().await;
        organization::follow(&mut tx, &of(trusted), &members.iter().map(|member| owner(*member)).collect());
        tx.commit(vec![]).await.unwrap();
    };
    follow(&[2], true).await;
    let ask = CreateEventDataStore { is_organization: Some(true), ..CreateEventDataStore::default() };
    scene.create_with(owner(1), "all", ask).await;
    scene.create(owner(1), "own").await;
    let everywhere = async |round: &str| {
        for account in 1..=3 {
            scene.append(owner(account), vec![event(format!("{account}{round}"))]).await;
        }
    };
    everywhere("a").await;
    follow(&[2, 3], true).await;
    everywhere("b").await;
    follow(&[3], true).await;
    everywhere("c").await;
    follow(&[3], false).await;
    everywhere("d").await;
    let expected = [
        ("all", vec!["1a", "1b", "1c", "1d", "2a", "2b", "3b", "3c"]),
        ("own", vec!["1a", "1b", "1c", "1d"]),
    ];
    scene.follow().await;
    assert_contents(&scene, &expected, "as it happens").await;
    let scene = scene.crashed(CrashKeeps::Nothing).await;
    assert_contents(&scene, &expected, "again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_channel_are_in_the_stores_that_it_names_and_nowhere_else() {
    let scene = Scene::new(options()).await;
    let outside = || CreateEventDataStore {
        selectors: Some(vec![category("ActivityAuditLog")]),
        ..CreateEventDataStore::default()
    };
    let named = scene.create_with(owner(1), "named", outside()).await;
    let other = scene.create_with(owner(1), "other", outside()).await;
    let own = scene.create(owner(1), "own").await;
    let bring_of = async |ids: &[&str], time: DateTime<Utc>| {
        let record = |id: &&str| {
            let time = time.format("%Y-%m-%dT%H:%M:%SZ");
            let json = format!(
                r#"{{"eventVersion":"1.0","eventCategory":"ActivityAuditLog","eventID":"{id}","eventTime":"{time}","eventData":{{"eventName":"Checkout","UID":"u"}}}}"#
            );
            RawValue::from_string(json).unwrap()
        };
        let channel = "arn:aws:cloudtrail:us-east-1:000000000001:channel/c".to_owned();
        let events =
            ChannelEvents { channel, stores: vec![named.id], records: ids.iter().map(record).collect() };
        let call = OwnedEvent { owner: owner(1), event: event(format!("call of {}", ids[0])) };
        scene.state.append(vec![events.fact().unwrap()], vec![call]).await.unwrap();
    };
    let bring = async |ids: &[&str]| bring_of(ids, now()).await;
    bring(&["a", "b"]).await;
    let mut tx = scene.state.begin().await;
    let id = named.id.to_string();
    scene.stores.delete(&mut tx, owner(1), &region("us-east-1"), &id, |_, _| Ok(()), now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    bring(&["c"]).await;
    let mut tx = scene.state.begin().await;
    scene.stores.restore(&mut tx, owner(1), &region("us-east-1"), &id, now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    bring(&["d"]).await;
    // Older than the store keeps events: no view has it, not even until it would be in a file.
    bring_of(&["old"], now() - TimeDelta::days(3660)).await;
    scene.follow().await;
    let check = async |scene: &Scene| {
        assert_eq!(scene.ids(named.id).await, ["a", "b", "d"]);
        assert!(scene.ids(other.id).await.is_empty());
        assert_eq!(scene.ids(own.id).await, ["call of a", "call of c", "call of d", "call of old"]);
    };
    check(&scene).await;
    scene.lake.flush().await.unwrap();
    check(&scene.crashed(CrashKeeps::Nothing).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_whole_while_tails_become_files() {
    let options = LakeOptions { flush_bytes: 40_000, ..options() };
    let scene = Scene::new(options).await;
    let store = scene.create(owner(1), "mine").await;
    let running = scene.start();
    let done = Arc::new(AtomicBool::new(false));
    let looking = async {
        let mut views = 0;
        let mut most = 0;
        while !done.load(Ordering::Relaxed) {
            let found = scene.ids(store.id).await;
            assert_eq!(found, ids_of(0..found.len()), "each event once and none left out");
            assert!(found.len() >= most, "what was there once is there");
            (most, views) = (found.len(), views + 1);
            tokio::task::yield_now().await;
        }
        views
    };
    let writing = async {
        for round in 0..60 {
            scene.append(owner(1), numbered(round * 20..(round + 1) * 20)).await;
            if round % 10 == 9 {
                scene.lake.tidy().await.unwrap();
            }
        }
        scene.caught_up().await;
        done.store(true, Ordering::Relaxed);
    };
    let (views, ()) = tokio::join!(looking, writing);
    assert!(views > 3, "{views} views");
    assert_eq!(scene.ids(store.id).await, ids_of(0..1200));
    until(async || scene.lake.view(store.id).unwrap().files().count() > 0).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_can_t_be_written_holds_up_only_itself_and_recovers() {
    let options = LakeOptions { flush_after: Duration::from_millis(50), ..options() };
    let scene = Scene::new(options).await;
    let bad = scene.create(owner(1), "bad").await;
    let good = scene.create(owner(2), "good").await;
    scene
        .disk
        .inject(Fault::error(Operation::Create, ErrorKind::StorageFull).on(bad.id.to_string()).always());
    let running = scene.start();
    let first = scene.append(owner(1), numbered(0..10)).await;
    for round in 0..5 {
        scene.append(owner(2), numbered(round * 10..(round + 1) * 10)).await;
    }
    let files = async |id| scene.lake.view(id).unwrap().snapshot.is_some_and(|snapshot| snapshot.rows > 0);
    until(async || files(good.id).await && !scene.lake.status().troubles.is_empty()).await;
    assert_eq!(scene.ids(bad.id).await, ids_of(0..10), "it can be asked all the same");
    assert_eq!(scene.ids(good.id).await, ids_of(0..50));
    let status = scene.lake.status();
    assert_eq!(status.troubles[0].store, bad.id);
    assert!(status.stored < first, "the journal keeps what no table has");
    scene.disk.heal();
    until(async || files(bad.id).await && scene.lake.status().troubles.is_empty()).await;
    until(async || scene.lake.status().stored == scene.state.journal().durable()).await;
    running.stop().await;
    assert_eq!(scene.ids(bad.id).await, ids_of(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_what_waits_is_in_the_journal() {
    let most = 300_000;
    let options = LakeOptions { memory_bytes: most, flush_bytes: 100_000, ..options() };
    let scene = Scene::new(options).await;
    let store = scene.create(owner(1), "mine").await;
    scene.disk.inject(Fault::error(Operation::Create, ErrorKind::StorageFull).on("tables").always());
    let running = scene.start();
    for round in 0..40 {
        scene.append(owner(1), numbered(round * 100..(round + 1) * 100)).await;
    }
    until(async || scene.lake.status().tail_bytes >= most).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stuck = scene.lake.covered();
    assert!(stuck < scene.state.journal().durable());
    // What one read of the journal brings is over it.
    assert!(scene.lake.status().tail_bytes < 40 * most);
    scene.disk.heal();
    scene.caught_up().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..4000));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_nothing_costs_no_commits_and_holds_nothing() {
    let options = LakeOptions { flush_after: Duration::from_millis(50), ..options() };
    let scene = Scene::new(options).await;
    let idle = scene.create(owner(7), "idle").await;
    let busy = scene.create(owner(1), "busy").await;
    let running = scene.start();
    for round in 0..10 {
        scene.append(owner(1), numbered(round * 5..(round + 1) * 5)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until(async || scene.lake.status().stored == scene.state.journal().durable()).await;
    assert!(scene.lake.view(idle.id).unwrap().snapshot.is_none(), "nothing was ever written for it");
    // Nor does a server hold the journal in which nobody takes anything.
    scene.append(owner(9), numbered(0..5)).await;
    until(async || scene.lake.status().stored == scene.state.journal().durable()).await;
    running.stop().await;
    let hold = scene.state.journal().status().holds.into_iter().find(|(name, _)| *name == "lake");
    assert_eq!(hold, Some(("lake", scene.state.journal().durable())));
    assert_eq!(scene.ids(busy.id).await, ids_of(0..50));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_out_of_retention_are_not_kept() {
    let scene = Scene::new(options()).await;
    let ask = CreateEventDataStore { retention_days: Some(30), ..CreateEventDataStore::default() };
    let store = scene.create_with(owner(1), "mine", ask).await;
    let aged = |id: &str, days: i64| event_at(id, "us-east-1", now() - TimeDelta::days(days));
    scene.append(owner(1), vec![aged("d31", 31), aged("d29", 29), aged("d8", 8), aged("d0", 0)]).await;
    scene.follow().await;
    assert_eq!(scene.ids(store.id).await, ["d0", "d29", "d8"]);
    scene.lake.flush().await.unwrap();
    scene.lake.tidy().await.unwrap();
    assert_eq!(scene.ids(store.id).await, ["d0", "d29", "d8"]);
    let ask = UpdateEventDataStore {
        named: store.id.to_string(),
        retention_days: Some(7),
        ..UpdateEventDataStore::default()
    };
    let mut tx = scene.state.begin().await;
    scene.stores.update(&mut tx, owner(1), &region("us-east-1"), &ask, now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    scene.follow().await;
    scene.lake.tidy().await.unwrap();
    assert_eq!(scene.ids(store.id).await, ["d0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_a_deleted_store_is_removed() {
    let scene = Scene::new(options()).await;
    let store = scene.create(owner(1), "mine").await;
    let kept = scene.create(owner(1), "kept").await;
    scene.append(owner(1), numbered(0..10)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    let folder = |id: opentrail_lake::store::StoreId| scene.tables().join(id.to_string());
    assert!(folder(store.id).exists() && folder(kept.id).exists());
    let later = now() + TimeDelta::days(8);
    let mut tx = scene.state.begin().await;
    let named = store.id.to_string();
    scene.stores.delete(&mut tx, owner(1), &region("us-east-1"), &named, |_, _| Ok(()), now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    scene.append(owner(1), numbered(10..20)).await;
    scene.follow().await;
    assert_eq!(scene.ids(store.id).await, ids_of(0..10), "it takes nothing while it is pending deletion");
    let mut tx = scene.state.begin().await;
    assert!(scene.stores.remove_due(&mut tx, &store.document(), later));
    tx.commit(vec![]).await.unwrap();
    scene.follow().await;
    assert!(scene.lake.view(store.id).is_none());
    // A crash before the table is gone forgets nothing.
    let id = store.id.to_string();
    scene.disk.inject(Fault::error(Operation::Remove, ErrorKind::Other).on(&id).always());
    assert!(scene.lake.tidy().await.is_err());
    scene.disk.heal();
    let scene = scene.crashed(CrashKeeps::Nothing).await;
    scene.lake.tidy().await.unwrap();
    assert!(!scene.tables().join(&id).exists());
    assert_eq!(scene.ids(kept.id).await, ids_of(0..20));
    scene.reopened().await.lake.tidy().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_a_deleted_stores_table_is_removed_goes_too() {
    let scene = Scene::new(options()).await;
    let store = scene.create(owner(1), "mine").await;
    scene.append(owner(1), numbered(0..10)).await;
    scene.follow().await;
    scene.lake.flush().await.unwrap();
    let live = scene.lake.table(store.id).unwrap();
    let folder = scene.tables().join(store.id.to_string());
    let mut tx = scene.state.begin().await;
    let named = store.id.to_string();
    scene.stores.delete(&mut tx, owner(1), &region("us-east-1"), &named, |_, _| Ok(()), now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    let mut tx = scene.state.begin().await;
    assert!(scene.stores.remove_due(&mut tx, &store.document(), now() + TimeDelta::days(8)));
    tx.commit(vec![]).await.unwrap();
    scene.follow().await;
    scene.lake.tidy().await.unwrap();
    assert!(!folder.exists());
    // Someone who had begun to write puts files there.
    std::fs::create_dir_all(folder.join("data")).unwrap();
    std::fs::write(folder.join("data").join("late.parquet"), "rows").unwrap();
    scene.lake.tidy().await.unwrap();
    assert!(!folder.exists(), "what came late stays");
    // Nor does anybody begin to, who still has the table.
    let columns = opentrail_lake::Columns::new(live.shape()).finish().unwrap();
    let files = opentrail_lake::encode(live.shape(), &[columns]).unwrap();
    assert!(live.append(files, opentrail_lake::table::Marks::new(), now()).await.is_err());
    assert!(!folder.exists());
    scene.lake.tidy().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_is_opened_for_the_first_time_begins_there() {
    let scene = Scene::new(options()).await;
    scene.append(owner(1), numbered(0..10)).await;
    let store = scene.create(owner(1), "mine").await;
    // As a data folder of an older version: it has no lake.
    std::fs::remove_dir_all(scene.folder()).unwrap();
    let scene = scene.reopened().await;
    assert_eq!(scene.lake.status().stored, scene.state.journal().durable());
    assert_ne!(scene.lake.status().stored, Seq::ZERO);
    scene.append(owner(1), numbered(10..12)).await;
    scene.follow().await;
    assert_eq!(scene.ids(store.id).await, ids_of(10..12));
}
