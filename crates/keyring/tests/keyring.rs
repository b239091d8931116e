//! The keyring's behaviour over a real state.

#![expect(clippy::unwrap_used, reason = "a failure of the fixture is a failure of the test")]

use std::{os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_journal::{
    Journal, JournalOptions, Seq,
    disk::{Disk, FaultyDisk},
};
use opentrail_keyring::{
    Keyring, KeyringError, MasterKeySource, SIGNING_KEY_LIFETIME, SIGNING_KEY_OVERLAP, verify,
};
use opentrail_state::{Entry, State, StateOptions};
use tempfile::TempDir;
use zeroize::Zeroizing;

struct World {
    dir: TempDir,
    disk: FaultyDisk,
}

struct Opened {
    journal: Journal,
    state: State,
}

impl Opened {
    async fn close(self) {
        self.state.close().await.unwrap();
        self.journal.close().await;
    }

    /// The names of all records in the journal.
    fn records(&self) -> Vec<(String, String)> {
        let items = self.journal.reader(Seq(0)).try_next_batch(1000, 1 << 20).unwrap();
        let entries = items.iter().map(|item| Entry::of(item).unwrap());
        entries
            .flat_map(|entry| {
                assert_eq!(entry.changes.len(), entry.events.len());
                let named = entry.events.iter().map(|owned| &owned.event);
                named.map(|event| (event.name().to_owned(), event.region().to_owned())).collect::<Vec<_>>()
            })
            .collect()
    }
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), disk: FaultyDisk::default() }
    }

    fn key_file(&self) -> PathBuf {
        self.dir.path().join("keys/master.key")
    }

    async fn open(&self) -> Opened {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (dir, on) = (self.dir.path().join("journal"), Arc::clone(&disk));
        let opening = tokio::task::spawn_blocking(move || Journal::open(&dir, JournalOptions::default(), on));
        let (journal, _) = opening.await.unwrap().unwrap();
        let dir = self.dir.path().join("state");
        let state = State::open(journal.clone(), &dir, disk, StateOptions::default()).await.unwrap();
        Opened { journal, state }
    }

    async fn keyring(&self, opened: &Opened) -> Result<Keyring, KeyringError> {
        Keyring::open(opened.state.clone(), MasterKeySource::File(self.key_file()), account()).await
    }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn bytes(byte: u8) -> MasterKeySource {
    MasterKeySource::Bytes(Zeroizing::new(vec![byte; 32]))
}

#[tokio::test]
async fn a_master_key_is_made_once_for_its_owner_only() {
    let world = World::new();
    let opened = world.open().await;
    let sealed = world.keyring(&opened).await.unwrap().seal("a", b"secret");
    let metadata = std::fs::metadata(world.key_file()).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.len(), 32);
    opened.close().await;
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    assert_eq!(&**keyring.unseal("a", &sealed).unwrap(), b"secret");
    assert!(matches!(keyring.unseal("b", &sealed), Err(KeyringError::Unsealable)));
    assert_eq!(opened.records(), [("AdoptMasterKey".to_owned(), "us-east-1".to_owned())]);
    opened.close().await;
}

#[tokio::test]
async fn a_wrong_short_or_missing_master_key_is_refused() {
    let world = World::new();
    let opened = world.open().await;
    let short = MasterKeySource::Bytes(Zeroizing::new(vec![1; 31]));
    let refused = Keyring::open(opened.state.clone(), short, account()).await.err().unwrap();
    assert!(matches!(refused, KeyringError::MasterKeyLength { len: 31 }), "{refused}");
    Keyring::open(opened.state.clone(), bytes(1), account()).await.unwrap();
    let refused = Keyring::open(opened.state.clone(), bytes(2), account()).await.err().unwrap();
    assert!(matches!(refused, KeyringError::WrongMasterKey), "{refused}");
    let refused = world.keyring(&opened).await.err().unwrap();
    assert!(matches!(refused, KeyringError::MasterKeyMissing { .. }), "{refused}");
    assert!(!world.key_file().exists());
    Keyring::open(opened.state.clone(), bytes(1), account()).await.unwrap();
    opened.close().await;
}

#[tokio::test]
async fn a_signing_key_is_made_at_first_use_and_found_after_a_restart() {
    let world = World::new();
    let region = Region::us_east_1();
    let at = time("2026-03-01T10:30:00Z");
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let key = keyring.signing_key(&region, at).await.unwrap();
    let signature = key.sign(b"message").unwrap();
    assert_eq!(signature.len(), 256);
    assert_eq!(signature, key.sign(b"message").unwrap());
    let public = keyring.public_keys(&region, at, at).remove(0);
    assert_eq!(&public, key.public_key());
    assert!(verify(&public.value_der, b"message", &signature));
    assert!(!verify(&public.value_der, b"massage", &signature));
    assert!(!verify(&public.value_der, b"message", &signature[1..]));
    assert!(!verify(b"not a key", b"message", &signature));
    // RSAPublicKey is SEQUENCE { modulus INTEGER, exponent INTEGER }; for 2048 bits the header is fixed.
    assert_eq!(public.value_der.len(), 270);
    assert_eq!(public.value_der[..9], [0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00]);
    assert_eq!(public.value_der[265..], [0x02, 0x03, 0x01, 0x00, 0x01]);
    assert_eq!(key.fingerprint().len(), 32);
    opened.close().await;

    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let again = keyring.signing_key(&region, at + Duration::days(30)).await.unwrap();
    assert_eq!(again.fingerprint(), key.fingerprint());
    assert_eq!(again.sign(b"message").unwrap(), signature);
    let other = keyring.signing_key(&"eu-west-1".parse().unwrap(), at).await.unwrap();
    assert_ne!(other.fingerprint(), key.fingerprint());
    let records = opened.records();
    let names: Vec<(&str, &str)> = records.iter().map(|(name, region)| (&**name, &**region)).collect();
    assert_eq!(
        names,
        [
            ("AdoptMasterKey", "us-east-1"),
            ("CreateSigningKey", "us-east-1"),
            ("CreateSigningKey", "eu-west-1")
        ]
    );
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_need_a_key_at_once_get_one() {
    let world = World::new();
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let at = time("2026-03-01T10:30:00Z");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let keyring = keyring.clone();
            tokio::spawn(async move { keyring.signing_key(&Region::us_east_1(), at).await.unwrap() })
        })
        .collect();
    let mut fingerprints = Vec::new();
    for task in tasks {
        fingerprints.push(task.await.unwrap().fingerprint().to_owned());
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1);
    assert_eq!(keyring.public_keys(&Region::us_east_1(), at, at).len(), 1);
    opened.close().await;
}

#[tokio::test]
async fn a_key_near_its_end_is_replaced_and_every_signature_finds_its_key() {
    let world = World::new();
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let region = Region::us_east_1();
    let start = time("2026-03-01T10:30:00Z");
    let first = keyring.signing_key(&region, start).await.unwrap();
    let end = first.public_key().valid_to;
    assert_eq!(end - first.public_key().valid_from, SIGNING_KEY_LIFETIME);
    let moments = [
        start,
        start + Duration::days(100),
        end - SIGNING_KEY_OVERLAP - Duration::seconds(1),
        end - SIGNING_KEY_OVERLAP,
        end,
        end + Duration::days(400),
        // A file that comes late stands for a time before the newest key, and one for a time before all keys.
        start + Duration::days(101),
        start - Duration::days(3),
        start - Duration::days(3) + Duration::hours(1),
    ];
    let mut fingerprints = Vec::new();
    for at in moments {
        let key = keyring.signing_key(&region, at).await.unwrap();
        let known = keyring.public_keys(&region, at, at);
        assert!(known.iter().any(|known| known.fingerprint == key.fingerprint()), "{at}");
        fingerprints.push(key.fingerprint().to_owned());
    }
    assert_eq!(fingerprints[..3], [&*fingerprints[0]; 3]);
    assert_ne!(fingerprints[3], fingerprints[2]);
    assert_eq!(fingerprints[4], fingerprints[3]);
    assert_ne!(fingerprints[5], fingerprints[4]);
    assert_eq!(fingerprints[6], fingerprints[0]);
    assert_eq!(fingerprints[8], fingerprints[7]);
    opened.close().await;
}

#[tokio::test]
async fn a_rotated_key_signs_from_now_on_and_the_one_before_for_the_time_before() {
    let world = World::new();
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let region = Region::us_east_1();
    let start = time("2026-03-01T10:30:00Z");
    let first = keyring.signing_key(&region, start).await.unwrap();
    let now = start + Duration::hours(5);
    let second = keyring.rotate_signing_key(&region, now).await.unwrap();
    assert_ne!(first.fingerprint(), second.fingerprint());
    assert_eq!(second.public_key().valid_from, now);
    let signing = |at| keyring.signing_key(&region, at);
    assert_eq!(signing(now).await.unwrap().fingerprint(), second.fingerprint());
    let before = signing(now - Duration::seconds(1)).await.unwrap();
    assert_eq!(before.fingerprint(), first.fingerprint());
    let third = keyring.rotate_signing_key(&region, now).await.unwrap();
    assert_eq!(signing(now).await.unwrap().fingerprint(), third.fingerprint());
    assert_eq!(keyring.public_keys(&region, start, now).len(), 3);
    assert_eq!(keyring.public_keys(&region, start, start).len(), 1);
    assert_eq!(keyring.check().unwrap(), 3);
    let names: Vec<String> = opened.records().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["AdoptMasterKey", "CreateSigningKey", "RotateSigningKey", "RotateSigningKey"]);
    opened.close().await;
}

#[tokio::test]
async fn a_full_disk_makes_no_key_and_says_so() {
    let world = World::new();
    let opened = world.open().await;
    let keyring = world.keyring(&opened).await.unwrap();
    let at = time("2026-03-01T10:30:00Z");
    world.disk.limit_space(Some(0));
    let refused = keyring.signing_key(&Region::us_east_1(), at).await.unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
    assert!(keyring.public_keys(&Region::us_east_1(), at, at).is_empty());
    world.disk.limit_space(None);
    keyring.signing_key(&Region::us_east_1(), at).await.unwrap();
    opened.close().await;
}
