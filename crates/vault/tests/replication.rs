//! Replication: which versions are copied, what a copy has, and what changes reach it.
#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use chrono::TimeDelta;
use opentrail_vault::{
    lifecycle::{Calendar, Lifecycle, LifecycleRule, NoncurrentExpiration, RuleFilter},
    replication::{
        CopyOutcome, InvalidReplication, NewReplica, Replicated, Replication, ReplicationRule,
        ReplicationStatus, Waiting,
    },
    *,
};
use support::{House, account, kms, now};

async fn house() -> House {
    let house = House::new().await;
    for bucket in ["logs", "copies"] {
        house.create_bucket(bucket).await;
        house.set_versioning(bucket, Versioning::Enabled).await;
    }
    house
}

async fn replicate(house: &House, bucket: &str, rules: Vec<ReplicationRule>) -> Result<(), VaultError> {
    let mut tx = house.state.begin().await;
    let role = "arn:aws:iam::123456789012:role/copies".to_owned();
    house.vault.put_replication(&mut tx, bucket, Replication { role, rules }, |_| false)?;
    tx.commit(Vec::new()).await.unwrap();
    Ok(())
}

fn all_to(bucket: &str) -> ReplicationRule {
    ReplicationRule::new("all", RuleFilter::prefix(""), bucket)
}

async fn waiting(house: &House) -> Vec<Waiting> {
    let mut all = Vec::new();
    for pair in house.vault.replication_pairs().await.unwrap() {
        for failed in [false, true] {
            all.extend(house.vault.replication_step(&pair, failed, None).await.unwrap().0);
        }
    }
    all
}

async fn copy(house: &House, waiting: &Waiting) -> Result<Replicated, VaultError> {
    let rules = house.vault.replication(&waiting.bucket.name).unwrap();
    let rule = rules.rule_for(&waiting.key, &waiting.version, &waiting.destination).unwrap();
    let new = NewReplica { rule, owner: account(), encryption: Encryption::S3 };
    house.vault.replicate(waiting, &new, now(), |_| Vec::new()).await
}

const MADE: CopyOutcome = CopyOutcome::Made { version_id: None };

/// Copies all that waits; how many that were.
async fn pass(house: &House) -> usize {
    let all = waiting(house).await;
    for waiting in &all {
        copy(house, waiting).await.unwrap();
        house.vault.settle_copy(waiting, &MADE, |_| Vec::new()).await.unwrap();
    }
    all.len()
}

fn status(house: &House, bucket: &str, key: &str) -> Option<ReplicationStatus> {
    house.vault.head(bucket, key, None).unwrap().replication.map(|progress| progress.status())
}

fn ids(house: &House, bucket: &str) -> Vec<String> {
    let page = house.vault.list_versions(bucket, &ListQuery::default(), None).unwrap();
    page.versions.iter().map(|entry| entry.version.id().to_owned()).collect()
}

#[tokio::test]
async fn a_copy_is_the_version_with_its_id_times_headers_and_tags() {
    let house = house().await;
    house.put("logs", "before", "x").await.unwrap();
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    let mut object = NewObject::of(account());
    object.headers.content_type = Some("application/json".to_owned());
    object.headers.metadata.insert("origin".to_owned(), "door".to_owned());
    object.tags.insert("team".to_owned(), "blue".to_owned());
    let bytes = vec![7_u8; 3 << 20];
    let put = house.put_object("logs", "a", object, bytes.clone()).await.unwrap().meta;
    assert_eq!(status(&house, "logs", "a"), Some(ReplicationStatus::Pending));
    assert_eq!(house.vault.replication_backlog().unwrap(), (1, 3 << 20));
    assert_eq!(pass(&house).await, 1);
    let copied = house.vault.head("copies", "a", None).unwrap();
    assert_eq!(copied.version_id, put.version_id);
    assert_eq!(copied.last_modified, put.last_modified);
    assert_eq!((&copied.etag, &copied.checksums), (&put.etag, &put.checksums));
    assert_eq!((&copied.object.headers, &copied.object.tags), (&put.object.headers, &put.object.tags));
    assert_eq!(house.read("copies", "a", None).await.unwrap(), bytes);
    assert_eq!(status(&house, "logs", "a"), Some(ReplicationStatus::Completed));
    assert_eq!(status(&house, "copies", "a"), Some(ReplicationStatus::Replica));
    assert_eq!(status(&house, "logs", "before"), None, "what was there before is not copied");
    assert_eq!(house.vault.replication_backlog().unwrap(), (0, 0));
    let house = house.reopen().await;
    assert_eq!(pass(&house).await, 0);
    house.is_well().await;
}

#[tokio::test]
async fn a_copy_keeps_the_parts_of_a_multipart_upload() {
    let house = house().await;
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    let upload = house.begin_upload("logs", "parts").await;
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (3, 70_000), (7, 0)] {
        if size == 0 {
            continue;
        }
        let part = house.part("logs", "parts", &upload, number, vec![number as u8; size]).await.unwrap();
        let checksums = Checksums::new();
        parts.push(CompletedPart { part_number: part.part_number, etag: part.etag, checksums });
    }
    let completion = Completion { parts, ..Completion::default() };
    let made = house.vault.complete_upload("logs", "parts", &upload, &completion, now(), |_| Vec::new());
    let made = made.await.unwrap().meta;
    assert_eq!(pass(&house).await, 1);
    let reader = house.vault.get("copies", "parts", None).unwrap();
    assert_eq!(reader.meta().etag, made.etag);
    assert_eq!(reader.meta().parts_count(), Some(2));
    assert_eq!(reader.part(3).unwrap(), (5 << 20)..(5 << 20) + 70_000);
    let original = house.read("logs", "parts", None).await.unwrap();
    assert_eq!(house.read("copies", "parts", None).await.unwrap(), original);
    // The copy shares nothing with the original.
    house.delete("logs", "parts", Some(&made.version_id)).await.unwrap();
    assert_eq!(house.read("copies", "parts", None).await.unwrap(), original);
    house.is_well().await;
}

#[tokio::test]
async fn doing_it_again_makes_no_second_copy() {
    let house = house().await;
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    house.put("logs", "a", "1").await.unwrap();
    house.put("logs", "a", "2").await.unwrap();
    house.delete("logs", "a", None).await.unwrap();
    let all = waiting(&house).await;
    assert_eq!(all.iter().map(|one| one.is_behind).collect::<Vec<_>>(), [false, true, true]);
    for one in all.iter().chain(&all) {
        copy(&house, one).await.unwrap();
    }
    assert_eq!(ids(&house, "copies"), ids(&house, "logs"));
    // Nothing was settled: a crash came. All of it is found again, and nothing is made twice.
    let house = house.reopen().await;
    for one in waiting(&house).await {
        assert_eq!(copy(&house, &one).await.unwrap(), Replicated::Unchanged);
        house.vault.settle_copy(&one, &MADE, |_| Vec::new()).await.unwrap();
    }
    assert_eq!(ids(&house, "copies"), ids(&house, "logs"));
    assert!(waiting(&house).await.is_empty());
}

#[tokio::test]
async fn copies_stand_in_the_order_in_which_their_versions_were_made() {
    let house = house().await;
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    for text in ["1", "2", "3", "4"] {
        house.put("logs", "a", text).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let all = waiting(&house).await;
    for at in [2, 0, 3, 1] {
        copy(&house, &all[at]).await.unwrap();
    }
    assert_eq!(ids(&house, "copies"), ids(&house, "logs"));
    assert_eq!(house.read("copies", "a", None).await.unwrap(), "4");
    house.is_well().await;
}

#[tokio::test]
async fn any_number_of_copies_fit_between_two_versions() {
    for newest_first in [false, true] {
        let house = house().await;
        replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
        house.put("logs", "a", "first").await.unwrap();
        assert_eq!(pass(&house).await, 1);
        for number in 0..40 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            house.put("logs", "a", number.to_string()).await.unwrap();
        }
        let mut all = waiting(&house).await;
        copy(&house, &all.pop().unwrap()).await.unwrap();
        if newest_first {
            all.reverse();
        }
        for one in &all {
            copy(&house, one).await.unwrap();
        }
        assert_eq!(ids(&house, "copies"), ids(&house, "logs"), "{newest_first}");
        assert_eq!(house.read("copies", "a", None).await.unwrap(), "39");
        house.is_well().await;
    }
}

#[tokio::test]
async fn a_change_of_the_version_never_weakens_the_retention_of_its_copy() {
    let house = House::new().await;
    for bucket in ["logs", "copies"] {
        house.create_locked_bucket(bucket).await;
    }
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    let until = now() + TimeDelta::days(3);
    let governance = |until| Some(Retention { mode: LockMode::Governance, until });
    let lock = ObjectLock { retention: governance(until), legal_hold: None };
    house.put_object("logs", "a", NewObject { lock, ..NewObject::of(account()) }, "x").await.unwrap();
    pass(&house).await;
    let set = async |bucket: &'static str, retention: Option<Retention>| {
        let change =
            RetentionChange { bucket, key: "a", version_id: None, retention, bypass_governance: true };
        house.vault.put_retention(change, now(), |_| Vec::new()).await.unwrap();
    };
    let kept = || house.vault.head("copies", "a", None).unwrap().object.lock.retention.unwrap().until;
    set("logs", governance(until - TimeDelta::days(2))).await;
    pass(&house).await;
    assert!(kept() > until - TimeDelta::days(1), "shortened where the caller may bypass governance");
    set("copies", governance(until + TimeDelta::days(9))).await;
    let tags: Tags = [("team".to_owned(), "blue".to_owned())].into();
    house.vault.put_object_tags("logs", "a", None, tags, |_| Vec::new()).await.unwrap();
    pass(&house).await;
    assert!(kept() > until + TimeDelta::days(8), "extended by the destination's owner");
    assert_eq!(status(&house, "logs", "a"), Some(ReplicationStatus::Completed));
}

#[tokio::test]
async fn later_tags_and_locks_reach_the_copy_and_removals_do_not() {
    let house = House::new().await;
    for bucket in ["logs", "copies"] {
        house.create_locked_bucket(bucket).await;
    }
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    let until = now() + TimeDelta::days(3);
    let retention = Some(Retention { mode: LockMode::Governance, until });
    let lock = ObjectLock { retention, legal_hold: Some(true) };
    house.put_object("logs", "a", NewObject { lock, ..NewObject::of(account()) }, "x").await.unwrap();
    pass(&house).await;
    let copied = || house.vault.head("copies", "a", None).unwrap().object;
    assert!(copied().lock.is_held() && copied().lock.retention.is_some());
    let longer = Some(Retention { mode: LockMode::Compliance, until: until + TimeDelta::days(1) });
    let change = RetentionChange {
        bucket: "logs",
        key: "a",
        version_id: None,
        retention: longer,
        bypass_governance: true,
    };
    house.vault.put_retention(change, now(), |_| Vec::new()).await.unwrap();
    let tags: Tags = [("team".to_owned(), "blue".to_owned())].into();
    house.vault.put_object_tags("logs", "a", None, tags.clone(), |_| Vec::new()).await.unwrap();
    house.vault.put_legal_hold("logs", "a", None, false, |_| Vec::new()).await.unwrap();
    assert_eq!(status(&house, "logs", "a"), Some(ReplicationStatus::Pending));
    assert_eq!(pass(&house).await, 1);
    assert_eq!(copied().tags, tags);
    assert_eq!(copied().lock.legal_hold, Some(false));
    assert_eq!(copied().lock.retention.unwrap().mode, LockMode::Compliance);
    assert_eq!(status(&house, "logs", "a"), Some(ReplicationStatus::Completed));
    assert_eq!(pass(&house).await, 0, "a replica's change is not copied back");
}

#[tokio::test]
async fn a_change_while_the_copy_is_made_is_copied_afterwards() {
    let house = house().await;
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    house.put("logs", "a", "x").await.unwrap();
    let seen = waiting(&house).await.remove(0);
    let tags: Tags = [("team".to_owned(), "blue".to_owned())].into();
    house.vault.put_object_tags("logs", "a", None, tags.clone(), |_| Vec::new()).await.unwrap();
    copy(&house, &seen).await.unwrap();
    let settled = house.vault.settle_copy(&seen, &MADE, |_| Vec::new()).await.unwrap();
    assert_eq!(settled, Some(ReplicationStatus::Pending));
    assert_eq!(pass(&house).await, 1);
    assert_eq!(house.vault.head("copies", "a", None).unwrap().object.tags, tags);
}

#[tokio::test]
async fn a_loop_of_two_buckets_ends() {
    let house = house().await;
    let back = |bucket| ReplicationRule { replica_modifications: Some(true), ..all_to(bucket) };
    replicate(&house, "logs", vec![back("copies")]).await.unwrap();
    replicate(&house, "copies", vec![back("logs")]).await.unwrap();
    house.put("logs", "a", "x").await.unwrap();
    assert_eq!([pass(&house).await, pass(&house).await], [1, 0]);
    let tags: Tags = [("team".to_owned(), "blue".to_owned())].into();
    house.vault.put_object_tags("copies", "a", None, tags.clone(), |_| Vec::new()).await.unwrap();
    assert_eq!([pass(&house).await, pass(&house).await], [1, 0]);
    assert_eq!(house.vault.head("logs", "a", None).unwrap().object.tags, tags);
    assert_eq!((ids(&house, "logs").len(), ids(&house, "copies").len()), (1, 1));
    assert_eq!(status(&house, "copies", "a"), Some(ReplicationStatus::Replica));
}

#[tokio::test]
async fn what_is_refused_is_tried_again_and_blocks_lifecycle_rules() {
    let house = house().await;
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    house.put("logs", "a", "1").await.unwrap();
    house.put("logs", "a", "2").await.unwrap();
    for one in waiting(&house).await {
        let refused = house.vault.settle_copy(&one, &CopyOutcome::Refused, |_| Vec::new()).await;
        assert_eq!(refused.unwrap(), Some(ReplicationStatus::Failed));
        let again = house.vault.settle_copy(&one, &CopyOutcome::Refused, |_| Vec::new()).await;
        assert_eq!(again.unwrap(), None, "nothing changed, so nothing is written");
    }
    let mut rule = LifecycleRule::new("old", RuleFilter::prefix(""));
    rule.noncurrent_expiration = Some(NoncurrentExpiration { days: 1, keep: None });
    let mut tx = house.state.begin().await;
    let lifecycle = Lifecycle { rules: vec![rule], ..Lifecycle::default() };
    house.vault.put_lifecycle(&mut tx, "logs", Some(lifecycle)).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let later = now() + TimeDelta::days(9);
    let due = async || {
        let walk = house.vault.lifecycle_walk("logs").unwrap().unwrap();
        house.vault.lifecycle_step(walk, Calendar::default(), later).await.unwrap().0.len()
    };
    assert_eq!(due().await, 0);
    assert_eq!(pass(&house).await, 2);
    assert_eq!(due().await, 1);
    assert_eq!(ids(&house, "copies"), ids(&house, "logs"));
}

#[tokio::test]
async fn rules_choose_by_prefix_tag_encryption_class_and_priority() {
    let house = house().await;
    house.create_bucket("others").await;
    house.set_versioning("others", Versioning::Enabled).await;
    let tagged = RuleFilter { prefix: None, ..RuleFilter::prefix("") };
    let tags: Tags = [("team".to_owned(), "blue".to_owned())].into();
    let rules = vec![
        ReplicationRule::new("logs", RuleFilter::prefix("logs/"), "copies"),
        ReplicationRule {
            priority: Some(7),
            delete_markers: Some(false),
            ..ReplicationRule::new("team", RuleFilter { tags: tags.clone(), ..tagged }, "others")
        },
        ReplicationRule {
            priority: Some(3),
            enabled: false,
            ..ReplicationRule::new("off", RuleFilter::prefix(""), "others")
        },
    ];
    replicate(&house, "logs", rules).await.unwrap();
    let destinations = async |key: &str, object: NewObject| {
        let meta = house.put_object("logs", key, object, "x").await.unwrap().meta;
        let copies = meta.replication.map(|progress| progress.copies).unwrap_or_default();
        copies.into_iter().map(|copy| copy.bucket).collect::<Vec<_>>()
    };
    let plain = || NewObject::of(account());
    let tagged = || NewObject { tags: tags.clone(), ..plain() };
    assert_eq!(destinations("logs/a", plain()).await, ["copies"]);
    assert_eq!(destinations("logs/a", tagged()).await, ["copies", "others"]);
    assert_eq!(destinations("data/a", tagged()).await, ["others"]);
    assert!(destinations("data/a", plain()).await.is_empty());
    let archived = NewObject { storage_class: "GLACIER".to_owned(), ..plain() };
    assert!(destinations("logs/a", archived).await.is_empty(), "what is in an archive is not copied");
    let encrypted = NewObject { encryption: Some(kms()), ..plain() };
    assert!(destinations("logs/a", encrypted).await.is_empty(), "no rule asks for KMS objects");
    house.delete("logs", "data/a", None).await.unwrap();
    let marker = waiting(&house).await.into_iter().find(|one| one.version.replication().is_none());
    assert!(marker.is_none());
    assert_eq!(waiting(&house).await.iter().filter(|one| one.key == "data/a").count(), 1, "no marker");
}

#[tokio::test]
async fn buckets_must_be_fit_for_it() {
    let house = house().await;
    house.create_bucket("plain").await;
    let refused = |result: Result<(), VaultError>| match result {
        Err(VaultError::InvalidReplication(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(replicate(&house, "plain", vec![all_to("copies")]).await),
        InvalidReplication::SourceVersioning
    );
    assert_eq!(
        refused(replicate(&house, "logs", vec![all_to("plain")]).await),
        InvalidReplication::DestinationVersioning
    );
    assert_eq!(
        refused(replicate(&house, "logs", vec![all_to("logs")]).await),
        InvalidReplication::SameBucket
    );
    assert_eq!(
        refused(replicate(&house, "logs", vec![all_to("nowhere")]).await),
        InvalidReplication::NoDestination
    );
    assert!(matches!(house.vault.replication("logs"), Err(VaultError::NoReplication { .. })));
    replicate(&house, "logs", vec![all_to("copies")]).await.unwrap();
    let mut tx = house.state.begin().await;
    let suspended = house.vault.put_versioning(&mut tx, "logs", Versioning::Suspended);
    assert!(matches!(suspended, Err(VaultError::VersioningIsReplicated { .. })));
    house.vault.put_versioning(&mut tx, "copies", Versioning::Suspended).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    house.put("logs", "a", "x").await.unwrap();
    let one = waiting(&house).await.remove(0);
    assert!(matches!(
        copy(&house, &one).await,
        Err(VaultError::InvalidReplication(InvalidReplication::DestinationVersioning))
    ));
}
