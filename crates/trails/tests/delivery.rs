//! What goes into which file, once.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use opentrail_event::{Category, Event, split_records};
use opentrail_journal::disk::{CrashKeeps, Disk, Fault, Operation};
use opentrail_state::OwnedEvent;
use opentrail_trails::{CreateTrail, DeliveryOptions, StoreError, TrailStatus, UpdateTrail, delivery::fsck};
use world::{Mood, World, account, exactly_once, ids, options, owned, usual};

#[tokio::test]
async fn events_are_in_the_files_of_their_regions_in_their_order() {
    let world = World::new().await;
    world.create_usual().await;
    world.record("us-east-1", ids(0, 5)).await;
    world.record("eu-west-1", ids(5, 8)).await;
    world.interval().await.unwrap();

    let delivered = world.store.delivered("audit");
    let of = |wanted: &str| -> Vec<String> {
        delivered.iter().filter(|(_, region)| region == wanted).map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(of("us-east-1"), ids(0, 5));
    assert_eq!(of("eu-west-1"), ids(5, 8));
    for key in world.store.log_keys("audit") {
        let name = key.rsplit('/').next().unwrap();
        assert!(key.starts_with("AWSLogs/123456789012/CloudTrail/"), "{key}");
        assert!(name.contains("_20260301T1001Z_") && name.ends_with(".json.gz"), "{key}");
        assert_eq!(name.rsplit('_').next().unwrap().len(), 16 + ".json.gz".len());
    }
}

#[tokio::test]
async fn records_are_delivered_byte_for_byte() {
    let world =
        World::with(DeliveryOptions { file_bytes: 200_000, memory_bytes: 100_000, ..options() }).await;
    world.create_usual().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !root.exists() {
        eprintln!("no sample data at {}", root.display());
        return;
    }
    let trail = world.take_data_events("main").await;
    let mut sent: BTreeMap<String, BTreeSet<Bytes>> = BTreeMap::new();
    let mut events = Vec::new();
    for record in
        real_records(&root.join("attacks"), usize::MAX).chain(real_records(&root.join("trail"), 6000))
    {
        let event = Event::parse(record.clone()).unwrap();
        if trail.takes(&event) && sent.entry(event.region().to_owned()).or_default().insert(record) {
            events.push(OwnedEvent { owner: account(), event });
        }
    }
    let data = events.iter().filter(|owned| owned.event.category() == Category::Data).count();
    assert!(data > 500 && events.len() - data > 1500, "{data} of {}", events.len());
    for batch in events.chunks(500) {
        world.state.append(vec![], batch.to_vec()).await.unwrap();
    }
    world.interval().await.unwrap();

    let mut got: BTreeMap<String, BTreeSet<Bytes>> = BTreeMap::new();
    for key in world.store.log_keys("audit") {
        let text = world.store.text("audit", &key);
        for record in split_records(text.into()) {
            let record = record.unwrap();
            let region = Event::parse(record.clone()).unwrap().region().to_owned();
            assert!(key.contains(&format!("/CloudTrail/{region}/")));
            assert!(got.entry(region).or_default().insert(record), "a record is there twice");
        }
    }
    assert_eq!(got, sent);
}

fn real_records(folder: &std::path::Path, most: usize) -> impl Iterator<Item = Bytes> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
        .into_iter()
        .flat_map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let text = if path.extension().is_some_and(|e| e == "gz") {
                world::gunzip(&bytes).into()
            } else {
                Bytes::from(bytes)
            };
            // The attack records are a bare array.
            let text = if text.starts_with(b"[") {
                Bytes::from(["{\"Records\":".as_bytes(), &text, b"}"].concat())
            } else {
                text
            };
            split_records(text).map(Result::unwrap).collect::<Vec<_>>()
        })
        .take(most)
}

#[tokio::test]
async fn a_single_region_trail_has_its_region_only_and_global_services_if_it_is_home() {
    let world = World::new().await;
    let single = |name: &str, bucket: &str, global| CreateTrail {
        name: name.into(),
        bucket: bucket.into(),
        include_global_service_events: Some(global),
        ..CreateTrail::default()
    };
    world.create(single("ireland", "ireland", true), "eu-west-1").await;
    world.create(single("virginia", "virginia", true), "us-east-1").await;
    world.create(single("without", "without", false), "us-east-1").await;
    world.record("us-east-1", ids(0, 1)).await;
    world.record("eu-west-1", ids(1, 2)).await;
    let iam = r#"{"eventVersion":"1.11","userIdentity":{"type":"Root"},"eventTime":"2026-03-01T09:59:59Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","eventID":"event-iam","readOnly":false,"eventCategory":"Management"}"#;
    let event = Event::parse(iam.into()).unwrap();
    world.state.append(vec![], vec![OwnedEvent { owner: account(), event }]).await.unwrap();
    world.interval().await.unwrap();
    let all = |bucket: &str| exactly_once(&world.store, bucket).into_iter().collect::<Vec<_>>();
    assert_eq!(all("ireland"), ["event-000001"]);
    assert_eq!(all("virginia"), ["event-000000", "event-iam"]);
    assert_eq!(all("without"), ["event-000000"]);
}

#[tokio::test]
async fn only_what_happens_while_logging_is_delivered() {
    let world = World::new().await;
    world.create_usual().await;
    world.record("us-east-1", ids(0, 1)).await;
    world.stop("main", vec![owned("event-stop", "us-east-1")]).await;
    world.record("us-east-1", ids(1, 2)).await;
    world.start("main", vec![owned("event-start", "us-east-1")]).await;
    world.record("us-east-1", ids(2, 3)).await;
    world.delete("main", vec![owned("event-delete", "us-east-1")]).await;
    world.record("us-east-1", ids(3, 4)).await;
    world.interval().await.unwrap();
    let all: Vec<_> = exactly_once(&world.store, "audit").into_iter().collect();
    assert_eq!(all, ["event-000000", "event-000002", "event-delete", "event-start", "event-stop"]);
}

#[tokio::test]
async fn events_of_other_accounts_are_not_delivered() {
    let world = World::new().await;
    world.create_usual().await;
    let mut foreign = owned("event-foreign", "us-east-1");
    foreign.owner = "999999999999".parse().unwrap();
    world.state.append(vec![], vec![foreign]).await.unwrap();
    world.interval().await.unwrap();
    assert!(exactly_once(&world.store, "audit").is_empty());
}

#[tokio::test]
async fn a_bucket_that_refuses_is_tried_until_it_takes_the_same_bytes() {
    let world = World::new().await;
    let trail = world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(0, 3)).await;
    world.interval().await.unwrap();
    world.record("us-east-1", ids(3, 6)).await;
    world.interval().await.unwrap();
    let status = TrailStatus::of(&trail, &world.delivery.status(&trail));
    assert_eq!(status.latest_delivery_error.as_deref(), Some("AccessDenied"));
    assert_eq!((status.latest_delivery_time, status.is_logging), (None, true));
    assert_eq!(world.delivery.status(&trail).outstanding_files, 2);

    world.store.mood("audit", Mood::LosesAnswers);
    world.interval().await.unwrap();
    world.store.mood("audit", Mood::Well);
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit").len(), 6);
    world.store.assert_same_bytes_on_each_try();
    let status = world.delivery.status(&trail);
    assert_eq!((status.latest_delivery_error, status.outstanding_files), (None, 0));
    assert!(status.latest_delivery_time.is_some());
}

#[tokio::test]
async fn one_trails_bucket_does_not_hold_up_another_trail() {
    let world = World::new().await;
    world.create_usual().await;
    let other = CreateTrail { name: "other".into(), bucket: "other".into(), ..usual() };
    world.create(other, "us-east-1").await;
    world.store.mood("audit", Mood::Refuses(StoreError::NoSuchBucket));
    for i in 0..5 {
        world.record("us-east-1", ids(i, i + 1)).await;
        world.interval().await.unwrap();
    }
    assert_eq!(exactly_once(&world.store, "other").len(), 5);
    assert!(exactly_once(&world.store, "audit").is_empty());
    world.store.mood("audit", Mood::Well);
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit").len(), 5);
}

#[tokio::test]
async fn reading_stops_when_too_much_waits_and_goes_on_by_itself() {
    let world = World::with(DeliveryOptions { outstanding_files: 3, ..options() }).await;
    world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    for i in 0..8 {
        world.record("us-east-1", ids(i, i + 1)).await;
        world.interval().await.unwrap();
    }
    assert_eq!(world.delivery.backlog().files, 3);
    assert!(world.delivery.cursor() < world.state.journal().durable());
    world.store.mood("audit", Mood::Well);
    for _ in 0..3 {
        world.interval().await.unwrap();
    }
    assert_eq!(exactly_once(&world.store, "audit").len(), 8);
}

#[tokio::test]
async fn waiting_files_follow_their_trail_to_a_new_bucket_when_the_old_one_is_gone() {
    let world = World::new().await;
    world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::NoSuchBucket));
    world.record("us-east-1", ids(0, 3)).await;
    world.interval().await.unwrap();
    world.hour().await;
    let update = UpdateTrail {
        name: "main".into(),
        bucket: Some("new".into()),
        prefix: Some("p".into()),
        ..UpdateTrail::default()
    };
    world.update(update).await;
    world.interval().await.unwrap();
    world.hour().await;
    assert_eq!(exactly_once(&world.store, "new").len(), 3);
    assert!(world.store.keys("new").iter().all(|key| key.starts_with("p/AWSLogs/")));
    assert_eq!(world.delivery.backlog().files, 0);
    let ask = opentrail_trails::validate::ValidateAsk {
        bucket: "new".into(),
        prefix: Some("p".into()),
        ..world.ask()
    };
    let report = world.validate(ask).await;
    assert_eq!(report.findings, []);
    assert_eq!(report.log_files.valid as usize, world.store.log_keys("new").len());
}

#[tokio::test]
async fn a_deleted_trails_files_are_given_up_after_a_day_if_its_bucket_refuses() {
    let world = World::new().await;
    world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::NoSuchBucket));
    world.record("us-east-1", ids(0, 3)).await;
    world.interval().await.unwrap();
    world.delete("main", vec![]).await;
    world.interval().await.unwrap();
    assert!(world.delivery.backlog().files > 0);
    world.clock.go(25 * 3600);
    world.delivery.tick().await.unwrap();
    assert_eq!(world.delivery.backlog().files, 0);
}

#[tokio::test]
async fn after_a_power_cut_at_any_step_each_event_is_delivered_once() {
    let mut world = World::with(DeliveryOptions { file_bytes: 1500, ..options() }).await;
    world.create_usual().await;
    let mut next = 0;
    for step in 0..60 {
        world.record("us-east-1", ids(next, next + 4)).await;
        world.record("eu-west-1", ids(next + 4, next + 6)).await;
        next += 6;
        world.store.mood("audit", if step % 3 == 0 { Mood::LosesAnswers } else { Mood::Well });
        world.disk.cut_power_after(step * 7 % 97);
        for _ in 0..3 {
            let _ = world.interval().await;
        }
        world.clock.go(700);
        let _ = world.delivery.tick().await;
        let keeps = if step % 2 == 0 { CrashKeeps::Nothing } else { CrashKeeps::SomeSectors(step) };
        world = world.restart(keeps).await;
        assert!(fsck(&world.delivery_dir(), &*world.disk).unwrap().is_clean());
    }
    world.store.mood("audit", Mood::Well);
    for _ in 0..3 {
        world.interval().await.unwrap();
    }
    let all = exactly_once(&world.store, "audit");
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ids(0, next));
    world.store.assert_same_bytes_on_each_try();
    world.hour().await;
    let report = world.validate(world.ask()).await;
    assert_eq!(report.findings, []);
    let listed = report.log_files.valid + report.uncovered_log_files;
    assert_eq!(listed as usize, world.store.log_keys("audit").len());
    assert!(report.digests.valid > 10);
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let world = World::new().await;
    world.create_usual().await;
    world.interval().await.unwrap();
    world.disk.inject(Fault::error(Operation::Write, std::io::ErrorKind::StorageFull).always());
    world.record("us-east-1", ids(0, 5)).await;
    assert!(world.interval().await.is_err());
    world.disk.inject(Fault::error(Operation::Sync, std::io::ErrorKind::Other).times(1));
    assert!(world.interval().await.is_err());
    world.disk.heal();
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit").len(), 5);
}

#[tokio::test]
async fn a_damaged_file_in_the_spool_is_not_delivered_and_is_named() {
    let world = World::new().await;
    let trail = world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(0, 5)).await;
    world.interval().await.unwrap();
    world.disk.inject(Fault::flipped_bit(20, 3).on("spool").always());
    world.store.mood("audit", Mood::Well);
    world.interval().await.unwrap();
    assert!(world.store.log_keys("audit").is_empty());
    assert!(world.delivery.status(&trail).latest_delivery_error.is_some());
    assert_eq!(fsck(&world.delivery_dir(), &*world.disk).unwrap().damaged.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_missing_in_the_spool_is_named_and_the_rest_goes_on() {
    let world = World::new().await;
    let trail = world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(0, 5)).await;
    world.record("eu-west-1", ids(5, 10)).await;
    world.interval().await.unwrap();
    let spool = world.delivery_dir().join("spool");
    let files = world.disk.read_dir(&spool).unwrap();
    world.disk.remove_file(&spool.join(&files[0].name)).unwrap();
    world.store.mood("audit", Mood::Well);
    world.interval().await.unwrap();
    world.record("us-east-1", ids(10, 15)).await;
    world.interval().await.unwrap();
    assert_eq!(world.delivery.backlog().files, 1);
    assert_eq!(exactly_once(&world.store, "audit").len(), 10);
    assert_eq!(world.delivery.status(&trail).outstanding_files, 1);
    let checked = fsck(&world.delivery_dir(), &*world.disk).unwrap();
    assert_eq!((checked.missing.len(), checked.damaged.len()), (1, 0));
}

#[tokio::test]
async fn the_background_delivery_works_and_stops() {
    let quick = DeliveryOptions { interval: std::time::Duration::from_millis(50), ..options() };
    let world = World::with(quick).await;
    world.create_usual().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let delivery = world.delivery.clone();
    let running = tokio::spawn(async move { delivery.run(async { stopped.await.unwrap_or(()) }).await });
    world.record("us-east-1", ids(0, 10)).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while exactly_once(&world.store, "audit").len() < 10 && std::time::Instant::now() < deadline {
        world.clock.go(1);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(exactly_once(&world.store, "audit").len(), 10);
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

/// A document of a trail that no trail can be read from.
#[derive(serde::Serialize, serde::Deserialize)]
struct NoTrail {
    nothing: bool,
}

impl opentrail_state::Resource for NoTrail {
    const KIND: &'static str = "trails.trail";
}

#[tokio::test]
async fn an_entry_that_cannot_be_applied_is_not_passed_over() {
    let world = World::new().await;
    world.create_usual().await;
    let mut tx = world.state.begin().await;
    tx.put("123456789012/us-east-1/bad", &NoTrail { nothing: true });
    let bad = tx.commit(vec![]).await.unwrap();
    world.record("us-east-1", ids(0, 3)).await;
    for _ in 0..2 {
        let limit = std::time::Duration::from_secs(20);
        let ended = tokio::time::timeout(limit, world.delivery.run(std::future::pending())).await;
        assert!(ended.expect("it stops at the entry").is_err());
        world.clock.go(61);
    }
    assert!(world.delivery.cursor() < bad);
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_nothing() {
    let world = World::new().await;
    world.create_usual().await;
    world.record("us-east-1", ids(0, 3)).await;
    world.interval().await.unwrap();
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(3, 5)).await;
    world.interval().await.unwrap();
    world.store.mood("audit", Mood::Well);
    world.clock.go(-86_400);
    world.record("us-east-1", ids(5, 8)).await;
    world.interval().await.unwrap();
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit").len(), 8);
}

#[tokio::test]
async fn a_disk_that_fails_between_upload_and_ledger_leaves_what_the_ledger_names() {
    let world = World::new().await;
    world.create_usual().await;
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(0, 3)).await;
    world.interval().await.unwrap();
    world.store.mood("audit", Mood::Well);
    world.clock.go(30);
    // The file is uploaded; then neither the ledger nor the next file can be written.
    world.disk.inject(Fault::error(Operation::Create, std::io::ErrorKind::StorageFull).always());
    world.delivery.tick().await.unwrap_err();
    world.record("us-east-1", ids(3, 6)).await;
    world.interval().await.unwrap_err();
    world.disk.heal();
    let world = world.restart(CrashKeeps::Everything).await;
    for _ in 0..3 {
        world.interval().await.unwrap();
    }
    assert_eq!(exactly_once(&world.store, "audit").len(), 6);
    assert_eq!(world.delivery.backlog().files, 0);
    world.store.assert_same_bytes_on_each_try();
}

#[tokio::test]
async fn more_regions_than_files_may_be_open_are_delivered_too() {
    let world = World::new().await;
    world.create_usual().await;
    for round in 0..2 {
        let events = (0..500).map(|i| owned(&format!("event-{round}-{i:03}"), &format!("us-east-{i}")));
        world.state.append(vec![], events.collect()).await.unwrap();
    }
    world.interval().await.unwrap();
    assert_eq!(exactly_once(&world.store, "audit").len(), 1000);
}
