//! Lifecycle rules applied to a bucket, with a clock that is moved.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use opentrail_vault::{
    lifecycle::{
        Calendar, Expiration, Lifecycle, LifecycleAction, LifecycleRule, NoncurrentExpiration, Performed,
        RestoreTier, RuleFilter, Transition, When,
    },
    *,
};
use support::{House, account, noise, now};

fn after(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days + 1)
}

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule::new("the rule", RuleFilter::prefix("logs/"));
    change(&mut rule);
    rule
}

fn expires(days: i32) -> LifecycleRule {
    rule(|rule| rule.expiration = Some(Expiration::At(When::Days(days))))
}

fn moves(days: i32, class: StorageClass) -> LifecycleRule {
    rule(|rule| {
        rule.filter.larger_than = Some(0);
        rule.transitions = vec![Transition { when: When::Days(days), class }];
    })
}

async fn set_rules(house: &House, rules: Vec<LifecycleRule>) {
    let mut tx = house.state.begin().await;
    let lifecycle = Lifecycle { rules, ..Lifecycle::default() };
    house.vault.put_lifecycle(&mut tx, "logs-bucket", Some(lifecycle)).unwrap();
    tx.commit(Vec::new()).await.unwrap();
}

async fn ruled(rules: Vec<LifecycleRule>) -> House {
    let house = House::with_bucket("logs-bucket").await;
    set_rules(&house, rules).await;
    house
}

/// Applies the rules as they are at this time; what was done, and what refused.
async fn pass(house: &House, at: DateTime<Utc>) -> (Vec<Performed>, Vec<VaultError>) {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    let mut walk = house.vault.lifecycle_walk("logs-bucket").unwrap();
    while let Some(place) = walk {
        let (due, next) = house.vault.lifecycle_step(place, Calendar::default(), at).await.unwrap();
        for due in due {
            match house.vault.lifecycle_act(&due, at, |_| Vec::new()).await {
                Ok(performed) => done.extend(performed),
                Err(error) => refused.push(error),
            }
        }
        walk = next;
    }
    (done, refused)
}

fn class(house: &House, key: &str) -> String {
    house.vault.head("logs-bucket", key, None).unwrap().object.storage_class
}

fn text(len: usize) -> Bytes {
    let line = b"{\"eventName\":\"PutObject\",\"eventSource\":\"s3.amazonaws.com\"}\n";
    line.iter().copied().cycle().take(len).collect::<Vec<u8>>().into()
}

fn bytes_on_disk(house: &House) -> u64 {
    let shards = std::fs::read_dir(house.root().join("vault/blobs")).unwrap();
    let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_expire_when_their_days_are_over_and_only_those_of_the_rule() {
    let house = ruled(vec![expires(3)]).await;
    house.put("logs-bucket", "logs/old", "1").await.unwrap();
    house.put("logs-bucket", "keep/old", "2").await.unwrap();
    assert_eq!(pass(&house, after(1)).await.0, []);
    let (done, _) = pass(&house, after(3)).await;
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].action, &done[0].version_id), (LifecycleAction::Expire, &None));
    assert_eq!(house.keys("logs-bucket"), ["keep/old"]);
    assert_eq!(pass(&house, after(4)).await.0, []);
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_versions_expiration_leaves_a_marker_and_the_object() {
    let house = ruled(vec![expires(3)]).await;
    house.set_versioning("logs-bucket", Versioning::Enabled).await;
    let put = house.put("logs-bucket", "logs/a", "1").await.unwrap();
    let (done, _) = pass(&house, after(3)).await;
    assert!(done[0].marker_id.is_some());
    assert_eq!(house.keys("logs-bucket"), Vec::<String>::new());
    assert_eq!(house.read("logs-bucket", "logs/a", put.version_id.as_deref()).await.unwrap(), "1");
    // The marker hides a version: it stays however old it is.
    assert_eq!(pass(&house, after(100)).await.0, []);
    house.delete("logs-bucket", "logs/a", put.version_id.as_deref()).await.unwrap();
    let (done, _) = pass(&house, after(100)).await;
    assert_eq!(done[0].action, LifecycleAction::RemoveMarker);
    assert!(
        house.vault.list_versions("logs-bucket", &ListQuery::default(), None).unwrap().versions.is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noncurrent_versions_go_except_the_newest_that_are_kept() {
    let keeping = rule(|rule| {
        rule.noncurrent_expiration = Some(NoncurrentExpiration { days: 2, keep: Some(1) });
    });
    let house = ruled(vec![keeping]).await;
    house.set_versioning("logs-bucket", Versioning::Enabled).await;
    for body in ["1", "2", "3", "4"] {
        house.put("logs-bucket", "logs/a", body).await.unwrap();
    }
    assert_eq!(pass(&house, after(0)).await.0, []);
    let (done, _) = pass(&house, after(2)).await;
    assert_eq!(done.iter().filter(|one| one.action == LifecycleAction::RemoveNoncurrent).count(), 2);
    let left = house.vault.list_versions("logs-bucket", &ListQuery::default(), None).unwrap().versions;
    assert_eq!(left.len(), 2);
    assert_eq!(house.read("logs-bucket", "logs/a", None).await.unwrap(), "4");
    assert_eq!(house.read("logs-bucket", "logs/a", Some(left[1].version.id())).await.unwrap(), "3");
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_uploads_are_given_up() {
    let house = ruled(vec![rule(|rule| rule.abort_uploads_after = Some(1))]).await;
    let upload = house.begin_upload("logs-bucket", "logs/big").await;
    house.part("logs-bucket", "logs/big", &upload, 1, noise(100_000, 1)).await.unwrap();
    let other = house.begin_upload("logs-bucket", "keep/big").await;
    assert_eq!(pass(&house, now()).await.0, []);
    let (done, _) = pass(&house, after(1)).await;
    assert_eq!(done[0].upload_id.as_ref(), Some(&upload));
    assert!(matches!(
        house.vault.upload("logs-bucket", "logs/big", &upload),
        Err(VaultError::NoSuchUpload { .. })
    ));
    assert!(house.vault.upload("logs-bucket", "keep/big", &other).is_ok());
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_object_is_compressed_and_reads_the_same() {
    let house = ruled(vec![moves(30, StorageClass::StandardIa)]).await;
    let large = text(3_500_000);
    let put = house.put("logs-bucket", "logs/large", large.clone()).await.unwrap();
    house.put("logs-bucket", "logs/small", text(5000)).await.unwrap();
    house.put("logs-bucket", "logs/noise", noise(300_000, 7)).await.unwrap();
    house.put("logs-bucket", "logs/empty", "").await.unwrap();
    let before = bytes_on_disk(&house);
    let reader = house.vault.get("logs-bucket", "logs/large", None).unwrap();
    let (done, refused) = pass(&house, after(30)).await;
    assert!(refused.is_empty(), "{refused:?}");
    // The empty one is not larger than nothing.
    assert_eq!(done.len(), 3);
    assert_eq!(class(&house, "logs/large"), "STANDARD_IA");
    assert_eq!(class(&house, "logs/empty"), "STANDARD");
    // Who reads the old bytes reads them to their end; then they go.
    assert_eq!(reader.bytes(0..3_500_000).await.unwrap(), large);
    drop(reader);
    let meta = house.vault.head("logs-bucket", "logs/large", None).unwrap();
    assert_eq!(
        (meta.etag, meta.size, meta.last_modified),
        (put.meta.etag, put.meta.size, put.meta.last_modified)
    );
    assert_eq!(meta.checksums, put.meta.checksums);
    let house = house.reopen().await;
    assert_eq!(house.read("logs-bucket", "logs/large", None).await.unwrap(), large);
    assert_eq!(house.read("logs-bucket", "logs/small", None).await.unwrap(), text(5000));
    assert_eq!(house.read("logs-bucket", "logs/noise", None).await.unwrap(), noise(300_000, 7));
    let reader = house.vault.get("logs-bucket", "logs/large", None).unwrap();
    for range in [0..1, 1_048_575..1_048_577, 3_499_999..3_500_000, 1_000_000..2_200_000] {
        let place = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(reader.bytes(range).await.unwrap(), large.slice(place));
    }
    assert!(bytes_on_disk(&house) < before / 5, "{} of {before}", bytes_on_disk(&house));
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_multipart_object_keeps_its_parts() {
    let house = ruled(vec![moves(0, StorageClass::GlacierIr)]).await;
    let upload = house.begin_upload("logs-bucket", "logs/parts").await;
    let (first, second) = (text(6 << 20), text(1000));
    let mut parts = Vec::new();
    for (number, bytes) in [(1, &first), (2, &second)] {
        let part = house.part("logs-bucket", "logs/parts", &upload, number, bytes.clone()).await.unwrap();
        parts.push(CompletedPart {
            part_number: part.part_number,
            etag: part.etag,
            checksums: Checksums::new(),
        });
    }
    let completion = Completion { parts, ..Completion::default() };
    let put = house
        .vault
        .complete_upload("logs-bucket", "logs/parts", &upload, &completion, now(), |_| Vec::new())
        .await
        .unwrap();
    let before = bytes_on_disk(&house);
    assert_eq!(pass(&house, after(0)).await.0.len(), 1);
    let reader = house.vault.get("logs-bucket", "logs/parts", None).unwrap();
    assert_eq!(reader.meta().etag, put.meta.etag);
    assert_eq!(reader.meta().parts_count(), Some(2));
    assert_eq!(reader.bytes(reader.part(2).unwrap()).await.unwrap(), second);
    assert_eq!(reader.bytes(reader.part(1).unwrap()).await.unwrap(), first);
    drop(reader);
    let house = house.reopen().await;
    assert!(bytes_on_disk(&house) < before / 5);
    house.is_well().await;
    house.delete("logs-bucket", "logs/parts", None).await.unwrap();
    let house = house.reopen().await;
    assert_eq!(bytes_on_disk(&house), 0);
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_put_into_a_colder_class_is_compressed_from_the_start() {
    let house = House::with_bucket("logs-bucket").await;
    let object = NewObject { storage_class: "STANDARD_IA".to_owned(), ..NewObject::of(account()) };
    let mut upload = house.vault.begin_put("logs-bucket", "a", PutOptions::new(object)).unwrap();
    upload.write(text(2_500_000)).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.unwrap();
    assert!(bytes_on_disk(&house) < 100_000);
    assert_eq!(house.read("logs-bucket", "a", None).await.unwrap(), text(2_500_000));
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_written_after_the_look_is_left_alone() {
    let house = ruled(vec![expires(1)]).await;
    house.put("logs-bucket", "logs/a", "old").await.unwrap();
    let walk = house.vault.lifecycle_walk("logs-bucket").unwrap().unwrap();
    let (due, _) = house.vault.lifecycle_step(walk, Calendar::default(), after(1)).await.unwrap();
    assert_eq!(due.len(), 1);
    house.put("logs-bucket", "logs/a", "new").await.unwrap();
    let done = house.vault.lifecycle_act(&due[0], after(1), |_| Vec::new()).await.unwrap();
    assert_eq!(done, None);
    assert_eq!(house.read("logs-bucket", "logs/a", None).await.unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_are_gone_after_the_look_do_nothing() {
    let house = ruled(vec![expires(1)]).await;
    house.put("logs-bucket", "logs/a", "old").await.unwrap();
    let walk = house.vault.lifecycle_walk("logs-bucket").unwrap().unwrap();
    let (due, _) = house.vault.lifecycle_step(walk, Calendar::default(), after(1)).await.unwrap();
    let mut tx = house.state.begin().await;
    house.vault.put_lifecycle(&mut tx, "logs-bucket", None).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let done = house.vault.lifecycle_act(&due[0], after(1), |_| Vec::new()).await.unwrap();
    assert_eq!(done, None);
    assert_eq!(house.keys("logs-bucket"), ["logs/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_versions_than_one_step_looks_at_are_all_looked_at() {
    let all = rule(|rule| {
        rule.noncurrent_expiration = Some(NoncurrentExpiration { days: 1, keep: Some(2) });
    });
    let house = ruled(vec![all]).await;
    house.set_versioning("logs-bucket", Versioning::Enabled).await;
    let count = limits::LIFECYCLE_ROWS + 50;
    let puts = (0..count).map(|_| house.put("logs-bucket", "logs/a", "x"));
    for put in futures::future::join_all(puts).await {
        put.unwrap();
    }
    let (done, _) = pass(&house, after(1)).await;
    assert_eq!(done.len(), count - 3);
    assert_eq!(
        house.vault.list_versions("logs-bucket", &ListQuery::default(), None).unwrap().versions.len(),
        3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_object_is_read_only_while_it_is_restored() {
    let house = ruled(vec![moves(0, StorageClass::Glacier)]).await;
    house.put("logs-bucket", "logs/a", text(1000)).await.unwrap();
    pass(&house, after(0)).await;
    let at = after(1);
    let meta = house.vault.head("logs-bucket", "logs/a", None).unwrap();
    assert!(matches!(
        meta.check_readable(at),
        Err(VaultError::Archived { storage_class: StorageClass::Glacier })
    ));
    let calendar = Calendar::with_day(Duration::from_secs(60));
    let restore = |days, tier| {
        house.vault.restore_object("logs-bucket", "logs/a", None, days, tier, calendar, at, |_| Vec::new())
    };
    let restored = restore(2, RestoreTier::Standard).await.unwrap();
    assert!(!restored.was_readable && restored.until > at + TimeDelta::minutes(1));
    assert!(restore(5, RestoreTier::Bulk).await.unwrap().was_readable);
    let meta = house.vault.head("logs-bucket", "logs/a", None).unwrap();
    assert!(meta.check_readable(at).is_ok());
    assert!(meta.check_readable(at + TimeDelta::minutes(7)).is_err());
    // To a colder class it goes archived again.
    set_rules(&house, vec![moves(1, StorageClass::DeepArchive)]).await;
    pass(&house, after(1)).await;
    assert!(house.vault.head("logs-bucket", "logs/a", None).unwrap().check_readable(at).is_err());
    let refused = restore(1, RestoreTier::Expedited).await;
    assert!(matches!(refused, Err(VaultError::TierNotOffered)));
    house.put("logs-bucket", "logs/warm", "x").await.unwrap();
    let refused = house
        .vault
        .restore_object("logs-bucket", "logs/warm", None, 1, RestoreTier::Bulk, calendar, at, |_| Vec::new())
        .await;
    assert!(matches!(refused, Err(VaultError::NotArchived)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lock_holds_is_never_removed() {
    let house = House::new().await;
    house.create_locked_bucket("logs-bucket").await;
    let noncurrent = rule(|rule| {
        rule.expiration = Some(Expiration::At(When::Days(1)));
        rule.noncurrent_expiration = Some(NoncurrentExpiration { days: 1, keep: None });
    });
    set_rules(&house, vec![noncurrent]).await;
    let held = house.put("logs-bucket", "logs/a", "held").await.unwrap().version_id.unwrap();
    house.put("logs-bucket", "logs/a", "free").await.unwrap();
    house.vault.put_legal_hold("logs-bucket", "logs/a", Some(&held), true, |_| Vec::new()).await.unwrap();
    for days in [2, 5, 1000] {
        let (_, refused) = pass(&house, after(days)).await;
        assert!(matches!(&refused[..], [VaultError::Locked { .. }]), "{refused:?}");
        assert_eq!(house.read("logs-bucket", "logs/a", Some(&held)).await.unwrap(), "held");
    }
    house.vault.put_legal_hold("logs-bucket", "logs/a", Some(&held), false, |_| Vec::new()).await.unwrap();
    let (done, refused) = pass(&house, after(1001)).await;
    assert!(refused.is_empty() && done.iter().any(|one| one.action == LifecycleAction::RemoveNoncurrent));
    assert!(house.read("logs-bucket", "logs/a", Some(&held)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_and_mfa_delete_exclude_each_other() {
    let house = ruled(vec![expires(1)]).await;
    let change = VersioningChange { versioning: Versioning::Enabled, mfa_delete: Some(true), with_mfa: true };
    let mut tx = house.state.begin().await;
    let refused = house.vault.put_versioning(&mut tx, "logs-bucket", change);
    assert!(matches!(refused, Err(VaultError::LifecycleWithMfaDelete)));
    house.vault.put_lifecycle(&mut tx, "logs-bucket", None).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let mut tx = house.state.begin().await;
    house.vault.put_versioning(&mut tx, "logs-bucket", change).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let mut tx = house.state.begin().await;
    let rules = Lifecycle { rules: vec![expires(1)], ..Lifecycle::default() };
    let refused = house.vault.put_lifecycle(&mut tx, "logs-bucket", Some(rules));
    assert!(matches!(refused, Err(VaultError::LifecycleWithMfaDelete)));
    assert!(house.vault.lifecycle_walk("logs-bucket").unwrap().is_none());
}
