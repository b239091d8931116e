//! Buckets that keep versions.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use opentrail_vault::*;
use support::House;

async fn house() -> House {
    let house = House::with_bucket("logs").await;
    house.set_versioning("logs", Versioning::Enabled).await;
    house
}

/// (key, version id, latest, is a marker).
fn all(house: &House) -> Vec<(String, String, bool, bool)> {
    let page = house.vault.list_versions("logs", &ListQuery::default(), None).unwrap();
    let entry = |e: VersionEntry| {
        let marker = matches!(e.version, Version::DeleteMarker(_));
        (e.key, e.version.id().to_owned(), e.is_latest, marker)
    };
    page.versions.into_iter().map(entry).collect()
}

#[tokio::test]
async fn each_write_makes_a_version_and_each_delete_a_marker() {
    let house = house().await;
    let first = house.put("logs", "a", "1").await.unwrap().version_id.unwrap();
    let second = house.put("logs", "a", "2").await.unwrap().version_id.unwrap();
    let deleted = house.delete("logs", "a", None).await.unwrap();
    assert!(deleted.delete_marker);
    let marker = deleted.version_id.unwrap();
    let a = || "a".to_owned();
    let expected = [
        (a(), marker.clone(), true, true),
        (a(), second.clone(), false, false),
        (a(), first.clone(), false, false),
    ];
    assert_eq!(all(&house), expected);

    match house.read("logs", "a", None).await {
        Err(VaultError::NoSuchKey { delete_marker, .. }) => assert_eq!(delete_marker, Some(marker.clone())),
        other => panic!("{other:?}"),
    }
    let of_marker = house.read("logs", "a", Some(&marker)).await;
    assert!(matches!(of_marker, Err(VaultError::VersionIsDeleteMarker { .. })));
    assert_eq!(house.read("logs", "a", Some(&first)).await.unwrap(), "1");
    assert_eq!(house.read("logs", "a", Some(&second)).await.unwrap(), "2");
    assert!(matches!(house.read("logs", "a", Some("none")).await, Err(VaultError::NoSuchVersion { .. })));
    assert!(house.keys("logs").is_empty());

    let undone = house.delete("logs", "a", Some(&marker)).await.unwrap();
    assert!(undone.delete_marker);
    assert_eq!(undone.version_id.as_deref(), Some(&*marker));
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "2");
    house.delete("logs", "a", Some(&second)).await.unwrap();
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "1");
    assert_eq!(house.keys("logs"), ["a"]);
    let house = house.reopen().await;
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "1");
    house.is_well().await;
}

#[tokio::test]
async fn deleting_what_is_not_there_leaves_a_marker_and_removing_it_nothing() {
    let house = house().await;
    assert!(house.delete("logs", "none", None).await.unwrap().delete_marker);
    assert_eq!(all(&house).len(), 1);
    let removed = house.delete("logs", "none", Some("no-such-version")).await.unwrap();
    assert_eq!((removed.version_id.as_deref(), removed.delete_marker), (Some("no-such-version"), false));
    assert_eq!(all(&house).len(), 1);
}

#[tokio::test]
async fn while_suspended_the_null_version_is_replaced_and_the_others_stay() {
    let house = House::with_bucket("logs").await;
    house.put("logs", "a", "unversioned").await.unwrap();
    house.set_versioning("logs", Versioning::Enabled).await;
    let kept = house.put("logs", "a", "kept").await.unwrap().version_id.unwrap();
    assert_eq!(house.read("logs", "a", Some("null")).await.unwrap(), "unversioned");
    house.set_versioning("logs", Versioning::Suspended).await;
    let outcome = house.put("logs", "a", "suspended").await.unwrap();
    assert_eq!(outcome.version_id.as_deref(), Some("null"));
    let ids: Vec<_> = all(&house).into_iter().map(|(_, id, latest, _)| (id, latest)).collect();
    assert_eq!(ids, [("null".to_owned(), true), (kept.clone(), false)]);
    assert_eq!(house.read("logs", "a", None).await.unwrap(), "suspended");

    let deleted = house.delete("logs", "a", None).await.unwrap();
    assert_eq!((deleted.version_id.as_deref(), deleted.delete_marker), (Some("null"), true));
    let ids: Vec<_> = all(&house).into_iter().map(|(_, id, _, marker)| (id, marker)).collect();
    assert_eq!(ids, [("null".to_owned(), true), (kept.clone(), false)]);
    assert_eq!(house.read("logs", "a", Some(&kept)).await.unwrap(), "kept");
    house.is_well().await;
}

#[tokio::test]
async fn versions_are_paged_through_without_loss_or_repetition() {
    let house = house().await;
    for key in ["a", "b/1", "b/2", "c"] {
        for text in ["1", "2", "3"] {
            house.put("logs", key, text).await.unwrap();
        }
    }
    house.delete("logs", "c", None).await.unwrap();
    let whole = all(&house);
    assert_eq!(whole.len(), 13);
    for max in 1..=14 {
        let query = ListQuery { max: Some(max), ..ListQuery::default() };
        let (mut marker, mut seen) = (None, Vec::new());
        loop {
            let page = house.vault.list_versions("logs", &query, marker.as_ref()).unwrap();
            assert!(page.versions.len() <= max);
            seen.extend(
                page.versions.iter().map(|e| (e.key.clone(), e.version.id().to_owned(), e.is_latest)),
            );
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        let expected: Vec<_> =
            whole.iter().map(|(k, id, latest, _)| (k.clone(), id.clone(), *latest)).collect();
        assert_eq!(seen, expected, "{max}");
    }
    let query = ListQuery { delimiter: Some("/".to_owned()), max: Some(4), ..ListQuery::default() };
    let first = house.vault.list_versions("logs", &query, None).unwrap();
    assert_eq!((first.versions.len(), first.common_prefixes), (3, vec!["b/".to_owned()]));
    let second = house.vault.list_versions("logs", &query, first.next.as_ref()).unwrap();
    assert_eq!((second.versions.len(), second.common_prefixes.len()), (4, 0));
}

#[tokio::test]
async fn a_bucket_is_emptied_page_by_page() {
    let house = house().await;
    for n in 0..10 {
        house.put("logs", "a", n.to_string()).await.unwrap();
        house.put("logs", "b", n.to_string()).await.unwrap();
    }
    let query = ListQuery { max: Some(3), ..ListQuery::default() };
    let mut marker = None;
    loop {
        let page = house.vault.list_versions("logs", &query, marker.as_ref()).unwrap();
        for entry in &page.versions {
            house.delete("logs", &entry.key, Some(entry.version.id())).await.unwrap();
        }
        marker = page.next;
        if marker.is_none() {
            break;
        }
    }
    assert!(all(&house).is_empty());
}
