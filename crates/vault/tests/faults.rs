//! Disks that fail, callers that leave, power that goes.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::{path::Path, sync::Arc, time::Duration};

use opentrail_journal::disk::{CrashKeeps, Fault, FaultyDisk, Operation};
use opentrail_vault::*;
use support::{House, account, noise, now};
use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

struct Failing {
    house: House,
    disk: FaultyDisk,
    dir: TempDir,
    apply_timeout: Duration,
}

/// Checkpoints are frequent, so that faults meet them too.
fn options(apply_timeout: Duration) -> VaultOptions {
    VaultOptions { checkpoint_interval: Duration::from_millis(5), apply_timeout, ..VaultOptions::default() }
}

async fn open(dir: &Path, disk: &FaultyDisk, apply_timeout: Duration) -> House {
    House::open(dir.to_owned(), Arc::new(disk.clone()), options(apply_timeout)).await.unwrap()
}

impl Failing {
    async fn new() -> Self {
        Self::with_timeout(Duration::from_secs(10)).await
    }

    async fn with_timeout(apply_timeout: Duration) -> Self {
        let (dir, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
        let house = open(dir.path(), &disk, apply_timeout).await;
        house.create_bucket("logs").await;
        Self { house, disk, dir, apply_timeout }
    }

    fn files(&self) -> usize {
        let shards = std::fs::read_dir(self.dir.path().join("vault/blobs")).unwrap();
        shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
    }

    async fn crash(self, keeps: CrashKeeps) -> Self {
        let Self { house, disk, dir, apply_timeout } = self;
        let House { vault, state, journal, .. } = house;
        let _ = vault.close().await;
        drop((vault, state));
        journal.close().await;
        drop(journal);
        disk.crash(keeps).unwrap();
        let house = open(dir.path(), &disk, apply_timeout).await;
        Self { house, disk, dir, apply_timeout }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_an_upload_and_keeps_nothing_of_it() {
    let failing = Failing::new().await;
    let (house, disk) = (&failing.house, &failing.disk);
    house.put("logs", "a", "before").await.unwrap();
    disk.limit_space(Some(2 << 20));
    let refused = house.put("logs", "a", noise(4 << 20, 1)).await;
    assert!(matches!(refused, Err(VaultError::DiskFull)), "{refused:?}");
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "before");
    disk.heal();
    assert_eq!(failing.files(), 0);
    failing.house.put("logs", "a", noise(4 << 20, 1)).await.unwrap();
    assert_eq!(failing.house.read("logs", "a", None).await.unwrap(), noise(4 << 20, 1));
    failing.house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_without_room_refuses_the_commit_and_the_file_goes() {
    let failing = Failing::new().await;
    let house = &failing.house;
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
    upload.write(noise(100_000, 1)).await.unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    assert_eq!(failing.files(), 1);
    failing
        .disk
        .inject(Fault::error(Operation::Write, std::io::ErrorKind::StorageFull).on("journal").always());
    let refused = house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await;
    assert!(matches!(refused, Err(VaultError::DiskFull)), "{refused:?}");
    assert_eq!(failing.files(), 0);
    failing.disk.heal();
    house.put("logs", "a", "small").await.unwrap();
    assert_eq!(house.keys("logs"), ["a"]);
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_of_the_bytes_fails_the_upload() {
    let failing = Failing::new().await;
    failing.disk.inject(Fault::error(Operation::Sync, std::io::ErrorKind::Other).on("blobs"));
    let refused = failing.house.put("logs", "a", noise(100_000, 1)).await;
    assert!(matches!(refused, Err(VaultError::Io { operation: "sync", .. })), "{refused:?}");
    assert_eq!(failing.files(), 0);
    assert!(failing.house.keys("logs").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_writes_are_continued() {
    let failing = Failing::new().await;
    failing.disk.inject(Fault::short_writes(1000).on("blobs"));
    failing.house.put("logs", "a", noise(100_000, 1)).await.unwrap();
    assert_eq!(failing.house.read("logs", "a", None).await.unwrap(), noise(100_000, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_named_and_never_served() {
    let failing = Failing::new().await;
    let house = &failing.house;
    let bytes = noise(3_000_000, 1);
    house.put("logs", "a", bytes.clone()).await.unwrap();
    failing.disk.inject(Fault::flipped_bit(1_500_000, 3).on("blobs"));
    match house.read("logs", "a", None).await {
        Err(VaultError::Corrupt { offset, damage: Damage::Checksum, .. }) => assert_eq!(offset, 1 << 20),
        other => panic!("{other:?}"),
    }
    let reader = house.vault.get("logs", "a", None).unwrap();
    assert_eq!(reader.bytes(0..1_000_000).await.unwrap(), bytes.slice(..1_000_000));
    let findings = house.vault.fsck().await.unwrap().findings;
    assert!(
        matches!(&findings[..], [Finding::DamagedVersion { bucket, key, .. }] if bucket == "logs" && key == "a")
    );
    failing.disk.heal();
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsck_names_what_somebody_did_to_the_files() {
    let failing = Failing::new().await;
    let house = &failing.house;
    for (seed, key) in ["short", "long", "gone", "good"].into_iter().enumerate() {
        house.put("logs", key, noise(50_000, seed as u64)).await.unwrap();
    }
    let blob = async |key: &str| {
        // The bytes tell which file is which.
        let wanted = house.read("logs", key, None).await.unwrap();
        let shards = std::fs::read_dir(failing.dir.path().join("vault/blobs")).unwrap();
        let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).find(|path| std::fs::read(path).unwrap() == wanted).unwrap()
    };
    let (short, long, gone) = (blob("short").await, blob("long").await, blob("gone").await);
    let stranger = gone.with_file_name("notes.txt");
    std::fs::write(&short, b"x").unwrap();
    std::fs::write(&long, [&house.read("logs", "long", None).await.unwrap()[..], b"more"].concat()).unwrap();
    std::fs::remove_file(&gone).unwrap();
    std::fs::write(&stranger, b"").unwrap();
    let orphan = gone.with_file_name(format!(
        "{}{}",
        &gone.file_name().unwrap().to_str().unwrap()[..2],
        "0".repeat(30)
    ));
    std::fs::write(&orphan, b"").unwrap();

    let report = house.vault.fsck().await.unwrap();
    let text = format!("{:?}", report.findings);
    assert_eq!(report.findings.len(), 5, "{text}");
    for (key, problem) in [("short", "too short"), ("long", "too long"), ("gone", "missing")] {
        let named = report.findings.iter().any(|finding| {
            matches!(finding, Finding::DamagedVersion { key: k, problem: p, .. } if k == key && p.contains(problem))
        });
        assert!(named, "{key}: {text}");
    }
    assert!(report.findings.contains(&Finding::Stranger { path: stranger }));
    assert!(matches!(
        house.read("logs", "gone", None).await,
        Err(VaultError::Corrupt { damage: Damage::Missing, .. })
    ));
    let swept = house.vault.sweep().await.unwrap();
    assert_eq!((swept.removed, swept.strangers.len()), (1, 1));
    assert!(!orphan.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_in_the_middle_of_a_commit_changes_nothing_for_the_others() {
    let failing = Failing::new().await;
    let vault = failing.house.vault.clone();
    let upload = vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
    let staged = upload.finish(&Expected::default()).await.unwrap();
    failing.disk.hold_syncs();
    let (begins, begun) = tokio::sync::oneshot::channel();
    let caller = tokio::spawn(async move {
        // The records are asked for last: between that and the journal the caller waits for nothing.
        let events = |_: &PutOutcome| {
            begins.send(()).unwrap();
            Vec::new()
        };
        vault.commit_put(staged, &WriteConditions::default(), now(), events).await
    });
    tokio::time::timeout(PATIENCE, begun).await.unwrap().unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert!(failing.house.keys("logs").is_empty());
    failing.disk.release_syncs();
    // The next writer of the key waits for the one whose caller left.
    let absent = WriteConditions { if_none_match: Some(EtagMatch::Any), ..WriteConditions::default() };
    let second = failing.house.put_if("logs", "a", "second", &absent).await;
    assert!(matches!(second, Err(VaultError::PreconditionFailed { .. })));
    assert_eq!(failing.house.keys("logs"), ["a"]);
    failing.house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_fails_is_opened_again_and_nothing_is_lost() {
    let failing = Failing::new().await;
    let house = &failing.house;
    for (round, operation) in [Operation::Sync, Operation::Write, Operation::Sync].into_iter().enumerate() {
        failing.disk.inject(Fault::error(operation, std::io::ErrorKind::Other).on("index.redb").times(2));
        for n in 0..20 {
            house.put("logs", &format!("{round}/{n}"), noise(n * 2000, n as u64)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    for round in 0..3 {
        for n in 0..20 {
            let read = house.read("logs", &format!("{round}/{n}"), None).await.unwrap();
            assert_eq!(read, noise(n * 2000, n as u64));
        }
    }
    house.is_well().await;
    let failing = failing.crash(CrashKeeps::Nothing).await;
    assert_eq!(failing.house.keys("logs").len(), 60);
    failing.house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_ever_behind_a_change_that_the_index_cannot_take() {
    let failing = Failing::with_timeout(Duration::from_millis(300)).await;
    let house = &failing.house;
    for operation in [Operation::Open, Operation::Sync, Operation::Write] {
        failing.disk.inject(Fault::error(operation, std::io::ErrorKind::Other).on("index.redb").always());
    }
    // The index is closed once a checkpoint has failed.
    let closed = async { while house.put("logs", "a", "1").await.is_ok() {} };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    let second = tokio::time::timeout(Duration::from_secs(20), house.put("logs", "a", "2")).await;
    assert!(matches!(second, Ok(Err(VaultError::IndexUnavailable))), "{second:?}");
    failing.disk.heal();
    let healed = async { while house.put("logs", "a", "3").await.is_err() {} };
    tokio::time::timeout(PATIENCE, healed).await.unwrap();
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "3");
    house.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_leaves_what_is_on_its_way_in_and_out() {
    let failing = Failing::new().await;
    let house = &failing.house;
    let swept = async || house.vault.sweep().await.unwrap().removed;
    let mut upload = house.vault.begin_put("logs", "a", PutOptions::new(NewObject::of(account()))).unwrap();
    upload.write(noise(3_000_000, 1)).await.unwrap();
    assert_eq!(swept().await, 0);
    let staged = upload.finish(&Expected::default()).await.unwrap();
    assert_eq!(swept().await, 0);
    house.vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.unwrap();
    assert_eq!(swept().await, 0);
    let reader = house.vault.get("logs", "a", None).unwrap();
    house.delete("logs", "a", None).await.unwrap();
    assert_eq!(swept().await, 0);
    assert_eq!(reader.bytes(0..3_000_000).await.unwrap(), noise(3_000_000, 1));
    drop(reader);
    assert_eq!(failing.files(), 0);
}

/// What the writer of one key knows.
#[derive(Default)]
struct Known {
    acknowledged: Option<u64>,
    /// Attempts since then whose outcome was not heard: any of them, or none, may have happened.
    open: Vec<Option<u64>>,
}

fn content(stamp: u64) -> bytes::Bytes {
    noise(if stamp.is_multiple_of(3) { 30_000 + (stamp % 7) as usize * 1000 } else { 50 }, stamp)
}

async fn write_until_the_power_goes(vault: Vault, key: String, known: &mut Known, stamps: &mut u64) -> u32 {
    let mut acknowledged = 0;
    loop {
        *stamps += 1;
        let stamp = *stamps;
        let attempt = if stamp % 4 == 1 { None } else { Some(stamp) };
        known.open.push(attempt);
        let done = match attempt {
            None => {
                let request = DeleteRequest::of("logs", &key, account());
                vault.delete(&request, now(), |_| Vec::new()).await.map(drop)
            }
            Some(stamp) => put(&vault, &key, stamp).await,
        };
        if done.is_err() {
            return acknowledged;
        }
        acknowledged += 1;
        known.acknowledged = attempt;
        known.open.clear();
    }
}

async fn put(vault: &Vault, key: &str, stamp: u64) -> Result<(), VaultError> {
    if stamp.is_multiple_of(5) {
        return put_in_parts(vault, key, stamp).await;
    }
    let mut upload = vault.begin_put("logs", key, PutOptions::new(NewObject::of(account())))?;
    upload.write(content(stamp)).await?;
    let staged = upload.finish(&Expected::default()).await?;
    vault.commit_put(staged, &WriteConditions::default(), now(), |_| Vec::new()).await.map(drop)
}

async fn put_in_parts(vault: &Vault, key: &str, stamp: u64) -> Result<(), VaultError> {
    let options = UploadOptions { object: NewObject::of(account()), algorithm: None, checksum_type: None };
    let upload =
        vault.create_upload("logs", key, options, now(), |_| Vec::new()).await?.upload_id.to_string();
    let mut parts = Vec::new();
    // The second replaces the first, the third is not named on completion.
    for (number, stamp) in [(1, stamp + 1), (1, stamp), (2, stamp)] {
        let mut part = vault.begin_part("logs", key, &upload, number, &[], None)?;
        part.write(content(stamp)).await?;
        let staged = part.finish(&Expected::default()).await?;
        parts.push(vault.commit_part(staged, now(), |_| Vec::new()).await?);
    }
    let named = CompletedPart { part_number: 1, etag: parts[1].etag.clone(), checksums: Checksums::new() };
    let completion = Completion { parts: vec![named], ..Completion::default() };
    vault.complete_upload("logs", key, &upload, &completion, now(), |_| Vec::new()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_power_cut_the_index_is_what_was_acknowledged() {
    let mut failing = Failing::with_timeout(Duration::from_millis(150)).await;
    let mut writers: Vec<(Known, u64)> = (0..4).map(|n| (Known::default(), n * 1_000_000)).collect();
    let mut acknowledged = 0;
    for round in 0..40_u64 {
        failing.disk.cut_power_after(3 + round.wrapping_mul(37) % 400);
        let mut tasks = Vec::new();
        for (n, (mut known, mut stamps)) in std::mem::take(&mut writers).into_iter().enumerate() {
            let vault = failing.house.vault.clone();
            tasks.push(tokio::spawn(async move {
                let count =
                    write_until_the_power_goes(vault, format!("key-{n}"), &mut known, &mut stamps).await;
                (known, stamps, count)
            }));
        }
        for task in tasks {
            let (known, stamps, count) =
                tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
            writers.push((known, stamps));
            acknowledged += count;
        }
        let keeps = match round % 4 {
            0 => CrashKeeps::Nothing,
            1 => CrashKeeps::FirstBytes(round * 5000),
            2 => CrashKeeps::SomeSectors(round),
            _ => CrashKeeps::Everything,
        };
        failing = failing.crash(keeps).await;
        failing.house.is_well().await;
        for (n, (known, _)) in writers.iter_mut().enumerate() {
            let key = format!("key-{n}");
            let found = match failing.house.read("logs", &key, None).await {
                Ok(bytes) => Some(bytes),
                Err(VaultError::NoSuchKey { .. }) => None,
                Err(other) => panic!("round {round}: {other}"),
            };
            let possible = known.open.iter().chain([&known.acknowledged]);
            let state = possible.copied().find(|stamp| stamp.map(content) == found);
            known.acknowledged =
                state.unwrap_or_else(|| panic!("round {round}: {key} has what nobody wrote last"));
            known.open.clear();
        }
    }
    assert!(acknowledged > 500, "{acknowledged} writes are too few to show anything");
}
