//! Lifecycle rules while the disk fails and the power goes: whatever happens, every object that a rule may not
//! remove is there and reads as it was written.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_journal::disk::{CrashKeeps, Fault, FaultyDisk, Operation};
use opentrail_vault::{
    lifecycle::{Calendar, Lifecycle, LifecycleRule, NoncurrentExpiration, RuleFilter, Transition, When},
    *,
};
use support::{House, now, text};
use tempfile::TempDir;

const BUCKET: &str = "logs-bucket";

fn later() -> DateTime<Utc> {
    now() + TimeDelta::days(400)
}

/// Two large objects, one of two parts, each with an older version that a rule removes.
async fn furnish(house: &House) {
    house.create_bucket(BUCKET).await;
    house.set_versioning(BUCKET, Versioning::Enabled).await;
    for (seed, key) in [(1, "a"), (2, "b")] {
        house.put(BUCKET, key, text(40_000, 99)).await.unwrap();
        house.put(BUCKET, key, text(2_300_000, seed)).await.unwrap();
    }
    let upload = house.begin_upload(BUCKET, "parts").await;
    let mut parts = Vec::new();
    for (number, bytes) in [(1, text(5 << 20, 3)), (2, text(70_000, 4))] {
        let part = house.part(BUCKET, "parts", &upload, number, bytes).await.unwrap();
        let checksums = Checksums::new();
        parts.push(CompletedPart { part_number: part.part_number, etag: part.etag, checksums });
    }
    let completion = Completion { parts, ..Completion::default() };
    house.vault.complete_upload(BUCKET, "parts", &upload, &completion, now(), |_| Vec::new()).await.unwrap();
    let mut rule = LifecycleRule::new("one", RuleFilter::prefix(""));
    rule.noncurrent_expiration = Some(NoncurrentExpiration { days: 90, keep: None });
    rule.transitions = vec![Transition { when: When::Days(30), class: StorageClass::StandardIa }];
    let mut tx = house.state.begin().await;
    let lifecycle = Lifecycle { rules: vec![rule], ..Lifecycle::default() };
    house.vault.put_lifecycle(&mut tx, BUCKET, Some(lifecycle)).unwrap();
    tx.commit(Vec::new()).await.unwrap();
}

async fn pass(house: &House) -> Result<usize, VaultError> {
    let mut done = 0;
    let mut walk = house.vault.lifecycle_walk(BUCKET)?;
    while let Some(place) = walk {
        let (due, next) = house.vault.lifecycle_step(place, Calendar::default(), later()).await?;
        for due in due {
            done += usize::from(house.vault.lifecycle_act(&due, later(), |_| Vec::new()).await?.is_some());
        }
        walk = next;
    }
    Ok(done)
}

async fn everything_reads(house: &House) {
    assert_eq!(house.read(BUCKET, "a", None).await.unwrap(), text(2_300_000, 1));
    assert_eq!(house.read(BUCKET, "b", None).await.unwrap(), text(2_300_000, 2));
    let parts = [text(5 << 20, 3), text(70_000, 4)].concat();
    assert_eq!(house.read(BUCKET, "parts", None).await.unwrap(), parts);
}

async fn all_is_done(house: &House) {
    let page = house.vault.list_versions(BUCKET, &ListQuery::default(), None).unwrap();
    assert_eq!(page.versions.len(), 3);
    for entry in page.versions {
        let Version::Object(meta) = entry.version else { panic!("no markers here") };
        assert_eq!(meta.object.storage_class, "STANDARD_IA");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_goes_during_a_pass_costs_no_object() {
    for (round, cut) in [1, 3, 6, 10, 15, 21, 28, 36, 45, 60].into_iter().enumerate() {
        let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
        let house = House::on(dir.path(), &disk).await;
        furnish(&house).await;
        disk.cut_power_after(cut);
        let _ = pass(&house).await;
        let House { vault, state, journal, .. } = house;
        let _ = vault.close().await;
        drop((vault, state));
        journal.close().await;
        drop(journal);
        let keeps = match round % 3 {
            0 => CrashKeeps::Nothing,
            1 => CrashKeeps::SomeSectors(cut),
            _ => CrashKeeps::Everything,
        };
        disk.crash(keeps).unwrap();
        let house = House::on(dir.path(), &disk).await;
        everything_reads(&house).await;
        pass(&house).await.unwrap();
        everything_reads(&house).await;
        all_is_done(&house).await;
        assert_eq!(pass(&house).await.unwrap(), 0, "nothing is done twice");
        house.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_a_pass_and_it_goes_on_later() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let house = House::on(dir.path(), &disk).await;
    furnish(&house).await;
    disk.inject(Fault::error(Operation::Write, std::io::ErrorKind::StorageFull).on("blobs").always());
    assert!(matches!(pass(&house).await, Err(VaultError::DiskFull)));
    everything_reads(&house).await;
    disk.heal();
    pass(&house).await.unwrap();
    everything_reads(&house).await;
    all_is_done(&house).await;
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_bytes_are_not_moved() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let house = House::on(dir.path(), &disk).await;
    furnish(&house).await;
    disk.inject(Fault::flipped_bit(20_000, 3).on("blobs"));
    assert!(matches!(pass(&house).await, Err(VaultError::Corrupt { .. })));
    let class = house.vault.head(BUCKET, "a", None).unwrap().object.storage_class;
    assert_eq!(class, "STANDARD", "the bytes stay to be looked at");
    disk.heal();
    everything_reads(&house).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_bytes_stay_where_the_new_ones_do_not_read_as_they_were_written() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let house = House::on(dir.path(), &disk).await;
    furnish(&house).await;
    let blobs = || {
        let shards = std::fs::read_dir(dir.path().join("vault/blobs")).unwrap();
        let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let before = blobs();
    // The first object has three chunks; the read after those is of what was made of them.
    disk.inject(Fault::flipped_bit(10, 3).on("blobs").after(3));
    match pass(&house).await {
        Err(VaultError::Corrupt { blob, .. }) => {
            assert!(!before.contains(&blob), "the bytes that were there")
        }
        other => panic!("{other:?}"),
    }
    let class = house.vault.head(BUCKET, "a", None).unwrap().object.storage_class;
    assert_eq!(class, "STANDARD");
    assert!(blobs().iter().all(|blob| before.contains(blob)), "what does not read is not kept");
    disk.heal();
    everything_reads(&house).await;
    pass(&house).await.unwrap();
    everything_reads(&house).await;
    all_is_done(&house).await;
    house.is_well().await;
}
