//! Replication while the disk fails and the power goes: no version is copied twice, and none is lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use bytes::Bytes;
use opentrail_journal::disk::{CrashKeeps, Fault, FaultyDisk, Operation};
use opentrail_vault::{
    lifecycle::RuleFilter,
    replication::{CopyOutcome, NewReplica, Replicated, Replication, ReplicationRule},
    *,
};
use support::{House, account, now, text};
use tempfile::TempDir;

async fn close(house: House) {
    let House { vault, state, journal, .. } = house;
    let _ = vault.close().await;
    drop((vault, state));
    journal.close().await;
}

/// Six versions of four keys, small, large and in parts, and a delete marker.
async fn furnish(house: &House) {
    for bucket in ["logs", "copies"] {
        house.create_bucket(bucket).await;
        house.set_versioning(bucket, Versioning::Enabled).await;
    }
    let mut tx = house.state.begin().await;
    let role = "arn:aws:iam::123456789012:role/copies".to_owned();
    let rules = vec![ReplicationRule::new("all", RuleFilter::prefix(""), "copies")];
    house.vault.put_replication(&mut tx, "logs", Replication { role, rules }, |_| false).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    for (seed, len) in [(1, 900), (2, 40_000), (3, 2_300_000)] {
        house.put("logs", "a", text(len, seed)).await.unwrap();
    }
    house.put("logs", "b", text(100, 4)).await.unwrap();
    house.put("logs", "gone", text(50_000, 5)).await.unwrap();
    house.delete("logs", "gone", None).await.unwrap();
    let upload = house.begin_upload("logs", "parts").await;
    let mut parts = Vec::new();
    for (number, bytes) in [(1, text(5 << 20, 6)), (2, text(9_000, 7))] {
        let part = house.part("logs", "parts", &upload, number, bytes).await.unwrap();
        let checksums = Checksums::new();
        parts.push(CompletedPart { part_number: part.part_number, etag: part.etag, checksums });
    }
    let completion = Completion { parts, ..Completion::default() };
    house.vault.complete_upload("logs", "parts", &upload, &completion, now(), |_| Vec::new()).await.unwrap();
}

/// Copies all that waits; how many copies were made.
async fn pass(house: &House) -> Result<usize, VaultError> {
    let mut made = 0;
    let rules = house.vault.replication("logs")?;
    for pair in house.vault.replication_pairs().await? {
        for waiting in house.vault.replication_step(&pair, false, None).await?.0 {
            let rule = rules.rule_for(&waiting.key, &waiting.version, "copies").unwrap();
            let new = NewReplica { rule, owner: account(), encryption: Encryption::S3 };
            let done = house.vault.replicate(&waiting, &new, now(), |_| Vec::new()).await?;
            made += usize::from(done == Replicated::Made);
            let outcome = CopyOutcome::Made { version_id: None };
            house.vault.settle_copy(&waiting, &outcome, |_| Vec::new()).await?;
        }
    }
    Ok(made)
}

async fn contents(house: &House, bucket: &str) -> Vec<(String, String, Option<Bytes>)> {
    let page = house.vault.list_versions(bucket, &ListQuery::default(), None).unwrap();
    let mut all = Vec::new();
    for entry in page.versions {
        let (key, id) = (entry.key, entry.version.id().to_owned());
        let bytes = match entry.version {
            Version::Object(_) => Some(house.read(bucket, &key, Some(&id)).await.unwrap()),
            Version::DeleteMarker(_) => None,
        };
        all.push((key, id, bytes));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_goes_during_a_pass_loses_no_copy_and_makes_none_twice() {
    for (round, cut) in [1, 3, 6, 10, 15, 21, 28, 36, 45, 60].into_iter().enumerate() {
        let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
        let house = House::on(dir.path(), &disk).await;
        furnish(&house).await;
        let all = contents(&house, "logs").await;
        disk.cut_power_after(cut);
        let _ = pass(&house).await;
        close(house).await;
        let keeps = match round % 3 {
            0 => CrashKeeps::Nothing,
            1 => CrashKeeps::SomeSectors(cut),
            _ => CrashKeeps::Everything,
        };
        disk.crash(keeps).unwrap();
        let house = House::on(dir.path(), &disk).await;
        let before = contents(&house, "copies").await;
        assert!(before.iter().all(|copy| all.contains(copy)), "what is there is whole");
        let made = pass(&house).await.unwrap();
        assert_eq!(before.len() + made, all.len(), "what was there is not made again");
        assert_eq!(contents(&house, "copies").await, all);
        assert_eq!(contents(&house, "logs").await, all);
        assert_eq!(pass(&house).await.unwrap(), 0);
        assert_eq!(house.vault.replication_backlog().unwrap(), (0, 0));
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
    disk.heal();
    pass(&house).await.unwrap();
    assert_eq!(contents(&house, "copies").await, contents(&house, "logs").await);
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_bytes_are_not_copied() {
    let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
    let house = House::on(dir.path(), &disk).await;
    furnish(&house).await;
    disk.inject(Fault::flipped_bit(20_000, 3).on("blobs"));
    assert!(matches!(pass(&house).await, Err(VaultError::Corrupt { .. })));
    disk.heal();
    pass(&house).await.unwrap();
    assert_eq!(contents(&house, "copies").await, contents(&house, "logs").await);
}
