//! The digest chain and its validation.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use chrono::{DateTime, Utc};
use opentrail_journal::disk::CrashKeeps;
use opentrail_trails::{
    Clock, StoreError, UpdateTrail,
    digest::Digest,
    validate::{FindingKind, KeyFile, ValidateAsk, Verdict, validate},
};
use world::{Mood, World, ids, region};

fn digests(world: &World, bucket: &str, region: &str) -> Vec<Digest> {
    world
        .store
        .digest_keys(bucket)
        .iter()
        .filter(|key| key.contains(&format!("/CloudTrail-Digest/{region}/")))
        .map(|key| serde_json::from_str(&world.store.text(bucket, key)).unwrap())
        .collect()
}

/// A chain of five hours in two regions.
async fn five_hours() -> World {
    let world = World::new().await;
    world.create_usual().await;
    for hour in 0..5 {
        if hour != 2 {
            world.record("us-east-1", ids(hour * 10, hour * 10 + 3)).await;
            world.record("eu-west-1", ids(hour * 10 + 3, hour * 10 + 5)).await;
        }
        world.hour().await;
    }
    world
}

fn kinds(report: &opentrail_trails::validate::Report) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn each_hour_has_a_digest_also_without_files() {
    let world = five_hours().await;
    for region in ["us-east-1", "eu-west-1"] {
        let chain = digests(&world, "audit", region);
        assert_eq!(chain.len(), 5);
        assert_eq!(chain[0].previous_digest_s3_object, None);
        assert_eq!(chain[0].previous_digest_signature, None);
        for pair in chain.windows(2) {
            assert_eq!(pair[1].previous_digest_s3_object.as_ref(), Some(&pair[0].digest_s3_object));
            assert_eq!(pair[1].digest_start_time, pair[0].digest_end_time);
        }
        for digest in &chain {
            let end: DateTime<Utc> = digest.digest_end_time.parse().unwrap();
            assert_eq!(end.timestamp() % 3600, 0);
        }
        assert!(chain.iter().any(|digest| digest.log_files.is_empty() && digest.newest_event_time.is_none()));
    }
    let report = world.validate(world.ask()).await;
    assert_eq!(report.findings, []);
    assert_eq!((report.verdict, report.digests.valid, report.restarts), (Verdict::Valid, 10, 0));
    let listed = report.log_files.valid + report.uncovered_log_files;
    assert_eq!(listed as usize, world.store.log_keys("audit").len());
    assert!(report.bytes > 0);
    let alone = world.validate(world.ask_alone()).await;
    assert_eq!((alone.verdict, alone.heads_known), (Verdict::Valid, false));
}

#[tokio::test]
async fn log_files_that_were_changed_deleted_moved_or_added_are_named() {
    let world = five_hours().await;
    let listed: Vec<String> = digests(&world, "audit", "us-east-1")
        .iter()
        .flat_map(|digest| digest.log_files.iter().map(|file| file.s3_object.clone()))
        .collect();
    let store = &world.store;
    store.take("audit", &listed[0]);
    let moved = store.take("audit", &listed[1]);
    let elsewhere = listed[1].replace("/2026/03/01/", "/2026/03/02/");
    store.place("audit", &elsewhere, moved);
    let mut longer = store.take("audit", &listed[2]);
    longer.body = [&longer.body[..], b"more"].concat().into();
    store.place("audit", &listed[2], longer);
    let mut other = store.take("audit", &listed[3]);
    other.body =
        store.files.lock()[&("audit".to_owned(), listed[2].clone())].body.slice(..other.body.len() / 2);
    store.place("audit", &listed[3], other);
    let other = digests(&world, "audit", "eu-west-1")[0].log_files[0].s3_object.clone();
    let copy = store.files.lock()[&("audit".to_owned(), other)].clone();
    let added = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/01/planted.json.gz";
    store.place("audit", added, copy);

    let report = world.validate(world.ask()).await;
    let found: Vec<(FindingKind, &str)> =
        report.findings.iter().map(|finding| (finding.kind, finding.key.as_str())).collect();
    assert_eq!(
        found,
        [
            (FindingKind::LogMissing, listed[0].as_str()),
            (FindingKind::LogInvalid, listed[3].as_str()),
            (FindingKind::LogTrailingData, listed[2].as_str()),
            (FindingKind::LogMoved, listed[1].as_str()),
            (FindingKind::LogUnlisted, added),
        ]
    );
    assert_eq!((report.verdict, report.log_files.invalid), (Verdict::Invalid, 4));
}

#[tokio::test]
async fn a_log_file_added_after_the_trail_was_stopped_is_named() {
    let world = five_hours().await;
    world.stop("main", vec![]).await;
    world.hour().await;
    world.hour().await;
    let forge = |key: &str, minutes: i64| {
        let some = world.store.log_keys("audit").remove(0);
        let mut file = world.store.files.lock()[&("audit".to_owned(), some)].clone();
        file.modified = world.clock.now() - chrono::TimeDelta::minutes(minutes);
        let key = format!("AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/01/{key}.json.gz");
        world.store.place("audit", &key, file);
        key
    };
    let report = world.validate(world.ask()).await;
    assert_eq!((report.verdict, report.uncovered_log_files), (Verdict::Valid, 0), "{:?}", report.findings);
    let (late, early) = (forge("late", 10), forge("early", 50));
    let report = world.validate(world.ask()).await;
    let found: Vec<(FindingKind, &str)> =
        report.findings.iter().map(|finding| (finding.kind, finding.key.as_str())).collect();
    assert_eq!(
        found,
        [(FindingKind::LogUnlisted, early.as_str()), (FindingKind::LogUnlisted, late.as_str())]
    );
    // Once it writes again, what lies in the pause can't be told from files of a time without digests.
    world.start("main", vec![]).await;
    world.hour().await;
    world.hour().await;
    let report = world.validate(world.ask()).await;
    assert_eq!(report.uncovered_log_files, 2);
}

#[tokio::test]
async fn a_log_file_with_other_records_is_modified() {
    let world = five_hours().await;
    let chain = digests(&world, "audit", "us-east-1");
    let files: Vec<String> =
        chain.iter().flat_map(|d| d.log_files.iter().map(|file| file.s3_object.clone())).collect();
    let other = world.store.files.lock()[&("audit".to_owned(), files[1].clone())].clone();
    world.store.place("audit", &files[0], other);
    let report = world.validate(world.ask()).await;
    assert_eq!(kinds(&report), [FindingKind::LogModified]);
}

#[tokio::test]
async fn deleted_digests_are_found_wherever_they_were() {
    let world = five_hours().await;
    let of_region: Vec<String> =
        world.store.digest_keys("audit").into_iter().filter(|key| key.contains("/us-east-1/")).collect();
    let without = async |gone: &[usize], ask: ValidateAsk| {
        let taken: Vec<_> =
            gone.iter().map(|i| (of_region[*i].clone(), world.store.take("audit", &of_region[*i]))).collect();
        let report = world.validate(ask).await;
        for (key, file) in taken {
            world.store.place("audit", &key, file);
        }
        kinds(&report)
    };
    use FindingKind::{AllDigestsMissing, ChainGap, DigestMissing, LogUnlisted, NewestDigestsMissing};
    let quiet = || ValidateAsk { find_unlisted: false, ..world.ask() };
    let alone = || ValidateAsk { heads: None, ..quiet() };
    // The AWS CLI finds the first of these only.
    assert_eq!(without(&[2], alone()).await, [DigestMissing, ChainGap]);
    assert_eq!(without(&[1, 2], alone()).await, [DigestMissing, ChainGap]);
    assert_eq!(without(&[0], alone()).await, [DigestMissing]);
    assert_eq!(without(&[0, 1], quiet()).await, [DigestMissing, DigestMissing]);
    assert_eq!(without(&[4], quiet()).await, [NewestDigestsMissing]);
    assert_eq!(without(&[3, 4], quiet()).await, [NewestDigestsMissing]);
    assert_eq!(without(&[0, 1, 2, 3, 4], quiet()).await, [AllDigestsMissing]);
    let with_files = without(&[4], world.ask()).await;
    assert!(
        with_files.contains(&NewestDigestsMissing) && with_files.contains(&LogUnlisted),
        "{with_files:?}"
    );
}

#[tokio::test]
async fn a_digest_that_was_changed_or_moved_is_found() {
    let world = five_hours().await;
    let keys = world.store.digest_keys("audit");
    let original = world.store.take("audit", &keys[1]);
    let mut forged = original.clone();
    forged.metadata.retain(|(name, _)| name != "signature");
    forged.metadata.push(("signature".into(), "00".repeat(256)));
    world.store.place("audit", &keys[1], forged);
    let quiet = || ValidateAsk { find_unlisted: false, ..world.ask() };
    assert_eq!(kinds(&world.validate(quiet()).await), [FindingKind::DigestModified]);

    let other = world.store.files.lock()[&("audit".to_owned(), keys[2].clone())].clone();
    world.store.place("audit", &keys[1], other);
    assert_eq!(kinds(&world.validate(quiet()).await), [FindingKind::DigestMoved]);

    let mut broken = original.clone();
    broken.body = "no gzip".into();
    world.store.place("audit", &keys[1], broken);
    assert_eq!(kinds(&world.validate(quiet()).await), [FindingKind::DigestInvalid]);

    world.store.place("audit", &keys[1], original);
    assert_eq!(kinds(&world.validate(world.ask()).await), []);
}

#[tokio::test]
async fn stopping_ends_the_chain_and_starting_begins_another() {
    let world = five_hours().await;
    world.stop("main", vec![]).await;
    world.hour().await;
    world.hour().await;
    let ended = digests(&world, "audit", "us-east-1").len();
    assert!((6..=7).contains(&ended), "{ended}");
    world.hour().await;
    assert_eq!(digests(&world, "audit", "us-east-1").len(), ended);

    world.start("main", vec![]).await;
    world.record("us-east-1", ids(900, 903)).await;
    world.hour().await;
    world.hour().await;
    let chain = digests(&world, "audit", "us-east-1");
    assert_eq!(chain[ended].previous_digest_s3_object, None);
    assert!(chain.len() > ended + 1);
    assert!(chain[ended + 1].previous_digest_s3_object.is_some());
    let report = world.validate(world.ask()).await;
    assert_eq!((report.findings, report.restarts), (vec![], 2));
    // Without the server nobody can say that this beginning is right.
    let alone = world.validate(world.ask_alone()).await;
    assert_eq!(kinds(&alone), [FindingKind::ChainRestarted; 2]);
    assert_eq!(alone.verdict, Verdict::Incomplete);

    // The last digest of the chain that ended is missed too.
    let key = &chain[ended - 1].digest_s3_object;
    world.store.take("audit", key);
    let report = world.validate(ValidateAsk { find_unlisted: false, ..world.ask() }).await;
    assert_eq!(kinds(&report), [FindingKind::DigestMissing]);
}

#[tokio::test]
async fn a_stop_within_an_hour_breaks_nothing() {
    let world = five_hours().await;
    world.stop("main", vec![]).await;
    world.interval().await.unwrap();
    world.start("main", vec![]).await;
    world.record("us-east-1", ids(900, 903)).await;
    world.hour().await;
    world.hour().await;
    let chain = digests(&world, "audit", "us-east-1");
    assert_eq!(chain.iter().filter(|digest| digest.previous_digest_s3_object.is_none()).count(), 1);
    assert_eq!(world.validate(world.ask()).await.findings, []);
}

#[tokio::test]
async fn a_file_delivered_after_the_chains_end_is_in_a_backfill_digest() {
    let world = five_hours().await;
    let before = world.store.log_keys("audit").len();
    world.store.mood("audit", Mood::Refuses(StoreError::AccessDenied));
    world.record("us-east-1", ids(900, 903)).await;
    world.interval().await.unwrap();
    world.stop("main", vec![]).await;
    for _ in 0..4 {
        world.hour().await;
    }
    world.store.mood("audit", Mood::Well);
    world.hour().await;
    world.hour().await;
    let backfill: Vec<_> = world
        .store
        .digest_keys("audit")
        .into_iter()
        .filter(|key| key.ends_with("_backfill.json.gz"))
        .collect();
    assert_eq!(backfill.len(), 1);
    let file = world.store.files.lock()[&("audit".to_owned(), backfill[0].clone())].clone();
    assert!(file.metadata.iter().any(|(name, _)| name == "backfill-generation-timestamp"));
    let report = world.validate(world.ask()).await;
    assert_eq!((report.findings, report.backfill_digests.valid), (vec![], 1));
    assert!(world.store.log_keys("audit").len() > before);
}

#[tokio::test]
async fn the_chain_goes_on_through_outage_restart_rotation_and_another_bucket() {
    let mut world = five_hours().await;
    world.store.mood("audit", Mood::Refuses(StoreError::Unavailable { reason: "away".into() }));
    world.record("us-east-1", ids(900, 903)).await;
    world.hour().await;
    world.hour().await;
    world = world.restart(CrashKeeps::Nothing).await;
    world.store.mood("audit", Mood::Well);
    world.hour().await;
    world.keyring.rotate_signing_key(&region("us-east-1"), world.clock.now()).await.unwrap();
    world.record("us-east-1", ids(903, 905)).await;
    world.hour().await;
    let update = UpdateTrail { name: "main".into(), prefix: Some("a/b".into()), ..UpdateTrail::default() };
    world.update(update).await;
    world.record("us-east-1", ids(905, 907)).await;
    world.hour().await;
    let update = UpdateTrail { name: "main".into(), bucket: Some("second".into()), ..UpdateTrail::default() };
    world.update(update).await;
    world.record("us-east-1", ids(907, 909)).await;
    world.hour().await;
    world.hour().await;

    let chain = digests(&world, "second", "us-east-1");
    assert!(chain[0].previous_digest_s3_bucket.as_deref() == Some("audit"));
    let fingerprints: std::collections::BTreeSet<String> = digests(&world, "audit", "us-east-1")
        .into_iter()
        .map(|digest| digest.digest_public_key_fingerprint)
        .collect();
    assert_eq!(fingerprints.len(), 2);
    let ask = ValidateAsk { bucket: "second".into(), prefix: Some("a/b".into()), ..world.ask() };
    let report = world.validate(ask).await;
    assert_eq!(report.findings, []);
    // Both regions, back to the first digest in the first bucket.
    assert!(report.digests.valid >= 20, "{report:?}");
    assert_eq!(report.restarts, 0);
}

#[tokio::test]
async fn hours_without_the_process_are_covered_by_one_digest() {
    let mut world = five_hours().await;
    world = world.restart(CrashKeeps::Everything).await;
    world.clock.go(10 * 3600);
    world.hour().await;
    let chain = digests(&world, "audit", "us-east-1");
    for pair in chain.windows(2) {
        assert_eq!(pair[1].digest_start_time, pair[0].digest_end_time);
    }
    assert_eq!(chain.len(), 7);
    assert_eq!(world.validate(world.ask()).await.findings, []);
}

#[tokio::test]
async fn a_copied_folder_is_validated_with_a_file_of_keys() {
    let world = five_hours().await;
    let folder = tempfile::tempdir().unwrap();
    for ((_, key), file) in world.store.files.lock().iter() {
        let path = folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.body).unwrap();
    }
    let now = world.clock.now();
    let keys: Vec<serde_json::Value> = ["us-east-1", "eu-west-1"]
        .iter()
        .flat_map(|name| world.keyring.public_keys(&region(name), now, now))
        .map(|key| serde_json::json!({"Value": base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key.value_der)}))
        .collect();
    let keys = KeyFile::parse(&serde_json::json!({"PublicKeyList": keys}).to_string()).unwrap();
    let keys = std::sync::Arc::new(keys);
    let reader = std::sync::Arc::new(opentrail_trails::store::folder::Folder::new(folder.path()));
    let ask = ValidateAsk { bucket: String::new(), heads: None, find_unlisted: false, ..world.ask() };
    let quiet = std::sync::Arc::new(|_| {});
    let report = validate(reader.clone(), keys.clone(), ask.clone(), quiet.clone()).await.unwrap();
    assert_eq!(kinds(&report), [FindingKind::DigestUnsigned; 2]);
    assert_eq!((report.verdict, report.digests.valid), (Verdict::Incomplete, 8));
    let with_heads = ValidateAsk { heads: Some(world.heads()), ..ask };
    let report = validate(reader, keys, with_heads, quiet).await.unwrap();
    assert_eq!((report.verdict, report.digests.valid), (Verdict::Valid, 10));
}

#[tokio::test]
async fn an_empty_bucket_is_incomplete() {
    let world = World::new().await;
    let report = world.validate(world.ask_alone()).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Incomplete, vec![FindingKind::NoDigests]));
}

#[tokio::test]
async fn a_chain_that_ended_in_another_bucket_is_looked_for_there() {
    let world = five_hours().await;
    world.stop("main", vec![]).await;
    for _ in 0..3 {
        world.hour().await;
    }
    let update = UpdateTrail { name: "main".into(), bucket: Some("second".into()), ..UpdateTrail::default() };
    world.update(update).await;
    world.start("main", vec![]).await;
    world.record("us-east-1", ids(900, 903)).await;
    world.hour().await;
    world.hour().await;
    let ask = || ValidateAsk { bucket: "second".into(), find_unlisted: false, ..world.ask() };
    let report = world.validate(ask()).await;
    assert_eq!(report.findings, []);
    assert!(report.digests.valid >= 14, "{report:?}");
    let in_first: Vec<_> =
        world.store.digest_keys("audit").into_iter().filter(|key| key.contains("/us-east-1/")).collect();
    world.store.take("audit", &in_first[in_first.len() - 1]);
    let report = world.validate(ask()).await;
    assert_eq!(kinds(&report), [FindingKind::DigestMissing]);
    assert_eq!(report.findings[0].bucket, "audit");
}

#[tokio::test]
async fn what_a_digest_on_its_way_lists_is_still_known_as_pending() {
    let world = World::new().await;
    world.create_usual().await;
    world.hour().await;
    world.record("us-east-1", ids(0, 3)).await;
    for _ in 0..3 {
        world.interval().await.unwrap();
    }
    let delivered = world.store.log_keys("audit");
    let file = delivered.last().expect("a log file was delivered");
    let digests = world.store.digest_keys("audit").len();
    world.store.mood("audit", Mood::Refuses(StoreError::Unavailable { reason: "away".into() }));
    for _ in 0..3 {
        world.hour().await;
    }
    assert_eq!(world.store.digest_keys("audit").len(), digests, "the bucket is away");
    let heads = world.heads();
    let head = heads.iter().find(|head| head.region == "us-east-1").expect("the region has a chain");
    assert!(head.pending.contains(file), "{head:?}");

    world.store.mood("audit", Mood::Well);
    for _ in 0..3 {
        world.hour().await;
    }
    assert!(world.heads().iter().all(|head| !head.pending.contains(file)));
    assert_eq!(world.validate(world.ask()).await.verdict, Verdict::Valid);
}
