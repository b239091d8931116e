//! Customer keys over a real state: what they encrypt, and what ends it.

#![expect(clippy::unwrap_used, reason = "a failure of the fixture is a failure of the test")]

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use opentrail_event::{AccountId, Region};
use opentrail_journal::{
    Journal, JournalOptions, Seq,
    disk::{Disk, FaultyDisk},
};
use opentrail_keyring::{
    EncryptionContext, Key, KeyRefusal, Keyring, KeyringError, MasterKeySource,
    customer::{
        Due, GrantConstraints, KeySpec, KeyUsage, MessageType, NewGrant, NewKey, NewMaterial,
        SigningAlgorithm, limits,
    },
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
    keyring: Keyring,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), disk: FaultyDisk::default() }
    }

    async fn open(&self) -> Opened {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (dir, on) = (self.dir.path().join("journal"), Arc::clone(&disk));
        let opening = tokio::task::spawn_blocking(move || Journal::open(&dir, JournalOptions::default(), on));
        let (journal, _) = opening.await.unwrap().unwrap();
        let dir = self.dir.path().join("state");
        let state = State::open(journal.clone(), &dir, disk, StateOptions::default()).await.unwrap();
        let master = MasterKeySource::Bytes(Zeroizing::new(vec![7; 32]));
        let keyring = Keyring::open(state.clone(), master, account()).await.unwrap();
        Opened { journal, state, keyring }
    }
}

impl Opened {
    async fn close(self) {
        self.state.close().await.unwrap();
        self.journal.close().await;
    }

    async fn make(&self, spec: KeySpec, usage: KeyUsage) -> Arc<Key> {
        let material = NewMaterial::generate(spec).unwrap();
        let new = NewKey {
            account: account(),
            region: Region::us_east_1(),
            description: String::new(),
            usage,
            policy: "{}".to_owned(),
            policy_principals: BTreeMap::new(),
            tags: Vec::new(),
        };
        let mut tx = self.state.begin().await;
        let key = self.keyring.create_key(&mut tx, new, &material, Utc::now()).unwrap();
        tx.commit(Vec::new()).await.unwrap();
        self.again(&key)
    }

    async fn symmetric(&self) -> Arc<Key> {
        self.make(KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt).await
    }

    /// The key as it is now.
    fn again(&self, key: &Key) -> Arc<Key> {
        self.keyring.key(&account(), &Region::us_east_1(), &key.arn).unwrap()
    }

    fn records(&self) -> Vec<String> {
        let items = self.journal.reader(Seq(0)).try_next_batch(1000, 1 << 20).unwrap();
        let entries = items.iter().map(|item| Entry::of(item).unwrap());
        entries
            .flat_map(|entry| {
                entry.events.iter().map(|owned| owned.event.name().to_owned()).collect::<Vec<_>>()
            })
            .collect()
    }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn refusal<T>(result: Result<T, KeyringError>) -> KeyRefusal {
    match result.err().unwrap() {
        KeyringError::Key(refusal) => refusal,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_ciphertext_opens_with_its_context_only_and_after_a_restart() {
    let world = World::new();
    let opened = world.open().await;
    let key = opened.symmetric().await;
    let with = context(&[("a", "1")]);
    let sealed = opened.keyring.encrypt(&key, b"secret", &with).unwrap();
    assert_ne!(sealed, opened.keyring.encrypt(&key, b"secret", &with).unwrap());
    opened.close().await;
    let opened = world.open().await;
    let found = opened.keyring.decrypt(&sealed, &with).unwrap();
    assert_eq!((&**found.plaintext, &*found.key_arn), (&b"secret"[..], &*key.arn));
    for wrong in [context(&[]), context(&[("a", "2")]), context(&[("a", "1"), ("b", "")])] {
        assert_eq!(refusal(opened.keyring.decrypt(&sealed, &wrong)), KeyRefusal::InvalidCiphertext);
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(opened.keyring.decrypt(&changed, &with).is_err(), "byte {at}");
        assert!(opened.keyring.decrypt(&sealed[..at], &with).is_err(), "cut at {at}");
    }
    opened.close().await;
}

#[tokio::test]
async fn a_data_key_is_what_its_ciphertext_holds() {
    let world = World::new();
    let opened = world.open().await;
    let key = opened.symmetric().await;
    let made = opened.keyring.generate_data_key(&key, &context(&[]), Utc::now()).unwrap();
    assert_eq!(
        &**opened.keyring.decrypt(&made.ciphertext, &context(&[])).unwrap().plaintext,
        &*made.plaintext
    );
    opened.close().await;
}

#[tokio::test]
async fn a_rotated_key_opens_what_it_encrypted_before() {
    let world = World::new();
    let opened = world.open().await;
    let key = opened.symmetric().await;
    let none = context(&[]);
    let old = opened.keyring.encrypt(&key, b"old", &none).unwrap();
    let now = Utc::now();
    let mut tx = opened.state.begin().await;
    opened.keyring.enable_rotation(&mut tx, &key, Some(90), now).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    assert_eq!(opened.keyring.do_what_is_due(now).await, Due::default());
    let later = now + Duration::days(90);
    assert_eq!(opened.keyring.do_what_is_due(later).await, Due { rotated: 1, ..Due::default() });
    assert_eq!(opened.keyring.do_what_is_due(later).await, Due::default());
    let rotated = opened.again(&key);
    assert_eq!((rotated.materials.len(), rotated.rotation.unwrap().next), (2, later + Duration::days(90)));
    assert_eq!(&**opened.keyring.decrypt(&old, &none).unwrap().plaintext, b"old");
    let new = opened.keyring.encrypt(&rotated, b"new", &none).unwrap();
    assert_eq!(opened.keyring.decrypt(&new, &none).unwrap().material_id, rotated.material().id);
    assert_eq!(opened.records(), ["AdoptMasterKey", "RotateKey"]);
    opened.close().await;
}

#[tokio::test]
async fn a_key_without_material_is_not_read() {
    let world = World::new();
    let opened = world.open().await;
    let mut kept = serde_json::to_value(&*opened.symmetric().await).unwrap();
    assert!(serde_json::from_value::<Key>(kept.clone()).is_ok());
    kept["materials"] = serde_json::json!([]);
    assert!(serde_json::from_value::<Key>(kept).is_err());
    opened.close().await;
}

#[tokio::test]
async fn a_disabled_key_refuses_until_it_is_enabled() {
    let world = World::new();
    let opened = world.open().await;
    let key = opened.symmetric().await;
    let sealed = opened.keyring.encrypt(&key, b"x", &context(&[])).unwrap();
    for (enabled, works) in [(false, false), (true, true)] {
        let mut tx = opened.state.begin().await;
        opened.keyring.set_enabled(&mut tx, &opened.again(&key), enabled).unwrap();
        tx.commit(Vec::new()).await.unwrap();
        assert_eq!(opened.keyring.decrypt(&sealed, &context(&[])).is_ok(), works);
        assert_eq!(opened.keyring.encrypt(&opened.again(&key), b"x", &context(&[])).is_ok(), works);
    }
    opened.close().await;
}

#[tokio::test]
async fn a_deletion_that_is_due_destroys_the_key_its_aliases_and_nothing_else() {
    let world = World::new();
    let opened = world.open().await;
    let (key, other) = (opened.symmetric().await, opened.symmetric().await);
    let sealed = opened.keyring.encrypt(&key, b"x", &context(&[])).unwrap();
    // As if the days had passed already.
    let then: DateTime<Utc> = Utc::now() - Duration::days(8);
    let mut tx = opened.state.begin().await;
    opened.keyring.create_alias(&mut tx, &key, "alias/one", then).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    let mut tx = opened.state.begin().await;
    assert!(opened.keyring.schedule_deletion(&mut tx, &key, 6, then).is_err());
    opened.keyring.schedule_deletion(&mut tx, &opened.again(&key), 7, then).unwrap();
    tx.commit(Vec::new()).await.unwrap();
    // Nobody uses it any more, also before the worker has come.
    let gone = |opened: &Opened| {
        matches!(refusal(opened.keyring.decrypt(&sealed, &context(&[]))), KeyRefusal::NoSuchKey { .. })
    };
    assert!(gone(&opened));
    assert_eq!(opened.keyring.do_what_is_due(Utc::now()).await, Due { deleted: 1, ..Due::default() });
    assert!(gone(&opened));
    assert!(opened.keyring.alias(&account(), &Region::us_east_1(), "alias/one").is_err());
    assert_eq!(opened.keyring.customer_keys(&account(), &Region::us_east_1(), None, 10).len(), 1);
    assert!(opened.keyring.encrypt(&other, b"x", &context(&[])).is_ok());
    assert_eq!(opened.records(), ["AdoptMasterKey", "DeleteKey"]);
    opened.close().await;
}

#[tokio::test]
async fn the_key_of_a_service_is_made_once() {
    let world = World::new();
    let opened = world.open().await;
    let region = Region::us_east_1();
    let now = Utc::now();
    let (account, keyring) = (account(), &opened.keyring);
    let (one, two) = tokio::join!(
        keyring.managed_key(&account, &region, "s3", now),
        keyring.managed_key(&account, &region, "s3", now)
    );
    assert_eq!(one.unwrap().arn, two.unwrap().arn);
    assert_eq!(opened.records(), ["AdoptMasterKey", "CreateKey"]);
    opened.close().await;
}

#[tokio::test]
async fn the_key_of_a_service_is_made_for_who_may_and_in_so_many_regions() {
    let world = World::new();
    let opened = world.open().await;
    let (account, keyring, now) = (account(), &opened.keyring, Utc::now());
    let here = Region::us_east_1();
    let refused = keyring.managed_key_for(&account, &here, "s3", now, |_| false).await.unwrap();
    assert!(refused.is_none());
    assert_eq!(opened.records(), ["AdoptMasterKey"]);
    let key = keyring.managed_key_for(&account, &here, "s3", now, |key| key.aliases.contains("alias/aws/s3"));
    let key = key.await.unwrap().unwrap();
    for n in 1..limits::MAX_MANAGED_KEY_REGIONS {
        let region: Region = format!("xx-north-{n}").parse().unwrap();
        keyring.managed_key(&account, &region, "s3", now).await.unwrap();
    }
    let one_more: Region = "yy-north-1".parse().unwrap();
    let refused = refusal(keyring.managed_key(&account, &one_more, "s3", now).await);
    assert!(matches!(refused, KeyRefusal::LimitExceeded(_)));
    assert_eq!(keyring.managed_key(&account, &here, "s3", now).await.unwrap().arn, key.arn);
    opened.close().await;
}

#[tokio::test]
async fn every_curve_and_rsa_key_signs_and_verifies() {
    let world = World::new();
    let opened = world.open().await;
    for spec in [KeySpec::Rsa2048, KeySpec::P256, KeySpec::P384, KeySpec::P521, KeySpec::P256K1] {
        let key = opened.make(spec, KeyUsage::SignVerify).await;
        for algorithm in key.signing_algorithms() {
            let signed = opened.keyring.sign(&key, b"m", MessageType::Raw, *algorithm).unwrap();
            let verify = |message: &[u8]| {
                opened.keyring.verify_signature(&key, message, MessageType::Raw, &signed, *algorithm)
            };
            verify(b"m").unwrap();
            assert_eq!(refusal(verify(b"n")), KeyRefusal::InvalidSignature);
        }
        let foreign =
            if spec == KeySpec::P384 { SigningAlgorithm::EcdsaSha256 } else { SigningAlgorithm::EcdsaSha384 };
        assert!(matches!(
            refusal(opened.keyring.sign(&key, b"m", MessageType::Raw, foreign)),
            KeyRefusal::InvalidAlgorithm { .. }
        ));
    }
    opened.close().await;
}

#[tokio::test]
async fn grants_are_given_in_pages_and_a_named_one_is_for_whom_it_was_made() {
    let world = World::new();
    let opened = world.open().await;
    let (key, other) = (opened.symmetric().await, opened.symmetric().await);
    let new = |name: Option<&str>, id: &str| NewGrant {
        name: name.map(str::to_owned),
        issuer: account(),
        grantee: "arn:aws:iam::123456789012:user/alice".to_owned(),
        grantee_id: Some(id.to_owned()),
        retiring: None,
        retiring_id: None,
        operations: vec!["Decrypt".to_owned()],
        constraints: GrantConstraints::default(),
    };
    let grant = async |key: &Key, new: NewGrant| {
        let mut tx = opened.state.begin().await;
        let made = opened.keyring.create_grant(&mut tx, key, new, Utc::now()).unwrap();
        tx.commit(Vec::new()).await.unwrap();
        made.id
    };
    let mut made = vec![grant(&key, new(Some("own"), "AIDA1")).await];
    assert_eq!(grant(&key, new(Some("own"), "AIDA1")).await, made[0]);
    made.push(grant(&key, new(Some("own"), "AIDA2")).await);
    for _ in 0..3 {
        made.push(grant(&key, new(None, "AIDA1")).await);
    }
    grant(&other, new(None, "AIDA1")).await;
    made.sort();

    let ids = |after: Option<&str>, most| {
        let found = opened.keyring.grants(&key, after, most, |_| true);
        found.iter().map(|grant| grant.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 2), made[..2]);
    assert_eq!(ids(Some(&made[1]), 2), made[2..4]);
    assert_eq!(ids(Some(&made[3]), 2), made[4..]);
    let of_second =
        opened.keyring.grants(&key, None, 9, |grant| grant.grantee_id.as_deref() == Some("AIDA2"));
    assert_eq!(of_second.len(), 1);

    let here = Region::us_east_1();
    let first = opened.keyring.grants_in(&here, None, 4, |_| true);
    let rest = opened.keyring.grants_in(&here, Some(&first[3].0), 4, |_| true);
    assert_eq!((first.len(), rest.len()), (4, 2));
    assert!(opened.keyring.grants_in(&"eu-west-1".parse().unwrap(), None, 4, |_| true).is_empty());
    opened.close().await;
}
