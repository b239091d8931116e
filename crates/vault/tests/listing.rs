//! Listing current objects.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]

mod support;

use opentrail_vault::*;
use support::House;

async fn house(keys: &[&str]) -> House {
    let house = House::with_bucket("logs").await;
    for key in keys {
        house.put("logs", key, "").await.unwrap();
    }
    house
}

fn list(house: &House, query: &ListQuery) -> (Vec<String>, Vec<String>, Option<String>) {
    let page = house.vault.list_objects("logs", query).unwrap();
    (page.objects.into_iter().map(|object| object.key).collect(), page.common_prefixes, page.next)
}

fn query(prefix: &str, delimiter: &str) -> ListQuery {
    ListQuery { prefix: prefix.to_owned(), delimiter: Some(delimiter.to_owned()), ..ListQuery::default() }
}

#[tokio::test]
async fn keys_come_in_the_order_of_their_bytes() {
    let house = house(&["é", "z", "a", "Z", "a/b", "a b", "日本", "😀", "\u{ffff}"]).await;
    assert_eq!(house.keys("logs"), ["Z", "a", "a b", "a/b", "z", "é", "日本", "\u{ffff}", "😀"]);
}

#[tokio::test]
async fn a_delimiter_groups_what_comes_after_the_prefix() {
    let house = house(&["AWSLogs/1/a", "AWSLogs/1/b", "AWSLogs/2/a", "AWSLogs/readme", "top"]).await;
    let (keys, prefixes, next) = list(&house, &query("", "/"));
    assert_eq!((keys, prefixes, next), (vec!["top".to_owned()], vec!["AWSLogs/".to_owned()], None));
    let (keys, prefixes, _) = list(&house, &query("AWSLogs/", "/"));
    assert_eq!(keys, ["AWSLogs/readme"]);
    assert_eq!(prefixes, ["AWSLogs/1/", "AWSLogs/2/"]);
    let (keys, prefixes, _) = list(&house, &query("AWSLogs/1", "/"));
    assert_eq!((keys.len(), prefixes), (0, vec!["AWSLogs/1/".to_owned()]));
    let (keys, prefixes, _) = list(&house, &query("", "ogs/1"));
    assert_eq!((keys.len(), prefixes), (3, vec!["AWSLogs/1".to_owned()]));
    let (keys, prefixes, _) = list(&house, &query("", ""));
    assert_eq!((keys.len(), prefixes.len()), (5, 0));
    let (keys, prefixes, _) = list(&house, &query("none", "/"));
    assert_eq!((keys.len(), prefixes.len()), (0, 0));
}

#[tokio::test]
async fn pages_go_on_after_a_key_or_a_common_prefix() {
    let keys = ["a", "b/1", "b/2", "b/3", "c", "d/1", "e"];
    let house = house(&keys).await;
    for max in 1..=8 {
        let mut query = ListQuery { max: Some(max), ..query("", "/") };
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        loop {
            let (keys, groups, next) = list(&house, &query);
            assert!(keys.len() + groups.len() <= max);
            objects.extend(keys);
            prefixes.extend(groups);
            query.after = next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(
            (objects, prefixes),
            (vec!["a".into(), "c".into(), "e".into()], vec!["b/".into(), "d/".into()])
        );
    }
    let after = ListQuery { after: Some("b/2".to_owned()), ..ListQuery::default() };
    assert_eq!(list(&house, &after).0, ["b/3", "c", "d/1", "e"]);
    let before = ListQuery { after: Some("A".to_owned()), prefix: "b".to_owned(), ..ListQuery::default() };
    assert_eq!(list(&house, &before).0, ["b/1", "b/2", "b/3"]);
    let beyond = ListQuery { after: Some("z".to_owned()), prefix: "b".to_owned(), ..ListQuery::default() };
    assert_eq!(list(&house, &beyond).0.len(), 0);
    assert_eq!(list(&house, &ListQuery { max: Some(0), ..ListQuery::default() }), (vec![], vec![], None));
    assert_eq!(list(&house, &ListQuery { max: Some(7), ..ListQuery::default() }).2, None);
}

#[tokio::test]
async fn buckets_do_not_see_each_others_keys() {
    let house = house(&["a", "b"]).await;
    house.create_bucket("other").await;
    house.put("other", "c", "").await.unwrap();
    assert_eq!(house.keys("logs"), ["a", "b"]);
    assert_eq!(house.keys("other"), ["c"]);
}
