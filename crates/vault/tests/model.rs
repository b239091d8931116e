//! Any sequence of operations against a plain model of what S3 says they do.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use opentrail_vault::*;
use proptest::prelude::*;
use support::House;

#[derive(Debug, Clone)]
enum Op {
    Put { key: usize, large: bool },
    Delete { key: usize },
    Remove { key: usize, nth: usize },
    Copy { from: usize, to: usize },
    Enable,
    Suspend,
    Reopen,
}

const KEYS: [&str; 6] = ["a", "a/b", "a/b/c", "a/é", "b", "b/"];

fn op() -> impl Strategy<Value = Op> {
    let key = 0..KEYS.len();
    prop_oneof![
        6 => (key.clone(), prop::bool::weighted(0.2)).prop_map(|(key, large)| Op::Put { key, large }),
        3 => key.clone().prop_map(|key| Op::Delete { key }),
        3 => (key.clone(), 0..4_usize).prop_map(|(key, nth)| Op::Remove { key, nth }),
        2 => (key.clone(), key).prop_map(|(from, to)| Op::Copy { from, to }),
        1 => Just(Op::Enable),
        1 => Just(Op::Suspend),
        1 => Just(Op::Reopen),
    ]
}

/// One version: its id and its bytes, or a marker.
type Kept = (String, Option<bytes::Bytes>);

#[derive(Default)]
struct Model {
    versioning: Versioning,
    /// The newest first.
    keys: BTreeMap<&'static str, Vec<Kept>>,
}

impl Model {
    fn add(&mut self, key: &'static str, id: String, bytes: Option<bytes::Bytes>) {
        let versions = self.keys.entry(key).or_default();
        versions.retain(|(known, _)| *known != id);
        versions.insert(0, (id, bytes));
    }

    fn remove(&mut self, key: &'static str, id: &str) {
        let versions = self.keys.entry(key).or_default();
        versions.retain(|(known, _)| known != id);
    }

    fn current(&self, key: &str) -> Option<&bytes::Bytes> {
        self.keys.get(key)?.first()?.1.as_ref()
    }
}

fn stamp(step: usize, large: bool) -> bytes::Bytes {
    support::noise(if large { 20_000 } else { 10 }, step as u64)
}

async fn act(house: &House, model: &mut Model, step: usize, op: &Op) {
    match *op {
        Op::Put { key, large } => {
            let outcome = house.put("logs", KEYS[key], stamp(step, large)).await.unwrap();
            model.add(KEYS[key], outcome.meta.version_id.clone(), Some(stamp(step, large)));
            let shown = outcome.version_id.is_some();
            assert_eq!(shown, model.versioning != Versioning::Off);
        }
        Op::Delete { key } => {
            let outcome = house.delete("logs", KEYS[key], None).await.unwrap();
            assert_eq!(outcome.delete_marker, model.versioning != Versioning::Off);
            match outcome.version_id {
                Some(id) => model.add(KEYS[key], id, None),
                None => model.remove(KEYS[key], NULL_VERSION),
            }
        }
        Op::Remove { key, nth } => {
            let known = model.keys.get(KEYS[key]).and_then(|versions| versions.get(nth)).cloned();
            let (id, bytes) = known.unwrap_or_else(|| ("unknown".to_owned(), Some(bytes::Bytes::new())));
            let outcome = house.delete("logs", KEYS[key], Some(&id)).await.unwrap();
            assert_eq!(outcome.delete_marker, bytes.is_none());
            model.remove(KEYS[key], &id);
        }
        Op::Copy { from, to } => copy(house, model, KEYS[from], KEYS[to]).await,
        Op::Enable | Op::Suspend => {
            model.versioning =
                if matches!(op, Op::Enable) { Versioning::Enabled } else { Versioning::Suspended };
            house.set_versioning("logs", model.versioning).await;
        }
        Op::Reopen => {}
    }
}

async fn copy(house: &House, model: &mut Model, from: &'static str, to: &'static str) {
    let request = CopyRequest {
        source: CopySource {
            bucket: "logs",
            key: from,
            version_id: None,
            conditions: ReadConditions::default(),
        },
        bucket: "logs",
        key: to,
        conditions: WriteConditions::default(),
        owner: support::account(),
        headers: Some(ObjectHeaders::default()),
        tags: None,
        storage_class: None,
        canned_acl: None,
        lock: ObjectLock::default(),
        encryption: None,
        names_encryption: false,
        algorithm: None,
    };
    let copied = house.vault.copy(request, support::now(), |_| Vec::new()).await;
    match model.current(from).cloned() {
        Some(bytes) => model.add(to, copied.unwrap().put.meta.version_id, Some(bytes)),
        None => assert_eq!(copied.unwrap_err().code(), "NoSuchKey"),
    }
}

async fn compare(house: &House, model: &Model, prefix: &str, max: usize) {
    for key in KEYS {
        match (house.read("logs", key, None).await, model.current(key)) {
            (Ok(found), Some(expected)) => assert_eq!(found, expected),
            (Err(VaultError::NoSuchKey { .. }), None) => {}
            (found, expected) => panic!("{key}: {found:?}, expected {expected:?}"),
        }
        for (id, expected) in model.keys.get(key).into_iter().flatten() {
            match (house.read("logs", key, Some(id)).await, expected) {
                (Ok(found), Some(expected)) => assert_eq!(found, expected),
                (Err(VaultError::VersionIsDeleteMarker { .. }), None) => {}
                (found, expected) => panic!("{key} {id}: {found:?}, expected {expected:?}"),
            }
        }
    }
    compare_versions(house, model, max);
    for delimiter in [None, Some("/")] {
        compare_listing(house, model, prefix, delimiter, max);
    }
}

fn compare_versions(house: &House, model: &Model, max: usize) {
    let query = ListQuery { max: Some(max), ..ListQuery::default() };
    let (mut marker, mut listed) = (None, Vec::new());
    loop {
        let page = house.vault.list_versions("logs", &query, marker.as_ref()).unwrap();
        listed.extend(page.versions.into_iter().map(|e| (e.key, e.version.id().to_owned(), e.is_latest)));
        marker = page.next;
        if marker.is_none() {
            break;
        }
    }
    let expected = model.keys.iter().flat_map(|(key, versions)| {
        let line = |(n, (id, _)): (usize, &Kept)| ((*key).to_owned(), id.clone(), n == 0);
        versions.iter().enumerate().map(line).collect::<Vec<_>>()
    });
    assert_eq!(listed, expected.collect::<Vec<_>>());
}

fn compare_listing(house: &House, model: &Model, prefix: &str, delimiter: Option<&str>, max: usize) {
    let (mut keys, mut groups) = (Vec::new(), BTreeSet::new());
    for key in KEYS.iter().filter(|key| key.starts_with(prefix) && model.current(key).is_some()) {
        match delimiter.and_then(|d| key[prefix.len()..].find(d).map(|at| prefix.len() + at + d.len())) {
            Some(end) => drop(groups.insert(key[..end].to_owned())),
            None => keys.push((*key).to_owned()),
        }
    }
    keys.sort();
    let mut query = ListQuery {
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        max: Some(max),
        after: None,
    };
    let (mut found_keys, mut found_groups) = (Vec::new(), Vec::new());
    loop {
        let page = house.vault.list_objects("logs", &query).unwrap();
        assert!(page.objects.len() + page.common_prefixes.len() <= max);
        found_keys.extend(page.objects.into_iter().map(|object| object.key));
        found_groups.extend(page.common_prefixes);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!((found_keys, found_groups), (keys, groups.into_iter().collect()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(
        ops in prop::collection::vec(op(), 1..50),
        prefix in prop::sample::select(vec!["", "a", "a/", "a/b", "b/", "c"]),
        max in 1..5_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut house = House::with_bucket("logs").await;
            let mut model = Model::default();
            for (step, op) in ops.iter().enumerate() {
                act(&house, &mut model, step, op).await;
                if matches!(op, Op::Reopen) {
                    house = house.reopen().await;
                    compare(&house, &model, prefix, max).await;
                }
            }
            compare(&house, &model, prefix, max).await;
            let house = house.reopen().await;
            compare(&house, &model, prefix, max).await;
            house.is_well().await;
        });
    }
}
