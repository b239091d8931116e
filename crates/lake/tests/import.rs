//! Imports: everything once, failures by name, what is there already left out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod import_scene;
mod ingest_scene;

use std::sync::{Arc, atomic::Ordering};

use import_scene::{AtWork, Bucket, file, key, noon, packed, real_time};
use ingest_scene::{Scene, event_at, ids_of, owner, region};
use opentrail_lake::{
    import::{FailureStatus, ImportRefusal, ImportRules, ImportStatus, S3Source, StartImport, TimeRange},
    store::{CreateEventDataStore, EventDataStore, StoreRefusal},
};
use opentrail_state::Transaction;

async fn scene() -> (Scene, EventDataStore, Arc<Bucket>) {
    let scene = Scene::new(real_time()).await;
    let store = scene.create(owner(1), "audit").await;
    (scene, store, Arc::new(Bucket::default()))
}

/// Two regions, three days, some files each, ten events in a file.
fn fill(bucket: &Bucket) -> usize {
    let mut number = 0;
    for name in ["eu-west-1", "us-east-1"] {
        for day in 1..=3 {
            for of_day in 0..5 {
                bucket.put(key(name, noon(day), of_day), file(number * 10..number * 10 + 10, noon(day)));
                number += 1;
            }
        }
    }
    bucket.put("AWSLogs/000000000001/CloudTrail-Digest/us-east-1/2026/01/01/d.json.gz", "digest");
    bucket.put("notes.txt", "notes");
    number
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_imported_once_and_counted() {
    let (scene, store, bucket) = scene().await;
    let files = fill(&bucket);
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!(status, ImportStatus::Completed);
    assert_eq!((statistics.prefixes_found, statistics.prefixes_completed), (6, 6));
    assert_eq!((statistics.files_completed, statistics.events_completed), (files as u64, files as u64 * 10));
    assert_eq!(statistics.failed_entries, 0);
    assert_eq!(scene.ids(store.id).await, ids_of(0..files * 10));

    let again = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&again).await;
    assert_eq!((status, statistics.events_completed), (ImportStatus::Completed, 0));
    assert_eq!(statistics.files_completed, files as u64);
    assert_eq!(scene.ids(store.id).await, ids_of(0..files * 10));
    let listed = at_work.imports.rules().list(owner(1), &region("us-east-1"));
    assert_eq!(listed.iter().map(|import| import.id).collect::<Vec<_>>(), [again.id, import.id]);
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_took_live_is_left_out_in_files_and_in_the_tail() {
    let (scene, store, bucket) = scene().await;
    bucket.put(key("us-east-1", noon(1), 0), file(0..30, noon(1)));
    bucket.put(key("us-east-1", noon(1), 1), file(25..40, noon(1)));
    let at_work = AtWork::start(&scene, &bucket);
    let live = |range: std::ops::Range<usize>| {
        range.map(|number| event_at(format!("{number:06}"), "us-east-1", noon(1))).collect()
    };
    scene.append(owner(1), live(0..10)).await;
    scene.caught_up().await;
    scene.lake.flush().await.unwrap();
    scene.append(owner(1), live(10..20)).await;

    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.events_completed), (ImportStatus::Completed, 20));
    assert_eq!(scene.ids(store.id).await, ids_of(0..40));
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_taken_are_named_and_taken_later() {
    let (scene, store, bucket) = scene().await;
    let files = fill(&bucket);
    let (cut, text, mixed) =
        (key("us-east-1", noon(3), 0), key("us-east-1", noon(2), 1), key("us-east-1", noon(1), 2));
    let whole = |key: &str| bucket.objects.lock()[key].clone();
    let (whole_cut, whole_text, whole_mixed) = (whole(&cut), whole(&text), whole(&mixed));
    bucket.put(cut.as_str(), whole_cut.slice(..whole_cut.len() - 5));
    bucket.put(text.as_str(), "{\"Records\": []}");
    bucket.put(mixed.as_str(), packed("{\"Records\": [{\"eventID\": \"only\"}, 7]}"));
    let forbidden = key("eu-west-1", noon(1), 0);
    bucket.refused.lock().insert(forbidden.clone());

    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Failed, 4));
    assert_eq!(statistics.files_completed, files as u64 - 4);
    assert_eq!(scene.ids(store.id).await.len(), files * 10 - 40);
    let (page, more) = at_work.imports.failures(&import, None, 3).unwrap().unwrap();
    let (rest, no_more) = at_work.imports.failures(&import, Some(&page[2].0), 3).unwrap().unwrap();
    assert_eq!((page.len(), more, rest.len(), no_more), (3, true, 1, false));
    assert!(at_work.imports.failures(&import, Some("nonsense"), 3).unwrap().is_none());
    let kinds: std::collections::BTreeMap<_, _> = page
        .into_iter()
        .chain(rest)
        .map(|(_, location, failure)| (location, (failure.status, failure.fault.kind)))
        .collect();
    let failed = |kind: &str| (FailureStatus::Failed, kind.to_owned());
    assert_eq!(kinds[&format!("s3://logs/{forbidden}")], failed("AccessDenied"));
    assert_eq!(kinds[&format!("s3://logs/{cut}")], failed("InvalidFile"));
    assert_eq!(kinds[&format!("s3://logs/{text}")], failed("InvalidFile"));
    assert_eq!(kinds[&format!("s3://logs/{mixed}")], failed("InvalidRecord"));

    bucket.put(cut.as_str(), whole_cut);
    bucket.put(text.as_str(), whole_text);
    bucket.refused.lock().clear();
    bucket.reads();
    at_work.retry(&scene, &import).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Failed, 1));
    assert_eq!(bucket.reads().len(), 4);
    bucket.put(mixed.as_str(), whole_mixed);
    at_work.retry(&scene, &import).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Completed, 0));
    assert_eq!(statistics.events_completed, files as u64 * 10);
    assert_eq!(scene.ids(store.id).await, ids_of(0..files * 10));
    let (all, _) = at_work.imports.failures(&import, None, 9).unwrap().unwrap();
    assert!(all.iter().all(|(_, _, failure)| failure.status == FailureStatus::Succeeded));
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_store_no_longer_keeps_are_counted_and_told_of() {
    let (scene, _, bucket) = scene().await;
    let ask = CreateEventDataStore { retention_days: Some(30), ..CreateEventDataStore::default() };
    let store = scene.create_with(owner(1), "short", ask).await;
    bucket.put(key("us-east-1", noon(2), 0), file(0..10, noon(2)));
    bucket.put(key("us-east-1", noon(100), 0), file(10..30, noon(100)));
    bucket.put(key("us-east-1", noon(200), 0), file(30..33, noon(200)));
    let at_work = AtWork::start(&scene, &bucket);
    let range = TimeRange { start: Some(noon(150)), end: None };
    let import = at_work.import(&scene, &store, range).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Completed, 0));
    assert_eq!((statistics.events_completed, statistics.events_expired), (10, 20));
    let (told, more) = at_work.imports.failures(&import, None, 5).unwrap().unwrap();
    let [(digest, location, failure)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((more, location.as_str()), (false, "s3://logs/"));
    assert_eq!(failure.fault.kind, "EventsOutsideRetentionPeriod");
    assert!(failure.fault.message.starts_with("20 events"), "{}", failure.fault.message);
    let (rest, _) = at_work.imports.failures(&import, Some(digest), 5).unwrap().unwrap();
    assert!(rest.is_empty());
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_file_with_an_event_on_each_of_many_days_does_no_harm() {
    const DAYS: usize = 10_000;
    let (scene, _, bucket) = scene().await;
    let ask = CreateEventDataStore { retention_days: Some(70), ..CreateEventDataStore::default() };
    let store = scene.create_with(owner(1), "odd", ask).await;
    let days = (0..DAYS).flat_map(|day| {
        let days = chrono::Days::new(day as u64);
        [noon(0) - days, noon(2) + days].map(|time| (2 * day + usize::from(time > noon(1)), time))
    });
    let texts: Vec<String> = days
        .map(|(number, time)| event_at(format!("{number:06}"), "us-east-1", time).raw_str().to_owned())
        .collect();
    bucket.put(key("us-east-1", noon(1), 0), packed(&format!("{{\"Records\":[{}]}}", texts.join(","))));
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Failed, 1));
    // The days of the retention, and today and what may be a wrong clock's tomorrow once more.
    let taken = statistics.events_completed;
    assert!((70..=75).contains(&taken), "{taken} events");
    let (told, _) = at_work.imports.failures(&import, None, 5).unwrap().unwrap();
    assert_eq!(told[0].2.fault.kind, "InvalidRecord");
    assert!(told[0].2.fault.message.contains("eventTime more than 24 hours"), "{}", told[0].2.fault.message);
    let view = scene.lake.view(store.id).unwrap();
    assert!(view.files().count() as u64 <= taken);
    let found = scene.ids(store.id).await;
    assert_eq!(found.len() as u64, taken);
    // Looked up in shares of days, each is found again.
    at_work.retry(&scene, &import).await;
    let (_, statistics) = at_work.ended(&import).await;
    assert_eq!(statistics.events_completed, taken);
    assert_eq!(scene.ids(store.id).await, found);
    at_work.stop().await;
}

/// It takes more room unpacked than there is for all files, and small ones are around it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_larger_than_the_room_for_all_is_taken_all_the_same() {
    const LARGE: usize = 130;
    let (scene, store, bucket) = scene().await;
    let padding = "x".repeat(800_000);
    let large = |number: usize| {
        let event = event_at(format!("{number:06}"), "us-east-1", noon(1));
        event.raw_str().replacen("alice", &padding, 1)
    };
    let texts: Vec<_> = (10..10 + LARGE).map(large).collect();
    let events = 10 + LARGE + 10;
    bucket.put(key("us-east-1", noon(1), 0), file(0..10, noon(1)));
    bucket.put(key("us-east-1", noon(1), 1), packed(&format!("{{\"Records\":[{}]}}", texts.join(","))));
    bucket.put(key("us-east-1", noon(1), 2), file(10 + LARGE..events, noon(1)));
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!(status, ImportStatus::Completed);
    assert_eq!((statistics.files_completed, statistics.events_completed), (3, events as u64));
    assert_eq!(scene.ids(store.id).await, ids_of(0..events));
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_can_not_be_listed_fails_the_import_until_it_can() {
    let (scene, store, bucket) = scene().await;
    let files = fill(&bucket);
    *bucket.refuses_listing.lock() = true;
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.failed_entries), (ImportStatus::Failed, 1));
    let (page, _) = at_work.imports.failures(&import, None, 9).unwrap().unwrap();
    assert_eq!((page[0].1.as_str(), page[0].2.fault.kind.as_str()), ("s3://logs/", "AccessDenied"));
    *bucket.refuses_listing.lock() = false;
    at_work.retry(&scene, &import).await;
    assert_eq!(at_work.ended(&import).await.0, ImportStatus::Completed);
    assert_eq!(scene.ids(store.id).await.len(), files * 10);
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_and_the_retention_leave_out_days_and_events() {
    let scene = Scene::new(real_time()).await;
    let ask = CreateEventDataStore { retention_days: Some(30), ..CreateEventDataStore::default() };
    let store = scene.create_with(owner(1), "short", ask).await;
    let bucket = Arc::new(Bucket::default());
    // Whether the noon of 30 days ago is in the retention, the hour of the test decides.
    for days in (1..60).filter(|days| *days != 30) {
        let number = 101 - usize::try_from(days).unwrap();
        bucket.put(key("us-east-1", noon(days), 0), file(number..number + 1, noon(days)));
    }
    let at_work = AtWork::start(&scene, &bucket);
    let range = TimeRange { start: Some(noon(11)), end: Some(noon(5)) };
    let import = at_work.import(&scene, &store, range).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.events_completed), (ImportStatus::Completed, 7));
    assert_eq!(scene.ids(store.id).await, ids_of(90..97));
    // A day before the range, and one after it, are not read.
    assert_eq!(bucket.reads().len(), 8);
    assert!(bucket.lists.load(Ordering::Relaxed) <= 4);

    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    assert_eq!(at_work.ended(&import).await.1.events_completed, 29 - 7);
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_stopped_goes_on_where_it_was() {
    let (scene, store, bucket) = scene().await;
    // More than are read at once.
    let mut files = fill(&bucket);
    for number in 0..100 {
        bucket.put(key("ap-south-1", noon(1), number), file(files * 10..files * 10 + 10, noon(1)));
        files += 1;
    }
    let gate = key("us-east-1", noon(3), 2);
    *bucket.gate.lock() = Some(gate.clone());
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    at_work.until(&import, |_, statistics| statistics.files_completed > 0).await;
    at_work.halt(&scene, &import).await;
    *bucket.gate.lock() = None;
    let (status, before) = at_work.ended(&import).await;
    assert_eq!(status, ImportStatus::Stopped);
    assert_eq!(scene.ids(store.id).await.len() as u64, before.events_completed);
    bucket.reads();
    at_work.retry(&scene, &import).await;
    let (status, statistics) = at_work.ended(&import).await;
    assert_eq!((status, statistics.files_completed), (ImportStatus::Completed, files as u64));
    assert_eq!(statistics.prefixes_completed, 7);
    assert_eq!(bucket.reads().len() as u64, files as u64 - before.files_completed);
    assert!(before.files_completed >= 32);
    assert_eq!(scene.ids(store.id).await, ids_of(0..files * 10));
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_and_an_import_write_one_store_together() {
    let (scene, store, bucket) = scene().await;
    let files = fill(&bucket);
    let at_work = AtWork::start(&scene, &bucket);
    let import = at_work.import(&scene, &store, TimeRange::default()).await;
    let uploads = (0..20).map(|upload| {
        let (imports, store) = (at_work.imports.clone(), store.clone());
        let events = (upload * 20..upload * 20 + 40)
            .map(|number| event_at(format!("{number:06}"), "us-east-1", noon(1)));
        let events: Vec<_> = events.collect();
        tokio::spawn(async move { imports.upload(&store, events, chrono::Utc::now()).await.unwrap().taken })
    });
    let (mut accepted, mut duplicates) = (0, 0);
    for upload in uploads.collect::<Vec<_>>() {
        let taken = upload.await.unwrap();
        accepted += taken.accepted;
        duplicates += taken.duplicates;
    }
    let (_, statistics) = at_work.ended(&import).await;
    assert_eq!(accepted + duplicates, 800);
    // Events of the same id and another time are others: ids are compared within a day.
    let found = scene.ids(store.id).await;
    assert_eq!(found.len() as u64, accepted + statistics.events_completed);
    let times = found.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(times.len(), 420);
    assert!(files * 10 < 420);
    at_work.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_refuse_what_aws_refuses() {
    let (scene, store, bucket) = scene().await;
    *bucket.gate.lock() = Some(String::new());
    bucket.put(key("us-east-1", noon(1), 0), file(0..1, noon(1)));
    let at_work = AtWork::start(&scene, &bucket);
    let ongoing = at_work.import(&scene, &store, TimeRange::default()).await;
    let rules = at_work.imports.rules();
    let ask = |destination: &str, uri: &str| StartImport {
        destination: destination.to_owned(),
        source: S3Source {
            location_uri: uri.to_owned(),
            region: "us-east-1".to_owned(),
            role_arn: "arn:aws:iam::000000000001:role/import".to_owned(),
        },
        range: TimeRange::default(),
    };
    let (arn, here) = (store.arn().to_string(), region("us-east-1"));
    let start = async |account, ask: StartImport| {
        let mut tx = scene.state.begin().await;
        let refusal = rules.start(&mut tx, owner(account), &here, &ask, chrono::Utc::now()).err();
        refusal.map(|refusal| refusal.code())
    };
    assert_eq!(start(1, ask(&arn, "s3://logs")).await, Some("AccountHasOngoingImportException"));
    assert_eq!(start(2, ask(&arn, "s3://logs")).await, Some("EventDataStoreNotFoundException"));
    assert_eq!(start(1, ask("audit", "s3://logs")).await, Some("EventDataStoreARNInvalidException"));
    assert_eq!(start(1, ask(&arn, "logs")).await, Some("InvalidImportSourceException"));
    let backwards = TimeRange { start: Some(noon(1)), end: Some(noon(2)) };
    let asked = StartImport { range: backwards, ..ask(&arn, "s3://logs") };
    assert_eq!(start(1, asked).await, Some("InvalidParameterException"));

    let code = |refusal: Result<_, ImportRefusal>| {
        refusal.map(|_: opentrail_lake::import::Import| ()).unwrap_err().code()
    };
    let id = ongoing.id.to_string();
    assert_eq!(code(rules.get(owner(2), &here, &id)), "ImportNotFoundException");
    assert_eq!(code(rules.get(owner(1), &region("eu-west-1"), &id)), "ImportNotFoundException");
    assert_eq!(code(rules.get(owner(1), &here, "nonsense")), "InvalidParameterException");
    let against = |tx: &Transaction, store: &EventDataStore| match ImportRules::has_ongoing(tx, &store.arn())
    {
        true => Err(StoreRefusal::OngoingImport { arn: store.arn().to_string() }),
        false => Ok(()),
    };
    let mut tx = scene.state.begin().await;
    let deleted = scene.stores.delete(&mut tx, owner(1), &here, &arn, against, chrono::Utc::now());
    assert!(matches!(deleted, Err(StoreRefusal::OngoingImport { .. })));
    drop(tx);
    at_work.halt(&scene, &ongoing).await;
    let mut tx = scene.state.begin().await;
    assert_eq!(
        code(rules.stop(&mut tx, owner(1), &here, &id, chrono::Utc::now())),
        "InvalidParameterException"
    );
    scene.stores.delete(&mut tx, owner(1), &here, &arn, against, chrono::Utc::now()).unwrap();
    tx.commit(vec![]).await.unwrap();
    assert_eq!(start(1, ask(&arn, "s3://logs")).await, Some("InactiveEventDataStoreException"));
    at_work.stop().await;
}
