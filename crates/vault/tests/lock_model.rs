//! Any sequence of puts, deletes, changes of locks and of the time: no version that something holds ever goes.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use opentrail_vault::*;
use proptest::prelude::*;
use support::{House, account};

#[derive(Debug, Clone)]
enum Op {
    Put { key: usize, lock: Wanted },
    Delete { key: usize },
    Remove { key: usize, nth: usize, bypass: bool },
    Retain { key: usize, nth: usize, lock: Wanted, bypass: bool },
    Hold { key: usize, nth: usize, on: bool },
    Default { lock: Wanted },
    Suspend,
    Wait { days: i64 },
    Reopen,
}

/// Mode and days, or none.
type Wanted = Option<(LockMode, i64)>;

const KEYS: [&str; 3] = ["a", "a/b", "c"];

fn wanted() -> impl Strategy<Value = Wanted> {
    let mode = prop::sample::select(vec![LockMode::Governance, LockMode::Compliance]);
    prop::option::of((mode, 1..6_i64))
}

fn op() -> impl Strategy<Value = Op> {
    let (key, nth) = (0..KEYS.len(), 0..4_usize);
    prop_oneof![
        5 => (key.clone(), wanted()).prop_map(|(key, lock)| Op::Put { key, lock }),
        2 => key.clone().prop_map(|key| Op::Delete { key }),
        6 => (key.clone(), nth.clone(), any::<bool>()).prop_map(|(key, nth, bypass)| Op::Remove { key, nth, bypass }),
        4 => (key.clone(), nth.clone(), wanted(), any::<bool>())
            .prop_map(|(key, nth, lock, bypass)| Op::Retain { key, nth, lock, bypass }),
        2 => (key, nth, any::<bool>()).prop_map(|(key, nth, on)| Op::Hold { key, nth, on }),
        1 => wanted().prop_map(|lock| Op::Default { lock }),
        1 => Just(Op::Suspend),
        3 => (1..4_i64).prop_map(|days| Op::Wait { days }),
        1 => Just(Op::Reopen),
    ]
}

/// What the model knows of one version; markers are held by nothing.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    bytes: Option<bytes::Bytes>,
    retention: Wanted,
    ends: DateTime<Utc>,
    held: bool,
}

impl Known {
    fn is_compliance(&self, now: DateTime<Utc>) -> bool {
        self.retention.is_some_and(|(mode, _)| mode == LockMode::Compliance) && self.ends > now
    }

    fn may_go(&self, now: DateTime<Utc>, bypass: bool) -> bool {
        let over = self.retention.is_none() || self.ends <= now;
        let loose = self.retention.is_some_and(|(mode, _)| mode == LockMode::Governance) && bypass;
        !self.held && (over || loose)
    }
}

struct World {
    house: House,
    now: DateTime<Utc>,
    default: Wanted,
    keys: BTreeMap<&'static str, Vec<Known>>,
}

fn retention(lock: Wanted, now: DateTime<Utc>) -> Option<Retention> {
    lock.map(|(mode, days)| Retention { mode, until: now + TimeDelta::days(days) })
}

fn ends(lock: Wanted, now: DateTime<Utc>) -> DateTime<Utc> {
    lock.map_or(now, |(_, days)| now + TimeDelta::days(days))
}

impl World {
    async fn act(&mut self, step: usize, op: &Op) {
        match *op {
            Op::Put { key, lock } => self.put(step, KEYS[key], lock).await,
            Op::Delete { key } => {
                let request = DeleteRequest::of("logs", KEYS[key], account());
                let marker = self.house.vault.delete(&request, self.now, |_| Vec::new()).await.unwrap();
                let id = marker.version_id.unwrap();
                let known = Known { id, bytes: None, retention: None, ends: self.now, held: false };
                self.keys.entry(KEYS[key]).or_default().insert(0, known);
            }
            Op::Remove { key, nth, bypass } => self.remove(KEYS[key], nth, bypass).await,
            Op::Retain { key, nth, lock, bypass } => self.retain(KEYS[key], nth, lock, bypass).await,
            Op::Hold { key, nth, on } => self.hold(KEYS[key], nth, on).await,
            Op::Default { lock } => {
                let default_retention = lock.map(|(mode, days)| DefaultRetention {
                    mode,
                    period: LockPeriod::Days(u32::try_from(days).unwrap()),
                });
                let mut tx = self.house.state.begin().await;
                let configuration = LockConfiguration { default_retention };
                self.house.vault.put_lock_configuration(&mut tx, "logs", configuration).unwrap();
                tx.commit(Vec::new()).await.unwrap();
                self.default = lock;
            }
            Op::Suspend => {
                let mut tx = self.house.state.begin().await;
                let refused = self.house.vault.put_versioning(&mut tx, "logs", Versioning::Suspended);
                assert!(matches!(refused, Err(VaultError::VersioningIsLocked { .. })));
            }
            Op::Wait { days } => self.now += TimeDelta::days(days),
            Op::Reopen => {}
        }
    }

    async fn put(&mut self, step: usize, key: &'static str, lock: Wanted) {
        let bytes = support::noise(if step.is_multiple_of(5) { 20_000 } else { 10 }, step as u64);
        let object = NewObject {
            lock: ObjectLock { retention: retention(lock, self.now), legal_hold: None },
            ..NewObject::of(account())
        };
        let vault = &self.house.vault;
        let mut upload = vault.begin_put("logs", key, PutOptions::new(object)).unwrap();
        upload.write(bytes.clone()).await.unwrap();
        let staged = upload.finish(&Expected::default()).await.unwrap();
        let put =
            vault.commit_put(staged, &WriteConditions::default(), self.now, |_| Vec::new()).await.unwrap();
        let retention = lock.or(self.default);
        let known = Known {
            id: put.meta.version_id,
            bytes: Some(bytes),
            retention,
            ends: ends(retention, self.now),
            held: false,
        };
        self.keys.entry(key).or_default().insert(0, known);
    }

    async fn remove(&mut self, key: &'static str, nth: usize, bypass: bool) {
        let Some(known) = self.keys.get(key).and_then(|versions| versions.get(nth)).cloned() else { return };
        let request = DeleteRequest {
            version_id: Some(&known.id),
            bypass_governance: bypass,
            ..DeleteRequest::of("logs", key, account())
        };
        let removed = self.house.vault.delete(&request, self.now, |_| Vec::new()).await;
        if known.bytes.is_none() || known.may_go(self.now, bypass) {
            removed.unwrap();
            self.keys.get_mut(key).unwrap().remove(nth);
        } else {
            assert!(matches!(removed, Err(VaultError::Locked { .. })), "{known:?} {removed:?}");
        }
    }

    async fn retain(&mut self, key: &'static str, nth: usize, lock: Wanted, bypass: bool) {
        let now = self.now;
        let Some(known) = self.keys.get_mut(key).and_then(|versions| versions.get_mut(nth)) else { return };
        let change = RetentionChange {
            bucket: "logs",
            key,
            version_id: Some(&known.id),
            retention: retention(lock, now),
            bypass_governance: bypass,
        };
        let changed = self.house.vault.put_retention(change, now, |_| Vec::new()).await;
        let active = known.retention.filter(|_| known.ends > now);
        let keeps = match (active, lock) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((old, _)), Some((new, _))) => old == new && ends(lock, now) >= known.ends,
        };
        if known.bytes.is_none() {
            assert!(matches!(changed, Err(VaultError::VersionIsDeleteMarker { .. })), "{changed:?}");
        } else if keeps || (bypass && !known.is_compliance(now)) {
            changed.unwrap();
            (known.retention, known.ends) = (lock, ends(lock, now));
        } else {
            assert!(matches!(changed, Err(VaultError::Locked { .. })), "{known:?} {lock:?} {changed:?}");
        }
    }

    async fn hold(&mut self, key: &'static str, nth: usize, on: bool) {
        let Some(known) = self.keys.get_mut(key).and_then(|versions| versions.get_mut(nth)) else { return };
        let held = self.house.vault.put_legal_hold("logs", key, Some(&known.id), on, |_| Vec::new()).await;
        if known.bytes.is_some() {
            held.unwrap();
            known.held = on;
        }
    }

    /// Everything that the model knows is there, byte for byte.
    async fn compare(&self) {
        for (key, versions) in &self.keys {
            for known in versions {
                let found = self.house.read("logs", key, Some(&known.id)).await;
                match &known.bytes {
                    Some(bytes) => assert_eq!(found.unwrap(), bytes, "{known:?}"),
                    None => assert!(matches!(found, Err(VaultError::VersionIsDeleteMarker { .. }))),
                }
            }
        }
    }
}

async fn world() -> World {
    let house = House::new().await;
    house.create_locked_bucket("logs").await;
    // Ahead of the journal's clock, so that its floor under new locks does not matter here.
    let now = support::now() + TimeDelta::days(1);
    World { house, now, default: None, keys: BTreeMap::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_version_that_something_holds_ever_goes(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = world().await;
            for (step, op) in ops.iter().enumerate() {
                world.act(step, op).await;
                if matches!(op, Op::Reopen) {
                    world.house = world.house.reopen().await;
                    world.compare().await;
                }
            }
            world.compare().await;
            world.house.vault.sweep().await.unwrap();
            world.compare().await;
            world.house.is_well().await;
        });
    }
}
