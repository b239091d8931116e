//! Object Lock and MFA delete: what holds a version holds it against everything that removes versions.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_journal::disk::{CrashKeeps, Fault, FaultyDisk, Operation, RealDisk};
use opentrail_vault::*;
use support::{House, account, noise, now};
use tempfile::TempDir;

const COMPLIANCE: LockMode = LockMode::Compliance;
const GOVERNANCE: LockMode = LockMode::Governance;

fn kept(mode: LockMode, until: DateTime<Utc>) -> ObjectLock {
    ObjectLock { retention: Some(Retention { mode, until }), legal_hold: None }
}

async fn locked_bucket() -> House {
    let house = House::new().await;
    house.create_locked_bucket("logs").await;
    house
}

async fn default_of(house: &House, mode: LockMode, period: LockPeriod) {
    let mut tx = house.state.begin().await;
    let configuration = LockConfiguration { default_retention: Some(DefaultRetention { mode, period }) };
    house.vault.put_lock_configuration(&mut tx, "logs", configuration).unwrap();
    tx.commit(Vec::new()).await.unwrap();
}

async fn put_locked(house: &House, key: &str, lock: ObjectLock) -> Result<String, VaultError> {
    let object = NewObject { lock, ..NewObject::of(account()) };
    let mut upload = house.vault.begin_put("logs", key, PutOptions::new(object))?;
    upload.write("the log".into()).await?;
    let staged = upload.finish(&Expected::default()).await?;
    let put = house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await?;
    Ok(put.meta.version_id)
}

async fn remove(
    house: &House,
    key: &str,
    id: &str,
    at: DateTime<Utc>,
    bypass: bool,
) -> Result<(), VaultError> {
    let request = DeleteRequest {
        version_id: Some(id),
        bypass_governance: bypass,
        ..DeleteRequest::of("logs", key, account())
    };
    house.vault.delete(&request, at, |_| Vec::new()).await.map(drop)
}

async fn retain(
    house: &House,
    key: &str,
    retention: Option<Retention>,
    bypass_governance: bool,
) -> Result<(), VaultError> {
    let change = RetentionChange { bucket: "logs", key, version_id: None, retention, bypass_governance };
    house.vault.put_retention(change, now(), |_| Vec::new()).await.map(drop)
}

fn is_locked<T: std::fmt::Debug>(result: &Result<T, VaultError>) -> bool {
    matches!(result, Err(VaultError::Locked { .. }))
}

#[tokio::test]
async fn compliance_holds_until_its_date_and_governance_until_somebody_may_bypass_it() {
    let house = locked_bucket().await;
    let (day, later) = (now() + TimeDelta::days(1), now() + TimeDelta::days(2));
    let strict = put_locked(&house, "strict", kept(COMPLIANCE, day)).await.unwrap();
    let loose = put_locked(&house, "loose", kept(GOVERNANCE, day)).await.unwrap();
    for (key, id) in [("strict", &strict), ("loose", &loose)] {
        let refused = remove(&house, key, id, now(), false).await;
        assert!(is_locked(&refused), "{key}: {refused:?}");
    }
    assert!(is_locked(&remove(&house, "strict", &strict, now(), true).await));
    remove(&house, "loose", &loose, now(), true).await.unwrap();
    remove(&house, "strict", &strict, later, false).await.unwrap();
    house.is_well().await;
}

#[tokio::test]
async fn a_delete_marker_hides_a_locked_version_and_may_go_itself() {
    let house = locked_bucket().await;
    let id = put_locked(&house, "a", kept(COMPLIANCE, now() + TimeDelta::days(1))).await.unwrap();
    let marker = house.delete("logs", "a", None).await.unwrap().version_id.unwrap();
    assert!(house.keys("logs").is_empty());
    assert_eq!(house.read("logs", "a", Some(&id)).await.unwrap(), "the log");
    house.delete("logs", "a", Some(&marker)).await.unwrap();
    assert_eq!(house.keys("logs"), ["a"]);
}

#[tokio::test]
async fn a_retention_gets_longer_for_everyone_and_shorter_for_nobody_in_compliance() {
    let house = locked_bucket().await;
    let at = |days| now() + TimeDelta::days(days);
    let retention = |mode, days| Some(Retention { mode, until: at(days) });
    put_locked(&house, "a", kept(COMPLIANCE, at(2))).await.unwrap();
    for (shorter, bypass) in [
        (retention(COMPLIANCE, 1), true),
        (retention(GOVERNANCE, 3), true),
        (None, true),
        (retention(COMPLIANCE, 1), false),
    ] {
        assert!(is_locked(&retain(&house, "a", shorter, bypass).await), "{shorter:?}");
    }
    retain(&house, "a", retention(COMPLIANCE, 3), false).await.unwrap();

    put_locked(&house, "g", kept(GOVERNANCE, at(2))).await.unwrap();
    for other in [retention(GOVERNANCE, 1), retention(COMPLIANCE, 3), None] {
        assert!(is_locked(&retain(&house, "g", other, false).await), "{other:?}");
    }
    retain(&house, "g", retention(GOVERNANCE, 1), true).await.unwrap();
    retain(&house, "g", None, true).await.unwrap();
    let past = retain(&house, "g", retention(GOVERNANCE, -1), true).await;
    assert!(matches!(past, Err(VaultError::RetentionNotInFuture)), "{past:?}");
    let house = house.reopen().await;
    assert_eq!(house.vault.object_lock("logs", "g", None).unwrap(), ObjectLock::default());
    assert!(house.vault.object_lock("logs", "a", None).unwrap().holds(at(2)));
}

#[tokio::test]
async fn a_legal_hold_holds_until_it_is_taken_off() {
    let house = locked_bucket().await;
    let id = put_locked(&house, "a", ObjectLock { retention: None, legal_hold: Some(true) }).await.unwrap();
    let century = now() + TimeDelta::days(36_500);
    assert!(is_locked(&remove(&house, "a", &id, century, true).await));
    house.vault.put_legal_hold("logs", "a", None, false, |_| Vec::new()).await.unwrap();
    assert_eq!(house.vault.object_lock("logs", "a", None).unwrap().legal_hold, Some(false));
    remove(&house, "a", &id, now(), false).await.unwrap();
}

#[tokio::test]
async fn new_versions_get_the_buckets_retention_whichever_way_they_come() {
    let house = locked_bucket().await;
    default_of(&house, COMPLIANCE, LockPeriod::Days(2)).await;
    let put = house.put("logs", "put", "1").await.unwrap().meta;
    let upload = house.begin_upload("logs", "parts").await;
    let part = house.part("logs", "parts", &upload, 1, "1").await.unwrap();
    let completion = Completion {
        parts: vec![CompletedPart { part_number: 1, etag: part.etag, checksums: Checksums::new() }],
        ..Completion::default()
    };
    let completed = house
        .vault
        .complete_upload("logs", "parts", &upload, &completion, now(), |_| Vec::new())
        .await
        .unwrap()
        .meta;
    for (key, meta) in [("put", &put), ("parts", &completed)] {
        let retention = meta.lock().retention.unwrap();
        assert_eq!(retention.mode, COMPLIANCE);
        assert!((retention.until - meta.last_modified - TimeDelta::days(2)).abs() < TimeDelta::seconds(60));
        assert!(is_locked(&remove(&house, key, &meta.version_id, now(), true).await), "{key}");
    }
    let own = put_locked(&house, "own", kept(GOVERNANCE, now() + TimeDelta::days(1))).await.unwrap();
    remove(&house, "own", &own, now(), true).await.unwrap();
}

#[tokio::test]
async fn a_bucket_with_locks_keeps_its_versioning_and_itself() {
    let house = locked_bucket().await;
    put_locked(&house, "a", kept(COMPLIANCE, now() + TimeDelta::days(1))).await.unwrap();
    let mut tx = house.state.begin().await;
    let suspended = house.vault.put_versioning(&mut tx, "logs", Versioning::Suspended);
    assert!(matches!(suspended, Err(VaultError::VersioningIsLocked { .. })), "{suspended:?}");
    let removed = house.vault.delete_bucket(&mut tx, "logs").await.map(drop);
    assert!(matches!(removed, Err(VaultError::BucketNotEmpty { .. })), "{removed:?}");
    drop(tx);
    house.create_bucket("plain").await;
    let mut tx = house.state.begin().await;
    let early = house.vault.put_lock_configuration(&mut tx, "plain", LockConfiguration::default());
    assert!(matches!(early, Err(VaultError::LockNeedsVersioning { .. })), "{early:?}");
    drop(tx);
    let hold = house.vault.put_legal_hold("plain", "a", None, true, |_| Vec::new()).await.map(drop);
    assert!(matches!(hold, Err(VaultError::LockNotEnabled { .. })), "{hold:?}");
}

#[tokio::test]
async fn a_locked_null_version_from_before_is_not_overwritten_by_a_writer_who_waited() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", "from before").await.unwrap();
    // The staged object was begun while the bucket had no versioning, but its commit sees the bucket as it is.
    house.set_versioning("logs", Versioning::Enabled).await;
    let mut tx = house.state.begin().await;
    house.vault.put_lock_configuration(&mut tx, "logs", LockConfiguration::default()).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let change = RetentionChange {
        bucket: "logs",
        key: "a",
        version_id: Some(NULL_VERSION),
        retention: Some(Retention { mode: COMPLIANCE, until: now() + TimeDelta::days(1) }),
        bypass_governance: false,
    };
    house.vault.put_retention(change, now(), |_| Vec::new()).await.unwrap();
    house.put("logs", "a", "another").await.unwrap();
    assert_eq!(house.read("logs", "a", Some(NULL_VERSION)).await.unwrap(), "from before");
    assert!(is_locked(&remove(&house, "a", NULL_VERSION, now(), true).await));
}

#[tokio::test]
async fn with_mfa_delete_versions_and_versioning_change_only_with_a_code() {
    let house = House::with_bucket("logs").await;
    let on = VersioningChange { versioning: Versioning::Enabled, mfa_delete: Some(true), with_mfa: false };
    let mut tx = house.state.begin().await;
    assert!(matches!(house.vault.put_versioning(&mut tx, "logs", on), Err(VaultError::MfaRequired)));
    house.vault.put_versioning(&mut tx, "logs", VersioningChange { with_mfa: true, ..on }).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let id = house.put("logs", "a", "1").await.unwrap().meta.version_id;
    let refused = remove(&house, "a", &id, now(), true).await;
    assert!(matches!(refused, Err(VaultError::MfaRequired)), "{refused:?}");
    let mut tx = house.state.begin().await;
    let suspended = house.vault.put_versioning(&mut tx, "logs", Versioning::Suspended);
    assert!(matches!(suspended, Err(VaultError::MfaRequired)), "{suspended:?}");
    drop(tx);
    // A marker takes nothing away and needs none.
    house.delete("logs", "a", None).await.unwrap();
    let request =
        DeleteRequest { version_id: Some(&id), with_mfa: true, ..DeleteRequest::of("logs", "a", account()) };
    let tx = house.state.begin().await;
    house.vault.delete_with(tx, &request, now(), |_| Vec::new()).await.unwrap();
    assert!(matches!(house.read("logs", "a", Some(&id)).await, Err(VaultError::NoSuchVersion { .. })));
    house.is_well().await;
}

#[tokio::test]
async fn with_mfa_delete_nothing_takes_the_place_of_an_object_without_a_code() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", "the log").await.unwrap();
    let on = VersioningChange { versioning: Versioning::Suspended, mfa_delete: Some(true), with_mfa: true };
    let mut tx = house.state.begin().await;
    house.vault.put_versioning(&mut tx, "logs", on).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let needs_code = |refused: Option<VaultError>| {
        assert!(matches!(refused, Some(VaultError::MfaRequired)), "{refused:?}");
    };
    needs_code(house.put("logs", "a", "another").await.err());
    needs_code(house.delete("logs", "a", None).await.err());
    let upload = house.begin_upload("logs", "a").await;
    let part = house.part("logs", "a", &upload, 1, "another").await.unwrap();
    let parts = vec![CompletedPart { part_number: 1, etag: part.etag, checksums: Checksums::new() }];
    let completion = Completion { parts, ..Completion::default() };
    let complete = || house.vault.complete_upload("logs", "a", &upload, &completion, now(), |_| Vec::new());
    needs_code(complete().await.err());
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "the log");
    // With a code it goes, and then its place is free; a marker in it is nothing to protect.
    let request = DeleteRequest {
        version_id: Some(NULL_VERSION),
        with_mfa: true,
        ..DeleteRequest::of("logs", "a", account())
    };
    house.vault.delete(&request, now(), |_| Vec::new()).await.unwrap();
    house.delete("logs", "a", None).await.unwrap();
    complete().await.unwrap();
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "another");
    house.put("logs", "b", "new").await.unwrap();
    house.is_well().await;
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_opens_no_lock() {
    let dir = TempDir::new().unwrap();
    let options = VaultOptions { clock_leap: Some(limits::CLOCK_LEAP), ..VaultOptions::default() };
    let house = House::open(dir.path().to_owned(), Arc::new(RealDisk), options).await.unwrap();
    house.create_locked_bucket("logs").await;
    let id = put_locked(&house, "a", kept(COMPLIANCE, now() + TimeDelta::days(1))).await.unwrap();
    assert!(is_locked(&remove(&house, "a", &id, now() + TimeDelta::days(400), true).await));
    assert!(is_locked(&remove(&house, "a", &id, now() + TimeDelta::days(400), true).await));
    assert_eq!(house.read("logs", "a", Some(&id)).await.unwrap(), "the log");
}

#[tokio::test]
async fn a_clock_set_back_before_a_start_shortens_no_new_lock() {
    let mut house = locked_bucket().await;
    default_of(&house, COMPLIANCE, LockPeriod::Days(1)).await;
    house = house.reopen().await;
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
    upload.write("1".into()).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    let year_ago = now() - TimeDelta::days(365);
    let put =
        house.vault.commit_put(staged, &WriteConditions::default(), year_ago, |_| Vec::new()).await.unwrap();
    assert!(put.meta.lock().holds(now()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_leaves_the_files_of_locked_versions_alone() {
    let house = locked_bucket().await;
    let object = NewObject { lock: kept(COMPLIANCE, now() + TimeDelta::days(1)), ..NewObject::of(account()) };
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(object)).unwrap();
    upload.write(noise(100_000, 1)).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    let put =
        house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.unwrap();
    house.delete("logs", "a", None).await.unwrap();
    assert_eq!(house.vault.sweep().await.unwrap().removed, 0);
    assert_eq!(house.read("logs", "a", Some(&put.meta.version_id)).await.unwrap(), noise(100_000, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_was_acknowledged_survives_every_crash_and_one_that_was_refused_changes_nothing() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let options = || VaultOptions {
        checkpoint_interval: Duration::from_millis(5),
        apply_timeout: Duration::from_secs(10),
        ..VaultOptions::default()
    };
    let open = || House::open(dir.path().to_owned(), Arc::new(disk.clone()), options());
    let mut house = open().await.unwrap();
    house.create_locked_bucket("logs").await;
    let at = |days| now() + TimeDelta::days(days);
    let strict = put_locked(&house, "strict", kept(COMPLIANCE, at(1))).await.unwrap();
    let loose = put_locked(&house, "loose", ObjectLock::default()).await.unwrap();
    for (round, keeps) in [CrashKeeps::Nothing, CrashKeeps::Everything].into_iter().enumerate() {
        // A change that the journal has no room for is refused, and nothing of it is left.
        let full = Fault::error(Operation::Write, std::io::ErrorKind::StorageFull).on("journal").always();
        disk.inject(full);
        let longer = Some(Retention { mode: COMPLIANCE, until: at(900) });
        let refused = retain(&house, "loose", longer, false).await;
        assert!(matches!(refused, Err(VaultError::DiskFull)), "{refused:?}");
        let gone = remove(&house, "loose", &loose, now(), false).await;
        assert!(matches!(gone, Err(VaultError::DiskFull)), "{gone:?}");
        disk.heal();
        assert!(house.vault.object_lock("logs", "loose", None).unwrap().retention.is_none());
        let days = 2 + i64::try_from(round).unwrap();
        retain(&house, "strict", Some(Retention { mode: COMPLIANCE, until: at(days) }), false).await.unwrap();
        let House { vault, state, journal, .. } = house;
        let _ = vault.close().await;
        drop((vault, state));
        journal.close().await;
        drop(journal);
        disk.crash(keeps).unwrap();
        house = open().await.unwrap();
        assert!(is_locked(&remove(&house, "strict", &strict, at(days) - TimeDelta::hours(1), true).await));
        assert_eq!(house.read("logs", "strict", Some(&strict)).await.unwrap(), "the log");
        house.is_well().await;
    }
}

#[test]
fn the_fact_that_removes_a_version_is_made_in_one_place() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut makers = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read_to_string(&path).unwrap().contains("RemoveVersion {") {
                makers.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    makers.sort();
    // Where it is declared, where it is applied, and the door.
    assert_eq!(makers, ["apply.rs", "door.rs", "fact.rs"]);
}
